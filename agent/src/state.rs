//! What the initramfs left in /run/lifeboat: `KEY=value` lines in the syntax of systemd's `EnvironmentFile=`.

/// A state file's lines.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct State(Vec<(String, String)>);

impl State {
    /// Reads the text; a line that is none of these is passed over.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Self(lines.map(|(key, value)| (key.to_owned(), unquote(value))).collect())
    }

    /// The value of a key; of several the last counts, as for a shell.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.0.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut plain = String::new();
    let mut escaped = false;
    for character in inner.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(character);
            escaped = false;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_bare_and_quoted() {
        let state = State::parse("A=b\nURL=\"http://x/?a=\\\"b\\\\&%s\"\nodd\nA=c\nEMPTY=\n");
        assert_eq!(state.get("URL").unwrap(), "http://x/?a=\"b\\&%s");
        assert_eq!(state.get("A").unwrap(), "c");
        assert_eq!(state.get("EMPTY").unwrap(), "");
        assert_eq!(state.get("odd"), None);
    }
}

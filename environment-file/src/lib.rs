//! `KEY=value` lines in the syntax of systemd's `EnvironmentFile=`, as both programs read them: settings, and what
//! the boot program leaves in /run/lifeboat for the agent.

/// The value of a key in `KEY=value` lines; of several the last counts, as for a shell.
pub fn lookup(text: &str, key: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix('='))?;
    Some(unquote(value.trim_end()))
}

fn unquote(value: &str) -> String {
    let between = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = between('\'') {
        return inner.to_owned();
    }
    let Some(inner) = between('"') else { return value.to_owned() };
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
        let text = "A=b\nURL=\"http://x/?a=\\\"b\\\\&%s\"\nodd\nA=c\nEMPTY=\n";
        assert_eq!(lookup(text, "URL").unwrap(), "http://x/?a=\"b\\&%s");
        assert_eq!(lookup(text, "A").unwrap(), "c");
        assert_eq!(lookup(text, "EMPTY").unwrap(), "");
        assert_eq!(lookup(text, "odd"), None);
        assert_eq!(lookup("A='b c'", "A").unwrap(), "b c");
    }

    #[test]
    fn comments_and_blanks_around_are_no_part_of_it() {
        assert_eq!(lookup("# A=a\nA='b c'\n A=d  \n", "A").unwrap(), "d");
    }
}

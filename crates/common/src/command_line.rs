//! The kernel command line, split as the kernel splits it.

/// The line and its words, in their order; a name may appear more than once.
#[derive(Clone, Default, Debug)]
pub struct CommandLine {
    line: String,
    words: Vec<String>,
}

impl CommandLine {
    /// Splits a line, such as /proc/cmdline has.
    pub fn parse(line: &str) -> Self {
        Self { line: line.trim().to_owned(), words: words(line) }
    }

    /// The line as it stands.
    pub fn text(&self) -> &str {
        &self.line
    }

    /// The value of the last `name=value`; the last one counts, as with the kernel's own parameters.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.words.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The parameter that switches this journey off, if there is one.
    pub fn switched_off(&self, journey: &str) -> Option<String> {
        [String::from("lifeboat"), format!("lifeboat.{journey}")]
            .into_iter()
            .find(|name| self.value(name) == Some("off"))
            .map(|name| format!("{name}=off"))
    }
}

/// Double quotes keep white space together and are themselves dropped, wherever in the word they stand.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            _ if character.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_white_space_and_are_dropped() {
        let line = CommandLine::parse("a=\"b c\" \"d=e f\" quiet x=\n");
        assert_eq!(line.value("a"), Some("b c"));
        assert_eq!(line.value("d"), Some("e f"));
        assert_eq!(line.value("x"), Some(""));
        assert_eq!(line.value("quiet"), None);
        assert_eq!(line.text(), "a=\"b c\" \"d=e f\" quiet x=");
    }

    #[test]
    fn the_last_of_several_counts_and_no_name_that_begins_alike() {
        let line = CommandLine::parse("root=/dev/vda root=/dev/vdb root rootwait=1");
        assert_eq!(line.value("root"), Some("/dev/vdb"));
        assert_eq!(line.value("roo"), None);
    }

    #[test]
    fn a_value_may_hold_equal_signs() {
        assert_eq!(CommandLine::parse("ds=nocloud;s=http://x/").value("ds"), Some("nocloud;s=http://x/"));
    }

    #[test]
    fn all_journeys_or_one_can_be_switched_off() {
        let off = |line, journey| CommandLine::parse(line).switched_off(journey);
        assert_eq!(off("lifeboat=off", "seed").as_deref(), Some("lifeboat=off"));
        assert_eq!(off("lifeboat.seed=off", "seed").as_deref(), Some("lifeboat.seed=off"));
        assert_eq!(off("lifeboat.seed=off", "modules"), None);
        assert_eq!(off("lifeboat.seed=http://x/", "seed"), None);
    }
}

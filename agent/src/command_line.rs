//! The kernel command line, split as the kernel splits it.

use crate::root::Root;
use anyhow::Result;

const COMMAND_LINE: &str = "proc/cmdline";

/// The line and its words.
#[derive(Default, Debug)]
pub(crate) struct CommandLine {
    line: String,
    words: Vec<String>,
}

impl CommandLine {
    /// Reads the one below a root.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        Ok(Self::parse(&root.read_text(COMMAND_LINE)?.unwrap_or_default()))
    }

    /// Splits a line.
    pub(crate) fn parse(line: &str) -> Self {
        Self { line: line.trim().to_owned(), words: words(line) }
    }

    /// The value of the last `name=value`; the last one counts, as with the kernel's own parameters.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.words.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// What stands between `cc:` at the start of a word and the next `end_cc`, each on a line of its own, with
    /// `\n` and percent signs resolved; `None` when there is nothing.
    pub(crate) fn cloud_config(&self) -> Option<String> {
        let mut texts = Vec::new();
        let mut rest = self.line.as_str();
        while let Some((before, after)) = rest.split_once("cc:") {
            if !before.is_empty() && !before.ends_with(char::is_whitespace) {
                rest = after;
                continue;
            }
            let (text, behind) = after.split_once("end_cc").unwrap_or((after, ""));
            texts.push(percent_decoded(&text.trim_start().replace("\\n", "\n")));
            rest = behind;
        }
        (!texts.is_empty()).then(|| texts.join("\n"))
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

fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digit =
            |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                bytes = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_quotes_are_dropped() {
        let line = CommandLine::parse("ro a=1 \"b=x y\" a=2 a abc=3\n");
        assert_eq!(line.value("a"), Some("2"));
        assert_eq!(line.value("b"), Some("x y"));
        assert_eq!(line.value("ab"), None);
    }

    #[test]
    fn configuration_is_what_stands_between_its_marks() {
        for (line, text) in [
            ("ro cc: a: [1, 2] end_cc quiet", "a: [1, 2] "),
            ("cc:a: 1\\nb: 2", "a: 1\nb: 2"),
            ("cc:a: %5Bx%5D end_cc cc:b: 1 end_cc", "a: [x] \nb: 1 "),
            ("cc: a: 5%", "a: 5%"),
        ] {
            assert_eq!(CommandLine::parse(line).cloud_config().as_deref(), Some(text), "{line}");
        }
        for line in ["", "ro quiet", "acc:b", "end_cc"] {
            assert_eq!(CommandLine::parse(line).cloud_config(), None, "{line}");
        }
    }
}

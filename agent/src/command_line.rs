//! The kernel command line below a root, and the configuration in it.

use crate::root::Root;
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;

const COMMAND_LINE: &str = "proc/cmdline";

/// Reads the one below a root.
pub(crate) fn read(root: &Root) -> Result<CommandLine> {
    Ok(CommandLine::parse(&root.read_text(COMMAND_LINE)?.unwrap_or_default()))
}

/// Reads the text between `cc:` at the start of a word and the next `end_cc`, with `\n` and percent signs resolved.
/// Several texts are joined by line ends; `None` when there is nothing.
pub(crate) fn cloud_config(line: &CommandLine) -> Option<String> {
    let mut texts = Vec::new();
    let mut rest = line.text();
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
    fn configuration_is_what_stands_between_its_marks() {
        for (line, text) in [
            ("ro cc: a: [1, 2] end_cc quiet", "a: [1, 2] "),
            ("cc:a: 1\\nb: 2", "a: 1\nb: 2"),
            ("cc:a: %5Bx%5D end_cc cc:b: 1 end_cc", "a: [x] \nb: 1 "),
            ("cc: a: 5%", "a: 5%"),
        ] {
            assert_eq!(cloud_config(&CommandLine::parse(line)).as_deref(), Some(text), "{line}");
        }
        for line in ["", "ro quiet", "acc:b", "end_cc"] {
            assert_eq!(cloud_config(&CommandLine::parse(line)), None, "{line}");
        }
    }
}

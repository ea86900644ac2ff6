//! Text from a disk or a command line, shown as one printable line.

use std::fmt::Write as _;

/// True if a character shows as itself, and changes neither the line it is on nor how others show.
pub fn is_plain(character: char) -> bool {
    let steers = matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    // No characters for ever: systemd takes no file that holds one.
    let never = matches!(character, '\u{fdd0}'..='\u{fdef}') || u32::from(character) & 0xfffe == 0xfffe;
    !(character.is_control() || steers || never)
}

/// Bytes from a disk or a command line as one printable line: control characters, what steers the direction of
/// writing, and bytes that are no UTF-8 appear as escapes.
pub fn escape(bytes: &[u8]) -> String {
    let mut line = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_plain(character) {
                line.push(character);
            } else {
                line.extend(character.escape_default());
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            write!(line, "\\x{byte:02x}").unwrap_or_default();
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_bytes_stay_on_one_printable_line() {
        assert_eq!(escape(b"RES\nCUE\x1b[2J\xff$(x)"), "RES\\nCUE\\u{1b}[2J\\xff$(x)");
    }

    #[test]
    fn what_turns_the_line_around_is_escaped() {
        assert_eq!(escape("a\u{202e}b\u{2028}\u{fffe}".as_bytes()), "a\\u{202e}b\\u{2028}\\u{fffe}");
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert_eq!(escape("Löwe 6.1.0-53".as_bytes()), "Löwe 6.1.0-53");
    }
}

//! Protection against texts that end the program in libyaml-safer. One has a comma right behind a tag in a list or a
//! mapping on one line. Another has a block without an end in the last line, or a backslash in double quotes at the
//! very end. Only a scanner knows which is which. So such a comma is read as a character that is fine in texts and is
//! refused behind a tag. Such a last line gets an end behind a comment, which is taken out of the block again.

use super::error::{Error, TextPlace};
use std::borrow::Cow;

/// A text as it is read.
pub(super) struct Masked<'a> {
    /// The masked text. It has as many characters as the original, except at the end.
    pub(super) text: Cow<'a, str>,
    /// For a comma, and in the comment at the end.
    masks: Option<[char; 2]>,
}

impl<'a> Masked<'a> {
    /// Masks what may end the program.
    pub(super) fn new(text: &'a str) -> Result<Self, Error> {
        let commas = commas(text);
        let open = !text.ends_with(is_break) && (text.contains(['|', '>']) || text.ends_with('\\'));
        if commas.is_empty() && !open {
            return Ok(Self { text: Cow::Borrowed(text), masks: None });
        }
        let mut unused = ('\u{e000}'..='\u{f8ff}').filter(|mask| !text.contains(*mask));
        let (Some(comma), Some(end)) = (unused.next(), unused.next()) else {
            return Err(Error::new(TextPlace::default(), "every character of private use is in it"));
        };
        let mut masked = String::with_capacity(text.len() + 2 * commas.len() + 6);
        let mut commas = commas.into_iter().peekable();
        for (at, character) in text.char_indices() {
            masked.push(if commas.next_if_eq(&at).is_some() { comma } else { character });
        }
        if open {
            masked.extend([' ', '#', end, '\n']);
        }
        Ok(Self { text: Cow::Owned(masked), masks: Some([comma, end]) })
    }

    /// A text in it, as it was.
    pub(super) fn unmask(&self, text: String) -> String {
        let Some([comma, end]) = self.masks else { return text };
        let whole = match text.split_once(end) {
            Some((before, _)) => {
                let before = before.strip_suffix('#').unwrap_or(before);
                before.strip_suffix(' ').unwrap_or(before)
            }
            None => &text,
        };
        whole.replace(comma, ",")
    }
}

/// Where commas are that may be behind a tag.
fn commas(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    // The first and the last character of the word that was last, and whether it has ended.
    let mut word: Option<(char, char)> = None;
    let mut ended = false;
    // True while the text being read may be a tag.
    let mut tag = false;
    let mut comment = false;
    for (at, character) in text.char_indices() {
        if character == ',' && tag {
            found.push(at);
        }
        tag = if character == '!' {
            tag || !word.is_some_and(|word| goes_on(word, ended))
        } else {
            tag && is_of_tags(character)
        };
        comment |= character == '#';
        match character {
            _ if tag => (word, ended) = (Some(('!', '!')), false),
            ' ' | '\t' | '\u{feff}' => ended = true,
            end if is_break(end) => {
                ended = true;
                if std::mem::take(&mut comment) {
                    word = None;
                }
            }
            '[' | ']' | '{' | '}' | ',' | '?' => word = None,
            _ => {
                // Right behind a quote may be another word.
                let longer = word.filter(|(_, last)| !ended && !is_quote(*last));
                let first = longer.map_or(character, |(first, _)| first);
                word = Some((first, character));
                ended = false;
            }
        }
    }
    found
}

/// True if a text goes on with a `!` behind its last word, which begins and ends so and has ended or not.
fn goes_on((first, last): (char, char), ended: bool) -> bool {
    let is_indicator = ended && (last == ':' || (first, last) == ('-', '-'));
    !(is_indicator || "&*!|>%@`\"'#?:".contains(first) || is_quote(last))
}

fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'')
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// True for characters that tags consist of.
fn is_of_tags(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_;/?:@&=+$.%!~*'()".contains(character)
}

#[cfg(test)]
mod tests {
    use super::super::{load, to_json};

    #[test]
    fn a_comma_behind_a_tag_and_an_open_end_are_errors() {
        for text in [
            "[!a, b]",
            "a: {b: !!str, c}",
            "[b, ! , !, c]",
            "[\"b\" !a, c]",
            "['b'!a, c]",
            "[&b !a, c]",
            "[b, # d\n !a, c]",
            "[b,# d\n!a, c]",
            "[{}\n!a, c]",
            "{? !a, c}",
            "[- !a, c]",
            "[b: !a%20, c]",
            "%TAG !a! b\n--- [!a!c, d]",
            "[\"b c\"! !d, e]",
            "[\"b c\"&d !e, f]",
            "['b c'*d !e, f]",
            "[!'b !c, d]",
            "[!?b !c, d]",
            "{\"b c\":!d, e}",
            "[!a, \u{e000}]",
            "\"a\\",
            "a: \"b\\\\\\",
        ] {
            let message = load(text).map(|_| ()).expect_err(text).to_string();
            assert!(!message.contains('\u{e000}') || text.contains('\u{e000}'), "{text}: {message}");
        }
    }

    #[test]
    fn a_comma_in_a_text_is_one_and_a_last_line_needs_no_end() {
        for (text, expected) in [
            ("[a !b, c]", r#"["a !b","c"]"#),
            ("[a\n  !b, -c !d, e]", r#"["a !b","-c !d","e"]"#),
            ("[don't !b, c]", r#"["don't !b","c"]"#),
            ("[-!b, c]", r#"["-!b","c"]"#),
            ("[a:!b, c]", r#"["a:!b","c"]"#),
            ("[it's!b, c]", r#"["it's!b","c"]"#),
            ("\"[ !b, c\"", r#""[ !b, c""#),
            ("a: '!b, c'\nd: Hello !e, f\n", r#"{"a":"!b, c","d":"Hello !e, f"}"#),
            ("a: |\n  !b, c\n", r#"{"a":"!b, c\n"}"#),
            ("a: '!b, \u{e000}'\n", "{\"a\":\"!b, \u{e000}\"}"),
            ("a: b\\", r#"{"a":"b\\"}"#),
            ("a: |\n  b\\", r#"{"a":"b\\"}"#),
            ("a: |\n  b", r#"{"a":"b"}"#),
            ("a: |+\n  b", r#"{"a":"b"}"#),
            ("a: |-\n  b", r#"{"a":"b"}"#),
            ("a: >\n  b\n  c", r#"{"a":"b c"}"#),
            ("a: |\n  b\n ", r#"{"a":"b\n"}"#),
            ("a: |+\n  b\n  ", r#"{"a":"b\n"}"#),
            ("a: |\n  b\n    ", r#"{"a":"b\n  "}"#),
            ("a: |", r#"{"a":""}"#),
            ("a: |\n  b #\nc: '|'", r#"{"a":"b #\n","c":"|"}"#),
            ("a: '|' # b", r#"{"a":"|"}"#),
            ("a: b|", r#"{"a":"b|"}"#),
            ("a: b # \\", r#"{"a":"b"}"#),
            ("[!!str a, !!str 1]", r#"["a","1"]"#),
        ] {
            assert_eq!(load(text).map(|value| to_json(&value)).unwrap(), expected, "{text}");
        }
    }
}

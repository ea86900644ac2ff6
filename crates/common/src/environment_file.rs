//! `KEY=value` lines in the syntax of systemd's `EnvironmentFile=`: settings, and what the boot program leaves in
//! /run/lifeboat, so that a shell, a unit and the agent can read it.

use crate::text::is_plain;

/// `KEY=value` lines in the order in which they are pushed.
#[derive(Default, Debug)]
pub struct Lines(String);

impl Lines {
    /// Adds a line. A character that is not plain becomes `?`.
    pub fn push(&mut self, key: &str, value: &str) {
        self.0.extend([key, "=", &quote(value), "\n"]);
    }

    /// Adds a line when there is a value for it.
    pub fn push_some(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    /// The file's text.
    pub fn text(self) -> String {
        self.0
    }
}

/// The value of a key in `KEY=value` lines; of several the last counts, as for a shell. Files that were once sourced
/// have `export` before a key, and comments behind a value.
pub fn lookup(text: &str, key: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        line.strip_prefix(key)?.strip_prefix('=')
    })?;
    Some(unquote(value.trim_end()))
}

fn quote(value: &str) -> String {
    let bare = |character: char| character.is_ascii_alphanumeric() || "._/:@%+,=-".contains(character);
    if !value.is_empty() && value.chars().all(bare) {
        return value.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' | '`' | '$' => quoted.extend(['\\', character]),
            // A line is a line: whoever needs the byte itself will not find it in a label or a name.
            _ if is_plain(character) => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

fn unquote(value: &str) -> String {
    match value.chars().next() {
        Some('\'') => {
            value.get(1..).and_then(|rest| rest.split_once('\'')).filter(|(_, rest)| is_comment(rest))
        }
        _ => None,
    }
    .map(|(inner, _)| inner.to_owned())
    .or_else(|| unescape(value.strip_prefix('"')?))
    .unwrap_or_else(|| bare(value).to_owned())
}

/// The text before the closing quote; `None` without one, or where more than a comment is behind it.
fn unescape(quoted: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some(plain).filter(|_| is_comment(characters.as_str())),
            '\\' => plain.push(characters.next()?),
            character => plain.push(character),
        }
    }
}

/// A value without quotes ends where white space and a comment begin.
fn bare(value: &str) -> &str {
    let comment = value.char_indices().find(|(at, character)| {
        *character == '#' && value.get(..*at).is_some_and(|before| before.ends_with([' ', '\t']))
    });
    comment.and_then(|(at, _)| value.get(..at)).unwrap_or(value).trim_end()
}

fn is_comment(rest: &str) -> bool {
    let behind = rest.trim_start();
    behind.is_empty() || behind.len() < rest.len() && behind.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_stand_bare_and_others_are_quoted() {
        let mut lines = Lines::default();
        lines.push("DEVICE", "/dev/vdb1");
        lines.push("LABEL", "a \"b\" $(c) `d` \\e\nf");
        lines.push("EMPTY", "");
        lines.push_some("UUID", None);
        lines.push_some("TYPE", Some("ext4"));
        let expected =
            "DEVICE=/dev/vdb1\nLABEL=\"a \\\"b\\\" \\$(c) \\`d\\` \\\\e?f\"\nEMPTY=\"\"\nTYPE=ext4\n";
        assert_eq!(lines.text(), expected);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in
            ["it's \\ \"$HOME\"", "", " a ", "#a", "a #b", "'", "\"", "\\", "\\\"", "A=b", "export A", "Löwe"]
        {
            let mut lines = Lines::default();
            lines.push("REASON", value);
            let text = lines.text();
            assert_eq!(lookup(&text, "REASON").unwrap(), value);
            assert_eq!(lookup(&text, "REAS"), None);
        }
    }

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

    #[test]
    fn what_was_once_sourced_is_read_as_it_was() {
        assert_eq!(lookup("export A=1\n", "A").unwrap(), "1");
        assert_eq!(lookup("A=1 # why\n", "A").unwrap(), "1");
        assert_eq!(lookup("A=\"b # c\" # why\n", "A").unwrap(), "b # c");
        assert_eq!(lookup("A='b' # why\n", "A").unwrap(), "b");
        assert_eq!(lookup("A= # why\n", "A").unwrap(), "");
    }

    #[test]
    fn what_is_no_comment_stays() {
        assert_eq!(lookup("A=http://x/#sha256=0\n", "A").unwrap(), "http://x/#sha256=0");
        assert_eq!(lookup("A=\"b\"#c\n", "A").unwrap(), "\"b\"#c");
        assert_eq!(lookup("A=\"b\n", "A").unwrap(), "\"b");
        assert_eq!(lookup("exported A=1\n", "A"), None);
    }
}

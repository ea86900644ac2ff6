//! Texts that need not be UTF-8.

use super::python;

/// With `\n` in the place of `\r\n`, if the first line ends so: a shebang with a carriage return names no
/// interpreter.
pub(super) fn with_unix_lines(text: &[u8]) -> Vec<u8> {
    let first = text.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    if !first.ends_with(b"\r\n") {
        return text.to_vec();
    }
    let mut unix = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                unix.extend(line);
                unix.push(b'\n');
            }
            None => unix.extend(line),
        }
    }
    unix
}

/// Without the white space that it begins with.
pub(super) fn trim_start(text: &[u8]) -> &[u8] {
    let valid = text.utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default();
    let blanks = valid.len() - valid.trim_start_matches(python::is_space).len();
    text.get(blanks..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_lines_are_told_by_the_first() {
        assert_eq!(with_unix_lines(b"#!/bin/sh\r\necho \xff\r\n\r"), b"#!/bin/sh\necho \xff\n\r");
        assert_eq!(with_unix_lines(b"#!/bin/sh\necho a\r\n"), b"#!/bin/sh\necho a\r\n");
        assert_eq!(with_unix_lines(b""), b"");
    }

    #[test]
    fn blanks_go_and_other_bytes_stay() {
        assert_eq!(trim_start("\n \u{2003}a ".as_bytes()), b"a ");
        assert_eq!(trim_start(b" \xff "), b"\xff ");
        assert_eq!(trim_start(b" "), b"");
    }
}

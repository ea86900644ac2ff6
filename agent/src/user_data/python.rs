//! Python's white space and line ends, which are more than one would think.

/// True if `str.isspace()` says so.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `str.strip()`
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `str.splitlines()`
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match rest.char_indices().find(|(_, character)| ends_line(*character)) {
            Some((at, end)) => {
                let (line, after) = rest.split_at_checked(at)?;
                let after = if end == '\r' { after.strip_prefix("\r\n") } else { None }
                    .or_else(|| after.strip_prefix(end));
                (line, after.unwrap_or_default())
            }
            None => (rest, ""),
        };
        rest = after;
        Some(line)
    })
}

/// `int()` of a text
pub(super) fn integer(text: &str) -> Option<i128> {
    let text = strip(text);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed = digits.starts_with(|first: char| first.is_ascii_digit())
        && !digits.ends_with('_')
        && !digits.contains("__")
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if well_formed { text.replace('_', "").parse().ok() } else { None }
}

fn ends_line(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        let all: Vec<_> = lines("a\r\nb\rc\n\nd\u{85}e\u{2028}f\u{b}g").collect();
        assert_eq!(all, ["a", "b", "c", "", "d", "e", "f", "g"]);
        assert_eq!(lines("a\n").count(), 1);
        assert_eq!(lines("").count(), 0);
    }

    #[test]
    fn numbers_are_pythons_and_words_are_none() {
        for (text, number) in [("1", 1), (" +1_0\n", 10), ("-2", -2), ("007", 7)] {
            assert_eq!(integer(text), Some(number), "{text:?}");
        }
        for text in ["", "_1", "1_", "1__0", "1.0", "0x1", "- 1", "+-1", "one"] {
            assert_eq!(integer(text), None, "{text:?}");
        }
    }
}

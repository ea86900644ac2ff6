//! YAML that `PyYAML` takes and libyaml refuses, written in a way that libyaml takes too.

use super::error::{Error, TextPlace};
use std::borrow::Cow;

/// libyaml's words for a block whose first line begins with a tab, behind blanks or not.
const TAB: &str = "found a tab character where an indentation space is expected";

/// libyaml's words for a colon in brackets behind which a bracket or a comma stands.
const COLON: &str = "found unexpected ':'";

/// libyaml's words for what stands where a list or a mapping on one line goes on or ends.
const ENTRY: [&str; 2] = ["did not find expected ',' or ']'", "did not find expected ',' or '}'"];

/// Writes the place of an error in another way.
type Rewrite = fn(&str, TextPlace) -> Option<String>;

/// The refusals, and the way each place is written instead.
const OTHERWISE: &[(&str, Rewrite)] = {
    let [list, mapping] = ENTRY;
    &[(TAB, with_indentation), (COLON, with_blank), (list, with_blank_before), (mapping, with_blank_before)]
};

/// The most bytes that may be read again for such places.
const MOST_AGAIN: usize = 8 * 1024 * 1024;

/// Reads a text with `read`, and where that stumbles over what can be written in another way, reads that.
pub(super) fn reading<T>(text: &str, read: impl Fn(&str) -> Result<T, Error>) -> Result<T, Error> {
    let mut text = without_directives(text)?;
    let mut left = MOST_AGAIN;
    loop {
        let error = match read(&text) {
            Err(error) => error,
            other => return other,
        };
        left = left.saturating_sub(text.len());
        let way = OTHERWISE.iter().find(|(words, _)| error.is_about(words)).map(|(_, way)| way);
        match way.zip(error.at()).and_then(|(way, place)| way(&text, place)) {
            Some(other) if left > 0 => text = Cow::Owned(other),
            _ => return Err(error),
        }
    }
}

/// A line `%NAME` that no version of YAML knows is passed over, and so is a version of the future.
fn without_directives(text: &str) -> Result<Cow<'_, str>, Error> {
    let mut changed: Option<String> = None;
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        let directive = line.starts_with('%');
        let known = match words.as_slice() {
            [] => true,
            ["%TAG", ..] | ["%YAML", "1.1" | "1.2"] => directive,
            // Another major version is for libyaml to refuse.
            ["%YAML", version] => directive && !version.starts_with("1."),
            [first, ..] => first.starts_with('#'),
        };
        if directive && !known {
            changed.get_or_insert_with(|| text.to_owned()).replace_range(start..=start, "#");
        } else if !known {
            if changed.is_some() && !line.starts_with("---") {
                let place = TextPlace { line: number, column: 0 };
                return Err(Error::new(
                    place,
                    "`---` has to follow a directive (a line that begins with `%`)",
                ));
            }
            break;
        }
        start += line.len();
    }
    Ok(changed.map_or(Cow::Borrowed(text), Cow::Owned))
}

/// Puts a blank behind the colon.
fn with_blank(text: &str, place: TextPlace) -> Option<String> {
    let line = text.split('\n').nth(place.line)?;
    let (column, _) = line.char_indices().nth(place.column)?;
    line.get(column..)?.strip_prefix(':')?.starts_with([',', '[', ']', '{', '}']).then_some(())?;
    let before: usize = text.split('\n').take(place.line).map(|line| line.len() + 1).sum();
    let mut changed = text.to_owned();
    changed.insert(before + column + 1, ' ');
    Some(changed)
}

/// Puts a blank before a comma behind a text in quotes, such as `'!'`. `mask` may take that text for a tag.
fn with_blank_before(text: &str, place: TextPlace) -> Option<String> {
    let line = text.split('\n').nth(place.line)?;
    let (column, _) = line.char_indices().nth(place.column)?;
    let (quoted, rest) = line.split_at_checked(column)?;
    (quoted.ends_with(['"', '\'']) && rest.starts_with(',')).then_some(())?;
    let before: usize = text.split('\n').take(place.line).map(|line| line.len() + 1).sum();
    let mut changed = text.to_owned();
    changed.insert(before + column, ' ');
    Some(changed)
}

/// Tells the block, by a number behind its `|` or `>`, the indentation that the place of the tab shows.
fn with_indentation(text: &str, place: TextPlace) -> Option<String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let number = (0..place.line)
        .rev()
        .find(|number| lines.get(*number).is_some_and(|line| !line.trim().is_empty()))?;
    let line = lines.get(number)?;
    let mark = header(line)?;
    let parent = parent_column(line.get(..mark)?);
    let indentation = place.column.checked_sub(parent).filter(|columns| (1..=9).contains(columns))?;
    let before: usize = lines.iter().take(number).map(|line| line.len() + 1).sum();
    let mut changed = text.to_owned();
    changed.insert_str(before + mark + 1, &indentation.to_string());
    Some(changed)
}

/// Where the `|` or `>` is that ends a line but for `-`, `+` and a comment.
fn header(line: &str) -> Option<usize> {
    let code = line.split_once(" #").map_or(line, |(code, _)| code).trim_end();
    let code = code.strip_suffix(['-', '+']).unwrap_or(code);
    code.ends_with(['|', '>']).then(|| code.len() - 1)
}

/// The column of what holds the block: of its key, of its dash, or 0 where it is the whole document.
fn parent_column(before: &str) -> usize {
    let mut column = 0;
    let mut rest = before;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        let here = column + rest.chars().count() - trimmed.chars().count();
        let Some(after) = ["- ", "? ", ": "].iter().find_map(|mark| trimmed.strip_prefix(mark)) else {
            return if trimmed.starts_with("---") || trimmed.is_empty() { 0 } else { here };
        };
        let held = after.trim_start();
        // Tags and anchors belong to the block itself.
        if held.is_empty() || (held.starts_with(['!', '&']) && !held.contains(": ")) {
            return here;
        }
        column = here + 2;
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{load, to_json};

    fn check(text: &str, expected: &str) {
        match load(text) {
            Ok(value) => assert_eq!(to_json(&value), expected, "{text:?}"),
            Err(error) => panic!("{text:?}: {error}"),
        }
    }

    #[test]
    fn a_block_may_begin_with_a_tab() {
        check("a: |\n  \tb\n  c\n", r#"{"a":"\tb\nc\n"}"#);
        check("a: >-\n\n  \tb\n  c\n  d\n", r#"{"a":"\n\tb\nc d"}"#);
        check("- |\n \tb\n- - > # x\n   \tc\n", r#"["\tb\n",["\tc\n"]]"#);
        check("a:\n  b: !!str |+\n    \tc\n\n", r#"{"a":{"b":"\tc\n\n"}}"#);
        check("a:\n- b: |\n    \tc\n  d: |\n    \te\n", r#"{"a":[{"b":"\tc\n","d":"\te\n"}]}"#);
        check("--- |\n \tb\n", r#""\tb\n""#);
        check("- &x |\n  \tb\n- ? k\n  : |\n    \tc\n", r#"["\tb\n",{"k":"\tc\n"}]"#);
    }

    /// libyaml itself takes them.
    #[test]
    fn a_text_in_quotes_may_begin_or_end_with_a_tags_mark() {
        check("{a: '!', b: c}", r#"{"a":"!","b":"c"}"#);
        check("[\"!\", '!b', \"c!\", 'd !', '!', e]", r#"["!","!b","c!","d !","!","e"]"#);
        check("a: {b: '!x','c': [\"!y\",z]}", r#"{"a":{"b":"!x","c":["!y","z"]}}"#);
        check("['it''s !', '!''', b]", r#"["it's !","!'","b"]"#);
        check("[ä, '!ö',\n  '!', b]", r#"["ä","!ö","!","b"]"#);
        for text in ["['a' b, c]", "['!' b, c]", "[!'a', b]"] {
            load(text).unwrap_err();
        }
    }

    #[test]
    fn a_tab_that_indents_is_refused_still() {
        for text in ["a: |\n\tb\n", "a:\n\tb: 1\n", "a: |\n  b\n\tc\n"] {
            let message = load(text).unwrap_err().to_string();
            assert!(message.contains("tab") || message.contains("token"), "{text:?}: {message}");
        }
    }

    #[test]
    fn many_such_blocks_come_to_an_end() {
        let text = "- |\n \tb\n".repeat(20_000);
        load(&text).unwrap_err();
        load(&"- |\n \tb\n".repeat(100)).unwrap();
    }

    #[test]
    fn unknown_directives_are_passed_over() {
        check("%FOO bar\n---\na: 1\n", r#"{"a":1}"#);
        check("# x\n\n%FOO\n%TAG ! tag:yaml.org,2002:\n--- !str 1\n", r#""1""#);
        check("%YAML 1.3\n---\na: 1\n", r#"{"a":1}"#);
        check("a: 1\nb: |\n  %FOO\n", r#"{"a":1,"b":"%FOO\n"}"#);
        for text in ["%FOO bar\na: 1\n", "%YAML 2.0\n---\na: 1\n", "a: 1\n%FOO\n"] {
            load(text).unwrap_err();
        }
    }
}

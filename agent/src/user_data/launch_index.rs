//! Parts for one of several machines that were started together.

use super::kinds::CLOUD_CONFIG;
use super::part::Part;
use super::python;
use crate::yaml::{self, Value};

/// True if a part is for the machine with that index. One that names none is for all.
pub(super) fn is_for(part: &Part, index: i128) -> bool {
    match part.headers.get("Launch-Index") {
        Some(own) => python::integer(own) == Some(index),
        None => in_body(part).is_none_or(|own| own == index),
    }
}

/// The number that a value stands for.
#[expect(clippy::cast_possible_truncation, reason = "as Python's int() does")]
pub(super) fn number(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Bool(on) => Some(i128::from(*on)),
        Value::Float(number) if number.is_finite() => Some(*number as i128),
        Value::Str(text) => python::integer(text),
        _ => None,
    }
}

fn in_body(part: &Part) -> Option<i128> {
    if part.content_type != CLOUD_CONFIG {
        return None;
    }
    let config = yaml::load(std::str::from_utf8(&part.payload).ok()?).ok()?;
    number(config.as_map()?.get("launch-index")?)
}

#[cfg(test)]
mod tests {
    use super::super::part_for_tests;
    use super::*;

    fn part(header: Option<&str>, text: &str) -> Part {
        let headers: Vec<_> = header.map(|value| ("Launch-Index", value)).into_iter().collect();
        part_for_tests("a", &headers, text)
    }

    #[test]
    fn the_header_counts_before_the_body() {
        for (header, body, expected) in [
            (None, "a: 1", true),
            (None, "launch-index: 2", true),
            (None, "launch-index: '2'", true),
            (None, "launch-index: 1", false),
            (None, "launch-index: word", true),
            (None, "a: [", true),
            (Some(" 2 "), "launch-index: 1", true),
            (Some("1"), "launch-index: 2", false),
            (Some("word"), "a: 1", false),
        ] {
            assert_eq!(is_for(&part(header, body), 2), expected, "{header:?} {body}");
        }
        let mut script = part(None, "launch-index: 1");
        script.content_type = "text/x-shellscript".into();
        assert!(is_for(&script, 2));
    }
}

//! The types of untagged plain scalars. The rules are YAML 1.1's as `PyYAML` has them, which differ from the
//! specification's (`y` is a text, `1e3` is a text).

/// The types a scalar can be resolved to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ScalarKind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    /// `<<`
    Merge,
    /// `=`, a type that has no meaning
    Default,
    Str,
}

type Test = fn(&str) -> bool;

/// The kinds, each with the characters that a text of it can begin with, and the test. The first that holds decides.
const RULES: &[(ScalarKind, &[u8], Test)] = &[
    (ScalarKind::Null, b"~nN", |text| ["~", "null", "Null", "NULL"].contains(&text)),
    (ScalarKind::Bool, b"yYnNtTfFoO", |text| BOOLS.contains(&text)),
    (ScalarKind::Float, b"-+.0123456789", is_float),
    (ScalarKind::Int, b"-+0123456789", is_int),
    (ScalarKind::Timestamp, b"0123456789", super::timestamp::looks_like_one),
    (ScalarKind::Merge, b"<", |text| text == "<<"),
    (ScalarKind::Default, b"=", |text| text == "="),
];

const BOOLS: [&str; 18] = [
    "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE", "on", "On",
    "ON", "off", "Off", "OFF",
];

/// The type of a plain scalar.
pub(super) fn resolve(text: &str) -> ScalarKind {
    let Some(first) = text.as_bytes().first() else { return ScalarKind::Null };
    let rule = RULES.iter().find(|(_, firsts, test)| firsts.contains(first) && test(text));
    rule.map_or(ScalarKind::Str, |(kind, _, _)| *kind)
}

fn is_int(text: &str) -> bool {
    let text = unsigned(text);
    let made_of = |digits: &str, good: fn(&u8) -> bool| {
        !digits.is_empty() && digits.bytes().all(|byte| byte == b'_' || good(&byte))
    };
    if text == "0" {
        return true;
    }
    if let Some(digits) = text.strip_prefix("0b") {
        return made_of(digits, |byte| matches!(byte, b'0' | b'1'));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return made_of(digits, u8::is_ascii_hexdigit);
    }
    if let Some(digits) = text.strip_prefix('0') {
        return made_of(digits, |byte| matches!(byte, b'0'..=b'7'));
    }
    let mut groups = text.split(':');
    groups.next().is_some_and(is_number) && groups.all(is_sexagesimal)
}

fn is_float(text: &str) -> bool {
    if [".nan", ".NaN", ".NAN"].contains(&text) {
        return true;
    }
    let body = unsigned(text);
    if [".inf", ".Inf", ".INF"].contains(&body) {
        return true;
    }
    let Some((whole, rest)) = body.split_once('.') else { return false };
    if whole.is_empty() {
        // Without digits before the point there is no sign, and a digit follows it.
        return body.len() == text.len()
            && rest.starts_with(|character: char| character.is_ascii_digit())
            && is_fraction(rest);
    }
    match whole.split_once(':') {
        None => is_number(whole) && is_fraction(rest),
        Some((first, others)) => {
            is_number(first) && others.split(':').all(is_sexagesimal) && rest.bytes().all(is_digit)
        }
    }
}

/// Digits, and perhaps an exponent, whose sign is not optional.
fn is_fraction(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return text.bytes().all(is_digit) };
    let power = exponent.strip_prefix(['+', '-']).unwrap_or_default();
    digits.bytes().all(is_digit) && !power.is_empty() && power.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_digit()) && text.bytes().all(is_digit)
}

/// 0 to 59, in one or two digits.
fn is_sexagesimal(text: &str) -> bool {
    match text.as_bytes() {
        [ones] => ones.is_ascii_digit(),
        [tens, ones] => (b'0'..=b'5').contains(tens) && ones.is_ascii_digit(),
        _ => false,
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ScalarKind, texts: &[&str]) {
        for text in texts {
            assert_eq!(resolve(text), kind, "{text:?}");
        }
    }

    #[test]
    fn each_kind_has_its_spellings() {
        check(
            ScalarKind::Int,
            &["0", "-0", "+12", "007", "0_7", "0b1_0", "-0x_F", "1_000", "1:30", "190:20:30", "0_"],
        );
        check(ScalarKind::Float, &["1.", "1.5e+3", ".5", "0.1_2", "1:30.5", "-.inf", ".NaN", "0:1.", "09.5"]);
        check(ScalarKind::Bool, &["yes", "ON", "False"]);
        check(ScalarKind::Null, &["", "~", "null", "NULL"]);
        check(ScalarKind::Timestamp, &["2001-01-01", "2001-1-1 1:02:03", "2001-12-14t21:59:43.10-05:00"]);
    }

    #[test]
    fn what_only_looks_alike_is_a_text() {
        check(
            ScalarKind::Str,
            &[
                "y",
                "n",
                "yES",
                "nULL",
                "1e3",
                "1.5e3",
                "0o17",
                "089",
                "0B1",
                "0b12",
                "0X1",
                "-",
                "+",
                "1:60",
                "1:",
                "01:30",
                "_1",
                "-.5",
                ".",
                "._1",
                "-.nan",
                ".iNF",
                "1.2.3",
                "2001-1-1",
                "٣",
                "1,000",
                "2001-01-01x",
                "--1",
            ],
        );
    }
}

//! Parameters of a header, with the continuations and character sets of RFC 2231.

use super::super::python::strip;
use std::fmt::Write as _;

/// More than anybody writes are passed over.
const MOST: usize = 1000;

/// A parameter's value; the first one counts.
pub(super) fn parameter(header: &str, name: &str) -> Option<String> {
    let mut pieces = split(header).into_iter();
    // The value itself has the place of the first.
    let first = pieces.next()?;
    if let Some((own, value)) = first.split_once('=')
        && strip(own).eq_ignore_ascii_case(name)
    {
        return Some(unquoted(&unquoted(strip(value))));
    }
    let mut continued = Vec::new();
    for piece in pieces {
        let (own, value) = piece.split_once('=').unwrap_or((&piece, ""));
        let (own, value) = (strip(own), unquoted(strip(value)));
        match continuation(own) {
            Some((own, number)) if own.eq_ignore_ascii_case(name) => {
                continued.push(Piece { number, value, encoded: own_is_encoded(&piece) });
            }
            None if own.eq_ignore_ascii_case(name) => return Some(unquoted(&value)),
            Some(_) | None => {}
        }
    }
    if continued.is_empty() { None } else { Some(joined(continued)) }
}

/// A parameter as it is written: between quotation marks, or encoded where it is more than printed ASCII.
pub(super) fn written(name: &str, value: &str) -> String {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let mut text = format!("{name}*=utf-8''");
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
    }
    text
}

/// A numbered piece of a value.
struct Piece {
    number: Option<u64>,
    value: String,
    encoded: bool,
}

/// Cuts at each `;` that is not between quotation marks.
fn split(header: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut before) = (false, ' ');
    for character in header.chars() {
        if pieces.len() > MOST {
            break;
        }
        let Some(piece) = pieces.last_mut() else { break };
        if character == ';' && (!quoted || piece.is_empty()) {
            pieces.push(String::new());
            (quoted, before) = (false, ' ');
            continue;
        }
        if character == '"' && before != '\\' {
            quoted = !quoted;
        }
        piece.push(character);
        before = character;
    }
    pieces
}

fn own_is_encoded(piece: &str) -> bool {
    piece.split_once('=').is_some_and(|(own, _)| strip(own).ends_with('*'))
}

/// `name*`, `name*0` or `name*0*` -> the name and the number.
fn continuation(name: &str) -> Option<(&str, Option<u64>)> {
    let (own, number) = name.split_once('*')?;
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if own.is_empty() || !own.chars().all(is_word) {
        return None;
    }
    if number.is_empty() {
        return Some((own, None));
    }
    let digits = number.strip_suffix('*').unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((own, digits.parse().ok()))
}

fn joined(mut pieces: Vec<Piece>) -> String {
    if pieces.iter().any(|piece| piece.number == Some(0)) {
        pieces.retain(|piece| piece.number.is_some());
    }
    pieces.sort_by_key(|piece| piece.number.unwrap_or(0));
    let extended = pieces.iter().any(|piece| piece.encoded);
    let mut bytes = Vec::new();
    for piece in pieces {
        if piece.encoded {
            unescape(&piece.value, &mut bytes);
        } else {
            bytes.extend(piece.value.into_bytes());
        }
    }
    if !extended {
        return unquoted(&String::from_utf8_lossy(&bytes));
    }
    let mut fields = bytes.splitn(3, |byte| *byte == b'\'');
    match (fields.next(), fields.next(), fields.next()) {
        (Some(charset), Some(_), Some(text)) => {
            decoded(&String::from_utf8_lossy(charset).to_lowercase(), text)
        }
        _ => decoded("us-ascii", &bytes),
    }
}

fn decoded(charset: &str, bytes: &[u8]) -> String {
    match charset.replace('_', "-").as_str() {
        "iso-8859-1" | "iso8859-1" | "latin-1" | "latin1" | "l1" | "8859" | "cp819" => {
            bytes.iter().copied().map(char::from).collect()
        }
        "us-ascii" | "ascii" | "646" => {
            bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' }).collect()
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// `%41` -> `A`
fn unescape(text: &str, bytes: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            bytes.extend(u8::try_from(high * 16 + low));
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
}

/// Without the quotation marks or angle brackets around it.
fn unquoted(text: &str) -> String {
    if let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return inner.replace("\\\\", "\\").replace("\\\"", "\"");
    }
    match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
        Some(inner) => inner.to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Option<&str>) {
        assert_eq!(parameter(header, "filename").as_deref(), expected, "{header}");
    }

    #[test]
    fn a_value_is_quoted_or_not() {
        check("attachment; filename=a.sh", Some("a.sh"));
        check("ATTACHMENT; FILENAME = \"a b.sh\" ; x=y", Some("a b.sh"));
        check(r#"attachment; filename="a;b\"c\\""#, Some(r#"a;b"c\"#));
        check("attachment; filename=<a>", Some("a"));
        check("attachment; filename=", Some(""));
        check("attachment; filename", Some(""));
        check("filename=first", Some("first"));
        check("attachment; name=a", None);
        check("", None);
    }

    #[test]
    fn rfc_2231_is_read_and_rfc_2047_is_not() {
        check("a; filename*=utf-8''caf%C3%A9", Some("café"));
        check("a; filename*=iso-8859-1'fr'caf%E9", Some("café"));
        check("a; filename*1=two; filename*0=\"one \"", Some("one two"));
        check("a; filename*0*=utf-8''%41; filename*1=B; filename*2*=%43", Some("ABC"));
        check("a; filename*=plain", Some("plain"));
        check("a; filename*x=y", None);
        check("a; filename=\"=?utf-8?q?a?=\"", Some("=?utf-8?q?a?="));
    }

    #[test]
    fn an_open_quotation_reaches_to_the_end() {
        check("a; filename=\"b; c=d", Some("\"b; c=d"));
    }
}

//! Texts inside HTML, URLs and JSON.

use super::show;
use super::value::Value;
use std::fmt::Write as _;

pub(super) fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

/// Without what stands between `<` and `>`, and with single blanks.
pub(super) fn without_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        let end = if tag.starts_with("!--") { "-->" } else { ">" };
        let Some((_, after)) = tag.split_once(end) else { break };
        out.push_str(before);
        rest = after;
    }
    out.push_str(rest);
    let words: Vec<&str> = out.split_whitespace().collect();
    let text = words.join(" ");
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#39;", "'")
        .replace("&#34;", "\"")
        .replace("&amp;", "&")
}

/// With `%` escapes for all but letters, digits, `_.-~` and what is safe.
pub(super) fn url(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let character = char::from(byte);
        if byte.is_ascii_alphanumeric()
            || "_.-~".contains(character)
            || (byte.is_ascii() && safe.contains(character))
        {
            out.push(character);
        } else {
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

/// JSON with sorted keys, which does no harm inside HTML.
pub(super) fn json(value: &Value, indent: Option<usize>) -> Result<String, String> {
    let mut out = String::new();
    write_json(&mut out, value, indent, 0)?;
    Ok(out.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027"))
}

fn write_json(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) -> Result<(), String> {
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&match show::float(*number).as_str() {
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            "nan" => "NaN".to_owned(),
            finite => finite.to_owned(),
        }),
        Value::Str(text) if text.len() > super::MOST_BYTES / 6 => {
            return Err("a text that may come to more than 10 MiB with its escapes".into());
        }
        Value::Str(text) => quote(out, text),
        Value::List(items) | Value::Tuple(items) => {
            let items = items.items.borrow();
            series(out, ['[', ']'], items.iter(), indent, depth, |out, item| {
                write_json(out, item, indent, depth + 1)
            })?;
        }
        Value::Dict(dict) => {
            let pairs = dict.pairs.borrow();
            let mut sorted: Vec<(String, &Value)> = pairs
                .iter()
                .map(|(key, value)| {
                    let key = match Value::from(key) {
                        Value::None => "null".into(),
                        Value::Bool(on) => on.to_string(),
                        key => key.text(),
                    };
                    (key, value)
                })
                .collect();
            sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
            series(out, ['{', '}'], sorted.iter(), indent, depth, |out, (key, value)| {
                quote(out, key);
                out.push_str(": ");
                write_json(out, value, indent, depth + 1)
            })?;
        }
        other => return Err(format!("{} has no form in JSON", other.type_name())),
    }
    Ok(())
}

fn series<T>(
    out: &mut String,
    [begin, end]: [char; 2],
    items: impl ExactSizeIterator<Item = T>,
    indent: Option<usize>,
    depth: usize,
    mut write: impl FnMut(&mut String, T) -> Result<(), String>,
) -> Result<(), String> {
    let empty = items.len() == 0;
    let line = |depth: usize| indent.map(|width| format!("\n{}", " ".repeat(width * depth)));
    out.push(begin);
    for (index, item) in items.enumerate() {
        match (line(depth + 1), index) {
            (Some(line), 0) => out.push_str(&line),
            (Some(line), _) => out.extend([",", &line]),
            (None, 0) => {}
            (None, _) => out.push_str(", "),
        }
        write(out, item)?;
    }
    if let (Some(line), false) = (line(depth), empty) {
        out.push_str(&line);
    }
    out.push(end);
    Ok(())
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap_or_default();
                }
            }
        }
    }
    out.push('"');
}

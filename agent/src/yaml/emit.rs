//! Values -> YAML (which reads back as the same values under `PyYAML`) and JSON.

use super::resolve::{ScalarKind, resolve};
use super::{Mapping, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest key that stands before its colon; the format's own limit is 1,024.
const LONGEST_SIMPLE_KEY: usize = 128;

const STEP: usize = 4;

/// The deepest margin. Deeper values are written on one line: each of very many would have its margin.
const DEEPEST_MARGIN: usize = 10 * STEP;

/// A document in block style with sorted keys, without `---`.
pub(crate) fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Map(mapping) if !mapping.is_empty() => pairs(&mut out, mapping, 0),
        Value::Seq(items) if !items.is_empty() => list(&mut out, items, 0),
        Value::Set(items) => set(&mut out, items, 0),
        flat => {
            out.push_str(&inline(flat));
            out.push('\n');
        }
    }
    out
}

/// One line of JSON. A value that JSON has no form for becomes a text.
pub(crate) fn to_json(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(on) => on.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => format!("{number:?}"),
        Value::Float(number) => quoted(&number.to_string()),
        Value::Str(text) | Value::Time(text) => quoted(text),
        Value::Binary(bytes) => quoted(&String::from_utf8_lossy(bytes)),
        Value::Seq(items) | Value::Set(items) => {
            format!("[{}]", items.iter().map(to_json).collect::<Vec<_>>().join(","))
        }
        Value::Map(mapping) => {
            let pairs = mapping.iter().map(|(key, value)| {
                let key = key.scalar_text().unwrap_or_else(|| "null".into());
                format!("{}:{}", quoted(&key), to_json(value))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
    }
}

fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        _ if indent > DEEPEST_MARGIN => {
            out.push(' ');
            flow(out, value);
            out.push('\n');
        }
        Value::Map(mapping) if !mapping.is_empty() => {
            out.push('\n');
            pairs(out, mapping, indent);
        }
        Value::Seq(items) if !items.is_empty() => {
            out.push('\n');
            list(out, items, indent);
        }
        Value::Set(items) => {
            out.push(' ');
            set(out, items, indent);
        }
        flat => {
            out.push(' ');
            out.push_str(&inline(flat));
            out.push('\n');
        }
    }
}

/// On one line, as in JSON.
fn flow(out: &mut String, value: &Value) {
    let (open, close) = match value {
        Value::Map(mapping) if !mapping.is_empty() => ("{", '}'),
        Value::Seq(items) if !items.is_empty() => ("[", ']'),
        Value::Set(items) if !items.is_empty() => ("!!set {", '}'),
        flat => return out.push_str(&inline(flat)),
    };
    out.push_str(open);
    match value {
        Value::Map(mapping) => {
            for (number, (key, value)) in sorted(mapping).into_iter().enumerate() {
                let mark = if key.len() > LONGEST_SIMPLE_KEY { "? " } else { "" };
                out.extend([if number > 0 { ", " } else { "" }, mark, &key, ": "]);
                flow(out, value);
            }
        }
        Value::Seq(items) | Value::Set(items) => {
            let mark = if matches!(value, Value::Set(_)) { "? " } else { "" };
            for (number, item) in items.iter().enumerate() {
                out.extend([if number > 0 { ", " } else { "" }, mark]);
                flow(out, item);
            }
        }
        _ => {}
    }
    out.push(close);
}

fn sorted(mapping: &Mapping) -> Vec<(Cow<'_, str>, &Value)> {
    let mut sorted: Vec<_> = mapping.iter().map(|(key, value)| (inline(key), value)).collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    sorted
}

fn pairs(out: &mut String, mapping: &Mapping, indent: usize) {
    let margin = " ".repeat(indent);
    for (key, value) in sorted(mapping) {
        if key.len() > LONGEST_SIMPLE_KEY {
            push(out, [&margin, "? ", &key, "\n", &margin, ":"]);
        } else {
            push(out, [&margin, &key, ":"]);
        }
        block(out, value, indent + STEP);
    }
}

fn list(out: &mut String, items: &[Value], indent: usize) {
    let margin = " ".repeat(indent);
    for item in items {
        push(out, [&margin, "-"]);
        block(out, item, indent + STEP);
    }
}

fn set(out: &mut String, items: &[Value], indent: usize) {
    let margin = " ".repeat(indent);
    out.push_str(if items.is_empty() { "!!set {}\n" } else { "!!set\n" });
    for item in items {
        push(out, [&margin, "? ", &inline(item), "\n"]);
    }
}

fn push<const N: usize>(out: &mut String, texts: [&str; N]) {
    for text in texts {
        out.push_str(text);
    }
}

fn inline(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Str(text) if is_plain(text) => Cow::Borrowed(text),
        other => Cow::Owned(spelled(other)),
    }
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(on) => on.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => float(*number),
        Value::Str(text) => quoted(text),
        Value::Time(text) => format!("!!timestamp {}", quoted(text)),
        Value::Binary(bytes) => format!("!!binary \"{}\"", crate::codec::to_base64(bytes)),
        Value::Seq(_) => "[]".into(),
        Value::Set(_) => "!!set {}".into(),
        Value::Map(_) => "{}".into(),
    }
}

/// A point and the exponent's sign are what make a float of it in YAML 1.1.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{digits}e{sign}{exponent}")
        }
    }
}

fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/' || first == '_')
        && !text.ends_with(' ')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./ ".contains(&byte))
        && resolve(text) == ScalarKind::Str
}

/// In double quotes, with escapes that both YAML and JSON know.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // YAML takes these for line ends or marks, or refuses them.
            '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{a0}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                // Writing to a String cannot fail.
                write!(out, "\\u{:04x}", u32::from(character)).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

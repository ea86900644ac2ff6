//! Values -> text, as Python's `str()` and `repr()` write it.

use super::MISSING;
use super::value::{Object, Value};
use crate::yaml;
use std::fmt::Write as _;

/// The most levels to which a shown value may be nested.
const DEEPEST: usize = 250;

impl Value {
    /// `str()`
    pub(super) fn text(&self) -> String {
        match self {
            Self::Str(text) => text.to_string(),
            other => other.repr(),
        }
    }

    /// `repr()`
    pub(super) fn repr(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        if depth > DEEPEST {
            return out.push_str("...");
        }
        match self {
            Self::Undefined(undefined) if depth == 0 => {
                out.extend(undefined.name.iter().flat_map(|name| [MISSING, name]));
            }
            Self::Undefined(_) => out.push_str("Undefined"),
            Self::None => out.push_str("None"),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Int(number) => write!(out, "{number}").unwrap_or_default(),
            Self::Float(number) => out.push_str(&float(*number)),
            Self::Str(text) => quote(out, text),
            Self::List(items) => series(out, "[", &items.items.borrow(), "]", depth),
            Self::Tuple(items) => {
                let items = items.items.borrow();
                series(out, "(", &items, if items.len() == 1 { ",)" } else { ")" }, depth);
            }
            Self::Range(start, end, 1) => write!(out, "range({start}, {end})").unwrap_or_default(),
            Self::Range(start, end, step) => write!(out, "range({start}, {end}, {step})").unwrap_or_default(),
            Self::Dict(dict) => pairs(out, &dict.pairs.borrow(), depth),
            Self::Object(object) => match &**object {
                Object::Namespace(names) => {
                    out.push_str("<Namespace ");
                    pairs(out, &names.borrow(), depth);
                    out.push('>');
                }
                Object::Macro(called, _) => write!(out, "<Macro '{}'>", called.name).unwrap_or_default(),
                Object::Loop(state) => {
                    let (place, length) = (state.index.get() + 1, state.items.len());
                    write!(out, "<LoopContext {place}/{length}>").unwrap_or_default();
                }
                Object::Global(name) => write!(out, "<built-in {name}>").unwrap_or_default(),
                Object::Method(_, name) => write!(out, "<method {name}>").unwrap_or_default(),
                Object::Cycler(..) => out.push_str("<Cycler>"),
                Object::Joiner(..) => out.push_str("<Joiner>"),
            },
        }
    }
}

fn series(out: &mut String, begin: &str, items: &[Value], end: &str, depth: usize) {
    out.push_str(begin);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        item.write(out, depth + 1);
    }
    out.push_str(end);
}

fn pairs(out: &mut String, pairs: &yaml::Table<Value>, depth: usize) {
    out.push('{');
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        Value::from(key).write(out, depth + 1);
        out.push_str(": ");
        value.write(out, depth + 1);
    }
    out.push('}');
}

/// In the quotes that Python chooses, with its escapes.
fn quote(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => out.extend(['\\', quote]),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' => {
                write!(out, "\\x{:02x}", u32::from(character)).unwrap_or_default();
            }
            '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{feff}' => {
                write!(out, "\\u{:04x}", u32::from(character)).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
    out.push(quote);
}

/// The shortest digits that are read back as the same number, laid out as Python does.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", power.abs());
    }
    let plain = number.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

//! Methods of texts.

use super::super::call::Given;
use super::super::value::Value;
use super::super::{Failure, Machine, percent};
use super::Method;

type Called = Result<Value, Failure>;

const ALL: &[(&str, Method<std::rc::Rc<str>>)] = &[
    ("upper", |_, text, _| Ok(Value::str(text.to_uppercase()))),
    ("lower", |_, text, _| Ok(Value::str(text.to_lowercase()))),
    ("casefold", |_, text, _| Ok(Value::str(text.to_lowercase()))),
    ("capitalize", |_, text, _| Ok(Value::str(capitalize(text)))),
    ("title", |_, text, _| Ok(Value::str(title(text)))),
    ("swapcase", |_, text, _| {
        let swapped = |character: char| -> String {
            if character.is_uppercase() {
                character.to_lowercase().collect()
            } else {
                character.to_uppercase().collect()
            }
        };
        Ok(Value::str(text.chars().map(swapped).collect::<String>()))
    }),
    ("strip", |_, text, given| Ok(Value::str(strip(text, characters(given)?.as_deref())))),
    ("lstrip", |_, text, given| {
        let strips = of(characters(given)?);
        Ok(Value::str(text.trim_start_matches(strips)))
    }),
    ("rstrip", |_, text, given| {
        let strips = of(characters(given)?);
        Ok(Value::str(text.trim_end_matches(strips)))
    }),
    ("split", |machine, text, given| split(machine, text, given, false)),
    ("rsplit", |machine, text, given| split(machine, text, given, true)),
    ("splitlines", |machine, text, given| {
        let ends = given.is_on(0, "keepends");
        let lines = text
            .split_inclusive('\n')
            .map(|line| if ends { line } else { line.trim_end_matches(['\n', '\r']) });
        machine.list(lines.map(Value::str).collect())
    }),
    ("partition", |_, text, given| {
        let between = needed(given, 0)?;
        let (before, after, found) = text
            .split_once(&*between)
            .map_or((&**text, "", ""), |(before, after)| (before, after, &*between));
        Ok(Value::tuple([before, found, after].map(Value::str).to_vec()))
    }),
    ("rpartition", |_, text, given| {
        let between = needed(given, 0)?;
        let (before, after, found) = text
            .rsplit_once(&*between)
            .map_or(("", &**text, ""), |(before, after)| (before, after, &*between));
        Ok(Value::tuple([before, found, after].map(Value::str).to_vec()))
    }),
    ("startswith", |machine, text, given| {
        Ok(Value::Bool(any(machine, given)?.iter().any(|part| text.starts_with(&**part))))
    }),
    ("endswith", |machine, text, given| {
        Ok(Value::Bool(any(machine, given)?.iter().any(|part| text.ends_with(&**part))))
    }),
    ("removeprefix", |_, text, given| Ok(Value::str(text.strip_prefix(&*needed(given, 0)?).unwrap_or(text)))),
    ("removesuffix", |_, text, given| Ok(Value::str(text.strip_suffix(&*needed(given, 0)?).unwrap_or(text)))),
    ("replace", |machine, text, given| {
        let count = match given.positional.get(2) {
            Some(count) => usize::try_from(machine.whole(count)?).ok(),
            None => None,
        };
        replace(machine, text, &needed(given, 0)?, &needed(given, 1)?, count).map(Value::str)
    }),
    ("find", |_, text, given| Ok(Value::Int(place(text, text.find(&*needed(given, 0)?))))),
    ("rfind", |_, text, given| Ok(Value::Int(place(text, text.rfind(&*needed(given, 0)?))))),
    ("index", |_, text, given| match place(text, text.find(&*needed(given, 0)?)) {
        -1 => Err(Failure::new("the text is not in it")),
        found => Ok(Value::Int(found)),
    }),
    ("count", |_, text, given| {
        let part = needed(given, 0)?;
        let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(&*part).count() };
        Ok(Value::Int(i128::try_from(count).unwrap_or_default()))
    }),
    ("join", |machine, text, given| {
        let items = machine.items(given.positional.first().ok_or_else(missing)?)?;
        let mut texts = Vec::new();
        for item in &items {
            match item {
                Value::Str(item) => texts.push(&**item),
                other => {
                    return Err(Failure::new(format!(
                        "only texts are joined, and this is {}",
                        other.type_name()
                    )));
                }
            }
        }
        let between = text.len().saturating_mul(texts.len());
        machine.pay_bytes(texts.iter().map(|text| text.len()).sum::<usize>().saturating_add(between))?;
        Ok(Value::str(texts.join(text)))
    }),
    ("format", |machine, text, given| percent::braces(machine, text, given).map(Value::str)),
    ("zfill", |machine, text, given| {
        let width = width(machine, given)?;
        let (sign, digits) = match text.strip_prefix(['+', '-']) {
            Some(digits) => (text.get(..1).unwrap_or_default(), digits),
            None => ("", &**text),
        };
        let zeros = width.saturating_sub(text.chars().count());
        Ok(Value::str(format!("{sign}{}{digits}", "0".repeat(zeros))))
    }),
    ("ljust", |machine, text, given| {
        let blanks = width(machine, given)?.saturating_sub(text.chars().count());
        Ok(Value::str(format!("{text}{}", fill(given)?.to_string().repeat(blanks))))
    }),
    ("rjust", |machine, text, given| {
        let blanks = width(machine, given)?.saturating_sub(text.chars().count());
        Ok(Value::str(format!("{}{text}", fill(given)?.to_string().repeat(blanks))))
    }),
    ("center", |machine, text, given| Ok(Value::str(center(text, width(machine, given)?, fill(given)?)))),
    ("isdigit", |_, text, _| all(text, |character| character.is_ascii_digit())),
    ("isdecimal", |_, text, _| all(text, |character| character.is_ascii_digit())),
    ("isnumeric", |_, text, _| all(text, char::is_numeric)),
    ("isalpha", |_, text, _| all(text, char::is_alphabetic)),
    ("isalnum", |_, text, _| all(text, char::is_alphanumeric)),
    ("isspace", |_, text, _| all(text, char::is_whitespace)),
    ("istitle", |_, text, _| Ok(Value::Bool(text.chars().any(char::is_alphabetic) && title(text) == **text))),
    ("isidentifier", |_, text, _| {
        let begins = !text.starts_with(char::is_numeric);
        all(text, |character| character == '_' || character.is_alphanumeric())
            .map(|value| if begins { value } else { Value::Bool(false) })
    }),
    ("expandtabs", |machine, text, given| {
        let size = match given.get(0, "tabsize") {
            Some(size) => usize::try_from(machine.whole(size)?).unwrap_or_default(),
            None => 8,
        };
        machine.pay_bytes(text.matches('\t').count().saturating_mul(size))?;
        Ok(Value::str(expand_tabs(text, size)))
    }),
    ("isupper", |_, text, _| Ok(Value::Bool(is_upper(text)))),
    ("islower", |_, text, _| Ok(Value::Bool(is_lower(text)))),
];

pub(super) fn find(name: &str) -> Option<Method<std::rc::Rc<str>>> {
    ALL.iter().find(|(own, _)| *own == name).map(|(_, method)| *method)
}

pub(in super::super) fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
}

pub(in super::super) fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
}

pub(in super::super) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + &characters.as_str().to_lowercase()
}

fn expand_tabs(text: &str, size: usize) -> String {
    let mut out = String::new();
    let mut column = 0_usize;
    for character in text.chars() {
        if character == '\t' {
            let blanks = column.checked_rem(size).map_or(0, |over| size - over);
            out.push_str(&" ".repeat(blanks));
            column += blanks;
        } else {
            out.push(character);
            column = if matches!(character, '\n' | '\r') { 0 } else { column + 1 };
        }
    }
    out
}

fn title(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for character in text.chars() {
        if begins {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        begins = !character.is_alphabetic();
    }
    out
}

/// Without the characters at either end, which are blanks when none are given.
pub(in super::super) fn strip(text: &str, characters: Option<&str>) -> String {
    let strips = of(characters.map(ToOwned::to_owned));
    text.trim_matches(strips).to_owned()
}

pub(in super::super) fn center(text: &str, width: usize, fill: char) -> String {
    let blanks = width.saturating_sub(text.chars().count());
    let left = blanks / 2 + (blanks & width & 1);
    let fill = fill.to_string();
    format!("{}{text}{}", fill.repeat(left), fill.repeat(blanks - left))
}

pub(in super::super) fn replace(
    machine: &Machine,
    text: &str,
    old: &str,
    new: &str,
    count: Option<usize>,
) -> Result<String, Failure> {
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let count = count.unwrap_or(usize::MAX).min(found);
    machine.pay_bytes(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, count))
}

fn split(machine: &Machine, text: &str, given: &Given, from_end: bool) -> Called {
    let most = match given.get(1, "maxsplit") {
        Some(most) => usize::try_from(machine.whole(most)?).ok(),
        None => None,
    };
    let limit = most.map_or(usize::MAX, |most| most.saturating_add(1));
    machine.pay_bytes(text.len())?;
    let parts: Vec<String> = match given.get(0, "sep") {
        None | Some(Value::None) => blank_split(text, limit, from_end),
        Some(Value::Str(between)) if !between.is_empty() => {
            machine.pay_items(text.matches(&**between).count())?;
            let mut parts: Vec<String> = if from_end {
                text.rsplitn(limit, &**between).map(ToOwned::to_owned).collect()
            } else {
                text.splitn(limit, &**between).map(ToOwned::to_owned).collect()
            };
            if from_end {
                parts.reverse();
            }
            parts
        }
        Some(_) => return Err(Failure::new("what stands between the parts has to be a text")),
    };
    machine.list(parts.into_iter().map(Value::str).collect())
}

/// At blanks, of which any number count as one.
fn blank_split(text: &str, limit: usize, from_end: bool) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let split = if parts.len() + 1 >= limit {
            None
        } else if from_end {
            rest.rsplit_once(char::is_whitespace).map(|(rest, part)| (part, rest.trim_end()))
        } else {
            rest.split_once(char::is_whitespace).map(|(part, rest)| (part, rest.trim_start()))
        };
        let (part, next) = split.unwrap_or((rest, ""));
        parts.push(part.to_owned());
        rest = next;
    }
    if from_end {
        parts.reverse();
    }
    parts
}

fn of(characters: Option<String>) -> impl Fn(char) -> bool {
    move |character| match &characters {
        None => character.is_whitespace(),
        Some(characters) => characters.contains(character),
    }
}

fn characters(given: &Given) -> Result<Option<String>, Failure> {
    match given.positional.first() {
        None | Some(Value::None) => Ok(None),
        Some(_) => needed(given, 0).map(Some),
    }
}

fn missing() -> Failure {
    Failure::new("an argument is missing")
}

fn needed(given: &Given, place: usize) -> Result<String, Failure> {
    match given.positional.get(place) {
        Some(Value::Str(text)) => Ok(text.to_string()),
        Some(other) => Err(Failure::new(format!("a text is needed, and this is {}", other.type_name()))),
        None => Err(missing()),
    }
}

/// One text, or several in a tuple.
fn any(machine: &Machine, given: &Given) -> Result<Vec<String>, Failure> {
    match given.positional.first() {
        Some(Value::Tuple(_)) => {
            let parts = machine.items(given.positional.first().unwrap_or(&Value::None))?;
            Ok(parts.iter().map(Value::text).collect())
        }
        _ => Ok(vec![needed(given, 0)?]),
    }
}

fn width(machine: &Machine, given: &Given) -> Result<usize, Failure> {
    let width = machine.whole(given.positional.first().ok_or_else(missing)?)?;
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    machine.pay_bytes(width)?;
    Ok(width)
}

fn fill(given: &Given) -> Result<char, Failure> {
    match given.positional.get(1) {
        None => Ok(' '),
        Some(_) => needed(given, 1)?.chars().next().ok_or_else(missing),
    }
}

/// A place in characters, -1 for none.
fn place(text: &str, bytes: Option<usize>) -> i128 {
    let before = bytes.map(|bytes| text.get(..bytes).unwrap_or_default().chars().count());
    before.and_then(|count| i128::try_from(count).ok()).unwrap_or(-1)
}

#[expect(clippy::unnecessary_wraps, reason = "as the methods have it")]
fn all(text: &str, holds: fn(char) -> bool) -> Called {
    Ok(Value::Bool(!text.is_empty() && text.chars().all(holds)))
}

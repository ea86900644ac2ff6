//! Filters of texts.

use super::super::call::Given;
use super::super::value::Value;
use super::super::{Failure, Machine, escape, methods, percent, round};
use super::{Filtered, Named};

pub(super) const ALL: &[Named] = &[
    ("upper", |machine, value, _| Ok(Value::str(machine.text(value)?.to_uppercase()))),
    ("lower", |machine, value, _| Ok(Value::str(machine.text(value)?.to_lowercase()))),
    ("capitalize", |machine, value, _| Ok(Value::str(methods::capitalize(&machine.text(value)?)))),
    ("title", title),
    ("trim", |machine, value, given| {
        let (text, characters) = (machine.text(value)?, given.text(machine, 0, "chars")?);
        Ok(Value::str(methods::strip(&text, characters.as_deref())))
    }),
    ("replace", replace),
    ("string", |machine, value, _| Ok(Value::str(machine.text(value)?))),
    ("safe", |machine, value, _| Ok(Value::str(machine.text(value)?))),
    ("escape", |machine, value, _| Ok(Value::str(escape::html(&machine.text(value)?)))),
    ("e", |machine, value, _| Ok(Value::str(escape::html(&machine.text(value)?)))),
    ("forceescape", |machine, value, _| Ok(Value::str(escape::html(&machine.text(value)?)))),
    ("striptags", |machine, value, _| Ok(Value::str(escape::without_tags(&machine.text(value)?)))),
    ("format", |machine, value, given| {
        let arguments = if given.named.is_empty() {
            Value::tuple(given.positional.clone())
        } else {
            Value::dict(
                given.named.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect(),
            )
        };
        percent::format(machine, &machine.text(value)?, &arguments).map(Value::str)
    }),
    ("indent", indent),
    ("center", |machine, value, given| {
        let (text, width) = (machine.text(value)?, given.length(machine, 0, "width", 80)?);
        Ok(Value::str(methods::center(&text, width, ' ')))
    }),
    ("wordcount", |machine, value, _| {
        let text = machine.text(value)?;
        let words = text.split(|character: char| !(character.is_alphanumeric() || character == '_'));
        Ok(Value::Int(words.filter(|word| !word.is_empty()).count() as i128))
    }),
    ("truncate", truncate),
    ("wordwrap", wordwrap),
    ("urlencode", urlencode),
    ("filesizeformat", file_size),
];

fn title(machine: &Machine, value: &Value, _: &Given) -> Filtered {
    let mut out = String::new();
    let mut begins = true;
    for character in machine.text(value)?.chars() {
        if begins {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        begins = character.is_whitespace() || "-({[<".contains(character);
    }
    Ok(Value::str(out))
}

fn replace(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let text = machine.text(value)?;
    let (Some(old), Some(new)) = (given.text(machine, 0, "old")?, given.text(machine, 1, "new")?) else {
        return Err(Failure::new("two texts are needed"));
    };
    let count = given.whole(machine, 2, "count")?.and_then(|count| usize::try_from(count).ok());
    methods::replace(machine, &text, &old, &new, count).map(Value::str)
}

fn indent(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let text = machine.text(value)?;
    let margin = match given.get(0, "width") {
        Some(Value::Str(margin)) => margin.to_string(),
        _ => " ".repeat(given.length(machine, 0, "width", 4)?),
    };
    let (first, blank) = (given.is_on(1, "first"), given.is_on(2, "blank"));
    let lines = text.matches('\n').count() + 1;
    machine.pay_bytes(margin.len().saturating_mul(lines).saturating_add(text.len()))?;
    let mut out = String::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&margin);
        }
        out.push_str(line);
    }
    Ok(Value::str(out))
}

fn truncate(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let text = machine.text(value)?;
    let length = given.length(machine, 0, "length", 255)?;
    let end = given.text(machine, 2, "end")?.unwrap_or_else(|| "...".into());
    let leeway = given.length(machine, 3, "leeway", 5)?;
    let count = text.chars().count();
    if count <= length.saturating_add(leeway) {
        return Ok(Value::str(text));
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let kept = if given.is_on(1, "killwords") {
        &kept
    } else {
        kept.rsplit_once(' ').map_or(&*kept, |(kept, _)| kept)
    };
    Ok(Value::str(format!("{kept}{end}")))
}

fn wordwrap(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let text = machine.text(value)?;
    let width = given.length(machine, 0, "width", 79)?.max(1);
    let breaks = given.get(1, "break_long_words").is_none_or(Value::is_true);
    let between = given.text(machine, 2, "wrapstring")?.unwrap_or_else(|| "\n".into());
    // Each word may become a line of its own.
    machine.pay_items(text.len() / 2)?;
    let hyphens = given.get(3, "break_on_hyphens").is_none_or(Value::is_true);
    let mut out: Vec<String> = Vec::new();
    for line in text.lines() {
        let wrapped = round::wrap(line, width, breaks, hyphens);
        machine.pay_items(wrapped.len())?;
        machine.pay_bytes(wrapped.len().saturating_mul(between.len()))?;
        out.push(wrapped.join(&between));
    }
    Ok(Value::str(out.join(&between)))
}

fn urlencode(machine: &Machine, value: &Value, _: &Given) -> Filtered {
    let pairs = match value {
        Value::Dict(_) => super::other::pairs_of(machine, value)?,
        Value::List(_) | Value::Tuple(_) => machine.items(value)?,
        _ => return Ok(Value::str(escape::url(&machine.text(value)?, "/"))),
    };
    let mut texts = Vec::new();
    for pair in pairs {
        let [key, value] = &*machine.items(&pair)? else {
            return Err(Failure::new("pairs of a name and a value are needed"));
        };
        let part = |value: &Value| -> Result<String, Failure> {
            Ok(escape::url(&machine.text(value)?, " ").replace(' ', "+"))
        };
        texts.push(format!("{}={}", part(key)?, part(value)?));
    }
    Ok(Value::str(texts.join("&")))
}

fn file_size(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let bytes = match value {
        Value::Str(text) => text.trim().parse().ok(),
        other => other.as_float(),
    };
    let bytes: f64 = bytes.ok_or_else(|| Failure::new("a number is needed"))?;
    let binary = given.is_on(0, "binary");
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    machine.pay(1)?;
    if (bytes - 1.0).abs() < f64::EPSILON {
        return Ok(Value::str("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::str(format!("{} Bytes", bytes.trunc())));
    }
    let mut unit = base;
    let letters = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    let mut letter = "k";
    for next in letters {
        letter = next;
        unit *= base;
        if bytes < unit {
            break;
        }
    }
    let shown = base * bytes / unit;
    Ok(Value::str(if binary {
        format!("{shown:.1} {}iB", letter.to_uppercase())
    } else {
        format!("{shown:.1} {letter}B")
    }))
}

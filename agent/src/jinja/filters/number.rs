//! Filters of numbers.

use super::super::call::Given;
use super::super::value::Value;
use super::super::{Failure, Machine, round};
use super::{Filtered, Named};

pub(super) const ALL: &[Named] = &[
    ("int", int),
    ("float", |machine, value, given| {
        let default = || Ok(given.get(0, "default").cloned().unwrap_or(Value::Float(0.0)));
        match value {
            Value::Str(text) => {
                round::parse_float(text).map_or_else(default, |number| Ok(Value::Float(number)))
            }
            Value::Undefined(_) => machine.number(value),
            other => other.as_float().map_or_else(default, |number| Ok(Value::Float(number))),
        }
    }),
    ("abs", |machine, value, _| match machine.number(value)? {
        Value::Int(number) => Ok(Value::Int(number.saturating_abs())),
        Value::Float(number) => Ok(Value::Float(number.abs())),
        other => Ok(other),
    }),
    ("round", round_filter),
    ("sum", |machine, value, given| {
        let start = given.get(1, "start").cloned().unwrap_or(Value::Int(0));
        let attribute = given.get(0, "attribute");
        machine.items(value)?.iter().try_fold(start, |sum, item| {
            let item = match attribute {
                Some(attribute) if !matches!(attribute, Value::None) => {
                    machine.attribute_path(item, attribute)?
                }
                _ => item.clone(),
            };
            machine.binary(super::super::ast::Operator::Add, &sum, &item)
        })
    }),
    ("min", |machine, value, given| extreme(machine, value, given, std::cmp::Ordering::Less)),
    ("max", |machine, value, given| extreme(machine, value, given, std::cmp::Ordering::Greater)),
];

fn int(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let default = given.get(0, "default").cloned().unwrap_or(Value::Int(0));
    let base = given.whole(machine, 1, "base")?.unwrap_or(10);
    Ok(match value {
        Value::Undefined(_) => return machine.number(value),
        Value::Str(text) => {
            let whole = round::parse_int(text, u32::try_from(base).unwrap_or_default());
            let cut = || round::parse_float(text).and_then(round::to_int);
            whole.or_else(cut).map_or(default, Value::Int)
        }
        Value::Float(number) => round::to_int(*number).map_or(default, Value::Int),
        other => other.as_int().map_or(default, Value::Int),
    })
}

fn round_filter(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let precision = given.whole(machine, 0, "precision")?.unwrap_or(0);
    let precision = i32::try_from(precision.clamp(-300, 300)).unwrap_or_default();
    let method = given.text(machine, 1, "method")?.unwrap_or_else(|| "common".into());
    let number = machine.number(value)?;
    match (method.as_str(), &number) {
        ("common", Value::Float(number)) => Ok(Value::Float(round::round(*number, precision))),
        ("common", _) if precision >= 0 => Ok(number),
        ("common", _) => {
            let rounded = round::round(number.as_float().unwrap_or_default(), precision);
            Ok(round::to_int(rounded).map_or(number, Value::Int))
        }
        ("ceil" | "floor", _) => {
            let factor = 10_f64.powi(precision);
            let large = number.as_float().unwrap_or_default() * factor;
            let whole = if method == "ceil" { large.ceil() } else { large.floor() };
            Ok(Value::Float(whole / factor))
        }
        _ => Err(Failure::new("the method is one of common, ceil and floor")),
    }
}

fn extreme(machine: &Machine, value: &Value, given: &Given, wanted: std::cmp::Ordering) -> Filtered {
    let case = given.is_on(0, "case_sensitive");
    let attribute = given.get(1, "attribute");
    let mut best: Option<(Value, Value)> = None;
    for item in machine.items(value)? {
        let key = machine.sort_key(&item, attribute, case)?;
        let better = match &best {
            None => true,
            Some((_, known)) => machine.order(&key, known)? == Some(wanted),
        };
        if better {
            best = Some((item, key));
        }
    }
    Ok(best.map_or_else(
        || Value::undefined("None", "there is no smallest or largest item of nothing"),
        |(item, _)| item,
    ))
}

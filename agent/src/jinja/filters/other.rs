//! Filters of mappings and of anything.

use super::super::call::Given;
use super::super::value::Value;
use super::super::{Failure, Machine, escape, methods};
use super::{Filtered, Named, list};

pub(super) const ALL: &[Named] = &[
    ("default", default),
    ("d", default),
    ("items", |machine, value, _| match value {
        Value::Undefined(_) => machine.list(Vec::new()),
        _ => machine.list(pairs_of(machine, value)?),
    }),
    ("dictsort", |machine, value, given| {
        let (case, reverse) = (given.is_on(0, "case_sensitive"), given.is_on(2, "reverse"));
        let by = match given.text(machine, 1, "by")?.as_deref() {
            None | Some("key") => 0,
            Some("value") => 1,
            _ => return Err(Failure::new("it is sorted by `key` or by `value`")),
        };
        let pairs = pairs_of(machine, value)?;
        machine.list(list::sorted(machine, pairs, Some(&Value::Int(by)), case, reverse)?)
    }),
    ("attr", |machine, value, given| {
        let name = given.text(machine, 0, "name")?.unwrap_or_default();
        if let Value::Undefined(_) = value {
            return machine.attribute(value, &name);
        }
        let missing = || Value::undefined(&name, format!("there is no attribute `{name}`"));
        Ok(methods::attribute(value, &name).unwrap_or_else(missing))
    }),
    ("tojson", |machine, value, given| {
        machine.pay_shown(value, 0)?;
        let indent = given
            .whole(machine, 0, "indent")?
            .map(|width| usize::try_from(width.clamp(0, 64)).unwrap_or_default());
        escape::json(value, indent).map(Value::str).map_err(Failure::new)
    }),
    ("pprint", |machine, value, _| {
        machine.pay_shown(value, 0)?;
        Ok(Value::str(value.repr()))
    }),
    ("xmlattr", |machine, value, given| {
        let mut out = String::new();
        for pair in pairs_of(machine, value)? {
            let [key, value] = &*machine.items(&pair)? else { continue };
            if !matches!(value, Value::None | Value::Undefined(_)) {
                if !out.is_empty() {
                    out.push(' ');
                }
                let (key, value) = (escape::html(&machine.text(key)?), escape::html(&machine.text(value)?));
                out.extend([key.as_str(), "=\"", &value, "\""]);
            }
        }
        let space = given.get(0, "autospace").is_none_or(Value::is_true) && !out.is_empty();
        Ok(Value::str(if space { format!(" {out}") } else { out }))
    }),
];

fn default(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    machine.pay(1)?;
    let missing = matches!(value, Value::Undefined(_)) || (given.is_on(1, "boolean") && !value.is_true());
    if missing {
        return Ok(given.get(0, "default_value").cloned().unwrap_or_else(|| Value::str("")));
    }
    Ok(value.clone())
}

/// A mapping's pairs, as tuples.
pub(in super::super) fn pairs_of(machine: &Machine, value: &Value) -> Result<Vec<Value>, Failure> {
    let Value::Dict(dict) = value else {
        return Err(Failure::new(format!("a mapping is needed, and this is {}", value.type_name())));
    };
    let pairs = dict.pairs.borrow();
    machine.pay_items(2 * pairs.len())?;
    Ok(pairs.iter().map(|(key, value)| Value::tuple(vec![Value::from(key), value.clone()])).collect())
}

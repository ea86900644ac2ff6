//! Filters of lists.

use super::super::call::Given;
use super::super::value::Value;
use super::super::{Failure, Machine};
use super::{Filtered, Named};
use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher, RandomState};

pub(super) const ALL: &[Named] = &[
    ("first", |machine, value, _| {
        Ok(machine.items(value)?.into_iter().next().unwrap_or_else(|| nothing("first")))
    }),
    ("last", |machine, value, _| Ok(machine.items(value)?.pop().unwrap_or_else(|| nothing("last")))),
    ("length", |machine, value, _| Ok(Value::Int(machine.length(value)? as i128))),
    ("count", |machine, value, _| Ok(Value::Int(machine.length(value)? as i128))),
    // Such as for a minute of the hour at which not all machines do the same.
    ("random", |machine, value, _| {
        let items = machine.items(value)?;
        let number = RandomState::new().build_hasher().finish() % items.len().max(1) as u64;
        let place = usize::try_from(number).unwrap_or_default();
        Ok(items.get(place).cloned().unwrap_or_else(|| nothing("random")))
    }),
    ("list", |machine, value, _| machine.list(machine.items(value)?)),
    ("join", |machine, value, given| {
        let between = given.text(machine, 0, "d")?.unwrap_or_default();
        let mut out = String::new();
        for (index, item) in machine.items(value)?.iter().enumerate() {
            if index > 0 {
                out.push_str(&between);
            }
            out.push_str(&match given.get(1, "attribute") {
                Some(attribute) if !matches!(attribute, Value::None) => {
                    machine.text(&machine.attribute_path(item, attribute)?)?
                }
                _ => machine.text(item)?,
            });
            machine.pay(between.len() / 16)?;
            if out.len() > super::super::MOST_BYTES {
                return Err(Failure::new("a text of more than 10 MiB"));
            }
        }
        Ok(Value::str(out))
    }),
    ("reverse", |machine, value, _| {
        let mut items = machine.items(value)?;
        items.reverse();
        match value {
            Value::Str(_) => Ok(Value::str(items.iter().map(Value::text).collect::<String>())),
            _ => machine.list(items),
        }
    }),
    ("sort", |machine, value, given| {
        let (reverse, case) = (given.is_on(0, "reverse"), given.is_on(1, "case_sensitive"));
        machine.list(sorted(machine, machine.items(value)?, given.get(2, "attribute"), case, reverse)?)
    }),
    ("unique", |machine, value, given| {
        let (case, attribute) = (given.is_on(0, "case_sensitive"), given.get(1, "attribute"));
        let mut seen: Vec<Value> = Vec::new();
        let mut kept = Vec::new();
        for item in machine.items(value)? {
            let key = machine.sort_key(&item, attribute, case)?;
            machine.pay(seen.len() / 8)?;
            if !seen.iter().any(|known| known.is_equal(&key)) {
                seen.push(key);
                kept.push(item);
            }
        }
        machine.list(kept)
    }),
    ("batch", |machine, value, given| {
        let size = given.length(machine, 0, "linecount", 1)?.max(1);
        let mut batches = Vec::new();
        for batch in machine.items(value)?.chunks(size) {
            let mut batch = batch.to_vec();
            fill(machine, &mut batch, size, given.get(1, "fill_with"))?;
            batches.push(machine.list(batch)?);
        }
        machine.list(batches)
    }),
    ("slice", |machine, value, given| {
        let count = given.length(machine, 0, "slices", 1)?.max(1);
        let items = machine.items(value)?;
        machine.pay_items(count)?;
        let (size, longer) = (items.len() / count, items.len() % count);
        let mut items = items.into_iter();
        let mut slices = Vec::new();
        for number in 0..count {
            let own = size + usize::from(number < longer);
            let mut slice: Vec<Value> = items.by_ref().take(own).collect();
            // Where all are of one size, each is filled up by one.
            if number >= longer {
                fill(machine, &mut slice, size + 1, given.get(1, "fill_with"))?;
            }
            slices.push(machine.list(slice)?);
        }
        machine.list(slices)
    }),
    ("groupby", group),
    ("map", map),
    ("select", |machine, value, given| select(machine, value, given, true, 0)),
    ("reject", |machine, value, given| select(machine, value, given, false, 0)),
    ("selectattr", |machine, value, given| select(machine, value, given, true, 1)),
    ("rejectattr", |machine, value, given| select(machine, value, given, false, 1)),
];

fn nothing(which: &str) -> Value {
    Value::undefined("None", format!("there is no {which} item of nothing"))
}

fn fill(machine: &Machine, items: &mut Vec<Value>, size: usize, with: Option<&Value>) -> Result<(), Failure> {
    if let Some(with) = with.filter(|with| !matches!(with, Value::None)) {
        machine.pay_items(size)?;
        items.resize(size.max(items.len()), with.clone());
    }
    Ok(())
}

/// In order; items of one size stay as they were.
pub(in super::super) fn sorted(
    machine: &Machine,
    items: Vec<Value>,
    attribute: Option<&Value>,
    case: bool,
    reverse: bool,
) -> Result<Vec<Value>, Failure> {
    let mut keyed = Vec::new();
    for item in items {
        keyed.push((machine.sort_key(&item, attribute, case)?, item));
    }
    let mut problem = None;
    keyed.sort_by(|(one, _), (other, _)| {
        let order = if reverse { machine.order(other, one) } else { machine.order(one, other) };
        order
            .unwrap_or_else(|failure| {
                problem.get_or_insert(failure);
                None
            })
            .unwrap_or(Ordering::Equal)
    });
    match problem {
        Some(failure) => Err(failure),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}

fn group(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let attribute = given.get(0, "attribute").ok_or_else(|| Failure::new("an attribute is needed"))?;
    let (default, case) = (given.get(1, "default"), given.is_on(2, "case_sensitive"));
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for item in sorted(machine, machine.items(value)?, Some(attribute), case, false)? {
        let found = match (machine.attribute_path(&item, attribute)?, default) {
            (Value::Undefined(_), Some(default)) => default.clone(),
            (found, _) => found,
        };
        let key = folded(found.clone(), case);
        match groups.last_mut() {
            Some((last, _, items)) if last.is_equal(&key) => items.push(item),
            _ => groups.push((key, found, vec![item])),
        }
    }
    let pairs =
        groups.into_iter().map(|(_, found, items)| Ok(Value::tuple(vec![found, machine.list(items)?])));
    machine.list(pairs.collect::<Result<_, Failure>>()?)
}

fn map(machine: &Machine, value: &Value, given: &Given) -> Filtered {
    let mut made = Vec::new();
    for item in machine.items(value)? {
        made.push(match (given.positional.split_first(), given.get(usize::MAX, "attribute")) {
            (None, Some(attribute)) => {
                match (machine.attribute_path(&item, attribute)?, given.get(usize::MAX, "default")) {
                    (Value::Undefined(_), Some(default)) => default.clone(),
                    (found, _) => found,
                }
            }
            (Some((name, rest)), _) => {
                let given = Given { positional: rest.to_vec(), named: given.named.clone() };
                machine.filter(&machine.text(name)?, item, given)?
            }
            (None, None) => return Err(Failure::new("the name of a filter is needed")),
        });
    }
    machine.list(made)
}

/// `select` and its kin; `skipped` is 1 where the first argument is the attribute to look at.
fn select(machine: &Machine, value: &Value, given: &Given, wanted: bool, skipped: usize) -> Filtered {
    let mut kept = Vec::new();
    for item in machine.items(value)? {
        let seen = match (skipped, given.positional.first()) {
            (0, _) => item.clone(),
            (_, Some(attribute)) => machine.attribute_path(&item, attribute)?,
            (_, None) => return Err(Failure::new("an attribute is needed")),
        };
        let rest = given.positional.get(skipped..).unwrap_or_default();
        let holds = match rest.split_first() {
            None => seen.is_true(),
            Some((name, rest)) => {
                let given = Given { positional: rest.to_vec(), named: given.named.clone() };
                machine.test(&machine.text(name)?, &seen, given)?
            }
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    machine.list(kept)
}

fn folded(value: Value, case: bool) -> Value {
    match value {
        Value::Str(text) if !case => Value::str(text.to_lowercase()),
        other => other,
    }
}

impl Machine {
    /// The key that an item is sorted by.
    pub(in super::super) fn sort_key(&self, item: &Value, attribute: Option<&Value>, case: bool) -> Filtered {
        self.pay(1)?;
        match attribute {
            None | Some(Value::None) => Ok(folded(item.clone(), case)),
            Some(Value::Str(paths)) if paths.contains(',') => {
                let keys = paths
                    .split(',')
                    .map(|path| Ok(folded(self.attribute_path(item, &Value::str(path))?, case)));
                Ok(Value::tuple(keys.collect::<Result<_, Failure>>()?))
            }
            Some(path) => Ok(folded(self.attribute_path(item, path)?, case)),
        }
    }

    /// `a.b.0` of a value.
    pub(in super::super) fn attribute_path(&self, value: &Value, path: &Value) -> Filtered {
        let Value::Str(path) = path else { return self.item(value, path) };
        path.split('.').try_fold(value.clone(), |value, name| {
            let index = match name.parse() {
                Ok(number) if name.bytes().all(|byte| byte.is_ascii_digit()) => Value::Int(number),
                _ => Value::str(name),
            };
            self.item(&value, &index)
        })
    }
}

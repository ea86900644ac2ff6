//! Methods of lists and mappings.

use super::super::call::Given;
use super::super::eval::position;
use super::super::value::{Dict, Items, Value};
use super::super::{Failure, Machine, filters, value};
use super::Method;
use std::rc::Rc;

const LIST: &[(&str, Method<Rc<Items>>)] = &[
    ("append", |machine, list, given| {
        let value = incoming(machine, needed(given, 0)?)?;
        list.deepen(&value);
        list.items.borrow_mut().push(value);
        Ok(Value::None)
    }),
    ("extend", |machine, list, given| {
        for value in machine.items(needed(given, 0)?)? {
            let value = incoming(machine, &value)?;
            list.deepen(&value);
            list.items.borrow_mut().push(value);
        }
        Ok(Value::None)
    }),
    ("insert", |machine, list, given| {
        let value = incoming(machine, needed(given, 1)?)?;
        let place = machine.whole(needed(given, 0)?)?;
        let length = list.items.borrow().len();
        machine.pay(length / 16)?;
        let place = position(place, length).unwrap_or(if place < 0 { 0 } else { length }).min(length);
        list.deepen(&value);
        list.items.borrow_mut().insert(place, value);
        Ok(Value::None)
    }),
    ("pop", |machine, list, given| {
        let place = given.positional.first().map_or(Ok(-1), |place| machine.whole(place))?;
        let length = list.items.borrow().len();
        machine.pay(length / 16)?;
        match position(place, length).filter(|place| *place < length) {
            Some(place) => Ok(list.items.borrow_mut().remove(place)),
            None => Err(Failure::new("there is no such item")),
        }
    }),
    ("remove", |machine, list, given| {
        let place = find(machine, list, needed(given, 0)?)?;
        list.items.borrow_mut().remove(place);
        Ok(Value::None)
    }),
    ("index", |machine, list, given| {
        Ok(Value::Int(i128::try_from(find(machine, list, needed(given, 0)?)?).unwrap_or_default()))
    }),
    ("count", |machine, list, given| {
        let wanted = needed(given, 0)?;
        let items = list.items.borrow();
        machine.pay(items.len())?;
        let count = items.iter().filter(|item| item.is_equal(wanted)).count();
        Ok(Value::Int(i128::try_from(count).unwrap_or_default()))
    }),
    ("reverse", |machine, list, _| {
        machine.pay(list.items.borrow().len())?;
        list.items.borrow_mut().reverse();
        Ok(Value::None)
    }),
    ("sort", |machine, list, given| {
        let items = list.items.borrow().clone();
        let sorted = filters::sorted(machine, items, None, true, given.is_on(usize::MAX, "reverse"))?;
        list.items.replace(sorted);
        Ok(Value::None)
    }),
    ("clear", |_, list, _| {
        list.items.borrow_mut().clear();
        Ok(Value::None)
    }),
    ("copy", |machine, list, _| machine.list(list.items.borrow().clone())),
];

const DICT: &[(&str, Method<Rc<Dict>>)] = &[
    ("get", |_, dict, given| {
        let found = needed(given, 0)?.as_key().and_then(|key| dict.pairs.borrow().get_key(&key).cloned());
        Ok(found.or_else(|| given.positional.get(1).cloned()).unwrap_or(Value::None))
    }),
    ("items", |machine, dict, _| machine.list(filters::pairs_of(machine, &Value::Dict(Rc::clone(dict)))?)),
    ("keys", |machine, dict, _| machine.list(machine.items(&Value::Dict(Rc::clone(dict)))?)),
    ("values", |machine, dict, _| {
        machine.list(dict.pairs.borrow().iter().map(|(_, value)| value.clone()).collect())
    }),
    ("pop", |machine, dict, given| {
        let key = machine.key(needed(given, 0)?)?;
        let removed = dict.pairs.borrow_mut().remove(&key).or_else(|| given.positional.get(1).cloned());
        removed.ok_or_else(|| Failure::new("there is no such key"))
    }),
    ("setdefault", |machine, dict, given| {
        let key = machine.key(needed(given, 0)?)?;
        let found = dict.pairs.borrow().get_key(&key).cloned();
        if let Some(found) = found {
            return Ok(found);
        }
        let value = incoming(machine, given.positional.get(1).unwrap_or(&Value::None))?;
        dict.deepen(&value);
        dict.pairs.borrow_mut().insert(key, value.clone());
        Ok(value)
    }),
    ("update", |machine, dict, given| {
        let given = Given { positional: given.positional.clone(), named: given.named.clone() };
        for (key, value) in machine.pairs(given)? {
            let value = incoming(machine, &value)?;
            dict.deepen(&value);
            dict.pairs.borrow_mut().insert(key, value);
        }
        Ok(Value::None)
    }),
    ("clear", |_, dict, _| {
        dict.pairs.replace(crate::yaml::Table::default());
        Ok(Value::None)
    }),
    ("copy", |machine, dict, _| {
        let pairs = dict.pairs.borrow();
        machine.dict(pairs.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }),
];

pub(super) fn of_list(name: &str) -> Option<Method<Rc<Items>>> {
    LIST.iter().find(|(own, _)| *own == name).map(|(_, method)| *method)
}

pub(super) fn of_dict(name: &str) -> Option<Method<Rc<Dict>>> {
    DICT.iter().find(|(own, _)| *own == name).map(|(_, method)| *method)
}

fn needed(given: &Given, place: usize) -> Result<&Value, Failure> {
    given.positional.get(place).ok_or_else(|| Failure::new("an argument is missing"))
}

/// Copies a value that can be changed before it goes into another: so nothing can hold itself.
fn incoming(machine: &Machine, value: &Value) -> Result<Value, Failure> {
    machine.pay_items(1)?;
    machine.pay_shown(value, 0)?;
    machine.pay_shown(value, 0)?;
    let copy = value.deep_copy();
    if copy.depth() >= value::DEEPEST {
        return Err(Failure::new(format!("a value nested deeper than {}", value::DEEPEST)));
    }
    Ok(copy)
}

fn find(machine: &Machine, list: &Items, wanted: &Value) -> Result<usize, Failure> {
    let items = list.items.borrow();
    machine.pay(items.len())?;
    let place = items.iter().position(|item| item.is_equal(wanted));
    place.ok_or_else(|| Failure::new("there is no such item"))
}

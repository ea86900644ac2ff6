//! Attributes and methods of values, as Python's values have them.

mod list;
mod text;

pub(super) use text::{capitalize, center, is_lower, is_upper, replace, strip};

use super::call::Given;
use super::value::{Loop, Object, Value};
use super::{Failure, Machine};
use std::rc::Rc;

/// A method's function: it gets the value it belongs to, and the arguments.
type Method<T> = fn(&Machine, &T, &Given) -> Result<Value, Failure>;

/// The attribute of a value, which may be a method of it.
pub(super) fn attribute(value: &Value, name: &str) -> Option<Value> {
    let is_method = match value {
        Value::Str(_) => text::find(name).is_some(),
        Value::List(_) => list::of_list(name).is_some(),
        Value::Tuple(items) => {
            // The pairs that `groupby` yields have names.
            let pair = items.items.borrow();
            match (name, &**pair) {
                ("grouper", [first, _]) => return Some(first.clone()),
                ("list", [_, second]) => return Some(second.clone()),
                _ => ["index", "count"].contains(&name),
            }
        }
        Value::Dict(_) => list::of_dict(name).is_some(),
        Value::Object(object) => return object_attribute(object, name, value),
        _ => false,
    };
    is_method.then(|| method(value, name))
}

fn method(value: &Value, name: &str) -> Value {
    Value::Object(Rc::new(Object::Method(value.clone(), name.to_owned())))
}

fn object_attribute(object: &Object, name: &str, value: &Value) -> Option<Value> {
    match object {
        Object::Loop(state) => loop_attribute(state, name, value),
        Object::Namespace(names) => names.borrow().get(name).cloned(),
        Object::Cycler(items, place) if name == "current" => {
            items.get(place.get() % items.len().max(1)).cloned()
        }
        Object::Cycler(..) => ["next", "reset"].contains(&name).then(|| method(value, name)),
        Object::Macro(called, _) => match name {
            "name" => Some(Value::str(&called.name)),
            "arguments" => {
                Some(Value::tuple(called.parameters.iter().map(|(name, _)| Value::str(name)).collect()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn loop_attribute(state: &Loop, name: &str, value: &Value) -> Option<Value> {
    let (index, length) = (state.index.get(), state.items.len());
    let number = |number: usize| Some(Value::Int(i128::try_from(number).unwrap_or_default()));
    let neighbour = |item: Option<&Value>| {
        Some(item.cloned().unwrap_or_else(|| Value::undefined("None", "there is no item before or after it")))
    };
    match name {
        "index" => number(index + 1),
        "index0" => number(index),
        "revindex" => number(length - index),
        "revindex0" => number(length - index - 1),
        "first" => Some(Value::Bool(index == 0)),
        "last" => Some(Value::Bool(index + 1 == length)),
        "length" => number(length),
        "depth" => number(state.depth),
        "depth0" => number(state.depth - 1),
        "previtem" => neighbour(index.checked_sub(1).and_then(|place| state.items.get(place))),
        "nextitem" => neighbour(state.items.get(index + 1)),
        "cycle" | "changed" => Some(method(value, name)),
        _ => None,
    }
}

/// Calls a method that `attribute` has found.
pub(super) fn call(machine: &Machine, value: &Value, name: &str, given: &Given) -> Result<Value, Failure> {
    machine.pay(1)?;
    let called = match value {
        Value::Str(text) => {
            machine.pay_bytes(text.len())?;
            text::find(name).map(|method| method(machine, text, given))
        }
        Value::List(items) => list::of_list(name).map(|method| method(machine, items, given)),
        Value::Tuple(items) => list::of_list(name).map(|method| method(machine, items, given)),
        Value::Dict(dict) => list::of_dict(name).map(|method| method(machine, dict, given)),
        Value::Object(object) => Some(call_object(object, name, given)),
        _ => None,
    };
    let called = called.unwrap_or_else(|| Err(Failure::new("there is no such method")));
    called.map_err(|mut failure| {
        failure.problem = format!("`.{name}()`: {}", failure.problem);
        failure
    })
}

fn call_object(object: &Object, name: &str, given: &Given) -> Result<Value, Failure> {
    match (object, name) {
        (Object::Loop(state), "cycle") if !given.positional.is_empty() => {
            let place = state.index.get() % given.positional.len();
            Ok(given.positional.get(place).cloned().unwrap_or(Value::None))
        }
        (Object::Loop(state), "changed") => {
            let now = Value::tuple(given.positional.clone());
            let changed = !state.last_changed.borrow().as_ref().is_some_and(|last| last.is_equal(&now));
            state.last_changed.replace(Some(now));
            Ok(Value::Bool(changed))
        }
        (Object::Cycler(items, place), "next") => {
            let item = items.get(place.get() % items.len().max(1)).cloned();
            place.set((place.get() + 1) % items.len().max(1));
            Ok(item.unwrap_or(Value::None))
        }
        (Object::Cycler(_, place), "reset") => {
            place.set(0);
            Ok(Value::None)
        }
        _ => Err(Failure::new("there is no such method, or an argument is missing")),
    }
}

//! Expressions -> values.

use super::ast::{Arguments, Expr};
use super::call::Given;
use super::scope::Scope;
use super::value::{Object, Undefined, Value};
use super::{Failure, Machine, methods, missing};
use crate::yaml::Table;
use std::rc::Rc;

type Evaluated = Result<Value, Failure>;

impl Machine {
    pub(super) fn eval(&self, expr: &Expr, scope: &Rc<Scope>) -> Evaluated {
        let _level = self.enter()?;
        match expr {
            Expr::Literal(value) => Ok(value.clone()),
            Expr::Name(name) => Ok(lookup(name, scope)),
            Expr::List(items) => self.list(self.each(items, scope)?),
            Expr::Tuple(items) => Ok(Value::tuple(self.each(items, scope)?)),
            Expr::Dict(pairs) => {
                let mut table = Table::default();
                for (key, value) in pairs {
                    let key = self.key(&self.eval(key, scope)?)?;
                    table.insert(key, self.eval(value, scope)?);
                }
                self.dict(table)
            }
            Expr::Attribute(owner, name) => {
                let value = self.eval(owner, scope)?;
                Ok(missing::within(self.attribute(&value, name)?, owner, value))
            }
            Expr::Item(owner, index) => {
                let value = self.eval(owner, scope)?;
                Ok(missing::within(self.item(&value, &self.eval(index, scope)?)?, owner, value))
            }
            Expr::Slice(value, bounds) => {
                let value = self.eval(value, scope)?;
                let [start, end, step] = &**bounds;
                let bound = |bound: &Option<Expr>| match bound {
                    None => Ok(None),
                    Some(bound) => match self.eval(bound, scope)? {
                        Value::None => Ok(None),
                        other => self.whole(&other).map(Some),
                    },
                };
                self.slice(&value, bound(start)?, bound(end)?, bound(step)?)
            }
            Expr::Call(called, arguments) => {
                let called = self.eval(called, scope)?;
                let given = self.arguments(arguments, scope)?;
                self.call(&called, given)
            }
            Expr::Filter(value, name, arguments) => {
                let value = self.eval(value, scope)?;
                let given = self.arguments(arguments, scope)?;
                self.filter(name, value, given)
            }
            Expr::Test(value, name, arguments) => {
                let value = self.eval(value, scope)?;
                let given = self.arguments(arguments, scope)?;
                self.test(name, &value, given).map(Value::Bool)
            }
            Expr::Not(value) => Ok(Value::Bool(!self.eval(value, scope)?.is_true())),
            Expr::Negative(value) => match self.number(&self.eval(value, scope)?)? {
                Value::Int(number) => Ok(Value::Int(number.saturating_neg())),
                Value::Float(number) => Ok(Value::Float(-number)),
                other => Ok(other),
            },
            Expr::Positive(value) => self.number(&self.eval(value, scope)?),
            Expr::Binary(operator, left, right) => {
                let left = self.eval(left, scope)?;
                self.binary(*operator, &left, &self.eval(right, scope)?)
            }
            Expr::And(left, right) => {
                let left = self.eval(left, scope)?;
                if left.is_true() { self.eval(right, scope) } else { Ok(left) }
            }
            Expr::Or(left, right) => {
                let left = self.eval(left, scope)?;
                if left.is_true() { Ok(left) } else { self.eval(right, scope) }
            }
            Expr::Concat(items) => {
                let texts: Vec<String> = self
                    .each(items, scope)?
                    .iter()
                    .map(|value| self.text(value))
                    .collect::<Result<_, _>>()?;
                self.joined(&texts)
            }
            Expr::Compare(left, others) => {
                let mut left = self.eval(left, scope)?;
                for (how, right) in others {
                    let right = self.eval(right, scope)?;
                    if !self.compare(*how, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expr::If(condition, value, otherwise) => {
                if self.eval(condition, scope)?.is_true() {
                    return self.eval(value, scope);
                }
                if let Some(otherwise) = otherwise {
                    return self.eval(otherwise, scope);
                }
                let problem = "an `if` without an `else` has no value here".to_owned();
                Ok(Value::Undefined(Rc::new(Undefined { name: None, problem, within: None })))
            }
        }
    }

    fn each(&self, items: &[Expr], scope: &Rc<Scope>) -> Result<Vec<Value>, Failure> {
        self.pay_items(items.len())?;
        items.iter().map(|item| self.eval(item, scope)).collect()
    }

    pub(super) fn arguments(&self, arguments: &Arguments, scope: &Rc<Scope>) -> Result<Given, Failure> {
        let mut positional = self.each(&arguments.positional, scope)?;
        let mut named = Vec::new();
        for (name, value) in &arguments.named {
            named.push((name.clone(), self.eval(value, scope)?));
        }
        if let Some(spread) = &arguments.spread {
            positional.extend(self.items(&self.eval(spread, scope)?)?);
        }
        if let Some(spread) = &arguments.spread_named {
            let Value::Dict(dict) = self.eval(spread, scope)? else {
                return Err(Failure::new("`**` stands before something that is no mapping"));
            };
            for (key, value) in dict.pairs.borrow().iter() {
                named.push((Value::from(key).text(), value.clone()));
            }
        }
        Ok(Given { positional, named })
    }

    /// `value.name`: what Python finds as an attribute, or else as an item.
    pub(super) fn attribute(&self, value: &Value, name: &str) -> Evaluated {
        self.pay(1)?;
        if let Value::Undefined(undefined) = value {
            return Err(Failure::new(undefined.told()));
        }
        if let Some(found) = methods::attribute(value, name) {
            return Ok(found);
        }
        if let Value::Dict(dict) = value
            && let Some(found) = dict.pairs.borrow().get(name)
        {
            return Ok(found.clone());
        }
        Ok(Value::undefined(name, format!("`{}` has no `{name}`", value.type_name())))
    }

    /// `value[index]`: what Python finds as an item, or else as an attribute.
    pub(super) fn item(&self, value: &Value, index: &Value) -> Evaluated {
        if let Value::Undefined(undefined) = value {
            return Err(Failure::new(undefined.told()));
        }
        let found = match (value, index.as_int()) {
            (Value::Dict(dict), _) => {
                let key = index.as_key();
                key.and_then(|key| dict.pairs.borrow().get_key(&key).cloned())
            }
            (Value::List(items) | Value::Tuple(items), Some(place)) => {
                let items = items.items.borrow();
                position(place, items.len()).and_then(|place| items.get(place).cloned())
            }
            (Value::Str(text), Some(place)) => {
                let length = self.length(value)?;
                position(place, length)
                    .and_then(|place| text.chars().nth(place))
                    .map(|character| Value::str(character.to_string()))
            }
            (Value::Range(start, _, step), Some(place)) => {
                let length = self.length(value)?;
                position(place, length)
                    .map(|place| Value::Int(start + step * i128::try_from(place).unwrap_or_default()))
            }
            _ => None,
        };
        let found = match (found, index) {
            (None, Value::Str(name)) => methods::attribute(value, name),
            (found, _) => found,
        };
        Ok(found.unwrap_or_else(|| {
            let name = index.text();
            Value::undefined(&name, format!("{} has no item `{name}`", value.type_name()))
        }))
    }

    fn slice(&self, value: &Value, start: Option<i128>, end: Option<i128>, step: Option<i128>) -> Evaluated {
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(Failure::new("the step of a slice is 0"));
        }
        if let Value::Undefined(undefined) = value {
            return Err(Failure::new(undefined.told()));
        }
        if let Value::Dict(_) | Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) = value {
            return Ok(Value::undefined("slice", format!("{} has no parts", value.type_name())));
        }
        let items = self.items(value)?;
        let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
        let place = |bound: i128, lowest: i128, highest: i128| {
            (if bound < 0 { bound.saturating_add(length) } else { bound }).clamp(lowest, highest)
        };
        let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let (first, last) = if step > 0 { (0, length) } else { (length - 1, -1) };
        let start = start.map_or(first, |bound| place(bound, lowest, highest));
        let end = end.map_or(last, |bound| place(bound, lowest, highest));
        let mut taken = Vec::new();
        let mut place = start;
        while (step > 0 && place < end) || (step < 0 && place > end) {
            taken.extend(usize::try_from(place).ok().and_then(|place| items.get(place).cloned()));
            place = place.saturating_add(step);
        }
        match value {
            Value::Str(_) => Ok(Value::str(taken.iter().map(Value::text).collect::<String>())),
            Value::Tuple(_) => Ok(Value::tuple(taken)),
            _ => self.list(taken),
        }
    }

    pub(super) fn key(&self, value: &Value) -> Result<crate::yaml::Value, Failure> {
        self.pay(1)?;
        value.as_key().ok_or_else(|| Failure::new(format!("{} cannot be a key", value.type_name())))
    }

    /// The value, when it is a number.
    pub(super) fn number(&self, value: &Value) -> Evaluated {
        self.pay(1)?;
        match value {
            Value::Undefined(undefined) => Err(Failure::new(undefined.told())),
            Value::Float(_) => Ok(value.clone()),
            other => other
                .as_int()
                .map(Value::Int)
                .ok_or_else(|| Failure::new(format!("{} is no number", other.type_name()))),
        }
    }

    /// The value, when it is a whole number.
    pub(super) fn whole(&self, value: &Value) -> Result<i128, Failure> {
        match self.number(value)? {
            Value::Int(number) => Ok(number),
            _ => Err(Failure::new("a whole number is needed")),
        }
    }
}

fn lookup(name: &str, scope: &Scope) -> Value {
    if let Some(value) = scope.get(name) {
        return value;
    }
    match super::call::GLOBALS.iter().find(|global| **global == name) {
        Some(global) => Value::Object(Rc::new(Object::Global(global))),
        None => Value::undefined(name, missing::at_the_top(name)),
    }
}

/// A place that may be counted from the end.
pub(super) fn position(place: i128, length: usize) -> Option<usize> {
    let length = i128::try_from(length).ok()?;
    usize::try_from(if place < 0 { place.checked_add(length)? } else { place }).ok()
}

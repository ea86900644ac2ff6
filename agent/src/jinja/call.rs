//! Everything that can be called: macros, loops, methods and the functions that are always there.

use super::ast::Macro;
use super::scope::Scope;
use super::value::{Loop, Object, Value};
use super::{Failure, Machine, methods};
use crate::yaml::Table;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

pub(super) const GLOBALS: [&str; 5] = ["range", "dict", "namespace", "cycler", "joiner"];

/// The largest range, as in the original.
const LONGEST_RANGE: usize = 100_000;

/// Arguments, computed.
#[derive(Default)]
pub(super) struct Given {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl Given {
    /// The argument at a place or under a name.
    pub(super) fn get(&self, place: usize, name: &str) -> Option<&Value> {
        let named = || self.named.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        self.positional.get(place).or_else(named)
    }

    /// True if a switch among the arguments is on.
    pub(super) fn is_on(&self, place: usize, name: &str) -> bool {
        self.get(place, name).is_some_and(Value::is_true)
    }
}

impl Machine {
    pub(super) fn call(&self, called: &Value, given: Given) -> Result<Value, Failure> {
        let object = match called {
            Value::Object(object) => object,
            Value::Undefined(undefined) => return Err(Failure::new(undefined.told())),
            other => return Err(Failure::new(format!("{} cannot be called", other.type_name()))),
        };
        match &**object {
            Object::Macro(called, scope) => self.call_macro(called, scope, given),
            Object::Global(name) => self.call_global(name, given),
            Object::Method(value, name) => methods::call(self, value, name, &given),
            Object::Loop(state) => self.call_loop(state, &given),
            Object::Joiner(separator, used) => {
                Ok(if used.replace(true) { separator.clone() } else { Value::str("") })
            }
            Object::Namespace(_) | Object::Cycler(..) => Err(Failure::new("this cannot be called")),
        }
    }

    fn call_macro(&self, called: &Rc<Macro>, outer: &Rc<Scope>, given: Given) -> Result<Value, Failure> {
        let _level = self.enter()?;
        let scope = Scope::inside(outer);
        let [takes_list, takes_names] = called.takes_more;
        let Given { positional, mut named } = given;
        let mut positional = positional.into_iter();
        if let Some(place) = named.iter().position(|(name, _)| name == "caller") {
            scope.set("caller", named.swap_remove(place).1);
        }
        for (name, default) in &called.parameters {
            let value = match (positional.next(), named.iter().position(|(own, _)| own == name), default) {
                (Some(value), _, _) => value,
                (None, Some(place), _) => named.swap_remove(place).1,
                (None, None, Some(default)) => self.eval(default, &scope)?,
                (None, None, None) => Value::undefined(name, format!("the parameter `{name}` was not given")),
            };
            scope.set(name, value);
        }
        let more: Vec<Value> = positional.collect();
        if !takes_list && !more.is_empty() {
            let most = called.parameters.len();
            return Err(Failure::new(format!("`{}` takes no more than {most} arguments", called.name)));
        }
        if let (false, Some((name, _))) = (takes_names, named.first()) {
            return Err(Failure::new(format!("`{}` takes no argument `{name}`", called.name)));
        }
        scope.set("varargs", Value::tuple(more));
        scope
            .set("kwargs", self.dict(named.into_iter().map(|(name, value)| (name.into(), value)).collect())?);
        self.captured(&called.body, &scope).map(Value::str)
    }

    fn call_loop(&self, state: &Loop, given: &Given) -> Result<Value, Failure> {
        let (Some((each, scope)), Some(items)) = (&state.recursive, given.get(0, "iterable")) else {
            return Err(Failure::new(
                "only a loop that is marked `recursive` can be called, with what to go through",
            ));
        };
        let mut out = String::new();
        self.for_loop(each, items, state.depth + 1, scope, &mut out)?;
        Ok(Value::str(out))
    }

    fn call_global(&self, name: &str, given: Given) -> Result<Value, Failure> {
        match name {
            "range" => {
                let bounds: Vec<i128> =
                    given.positional.iter().map(|bound| self.whole(bound)).collect::<Result<_, _>>()?;
                let range = match *bounds.as_slice() {
                    [end] => Value::Range(0, end, 1),
                    [start, end] => Value::Range(start, end, 1),
                    [start, end, step] if step != 0 => Value::Range(start, end, step),
                    _ => {
                        return Err(Failure::new(
                            "`range` takes one to three numbers, of which the third is not 0",
                        ));
                    }
                };
                if self.length(&range)? > LONGEST_RANGE {
                    return Err(Failure::new(format!("a range of more than {LONGEST_RANGE} numbers")));
                }
                Ok(range)
            }
            "dict" => Ok(Value::dict(self.pairs(given)?)),
            "namespace" => Ok(Value::Object(Rc::new(Object::Namespace(RefCell::new(self.pairs(given)?))))),
            "cycler" if !given.positional.is_empty() => {
                Ok(Value::Object(Rc::new(Object::Cycler(given.positional, Cell::new(0)))))
            }
            "joiner" => {
                let separator = given.get(0, "sep").cloned().unwrap_or_else(|| Value::str(", "));
                Ok(Value::Object(Rc::new(Object::Joiner(separator, Cell::new(false)))))
            }
            _ => Err(Failure::new(format!("`{name}` needs arguments"))),
        }
    }

    /// A mapping, or pairs, and the named arguments.
    pub(super) fn pairs(&self, given: Given) -> Result<Table<Value>, Failure> {
        let mut table = Table::default();
        match given.positional.first() {
            Some(Value::Dict(dict)) => {
                for (key, value) in dict.pairs.borrow().iter() {
                    table.insert(key.clone(), value.clone());
                }
            }
            Some(pairs) => {
                for pair in self.items(pairs)? {
                    match self.items(&pair)?.as_slice() {
                        [key, value] => table.insert(self.key(key)?, value.clone()),
                        _ => return Err(Failure::new("a pair of a key and a value is needed")),
                    }
                }
            }
            None => {}
        }
        for (name, value) in given.named {
            table.set(&name, value);
        }
        self.pay_items(table.len())?;
        Ok(table)
    }
}

//! The values that a template computes with: Python's.

use super::ast::{For, Macro};
use super::scope::Scope;
use crate::yaml::{self, Table};
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub(super) enum Value {
    Undefined(Rc<Undefined>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Rc<str>),
    List(Rc<Items>),
    Tuple(Rc<Items>),
    Range(i128, i128, i128),
    Dict(Rc<Dict>),
    Object(Rc<Object>),
}

/// A variable that is not there.
#[derive(Debug)]
pub(super) struct Undefined {
    /// The name that stands for it in the text, as Python prints it; an `if` without an `else` has none.
    pub(super) name: Option<String>,
    /// The message when it is used.
    pub(super) problem: String,
    /// The mapping that lacks it, by the name that the template has for it.
    pub(super) within: Option<(String, Value)>,
}

/// The items of a list, which a template can change.
#[derive(Default, Debug)]
pub(super) struct Items {
    pub(super) items: RefCell<Vec<Value>>,
    depth: Cell<usize>,
}

#[derive(Default, Debug)]
pub(super) struct Dict {
    pub(super) pairs: RefCell<Table<Value>>,
    depth: Cell<usize>,
}

/// A value that has no form of its own as data.
#[derive(Debug)]
pub(super) enum Object {
    /// A macro, the scope it was defined in, and what it gets as `caller`.
    Macro(Rc<Macro>, Rc<Scope>),
    /// `range`, `dict` and the like.
    Global(&'static str),
    /// `text.upper`, `list.append`
    Method(Value, String),
    Loop(Loop),
    Namespace(RefCell<Table<Value>>),
    Cycler(Vec<Value>, Cell<usize>),
    Joiner(Value, Cell<bool>),
}

/// The state of a loop.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) items: Rc<Vec<Value>>,
    pub(super) index: Cell<usize>,
    pub(super) depth: usize,
    pub(super) last_changed: RefCell<Option<Value>>,
    /// The loop to run again, where it can be called.
    pub(super) recursive: Option<(Rc<For>, Rc<Scope>)>,
}

/// Values may be nested so deep.
pub(super) const DEEPEST: usize = 100;

impl Value {
    pub(super) fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Rc::from(text.as_ref()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Items::new(items))
    }

    pub(super) fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(Items::new(items))
    }

    pub(super) fn dict(pairs: Table<Self>) -> Self {
        let depth = pairs.iter().map(|(_, value)| value.depth() + 1).max().unwrap_or(1);
        Self::Dict(Rc::new(Dict { pairs: RefCell::new(pairs), depth: Cell::new(depth) }))
    }

    pub(super) fn undefined(name: impl ToString, problem: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined {
            name: Some(name.to_string()),
            problem: problem.into(),
            within: None,
        }))
    }

    /// The number of levels to which it is nested.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::List(items) | Self::Tuple(items) => items.depth.get(),
            Self::Dict(dict) => dict.depth.get(),
            _ => 0,
        }
    }

    /// True if a condition takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(on) => *on,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.items.borrow().is_empty(),
            Self::Range(start, end, step) => range_length(*start, *end, *step) > 0,
            Self::Dict(dict) => !dict.pairs.borrow().is_empty(),
            Self::Object(_) => true,
        }
    }

    /// The name of its type in Python.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Range(..) => "range",
            Self::Dict(_) => "dict",
            Self::Object(_) => "object",
        }
    }

    /// A whole number, which True and False are too.
    pub(super) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Bool(on) => Some(i128::from(*on)),
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as Python does it")]
    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.as_int().map(|number| number as f64),
        }
    }

    /// The value as a key of a mapping; `None` when it can be none.
    pub(super) fn as_key(&self) -> Option<yaml::Value> {
        Some(match self {
            Self::None => yaml::Value::Null,
            Self::Bool(on) => yaml::Value::Bool(*on),
            Self::Int(number) => yaml::Value::Int(*number),
            Self::Float(number) => yaml::Value::Float(*number),
            Self::Str(text) => yaml::Value::from(&**text),
            _ => return None,
        })
    }

    /// True if Python's `==` holds.
    pub(super) fn is_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undefined(_), Self::Undefined(_)) | (Self::None, Self::None) => true,
            (Self::Str(one), Self::Str(other)) => one == other,
            (Self::List(one), Self::List(other)) | (Self::Tuple(one), Self::Tuple(other)) => {
                let (one, other) = (one.items.borrow(), other.items.borrow());
                one.len() == other.len()
                    && one.iter().zip(other.iter()).all(|(one, other)| one.is_equal(other))
            }
            (Self::Range(..), Self::Range(..)) => self.range_items() == other.range_items(),
            (Self::Dict(one), Self::Dict(other)) => {
                let (one, other) = (one.pairs.borrow(), other.pairs.borrow());
                let same = |(key, value): &(yaml::Value, Self)| {
                    other.get_key(key).is_some_and(|other| value.is_equal(other))
                };
                one.len() == other.len() && one.iter().all(same)
            }
            (Self::Object(one), Self::Object(other)) => Rc::ptr_eq(one, other),
            _ => match (self.as_int(), other.as_int()) {
                (Some(one), Some(other)) => one == other,
                _ => match (self.as_float(), other.as_float()) {
                    (Some(one), Some(other)) => one.partial_cmp(&other) == Some(Ordering::Equal),
                    _ => false,
                },
            },
        }
    }

    fn range_items(&self) -> Option<(i128, i128, i128)> {
        let Self::Range(start, end, step) = *self else { return None };
        let length = range_length(start, end, step);
        Some((length, if length == 0 { 0 } else { start }, if length < 2 { 0 } else { step }))
    }

    /// A copy that shares nothing that can be changed.
    pub(super) fn deep_copy(&self) -> Self {
        match self {
            Self::List(items) => Self::list(items.items.borrow().iter().map(Self::deep_copy).collect()),
            Self::Tuple(items) => Self::tuple(items.items.borrow().iter().map(Self::deep_copy).collect()),
            Self::Dict(dict) => {
                let pairs = dict.pairs.borrow();
                Self::dict(pairs.iter().map(|(key, value)| (key.clone(), value.deep_copy())).collect())
            }
            other => other.clone(),
        }
    }
}

/// The number of items in a range.
pub(super) fn range_length(start: i128, end: i128, step: i128) -> i128 {
    let distance = if step > 0 { end.saturating_sub(start) } else { start.saturating_sub(end) };
    let step = step.saturating_abs().max(1);
    if distance <= 0 { 0 } else { (distance - 1) / step + 1 }
}

impl Items {
    fn new(items: Vec<Value>) -> Rc<Self> {
        let depth = items.iter().map(|item| item.depth() + 1).max().unwrap_or(1);
        Rc::new(Self { items: RefCell::new(items), depth: Cell::new(depth) })
    }

    /// Notes how deep what comes in is nested.
    pub(super) fn deepen(&self, value: &Value) {
        self.depth.set(self.depth.get().max(value.depth() + 1));
    }
}

impl Dict {
    /// Notes how deep what comes in is nested.
    pub(super) fn deepen(&self, value: &Value) {
        self.depth.set(self.depth.get().max(value.depth() + 1));
    }
}

impl From<&yaml::Value> for Value {
    fn from(value: &yaml::Value) -> Self {
        match value {
            yaml::Value::Null => Self::None,
            yaml::Value::Bool(on) => Self::Bool(*on),
            yaml::Value::Int(number) => Self::Int(*number),
            yaml::Value::Float(number) => Self::Float(*number),
            yaml::Value::Str(text) | yaml::Value::Time(text) => Self::str(text),
            yaml::Value::Binary(bytes) => Self::str(String::from_utf8_lossy(bytes)),
            yaml::Value::Seq(items) | yaml::Value::Set(items) => {
                Self::list(items.iter().map(Self::from).collect())
            }
            yaml::Value::Map(mapping) => {
                Self::dict(mapping.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
            }
        }
    }
}

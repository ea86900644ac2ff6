//! Tests: `value is name(arguments)`.

use super::ast::Comparison;
use super::call::Given;
use super::value::{Object, Value};
use super::{Failure, Machine, filters, methods};

type Test = fn(&Machine, &Value, &Given) -> Result<bool, Failure>;

const ALL: &[(&str, Test)] = &[
    ("defined", |_, value, _| Ok(!matches!(value, Value::Undefined(_)))),
    ("undefined", |_, value, _| Ok(matches!(value, Value::Undefined(_)))),
    ("none", |_, value, _| Ok(matches!(value, Value::None))),
    ("boolean", |_, value, _| Ok(matches!(value, Value::Bool(_)))),
    ("true", |_, value, _| Ok(matches!(value, Value::Bool(true)))),
    ("false", |_, value, _| Ok(matches!(value, Value::Bool(false)))),
    ("integer", |_, value, _| Ok(matches!(value, Value::Int(_)))),
    ("float", |_, value, _| Ok(matches!(value, Value::Float(_)))),
    ("number", |_, value, _| Ok(value.as_float().is_some())),
    ("string", |_, value, _| Ok(matches!(value, Value::Str(_)))),
    ("mapping", |_, value, _| Ok(matches!(value, Value::Dict(_)))),
    ("sequence", |machine, value, _| Ok(machine.length(value).is_ok())),
    ("iterable", |_, value, _| {
        Ok(!matches!(
            value,
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Object(_)
        ))
    }),
    ("callable", |_, value, _| match value {
        Value::Object(object) => Ok(!matches!(&**object, Object::Namespace(_) | Object::Cycler(..))),
        _ => Ok(matches!(value, Value::Undefined(_))),
    }),
    ("sameas", |_, value, given| {
        let same = |other: &Value| {
            let missing = matches!(value, Value::Undefined(_));
            !missing && value.type_name() == other.type_name() && value.is_equal(other)
        };
        Ok(given.positional.first().is_some_and(same))
    }),
    ("odd", |machine, value, _| remainder(machine, value, &Value::Int(2)).map(|rest| rest == 1)),
    ("even", |machine, value, _| remainder(machine, value, &Value::Int(2)).map(|rest| rest == 0)),
    ("divisibleby", |machine, value, given| {
        remainder(machine, value, given.get(0, "num").unwrap_or(&Value::None)).map(|rest| rest == 0)
    }),
    ("lower", |machine, value, _| Ok(methods::is_lower(&machine.text(value)?))),
    ("upper", |machine, value, _| Ok(methods::is_upper(&machine.text(value)?))),
    ("escaped", |_, _, _| Ok(false)),
    ("filter", |machine, value, _| Ok(filters::find(&machine.text(value)?).is_some())),
    ("test", |machine, value, _| {
        let name = machine.text(value)?;
        Ok(ALL.iter().any(|(own, _)| *own == name) || comparison(&name).is_some())
    }),
];

const COMPARISONS: &[(&str, Comparison)] = &[
    ("==", Comparison::Equal),
    ("eq", Comparison::Equal),
    ("equalto", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("ne", Comparison::Unequal),
    ("<", Comparison::Less),
    ("lt", Comparison::Less),
    ("lessthan", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    ("le", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    ("gt", Comparison::Greater),
    ("greaterthan", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
    ("ge", Comparison::GreaterOrEqual),
    ("in", Comparison::In),
];

fn comparison(name: &str) -> Option<Comparison> {
    COMPARISONS.iter().find(|(own, _)| *own == name).map(|(_, comparison)| *comparison)
}

fn remainder(machine: &Machine, value: &Value, by: &Value) -> Result<i128, Failure> {
    let rest = machine.binary(super::ast::Operator::Remainder, &machine.number(value)?, by)?;
    // A rest that is no whole number is neither 0 nor 1.
    Ok(rest.as_int().unwrap_or(match rest {
        Value::Float(0.0) => 0,
        Value::Float(1.0) => 1,
        _ => 2,
    }))
}

impl Machine {
    pub(super) fn test(&self, name: &str, value: &Value, given: Given) -> Result<bool, Failure> {
        self.pay(1)?;
        if let Some(comparison) = comparison(name) {
            let other =
                given.positional.first().ok_or_else(|| Failure::new(format!("`is {name}` needs a value")))?;
            return self.compare(comparison, value, other);
        }
        match ALL.iter().find(|(own, _)| *own == name) {
            Some((_, test)) => test(self, value, &given),
            None => Err(Failure::new(format!("there is no test `is {name}`"))),
        }
    }
}

//! Operators.

use super::ast::{Comparison, Operator};
use super::value::{Value, range_length};
use super::{Failure, Machine, percent};
use std::cmp::Ordering;

const HUGE: &str = "a whole number of more than 127 bits";

impl Machine {
    pub(super) fn binary(&self, operator: Operator, left: &Value, right: &Value) -> Result<Value, Failure> {
        if let (Value::Undefined(undefined), Operator::Subtract) = (left, operator) {
            let one = undefined.name.as_deref().unwrap_or_default();
            let other = right.text().replace(super::MISSING, "");
            return Err(Failure::new(format!(
                "undefined variable `{one}-{other}`: a `-` subtracts (perhaps you mean `{one}_{other}`)"
            )));
        }
        match (operator, left, right) {
            (Operator::Remainder, Value::Str(form), _) => percent::format(self, form, right).map(Value::str),
            (_, Value::Undefined(undefined), _) | (_, _, Value::Undefined(undefined)) => {
                Err(Failure::new(undefined.told()))
            }
            (Operator::Add, Value::Str(one), Value::Str(other)) => self.joined(&[one, other]),
            (Operator::Add, Value::List(one), Value::List(other)) => {
                let (one, other) = (one.items.borrow(), other.items.borrow());
                self.list(one.iter().chain(other.iter()).cloned().collect())
            }
            (Operator::Add, Value::Tuple(one), Value::Tuple(other)) => {
                let (one, other) = (one.items.borrow(), other.items.borrow());
                self.pay_items(one.len() + other.len())?;
                Ok(Value::tuple(one.iter().chain(other.iter()).cloned().collect()))
            }
            (Operator::Multiply, Value::Str(text), count) | (Operator::Multiply, count, Value::Str(text))
                if count.as_int().is_some() =>
            {
                let count = times(count);
                self.pay_bytes(text.len().saturating_mul(count))?;
                Ok(Value::str(text.repeat(count)))
            }
            (Operator::Multiply, Value::List(list), count)
            | (Operator::Multiply, count, Value::List(list))
                if count.as_int().is_some() =>
            {
                let (count, items) = (times(count), list.items.borrow());
                self.pay_items(items.len().saturating_mul(count))?;
                Ok(Value::list(std::iter::repeat_n(items.iter().cloned(), count).flatten().collect()))
            }
            _ => number(operator, left, right),
        }
    }

    pub(super) fn compare(&self, how: Comparison, left: &Value, right: &Value) -> Result<bool, Failure> {
        self.pay_shown(left, 0)?;
        self.pay_shown(right, 0)?;
        let order = || -> Result<Option<Ordering>, Failure> { self.order(left, right) };
        Ok(match how {
            Comparison::Equal => left.is_equal(right),
            Comparison::Unequal => !left.is_equal(right),
            Comparison::Less => order()? == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(order()?, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order()? == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => matches!(order()?, Some(Ordering::Greater | Ordering::Equal)),
            Comparison::In => self.contains(right, left)?,
            Comparison::NotIn => !self.contains(right, left)?,
        })
    }

    /// Compares two values; `None` where one of them is NaN.
    pub(super) fn order(&self, left: &Value, right: &Value) -> Result<Option<Ordering>, Failure> {
        self.pay(1)?;
        if let Value::Str(text) = left {
            self.pay_bytes(text.len())?;
        }
        match (left, right) {
            (Value::Undefined(undefined), _) | (_, Value::Undefined(undefined)) => {
                Err(Failure::new(undefined.told()))
            }
            (Value::Str(one), Value::Str(other)) => Ok(Some(one.cmp(other))),
            (Value::List(one), Value::List(other)) | (Value::Tuple(one), Value::Tuple(other)) => {
                let (one, other) = (one.items.borrow(), other.items.borrow());
                for (one, other) in one.iter().zip(other.iter()) {
                    if !one.is_equal(other) {
                        return self.order(one, other);
                    }
                }
                Ok(Some(one.len().cmp(&other.len())))
            }
            _ => match (left.as_int(), right.as_int(), left.as_float(), right.as_float()) {
                (Some(one), Some(other), ..) => Ok(Some(one.cmp(&other))),
                (_, _, Some(one), Some(other)) => Ok(one.partial_cmp(&other)),
                _ => {
                    let (one, other) = (left.type_name(), right.type_name());
                    Err(Failure::new(format!("{one} and {other} cannot be compared by size")))
                }
            },
        }
    }

    pub(super) fn contains(&self, holder: &Value, item: &Value) -> Result<bool, Failure> {
        match (holder, item) {
            (Value::Str(text), Value::Str(part)) => Ok(text.contains(&**part)),
            (Value::Str(_), other) => {
                Err(Failure::new(format!("a text is searched for a text, and this is {}", other.type_name())))
            }
            (Value::Dict(dict), key) => {
                Ok(key.as_key().is_some_and(|key| dict.pairs.borrow().get_key(&key).is_some()))
            }
            _ => Ok(self.items(holder)?.iter().any(|own| own.is_equal(item))),
        }
    }

    /// The values that a loop goes through.
    pub(super) fn items(&self, value: &Value) -> Result<Vec<Value>, Failure> {
        let items: Vec<Value> = match value {
            Value::Undefined(_) => Vec::new(),
            Value::List(items) | Value::Tuple(items) => items.items.borrow().clone(),
            Value::Str(text) => {
                self.pay_items(text.chars().count())?;
                text.chars().map(|character| Value::str(character.to_string())).collect()
            }
            Value::Dict(dict) => dict.pairs.borrow().iter().map(|(key, _)| Value::from(key)).collect(),
            Value::Range(start, _, step) => {
                let length = self.length(value)?;
                self.pay_items(length)?;
                (0..length)
                    .map(|place| Value::Int(start + step * i128::try_from(place).unwrap_or_default()))
                    .collect()
            }
            other => return Err(Failure::new(format!("{} has no items to go through", other.type_name()))),
        };
        self.pay_items(items.len())?;
        Ok(items)
    }

    pub(super) fn length(&self, value: &Value) -> Result<usize, Failure> {
        Ok(match value {
            Value::Undefined(_) => 0,
            Value::Str(text) => {
                self.pay_bytes(text.len())?;
                text.chars().count()
            }
            Value::List(items) | Value::Tuple(items) => items.items.borrow().len(),
            Value::Dict(dict) => dict.pairs.borrow().len(),
            Value::Range(start, end, step) => {
                usize::try_from(range_length(*start, *end, *step)).unwrap_or(usize::MAX)
            }
            other => return Err(Failure::new(format!("{} has no length", other.type_name()))),
        })
    }
}

fn times(count: &Value) -> usize {
    usize::try_from(count.as_int().unwrap_or_default().max(0)).unwrap_or(usize::MAX)
}

fn number(operator: Operator, left: &Value, right: &Value) -> Result<Value, Failure> {
    let wrong = || {
        let (one, other) = (left.type_name(), right.type_name());
        Failure::new(format!("{operator:?} does not go with {one} and {other}"))
    };
    if let (Some(one), Some(other)) = (left.as_int(), right.as_int()) {
        let whole = match operator {
            Operator::Add => one.checked_add(other),
            Operator::Subtract => one.checked_sub(other),
            Operator::Multiply => one.checked_mul(other),
            Operator::DivideFloor | Operator::Remainder | Operator::Divide if other == 0 => {
                return Err(Failure::new("division by zero"));
            }
            Operator::DivideFloor => one.checked_div_euclid(other).map(|quotient| {
                // Towards minus infinity, not so that the rest is positive.
                if other < 0 && one.checked_rem_euclid(other).is_some_and(|rest| rest != 0) {
                    quotient - 1
                } else {
                    quotient
                }
            }),
            Operator::Remainder => one
                .checked_rem_euclid(other)
                .map(|rest| if other < 0 && rest != 0 { rest + other } else { rest }),
            Operator::Power if other >= 0 => {
                u32::try_from(other).ok().and_then(|power| one.checked_pow(power))
            }
            _ => None,
        };
        let inexact = operator == Operator::Divide || (operator == Operator::Power && other < 0);
        if !inexact {
            return whole.map(Value::Int).ok_or_else(|| Failure::new(HUGE));
        }
    }
    let (Some(one), Some(other)) = (left.as_float(), right.as_float()) else { return Err(wrong()) };
    if other == 0.0 && matches!(operator, Operator::Divide | Operator::DivideFloor | Operator::Remainder) {
        return Err(Failure::new("division by zero"));
    }
    Ok(Value::Float(match operator {
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one * other,
        Operator::Divide => one / other,
        Operator::DivideFloor => (one / other).floor(),
        Operator::Remainder => one - other * (one / other).floor(),
        Operator::Power => one.powf(other),
    }))
}

//! Filters: `value | name(arguments)`. To add one: a line in one of the tables.

mod list;
mod number;
mod other;
mod text;

use super::call::Given;
use super::value::Value;
use super::{Failure, Machine};

pub(super) use list::sorted;
pub(super) use other::pairs_of;

type Filtered = Result<Value, Failure>;

/// A filter's function: it gets the value and the arguments.
type Filter = fn(&Machine, &Value, &Given) -> Filtered;

type Named = (&'static str, Filter);

impl Machine {
    pub(super) fn filter(&self, name: &str, value: Value, given: Given) -> Filtered {
        self.pay(1)?;
        match find(name) {
            Some(filter) => filter(self, &value, &given).map_err(|mut failure| {
                failure.problem = format!("`{name}`: {}", failure.problem);
                failure
            }),
            None => Err(Failure::new(format!("there is no filter `{name}`"))),
        }
    }
}

/// The filter of a name.
pub(super) fn find(name: &str) -> Option<Filter> {
    let tables = [text::ALL, list::ALL, number::ALL, other::ALL];
    tables.into_iter().flatten().find(|(own, _)| *own == name).map(|(_, filter)| *filter)
}

impl Given {
    /// A text among the arguments.
    fn text(&self, machine: &Machine, place: usize, name: &str) -> Result<Option<String>, Failure> {
        match self.get(place, name) {
            None | Some(Value::None) => Ok(None),
            Some(value) => machine.text(value).map(Some),
        }
    }

    /// A whole number among the arguments.
    fn whole(&self, machine: &Machine, place: usize, name: &str) -> Result<Option<i128>, Failure> {
        match self.get(place, name) {
            None | Some(Value::None) => Ok(None),
            Some(value) => machine.whole(value).map(Some),
        }
    }

    /// A length among the arguments, which is no more than a text may have.
    fn length(&self, machine: &Machine, place: usize, name: &str, default: usize) -> Result<usize, Failure> {
        let number = self.whole(machine, place, name)?;
        let length = number.map_or(default, |number| usize::try_from(number.max(0)).unwrap_or(usize::MAX));
        machine.pay_bytes(length)?;
        Ok(length)
    }
}

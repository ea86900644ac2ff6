//! JSON patches (RFC 6902) of the configuration, as the library that cloud-init uses applies them.

mod json;
mod pointer;

pub(crate) use json::parse_json;

use crate::yaml::{Allowance, Mapping, Value};
use anyhow::{Context, Result, bail};
use pointer::Pointer;

/// The first line of such a part, which is not JSON.
const MARKER: &str = "#cloud-config-jsonp";

/// Operations in their order.
#[derive(Debug)]
pub(super) struct Patch(Vec<(usize, Operation)>);

#[derive(Debug)]
enum Operation {
    Add(Pointer, Value),
    Remove(Pointer),
    Replace(Pointer, Value),
    Move { from: Pointer, to: Pointer },
    Copy { from: Pointer, to: Pointer },
    Test(Pointer, Value),
}

impl Patch {
    /// Reads the text of a part.
    pub(super) fn parse(payload: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(payload).context("read the JSON patch: it is no UTF-8")?;
        let text = text.trim_start();
        let skipped = payload.len() - text.len();
        let json = text.strip_prefix(MARKER).unwrap_or(text);
        let whole = std::str::from_utf8(payload.get(..skipped).unwrap_or_default())?.to_owned();
        let before = whole + text.get(..text.len() - json.len()).unwrap_or_default();
        let operations = match json::parse(json, &before, object).context("read the JSON patch")? {
            Value::Seq(operations) => operations,
            other => bail!("read the JSON patch: it is {} and no list of operations", other.kind()),
        };
        let read = |(number, operation): (usize, Value)| {
            let operation = Operation::read(&operation)
                .with_context(|| format!("operation {number} of the JSON patch"))?;
            Ok((number, operation))
        };
        Ok(Self((1..).zip(operations).map(read).collect::<Result<_>>()?))
    }

    /// Applies all operations to a document, or none; returns it with the rest of the allowance.
    pub(super) fn apply(self, document: Value, allowance: Allowance) -> Result<(Value, Allowance)> {
        let mut state = Patching { document, allowance };
        for (number, operation) in self.0 {
            state.apply(operation).with_context(|| format!("operation {number} of the JSON patch"))?;
        }
        Ok((state.document, state.allowance))
    }
}

impl Operation {
    fn read(operation: &Value) -> Result<Self> {
        let Value::Map(members) = operation else { bail!("it is {} and no mapping", operation.kind()) };
        let pointer = |name: &str| -> Result<Pointer> {
            match members.get(name) {
                Some(Value::Str(text)) => Pointer::parse(text),
                _ => bail!("it has no text `{name}`"),
            }
        };
        let value = || members.get("value").cloned().context("it has no `value`");
        let Some(op) = members.get("op").and_then(Value::as_str) else { bail!("it has no text `op`") };
        let path = pointer("path")?;
        Ok(match op {
            "add" => Self::Add(path, value()?),
            "remove" => Self::Remove(path),
            "replace" => Self::Replace(path, value()?),
            "move" => Self::Move { from: pointer("from")?, to: path },
            "copy" => Self::Copy { from: pointer("from")?, to: path },
            "test" => Self::Test(path, value()?),
            _ => bail!("there is no operation `{op}`"),
        })
    }
}

struct Patching {
    document: Value,
    allowance: Allowance,
}

impl Patching {
    fn apply(&mut self, operation: Operation) -> Result<()> {
        match operation {
            Operation::Add(path, value) => self.add(&path, value),
            Operation::Remove(path) => path.remove(&mut self.document).map(drop),
            Operation::Replace(path, value) => {
                self.pay(&value, &path)?;
                *path.find_mut(&mut self.document)? = value;
                Ok(())
            }
            Operation::Move { from, to } => {
                if from == to {
                    return from.find_mut(&mut self.document).map(drop);
                }
                if to.is_below(&from) {
                    bail!("`{from}` cannot be moved below itself");
                }
                let value = from.remove(&mut self.document)?;
                self.add(&to, value)
            }
            Operation::Copy { from, to } => {
                if from.is_root() {
                    bail!("the whole document cannot be copied");
                }
                // Paid before it is made.
                self.allowance
                    .take(from.find_mut(&mut self.document)?, 0)
                    .map_err(anyhow::Error::msg)
                    .with_context(|| format!("copy `{from}`"))?;
                let value = from.find_mut(&mut self.document)?.clone();
                self.add(&to, value)
            }
            Operation::Test(path, expected) => {
                if path.find_mut(&mut self.document)?.is_equal(&expected) {
                    Ok(())
                } else {
                    bail!("`{path}` is not what the test expects")
                }
            }
        }
    }

    fn add(&mut self, path: &Pointer, value: Value) -> Result<()> {
        self.pay(&value, path)?;
        path.add(&mut self.document, value)
    }

    fn pay(&mut self, value: &Value, path: &Pointer) -> Result<()> {
        self.allowance
            .take(value, path.depth())
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("put a value at `{path}`"))
    }
}

/// An object in which a name stands twice holds a list of both values, as that library has it.
fn object(pairs: Vec<(String, Value)>) -> Mapping {
    let mut mapping = Mapping::default();
    let mut lists: Mapping = Mapping::default();
    for (name, value) in pairs {
        let key = Value::from(name);
        match (lists.get_mut(&key), mapping.get_key(&key)) {
            (Some(Value::Seq(values)), _) => values.push(value),
            (_, Some(first)) => lists.insert(key, Value::Seq(vec![first.clone(), value])),
            _ => mapping.insert(key, value),
        }
    }
    for (key, values) in lists {
        mapping.insert(key, values);
    }
    mapping
}

#[cfg(test)]
mod tests;

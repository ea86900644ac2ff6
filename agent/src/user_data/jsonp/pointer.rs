//! JSON pointers (RFC 6901).

use crate::yaml::Value;
use anyhow::{Context, Result, bail};
use std::fmt;

/// A place in a document: the names and numbers that lead there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let Some(names) = text.strip_prefix('/') else {
            if text.is_empty() {
                return Ok(Self(Vec::new()));
            }
            bail!("the path `{text}` does not begin with `/`");
        };
        let bad = |rest: &str| !rest.starts_with(['0', '1']);
        if text.split('~').skip(1).any(bad) {
            bail!("the path `{text}` has a `~` that is neither `~0` nor `~1`");
        }
        Ok(Self(names.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()))
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_below(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }

    /// The value there.
    pub(super) fn find_mut<'a>(&self, document: &'a mut Value) -> Result<&'a mut Value> {
        self.0.iter().try_fold(document, |value, name| self.step(value, name))
    }

    /// Puts a value there: into a mapping, or before an item of a list (`-` is its end).
    pub(super) fn add(&self, document: &mut Value, value: Value) -> Result<()> {
        let Some((parent, last)) = self.parent(document)? else {
            *document = value;
            return Ok(());
        };
        match parent {
            Value::Map(mapping) => mapping.insert(last.into(), value),
            Value::Seq(items) if last == "-" => items.push(value),
            Value::Seq(items) => {
                let place = number(last)?;
                if place > items.len() {
                    bail!("`{self}` is outside of the list");
                }
                items.insert(place, value);
            }
            other => bail!("`{self}` is in {}, which takes nothing in", other.kind()),
        }
        Ok(())
    }

    /// Takes the value there out.
    pub(super) fn remove(&self, document: &mut Value) -> Result<Value> {
        let Some((parent, last)) = self.parent(document)? else {
            bail!("the whole document cannot be taken away");
        };
        let removed = match parent {
            Value::Map(mapping) => mapping.remove(&last.into()),
            Value::Seq(items) => {
                let place = number(last)?;
                (place < items.len()).then(|| items.remove(place))
            }
            _ => None,
        };
        removed.with_context(|| format!("there is no `{self}`"))
    }

    fn parent<'a>(&self, document: &'a mut Value) -> Result<Option<(&'a mut Value, &str)>> {
        let Some((last, names)) = self.0.split_last() else { return Ok(None) };
        let parent = names.iter().try_fold(document, |value, name| self.step(value, name))?;
        Ok(Some((parent, last)))
    }

    fn step<'a>(&self, value: &'a mut Value, name: &str) -> Result<&'a mut Value> {
        let found = match value {
            Value::Map(mapping) => mapping.get_mut(&name.into()),
            Value::Seq(items) => items.get_mut(number(name)?),
            _ => None,
        };
        found.with_context(|| format!("there is no `{self}`"))
    }
}

fn number(name: &str) -> Result<usize> {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    match name.parse() {
        Ok(number) if digits && (name.len() == 1 || !name.starts_with('0')) => Ok(number),
        _ => bail!("`{name}` is no place in a list"),
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|name| write!(out, "/{}", name.replace('~', "~0").replace('/', "~1")))
    }
}

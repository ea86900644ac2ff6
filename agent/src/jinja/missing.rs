//! Names in a template that are not defined: the message names them, and what there is in their place.

use super::ast::Expr;
use super::value::{Undefined, Value};
use std::rc::Rc;

/// The most names that a message lists, and the most that are looked at for it.
const MOST_TOLD: usize = 12;
const MOST_LOOKED_AT: usize = 200;

/// Adds to a missing value where it was looked for.
pub(super) fn within(value: Value, owner: &Expr, place: Value) -> Value {
    match (value, path(owner)) {
        (Value::Undefined(undefined), Some(path))
            if matches!(place, Value::Dict(_)) && undefined.within.is_none() =>
        {
            let Undefined { name, problem, .. } = &*undefined;
            Value::Undefined(Rc::new(Undefined {
                name: name.clone(),
                problem: problem.clone(),
                within: Some((path, place)),
            }))
        }
        (value, _) => value,
    }
}

/// The names that lead to a value, as a template writes them.
fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.clone()),
        Expr::Attribute(owner, name) => Some(format!("{}.{name}", path(owner)?)),
        Expr::Item(owner, index) => match &**index {
            Expr::Literal(name @ Value::Str(_)) => Some(format!("{}.{}", path(owner)?, name.text())),
            _ => None,
        },
        _ => None,
    }
}

impl Undefined {
    /// The message: the missing name, and the names beside it.
    pub(super) fn told(&self) -> String {
        let (Some(name), Some((path, Value::Dict(dict)))) = (&self.name, &self.within) else {
            return self.problem.clone();
        };
        let pairs = dict.pairs.borrow();
        let keys = pairs.iter().take(MOST_LOOKED_AT).filter_map(|(key, _)| key.as_str());
        format!("`{path}` has no `{name}` (there is: {})", listed(keys))
    }
}

/// The message for a name that no place knows.
pub(super) fn at_the_top(name: &str) -> String {
    format!("`{name}` is undefined (there is: ds, sys_info, merged_system_cfg, v1 and the names in it)")
}

/// Names in a message.
fn listed<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    // A name that a template cannot write has a second one, or is asked for in another way.
    let plain = |key: &&str| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let mut keys: Vec<&str> = keys.filter(plain).filter(|key| !key.starts_with('_')).collect();
    keys.sort_unstable();
    let more = keys.len().saturating_sub(MOST_TOLD);
    keys.truncate(MOST_TOLD);
    match (keys.as_slice(), more) {
        ([], _) => "nothing".to_owned(),
        (keys, 0) => keys.join(", "),
        (keys, more) => format!("{} and {more} more", keys.join(", ")),
    }
}

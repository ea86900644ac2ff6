//! The users and groups that a configuration asks for: one table by name, made before anything is planned.
//!
//! `table` reads the users and `groups` the groups. `account` turns one user into calls of useradd and its family.

mod account;
mod doas;
mod groups;
mod guard;
mod options;
mod password;
mod table;

pub(crate) use account::Plan;
pub(crate) use groups::Group;
pub(crate) use guard::{guarded, no_key, options as key_options};

use crate::yaml::{Mapping, Value};

/// The name that stands for the system's default user, whatever that is called.
const DEFAULT: &str = "default";

/// Said of an entry with `snapuser`.
pub(crate) const NO_SNAP_USER: &str = "it is not made: the agent makes no snap user";

/// Everybody whom a configuration asks for.
#[derive(Default, Debug)]
pub(crate) struct People {
    /// In the order in which they are made: the default user comes last.
    pub(crate) users: Vec<Person>,
    /// The groups that are asked for by themselves.
    pub(crate) groups: Vec<Group>,
    /// The default user's name, where one is wanted and known. The keys at the top and the platform's are for this one.
    pub(crate) default: Option<String>,
    /// The settings that were left out, and why.
    pub(crate) problems: Vec<String>,
    /// The settings that are valid, and have no effect.
    pub(crate) idle: Vec<String>,
}

/// One user with all that was said of it anywhere.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Person {
    /// The login name.
    pub(crate) name: String,
    /// The entry of `users` that names it first, counted from 1.
    pub(crate) entry: Option<usize>,
    /// The settings that are wanted, by key.
    pub(crate) settings: Mapping,
}

impl People {
    /// The table of a configuration.
    pub(crate) fn read(config: &Mapping) -> Self {
        let mut people = Self::default();
        table::read(config, &mut people);
        people.groups = groups::read(config.get("groups"), &mut people.problems);
        people
    }
}

impl Person {
    /// A setting as a text; `None` where it is missing or empty.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.settings.get(key).and_then(Value::scalar_text).filter(|text| !text.is_empty())
    }

    /// True if a switch is on.
    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.settings.get(key).is_some_and(Value::is_on)
    }

    /// A message about this user, with its place.
    pub(crate) fn problem(&self, message: &str) -> String {
        let entry = self.entry.map(|number| format!("entry {number}: ")).unwrap_or_default();
        format!("{entry}{}: {message}", self.name)
    }
}

/// True if the system's own configuration names a default user.
pub(crate) fn system_has_default(config: &Mapping) -> bool {
    table::system_default(config).is_some_and(|user| user.get("name").is_some())
}

/// The words of a list, or of a text with commas between.
pub(crate) fn words(value: &Value) -> Vec<String> {
    let words: Vec<String> = match value {
        Value::Str(text) => text.split(',').map(str::to_owned).collect(),
        Value::Seq(items) => items.iter().flat_map(words).collect(),
        Value::Map(mapping) => mapping.iter().filter_map(|(key, _)| key.scalar_text()).collect(),
        other => other.scalar_text().into_iter().collect(),
    };
    words.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// A name that a program would take for an option or a number, or that is a line of its own, is no name.
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-$@".contains(&byte) || byte >= 0x80;
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    !name.is_empty() && !is_number && !name.starts_with('-') && name.len() <= 256 && name.bytes().all(good)
}

/// The message for what is no name.
fn no_name(name: &str) -> String {
    format!("`{}` is no name for a user or a group", name.escape_debug())
}

#[cfg(test)]
mod tests;

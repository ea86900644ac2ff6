//! `users`, `user` and the system's default user -> one table by name, as cloud-init's `ug_util` makes it.

use super::{DEFAULT, NO_SNAP_USER, People, Person, is_name, no_name, words};
use crate::system_config::over;
use crate::yaml::{Mapping, Value};

/// Fills in the users, the default user's name and the problems.
pub(super) fn read(config: &Mapping, people: &mut People) {
    let own = own_default(config, people);
    let mut rows = rows(config, people);
    if let Some(user) = &own
        && !user.is_empty()
    {
        rows.add(DEFAULT, None, Mapping::default());
    }
    let system = system_default(config).map(with_underscores).unwrap_or_default();
    let own = own.unwrap_or_default();
    let groups = joined_groups([&own, &system]);
    let mut default = over(own, &system);
    if !groups.is_empty() {
        default.set("groups", groups.join(","));
    }
    for row in &mut rows.0 {
        row.settings = with_underscores(&row.settings);
    }
    if let Some(wanted) = rows.take(DEFAULT) {
        add_default(wanted, default, &mut rows, people);
    }
    for row in rows.0 {
        if is_name(&row.name) {
            people.users.push(row);
        } else {
            let entry = row.entry.map(|number| format!("entry {number}: ")).unwrap_or_default();
            people.problems.push(format!("{entry}{}", no_name(&row.name)));
        }
    }
}

/// The default user in the system's own configuration.
pub(super) fn system_default(config: &Mapping) -> Option<&Mapping> {
    config.get("system_info")?.as_map()?.get("default_user")?.as_map()
}

/// `user`: a name or settings for the default user, who is wanted then.
fn own_default(config: &Mapping, people: &mut People) -> Option<Mapping> {
    match config.get("user")? {
        Value::Null => None,
        Value::Map(user) => Some(with_underscores(user)),
        Value::Str(name) if name.trim().is_empty() => None,
        Value::Str(name) => {
            let mut user = Mapping::default();
            user.set("name", name.trim());
            Some(user)
        }
        other => {
            people.problems.push(format!("user: it is {} and no name", other.kind()));
            None
        }
    }
}

/// Users in the order of their first appearance.
#[derive(Default)]
struct Rows(Vec<Person>);

impl Rows {
    /// Adds what is said of a user to what was said before, which wins.
    fn add(&mut self, name: &str, entry: Option<usize>, settings: Mapping) {
        match self.0.iter_mut().find(|row| row.name == name) {
            Some(row) => row.settings = over(std::mem::take(&mut row.settings), &settings),
            None => self.0.push(Person { name: name.to_owned(), entry, settings }),
        }
    }

    fn add_names(&mut self, names: &[String], entry: Option<usize>) {
        for name in names {
            self.add(name, entry, Mapping::default());
        }
    }

    fn take(&mut self, name: &str) -> Option<Person> {
        let place = self.0.iter().position(|row| row.name == name)?;
        Some(self.0.remove(place))
    }
}

/// Without the key there is the default user.
fn rows(config: &Mapping, people: &mut People) -> Rows {
    let mut rows = Rows::default();
    match config.get("users") {
        None if system_default(config).is_some() => rows.add(DEFAULT, None, Mapping::default()),
        None => {}
        Some(Value::Str(text)) => {
            let mut names = words(&Value::from(text.as_str()));
            names.sort();
            if names.is_empty() {
                people.idle.push("it is empty, so no user is made (`users: []` asks for none)".into());
            }
            rows.add_names(&names, None);
        }
        Some(Value::Map(users)) => {
            for (name, user) in users.iter() {
                under(name, user, &mut rows, people);
            }
        }
        Some(Value::Seq(items)) => {
            for (number, item) in (1..).zip(items) {
                add_entry(item, number, &mut rows, people);
            }
        }
        Some(other) => {
            people.problems.push(format!("it is {} and no list, so no user is made", other.kind()));
        }
    }
    rows
}

/// The user under a name: one that is switched on or described.
fn under(name: &Value, user: &Value, rows: &mut Rows, people: &mut People) {
    let name = name.scalar_text().unwrap_or_default();
    match user {
        Value::Map(user) => rows.add(&name, None, user.clone()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
            if user.is_on() {
                rows.add(&name, None, Mapping::default());
            } else if let Some(text) = user.as_str().filter(|_| !user.is_off()) {
                people.problems.push(format!(
                    "{name}: `{}` is no yes or no, so no user of this name is made (is a `- ` missing?)",
                    text.escape_debug()
                ));
            }
        }
        other => people.problems.push(format!("{name}: it is {} and no user", other.kind())),
    }
}

fn add_entry(item: &Value, number: usize, rows: &mut Rows, people: &mut People) {
    let mut problem = |message: String| people.problems.push(format!("entry {number}: {message}"));
    match item {
        Value::Str(_) => rows.add_names(&words(item), Some(number)),
        Value::Seq(names) if names.iter().all(|name| name.as_str().is_some()) => {
            rows.add_names(&words(item), Some(number));
        }
        Value::Map(user) => {
            let mut user = user.clone();
            match user.remove(&"name".into()) {
                Some(name) => match name.scalar_text().map(|name| name.trim().to_owned()) {
                    Some(name) if !name.is_empty() => rows.add(&name, Some(number), user),
                    _ => problem("it has no name".into()),
                },
                None if user.get("snapuser").is_some() => {
                    problem(format!("{NO_SNAP_USER} (give it a `name`, and take `snapuser` out)"));
                }
                None => {
                    problem("it has no name, so it describes the default user".into());
                    rows.add(DEFAULT, Some(number), user);
                }
            }
        }
        other => problem(format!("it is {} and no user", other.kind())),
    }
}

/// Puts together what is said under the default user's name, under `default`, in `user` and by the system. The first
/// wins, and the groups are joined.
fn add_default(wanted: Person, mut system: Mapping, rows: &mut Rows, people: &mut People) {
    let name = system.remove(&"name".into()).as_ref().and_then(Value::scalar_text);
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        let entry = wanted.entry.map(|number| format!("entry {number}: ")).unwrap_or_default();
        people.problems.push(format!(
            "{entry}`default`: this system's configuration names no default user, so none is made"
        ));
        return;
    };
    let named = rows.take(&name);
    let entry = named.as_ref().and_then(|row| row.entry).or(wanted.entry);
    let named = named.map(|row| row.settings).unwrap_or_default();
    let groups = joined_groups([&named, &wanted.settings, &system]);
    let mut settings = over(over(named, &wanted.settings), &system);
    settings.set("groups", Value::Seq(groups.into_iter().map(Value::from).collect()));
    people.default = Some(name.clone()).filter(|name| is_name(name));
    rows.0.push(Person { name, entry, settings });
}

/// The groups of all of them, sorted.
fn joined_groups<'a>(all: impl IntoIterator<Item = &'a Mapping>) -> Vec<String> {
    let groups = all.into_iter().filter_map(|settings| settings.get("groups"));
    let mut groups: Vec<String> = groups.flat_map(words).collect();
    groups.sort();
    groups.dedup();
    groups
}

/// A `-` in a key is an old way to write `_`.
fn with_underscores(user: &Mapping) -> Mapping {
    let underscored =
        |key: &Value| key.as_str().map_or_else(|| key.clone(), |key| key.replace('-', "_").trim().into());
    user.iter().map(|(key, value)| (underscored(key), value.clone())).collect()
}

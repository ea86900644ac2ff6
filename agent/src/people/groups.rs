//! `groups` at the top: names, lists of names, and mappings of names to members.

use super::{is_name, no_name, words};
use crate::yaml::Value;

/// A group and who is to be in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Group {
    /// The group's name.
    pub(crate) name: String,
    /// Names of users.
    pub(crate) members: Vec<String>,
}

/// The groups of the key, in their order. An entry that is no group is a problem.
pub(super) fn read(value: Option<&Value>, problems: &mut Vec<String>) -> Vec<Group> {
    let mut groups = Groups { all: Vec::new(), problems };
    match value {
        None | Some(Value::Null) => {}
        Some(Value::Seq(items)) => {
            for (number, item) in (1..).zip(items) {
                groups.entry(item, &format!("groups: entry {number}: "));
            }
        }
        Some(value) => groups.entry(value, "groups: "),
    }
    groups.all
}

struct Groups<'a> {
    all: Vec<Group>,
    problems: &'a mut Vec<String>,
}

impl Groups<'_> {
    fn entry(&mut self, value: &Value, place: &str) {
        match value {
            Value::Str(_) => words(value).iter().for_each(|name| self.add(name, &[], place)),
            Value::Map(groups) => {
                for (name, members) in groups.iter() {
                    let name = name.scalar_text().unwrap_or_default();
                    match members {
                        Value::Null | Value::Str(_) | Value::Seq(_) => {
                            self.add(&name, &words(members), place);
                        }
                        other => {
                            let kind = other.kind();
                            self.problems.push(format!("{place}{name}: it is {kind} and no list of members"));
                        }
                    }
                }
            }
            other => self.problems.push(format!("{place}it is {} and no group", other.kind())),
        }
    }

    fn add(&mut self, name: &str, members: &[String], place: &str) {
        if !is_name(name) {
            self.problems.push(format!("{place}{}", no_name(name)));
            return;
        }
        let place = self.all.iter().position(|group| group.name == name).unwrap_or_else(|| {
            self.all.push(Group { name: name.to_owned(), members: Vec::new() });
            self.all.len() - 1
        });
        if let Some(group) = self.all.get_mut(place) {
            let new: Vec<String> =
                members.iter().filter(|member| !group.members.contains(member)).cloned().collect();
            group.members.extend(new);
        }
    }
}

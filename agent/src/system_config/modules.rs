//! `cloud_init_modules`, `cloud_config_modules` and `cloud_final_modules`: which of cloud-init's modules an image
//! wants, and how often.

use crate::instance::Frequency;
use crate::yaml::{Mapping, Value};

const LISTS: [&str; 3] = ["cloud_init_modules", "cloud_config_modules", "cloud_final_modules"];

const FREQUENCIES: &[(&str, Frequency)] = &[
    ("always", Frequency::Boot),
    ("once-per-instance", Frequency::Instance),
    ("instance", Frequency::Instance),
    ("once", Frequency::Once),
];

/// Whether a module is to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// No list names it.
    No,
    /// As often as it is meant to.
    Yes,
    /// As often as its entry says.
    AsOften(Frequency),
}

/// What the lists say of a module, whose name may have `-` or `_`. Without any list all are wanted.
pub(crate) fn wanted(module: &str, config: &Mapping) -> Wanted {
    let mut lists = LISTS.iter().filter_map(|list| config.get(list)?.as_seq()).peekable();
    if lists.peek().is_none() {
        return Wanted::Yes;
    }
    lists.flatten().find_map(|entry| is_it(module, entry)).unwrap_or(Wanted::No)
}

fn is_it(module: &str, entry: &Value) -> Option<Wanted> {
    let (name, frequency) = match entry {
        Value::Str(name) => (name.as_str(), None),
        Value::Seq(words) => (words.first()?.as_str()?, words.get(1).and_then(Value::as_str)),
        Value::Map(map) => (map.get("name")?.as_str()?, map.get("frequency").and_then(Value::as_str)),
        _ => return None,
    };
    let plain = |name: &str| name.trim_end_matches(".py").replace('-', "_").to_lowercase();
    if plain(name) != plain(module) {
        return None;
    }
    let frequency = FREQUENCIES.iter().find(|(word, _)| Some(*word) == frequency);
    Some(frequency.map_or(Wanted::Yes, |(_, frequency)| Wanted::AsOften(*frequency)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system_config::SystemConfig;

    #[test]
    fn an_image_without_lists_wants_everything() {
        assert_eq!(wanted("runcmd", &Mapping::default()), Wanted::Yes);
    }

    #[test]
    fn a_list_names_modules_and_how_often_they_run() {
        let config = SystemConfig::parse(
            "{cloud_init_modules: [write-files, [users_groups, always]],
              cloud_final_modules: [{name: scripts-user, frequency: once}, 5, [], {a: b}]}",
        );
        let wanted = |name| wanted(name, config.mapping());
        assert_eq!(wanted("write_files"), Wanted::Yes);
        assert_eq!(wanted("users-groups"), Wanted::AsOften(Frequency::Boot));
        assert_eq!(wanted("scripts_user"), Wanted::AsOften(Frequency::Once));
        assert_eq!(wanted("runcmd"), Wanted::No);
    }
}

//! `cloud_init_modules`, `cloud_config_modules` and `cloud_final_modules`: which of cloud-init's modules an image
//! wants, and how often.

use crate::instance::Frequency;
use crate::yaml::{Mapping, Value};

const LISTS: [&str; 3] = [FIRST, CONFIG, FINAL];
const FIRST: &str = "cloud_init_modules";
const CONFIG: &str = "cloud_config_modules";
const FINAL: &str = "cloud_final_modules";

/// The list that a module is in unless an image has it elsewhere; all others are in the first.
const PLACES: &[(&str, &str)] = &[
    ("runcmd", CONFIG),
    ("set_passwords", CONFIG),
    ("scripts_vendor", FINAL),
    ("scripts_per_once", FINAL),
    ("scripts_per_boot", FINAL),
    ("scripts_per_instance", FINAL),
    ("scripts_user", FINAL),
    ("write_files_deferred", FINAL),
];

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

/// What the lists say of a module, whose name may have `-` or `_`. One that no list names is wanted where there is no
/// list that could: a user may give one list alone, and an image none.
pub(crate) fn wanted(module: &str, config: &Mapping) -> Wanted {
    let mut lists = LISTS.iter().filter_map(|list| config.get(list)?.as_seq());
    if let Some(named) = lists.find_map(|list| list.iter().find_map(|entry| is_it(module, entry))) {
        return named;
    }
    let own = PLACES.iter().find(|(name, _)| plain(name) == plain(module)).map_or(FIRST, |(_, list)| list);
    if config.get(own).is_some() { Wanted::No } else { Wanted::Yes }
}

fn plain(name: &str) -> String {
    name.trim_end_matches(".py").replace('-', "_").to_lowercase()
}

fn is_it(module: &str, entry: &Value) -> Option<Wanted> {
    let (name, frequency) = match entry {
        Value::Str(name) => (name.as_str(), None),
        Value::Seq(words) => (words.first()?.as_str()?, words.get(1).and_then(Value::as_str)),
        Value::Map(map) => (map.get("name")?.as_str()?, map.get("frequency").and_then(Value::as_str)),
        _ => return None,
    };
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
        assert_eq!(wanted("scripts_per_boot"), Wanted::No);
        assert_eq!(wanted("runcmd"), Wanted::Yes, "there is no list that could name it");
    }
}

//! The handlers of each stage, their order and their frequency. The table decides, unless the image's
//! `cloud_init_modules`, `cloud_config_modules` and `cloud_final_modules` say otherwise.

use crate::handlers::{ALL, Act, Handler, InRescue, Stage};
use crate::instance::Frequency;
use crate::yaml::{Mapping, Value};

/// The key of each stage's list.
const LISTS: [(Stage, &str); 3] = [
    (Stage::Init, "cloud_init_modules"),
    (Stage::Config, "cloud_config_modules"),
    (Stage::Final, "cloud_final_modules"),
];

const FREQUENCIES: &[(&str, Frequency)] = &[
    ("always", Frequency::Boot),
    ("once-per-instance", Frequency::Instance),
    ("instance", Frequency::Instance),
    ("once", Frequency::Once),
];

/// A handler at its place.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) handler: &'static Handler,
    pub(crate) stage: Stage,
    pub(crate) frequency: Frequency,
}

/// The handlers of all stages, in the order of their runs. A list names them by cloud-init's module names, with `-` or
/// `_`. Handlers of a stage without a list run there unless another list names them: a user may give one list alone.
pub(crate) fn schedule(config: &Mapping) -> Vec<Entry> {
    let lists =
        LISTS.map(|(stage, key)| (stage, config.get(key).map(|list| list.as_seq().unwrap_or_default())));
    let mut entries: Vec<Entry> = Vec::new();
    for (stage, list) in &lists {
        for (module, often) in list.iter().flat_map(|list| list.iter().filter_map(named)) {
            let is_new = |handler: &&Handler| {
                plain(handler.module) == module
                    && !entries.iter().any(|entry| entry.handler.semaphore == handler.semaphore)
            };
            let found: Vec<_> = ALL.iter().filter(is_new).collect();
            entries.extend(found.into_iter().map(|handler| Entry {
                handler,
                stage: if matches!(handler.act, Act::Later(_)) { handler.stage } else { *stage },
                frequency: often.unwrap_or(handler.frequency),
            }));
        }
    }
    for (stage, _) in lists.iter().filter(|(_, list)| list.is_none()) {
        let is_left = |handler: &&Handler| {
            handler.stage == *stage
                && !entries.iter().any(|entry| entry.handler.semaphore == handler.semaphore)
        };
        let left: Vec<_> = ALL.iter().filter(is_left).collect();
        entries.extend(left.into_iter().map(|handler| Entry {
            handler,
            stage: *stage,
            frequency: handler.frequency,
        }));
    }
    // Handlers of one stage keep their order among each other.
    entries.sort_by_key(|entry| Stage::ALL.iter().position(|stage| *stage == entry.stage));
    entries
}

/// The same for a rescue boot. An image may have been made without the modules that let its people in.
pub(crate) fn in_rescue(config: &Mapping) -> Vec<Entry> {
    let mut entries = schedule(config);
    for handler in ALL.iter().filter(|handler| handler.in_rescue == InRescue::Done) {
        if !entries.iter().any(|entry| entry.handler.semaphore == handler.semaphore) {
            entries.push(Entry { handler, stage: handler.stage, frequency: handler.frequency });
        }
    }
    entries
}

/// A module's name without what differs from version to version.
pub(crate) fn plain(name: &str) -> String {
    name.trim_end_matches(".py").trim_start_matches("cc_").replace('-', "_").to_lowercase()
}

fn named(entry: &Value) -> Option<(String, Option<Frequency>)> {
    let (name, frequency) = match entry {
        Value::Str(name) => (name.as_str(), None),
        Value::Seq(words) => (words.first()?.as_str()?, words.get(1).and_then(Value::as_str)),
        Value::Map(map) => (map.get("name")?.as_str()?, map.get("frequency").and_then(Value::as_str)),
        _ => return None,
    };
    let often = FREQUENCIES.iter().find(|(word, _)| Some(*word) == frequency);
    Some((plain(name), often.map(|(_, frequency)| *frequency)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;

    fn of(config: &str) -> Vec<Entry> {
        schedule(load(config).unwrap().as_map().unwrap())
    }

    fn modules(config: &str, stage: Stage) -> Vec<&'static str> {
        of(config).iter().filter(|entry| entry.stage == stage).map(|entry| entry.handler.module).collect()
    }

    #[test]
    fn an_image_without_lists_has_the_tables_order() {
        let entries = of("{}");
        assert_eq!(entries.len(), ALL.len());
        for stage in Stage::ALL {
            let expected: Vec<_> =
                ALL.iter().filter(|handler| handler.stage == stage).map(|handler| handler.module).collect();
            assert_eq!(modules("{}", stage), expected);
        }
        assert!(entries.iter().all(|entry| entry.frequency == entry.handler.frequency));
    }

    #[test]
    fn lists_choose_modules_their_order_and_how_often_they_run() {
        let lists = "{cloud_init_modules: [ssh, write-files, [users_groups, always], byobu],
            cloud_config_modules: [cc_set_hostname.py],
            cloud_final_modules: [{name: scripts-user, frequency: once}, 5, [], {a: b}]}";
        assert_eq!(modules(lists, Stage::Init), ["ssh", "ssh", "write_files", "users_groups"]);
        // Handlers that take long stay behind logins.
        assert_eq!(modules(lists, Stage::Config), ["ssh", "set_hostname"]);
        assert_eq!(modules(lists, Stage::Final), ["scripts_user"]);
        let often =
            |module: &str| of(lists).iter().find(|entry| entry.handler.module == module).unwrap().frequency;
        assert_eq!(often("users_groups"), Frequency::Boot);
        assert_eq!(often("scripts_user"), Frequency::Once);
        assert_eq!(often("ssh"), Frequency::Instance);
    }

    #[test]
    fn one_list_alone_leaves_the_other_stages_as_they_are() {
        let one = "cloud_final_modules: [[scripts-user, always]]";
        assert_eq!(modules(one, Stage::Final), ["scripts_user"]);
        assert_eq!(modules(one, Stage::Init), modules("{}", Stage::Init));
        // A module that one list names does not run in another stage as well.
        let moved = "cloud_config_modules: [ssh]";
        assert_eq!(modules(moved, Stage::Config), ["ssh", "ssh", "ssh"]);
        assert!(!modules(moved, Stage::Init).contains(&"ssh"));
        assert_eq!(modules("{cloud_init_modules: [], cloud_config_modules: 5}", Stage::Config), [""; 0]);
    }

    #[test]
    fn a_rescue_boot_lets_people_in_whatever_the_lists_say() {
        let config =
            load("{cloud_init_modules: [], cloud_config_modules: [], cloud_final_modules: []}").unwrap();
        let entries = in_rescue(config.as_map().unwrap());
        let expected =
            ALL.iter().filter(|handler| handler.in_rescue == InRescue::Done).map(|handler| handler.module);
        assert_eq!(
            entries.iter().map(|entry| entry.handler.module).collect::<Vec<_>>(),
            expected.collect::<Vec<_>>()
        );
    }
}

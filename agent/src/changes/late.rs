//! Parts that could not be had on an earlier boot and are there now. The work that they ask for is done then, and
//! nothing else is done again.

use super::record::PartsRecord;
use crate::handlers;
use crate::instance::Instance;
use crate::root::Root;
use crate::yaml::Mapping;
use anyhow::Result;

/// The message about the late parts. `whose`: user-data or vendor-data.
pub(crate) fn told(whose: &str) -> String {
    format!("parts of the {whose} that could not be had before are there now: they are carried out")
}

/// Lets those handlers run again whose keys came with the late parts: the keys differ between the two configurations.
pub(crate) fn open_again(before: &Mapping, after: &Mapping, instance: &Instance, root: &Root) -> Result<()> {
    let mut record = PartsRecord::read(instance, root)?.unwrap_or_default();
    for key in changed(before, after) {
        for handler in handlers::of_key(&key) {
            root.remove(&instance.path(&format!("sem/{}", handler.semaphore)))?;
            if handler.name == handlers::RUNCMD {
                record.late.push(instance.path(handlers::COMMANDS));
            }
        }
    }
    record.write(instance, root)
}

/// The files of late parts. They are known by their content: the numbers of parts shift when one comes before them.
pub(crate) fn files(new: &[(&str, &[u8])], instance: &Instance, root: &Root) -> Result<Vec<String>> {
    let record = PartsRecord::read(instance, root)?.unwrap_or_default();
    let mut before = Vec::new();
    for path in record.files.iter().filter(|path| !record.late.contains(path)) {
        before.extend(root.read(path)?);
    }
    let mut late = Vec::new();
    for (path, content) in new {
        match before.iter().position(|known| known == content) {
            Some(known) => drop(before.swap_remove(known)),
            None => late.push((*path).to_owned()),
        }
    }
    Ok(late)
}

/// The keys of the new configuration that are new or have another value.
fn changed(before: &Mapping, after: &Mapping) -> Vec<String> {
    let differs = after.iter().filter(|entry| before.iter().all(|known| known != *entry));
    differs.filter_map(|(key, _)| key.scalar_text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Frequency;
    use crate::yaml::load;

    #[test]
    fn the_handlers_of_what_came_late_run_again_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let (root, instance) = (Root::open(directory.path()).unwrap(), Instance::new("i"));
        for handler in handlers::ALL {
            instance.set_done(&root, handler.semaphore, Frequency::Instance).unwrap();
        }
        let config = |text: &str| load(text).unwrap().as_map().unwrap().clone();
        let before = config("{users: [default], hostname: a, write_files: [{path: /a}]}");
        let after = config("{users: [ops], hostname: a, write_files: [{path: /a}], runcmd: [ls], mine: 5}");
        open_again(&before, &after, &instance, &root).unwrap();
        let open = handlers::ALL
            .iter()
            .filter(|handler| !instance.is_done(&root, handler.semaphore, Frequency::Instance).unwrap());
        assert_eq!(
            open.map(|handler| handler.name).collect::<Vec<_>>(),
            ["users", "ssh_authorized_keys", "ssh_import_id", "runcmd"]
        );
        let record = PartsRecord::read(&instance, &root).unwrap().unwrap();
        assert_eq!(record.late, [instance.path(handlers::COMMANDS)]);
    }
}

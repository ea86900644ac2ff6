//! A script that began and did not end, because the machine stopped. It is not run again, for nobody knows how far it
//! came; it is named instead.

use crate::instance::Instance;
use crate::report::Report;
use crate::root::Root;
use anyhow::Result;

/// Below the instance's directory: the script that runs, and its module.
const RUNNING: &str = "scripts.running";

/// Notes that a script begins.
pub(super) fn begin(script: &str, module: &str, instance: &Instance, root: &Root) -> Result<()> {
    root.write(&instance.path(RUNNING), format!("{module} {script}\n").as_bytes(), 0o600)
}

/// Notes that all scripts of a place have ended.
pub(super) fn end(instance: &Instance, root: &Root) -> Result<()> {
    root.remove(&instance.path(RUNNING))
}

/// Names the script that an earlier boot did not finish, once.
pub(super) fn tell(instance: &Instance, root: &Root, report: &mut Report) -> Result<()> {
    let Some(noted) = root.read_text(&instance.path(RUNNING))? else { return Ok(()) };
    if let Some((module, script)) = noted.trim_end().split_once(' ') {
        report.warn(format!(
            "{script} was interrupted on an earlier boot and is not run again (to repeat it: cloud-init single --name {module} --frequency always)"
        ));
    }
    end(instance, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(instance: &Instance, root: &Root) -> Vec<String> {
        let mut report = Report::default();
        tell(instance, root, &mut report).unwrap();
        report.warnings
    }

    #[test]
    fn a_script_that_did_not_end_is_named_once() {
        let directory = tempfile::tempdir().unwrap();
        let (root, instance) = (Root::open(directory.path()).unwrap(), Instance::new("i"));
        begin("/a/script one", "scripts_user", &instance, &root).unwrap();
        let warnings = told(&instance, &root);
        assert!(warnings[0].starts_with("/a/script one was interrupted on an earlier boot"), "{warnings:?}");
        assert!(warnings[0].contains("single --name scripts_user --frequency always"), "{warnings:?}");
        assert_eq!(told(&instance, &root), [""; 0]);
    }

    #[test]
    fn scripts_that_ended_are_not_named() {
        let directory = tempfile::tempdir().unwrap();
        let (root, instance) = (Root::open(directory.path()).unwrap(), Instance::new("i"));
        begin("/a/one", "scripts_user", &instance, &root).unwrap();
        begin("/a/two", "scripts_user", &instance, &root).unwrap();
        end(&instance, &root).unwrap();
        assert_eq!(told(&instance, &root), [""; 0]);
    }
}

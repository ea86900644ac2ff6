//! A script that began and did not end, because the machine stopped. It is not run again, for nobody knows how far it
//! came; it is named instead.

use crate::handlers;
use crate::instance::{Frequency, Instance};
use crate::report::Report;
use crate::root::Root;
use crate::schedule::Entry;
use anyhow::Result;

/// Below the instance's directory: the module, the script that runs, and those that come after it, each on a line.
const RUNNING: &str = "scripts.running";

/// Notes that the first of these scripts begins. Those of each boot run again by themselves.
pub(super) fn begin(scripts: &[&str], entry: Entry, instance: &Instance, root: &Root) -> Result<()> {
    if entry.frequency == Frequency::Boot || scripts.is_empty() {
        return end(instance, root);
    }
    let text = format!("{}\n{}\n", entry.handler.module, scripts.join("\n"));
    root.write(&instance.path(RUNNING), text.as_bytes(), 0o600)
}

/// Notes that all scripts of a place have ended.
pub(super) fn end(instance: &Instance, root: &Root) -> Result<()> {
    root.remove(&instance.path(RUNNING))
}

/// Names the script that an earlier boot did not finish, and those that it did not come to, once.
pub(super) fn tell(instance: &Instance, root: &Root, report: &mut Report) -> Result<()> {
    let Some(noted) = root.read_text(&instance.path(RUNNING))? else { return Ok(()) };
    let mut lines = noted.lines();
    let (module, script) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    // Without the semaphore none of them had begun, and all are run now.
    if is_done(module, instance, root)? {
        let others: Vec<&str> = lines.collect();
        let others = match others.as_slice() {
            [] => String::new(),
            others => format!("; not run at all: {}", others.join(", ")),
        };
        report.warn(format!(
            "{script} was interrupted on an earlier boot and is not run again{others} (to repeat it: lifeboat-agent single --name {module} --frequency always)"
        ));
    }
    end(instance, root)
}

fn is_done(module: &str, instance: &Instance, root: &Root) -> Result<bool> {
    for handler in handlers::ALL.iter().filter(|handler| handler.module == module) {
        for frequency in [Frequency::Instance, Frequency::Once] {
            if instance.is_done(root, handler.semaphore, frequency)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINGLE: &str = "(to repeat it: lifeboat-agent single --name scripts_user --frequency always)";

    /// The warnings of a boot after one that ended while the scripts ran, or before it noted that they had begun.
    fn told(scripts: &[&str], frequency: Frequency, is_noted: bool) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let (root, instance) = (Root::open(directory.path()).unwrap(), Instance::new("i"));
        let handler = handlers::ALL.iter().find(|handler| handler.module == "scripts_user").unwrap();
        let entry = Entry { handler, stage: handler.stage, frequency };
        begin(scripts, entry, &instance, &root).unwrap();
        if is_noted {
            instance.set_done(&root, handler.semaphore, frequency).unwrap();
        }
        let mut report = Report::default();
        tell(&instance, &root, &mut report).unwrap();
        let warnings = std::mem::take(&mut report.warnings);
        tell(&instance, &root, &mut report).unwrap();
        assert_eq!(report.warnings, [""; 0], "told twice");
        warnings
    }

    #[test]
    fn a_script_that_did_not_end_is_named_once_with_those_that_did_not_begin() {
        for (scripts, others) in
            [(&["/a/script one"][..], ""), (&["/a/script one", "/b", "/c"], "; not run at all: /b, /c")]
        {
            for frequency in [Frequency::Instance, Frequency::Once] {
                let expected = format!(
                    "/a/script one was interrupted on an earlier boot and is not run again{others} {SINGLE}"
                );
                assert_eq!(told(scripts, frequency, true), [expected]);
            }
        }
    }

    #[test]
    fn scripts_that_are_run_now_are_not_named() {
        assert_eq!(told(&["/a"], Frequency::Instance, false), [""; 0]);
        assert_eq!(told(&["/a"], Frequency::Boot, true), [""; 0]);
    }

    #[test]
    fn scripts_that_ended_are_not_named() {
        assert_eq!(told(&[], Frequency::Instance, true), [""; 0]);
    }
}

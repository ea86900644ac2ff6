//! A volume with a rescue label: is it fit to be booted from?

use crate::mounts::Untouched;
use crate::root::Root;
use crate::volume::Volume;
use anyhow::Result;
use std::fmt;

/// In the root directory of a volume that is not to be booted from any more.
const FINISHED: &str = "finished";

/// What init tries, in its order. A volume with none of them would only end the boot.
const INITS: [&str; 4] = ["sbin/init", "etc/init", "bin/init", "bin/sh"];

/// A volume with a rescue label.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// The volume.
    pub(crate) volume: Volume,
    /// What speaks against it.
    pub(crate) verdict: Verdict,
}

/// Whether a candidate is fit, or the reason why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Nothing speaks against it.
    Fit,
    /// Its owner has said that it has done its work.
    Finished,
    /// No operating system is on it.
    NoInit,
    /// It could not be looked into: why.
    Unreadable(String),
}

impl Candidate {
    /// Looks into the volume without changing a byte of it.
    pub(crate) fn judge(volume: Volume) -> Self {
        let verdict = look_into(&volume).unwrap_or_else(|error| Verdict::Unreadable(format!("{error:#}")));
        Self { volume, verdict }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fit => write!(f, "nothing speaks against it"),
            Self::Finished => write!(f, "it holds /finished (remove it to boot from the volume again)"),
            Self::NoInit => {
                write!(f, "it holds no init ({})", INITS.map(|path| format!("/{path}")).join(", "))
            }
            Self::Unreadable(reason) => write!(f, "{reason}"),
        }
    }
}

fn look_into(volume: &Volume) -> Result<Verdict> {
    let mounted = Untouched::mount(volume)?;
    let root = Root::open(mounted.point())?;
    judge(&root)
}

fn judge(root: &Root) -> Result<Verdict> {
    if root.has_entry(FINISHED)? {
        return Ok(Verdict::Finished);
    }
    for init in INITS {
        if root.holds(init)? {
            return Ok(Verdict::Fit);
        }
    }
    Ok(Verdict::NoInit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn verdict(make: impl FnOnce(&std::path::Path)) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path());
        judge(&Root::open(directory.path()).unwrap()).unwrap()
    }

    #[test]
    fn a_root_with_an_init_is_fit() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir_all(root.join("usr/sbin")).unwrap();
                symlink("usr/sbin", root.join("sbin")).unwrap();
                fs::write(root.join("usr/sbin/init"), "").unwrap();
            }),
            Verdict::Fit
        );
    }

    #[test]
    fn a_marker_of_any_kind_finishes_it() {
        assert_eq!(verdict(|root| fs::write(root.join("finished"), "").unwrap()), Verdict::Finished);
        assert_eq!(verdict(|root| fs::create_dir(root.join("finished")).unwrap()), Verdict::Finished);
        assert_eq!(verdict(|root| symlink("nowhere", root.join("finished")).unwrap()), Verdict::Finished);
    }

    #[test]
    fn data_without_an_init_is_not_booted() {
        assert_eq!(verdict(|root| fs::write(root.join("backup.tar"), "").unwrap()), Verdict::NoInit);
    }

    #[test]
    fn an_init_that_is_outside_the_volume_does_not_count() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir(root.join("sbin")).unwrap();
                symlink("/proc/self/exe", root.join("sbin/init")).unwrap();
            }),
            Verdict::NoInit
        );
    }
}

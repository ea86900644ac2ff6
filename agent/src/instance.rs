//! An instance: its directory and its semaphores.

use crate::fetch::hexadecimal;
use crate::layout;
use crate::root::Root;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

/// The instance-id where nobody gives one.
pub(crate) const NO_ID: &str = "nocloud";

/// The frequency with which something is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frequency {
    /// Once for each instance-id.
    Instance,
    /// Once for each image.
    Once,
    /// Each boot.
    Boot,
}

/// The machine under one instance-id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Instance {
    /// The id, as given.
    pub(crate) id: String,
}

impl Instance {
    /// The instance with that id.
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned() }
    }

    /// The one that the machine was last; `None` on a new machine.
    pub(crate) fn current(root: &Root) -> Result<Option<Self>> {
        let id = root.read_text(layout::INSTANCE_ID)?;
        let id = id.map(|id| id.trim_end_matches('\n').to_owned()).filter(|id| !id.is_empty());
        Ok(id.map(|id| Self { id }))
    }

    /// A path in the instance's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{}/{name}", layout::INSTANCES, directory(&self.id))
    }

    /// Makes its directories.
    pub(crate) fn prepare(&self, root: &Root) -> Result<()> {
        for directory in ["handlers", "scripts", "sem"] {
            root.make_directory(&self.path(directory))?;
        }
        Ok(())
    }

    /// Makes this the current instance; what it is made from is on the disk before that.
    pub(crate) fn enter(&self, root: &Root) -> Result<()> {
        let previous = Self::current(root)?.map_or_else(|| "NO_PREVIOUS_INSTANCE_ID".to_owned(), |it| it.id);
        root.write(layout::PREVIOUS_INSTANCE_ID, format!("{previous}\n").as_bytes(), 0o644)?;
        let directory = self.path("");
        root.link(layout::INSTANCE, &format!("/{}", directory.trim_end_matches('/')))?;
        let id = format!("{}\n", self.id);
        root.write(layout::RUN_INSTANCE_ID, id.as_bytes(), 0o644)?;
        root.write(layout::INSTANCE_ID, id.as_bytes(), 0o644)
    }

    /// True if something need not be done again.
    pub(crate) fn is_done(&self, root: &Root, name: &str, frequency: Frequency) -> Result<bool> {
        match self.semaphore(name, frequency) {
            Some(path) => root.holds(&path),
            None => Ok(false),
        }
    }

    /// Notes that something need not be done again.
    pub(crate) fn set_done(&self, root: &Root, name: &str, frequency: Frequency) -> Result<()> {
        let Some(path) = self.semaphore(name, frequency) else { return Ok(()) };
        let text = format!("{}: {}\n", std::process::id(), now());
        root.write(&path, text.as_bytes(), 0o644).with_context(|| format!("note that {name} is done"))
    }

    fn semaphore(&self, name: &str, frequency: Frequency) -> Option<String> {
        match frequency {
            Frequency::Instance => Some(self.path(&format!("sem/{name}"))),
            Frequency::Once => Some(format!("{}/{name}.once", layout::SEMAPHORES)),
            Frequency::Boot => None,
        }
    }
}

/// The longest name that a directory can have, in bytes.
const LONGEST_NAME: usize = 255;

/// The name of an id's directory: an id that is a path leads nowhere else, and one that is no name has one.
fn directory(id: &str) -> String {
    let mut directory = id.replace(['/', '\0'], "_");
    if directory == "." || directory == ".." {
        directory.push('_');
    }
    if directory.len() > LONGEST_NAME {
        // Those that begin alike stay apart.
        let digest = hexadecimal(&Sha256::digest(id));
        let end = directory.floor_char_boundary(LONGEST_NAME - digest.len() - 1);
        directory.truncate(end);
        directory.extend(["-", &digest]);
    }
    directory
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_a_path_stays_one_directory() {
        assert_eq!(Instance::new("../../x").path("sem"), "var/lib/cloud/instances/.._.._x/sem");
        assert_eq!(Instance::new("..").path("sem"), "var/lib/cloud/instances/.._/sem");
        assert_eq!(Instance::new("a\0").path("sem"), "var/lib/cloud/instances/a_/sem");
    }

    #[test]
    fn an_id_that_is_too_long_for_a_name_has_one_of_its_own() {
        let name = |id: &str| Instance::new(id).path("").split('/').nth(4).unwrap().to_owned();
        for letter in ["x", "\u{20ac}"] {
            let (one, other) = (letter.repeat(300), letter.repeat(301));
            assert!(name(&one).len() <= LONGEST_NAME && name(&one).starts_with(&letter.repeat(50)));
            assert_eq!(name(&one), name(&one));
            assert_ne!(name(&one), name(&other));
        }
        let fits = "x".repeat(LONGEST_NAME);
        assert_eq!(name(&fits), fits);
    }

    #[test]
    fn a_new_id_starts_over_and_an_old_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        assert_eq!(Instance::current(&root).unwrap(), None);
        for id in ["a", "b", "a"] {
            Instance::new(id).enter(&root).unwrap();
            assert_eq!(Instance::current(&root).unwrap().unwrap().id, id);
        }
        let (a, b) = (Instance::new("a"), Instance::new("b"));
        a.set_done(&root, "x", Frequency::Instance).unwrap();
        assert!(a.is_done(&root, "x", Frequency::Instance).unwrap());
        assert!(!b.is_done(&root, "x", Frequency::Instance).unwrap());
        a.set_done(&root, "y", Frequency::Boot).unwrap();
        assert!(!a.is_done(&root, "y", Frequency::Boot).unwrap());
        a.set_done(&root, "z", Frequency::Once).unwrap();
        assert!(b.is_done(&root, "z", Frequency::Once).unwrap());
    }
}

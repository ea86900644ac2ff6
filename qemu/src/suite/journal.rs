//! The tests that passed on a tree, so that a run that was ended goes on and does not begin anew.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::run::program;
use crate::scratch::Scratch;
use crate::workspace;

/// A file with the names of what has passed, one a line.
pub(super) struct Journal {
    path: PathBuf,
}

/// The role of tests that passed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Everything is run.
    Anew,
    /// The tests in the journal are left out.
    WhereItEnded,
}

impl Journal {
    /// The journal of one kind of run (`gate`, `full`, …) on the tree as it is, commits or not.
    pub(super) fn open(cache: &Cache, kind: &str, begin: Begin) -> Result<Self> {
        let name = format!("{kind}-{}", tree(workspace())?);
        Self::at(cache.folder("runs")?.join(name), begin)
    }

    fn at(path: PathBuf, begin: Begin) -> Result<Self> {
        if begin == Begin::Anew {
            fs::write(&path, "").with_context(|| format!("empty {}", path.display()))?;
        }
        Ok(Self { path })
    }

    /// Where it is: the VM tests add to it themselves.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The VM tests and checks that have passed.
    pub(super) fn passed(&self) -> Result<Vec<String>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| format!("read {}", self.path.display())),
        }
    }

    /// Notes that a check has passed.
    pub(super) fn add(&self, name: &str) -> Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        file.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()))
            .with_context(|| format!("write {}", self.path.display()))
    }
}

/// The hash of all files that git does not ignore, as they are now.
fn tree(folder: &Path) -> Result<String> {
    let scratch = Scratch::new()?;
    let git = |words: &[&str]| {
        let advice = "is this a checkout? what has passed is remembered by git's hash of the tree";
        let git = program("git").args(words).directory(folder).advice(advice);
        git.env("GIT_INDEX_FILE", scratch.path().join("index")).run()
    };
    git(&["add", "--all"])?;
    Ok(git(&["write-tree"])?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_counts_until_it_is_begun_anew() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().join("full-1");
        let journal = Journal::at(path.clone(), Begin::WhereItEnded).unwrap();
        assert_eq!(journal.passed().unwrap(), [""; 0]);
        journal.add("lints").unwrap();
        journal.add("seed::is_handed_over").unwrap();
        let journal = Journal::at(path.clone(), Begin::WhereItEnded).unwrap();
        assert_eq!(journal.passed().unwrap(), ["lints", "seed::is_handed_over"]);
        assert_eq!(Journal::at(path, Begin::Anew).unwrap().passed().unwrap(), [""; 0]);
    }

    #[test]
    fn a_tree_with_another_file_is_another_tree() {
        let scratch = Scratch::new().unwrap();
        program("git").args(["init", "--quiet"]).directory(scratch.path()).run().unwrap();
        fs::write(scratch.path().join("a"), "1").unwrap();
        let first = tree(scratch.path()).unwrap();
        assert_eq!(tree(scratch.path()).unwrap(), first);
        fs::write(scratch.path().join("b"), "").unwrap();
        assert_ne!(tree(scratch.path()).unwrap(), first);
        // The real index stays as it is.
        assert_eq!(
            program("git").args(["diff", "--cached", "--name-only"]).directory(scratch.path()).run().unwrap(),
            ""
        );
    }
}

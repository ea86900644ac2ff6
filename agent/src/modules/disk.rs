//! The disk's own directory of modules, also where a mount hides it.

use super::apply::attach;
use super::facts::parent;
use crate::rescue::mounts::Access;
use crate::root::Root;
use anyhow::{Context, Result};
use lifeboat_common::module_tree::{self, INDEX, Incomplete};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, StatVfsMountFlags, fstatvfs, openat2};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where they are in a root.
pub(crate) const MODULES: &str = "lib/modules";

/// A view of the disk without what is mounted on it. It is mounted nowhere, so that nobody else sees it, and goes
/// with this value.
#[derive(Debug)]
pub(crate) struct Disk {
    above: OwnedFd,
    /// From there to the trees.
    below: PathBuf,
    modules: Option<OwnedFd>,
}

impl Disk {
    /// The disk below a cover, or below the place itself.
    pub(crate) fn open(cover: Option<&str>, place: &str) -> Result<Self> {
        let above = parent(cover.unwrap_or(place));
        let below = Path::new(place).strip_prefix(above).context("a cover that covers nothing")?.to_owned();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let above =
            open_tree(CWD, above, flags).with_context(|| format!("look below what covers {place}"))?;
        let mut disk = Self { above, below, modules: None };
        disk.modules = disk.enter().with_context(|| format!("open the disk's {place}"))?;
        Ok(disk)
    }

    /// A root's directory as anyone sees it.
    pub(crate) fn visible(root: &Root) -> Result<Self> {
        root.make_directory(MODULES)?;
        let (above, below) = MODULES.split_once('/').context("one name above the trees")?;
        let modules = root.open_directory(MODULES)?;
        Ok(Self { above: root.open_directory(above)?, below: below.into(), modules: Some(modules) })
    }

    /// A path to the trees, also for programs that are started; `None` while the disk has no such directory. It is good
    /// for as long as this value.
    pub(crate) fn modules(&self) -> Option<PathBuf> {
        self.modules.as_ref().map(path)
    }

    /// The same; makes the directory.
    pub(crate) fn make_modules(&mut self) -> Result<PathBuf> {
        if self.modules.is_none() {
            fs::create_dir_all(path(&self.above).join(&self.below))
                .context("make the disk's directory of modules")?;
            self.modules = self.enter()?;
        }
        self.modules().context("the disk's directory of modules has gone")
    }

    /// Mounts the view somewhere: where the trees are then.
    pub(crate) fn mount(&self, point: &str) -> Result<PathBuf> {
        attach(&self.above, point)?;
        Ok(Path::new(point).join(&self.below))
    }

    /// Asks if the disk can be written to now.
    pub(crate) fn access(&self) -> Result<Access> {
        let flags = fstatvfs(&self.above).context("ask whether the disk can be written to")?.f_flag;
        Ok(if flags.contains(StatVfsMountFlags::RDONLY) { Access::ReadOnly } else { Access::Writable })
    }

    /// Waits until what was written is on it.
    pub(crate) fn sync(&self) -> Result<()> {
        let Some(modules) = &self.modules else { return Ok(()) };
        rustix::fs::syncfs(modules).context("wait for the disk")
    }

    fn enter(&self) -> rustix::io::Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat2(&self.above, &self.below, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn path(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd()))
}

/// True if a tree is complete, by the boot program's rule. That asks more of one that is to be usable.
pub(crate) fn complete(tree: &Path) -> Result<bool> {
    let path = tree.join(INDEX);
    let index = match fs::read(&path) {
        Ok(index) => Some(index),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let index = index.as_deref().map(String::from_utf8_lossy);
    let size = |name: &str| -> Result<_, Incomplete> {
        Ok(fs::metadata(tree.join(name)).ok().map(|data| data.len()))
    };
    Ok(module_tree::sample(index.as_deref(), size).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_complete_when_what_its_index_names_is_there() {
        let tree = tempfile::tempdir().unwrap();
        assert!(!complete(tree.path()).unwrap());
        fs::write(tree.path().join("modules.dep"), "").unwrap();
        assert!(!complete(tree.path()).unwrap());
        fs::write(tree.path().join("modules.dep"), "a.ko: b.ko\nb.ko:\n").unwrap();
        fs::write(tree.path().join("a.ko"), "a").unwrap();
        assert!(!complete(tree.path()).unwrap());
        fs::write(tree.path().join("b.ko"), "").unwrap();
        assert!(!complete(tree.path()).unwrap());
        fs::write(tree.path().join("b.ko"), "b").unwrap();
        assert!(complete(tree.path()).unwrap());
    }

    #[test]
    fn a_tree_that_lacks_the_last_of_many_is_not_complete() {
        let tree = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..100).map(|number| format!("{number:03}.ko")).collect();
        fs::write(tree.path().join(INDEX), names.join(":\n") + ":\n").unwrap();
        for name in &names {
            fs::write(tree.path().join(name), "a").unwrap();
        }
        assert!(complete(tree.path()).unwrap());
        fs::remove_file(tree.path().join("099.ko")).unwrap();
        assert!(!complete(tree.path()).unwrap());
    }
}

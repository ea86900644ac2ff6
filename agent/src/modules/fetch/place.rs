//! The directory on the disk that holds the trees of all kernels. A new tree is put there complete, or not at all.

use crate::modules;
use crate::modules::disk::{Disk, MODULES, complete};
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result, bail};
use lifeboat_common::hand_off::MOVED_SUFFIX;
use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, RenameFlags, flock, fstatvfs, renameat_with, statat};
use rustix::io::Errno;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The beginning of names that are ours, and not yet anyone else's.
const TEMPORARY: &str = ".lifeboat-new-";

/// Left free on the disk.
const SPARE: u64 = 32 << 20;

/// The directory on the disk, also below what lifeboat mounted over it; held by one process at a time.
pub(crate) struct Place {
    disk: Disk,
    path: PathBuf,
    fd: File,
}

impl Place {
    /// Opens it, and removes what an earlier, interrupted run left.
    pub(crate) fn open(root: &Root) -> Result<Self> {
        let mut disk = modules::disk(root)?;
        let path = disk.make_modules()?;
        let fd = File::open(&path).with_context(|| format!("open {}", root.show(MODULES)))?;
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => bail!("modules are being fetched already"),
            locked => locked.with_context(|| format!("lock {}", root.show(MODULES)))?,
        }
        let place = Self { disk, path, fd };
        place.clean(root)?;
        Ok(place)
    }

    /// Removes everything temporary.
    pub(crate) fn clean(&self, root: &Root) -> Result<()> {
        let clean = || -> Result<()> {
            for entry in Dir::read_from(&self.fd)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name.starts_with(TEMPORARY) {
                    fs::remove_dir_all(self.path.join(&name)).with_context(|| format!("remove {name}"))?;
                }
            }
            Ok(())
        };
        clean().with_context(|| format!("clean {}", root.show(MODULES)))
    }

    /// Makes the directory in which everything is put together: its path.
    pub(crate) fn scratch(&self, release: &str) -> Result<PathBuf> {
        let path = self.path.join(format!("{TEMPORARY}{release}"));
        fs::create_dir(&path).with_context(|| format!("make a directory in /{MODULES}"))?;
        Ok(path)
    }

    /// The number of bytes that may be written.
    pub(crate) fn room(&self) -> Result<u64> {
        let space = fstatvfs(&self.fd).with_context(|| format!("ask for the space in /{MODULES}"))?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize).saturating_sub(SPARE))
    }

    /// True if the kernel's tree is there, as far as its index and some of its files show.
    pub(crate) fn is_complete(&self, release: &str) -> Result<bool> {
        complete(&self.path.join(release))
    }

    /// Puts a complete tree in its place, by one step, and into use: what is exported there makes way for it.
    pub(crate) fn publish(&self, tree: &Path, release: &str, root: &Root, report: &mut Report) -> Result<()> {
        self.disk.sync()?;
        modules::aside(release, root, report)?;
        let put = self
            .put(tree, release)
            .with_context(|| format!("rename to {}", root.show(&format!("{MODULES}/{release}"))))
            .and_then(|()| self.disk.sync());
        // The export comes back where it failed.
        put.and(modules::settle(root, report))
    }

    fn put(&self, tree: &Path, release: &str) -> Result<()> {
        let rename = |flags| renameat_with(CWD, tree, &self.fd, release, flags);
        match rename(RenameFlags::empty()) {
            // Something is in it, and it is not complete: it is kept beside it.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let moved = format!("{release}.{MOVED_SUFFIX}");
                if statat(&self.fd, &moved, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                    bail!(
                        "there is something in it, and {moved} is there from an earlier time: remove one of them"
                    );
                }
                rename(RenameFlags::EXCHANGE)?;
                renameat_with(CWD, tree, &self.fd, &moved, RenameFlags::NOREPLACE)
                    .with_context(|| format!("keep what was there as {moved}"))
            }
            renamed => Ok(renamed?),
        }
    }
}

//! The directory that holds the trees of all kernels, and the putting of a new one into it: complete, or not at
//! all.

use crate::root::Root;
use anyhow::{Context, Result, bail};
use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags, fstatvfs, openat, renameat_with, statat,
};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

const TREES: &str = "lib/modules";

/// What lifeboat writes when it has mounted something there.
const EXPORT: &str = "run/lifeboat/modules";

/// What names begin with that are ours, and not yet anyone else's.
const TEMPORARY: &str = ".lifeboat-new-";

/// How the boot program names what it finds in its place too.
const MOVED: &str = ".lifeboat-moved";

/// Left free on the disk.
const SPARE: u64 = 32 << 20;

/// Files of the index that are looked at.
const SAMPLES: usize = 16;

/// The directory on the disk; held by one process at a time.
pub(crate) struct Place {
    fd: OwnedFd,
    path: PathBuf,
}

/// The directory on the disk, also below what lifeboat mounted over it in the initramfs.
fn real(root: &Root) -> Result<OwnedFd> {
    root.make_directory(TREES)?;
    if !root.holds(EXPORT)? {
        return root.open_directory(TREES);
    }
    // A mount of its parent alone, without what is mounted in it, that is visible nowhere.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let below = || -> Result<OwnedFd> {
        let lib = root.open_directory("lib")?;
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let lib = open_tree(&lib, "", clone | OpenTreeFlags::AT_EMPTY_PATH)?;
        Ok(openat(&lib, "modules", flags, Mode::empty())?)
    };
    below().with_context(|| format!("open {} below what is mounted there", root.show(TREES)))
}

impl Place {
    /// Opens it, and removes what an earlier, interrupted run left.
    pub(crate) fn open(root: &Root) -> Result<Self> {
        let fd = real(root)?;
        let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd()));
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => bail!("modules are being fetched already"),
            locked => locked.with_context(|| format!("lock {}", root.show(TREES)))?,
        }
        let place = Self { fd, path };
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
        clean().with_context(|| format!("clean {}", root.show(TREES)))
    }

    /// Makes the directory in which everything is put together: its path.
    pub(crate) fn scratch(&self, release: &str) -> Result<PathBuf> {
        let path = self.path.join(format!("{TEMPORARY}{release}"));
        fs::create_dir(&path).with_context(|| format!("make a directory in /{TREES}"))?;
        Ok(path)
    }

    /// What may be written.
    pub(crate) fn room(&self) -> Result<u64> {
        let space = fstatvfs(&self.fd).with_context(|| format!("ask for the space in /{TREES}"))?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize).saturating_sub(SPARE))
    }

    /// Whether the kernel's tree is there, as far as its index and some of its files show.
    pub(crate) fn is_usable(&self, release: &str) -> Result<bool> {
        is_usable(&self.path.join(release))
    }

    /// Puts a complete tree in its place, by one step.
    pub(crate) fn publish(&self, tree: &Path, release: &str, root: &Root) -> Result<()> {
        rustix::fs::syncfs(&self.fd).context("wait for the disk")?;
        self.put(tree, release, root)
            .with_context(|| format!("rename to {}", root.show(&format!("{TREES}/{release}"))))?;
        rustix::fs::syncfs(&self.fd).context("wait for the disk")
    }

    fn put(&self, tree: &Path, release: &str, root: &Root) -> Result<()> {
        let rename = |flags| renameat_with(CWD, tree, &self.fd, release, flags);
        match rename(RenameFlags::empty()) {
            // Something is in it, and it is not usable: it is kept beside it.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let moved = format!("{release}{MOVED}");
                if statat(&self.fd, &moved, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                    bail!(
                        "there is something in it, and {moved} is there from an earlier time: remove one of them"
                    );
                }
                rename(RenameFlags::EXCHANGE)?;
                renameat_with(CWD, tree, &self.fd, &moved, RenameFlags::NOREPLACE)
                    .with_context(|| format!("keep what was there as {moved}"))
            }
            Err(Errno::BUSY) if root.is_live() => uncovered(release, root, || rename(RenameFlags::empty())),
            renamed => Ok(renamed?),
        }
    }
}

/// Does something while nothing is mounted on the kernel's directory: what is comes back when it fails.
fn uncovered(release: &str, root: &Root, work: impl FnOnce() -> rustix::io::Result<()>) -> Result<()> {
    let point = root.show(&format!("{TREES}/{release}"));
    let whole =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let kept = open_tree(CWD, &point, whole).with_context(|| format!("keep the mount at {point}"))?;
    unmount(&point, UnmountFlags::DETACH).with_context(|| format!("unmount {point}"))?;
    work().map_err(|error| {
        let back = move_mount(&kept, "", CWD, &point, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
        let error = anyhow::Error::from(error);
        match back {
            Ok(()) => error,
            Err(back) => error.context(format!("mount again at {point}: {back}")),
        }
    })
}

/// Whether a tree has a filled index, and the files that it names, 16 of them spread evenly.
pub(crate) fn is_usable(tree: &Path) -> Result<bool> {
    let index = match fs::read_to_string(tree.join("modules.dep")) {
        Ok(index) => index,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).context("read modules.dep"),
    };
    let files: Vec<&str> = index.lines().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    let step = files.len().div_ceil(SAMPLES).max(1);
    let there =
        |file: &&str| fs::metadata(tree.join(file)).is_ok_and(|data| data.is_file() && data.len() > 0);
    Ok(!files.is_empty() && files.iter().step_by(step).all(there))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(index: &str, files: &[&str]) -> bool {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("modules.dep"), index).unwrap();
        for file in files {
            fs::write(directory.path().join(file), "x").unwrap();
        }
        is_usable(directory.path()).unwrap()
    }

    #[test]
    fn a_tree_is_usable_when_its_index_is_filled_and_its_files_are_there() {
        assert!(tree("a.ko: b.ko\nb.ko:\n", &["a.ko", "b.ko"]));
        assert!(!tree("a.ko: b.ko\nb.ko:\n", &["a.ko"]));
        assert!(!tree("", &["a.ko"]));
        assert!(!is_usable(Path::new("/nowhere/at/all")).unwrap());
    }
}

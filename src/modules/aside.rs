//! The initramfs's tree, taken out of the way of the program that leaves the initramfs: in a top-level directory that a
//! mount covers. The program that deletes the initramfs looks at file systems one by one, and leaves that one alone. A
//! mount deeper down would be the end: klibc's run-init cannot remove the directories above it, and the kernel panics.

use super::facts::own_tree;
use anyhow::{Context, Result};
use rustix::fs::CWD;
use rustix::mount::{MountFlags, OpenTreeFlags, UnmountFlags, mount, open_tree, unmount};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const PLACE: &str = "/lifeboat-modules";

/// Put back when dropped.
pub(super) struct Aside {
    home: PathBuf,
    covered: bool,
    kept: bool,
}

impl Aside {
    /// Takes the tree of a release; with it comes a mount of it that is not attached to anything yet.
    pub(super) fn take(release: &str) -> Result<(Self, OwnedFd)> {
        let home = own_tree(release);
        fs::rename(&home, PLACE).with_context(|| format!("move {} to {PLACE}", home.display()))?;
        let mut aside = Self { home, covered: false, kept: false };
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(CWD, PLACE, flags).with_context(|| format!("take up {PLACE}"))?;
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("lifeboat", PLACE, c"tmpfs", flags, c"mode=0700,size=4k")
            .with_context(|| format!("cover {PLACE}"))?;
        aside.covered = true;
        Ok((aside, tree))
    }

    /// It stays there; what of the initramfs still runs finds its modules in the root.
    pub(super) fn keep(mut self, in_root: &Path) -> Result<()> {
        self.kept = true;
        link(&self.home, in_root)
    }
}

/// Makes the initramfs's own place for the tree a link to where it is now.
pub(super) fn link(home: &Path, in_root: &Path) -> Result<()> {
    std::os::unix::fs::symlink(in_root, home)
        .with_context(|| format!("make {} a link to {}", home.display(), in_root.display()))
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Whoever drops it has an error to tell already, and there is nothing else to try.
        if self.covered {
            unmount(PLACE, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH).unwrap_or_default();
        }
        fs::rename(PLACE, &self.home).unwrap_or_default();
    }
}

//! Makes the directory. While the file system is writable for that, the root's own mount is not.

use super::Making;
use crate::kmsg::{self, LogLevel};
use crate::modules::MODULES;
use crate::mounts::Staged;
use crate::root::Root;
use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::mount::{
    FsPickFlags, MountFlags, MoveMountFlags, OpenTreeFlags, fsconfig_reconfigure, fsconfig_set_flag, fspick,
    mount_remount, move_mount, open_tree,
};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The directory below /run/lifeboat through which it is made.
const STAGE: &str = "making";

/// Makes the directory. Read-only again is what was, also when that failed.
pub(in crate::modules) fn make(making: &Making, root: &Root) -> Result<()> {
    let lib = root.locate("lib")?.with_context(|| format!("{} has gone", root.show("lib")))?;
    match making {
        Making::Never(reason) => bail!("create {}: {reason}", root.show(MODULES)),
        Making::AtOnce => make_in(&lib, root),
        Making::Remounted(point) => make_through_a_mount(&lib, root, point),
    }
}

fn make_in(lib: impl AsFd, root: &Root) -> Result<()> {
    mkdirat(lib, "modules", Mode::from_raw_mode(0o755))
        .with_context(|| format!("create {}", root.show(MODULES)))
}

/// The root's own mount stays read-only: a kill in between leaves nothing through which the disk is written to.
fn make_through_a_mount(lib: &OwnedFd, root: &Root, point: &Path) -> Result<()> {
    let describe = || format!("remount {} writable", point.display());
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let clone = open_tree(lib, "", flags).with_context(describe)?;
    let mut staged = Staged::empty(STAGE)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&clone, "", CWD, staged.point(), flags).with_context(describe)?;
    staged.is_mounted();
    drop(clone);
    let writable = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_remount(staged.point(), writable, "").with_context(describe)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let inside = openat(CWD, staged.point(), flags, Mode::empty()).with_context(describe)?;
    let to_writable = Reconfiguration::prepare(point, "rw").with_context(describe)?;
    let _read_only_again = ReadOnlyAgain::prepare(point)?;
    to_writable.commit().with_context(describe)?;
    make_in(&inside, root)
}

/// A change of the file system alone: all its other options stay.
struct Reconfiguration(OwnedFd);

impl Reconfiguration {
    fn prepare(point: &Path, access: &str) -> rustix::io::Result<Self> {
        let picked = fspick(CWD, point, FsPickFlags::FSPICK_CLOEXEC)?;
        fsconfig_set_flag(&picked, access)?;
        Ok(Self(picked))
    }

    fn commit(&self) -> rustix::io::Result<()> {
        fsconfig_reconfigure(&self.0)
    }
}

/// Makes the file system read-only again when dropped.
struct ReadOnlyAgain<'a> {
    point: &'a Path,
    change: Reconfiguration,
}

impl<'a> ReadOnlyAgain<'a> {
    fn prepare(point: &'a Path) -> Result<Self> {
        let change = Reconfiguration::prepare(point, "ro").with_context(|| Self::describe(point))?;
        Ok(Self { point, change })
    }

    fn describe(point: &Path) -> String {
        format!("remount {} read-only again", point.display())
    }
}

impl Drop for ReadOnlyAgain<'_> {
    fn drop(&mut self) {
        // The directory is there all the same, or the first error tells why not.
        if let Err(error) = self.change.commit() {
            kmsg::log(LogLevel::Error, "modules", &format!("{}: {error}", Self::describe(self.point)));
        }
    }
}

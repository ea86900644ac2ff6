//! The mount table, and mounts that are undone when they are no longer wanted.

use crate::ffi::{self, ReadOnly};
use crate::root::Root;
use crate::state;
use crate::volume::{self, Volume};
use anyhow::{Context, Result, bail};
use lifeboat_common::environment_file::Lines;
pub(crate) use lifeboat_common::mounts::Mount;
use lifeboat_common::mounts::{self, MOUNTINFO};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount,
};
use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

/// All mounts, later ones covering earlier ones on the same point.
pub(crate) fn read() -> Result<Vec<Mount>> {
    Ok(mounts::parse(&table()?))
}

/// The mount table's text.
pub(crate) fn table() -> Result<String> {
    let table = Path::new("/").join(MOUNTINFO);
    fs::read_to_string(&table).with_context(|| format!("read {}", table.display()))
}

/// The mount that is seen at a mount point; `None` when nothing is mounted there.
pub(crate) fn at(point: &Path) -> Result<Option<Mount>> {
    Ok(read()?.into_iter().rev().find(|mount| Path::new(&mount.point) == point))
}

/// True if a device is mounted anywhere, by whatever name.
fn is_mounted(device: &Path) -> Result<bool> {
    let numbers = volume::numbers(device);
    let is_here = |mount: &Mount| {
        mount.source == device
            || numbers.as_ref().is_some_and(|numbers| {
                // btrfs has numbers of its own, but tells the device's name.
                *numbers == mount.number || volume::numbers(&mount.source).as_ref() == Some(numbers)
            })
    };
    Ok(read()?.iter().any(is_here))
}

/// Unmounts what is at a mount point and below it.
pub(crate) fn unmount_all(point: &Path) -> Result<()> {
    for mount in read()?.iter().rev().filter(|mount| Path::new(&mount.point).starts_with(point)) {
        let unmounted = unmount(&mount.point, UnmountFlags::NOFOLLOW)
            .or_else(|_| unmount(&mount.point, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH));
        unmounted.with_context(|| format!("unmount {}", mount.point))?;
    }
    Ok(())
}

/// Covers a file inside a root with another file.
pub(crate) fn cover(root: &Root, path: &str, with: &Path) -> Result<()> {
    let target = root.locate(path)?.with_context(|| format!("{} has gone", root.show(path)))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let source = open_tree(CWD, with, flags).with_context(|| format!("open {}", with.display()))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&source, "", &target, "", flags).context("mount")
}

/// A mount on a directory of its own below /run/lifeboat, undone when dropped.
pub(crate) struct Staged {
    point: PathBuf,
    mounted: bool,
}

impl Staged {
    /// Mounts `source` on /run/lifeboat/NAME.
    pub(crate) fn mount(
        name: &str,
        source: &Path,
        kind: &CStr,
        flags: MountFlags,
        options: &CStr,
    ) -> Result<Self> {
        let mut staged = Self::empty(name)?;
        mount(source, &staged.point, kind, flags, options)
            .with_context(|| format!("mount {} as {}", source.display(), kind.to_string_lossy()))?;
        staged.mounted = true;
        Ok(staged)
    }

    /// Makes only the directory /run/lifeboat/NAME, for something to be moved to.
    pub(crate) fn empty(name: &str) -> Result<Self> {
        state::create_directory()?;
        let point = Path::new(state::DIRECTORY).join(name);
        fs::create_dir_all(&point).with_context(|| format!("create {}", point.display()))?;
        Ok(Self { point, mounted: false })
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        &self.point
    }

    /// Something else than by `mount` was mounted there.
    pub(crate) fn is_mounted(&mut self) {
        self.mounted = true;
    }

    /// The mount was moved away: nothing is left to be undone but the directory.
    pub(crate) fn moved(mut self) {
        self.mounted = false;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Detached as a last resort: what stays mounted here would keep the device busy for good.
        if self.mounted && unmount(&self.point, UnmountFlags::NOFOLLOW).is_err() {
            unmount(&self.point, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH).unwrap_or_default();
        }
        // An empty directory in /run is harmless, and there is nobody to tell from here.
        fs::remove_dir(&self.point).unwrap_or_default();
    }
}

/// The directory and the state file of a look at a volume, and the key in that.
const LOOK: &str = "look";
const PROTECTED: &str = "protected";
const DEVICE: &str = "DEVICE";

/// A volume mounted so that not one byte of it changes: the device is read-only and no journal is replayed.
pub(crate) struct Untouched {
    // The order matters: unmounted first, then writable again.
    staged: Staged,
    _writable: WritableAgain,
}

impl Untouched {
    /// Mounts the volume on /run/lifeboat/look.
    pub(crate) fn mount(volume: &Volume) -> Result<Self> {
        let Some(file_system) = volume.file_system() else {
            bail!("{} is no file system that can be booted from", volume.kind);
        };
        if is_mounted(&volume.device)? {
            bail!("it is mounted already");
        }
        let writable = WritableAgain::protect(&volume.device)?;
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let staged = Staged::mount(LOOK, &volume.device, file_system.name, flags, file_system.untouched)?;
        Ok(Self { staged, _writable: writable })
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        self.staged.point()
    }
}

/// Undoes what a look that was killed left: a volume that stays mounted or read-only could not be booted.
pub(crate) fn clear_stale() {
    let point = Path::new(state::DIRECTORY).join(LOOK);
    while at(&point).is_ok_and(|mount| mount.is_some()) {
        if unmount(&point, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH).is_err() {
            break;
        }
    }
    if let Ok(Some(device)) = state::read(PROTECTED, DEVICE)
        && let Ok(file) = volume::open(Path::new(&device))
    {
        drop(WritableAgain(Some(file)));
    }
}

/// A device that was made read-only, and is made writable again when dropped.
struct WritableAgain(Option<fs::File>);

impl WritableAgain {
    fn protect(device: &Path) -> Result<Self> {
        if volume::is_read_only(device) {
            return Ok(Self(None));
        }
        let file = volume::open(device)?;
        let mut protected = Lines::default();
        protected.push(DEVICE, &device.display().to_string());
        state::write(PROTECTED, protected)?;
        ffi::set_read_only(&file, ReadOnly::On)
            .with_context(|| format!("make {} read-only", device.display()))?;
        Ok(Self(Some(file)))
    }
}

impl Drop for WritableAgain {
    fn drop(&mut self) {
        if let Some(device) = &self.0 {
            // It was allowed a moment ago; the mount that follows says so where it is refused now.
            ffi::set_read_only(device, ReadOnly::Off).unwrap_or_default();
            state::forget(PROTECTED).unwrap_or_default();
        }
    }
}

//! The mount table, and mounts that are undone when they are no longer wanted.

use crate::ffi::{self, ReadOnly};
use crate::root::Root;
use crate::state::{self, State};
use crate::volume::{self, Volume};
use anyhow::{Context, Result, bail};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount,
};
use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// One line of /proc/self/mountinfo.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mount {
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// The device's numbers as `major:minor`.
    pub(crate) device: String,
    /// The file system's type.
    pub(crate) kind: String,
    /// What is mounted: a device's node, or a word.
    pub(crate) source: PathBuf,
}

/// All mounts, later ones covering earlier ones on the same point.
pub(crate) fn read() -> Result<Vec<Mount>> {
    let text = fs::read_to_string(MOUNTINFO).with_context(|| format!("read {MOUNTINFO}"))?;
    Ok(parse(&text))
}

/// What is seen at a mount point; `None` when nothing is mounted there.
pub(crate) fn at(point: &Path) -> Result<Option<Mount>> {
    Ok(read()?.into_iter().rev().find(|mount| mount.point == point))
}

/// Whether a device is mounted anywhere, by whatever name.
fn is_mounted(device: &Path) -> Result<bool> {
    let numbers = volume::numbers(device);
    let is_here = |mount: &Mount| {
        mount.source == device
            || numbers.as_ref().is_some_and(|numbers| {
                // btrfs has numbers of its own, but tells the device's name.
                *numbers == mount.device || volume::numbers(&mount.source).as_ref() == Some(numbers)
            })
    };
    Ok(read()?.iter().any(is_here))
}

fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

// See proc_pid_mountinfo(5): a variable number of fields ends with a lone `-`.
fn parse_line(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(2);
    let (device, point) = (before.next()?, before.nth(1)?);
    let mut after = after.split(' ');
    let (kind, source) = (after.next()?, after.next()?);
    Some(Mount {
        point: unescape(point),
        device: device.to_owned(),
        kind: kind.to_owned(),
        source: unescape(source),
    })
}

fn unescape(field: &str) -> PathBuf {
    let mut plain = field.to_owned();
    // The backslash last: it is what the other escapes begin with.
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(escape, character);
    }
    PathBuf::from(plain)
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

    /// Only makes the directory /run/lifeboat/NAME, for something to be moved to.
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

/// The directory and the state file of a look at a volume.
const LOOK: &str = "look";
const PROTECTED: &str = "protected";

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
    if let Ok(Some(device)) = state::read(PROTECTED, "DEVICE")
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
        let mut protected = State::default();
        protected.push("DEVICE", device.display().to_string());
        protected.write(PROTECTED, 0o600)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTED: &str = "\
21 1 0:20 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw
24 1 0:22 / /run rw,nosuid,nodev,noexec,relatime shared:3 master:1 - tmpfs tmpfs rw,size=49188k,mode=755
25 1 254:0 / /root ro,relatime - ext4 /dev/vda ro
26 25 254:16 / /root/mnt/a\\040b ro - ext4 /dev/disk/by-label/a\\134b ro
";

    #[test]
    fn points_devices_types_and_sources_are_read() {
        let mounts = parse(BOOTED);
        assert_eq!(mounts.len(), 4);
        let root = Mount {
            point: "/root".into(),
            device: "254:0".into(),
            kind: "ext4".into(),
            source: "/dev/vda".into(),
        };
        assert_eq!(mounts[2], root);
        assert_eq!(mounts[1].point, Path::new("/run"));
    }

    #[test]
    fn escaped_characters_are_read_back() {
        let mounts = parse(BOOTED);
        assert_eq!(mounts[3].point, Path::new("/root/mnt/a b"));
        assert_eq!(mounts[3].source, Path::new("/dev/disk/by-label/a\\b"));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_passed_over() {
        assert!(parse("25 1 254:0 / /root ro,relatime\n\nx - y\n").is_empty());
    }
}

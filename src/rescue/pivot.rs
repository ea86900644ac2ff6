//! Puts a volume in the place of the root that is mounted.

use super::bottom::Moment;
use super::candidate;
use super::fstab::WithoutUsr;
use crate::kmsg::{self, LogLevel};
use crate::mounts::{self, Mount, Staged};
use crate::root::Root;
use crate::volume::{Nature, Volume};
use anyhow::{Context, Result, bail};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_move, move_mount, open_tree, unmount,
};
use std::path::{Path, PathBuf};

/// Each step can be undone until the volume is in place: a root is mounted at every moment that counts.
pub(super) fn pivot(volume: &Volume, root: &Path, mounted: Option<&Mount>, moment: Moment) -> Result<()> {
    let Some(file_system) = volume.file_system() else {
        bail!("{} is no file system that can be booted from", volume.kind);
    };
    let flags = match volume.nature() {
        Nature::Writable => MountFlags::empty(),
        Nature::ReadOnly => MountFlags::RDONLY,
    };
    let new = Staged::mount("new-root", &volume.device, file_system.name, flags, &volume.options())?;
    if candidate::without_usr(&Root::open(new.point())?)? == WithoutUsr::HasNoInit {
        bail!(
            "{volume} is not booted: its init is in a /usr of its own, and it is too late to mount that (reboot)"
        );
    }
    let devices = Devices::carry_over(root, new.point(), moment)?;
    if mounted.is_none() {
        mount_move(new.point(), root)
            .with_context(|| format!("move {} to {}", volume.device.display(), root.display()))?;
        new.moved();
        devices.stay();
        return Ok(());
    }
    let old = Staged::empty("original-root")?;
    mount_move(root, old.point()).with_context(|| format!("move {} away", root.display()))?;
    if let Err(error) = mount_move(new.point(), root) {
        mount_move(old.point(), root).with_context(|| format!("move {} back", root.display()))?;
        return Err(error).with_context(|| format!("move {} to {}", volume.device.display(), root.display()));
    }
    new.moved();
    devices.stay();
    if let Err(error) = unmount_tree(old.point()) {
        // The rescue system can still unmount it, at the place that this names.
        kmsg::log(LogLevel::Error, "rescue", &format!("{error:#}"));
    }
    Ok(())
}

fn unmount_tree(point: &Path) -> Result<()> {
    let mounts = mounts::read()?;
    for mount in mounts.iter().rev().filter(|mount| Path::new(&mount.point).starts_with(point)) {
        unmount(&mount.point, UnmountFlags::NOFOLLOW)
            .with_context(|| format!("unmount the original root at {}", mount.point))?;
    }
    Ok(())
}

/// The devices below the root, where udev's script has moved /dev: without them no init has a console.
struct Devices {
    moved: Option<(PathBuf, PathBuf)>,
}

impl Devices {
    /// Moves them below the new root. Where udev's script found no place for them, it has left them in /dev. They are
    /// shown in the new root too, for nobody moves them any more.
    fn carry_over(root: &Path, new: &Path, moment: Moment) -> Result<Self> {
        let (from, to) = (root.join("dev"), new.join("dev"));
        if !are_devices(&from)? {
            if moment == Moment::Last && are_devices(Path::new("/dev"))? {
                show_devices(&to)?;
            }
            return Ok(Self { moved: None });
        }
        mount_move(&from, &to).with_context(|| format!("move {} to {}", from.display(), to.display()))?;
        Ok(Self { moved: Some((from, to)) })
    }

    /// The new root is in place.
    fn stay(mut self) {
        self.moved = None;
    }
}

fn are_devices(point: &Path) -> Result<bool> {
    Ok(mounts::at(point)?.is_some_and(|mount| mount.kind == "devtmpfs"))
}

/// With what is mounted below them.
fn show_devices(to: &Path) -> Result<()> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let devices = open_tree(CWD, "/dev", flags).context("open /dev")?;
    move_mount(&devices, "", CWD, to, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("mount /dev on {}", to.display()))
}

impl Drop for Devices {
    fn drop(&mut self) {
        if let Some((from, to)) = &self.moved {
            // Whoever drops it has an error to tell already, and the old root is in its place again.
            mount_move(to, from).unwrap_or_default();
        }
    }
}

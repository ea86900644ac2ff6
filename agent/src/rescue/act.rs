//! Changes of mounts, as data; each prints itself as the command that a person would type.

use super::mounts::Access;
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    unmount,
};
use std::fmt;
use std::os::fd::AsRawFd;
use std::path::Path;

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// Makes a directory where the root is to be mounted.
    MakeDirectory(String),
    /// Mounts the original root.
    Mount { device: String, kind: String, options: &'static str, access: Access, point: String },
    /// Shows a directory or file of the rescue system at a path inside the mounted root.
    Bind { source: String, point: String, inside: String, depth: Depth },
    /// Makes a directory inside the mounted root, to bind something to.
    MakeInside { point: String, inside: String },
    /// Undoes a mount.
    Unmount(String),
    /// Removes a directory that was made to mount on, when it is empty.
    RemoveIfEmpty(String),
}

/// The extent of a bind: with the mounts below or without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Depth {
    /// It is.
    Tree,
    /// It is not.
    Alone,
}

impl Act {
    /// Carries it out.
    pub(crate) fn apply(&self) -> Result<()> {
        match self {
            Self::MakeDirectory(path) => std::fs::create_dir_all(path).map_err(Into::into),
            Self::Mount { device, kind, options, access, point } => {
                let flags = match access {
                    Access::ReadOnly => MountFlags::RDONLY,
                    Access::Writable => MountFlags::empty(),
                };
                let data = std::ffi::CString::new(*options)?;
                mount(device, point, kind, flags, Some(data.as_c_str()))
                    .map_err(|errno| explain(errno, device, kind))
            }
            Self::Bind { source, point, inside, depth } => bind(source, point, inside, *depth),
            Self::MakeInside { point, inside } => Root::open(Path::new(point))?.make_directory(inside),
            Self::Unmount(point) => unmount(point, UnmountFlags::NOFOLLOW).map_err(Into::into),
            Self::RemoveIfEmpty(path) => match std::fs::remove_dir(path) {
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
                removed => removed.map_err(Into::into),
            },
        }
        .with_context(|| self.to_string())
    }
}

/// The path is resolved inside the original root: a link in it must not lead back into the rescue system.
fn bind(source: &str, point: &str, inside: &str, depth: Depth) -> Result<()> {
    let root = Root::open(Path::new(point))?;
    let target = root.locate(inside)?.with_context(|| format!("{} is not there", root.show(inside)))?;
    let target = format!("/proc/self/fd/{}", target.as_raw_fd());
    match depth {
        Depth::Tree => mount_bind_recursive(source, target.as_str())?,
        Depth::Alone => mount_bind(source, target.as_str())?,
    }
    // A mount that is taken off the copy must stay in the rescue system.
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    let made = root.locate(inside)?.with_context(|| format!("{} has gone", root.show(inside)))?;
    Ok(mount_change(format!("/proc/self/fd/{}", made.as_raw_fd()), flags)?)
}

fn explain(errno: Errno, device: &str, kind: &str) -> anyhow::Error {
    let advice = match errno {
        Errno::BUSY => "it is in use: `lsblk` shows by what",
        Errno::NODEV => "the running kernel has no driver for this file system",
        Errno::ROFS | Errno::ACCESS => {
            "the device cannot be written to: leave --rw out, or attach it writable"
        }
        Errno::INVAL | Errno::UCLEAN | Errno::BADMSG | Errno::IO | Errno::NOTSUP => {
            let check = match kind {
                "xfs" => "xfs_repair -n",
                "btrfs" => "btrfs check --readonly",
                _ => "fsck -n",
            };
            let text = format!(
                "`dmesg` says what is wrong with it, and so does `{check} {device}`, which changes nothing"
            );
            return anyhow::Error::new(errno).context(text);
        }
        _ => return errno.into(),
    };
    anyhow::Error::new(errno).context(advice)
}

/// Carries acts out in turn, or tells them where the root is not the running system's.
pub(crate) fn apply_all(acts: &[Act], root: &Root, report: &Report) -> Result<()> {
    for act in acts {
        if root.is_live() {
            act.apply()?;
            report.info(&act.to_string());
        } else {
            report.info(&format!("not on this root: {act}"));
        }
    }
    Ok(())
}

impl fmt::Display for Act {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeDirectory(path) => write!(out, "mkdir -p {path}"),
            Self::Mount { device, kind, options, access, point } => {
                let access = match access {
                    Access::ReadOnly => "ro",
                    Access::Writable => "rw",
                };
                let comma = if options.is_empty() { "" } else { "," };
                write!(out, "mount -t {kind} -o {access}{comma}{options} {device} {point}")
            }
            Self::Bind { source, point, inside, depth } => {
                let word = match depth {
                    Depth::Tree => "--rbind",
                    Depth::Alone => "--bind",
                };
                write!(out, "mount {word} {source} {point}/{inside}")
            }
            Self::MakeInside { point, inside } => write!(out, "mkdir -p {point}/{inside}"),
            Self::Unmount(point) => write!(out, "umount {point}"),
            Self::RemoveIfEmpty(path) => write!(out, "rmdir {path}"),
        }
    }
}

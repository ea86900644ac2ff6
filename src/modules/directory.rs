//! The one directory that is made on the root's own disk, where that lacks `lib/modules`: an image that was made of a
//! container has none. The file system is writable for that moment alone, unless init mounted it so.

use super::MODULES;
use super::facts::Labels;
use crate::kmsg::{self, LogLevel};
use crate::mounts::{self, Mount};
use crate::root::Root;
use crate::state;
use crate::volume;
use anyhow::{Context, Result, bail};
use lifeboat_common::hand_off::{Boot, Rescue};
use lifeboat_common::mounts::{Access, superblock_access};
use rustix::fs::{CWD, Mode, StatVfsMountFlags, mkdirat, statvfs};
use rustix::mount::{
    FsPickFlags, MountFlags, fsconfig_reconfigure, fsconfig_set_flag, fspick, mount_remount,
};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// init leaves `fsck-root` or `fsck-usr` there when its fsck of that ended with 0 or 1.
const STAMPS: &str = "/run/initramfs/fsck-";

/// The file systems whose remount keeps all other options.
const KINDS: [&str; 6] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs"];

/// How the directory can be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Making {
    /// It cannot, or must not: the reason.
    Never(String),
    /// The file system is writable.
    AtOnce,
    /// It is made writable for that moment: where it is mounted.
    Remounted(PathBuf),
}

/// What is known of the file system that `lib` is on.
#[derive(Clone, Debug)]
struct Place {
    point: PathBuf,
    kind: String,
    access: Access,
    superblock: Access,
    /// The device takes no writes.
    refuses: bool,
    /// init's fsck of this boot found it good, or made it so.
    checked: bool,
    /// It was good when it was mounted, as far as it says so itself.
    clean: bool,
    rescue: BootedRescue,
    labels: Labels,
}

/// What rescue volumes have to do with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BootedRescue {
    No,
    /// One failed before. What init checked may have been that one.
    Failed,
    Yes,
}

impl Making {
    /// How it can be made in the root that is mounted there.
    pub(super) fn find(root: &Root, mount_point: &Path, labels: Labels) -> Result<Self> {
        let Some(lib) = root.locate("lib")? else { bail!("{} has gone", root.show("lib")) };
        let link = format!("/proc/self/fd/{}", lib.as_raw_fd());
        let path = fs::read_link(link).with_context(|| format!("find out where {} is", root.show("lib")))?;
        let all = mounts::read()?;
        let around = all.iter().rev().filter(|mount| path.starts_with(&mount.point));
        // The deepest; and of several on one point the last, which is the first here.
        let mut found: Option<&Mount> = None;
        for mount in around {
            if found.is_none_or(|found| mount.point.len() > found.point.len()) {
                found = Some(mount);
            }
        }
        let name = found.map(|mount| Path::new(&mount.point)).and_then(|point| {
            let usr = mount_point.join("usr");
            if point == mount_point { Some("root") } else { (point == usr).then_some("usr") }
        });
        let Some((mount, name)) = found.zip(name) else {
            return Ok(Self::Never(format!("{} is on another file system", root.show("lib"))));
        };
        let rescue = BootedRescue::read(&mount.source)?;
        let stamp = format!("{STAMPS}{name}");
        let stamped = Path::new(&stamp).try_exists().with_context(|| format!("look at {stamp}"))?;
        Ok(making(&Place {
            point: mount.point.clone().into(),
            kind: mount.kind.clone(),
            access: mount.access,
            superblock: superblock_access(&mounts::table()?, mount),
            refuses: volume::is_read_only(&mount.source),
            checked: stamped && rescue == BootedRescue::No,
            clean: is_clean(mount),
            rescue,
            labels,
        }))
    }
}

fn making(place: &Place) -> Making {
    let reason = if place.rescue == BootedRescue::Yes {
        "it is a rescue volume"
    } else if place.labels == Labels::Needed {
        "it would lack its SELinux label"
    } else if place.refuses {
        "the disk takes no writes"
    } else if !KINDS.contains(&place.kind.as_str()) {
        "its file system is not written to from here"
    } else {
        match (place.access, place.superblock) {
            (Access::Writable, _) if place.checked || place.clean => return Making::AtOnce,
            (Access::ReadOnly, Access::ReadOnly) if place.checked => {
                return Making::Remounted(place.point.clone());
            }
            (Access::ReadOnly, Access::Writable) => "it is mounted read-only",
            _ => "no fsck has found its file system good in this boot",
        }
    };
    Making::Never(reason.to_owned())
}

impl BootedRescue {
    fn read(source: &Path) -> Result<Self> {
        let Rescue { boot, so_far } = state::read_back()?.unwrap_or_default();
        let is_ignored = so_far.ignored.contains(&volume::name_of(source));
        Ok(match boot {
            Boot::Rescue(_) => Self::Yes,
            Boot::OwnRoot { .. } | Boot::Unknown if is_ignored => Self::Yes,
            Boot::OwnRoot { .. } | Boot::Unknown if so_far.failed.is_empty() => Self::No,
            Boot::OwnRoot { .. } | Boot::Unknown => Self::Failed,
        })
    }
}

/// Where nobody knows, it is not.
fn is_clean(mount: &Mount) -> bool {
    match mount.kind.as_str() {
        // What a journal or a log tells was written when it was mounted.
        "xfs" | "btrfs" | "tmpfs" => true,
        "ext2" | "ext3" | "ext4" => {
            let mut superblock = [0; 0x60];
            let file = volume::open(&mount.source).ok();
            file.is_some_and(|file| file.read_exact_at(&mut superblock, 1024).is_ok())
                && is_clean_ext(&superblock)
        }
        _ => false,
    }
}

// See ext4(5) and fs/ext4/ext4.h: s_magic, s_state and s_feature_compat. Without a journal, the state says nothing once
// it is mounted writable.
fn is_clean_ext(superblock: &[u8; 0x60]) -> bool {
    const VALID_AND_NO_ERROR: u16 = 1;
    const HAS_JOURNAL: u32 = 4;
    let [.., m0, m1, s0, s1] = superblock.first_chunk::<0x3c>().copied().unwrap_or([0; 0x3c]);
    let [c0, c1, c2, c3] = superblock.last_chunk().copied().unwrap_or_default();
    u16::from_le_bytes([m0, m1]) == 0xef53
        && u16::from_le_bytes([s0, s1]) & 3 == VALID_AND_NO_ERROR
        && u32::from_le_bytes([c0, c1, c2, c3]) & HAS_JOURNAL != 0
}

/// Makes the directory. Read-only again is what was, also when that failed.
pub(super) fn make(making: &Making, root: &Root) -> Result<()> {
    let lib = root.locate("lib")?.with_context(|| format!("{} has gone", root.show("lib")))?;
    let make = || {
        mkdirat(&lib, "modules", Mode::from_raw_mode(0o755))
            .with_context(|| format!("create {}", root.show(MODULES)))
    };
    match making {
        Making::Never(reason) => bail!("create {}: {reason}", root.show(MODULES)),
        Making::AtOnce => make(),
        Making::Remounted(point) => while_writable(point, make),
    }
}

fn while_writable(point: &Path, action: impl FnOnce() -> Result<()>) -> Result<()> {
    let describe = |how: &str| format!("remount {} {how}", point.display());
    let kept = kept_flags(point).with_context(|| describe("writable"))?;
    let of_mount = |flags| mount_remount(point, MountFlags::BIND | kept | flags, "");
    let done = reconfigure(point, "rw")
        .and_then(|()| of_mount(MountFlags::empty()))
        .with_context(|| describe("writable"))
        .and_then(|()| action());
    let of_mount = of_mount(MountFlags::RDONLY);
    let back = reconfigure(point, "ro").and(of_mount).with_context(|| describe("read-only again"));
    // The directory is there all the same, or the first error tells why not.
    if let Err(error) = back {
        kmsg::log(LogLevel::Error, "modules", &format!("{error:#}"));
    }
    done
}

/// Of the superblock alone: what the file system was told otherwise stays.
fn reconfigure(point: &Path, access: &str) -> rustix::io::Result<()> {
    let picked = fspick(CWD, point, FsPickFlags::FSPICK_CLOEXEC)?;
    fsconfig_set_flag(&picked, access)?;
    fsconfig_reconfigure(&picked)
}

/// The mount's own flags, which a remount of it would take away: the same bits in both calls.
fn kept_flags(point: &Path) -> rustix::io::Result<MountFlags> {
    let flags = statvfs(point)?.f_flag - StatVfsMountFlags::RDONLY;
    let of_mount = MountFlags::NOSUID
        | MountFlags::NODEV
        | MountFlags::NOEXEC
        | MountFlags::NOATIME
        | MountFlags::NODIRATIME
        | MountFlags::RELATIME;
    Ok(MountFlags::from_bits_truncate(u32::try_from(flags.bits()).unwrap_or_default()) & of_mount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Access::{ReadOnly, Writable};

    fn place() -> Place {
        Place {
            point: "/root".into(),
            kind: "ext4".into(),
            access: ReadOnly,
            superblock: ReadOnly,
            refuses: false,
            checked: true,
            clean: true,
            rescue: BootedRescue::No,
            labels: Labels::NotNeeded,
        }
    }

    #[test]
    fn each_file_system_is_written_to_only_as_it_may_be() {
        let writable = || Place { access: Writable, superblock: Writable, ..place() };
        let unchecked = "no fsck has found its file system good in this boot";
        for (name, place, expected) in [
            ("ro, checked", place(), Ok("remounted")),
            ("ro, not checked", Place { checked: false, ..place() }, Err(unchecked)),
            ("rw, checked", writable(), Ok("at once")),
            ("rw, checked, with errors before", Place { clean: false, ..writable() }, Ok("at once")),
            ("rw, not checked, clean", Place { checked: false, ..writable() }, Ok("at once")),
            ("rw, not checked, dirty", Place { checked: false, clean: false, ..writable() }, Err(unchecked)),
            (
                "ro mount of a rw one",
                Place { superblock: Writable, ..place() },
                Err("it is mounted read-only"),
            ),
            ("rescue, ro", Place { rescue: BootedRescue::Yes, ..place() }, Err("it is a rescue volume")),
            ("rescue, rw", Place { rescue: BootedRescue::Yes, ..writable() }, Err("it is a rescue volume")),
            (
                "a volume failed",
                Place { rescue: BootedRescue::Failed, checked: false, ..place() },
                Err(unchecked),
            ),
            ("a cd", Place { refuses: true, ..place() }, Err("the disk takes no writes")),
            ("labels", Place { labels: Labels::Needed, ..place() }, Err("it would lack its SELinux label")),
            (
                "overlay",
                Place { kind: "overlay".into(), ..writable() },
                Err("its file system is not written to from here"),
            ),
            (
                "f2fs",
                Place { kind: "f2fs".into(), ..place() },
                Err("its file system is not written to from here"),
            ),
            ("xfs", Place { kind: "xfs".into(), ..place() }, Ok("remounted")),
            ("memory", Place { kind: "tmpfs".into(), checked: false, ..writable() }, Ok("at once")),
        ] {
            let expected = match expected {
                Ok("remounted") => Making::Remounted("/root".into()),
                Ok(_) => Making::AtOnce,
                Err(reason) => Making::Never(reason.into()),
            };
            assert_eq!(making(&place), expected, "{name}");
        }
    }

    #[test]
    fn an_ext_file_system_says_itself_that_it_is_good() {
        let superblock = |magic: u16, state: u16, compatible: u32| {
            let mut bytes = [0; 0x60];
            bytes[0x38..0x3a].copy_from_slice(&magic.to_le_bytes());
            bytes[0x3a..0x3c].copy_from_slice(&state.to_le_bytes());
            bytes[0x5c..].copy_from_slice(&compatible.to_le_bytes());
            bytes
        };
        for (bytes, clean) in [
            (superblock(0xef53, 1, 0x3c), true),
            (superblock(0xef53, 1, 0x38), false),
            (superblock(0xef53, 0, 0x3c), false),
            (superblock(0xef53, 2, 0x3c), false),
            (superblock(0xef53, 3, 0x3c), false),
            (superblock(0, 1, 0x3c), false),
        ] {
            assert_eq!(is_clean_ext(&bytes), clean, "{bytes:?}");
        }
    }
}

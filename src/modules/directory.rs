//! The one directory that is made on the root's own disk, where that lacks `lib/modules`: an image that was made of a
//! container has none. The file system is writable for that moment alone, unless init mounted it so.

mod make;
mod settings;
mod superblock;

use super::facts::Labels;
use crate::fstab;
use crate::initramfs_tools;
use crate::mounts::{self, Mount};
use crate::rescue::selector::Selector;
use crate::root::Root;
use crate::state;
use crate::volume;
use anyhow::{Context, Result, bail};
use lifeboat_common::hand_off::{Boot, Rescue};
use lifeboat_common::mounts::{Access, superblock_access, superblock_options};
pub(super) use make::make;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use superblock::Superblock;

/// init leaves `fsck-root` or `fsck-usr` there when its fsck of that ended with 0 or 1.
const STAMPS: &str = "/run/initramfs/fsck-";

const FSTAB: &str = "etc/fstab";

/// The file systems whose remount keeps all other options.
const KINDS: [&str; 6] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs"];

/// The way in which the directory can be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Making {
    /// It cannot, or must not: the reason.
    Never(String),
    /// The file system is writable.
    AtOnce,
    /// It is made writable for that moment: where it is mounted.
    Remounted(PathBuf),
}

/// The facts about the file system that `lib` is on.
#[derive(Clone, Debug)]
struct Place {
    point: PathBuf,
    kind: String,
    access: Access,
    superblock: Access,
    /// The device takes no writes.
    refuses: bool,
    /// The machine's own settings say that nothing is to be written there: the reason.
    forbidden: Option<&'static str>,
    /// init's fsck of this boot found it good, or made it so.
    checked: bool,
    said: Superblock,
    rescue: BootedRescue,
    labels: Labels,
}

/// The part that rescue volumes have in this boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BootedRescue {
    No,
    /// One failed before. The volume that init checked may have been that one.
    Failed,
    Yes,
}

/// The file system's name for init.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Name {
    Root,
    Usr,
}

impl Name {
    fn of(point: &Path, root: &Path) -> Option<Self> {
        if point == root {
            return Some(Self::Root);
        }
        (point == root.join("usr")).then_some(Self::Usr)
    }

    /// Its mount point in the fstab.
    fn point(self) -> &'static [&'static [u8]] {
        match self {
            Self::Root => &[],
            Self::Usr => &[b"usr"],
        }
    }

    fn stamp(self) -> String {
        let name = match self {
            Self::Root => "root",
            Self::Usr => "usr",
        };
        format!("{STAMPS}{name}")
    }

    /// The options that init was told.
    fn flags(self) -> String {
        match self {
            Self::Root => initramfs_tools::own_flags().unwrap_or_default(),
            // Those are in the fstab.
            Self::Usr => String::new(),
        }
    }

    /// True if it is what init checked: another script may have made another root since.
    fn is_what_was_checked(self, mount: &Mount, fstab: &[u8]) -> bool {
        match self {
            Self::Root => {
                initramfs_tools::own_root().is_some_and(|root| is_device_of(Path::new(&root), mount))
            }
            Self::Usr => {
                let entry = fstab::entries(fstab).find(|entry| entry.is_at(self.point()));
                match entry.and_then(|entry| Selector::parse(&entry.source)) {
                    Some(Selector::Device(device)) => is_device_of(&device, mount),
                    Some(selector) => {
                        let volumes =
                            volume::all_with_partitions(&[volume::name_of(&volume::node_of(&mount.source))]);
                        volumes.iter().any(|volume| selector.names(volume))
                    }
                    None => false,
                }
            }
        }
    }
}

/// True if the mount is the device's, by whatever name.
fn is_device_of(device: &Path, mount: &Mount) -> bool {
    let numbers = volume::numbers(device);
    device == mount.source
        || numbers.is_some_and(|numbers| {
            // btrfs has numbers of its own, but tells the device's name.
            numbers == mount.number || Some(numbers) == volume::numbers(&mount.source)
        })
}

impl Making {
    /// Finds out how the directory can be made in the root that is mounted there.
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
        let name = found.and_then(|mount| Name::of(Path::new(&mount.point), mount_point));
        let Some((mount, name)) = found.zip(name) else {
            return Ok(Self::Never(format!("{} is on another file system", root.show("lib"))));
        };
        let Ok(fstab) = root.read(FSTAB) else {
            return Ok(Self::Never(format!("{} cannot be read", root.show(FSTAB))));
        };
        let fstab = fstab.unwrap_or_default();
        let table = mounts::table()?;
        let rescue = BootedRescue::read(&mount.source)?;
        let stamp = name.stamp();
        let stamped = Path::new(&stamp).try_exists().with_context(|| format!("look at {stamp}"))?;
        Ok(making(&Place {
            point: mount.point.clone().into(),
            kind: mount.kind.clone(),
            access: mount.access,
            superblock: superblock_access(&table, mount),
            refuses: volume::is_read_only(&mount.source) || volume::refuses_writes(&mount.number),
            forbidden: settings::forbids(
                &fstab,
                name.point(),
                &name.flags(),
                superblock_options(&table, mount),
            ),
            checked: stamped && rescue == BootedRescue::No && name.is_what_was_checked(mount, &fstab),
            said: Superblock::of(mount),
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
    } else if let Some(reason) = place.forbidden {
        reason
    } else if !KINDS.contains(&place.kind.as_str()) {
        "its file system is not written to from here"
    } else {
        match (place.access, place.superblock) {
            (Access::Writable, _) if place.checked || place.said.is_clean => return Making::AtOnce,
            (Access::ReadOnly, Access::ReadOnly) if place.said.is_watched => {
                "other machines may have its file system (mmp)"
            }
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
        let is_ignored = so_far.ignored.contains(&volume::name_of(&volume::node_of(source)));
        Ok(match boot {
            Boot::Rescue(_) => Self::Yes,
            Boot::OwnRoot { .. } | Boot::Unknown if is_ignored => Self::Yes,
            Boot::OwnRoot { .. } | Boot::Unknown if so_far.failed.is_empty() => Self::No,
            Boot::OwnRoot { .. } | Boot::Unknown => Self::Failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Access::{ReadOnly, Writable};

    const GOOD: Superblock = Superblock { is_clean: true, is_watched: false };
    const DIRTY: Superblock = Superblock { is_clean: false, is_watched: false };
    const WATCHED: Superblock = Superblock { is_clean: true, is_watched: true };

    fn place() -> Place {
        Place {
            point: "/root".into(),
            kind: "ext4".into(),
            access: ReadOnly,
            superblock: ReadOnly,
            refuses: false,
            forbidden: None,
            checked: true,
            said: GOOD,
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
            ("rw, checked, with errors before", Place { said: DIRTY, ..writable() }, Ok("at once")),
            ("rw, not checked, clean", Place { checked: false, ..writable() }, Ok("at once")),
            ("rw, not checked, dirty", Place { checked: false, said: DIRTY, ..writable() }, Err(unchecked)),
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
            (
                "an fstab with ro",
                Place { forbidden: Some("its fstab keeps it read-only"), ..place() },
                Err("its fstab keeps it read-only"),
            ),
            (
                "an fstab with ro, mounted rw",
                Place { forbidden: Some("its fstab keeps it read-only"), ..writable() },
                Err("its fstab keeps it read-only"),
            ),
            ("mmp", Place { said: WATCHED, ..place() }, Err("other machines may have its file system (mmp)")),
            ("mmp, rw", Place { said: WATCHED, ..writable() }, Ok("at once")),
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
}

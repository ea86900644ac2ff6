//! Block devices and the file systems on them, read from their superblocks without mounting anything.

pub(crate) mod glance;
pub(crate) mod stack;
pub(crate) mod udev;
mod vfat;

use crate::ffi;
use crate::kmsg::escape;
use anyhow::{Context, Result};
use rustix::fs::{Advice, Dir, Mode, OFlags, fadvise};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::{self, File};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use udev::UdevRecord;

const SYS_BLOCK: &str = "/sys/class/block";

/// A file system that a rescue volume may have.
pub(crate) struct KnownFileSystem {
    /// Its name for libblkid and for mount(2).
    pub(crate) name: &'static CStr,
    /// The options with which it can be looked at without a write. No journal is replayed, and a copy of a mounted file
    /// system is not refused. A superblock of ext's may ask for a kernel panic on an error.
    pub(crate) untouched: &'static CStr,
    /// The options without which it is refused beside a mounted copy of itself.
    pub(crate) beside_a_copy: &'static CStr,
    /// The file system's access: writable or read-only.
    pub(crate) nature: Nature,
}

/// The access that a file system allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nature {
    /// It can.
    Writable,
    /// It is a medium such as a CD's.
    ReadOnly,
}

/// To add one: a line here, and its driver in the build hook.
pub(crate) const FILE_SYSTEMS: &[KnownFileSystem] = &[
    KnownFileSystem {
        name: c"ext4",
        untouched: c"noload,errors=continue",
        beside_a_copy: c"",
        nature: Nature::Writable,
    },
    KnownFileSystem {
        name: c"ext3",
        untouched: c"noload,errors=continue",
        beside_a_copy: c"",
        nature: Nature::Writable,
    },
    KnownFileSystem {
        name: c"ext2",
        untouched: c"errors=continue",
        beside_a_copy: c"",
        nature: Nature::Writable,
    },
    KnownFileSystem {
        name: c"xfs",
        untouched: c"norecovery,nouuid",
        beside_a_copy: c"nouuid",
        nature: Nature::Writable,
    },
    KnownFileSystem {
        name: c"btrfs",
        untouched: c"rescue=nologreplay",
        beside_a_copy: c"",
        nature: Nature::Writable,
    },
    KnownFileSystem { name: c"vfat", untouched: c"", beside_a_copy: c"", nature: Nature::Writable },
    KnownFileSystem { name: c"iso9660", untouched: c"", beside_a_copy: c"", nature: Nature::ReadOnly },
    KnownFileSystem { name: c"squashfs", untouched: c"", beside_a_copy: c"", nature: Nature::ReadOnly },
];

/// The types that are no candidates, but probed for: their content can look like a file system of its own. The metadata
/// of some is at the end of the device. ZFS is left out: asking for it reads 1 MiB of each device.
const MEMBERS: &[&CStr] = &[
    c"linux_raid_member",
    c"isw_raid_member",
    c"ddf_raid_member",
    c"drbd",
    c"LVM2_member",
    c"crypto_LUKS",
    c"bcache",
];

/// The places where libblkid looks for all of these, and the number of bytes. They are at the beginning of a device
/// (the last for second headers of LUKS2), and back from its end.
const FROM_START: &[(u64, u64)] = &[
    (0, 68 << 10),
    (128 << 10, PAGE),
    (256 << 10, PAGE),
    (512 << 10, PAGE),
    (1 << 20, PAGE),
    (2 << 20, PAGE),
    (4 << 20, PAGE),
];
const FROM_END: &[(u64, u64)] = &[(132 << 10, PAGE), (64 << 10, PAGE), (8 << 10, 8 << 10)];
const PAGE: u64 = 4096;

/// Swap areas, which a root's fstab names as it names file systems; the second holds a hibernated system.
const SWAP: &[&CStr] = &[c"swap", c"swsuspend"];

/// A block device with a superblock on it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Volume {
    /// The device's node.
    pub(crate) device: PathBuf,
    /// libblkid's name of the type.
    pub(crate) kind: String,
    /// The label, in whatever bytes the disk holds.
    pub(crate) label: Option<Vec<u8>>,
    /// The file system's UUID.
    pub(crate) uuid: Option<String>,
    /// Where a file system is on several devices (btrfs), the UUID of this one.
    pub(crate) device_uuid: Option<String>,
    /// The kernel's name of the disk that it is, or is on.
    pub(crate) disk: String,
    /// The partition's own id and name, where they were asked for.
    pub(crate) partition: PartitionNames,
    /// udev's priority of its links.
    pub(crate) priority: i32,
    /// The subvolume of a btrfs in which its system is, where that is not the default one.
    pub(crate) subvolume: Option<&'static str>,
}

/// The names that a partition table gives a partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct PartitionNames {
    /// `PARTUUID`
    pub(crate) uuid: Option<String>,
    /// `PARTLABEL`
    pub(crate) label: Option<String>,
}

impl Volume {
    /// The file system that it is mounted as; `None` where none is known here.
    pub(crate) fn file_system(&self) -> Option<&'static KnownFileSystem> {
        FILE_SYSTEMS.iter().find(|known| known.name.to_bytes() == self.kind.as_bytes())
    }

    /// The options with which its system is mounted.
    pub(crate) fn options(&self) -> Cow<'static, CStr> {
        let named = self.subvolume.and_then(|name| CString::new(format!("subvol={name}")).ok());
        named.map_or_else(
            || Cow::Borrowed(self.file_system().map_or(c"", |known| known.beside_a_copy)),
            Cow::Owned,
        )
    }

    /// True if file systems are inside it, once it is unlocked or assembled.
    pub(crate) fn is_member(&self) -> bool {
        MEMBERS.iter().any(|member| member.to_bytes() == self.kind.as_bytes())
    }

    /// The volume's access: some file systems and some devices cannot be written to.
    pub(crate) fn nature(&self) -> Nature {
        match self.file_system() {
            Some(known) if known.nature == Nature::Writable && !is_read_only(&self.device) => {
                Nature::Writable
            }
            _ => Nature::ReadOnly,
        }
    }

    /// True if btrfs takes one for the other: it would mount, or write to, either in place of the other.
    pub(crate) fn is_taken_for(&self, other: &Self) -> bool {
        self.kind == "btrfs"
            && self.device != other.device
            && (&self.kind, &self.uuid, &self.device_uuid) == (&other.kind, &other.uuid, &other.device_uuid)
    }

    /// The label as one printable line.
    pub(crate) fn printable_label(&self) -> Option<String> {
        self.label.as_deref().map(escape)
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.device.display(), self.kind)?;
        if let Some(label) = self.printable_label() {
            write!(f, ", label {label}")?;
        }
        write!(f, ")")
    }
}

/// The kernel's names of the block devices that can hold a volume, `vda2` before `vda10`.
pub(crate) fn devices() -> Result<Vec<String>> {
    let mut names = names()?;
    names.retain(|name| can_hold_a_volume(name));
    names.sort_unstable_by(|a, b| natural_order(a, b));
    Ok(names)
}

/// The kernel's names of all block devices but those made of memory, and floppy drives. The kernel tries for seconds to
/// read a floppy drive that is empty, or that is not there at all.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut list = || -> rustix::io::Result<()> {
        for entry in Dir::new(rustix::fs::open(SYS_BLOCK, flags, Mode::empty())?)? {
            let name = String::from_utf8_lossy(entry?.file_name().to_bytes()).into_owned();
            if !["ram", "zram", "fd", "."].iter().any(|other| name.starts_with(other)) {
                names.push(name);
            }
        }
        Ok(())
    };
    list().with_context(|| format!("list {SYS_BLOCK}"))?;
    Ok(names)
}

/// The node of a device that is named as the kernel names it.
pub(crate) fn node(name: &str) -> PathBuf {
    // Names such as cciss/c0d0 have a `!` in sysfs.
    PathBuf::from(format!("/dev/{}", name.replace('!', "/")))
}

/// The name by which people and tools know a device: that of device-mapper's is below /dev/mapper.
pub(crate) fn known_as(device: &Path) -> PathBuf {
    let mapped = attribute(&name_of(device), "dm/name").map(|name| Path::new("/dev/mapper").join(name));
    mapped.filter(|path| numbers(path).is_some()).unwrap_or_else(|| device.to_owned())
}

/// The kernel's name of a device's node.
pub(crate) fn name_of(device: &Path) -> String {
    device.strip_prefix("/dev").unwrap_or(device).to_string_lossy().replace('/', "!")
}

/// Asks the kernel, at once, for all that a probe of these devices will read. A read after the other would wait for the
/// disk each time. The result keeps what was read: a device's cache is emptied when the last one closes it.
pub(crate) fn read_ahead(names: &[String]) -> Vec<File> {
    let ask = |name: &String| -> Option<File> {
        let file = open(&node(name)).ok()?;
        let size = attribute(name, "size")?.parse::<u64>().ok()? * 512;
        let from_end = FROM_END.iter().map(|(distance, length)| (size.saturating_sub(*distance), *length));
        for (offset, length) in FROM_START.iter().copied().chain(from_end) {
            // Advice: where it is not taken, the probe reads by itself.
            fadvise(&file, offset, NonZeroU64::new(length), Advice::WillNeed).unwrap_or_default();
        }
        Some(file)
    };
    names.iter().filter_map(ask).collect()
}

/// Reads a device's superblock; `None` when there is none of a type that matters.
pub(crate) fn probe(device: &Path) -> Result<Option<Volume>> {
    let read = || -> Result<Option<ffi::Superblock>> {
        let others = MEMBERS.iter().chain(SWAP).copied();
        let types: Vec<&CStr> = FILE_SYSTEMS.iter().map(|known| known.name).chain(others).collect();
        ffi::probe(&open(device)?, &types)
    };
    let superblock = read().with_context(|| format!("probe {}", device.display()))?;
    Ok(superblock.map(|superblock| Volume {
        device: device.to_owned(),
        kind: superblock.kind,
        label: superblock.label,
        uuid: superblock.uuid,
        device_uuid: superblock.device_uuid,
        disk: disk_name(&name_of(device)),
        partition: PartitionNames::default(),
        priority: UdevRecord::of(device).priority,
        subvolume: None,
    }))
}

/// Everything that can be read on these devices, with what the partition tables say.
pub(crate) fn all_with_partitions(names: &[String]) -> Vec<Volume> {
    let read = |name: &String| -> Option<Volume> {
        let device = node(name);
        let Some(mut volume) = probe(&device).ok().flatten() else {
            return UdevRecord::of(&device).volume(&device, name);
        };
        volume.partition = partition(&device).unwrap_or_default();
        Some(volume)
    };
    names.iter().filter_map(read).collect()
}

/// Another device that btrfs takes this one for, or this for it.
pub(crate) fn twin(volume: &Volume) -> Result<Option<PathBuf>> {
    if volume.kind != "btrfs" {
        return Ok(None);
    }
    for name in devices()? {
        if let Ok(Some(other)) = probe(&node(&name))
            && volume.is_taken_for(&other)
        {
            return Ok(Some(other.device));
        }
    }
    Ok(None)
}

/// Makes btrfs forget a device that it may have been shown by udev.
pub(crate) fn forget_btrfs(device: &Path) -> Result<()> {
    open(Path::new("/dev/btrfs-control"))
        .and_then(|control| Ok(ffi::forget_btrfs(&control, device.as_os_str().as_encoded_bytes())?))
        .with_context(|| format!("make btrfs forget {}", device.display()))
}

/// Reads what the partition table says of a partition; empty for a whole disk.
pub(crate) fn partition(device: &Path) -> Result<PartitionNames> {
    let read = || ffi::partition(&open(device)?);
    let (uuid, label) = read().with_context(|| format!("read the partition of {}", device.display()))?;
    Ok(PartitionNames { uuid, label })
}

/// The serial number of the disk that a device is, or is on. Copies of one volume differ in nothing else.
pub(crate) fn serial(name: &str) -> Option<String> {
    let disk = disk(name);
    // virtio; NVMe; SCSI, whose page has a header of four bytes.
    let serial = |path: &str, header: usize| {
        let bytes = fs::read(disk.join(path)).ok()?;
        let text = String::from_utf8_lossy(bytes.get(header..)?).trim().to_owned();
        Some(text).filter(|text| !text.is_empty())
    };
    serial("serial", 0).or_else(|| serial("device/serial", 0)).or_else(|| serial("device/vpd_pg80", 4))
}

/// Opens a device for reading. Non-blocking, so that a drive without a medium does not wait for one.
pub(crate) fn open(device: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(device, flags, Mode::empty()).context("open")?;
    Ok(File::from(file))
}

/// The device's numbers as `major:minor`, whatever leads to its node; `None` for what is no device.
pub(crate) fn numbers(node: &Path) -> Option<String> {
    let metadata = fs::metadata(node).ok().filter(|metadata| metadata.file_type().is_block_device())?;
    let number = metadata.rdev();
    Some(format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number)))
}

/// The node of the device that a path leads to, by the kernel's name: late in the boot /dev is a link itself, and a path
/// with every link resolved has another beginning.
pub(crate) fn node_of(path: &Path) -> PathBuf {
    let directory =
        numbers(path).and_then(|numbers| fs::canonicalize(format!("/sys/dev/block/{numbers}")).ok());
    match directory.as_deref().and_then(Path::file_name) {
        Some(name) => node(&name.to_string_lossy()),
        None => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
    }
}

/// True if two paths lead to one file. Late in the boot /dev is a link, and paths to a node begin in two ways.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// True if the kernel refuses writes to the device that a path leads to.
pub(crate) fn is_read_only(node: &Path) -> bool {
    numbers(node).is_some_and(|numbers| refuses_writes(&numbers))
}

/// True if the kernel refuses writes to the device with these numbers.
pub(crate) fn refuses_writes(numbers: &str) -> bool {
    let content = fs::read(format!("/sys/dev/block/{numbers}/ro"));
    content.is_ok_and(|content| content.trim_ascii() == b"1")
}

/// The kernel's name of the disk that a device is, or is on.
pub(crate) fn disk_name(name: &str) -> String {
    disk(name).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The device's directory in sysfs, or for a partition that of its disk.
pub(crate) fn disk(name: &str) -> PathBuf {
    disk_below(Path::new(SYS_BLOCK), name)
}

fn disk_below(block: &Path, name: &str) -> PathBuf {
    let path = block.join(name);
    let mut disk = fs::canonicalize(&path).unwrap_or(path);
    if disk.join("partition").try_exists().unwrap_or(false) {
        disk.pop();
    }
    disk
}

fn can_hold_a_volume(name: &str) -> bool {
    let empty = attribute(name, "size").is_none_or(|sectors| sectors == "0");
    let hidden = attribute(name, "hidden").as_deref() == Some("1");
    // A disk below device-mapper or md belongs to what is stacked on it.
    let held = stack::is_held(Path::new(SYS_BLOCK), name);
    let drive = is_cd_drive(name) && open(&node(name)).is_ok_and(|file| ffi::is_empty_drive(&file));
    !(empty || hidden || held || drive)
}

/// True if it is a CD drive. Without a medium its size is not 0, and each read of it would be an error of which the
/// kernel complains.
fn is_cd_drive(name: &str) -> bool {
    name.starts_with("sr")
}

fn attribute(name: &str, attribute: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(SYS_BLOCK).join(name).join(attribute)).ok()?;
    Some(text.trim_end().to_owned())
}

/// `vda2` before `vda10`, `vdz` before `vdaa`.
pub(crate) fn natural_order(a: &str, b: &str) -> Ordering {
    let key = |name: &str| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = name.strip_prefix(stem).and_then(|digits| digits.parse::<u64>().ok());
        (stem.len(), stem.to_owned(), number)
    };
    key(a).cmp(&key(b))
}

/// Volumes that the stages' tests find on devices.
#[cfg(test)]
pub(crate) mod for_tests {
    use super::Volume;

    /// An ext4 with a label and nothing else.
    pub(crate) fn volume(device: &str, label: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(label.as_bytes().to_vec()),
            ..Volume::default()
        }
    }
}

#[cfg(test)]
mod tests;

//! Volumes with a label: found by udev's links, or where there is no udev (yet) by their superblocks, and read
//! without being mounted anywhere.

use crate::root::Root;
use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};
use std::cell::OnceCell;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

const BY_LABEL: &str = "dev/disk/by-label";
/// All disks and partitions, by the kernel's names.
const BLOCK: &str = "sys/class/block";
/// No seed is there, and a floppy drive takes seconds to say so.
const PASSED_OVER: [&str; 4] = ["fd", "ram", "zram", "md"];

/// A file system that a seed may be on.
struct VolumeKind {
    name: &'static str,
    /// Where its superblock has these bytes.
    mark: (u64, &'static [u8]),
    /// Where its label is, and how long that can be.
    label: (u64, usize),
    /// The options that keep it from being written to.
    options: &'static [&'static str],
}

/// The kernel is not asked to try them in turn: it would tell the console of each that it is not.
const KINDS: &[VolumeKind] = &[
    VolumeKind { name: "ext4", mark: (0x438, b"\x53\xef"), label: (0x478, 16), options: &["noload"] },
    VolumeKind { name: "iso9660", mark: (0x8001, b"CD001"), label: (0x8028, 32), options: &[] },
    VolumeKind { name: "vfat", mark: (0x52, b"FAT32"), label: (0x47, 11), options: &[] },
    VolumeKind { name: "vfat", mark: (0x36, b"FAT1"), label: (0x2b, 11), options: &[] },
];

/// A machine's volumes by their labels. Superblocks are read once, and only when udev's links are not enough.
#[derive(Default, Debug)]
pub(crate) struct Volumes {
    /// Paths and labels.
    superblocks: OnceCell<Vec<(String, String)>>,
}

impl Volumes {
    /// The paths of those that have one of the labels, in any case of its letters.
    pub(crate) fn labelled(&self, labels: &[&str], root: &Root) -> Result<Vec<String>> {
        let with_one = |volumes: &[(String, String)]| -> Vec<String> {
            let has_one = |own: &str| labels.iter().any(|label| own.eq_ignore_ascii_case(label));
            volumes.iter().filter(|(_, own)| has_one(own)).map(|(path, _)| path.clone()).collect()
        };
        let linked = with_one(&links(root)?);
        if !linked.is_empty() {
            return Ok(linked);
        }
        // udev may not have come to the one that has it.
        if let Some(volumes) = self.superblocks.get() {
            return Ok(with_one(volumes));
        }
        let volumes = superblocks(root)?;
        Ok(with_one(self.superblocks.get_or_init(|| volumes)))
    }
}

fn links(root: &Root) -> Result<Vec<(String, String)>> {
    let names = if root.holds(BY_LABEL)? { root.names(BY_LABEL)? } else { Vec::new() };
    Ok(names.into_iter().map(|name| (format!("{BY_LABEL}/{name}"), decoded(&name))).collect())
}

fn superblocks(root: &Root) -> Result<Vec<(String, String)>> {
    let names =
        root.names(BLOCK)?.into_iter().filter(|name| !PASSED_OVER.iter().any(|own| name.starts_with(own)));
    let paths = names.map(|name| format!("dev/{name}"));
    // One that cannot be read (an empty drive) has no label.
    let labelled = paths.filter_map(|path| {
        let label = superblock_label(&path, root).ok()??;
        Some((path, label))
    });
    Ok(labelled.collect())
}

fn superblock_label(path: &str, root: &Root) -> Result<Option<String>> {
    let Some(device) = root.locate(path)? else { return Ok(None) };
    if FileType::from_raw_mode(fstat(&device)?.st_mode) != FileType::BlockDevice {
        return Ok(None);
    }
    // Non-blocking, so that a drive without a medium does not wait for one.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let path = format!("/proc/self/fd/{}", device.as_raw_fd());
    label_of(&File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn label_of(disk: &File) -> Result<Option<String>> {
    let Some(kind) = KINDS.iter().find(|kind| kind.is_on(disk)) else { return Ok(None) };
    let (place, length) = kind.label;
    let mut label = vec![0; length];
    disk.read_exact_at(&mut label, place)?;
    let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(label).trim_end().to_owned()))
}

/// udev writes characters that a path should not have as `\xHH`.
fn decoded(name: &str) -> String {
    let mut plain = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let code = rest.strip_prefix(b"\\x").and_then(|code| code.split_at_checked(2));
        let code = code.and_then(|(digits, behind)| {
            Some((u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?, behind))
        });
        let (byte, behind) = code.unwrap_or((*byte, behind));
        plain.push(byte);
        rest = behind;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The files of a volume, read-only. It is mounted nowhere: nobody else sees it, and it goes with the value.
pub(crate) fn open(path: &str, root: &Root) -> Result<Root> {
    let open = || -> Result<Root> {
        let device = root.locate(path)?.context("the link leads nowhere")?;
        if FileType::from_raw_mode(fstat(&device)?.st_mode) != FileType::BlockDevice {
            bail!("it is no block device");
        }
        let disk = File::open(format!("/proc/self/fd/{}", device.as_raw_fd()))?;
        let kind = KINDS.iter().find(|kind| kind.is_on(&disk));
        let kind = kind.context("its file system is neither ext4, iso9660 nor vfat")?;
        let files = mounted(&device, kind, VolumeAccess::ReadOnly)
            // One that is mounted already, and can be written to, is to stay so.
            .or_else(|error| match error {
                Errno::BUSY => mounted(&device, kind, VolumeAccess::AsItIs),
                error => Err(error),
            })
            .with_context(|| format!("open its {} (does this kernel have it?)", kind.name))?;
        Ok(Root::at(files, &root.show(path)))
    };
    open().with_context(|| format!("read the volume {}", root.show(path)))
}

impl VolumeKind {
    fn is_on(&self, disk: &File) -> bool {
        let (place, mark) = self.mark;
        let mut found = vec![0; mark.len()];
        disk.read_exact_at(&mut found, place).is_ok() && found == mark
    }
}

/// The access that the file system itself is to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum VolumeAccess {
    ReadOnly,
    AsItIs,
}

fn mounted(device: &OwnedFd, kind: &VolumeKind, access: VolumeAccess) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind.name, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", format!("/proc/self/fd/{}", device.as_raw_fd()))?;
    if access == VolumeAccess::ReadOnly {
        fsconfig_set_flag(&context, "ro")?;
        for option in kind.options {
            fsconfig_set_flag(&context, *option)?;
        }
    }
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_in_any_case_and_as_udev_writes_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for name in ["CIDATA", "cidata2", "OVF\\x20ENV", "a\\x", "b\\xzz"] {
            root.link(&format!("{BY_LABEL}/{name}"), "../../vdb").unwrap();
        }
        let labelled = |label| Volumes::default().labelled(&[label], &root).unwrap();
        assert_eq!(labelled("cidata"), ["dev/disk/by-label/CIDATA"]);
        assert_eq!(labelled("OVF ENV"), ["dev/disk/by-label/OVF\\x20ENV"]);
        assert_eq!(labelled("b\\xzz").len(), 1);
        assert!(labelled("config-2").is_empty());
    }

    #[test]
    fn what_is_no_device_is_not_mounted() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("dev/vdb", b"", 0o600).unwrap();
        root.link("dev/disk/by-label/cidata", "/dev/vdb").unwrap();
        root.link("dev/disk/by-label/gone", "/dev/vdc").unwrap();
        let said = |path| format!("{:#}", open(path, &root).err().unwrap());
        assert!(said("dev/disk/by-label/cidata").ends_with("it is no block device"));
        assert!(said("dev/disk/by-label/gone").ends_with("the link leads nowhere"));
    }

    #[test]
    fn each_file_system_has_its_label_in_its_place() {
        for (mark, place, label) in [
            ((0x438, &b"\x53\xef"[..]), 0x478, &b"cidata\0x"[..]),
            ((0x8001, b"CD001"), 0x8028, b"cidata                          x"),
            ((0x52, b"FAT32   "), 0x47, b"CIDATA     x"),
            ((0x36, b"FAT16   "), 0x2b, b"CIDATA     FAT16"),
        ] {
            let disk = tempfile::tempfile().unwrap();
            disk.set_len(0x9000).unwrap();
            assert_eq!(label_of(&disk).unwrap(), None);
            disk.write_all_at(label, place).unwrap();
            disk.write_all_at(mark.1, mark.0).unwrap();
            assert!(label_of(&disk).unwrap().unwrap().eq_ignore_ascii_case("cidata"), "{mark:?}");
            disk.set_len(place).unwrap();
            assert!(label_of(&disk).ok().flatten().is_none());
        }
    }
}

//! The disks that a device is made of. A volume of LVM, an array or a locked volume is on other devices, and those are
//! on disks.

use super::{SYS_BLOCK, Volume, name_of, names, node_of, numbers};
use std::fs;
use std::path::Path;

/// The file systems of btrfs, each with the devices that it is on.
const BTRFS: &str = "/sys/fs/btrfs";

/// The kernel's names of all disks that a device is, is on, or is made of, by whatever name it is given. Empty: there
/// is no such device.
pub(crate) fn disks_of(device: &Path) -> Vec<String> {
    if numbers(device).is_none() {
        return Vec::new();
    }
    let name = name_of(&node_of(device));
    let mut disks = Vec::new();
    for name in btrfs_devices(Path::new(BTRFS), &name).into_iter().chain([name]) {
        collect(Path::new(SYS_BLOCK), &name, &mut disks);
    }
    disks
}

/// The disks that hold something else than file systems, now or once it is assembled: a root that is not found yet may
/// be there.
pub(crate) fn disks_with_members(volumes: &[Volume]) -> Vec<String> {
    let mut disks = Vec::new();
    let members = volumes.iter().filter(|volume| volume.is_member()).map(|volume| name_of(&volume.device));
    let held = names().unwrap_or_default().into_iter().filter(|name| is_held(Path::new(SYS_BLOCK), name));
    for name in members.chain(held) {
        collect(Path::new(SYS_BLOCK), &name, &mut disks);
    }
    disks
}

/// True if something is made of it.
pub(super) fn is_held(block: &Path, name: &str) -> bool {
    fs::read_dir(block.join(name).join("holders")).is_ok_and(|mut holders| holders.next().is_some())
}

/// Adds the disk of this device and those below it.
fn collect(block: &Path, name: &str, disks: &mut Vec<String>) {
    let directory = super::disk_below(block, name);
    let disk = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if disks.contains(&disk) {
        return;
    }
    disks.push(disk);
    for slave in listed(&directory.join("slaves")) {
        collect(block, &slave, disks);
    }
}

/// All devices of the btrfs that is on this one.
fn btrfs_devices(btrfs: &Path, name: &str) -> Vec<String> {
    let devices = |uuid: String| listed(&btrfs.join(uuid).join("devices"));
    listed(btrfs)
        .into_iter()
        .map(devices)
        .find(|devices| devices.iter().any(|device| device == name))
        .unwrap_or_default()
}

fn listed(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Two disks; a volume of LVM on a locked partition of the first, one on both, and an array with a partition.
    fn machine() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let sys = directory.path();
        for device in
            ["vda", "vda/vda1", "vda/vda2", "vdb", "vdb/vdb1", "dm-0", "dm-1", "dm-2", "md0", "md0/md0p1"]
        {
            fs::create_dir_all(sys.join("devices").join(device)).unwrap();
            let name = device.rsplit('/').next().unwrap();
            fs::create_dir_all(sys.join("block")).unwrap();
            symlink(sys.join("devices").join(device), sys.join("block").join(name)).unwrap();
            if device.contains('/') {
                fs::write(sys.join("devices").join(device).join("partition"), "1").unwrap();
            }
        }
        for (upper, lower) in [
            ("dm-0", "vda2"),
            ("dm-1", "dm-0"),
            ("dm-2", "dm-0"),
            ("dm-2", "vdb1"),
            ("md0", "vdb"),
            ("md0", "vda1"),
        ] {
            for (one, kind, other) in [(upper, "slaves", lower), (lower, "holders", upper)] {
                fs::create_dir_all(sys.join("block").join(one).join(kind).join(other)).unwrap();
            }
        }
        for device in ["vda1", "vdb1"] {
            fs::create_dir_all(sys.join("btrfs/u/devices").join(device)).unwrap();
        }
        fs::create_dir_all(sys.join("btrfs/features")).unwrap();
        directory
    }

    #[test]
    fn the_disks_below_a_device_are_found_however_deep_they_are() {
        let machine = machine();
        for (name, expected) in [
            ("vda", &["vda"][..]),
            ("vda2", &["vda"]),
            ("dm-0", &["dm-0", "vda"]),
            ("dm-1", &["dm-1", "dm-0", "vda"]),
            ("dm-2", &["dm-2", "dm-0", "vda", "vdb"]),
            ("md0p1", &["md0", "vda", "vdb"]),
        ] {
            let mut disks = Vec::new();
            collect(&machine.path().join("block"), name, &mut disks);
            disks.sort_unstable();
            let mut expected: Vec<&str> = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(disks, expected, "{name}");
        }
    }

    #[test]
    fn what_is_in_use_below_something_else_is_held() {
        let machine = machine();
        for (name, held) in [("vda2", true), ("vda", false), ("dm-0", true), ("dm-1", false), ("gone", false)]
        {
            assert_eq!(is_held(&machine.path().join("block"), name), held, "{name}");
        }
    }

    #[test]
    fn a_btrfs_is_on_all_of_its_devices() {
        let machine = machine();
        let devices = |name| {
            let mut devices = btrfs_devices(&machine.path().join("btrfs"), name);
            devices.sort_unstable();
            devices
        };
        assert_eq!(devices("vdb1"), ["vda1", "vdb1"]);
        assert!(devices("vda2").is_empty());
    }

    #[test]
    fn what_is_no_device_is_on_no_disk() {
        assert!(disks_of(Path::new("/dev/mapper/there-is-none")).is_empty());
        assert!(disks_of(Path::new("overlay")).is_empty());
    }
}

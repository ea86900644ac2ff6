//! The device behind a mount point.

use super::kernel_name;
use crate::machine::Machine;
use anyhow::Result;
use lifeboat_common::mounts::{Access, MOUNTINFO, at, is_whole, parse};
use std::path::Path;

/// A mounted file system that is on one device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mounted {
    /// The kernel's name of the device.
    pub(crate) device: String,
    /// The file system's type.
    pub(crate) kind: String,
    /// Its access.
    pub(crate) access: Access,
}

/// The file system that is mounted somewhere; `None` where nothing is, or nothing that has a device of this machine. A
/// container's root is a directory of its host.
pub(crate) fn mounted_at(machine: &dyn Machine, point: &str) -> Result<Option<Mounted>> {
    let table = machine.text(MOUNTINFO)?.unwrap_or_default();
    let mounts = parse(&table);
    let Some(mount) = at(point, &mounts) else { return Ok(None) };
    // A btrfs's volumes have paths of their own.
    if mount.kind != "btrfs" && !is_whole(&table, mount) {
        return Ok(None);
    }
    let by_number = machine.link(&format!("sys/dev/block/{}", mount.number))?;
    let by_number = by_number.as_deref().and_then(|link| Path::new(link).file_name()?.to_str());
    let device = match by_number {
        Some(name) => Some(name.to_owned()),
        None => kernel_name(machine, &mount.source.to_string_lossy())?,
    };
    Ok(device.map(|device| Mounted { device, kind: mount.kind.clone(), access: mount.access }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Paper;

    #[test]
    fn a_mount_has_a_device_unless_it_is_a_directory_of_another() {
        let machine = Paper(&[
            (
                MOUNTINFO,
                "20 1 8:1 / / rw - ext4 /dev/root rw\n\
                 21 20 0:30 /@home /home rw - btrfs /dev/vdb1 rw\n\
                 22 20 8:1 /var/lib/x /bound ro - ext4 /dev/root rw\n\
                 23 20 0:5 / /proc rw - proc proc rw\n\
                 24 20 8:1 / /twice rw - ext4 /dev/root rw\n\
                 25 24 8:1 /var/lib/y /twice rw - ext4 /dev/root rw\n\
                 26 20 8:1 / /a\\040b rw - ext4 /dev/root rw\n",
            ),
            ("sys/dev/block/8:1", "-> ../../devices/pci0/block/sda/sda1"),
            ("sys/class/block/vdb1/partition", "1"),
        ]);
        let device = |point| mounted_at(&machine, point).unwrap().map(|mounted| mounted.device);
        assert_eq!(device("/").as_deref(), Some("sda1"));
        assert_eq!(device("/a b").as_deref(), Some("sda1"));
        assert_eq!(device("/home").as_deref(), Some("vdb1"));
        for point in ["/bound", "/proc", "/none", "/twice"] {
            assert_eq!(device(point), None, "{point}");
        }
    }
}

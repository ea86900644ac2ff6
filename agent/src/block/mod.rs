//! Block devices as the kernel and udev name them, read through `Machine`.

mod bytes;
pub(crate) mod ioctl;
mod mounted;
mod names;
mod part;
pub(crate) mod superblock;
pub(crate) mod table;

pub(crate) use mounted::mounted_at;
pub(crate) use names::{Found, Names};
pub(crate) use part::{Part, disk_length};

use crate::machine::Machine;
use anyhow::Result;

/// All disks and partitions, by the kernel's names.
pub(crate) const CLASS: &str = "sys/class/block";

/// In a container, disks are its host's.
const CONTAINER: &str = "run/systemd/container";

/// True where the machine's disks are its own.
pub(crate) fn owns_its_disks(machine: &dyn Machine) -> Result<bool> {
    Ok(!machine.holds(CONTAINER)?)
}

/// Links that may follow each other on the way to a device.
const MOST_LINKS: usize = 8;

/// The kernel's name of the device that a path leads to; `None` if it leads to none.
pub(crate) fn kernel_name(machine: &dyn Machine, path: &str) -> Result<Option<String>> {
    let mut path = path.trim_start_matches('/').to_owned();
    for _ in 0..MOST_LINKS {
        let Some(target) = machine.link(&path)? else { break };
        path = match target.strip_prefix('/') {
            Some(target) => target.to_owned(),
            None => beside(&path, &target),
        };
    }
    let Some(name) = path.strip_prefix("dev/") else { return Ok(None) };
    let is_device = !name.contains('/') && machine.holds(&format!("{CLASS}/{name}"))?;
    Ok(is_device.then(|| name.to_owned()))
}

/// A link's target as a path from the root.
fn beside(link: &str, target: &str) -> String {
    let mut steps: Vec<&str> = link.split('/').collect();
    steps.pop();
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Paper;

    #[test]
    fn links_lead_to_the_kernels_name() {
        let machine = Paper(&[
            ("dev/disk/by-id/a", "-> ../../vdb"),
            ("dev/cloud", "-> /dev/disk/by-id/a"),
            ("dev/loop", "-> loop"),
            ("dev/disk/by-label/gone", "-> ../../vdz"),
            ("etc/file", ""),
            ("sys/class/block/vdb/size", "8"),
        ]);
        for (path, name) in [
            ("/dev/disk/by-id/a", Some("vdb")),
            ("/dev/cloud", Some("vdb")),
            ("dev/vdb", Some("vdb")),
            ("/dev/disk/by-label/gone", None),
            ("/dev/loop", None),
            ("/etc/file", None),
            ("/dev", None),
        ] {
            assert_eq!(kernel_name(&machine, path).unwrap().as_deref(), name, "{path}");
        }
    }
}

//! While init looks for what `UUID=…` or the like stands for: which of the devices that have it is meant, where
//! some are ignored volumes or on the disks of such.

use super::Scan;
use super::decision::BootSoFar;
use super::settings::RescueSettings;
use crate::initramfs_tools;
use crate::outcome::Outcome;
use crate::volume::{stack, udev::UdevRecord};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::fs;
use std::path::Path;

/// Says which of the devices is meant, where init takes the first; what is said when it is none.
const NONE: &str = "-";

/// Answers on standard output; whoever asked goes on as without lifeboat where nothing is said.
pub(crate) fn run(line: &CommandLine, devices: &[String]) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    let mut so_far = BootSoFar::read()?;
    let own_root = initramfs_tools::own_root();
    // What appeared since the last look may be a copy too. Nothing is noted: the next stage looks as well.
    Scan::of_new(&mut so_far, &settings, own_root.as_deref())?;
    let own_disks = own_root.as_deref().map(|root| stack::disks_of(Path::new(root))).unwrap_or_default();
    // Where the own root is not known, its disk is not either.
    let disks = if own_disks.is_empty() { Vec::new() } else { so_far.shunned_disks(&own_disks) };
    let is_beside = |device: &Path| stack::disks_of(device).iter().any(|disk| disks.contains(disk));
    // Volumes of LVM and udev's links have other names than the kernel's.
    let is_shunned =
        |device: &Path| so_far.shuns(&fs::canonicalize(device).unwrap_or_else(|_| device.into()));
    let meant = meant(devices, is_shunned, is_beside, |device| UdevRecord::of(device).priority);
    Ok(Outcome::Answer(meant.unwrap_or(NONE).to_owned()))
}

/// The first, which is init's own choice, unless it is shunned or beside such. Then the one that udev prefers, those that
/// are only beside coming last.
fn meant(
    devices: &[String],
    is_shunned: impl Fn(&Path) -> bool,
    is_beside: impl Fn(&Path) -> bool,
    priority: impl Fn(&Path) -> i32,
) -> Option<&str> {
    let is_good = |device: &&String| !is_shunned(Path::new(device)) && !is_beside(Path::new(device));
    if let Some(first) = devices.first().filter(is_good) {
        return Some(first);
    }
    let others = devices.iter().filter(|device| !is_shunned(Path::new(device)));
    // The last of equal ones is the greatest.
    let best = others.rev().max_by_key(|device| (is_good(device), priority(Path::new(device))));
    best.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer<'a>(devices: &'a [String], shunned: &str, beside: &[&str]) -> Option<&'a str> {
        let is = |device: &Path, name: &str| device == Path::new(name);
        let is_beside = |device: &Path| beside.iter().any(|name| is(device, name));
        // As a snapshot of LVM.
        let priority = |device: &Path| if device.ends_with("vg-snapshot") { -100 } else { 0 };
        meant(devices, |device| is(device, shunned), is_beside, priority)
    }

    #[test]
    fn in_the_place_of_an_ignored_volume_the_origin_of_a_snapshot_is_meant() {
        let (copy, origin, snapshot) = ("/dev/vdb", "/dev/mapper/vg-root", "/dev/mapper/vg-snapshot");
        for (devices, expected) in [
            ([copy, snapshot, origin], origin),
            ([copy, origin, snapshot], origin),
            // What init takes by itself stays.
            ([snapshot, origin, copy], snapshot),
            ([copy, snapshot, copy], snapshot),
        ] {
            let devices = devices.map(str::to_owned);
            assert_eq!(answer(&devices, copy, &[]), Some(expected), "{devices:?}");
        }
    }

    #[test]
    fn what_is_neither_ignored_nor_beside_such_is_meant_in_each_order() {
        for devices in [["/dev/vda2", "/dev/vdb2"], ["/dev/vdb2", "/dev/vda2"]] {
            let devices = devices.map(str::to_owned);
            assert_eq!(answer(&devices, "/dev/vdb1", &["/dev/vdb1", "/dev/vdb2"]), Some("/dev/vda2"));
            assert_eq!(answer(&devices, "/dev/vdb2", &[]), Some("/dev/vda2"));
        }
    }

    #[test]
    fn what_is_on_an_ignored_volumes_disk_only_is_found_there() {
        let devices = ["/dev/vdb2".to_owned()];
        assert_eq!(answer(&devices, "/dev/vdb1", &["/dev/vdb1", "/dev/vdb2"]), Some("/dev/vdb2"));
    }

    #[test]
    fn an_ignored_volume_itself_is_never_meant() {
        let devices = ["/dev/vdb1".to_owned()];
        assert_eq!(answer(&devices, "/dev/vdb1", &["/dev/vdb1"]), None);
    }

    #[test]
    fn where_nothing_is_ignored_inits_own_choice_stands() {
        let devices = ["/dev/dm-0", "/dev/sda", "/dev/dm-0"].map(str::to_owned);
        assert_eq!(answer(&devices, "", &[]), Some("/dev/dm-0"));
    }
}

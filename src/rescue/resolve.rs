//! While init looks for the device of `UUID=…` or the like: picks one of several. Some may be ignored volumes or on the
//! disks of such.

use super::Scan;
use super::decision::BootSoFar;
use super::settings::RescueSettings;
use crate::initramfs_tools;
use crate::outcome::Outcome;
use crate::volume::{self, stack, udev::UdevRecord};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::path::Path;

/// Says which of the devices is meant, where init takes the first; what is said when it is none.
const NONE: &str = "-";

/// Answers on standard output; whoever asked goes on as without lifeboat where nothing is said.
pub(crate) fn run(line: &CommandLine, devices: &[String]) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    let mut so_far = BootSoFar::read()?;
    let own_root = initramfs_tools::own_root();
    // A volume that appeared since the last look may be a copy too. Nothing is noted: the next stage looks as well.
    Scan::of_new(&mut so_far, &settings, own_root.as_deref())?;
    let own_disks = own_root.as_deref().map(|root| stack::disks_of(Path::new(root))).unwrap_or_default();
    // Where the own root is not known, its disk is not either.
    let disks = if own_disks.is_empty() { Vec::new() } else { so_far.shunned_disks(&own_disks) };
    let is_beside = |device: &Path| stack::disks_of(device).iter().any(|disk| disks.contains(disk));
    // Volumes of LVM and udev's links have other names than the kernel's.
    let is_shunned = |device: &Path| so_far.shuns(&volume::node_of(device));
    let is_own = |device: &Path| stack::disks_of(device).iter().any(|disk| own_disks.contains(disk));
    let standing = |device: &Path| match device {
        device if is_shunned(device) => Standing::Shunned,
        device if is_beside(device) => Standing::Beside,
        device if is_own(device) => Standing::BesideTheRoot,
        _ => Standing::Free,
    };
    let meant = meant(devices, standing, |device| UdevRecord::of(device).priority);
    Ok(Outcome::Answer(meant.unwrap_or(NONE).to_owned()))
}

/// The facts about a device that decide its rank, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Standing {
    /// It is ignored or has failed.
    Shunned,
    /// It is on the disk of such a one.
    Beside,
    /// Nothing.
    Free,
    /// It is on the own root's disk: a /usr is looked for, or a hibernated system.
    BesideTheRoot,
}

/// The first, which is init's own choice, unless others stand better. Then the one of these that udev prefers.
fn meant(
    devices: &[String],
    standing: impl Fn(&Path) -> Standing,
    priority: impl Fn(&Path) -> i32,
) -> Option<&str> {
    let standing = |device: &String| standing(Path::new(device));
    let best = devices.iter().map(standing).max().filter(|best| *best != Standing::Shunned)?;
    let of_the_best = || devices.iter().filter(|device| standing(device) == best);
    if devices.first() == of_the_best().next() {
        return devices.first().map(String::as_str);
    }
    // The last of equal ones is the greatest.
    of_the_best().rev().max_by_key(|device| priority(Path::new(device))).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer<'a>(devices: &'a [String], shunned: &str, beside: &[&str], own: &[&str]) -> Option<&'a str> {
        let standing = |device: &Path| {
            let is = |name: &str| device == Path::new(name);
            let is_one_of = |names: &[&str]| names.iter().any(|name| is(name));
            match device {
                _ if is(shunned) => Standing::Shunned,
                _ if is_one_of(beside) => Standing::Beside,
                _ if is_one_of(own) => Standing::BesideTheRoot,
                _ => Standing::Free,
            }
        };
        // As a snapshot of LVM.
        let priority = |device: &Path| if device.ends_with("vg-snapshot") { -100 } else { 0 };
        meant(devices, standing, priority)
    }

    #[test]
    fn in_the_place_of_an_ignored_volume_the_origin_of_a_snapshot_is_meant() {
        let (copy, origin, snapshot) = ("/dev/vdb", "/dev/mapper/vg-root", "/dev/mapper/vg-snapshot");
        for (devices, expected) in [
            ([copy, snapshot, origin], origin),
            ([copy, origin, snapshot], origin),
            // The volume that init takes by itself stays.
            ([snapshot, origin, copy], snapshot),
            ([copy, snapshot, copy], snapshot),
        ] {
            let devices = devices.map(str::to_owned);
            assert_eq!(answer(&devices, copy, &[], &[]), Some(expected), "{devices:?}");
        }
    }

    #[test]
    fn what_is_neither_ignored_nor_beside_such_is_meant_in_each_order() {
        for devices in [["/dev/vda2", "/dev/vdb2"], ["/dev/vdb2", "/dev/vda2"]] {
            let devices = devices.map(str::to_owned);
            assert_eq!(answer(&devices, "/dev/vdb1", &["/dev/vdb1", "/dev/vdb2"], &[]), Some("/dev/vda2"));
            assert_eq!(answer(&devices, "/dev/vdb2", &[], &[]), Some("/dev/vda2"));
        }
    }

    #[test]
    fn what_is_on_an_ignored_volumes_disk_only_is_found_there() {
        let devices = ["/dev/vdb2".to_owned()];
        assert_eq!(answer(&devices, "/dev/vdb1", &["/dev/vdb1", "/dev/vdb2"], &[]), Some("/dev/vdb2"));
    }

    #[test]
    fn an_ignored_volume_itself_is_never_meant() {
        let devices = ["/dev/vdb1".to_owned()];
        assert_eq!(answer(&devices, "/dev/vdb1", &["/dev/vdb1"], &[]), None);
    }

    #[test]
    fn where_nothing_is_ignored_inits_own_choice_stands() {
        let devices = ["/dev/dm-0", "/dev/sda", "/dev/dm-0"].map(str::to_owned);
        assert_eq!(answer(&devices, "", &[], &[]), Some("/dev/dm-0"));
    }

    /// Three disks of one image: the own one, a finished copy, and one of which nothing is known.
    #[test]
    fn what_is_on_the_roots_disk_is_meant_before_what_is_on_any_other() {
        let beside = &["/dev/vdb1", "/dev/vdb2"][..];
        for (devices, own, expected) in [
            (["/dev/vdc2", "/dev/vdb2", "/dev/vda2"], &["/dev/vda1", "/dev/vda2"][..], "/dev/vda2"),
            (["/dev/vda2", "/dev/vdb2", "/dev/vdc2"], &["/dev/vdc1", "/dev/vdc2"], "/dev/vdc2"),
            (["/dev/vdb2", "/dev/vda2", "/dev/vdc2"], &["/dev/vdc1", "/dev/vdc2"], "/dev/vdc2"),
            // It has none: init's own choice stays.
            (["/dev/vda2", "/dev/vdb2", "/dev/vdc2"], &["/dev/vdd1"], "/dev/vda2"),
            // The root is what is looked for.
            (["/dev/vdc2", "/dev/vda2", "/dev/vdb2"], &[], "/dev/vdc2"),
            // A snapshot is on the same disk as its origin.
            (
                ["/dev/vdb2", "/dev/mapper/vg-snapshot", "/dev/mapper/vg-usr"],
                &["/dev/mapper/vg-snapshot", "/dev/mapper/vg-usr"],
                "/dev/mapper/vg-usr",
            ),
        ] {
            let devices = devices.map(str::to_owned);
            assert_eq!(answer(&devices, "/dev/vdb1", beside, own), Some(expected), "{devices:?} {own:?}");
        }
    }
}

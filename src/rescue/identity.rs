//! A volume that was copied from the machine's own image has its UUIDs and labels. While such a volume is
//! ignored, what names the own root must lead to the own disk, now and in the booted system.

use super::candidate::Candidate;
use super::decision::BootSoFar;
use super::selector::Selector;
use crate::files;
use crate::volume::udev::UdevRecord;
use crate::volume::{self, Volume};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Read by the booted system's udev, which makes its links anew.
const RULES: &str = "/run/udev/rules.d/90-lifeboat.rules";

/// The device that `root=` is to lead to, where it could lead to an ignored volume instead. By udev's priority
/// the origin of a snapshot is told from it.
pub(super) fn pin(
    own_root: &Selector,
    volumes: &[Volume],
    candidates: &[Candidate],
) -> Result<Option<Volume>> {
    // All devices of one btrfs have its UUID, but only copies of one device are taken for each other.
    let single = |volume: &&Volume| {
        let copied = || volumes.iter().any(|other| volume.is_taken_for(other));
        volume.file_system().is_some() && (volume.kind != "btrfs" || copied())
    };
    let named: Vec<&Volume> = volumes.iter().filter(single).filter(|volume| own_root.names(volume)).collect();
    let ignored = |volume: &&Volume| {
        candidates
            .iter()
            .any(|candidate| candidate.verdict.is_no_root() && candidate.volume.device == volume.device)
    };
    let mut own: Vec<&Volume> = named.iter().copied().filter(|volume| !ignored(volume)).collect();
    // Where nothing is ignored, what init does is what it would have done.
    if own.len() > 1 && own.len() < named.len() {
        let highest = own.iter().map(|volume| volume.priority).max();
        own.retain(|volume| Some(volume.priority) == highest);
    }
    match own.as_slice() {
        [own] if named.len() > 1 => Ok(Some((**own).clone())),
        [_, _, ..] => {
            let devices: Vec<String> = own.iter().map(|volume| volume.device.display().to_string()).collect();
            anyhow::bail!(
                "root={own_root} names {}; init takes one of them (name the right one by its device: root=/dev/…)",
                devices.join(" and ")
            )
        }
        _ => Ok(None),
    }
}

/// The volume that `resume=` is to lead to, where it could lead to one of these disks instead.
pub(super) fn pin_resume<'a>(
    resume: &Selector,
    volumes: &'a [Volume],
    own_disk: &str,
    ignored_disks: &[String],
) -> Option<&'a Volume> {
    let named = || volumes.iter().filter(|volume| resume.names(volume));
    let is_copied = named().any(|volume| ignored_disks.contains(&volume.disk));
    named().find(|volume| is_copied && volume.disk == own_disk)
}

/// The disks of ignored volumes, but not those of the own root.
pub(super) fn ignored_disks(candidates: &[Candidate], own_disks: &[String]) -> Vec<String> {
    let mut disks = Vec::new();
    for candidate in candidates.iter().filter(|candidate| candidate.verdict.is_set_aside()) {
        let disk = &candidate.volume.disk;
        if !own_disks.contains(disk) && !disks.contains(disk) {
            disks.push(disk.clone());
        }
    }
    disks
}

/// Gives the links of the disks of volumes that are not to be booted to the own root's disks. Where those are not
/// known, each disk may be one of them, and nothing is given away.
pub(super) fn give_way_to(own_disks: &[String], so_far: &BootSoFar) -> Result<()> {
    if own_disks.is_empty() { Ok(()) } else { give_way(&so_far.shunned_disks(own_disks), own_disks) }
}

/// Takes the links below /dev/disk that lead to these disks, and that another disk has a claim to as well. `own_disks`:
/// the own root's, where they are known.
pub(super) fn give_way(disks: &[String], own_disks: &[String]) -> Result<()> {
    if disks.is_empty() {
        return Ok(());
    }
    if let Some(directory) = Path::new(RULES).parent() {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    let paths: Vec<PathBuf> = disks.iter().map(|disk| volume::disk(disk)).collect();
    let rules = render_rules(files::read_text(RULES)?, &paths);
    files::write(RULES, rules.as_bytes(), 0o644)?;
    // The booted system's udev may come to these devices only after something was mounted by a link.
    // All devices: udev makes links for more superblocks than are known here.
    let claimants: Vec<Claimant> = volume::devices()?.iter().map(|name| Claimant::of(name)).collect();
    let mut links: Vec<&String> = claimants.iter().flat_map(|claimant| &claimant.record.links).collect();
    links.sort_unstable();
    links.dedup();
    for link in links {
        let path = Path::new("/dev").join(link);
        let device = fs::metadata(&path).is_ok().then(|| volume::node_of(&path));
        let leads_to = device.map(|device| volume::disk_name(&volume::name_of(&device)));
        if let Some(heir) = heir(link, leads_to.as_deref(), &claimants, disks, own_disks) {
            point(&path, &heir.device)?;
        }
    }
    Ok(())
}

/// A device that may claim links.
struct Claimant {
    device: PathBuf,
    disk: String,
    record: UdevRecord,
}

impl Claimant {
    fn of(name: &str) -> Self {
        let device = volume::node(name);
        Self { record: UdevRecord::of(&device), disk: volume::disk_name(name), device }
    }
}

/// The device that is to have a link in place of the one that has it: the own root's disk first, then udev's order.
/// `None`: the link stays as udev made it, for it leads to no ignored disk, or nothing else claims it.
fn heir<'a>(
    link: &str,
    leads_to: Option<&str>,
    claimants: &'a [Claimant],
    ignored: &[String],
    own_disks: &[String],
) -> Option<&'a Claimant> {
    let is_ignored = |disk: &str| ignored.iter().any(|ignored| ignored == disk);
    if !leads_to.is_some_and(is_ignored) {
        return None;
    }
    let others = claimants.iter().filter(|claimant| {
        !is_ignored(&claimant.disk) && claimant.record.links.iter().any(|claimed| claimed == link)
    });
    // The last of equal ones is the greatest.
    others.rev().max_by_key(|other| (own_disks.contains(&other.disk), other.record.priority))
}

/// `disks`: their directories in sysfs, for only some buses have their disks in one that is named `block`. The rules
/// that are there already stay.
fn render_rules(existing: Option<String>, disks: &[PathBuf]) -> String {
    const HEAD: &str = "# Made by lifeboat: the links of ignored rescue volumes give way to others.\n";
    let mut text = existing.unwrap_or_else(|| HEAD.to_owned());
    for disk in disks {
        let path = Path::new("/").join(disk.strip_prefix("/sys").unwrap_or(disk));
        let path = path.display();
        if text.contains(&format!("{path}|")) {
            continue;
        }
        // Writing to a String cannot fail.
        writeln!(text, "SUBSYSTEM==\"block\", DEVPATH==\"{path}|{path}/*\", OPTIONS+=\"link_priority=-100\"")
            .unwrap_or_default();
    }
    text
}

/// Points a link to a device, in one step.
fn point(link: &Path, device: &Path) -> Result<()> {
    let target = PathBuf::from("../..").join(device.strip_prefix("/dev").unwrap_or(device));
    if fs::read_link(link).is_ok_and(|current| current == target) {
        return Ok(());
    }
    let new = link.with_extension("lifeboat-new");
    std::os::unix::fs::symlink(&target, &new)
        .and_then(|()| fs::rename(&new, link))
        .with_context(|| format!("point {} to {}", link.display(), device.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rescue::Claim;
    use crate::rescue::candidate::{Looked, Verdict};
    use crate::rescue::runnable::Unrunnable;

    fn volume(device: &str, uuid: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            uuid: Some(uuid.into()),
            disk: device.trim_start_matches("/dev/").trim_end_matches(char::is_numeric).into(),
            ..Volume::default()
        }
    }

    fn ignored(volume: Volume) -> Candidate {
        let verdict = Verdict::Finished("finished");
        Candidate { volume, claim: Claim::Labelled(0), serial: None, verdict }
    }

    #[test]
    fn the_root_is_pinned_to_the_disk_that_is_not_ignored() {
        let volumes = [volume("/dev/vda1", "u"), volume("/dev/vdb1", "u")];
        for (finished, own) in [(0, 1), (1, 0)] {
            let pinned =
                pin(&Selector::Uuid("u".into()), &volumes, &[ignored(volumes[finished].clone())]).unwrap();
            assert_eq!(pinned.as_ref(), Some(&volumes[own]));
        }
    }

    #[test]
    fn a_root_that_only_one_volume_has_is_not_pinned() {
        let volumes = [volume("/dev/vda1", "u"), volume("/dev/vdb1", "v")];
        let candidates = [ignored(volumes[1].clone())];
        assert_eq!(pin(&Selector::Uuid("u".into()), &volumes, &candidates).unwrap(), None);
        assert_eq!(pin(&Selector::Uuid("v".into()), &volumes, &candidates).unwrap(), None);
    }

    #[test]
    fn two_roots_without_a_marker_are_said_to_be_two() {
        let volumes = [volume("/dev/vda1", "u"), volume("/dev/vdb1", "u")];
        let error = pin(&Selector::Uuid("u".into()), &volumes, &[]).unwrap_err();
        assert!(error.to_string().starts_with("root=UUID=u names /dev/vda1 and /dev/vdb1; "), "{error}");
    }

    #[test]
    fn beside_an_ignored_copy_the_origin_is_told_from_its_snapshot() {
        let origin = volume("/dev/dm-1", "u");
        let snapshot = Volume { priority: -100, ..volume("/dev/dm-3", "u") };
        let copy = volume("/dev/vdb", "u");
        for volumes in [
            [origin.clone(), snapshot.clone(), copy.clone()],
            [copy.clone(), snapshot.clone(), origin.clone()],
        ] {
            let root = Selector::Uuid("u".into());
            let pinned = pin(&root, &volumes, &[ignored(copy.clone())]).unwrap();
            assert_eq!(pinned.as_ref(), Some(&origin));
            // Without an ignored one init does what it would have done.
            let error = pin(&root, &[origin.clone(), snapshot.clone()], &[]).unwrap_err().to_string();
            assert!(error.contains("names /dev/dm-1 and /dev/dm-3; "), "{error}");
        }
    }

    /// The owner of the link `u` among those that claim it: device, its disk, its priority.
    fn who_has(leads_to: &str, claimants: &[(&str, &str, i32)], ignored: &[&str], own: &[&str]) -> String {
        let claimants: Vec<Claimant> = claimants
            .iter()
            .map(|(device, disk, priority)| Claimant {
                device: device.into(),
                disk: (*disk).to_owned(),
                record: UdevRecord { links: vec!["u".into()], priority: *priority, ..UdevRecord::default() },
            })
            .collect();
        let disk = claimants.iter().find(|claimant| claimant.device == Path::new(leads_to));
        let disk = disk.map_or(leads_to, |claimant| claimant.disk.as_str());
        let [ignored, own] =
            [ignored, own].map(|disks| disks.iter().map(ToString::to_string).collect::<Vec<_>>());
        let heir = heir("u", Some(disk).filter(|disk| !disk.is_empty()), &claimants, &ignored, &own);
        heir.map_or_else(|| leads_to.to_owned(), |heir| heir.device.display().to_string())
    }

    #[test]
    fn a_link_is_taken_only_from_an_ignored_disk_and_given_to_whom_it_belongs() {
        const LVM: &[(&str, &str, i32)] = &[("dm-1", "dm-1", 0), ("dm-3", "dm-3", -100), ("vdb", "vdb", 0)];
        const THREE: &[(&str, &str, i32)] = &[("vda1", "vda", 0), ("vdb1", "vdb", 0), ("vdc1", "vdc", 0)];
        const PATHS: &[(&str, &str, i32)] = &[("vda2", "vda", 0), ("vdb1", "vdb", 0), ("dm-0", "dm-0", 50)];
        for (leads_to, claimants, ignored, own, has) in [
            // A snapshot of LVM beside its origin, and a finished copy.
            ("dm-1", LVM, &["vdb"][..], &[][..], "dm-1"),
            ("dm-3", LVM, &["vdb"], &[][..], "dm-3"),
            ("vdb", LVM, &["vdb"], &[][..], "dm-1"),
            ("vdb", LVM, &["vdb"], &["dm-1"][..], "dm-1"),
            ("vdb", LVM, &["vdb"], &["dm-3"][..], "dm-3"),
            ("vdb", LVM, &["vdb"], &["vda"][..], "dm-1"),
            // Three disks of one image.
            ("vda1", THREE, &["vdb"], &["vda"][..], "vda1"),
            ("vdc1", THREE, &["vdb"], &["vda"][..], "vdc1"),
            ("vdb1", THREE, &["vdb"], &["vda"][..], "vda1"),
            ("vdb1", THREE, &["vdb"], &["vdc"][..], "vdc1"),
            ("vdb1", THREE, &["vdb"], &[][..], "vda1"),
            ("vda1", THREE, &["vda", "vdb"], &[][..], "vdc1"),
            ("vdb1", THREE, &["vda", "vdb", "vdc"], &[][..], "vdb1"),
            // A device of several paths has a high priority.
            ("vdb1", PATHS, &["vdb"], &[][..], "dm-0"),
            ("vdb1", PATHS, &["vdb"], &["vda"][..], "vda2"),
            ("dm-0", PATHS, &["vdb"], &["vda"][..], "dm-0"),
            // Nothing is there, or something that claims nothing.
            ("", THREE, &["vdb"], &["vda"][..], ""),
            ("vdz", THREE, &["vdb"], &["vda"][..], "vdz"),
            ("vdz", THREE, &["vdz"], &["vda"][..], "vda1"),
            // A root on LVM is on a disk as well.
            ("vdb", LVM, &["vdb"], &["dm-1", "vda"], "dm-1"),
            ("vdb1", PATHS, &["vdb"], &["dm-7", "vda"], "vda2"),
            // Nobody is ignored.
            ("vdc1", THREE, &[], &["vda"][..], "vdc1"),
        ] {
            let seen = who_has(leads_to, claimants, ignored, own);
            assert_eq!(seen, has, "{leads_to} of {claimants:?}, ignored {ignored:?}, own {own:?}");
        }
        let others = [Claimant { device: "vda1".into(), disk: "vda".into(), record: UdevRecord::default() }];
        assert!(
            heir("u", Some("vdb"), &others, &["vdb".to_owned()], &[]).is_none(),
            "it claims another link"
        );
    }

    /// A device of a btrfs; `part` tells the devices of one from its copies.
    fn btrfs(device: &str, part: &str) -> Volume {
        Volume { kind: "btrfs".into(), device_uuid: Some(part.into()), ..volume(device, "u") }
    }

    #[test]
    fn a_btrfs_root_is_pinned_beside_its_copy() {
        let volumes = [btrfs("/dev/vda", "a"), btrfs("/dev/vdb", "a")];
        for (copy, own) in [(0, 1), (1, 0)] {
            let pinned =
                pin(&Selector::Uuid("u".into()), &volumes, &[ignored(volumes[copy].clone())]).unwrap();
            assert_eq!(pinned.as_ref(), Some(&volumes[own]));
        }
        let error = pin(&Selector::Uuid("u".into()), &volumes, &[]).unwrap_err();
        assert!(error.to_string().starts_with("root=UUID=u names /dev/vda and /dev/vdb; "), "{error}");
    }

    #[test]
    fn the_devices_of_one_btrfs_are_not_told_apart() {
        let volumes = [btrfs("/dev/vda", "a"), btrfs("/dev/vdb", "b")];
        assert_eq!(pin(&Selector::Uuid("u".into()), &volumes, &[]).unwrap(), None);
    }

    #[test]
    fn a_hibernated_system_is_looked_for_on_the_own_disk() {
        let swap = |device| Volume { kind: "swap".into(), ..volume(device, "u") };
        let volumes = [swap("/dev/vda3"), swap("/dev/vdb3")];
        let pin = |name: &str, own: &str, ignored: &str| {
            let resume = Selector::parse(name).unwrap();
            let pinned = pin_resume(&resume, &volumes, own, &[ignored.to_owned()])?;
            Some(pinned.device.to_str().unwrap().to_owned())
        };
        assert_eq!(pin("UUID=u", "vda", "vdb").unwrap(), "/dev/vda3");
        assert_eq!(pin("UUID=u", "vdb", "vda").unwrap(), "/dev/vdb3");
        // A volume on another disk than the root, or without a copy, is left to init.
        assert_eq!(pin("UUID=u", "vdc", "vdb"), None);
        assert_eq!(pin("UUID=u", "vda", "vdc"), None);
        assert_eq!(pin("UUID=v", "vda", "vdb"), None);
    }

    #[test]
    fn whole_disks_give_way_but_not_the_own_one() {
        let candidates = [ignored(volume("/dev/vdb1", "u")), ignored(volume("/dev/vda3", "w"))];
        for (own, expected) in [
            (&["vda"][..], &["vdb"][..]),
            (&["dm-0", "vda"], &["vdb"]),
            (&["vda", "vdb"], &[]),
            (&[], &["vdb", "vda"]),
        ] {
            let own: Vec<String> = own.iter().map(ToString::to_string).collect();
            assert_eq!(ignored_disks(&candidates, &own), expected, "{own:?}");
        }
    }

    /// A volume that cannot be booted as a rescue volume may still be the own root, as far as this is known.
    #[test]
    fn only_what_cannot_be_the_own_root_gives_way_to_its_copies() {
        let foreign =
            Unrunnable::WithoutInterpreter { program: "/sbin/init".into(), interpreter: "/bin/sh".into() };
        let volumes = [volume("/dev/vda1", "u"), volume("/dev/vdb1", "u")];
        for (verdict, pinned, given) in [
            (Verdict::Fit, false, false),
            (Verdict::Finished("finished"), true, true),
            (Verdict::Refused("UUID=x".into()), true, true),
            (Verdict::NoInit(Looked::InAll), true, true),
            (Verdict::Unrunnable(foreign), true, false),
            (Verdict::NoUsr("UUID=usr".into()), true, false),
            (Verdict::Unreadable("its journal is damaged".into()), false, false),
        ] {
            let candidate = Candidate { verdict: verdict.clone(), ..ignored(volumes[1].clone()) };
            assert_eq!(ignored_disks(std::slice::from_ref(&candidate), &[]) == ["vdb"], given, "{verdict:?}");
            let seen = pin(&Selector::Uuid("u".into()), &volumes, &[candidate]);
            assert_eq!(seen.is_ok_and(|own| own == Some(volumes[0].clone())), pinned, "{verdict:?}");
        }
    }

    #[test]
    fn a_rule_matches_a_disk_wherever_its_bus_puts_it() {
        for path in
            ["pci0000:00/0000:00:05.0/virtio2/block/vdb", "pci0000:00/0000:00:06.0/nvme/nvme0/nvme0n1"]
        {
            let disk = [Path::new("/sys/devices").join(path)];
            let rules = render_rules(None, &disk);
            let rule =
                format!("DEVPATH==\"/devices/{path}|/devices/{path}/*\", OPTIONS+=\"link_priority=-100\"");
            assert!(rules.contains(&rule), "{rules}");
            assert_eq!(render_rules(Some(rules.clone()), &disk), rules);
            let more = render_rules(Some(rules.clone()), &["/sys/devices/vdz".into()]);
            assert!(more.starts_with(&rules) && more.contains("\"/devices/vdz|"), "{more}");
        }
    }
}

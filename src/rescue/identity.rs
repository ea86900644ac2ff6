//! A volume that was copied from the machine's own image has its UUIDs and labels. While such a volume is
//! ignored, what names the own root must lead to the own disk, now and in the booted system.

use super::candidate::{Candidate, Verdict};
use super::settings::Selector;
use crate::files;
use crate::volume::{self, Volume};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Read by the booted system's udev, which makes its links anew.
const RULES: &str = "/run/udev/rules.d/90-lifeboat.rules";

/// udev's records of the devices, which survive the switch of root.
const RECORDS: &str = "/run/udev/data";

/// The device that `root=` is to lead to, where it could lead to an ignored volume instead.
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
            .any(|candidate| candidate.verdict != Verdict::Fit && candidate.volume.device == volume.device)
    };
    let own: Vec<&&Volume> = named.iter().filter(|volume| !ignored(volume)).collect();
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

/// The disks of ignored volumes, but not the own root's.
pub(super) fn ignored_disks(candidates: &[Candidate], own_disk: Option<&str>) -> Vec<String> {
    let mut disks = Vec::new();
    for candidate in candidates.iter().filter(|candidate| candidate.verdict != Verdict::Fit) {
        let disk = &candidate.volume.disk;
        if Some(disk.as_str()) != own_disk && !disks.contains(disk) {
            disks.push(disk.clone());
        }
    }
    disks
}

/// Takes the links below /dev/disk that lead to these disks, and that another disk has a claim to as well.
pub(super) fn give_way(disks: &[String]) -> Result<()> {
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
    let devices = volume::devices()?;
    let gives_way = |name: &&String| disks.contains(&volume::disk_name(name));
    let claimed: Vec<String> =
        devices.iter().filter(gives_way).flat_map(|name| links(&volume::node(name))).collect();
    for name in devices.iter().filter(|name| !gives_way(name)) {
        let device = volume::node(name);
        for link in links(&device).iter().filter(|link| claimed.contains(*link)) {
            point(&Path::new("/dev").join(link), &device)?;
        }
    }
    Ok(())
}

/// `disks`: their directories in sysfs, for only some buses have their disks in one that is named `block`.
/// What is there already stays.
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

/// What udev links to a device, below /dev.
fn links(device: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = fs::metadata(device) else { return Vec::new() };
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let record = fs::read_to_string(Path::new(RECORDS).join(format!("b{major}:{minor}"))).unwrap_or_default();
    parse_record(&record)
}

fn parse_record(record: &str) -> Vec<String> {
    const BY_CONTENT: [&str; 4] =
        ["disk/by-uuid/", "disk/by-label/", "disk/by-partuuid/", "disk/by-partlabel/"];
    record
        .lines()
        .filter_map(|line| line.strip_prefix("S:"))
        .filter(|link| BY_CONTENT.iter().any(|folder| link.starts_with(folder)))
        .map(str::to_owned)
        .collect()
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
        // What is on another disk than the root, or has no copy, is left to init.
        assert_eq!(pin("UUID=u", "vdc", "vdb"), None);
        assert_eq!(pin("UUID=u", "vda", "vdc"), None);
        assert_eq!(pin("UUID=v", "vda", "vdb"), None);
    }

    #[test]
    fn whole_disks_give_way_but_not_the_own_one() {
        let candidates = [ignored(volume("/dev/vdb1", "u")), ignored(volume("/dev/vda3", "w"))];
        let disks = ignored_disks(&candidates, Some("vda"));
        assert_eq!(disks, ["vdb"]);
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

    #[test]
    fn links_by_content_are_read_from_udevs_record() {
        let record =
            "S:disk/by-uuid/u-1\nS:disk/by-path/pci-0\nI:1\nS:disk/by-partuuid/p-1\nE:ID_FS_TYPE=ext4\n";
        assert_eq!(parse_record(record), ["disk/by-uuid/u-1", "disk/by-partuuid/p-1"]);
    }
}

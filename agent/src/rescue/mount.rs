//! `mount`: the original root, read-only unless asked otherwise, with the options that its file system needs.

use super::act::Act;
use super::devices;
use super::facts::RescueFacts;
use super::mounts::{self, Access};
use anyhow::{Result, anyhow, bail};

/// Where it is mounted when nobody says where. In /run, because a rescue volume may be read-only, and so that
/// nothing is left on it.
pub(crate) const POINT: &str = "/run/lifeboat/original";

/// The mount that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    /// Where, as an absolute path.
    pub(crate) point: String,
    /// For looking or for repairs.
    pub(crate) access: Access,
}

/// The way in which a file system is mounted.
struct FileSystem {
    kind: &'static str,
    /// The options with which not a byte of it changes: no journal is replayed.
    read_only: &'static str,
    /// `None`: it cannot be written to.
    writable: Option<&'static str>,
}

/// To add one: a line here, and in the boot program's table. A copy of an XFS has its UUID: the kernel refuses it
/// beside the other unless it is told not to look. An ext4 may ask for a panic at its first error.
const FILE_SYSTEMS: &[FileSystem] = &[
    FileSystem { kind: "ext4", read_only: "noload,errors=continue", writable: Some("errors=remount-ro") },
    FileSystem { kind: "ext3", read_only: "noload,errors=continue", writable: Some("errors=remount-ro") },
    FileSystem { kind: "ext2", read_only: "errors=continue", writable: Some("errors=remount-ro") },
    FileSystem { kind: "xfs", read_only: "norecovery,nouuid", writable: Some("nouuid") },
    FileSystem { kind: "btrfs", read_only: "rescue=nologreplay", writable: Some("") },
    FileSystem { kind: "vfat", read_only: "", writable: Some("") },
    FileSystem { kind: "iso9660", read_only: "", writable: None },
    FileSystem { kind: "squashfs", read_only: "", writable: None },
];

/// Before it, btrfs knows `rescue=nologreplay` by another name.
const RESCUE_OPTION: (u32, u32) = (5, 9);

/// Since it, btrfs mounts a copy beside what it is a copy of.
const BTRFS_COPIES: (u32, u32) = (6, 7);

/// The acts; none when it is mounted so already.
pub(crate) fn plan(facts: &RescueFacts, request: &Request) -> Result<Vec<Act>> {
    let original = facts.original.as_ref().map_err(|reason| anyhow!(reason.clone()))?;
    let device = &original.device;
    if !facts.identity.is_there() {
        bail!("{device}, the original root, is not there any more: attach it again");
    }
    if facts.rescue == facts.identity {
        bail!("{device} is the rescue volume itself");
    }
    if let Some(command) = devices::what_opens(original) {
        bail!(
            "{device} is {} and no file system: `{command}`, and mount what that gives by hand",
            original.kind
        );
    }
    let Some(known) = FILE_SYSTEMS.iter().find(|known| known.kind == original.kind) else {
        bail!("{device} is {}, which lifeboat cannot mount safely: mount it by hand", original.kind);
    };
    let options = match (request.access, known.writable) {
        (Access::ReadOnly, _) if known.kind == "btrfs" && version(&facts.release) < RESCUE_OPTION => {
            "nologreplay"
        }
        (Access::ReadOnly, _) => known.read_only,
        (Access::Writable, Some(options)) => options,
        (Access::Writable, None) => {
            bail!("{device} is {}, which cannot be written to: leave --rw out", known.kind)
        }
    };
    if let Some(mount) = facts.mounted().first() {
        if mount.point == request.point && mount.access == request.access {
            return Ok(Vec::new());
        }
        let how = match mount.access {
            Access::ReadOnly => "read-only",
            Access::Writable => "writable",
        };
        bail!("{device} is mounted at {} already, {how}: `lifeboat-agent rescue umount` first", mount.point);
    }
    if let Some(mount) = mounts::at(&request.point, &facts.mounts) {
        bail!("something else ({}) is mounted at {}: name another directory", mount.kind, request.point);
    }
    let rescue = &facts.record.volume;
    let same = known.kind == "btrfs" && rescue.kind == "btrfs" && original.uuid == rescue.uuid;
    if same && version(&facts.release) < BTRFS_COPIES {
        bail!(
            "{device} has the UUID of the rescue volume {}, and btrfs before Linux 6.7 confuses the two (this is {}): \
             run `btrfstune -u DEVICE` on the rescue volume on another machine, and boot from it again",
            rescue.device,
            facts.release
        );
    }
    Ok(vec![
        Act::MakeDirectory(request.point.clone()),
        Act::Mount {
            device: device.clone(),
            kind: known.kind.into(),
            options,
            access: request.access,
            point: request.point.clone(),
        },
    ])
}

/// The first two numbers of a kernel's release; a release that cannot be read counts as new.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (u32::MAX, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rescue::facts::testing::{facts, volume};
    use crate::rescue::mounts::Identity;
    use crate::rescue::mounts::testing::mount;

    fn said(facts: &RescueFacts, access: Access) -> String {
        match plan(facts, &Request { point: "/mnt".into(), access }) {
            Ok(acts) => acts.iter().skip(1).map(ToString::to_string).collect(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn each_file_system_is_mounted_with_what_it_needs() {
        for (kind, read_only, writable) in [
            ("ext4", "-o ro,noload,errors=continue", Some("-o rw,errors=remount-ro")),
            ("ext3", "-o ro,noload,errors=continue", Some("-o rw,errors=remount-ro")),
            ("ext2", "-o ro,errors=continue", Some("-o rw,errors=remount-ro")),
            ("xfs", "-o ro,norecovery,nouuid", Some("-o rw,nouuid")),
            ("btrfs", "-o ro,rescue=nologreplay", Some("-o rw")),
            ("vfat", "-o ro", Some("-o rw")),
            ("iso9660", "-o ro", None),
            ("squashfs", "-o ro", None),
        ] {
            let facts = facts(kind);
            assert_eq!(said(&facts, Access::ReadOnly), format!("mount -t {kind} {read_only} /dev/vda /mnt"));
            let expected = match writable {
                Some(options) => format!("mount -t {kind} {options} /dev/vda /mnt"),
                None => format!("/dev/vda is {kind}, which cannot be written to: leave --rw out"),
            };
            assert_eq!(said(&facts, Access::Writable), expected);
        }
    }

    #[test]
    fn the_tables_of_both_programs_agree() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/volume.rs");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, table) = text.split_once("const FILE_SYSTEMS").unwrap();
        let (table, _) = table.split_once("];").unwrap();
        let entries = || table.split("FileSystem {").skip(1);
        assert_eq!(entries().count(), FILE_SYSTEMS.len());
        for (entry, known) in entries().zip(FILE_SYSTEMS) {
            let nature = if known.writable.is_some() { "Writable" } else { "ReadOnly" };
            for part in [
                format!("name: c\"{}\"", known.kind),
                format!("untouched: c\"{}\"", known.read_only),
                format!("Nature::{nature}"),
            ] {
                assert!(entry.contains(&part), "{part} is not in: {entry}");
            }
        }
    }

    #[test]
    fn a_kernel_gets_the_option_that_it_knows() {
        for (release, option) in [
            ("5.8.18", "ro,nologreplay"),
            ("4.19.0-27-cloud-amd64", "ro,nologreplay"),
            ("5.9.0", "ro,rescue=nologreplay"),
            ("5.10.0-1-amd64", "ro,rescue=nologreplay"),
            ("6.12.1", "ro,rescue=nologreplay"),
            ("odd", "ro,rescue=nologreplay"),
        ] {
            let facts = RescueFacts { release: release.into(), ..facts("btrfs") };
            assert_eq!(said(&facts, Access::ReadOnly), format!("mount -t btrfs -o {option} /dev/vda /mnt"));
        }
    }

    #[test]
    fn a_copy_on_btrfs_is_refused_with_what_helps_unless_the_kernel_can() {
        let copies = |release: &str, uuid: &str| {
            let mut facts = RescueFacts { release: release.into(), ..facts("btrfs") };
            facts.record.volume = volume("/dev/vdb", "btrfs", uuid);
            said(&facts, Access::ReadOnly)
        };
        let refusal = copies("6.6.9", "a");
        assert!(refusal.contains("has the UUID of the rescue volume /dev/vdb"), "{refusal}");
        assert!(refusal.contains("`btrfstune -u DEVICE`"), "{refusal}");
        for mounted in [copies("6.7.0", "a"), copies("6.6.9", "b")] {
            assert!(mounted.starts_with("mount -t btrfs"), "{mounted}");
        }
    }

    #[test]
    fn what_is_mounted_already_is_told_and_not_mounted_twice() {
        let mut facts = facts("ext4");
        facts.mounts.push(mount("/dev/vda", "/mnt", "ext4", Access::ReadOnly));
        assert_eq!(said(&facts, Access::ReadOnly), "");
        assert_eq!(
            said(&facts, Access::Writable),
            "/dev/vda is mounted at /mnt already, read-only: `lifeboat-agent rescue umount` first"
        );
        let elsewhere = Request { point: "/srv".into(), access: Access::ReadOnly };
        assert!(plan(&facts, &elsewhere).unwrap_err().to_string().contains("at /mnt already"));
    }

    #[test]
    fn a_directory_that_is_taken_is_refused() {
        let mut facts = facts("ext4");
        facts.mounts.push(mount("/dev/vdc", "/mnt", "xfs", Access::Writable));
        let expected = "something else (xfs) is mounted at /mnt: name another directory";
        assert_eq!(said(&facts, Access::ReadOnly), expected);
    }

    #[test]
    fn what_cannot_be_mounted_is_refused_with_what_to_do() {
        let said_of = |facts: RescueFacts| said(&facts, Access::ReadOnly);
        assert!(said_of(facts("crypto_LUKS")).contains("`cryptsetup open /dev/vda NAME`"));
        assert!(said_of(facts("LVM2_member")).contains("`vgchange --activate y`"));
        assert!(said_of(facts("linux_raid_member")).contains("`mdadm --assemble --scan`"));
        assert!(said_of(facts("zfs_member")).contains("which lifeboat cannot mount safely"));
        let gone = RescueFacts { identity: Identity::default(), ..facts("ext4") };
        assert!(said_of(gone).contains("is not there any more: attach it again"));
        let missing = RescueFacts { original: Err("no root=".into()), ..facts("ext4") };
        assert_eq!(said_of(missing), "no root=");
    }
}

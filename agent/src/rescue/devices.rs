//! The block devices and their contents, from udev's database. It is newer than what the initramfs saw, and knows what
//! was assembled or opened since.

use super::record::{Original, Volume};
use crate::root::Root;
use anyhow::{Result, bail};
use lifeboat_common::rescue_volume;
use std::fmt::Write as _;

const DATABASE: &str = "run/udev/data";

/// A block device.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Device {
    node: String,
    /// The type of its content, by libblkid's name.
    pub(crate) kind: Option<String>,
    /// The file system's label.
    pub(crate) label: Option<String>,
    uuid: Option<String>,
    partition_uuid: Option<String>,
    partition_label: Option<String>,
    /// Further names, without /dev/.
    links: Vec<String>,
}

/// The types that are not file systems, each with the command that opens it.
const MEMBERS: &[(&str, &str)] = &[
    ("crypto_LUKS", "cryptsetup open DEVICE NAME"),
    ("LVM2_member", "vgchange --activate y"),
    ("linux_raid_member", "mdadm --assemble --scan"),
];

/// The devices; none where there is no udev.
pub(crate) fn read(root: &Root) -> Result<Vec<Device>> {
    let mut devices = Vec::new();
    for name in root.files(DATABASE)? {
        let Some(number) = name.strip_prefix('b') else { continue };
        let event = root.read_text(&format!("sys/dev/block/{number}/uevent"))?.unwrap_or_default();
        let Some(node) = event.lines().find_map(|line| line.strip_prefix("DEVNAME=")) else { continue };
        let text = root.read_text(&format!("{DATABASE}/{name}"))?.unwrap_or_default();
        devices.push(parse(&format!("/dev/{node}"), &text));
    }
    Ok(devices)
}

fn parse(node: &str, text: &str) -> Device {
    let property = |key: &str| {
        let value =
            text.lines().find_map(|line| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('='));
        value.map(unescape)
    };
    Device {
        node: node.to_owned(),
        kind: property("ID_FS_TYPE"),
        label: property("ID_FS_LABEL_ENC"),
        uuid: property("ID_FS_UUID_ENC"),
        partition_uuid: property("ID_PART_ENTRY_UUID"),
        partition_label: property("ID_PART_ENTRY_NAME"),
        links: text.lines().filter_map(|line| line.strip_prefix("S:")).map(str::to_owned).collect(),
    }
}

/// Reads udev's `\x20` back, and shows what cannot be printed.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.as_bytes());
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if let Some(byte) = byte {
            bytes.push(byte);
            after.get(2..).unwrap_or_default()
        } else {
            bytes.extend(b"\\x");
            after
        };
    }
    bytes.extend(rest.as_bytes());
    let shown = |character: char| if character.is_control() { '?' } else { character };
    String::from_utf8_lossy(&bytes).chars().map(shown).collect()
}

impl Device {
    /// Its node.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// True if the next boot may take it for one.
    pub(crate) fn is_rescue_volume(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        let is_member = MEMBERS.iter().any(|(member, _)| *member == kind);
        !is_member
            && self
                .label
                .as_ref()
                .is_some_and(|label| rescue_volume::label_of(kind, label.as_bytes()).is_some())
    }

    /// True if `root=` with this name means it.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let same = |ours: &Option<String>, theirs: &str| {
            ours.as_ref().is_some_and(|ours| ours.eq_ignore_ascii_case(theirs))
        };
        match name.split_once('=') {
            Some(("LABEL", label)) => self.label.as_deref() == Some(label),
            Some(("PARTLABEL", label)) => self.partition_label.as_deref() == Some(label),
            Some(("UUID", uuid)) => same(&self.uuid, uuid),
            Some(("PARTUUID", uuid)) => same(&self.partition_uuid, uuid),
            _ => {
                let link = name.strip_prefix("/dev/");
                self.node == name || link.is_some_and(|link| self.links.iter().any(|known| known == link))
            }
        }
    }
}

/// The original root as it is now.
pub(crate) fn locate(original: &Original, rescue: &Volume, devices: &[Device]) -> Result<Volume> {
    match original {
        Original::Found(seen) => {
            let now = devices.iter().find(|device| device.node == seen.device);
            let kind = now.and_then(|device| device.kind.clone()).unwrap_or_else(|| seen.kind.clone());
            Ok(Volume { kind, ..seen.clone() })
        }
        Original::Missing(name) => {
            // The rescue volume may be a copy, with the same label and UUID.
            let others = || devices.iter().filter(|device| device.node != rescue.device);
            let found = others().find(|device| device.is_named(name));
            if let Some((device, kind)) = found.and_then(|device| Some((device, device.kind.clone()?))) {
                let Device { node, label, uuid, .. } = device.clone();
                return Ok(Volume { device: node, kind, label, uuid });
            }
            let mut text = format!("the original root, root={name}, is on no device that is attached");
            for device in others() {
                let member = MEMBERS.iter().find(|(kind, _)| device.kind.as_deref() == Some(kind));
                if let Some((kind, command)) = member {
                    let command = command.replace("DEVICE", &device.node);
                    // Writing to a String cannot fail.
                    write!(text, "; it may be inside {} ({kind}): `{command}`, then try again", device.node)
                        .unwrap_or_default();
                }
            }
            bail!(text)
        }
        Original::Unnamed => {
            bail!(
                "the kernel command line names no original root (root=): mount it by hand, `lsblk -f` shows what there is"
            )
        }
    }
}

/// The command that opens a volume which is not a file system; `None` for all else.
pub(crate) fn what_opens(volume: &Volume) -> Option<String> {
    let (_, command) = MEMBERS.iter().find(|(kind, _)| *kind == volume.kind)?;
    Some(command.replace("DEVICE", &volume.device))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Device;

    /// A device with a label.
    pub(crate) fn labelled(node: &str, label: &str) -> Device {
        Device { node: node.into(), label: Some(label.into()), ..Device::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VDA1: &str = "S:disk/by-label/cloud\\x20img\nI:5\nE:ID_FS_TYPE=ext4\nE:ID_FS_LABEL_ENC=cloud\\x20img\n\
                        E:ID_FS_UUID_ENC=AB-1\nE:ID_PART_ENTRY_UUID=p-1\nG:systemd\n";

    fn device(node: &str, kind: &str, uuid: &str) -> Device {
        Device {
            node: node.into(),
            kind: Some(kind.into()),
            uuid: Some(uuid.into()),
            links: vec![format!("mapper/of-{uuid}")],
            ..Device::default()
        }
    }

    fn rescue() -> Volume {
        Volume { device: "/dev/vdb".into(), kind: "ext4".into(), ..Volume::default() }
    }

    fn located(original: Original, devices: &[Device]) -> String {
        match locate(&original, &rescue(), devices) {
            Ok(volume) => volume.to_string(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn udevs_database_is_read() {
        let device = parse("/dev/vda1", VDA1);
        assert_eq!(device.label.as_deref(), Some("cloud img"));
        for name in ["LABEL=cloud img", "UUID=ab-1", "PARTUUID=P-1", "/dev/vda1"] {
            assert!(device.is_named(name), "{name}");
        }
        for name in ["LABEL=cloud", "UUID=", "PARTLABEL=p-1", "/dev/vda", "vda1", ""] {
            assert!(!device.is_named(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_no_text_is_shown_as_one_line() {
        assert_eq!(unescape("a\\x0ab\\xzz\\x5c\\xc3\\xa9\\x1"), "a?b\\xzz\\é\\x1");
    }

    #[test]
    fn what_was_found_has_the_type_that_it_has_now() {
        let seen = Volume { device: "/dev/vda".into(), kind: "ext4".into(), ..Volume::default() };
        assert_eq!(located(Original::Found(seen.clone()), &[]), "/dev/vda (ext4)");
        assert_eq!(located(Original::Found(seen), &[device("/dev/vda", "xfs", "u")]), "/dev/vda (xfs)");
    }

    #[test]
    fn what_was_missing_is_looked_for_again_but_never_on_the_rescue_volume() {
        let devices = [device("/dev/vdb", "ext4", "u"), device("/dev/dm-0", "xfs", "v")];
        assert_eq!(located(Original::Missing("UUID=v".into()), &devices), "/dev/dm-0 (xfs, UUID v)");
        assert_eq!(
            located(Original::Missing("/dev/mapper/of-v".into()), &devices),
            "/dev/dm-0 (xfs, UUID v)"
        );
        let missing = located(Original::Missing("UUID=u".into()), &devices);
        assert_eq!(missing, "the original root, root=UUID=u, is on no device that is attached");
    }

    #[test]
    fn a_missing_root_may_be_inside_what_is_locked_or_not_assembled() {
        for (kind, command) in [
            ("crypto_LUKS", "cryptsetup open /dev/vda2 NAME"),
            ("LVM2_member", "vgchange --activate y"),
            ("linux_raid_member", "mdadm --assemble --scan"),
        ] {
            let text =
                located(Original::Missing("/dev/mapper/root".into()), &[device("/dev/vda2", kind, "u")]);
            assert!(text.contains(&format!("it may be inside /dev/vda2 ({kind}): `{command}`")), "{text}");
        }
    }

    #[test]
    fn without_a_root_on_the_command_line_it_is_said_so() {
        assert!(located(Original::Unnamed, &[]).contains("names no original root"));
    }

    #[test]
    fn a_rescue_volume_is_known_by_its_label() {
        let is = |kind: &str, label: &str| {
            Device { label: Some(label.into()), ..device("/dev/vdc", kind, "u") }.is_rescue_volume()
        };
        assert!(is("ext4", "UEC-rescue") && is("vfat", "UEC-RESCUE"));
        assert!(!is("ext4", "UEC-RESCUE") && !is("ext4", "data") && !is("crypto_LUKS", "RESCUE"));
        assert!(!device("/dev/vdc", "ext4", "u").is_rescue_volume());
    }
}

//! udev's record of a device: the links that it claims, and what was found on it.

use super::{PartitionNames, Volume, disk_name, numbers};
use std::fs;
use std::path::Path;

/// udev's records of the devices, which survive the switch of root.
const RECORDS: &str = "/run/udev/data";

/// The links that name what is on a device.
const BY_CONTENT: [&str; 4] = ["disk/by-uuid/", "disk/by-label/", "disk/by-partuuid/", "disk/by-partlabel/"];

/// The properties of a device that udev knows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct UdevRecord {
    /// The links by content that it claims, below /dev.
    pub(crate) links: Vec<String>,
    /// The device with the highest has a link that several claim; a snapshot of LVM has a low one.
    pub(crate) priority: i32,
    /// Its properties, by name.
    pub(crate) properties: Vec<(String, String)>,
}

impl UdevRecord {
    /// Reads the record of a device; empty where there is none.
    pub(crate) fn of(device: &Path) -> Self {
        let path = numbers(device).map(|numbers| Path::new(RECORDS).join(format!("b{numbers}")));
        let text = path.and_then(|path| fs::read(path).ok()).unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines() {
            match line.split_once(':') {
                Some(("S", link)) if BY_CONTENT.iter().any(|folder| link.starts_with(folder)) => {
                    record.links.push(link.to_owned());
                }
                Some(("L", priority)) => record.priority = priority.parse().unwrap_or_default(),
                Some(("E", property)) => {
                    let (name, value) = property.split_once('=').unwrap_or((property, ""));
                    record.properties.push((name.to_owned(), value.to_owned()));
                }
                _ => {}
            }
        }
        record
    }

    /// The volume on a device whose type is not known here: udev knows more of them.
    pub(super) fn volume(&self, device: &Path, name: &str) -> Option<Volume> {
        let find = |name: &str| self.properties.iter().find(|(known, _)| known == name);
        let value = |name: &str| find(name).map(|(_, value)| value.clone());
        let plain = |name: &str| value(name).map(|value| decode(&value));
        Some(Volume {
            device: device.to_owned(),
            kind: value("ID_FS_TYPE")?,
            label: plain("ID_FS_LABEL_ENC"),
            uuid: value("ID_FS_UUID"),
            device_uuid: value("ID_FS_UUID_SUB"),
            disk: disk_name(name),
            partition: PartitionNames {
                uuid: value("ID_PART_ENTRY_UUID"),
                label: plain("ID_PART_ENTRY_NAME").map(|name| String::from_utf8_lossy(&name).into_owned()),
            },
            priority: self.priority,
            subvolume: None,
        })
    }
}

/// The text that udev wrote with escapes: `\x20` is a blank.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = match rest {
            [b'\\', b'x', high, low, ..] => {
                let digit =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low)
            }
            _ => None,
        };
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
        plain.push(code.unwrap_or(*first));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "\
S:disk/by-uuid/u-1
S:disk/by-path/pci-0
L:-100
I:1
S:disk/by-partuuid/p-1
E:ID_FS_TYPE=f2fs
E:ID_FS_UUID=u-1
E:ID_FS_LABEL=my_disk
E:ID_FS_LABEL_ENC=my\\x20disk
E:ID_PART_ENTRY_NAME=a\\x2fb
";

    #[test]
    fn links_by_content_and_the_priority_are_read() {
        let record = UdevRecord::parse(RECORD);
        assert_eq!(record.links, ["disk/by-uuid/u-1", "disk/by-partuuid/p-1"]);
        assert_eq!(record.priority, -100);
        assert_eq!(UdevRecord::parse("I:1\nE:x"), UdevRecord { priority: 0, ..UdevRecord::parse("E:x=") });
    }

    #[test]
    fn a_type_that_is_not_known_here_has_its_names_from_udev() {
        let volume = UdevRecord::parse(RECORD).volume(Path::new("/dev/vdz2"), "vdz2").unwrap();
        assert_eq!((volume.kind.as_str(), volume.uuid.as_deref()), ("f2fs", Some("u-1")));
        assert_eq!(volume.label.as_deref(), Some(&b"my disk"[..]));
        assert_eq!(volume.partition.label.as_deref(), Some("a/b"));
        assert_eq!(UdevRecord::parse("I:1\n").volume(Path::new("/dev/vdz2"), "vdz2"), None);
    }

    #[test]
    fn escapes_stand_for_bytes_and_all_else_for_itself() {
        for (text, plain) in [
            ("a\\x20b", &b"a b"[..]),
            ("\\x5cx20", b"\\x20"),
            ("\\xc3\\xa4\\xff", b"\xc3\xa4\xff"),
            ("a\\xg0\\x2", b"a\\xg0\\x2"),
            ("\\", b"\\"),
            ("", b""),
        ] {
            assert_eq!(decode(text), plain, "{text}");
        }
    }
}

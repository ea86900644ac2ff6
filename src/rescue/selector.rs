//! The names of a volume: on the kernel command line, in the settings and in an fstab.

use crate::volume::udev::decode;
use crate::volume::{self, Volume};
use std::fmt;
use std::path::{Path, PathBuf};

/// A name of a volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Selector {
    Label(String),
    Uuid(String),
    PartUuid(String),
    PartLabel(String),
    Device(PathBuf),
    /// A text that was not understood, as it was written.
    Nothing(String),
}

impl Selector {
    /// `LABEL=…`, `UUID=…`, `PARTUUID=…`, `PARTLABEL=…` or a device's path. udev's links to what is on a device mean
    /// what they name: where several devices have it, the link leads to any of them.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        if word.starts_with('/') {
            let names: Vec<&str> = word.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
            return match names.as_slice() {
                ["dev", "disk", kind, name] => Self::of_link(kind, name),
                ["dev", _, ..] => None,
                _ => return None,
            }
            .or_else(|| Some(Self::Device(word.into())));
        }
        let (kind, name) = word.split_once('=')?;
        let name = unquote(name);
        if name.is_empty() {
            return None;
        }
        Some(match kind {
            "LABEL" => Self::Label(name.to_owned()),
            "UUID" => Self::Uuid(name.to_owned()),
            "PARTUUID" => Self::PartUuid(name.to_owned()),
            "PARTLABEL" => Self::PartLabel(name.to_owned()),
            "ID" => Self::Device(Path::new("/dev/disk/by-id").join(name)),
            _ => return None,
        })
    }

    fn of_link(kind: &str, name: &str) -> Option<Self> {
        let name = String::from_utf8_lossy(&decode(name)).into_owned();
        Some(match kind {
            "by-label" => Self::Label(name),
            "by-uuid" => Self::Uuid(name),
            "by-partuuid" => Self::PartUuid(name),
            "by-partlabel" => Self::PartLabel(name),
            _ => return None,
        })
    }

    /// True if only a partition table can tell.
    pub(crate) fn needs_partition(&self) -> bool {
        matches!(self, Self::PartUuid(_) | Self::PartLabel(_))
    }

    /// True if this is one of these labels.
    pub(crate) fn is_one_of(&self, labels: &[&str]) -> bool {
        matches!(self, Self::Label(label) if labels.contains(&label.as_str()))
    }

    /// True if this names the volume.
    pub(crate) fn names(&self, volume: &Volume) -> bool {
        let same = |known: &Option<String>, wanted: &str| {
            known.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(wanted))
        };
        match self {
            // A label that was no UTF-8 in a command line or an fstab is none on the disk either.
            Self::Label(label) => {
                volume.label.as_deref().is_some_and(|known| String::from_utf8_lossy(known) == *label)
            }
            Self::Uuid(uuid) => same(&volume.uuid, uuid),
            Self::PartUuid(uuid) => same(&volume.partition.uuid, uuid),
            Self::PartLabel(label) => volume.partition.label.as_deref() == Some(label),
            Self::Nothing(_) => false,
            Self::Device(path) => {
                // A name of a device by its numbers needs no link.
                let is_node = || {
                    let numbers = path.strip_prefix("/dev/block").ok().and_then(Path::to_str);
                    numbers.is_some() && numbers == volume::numbers(&volume.device).as_deref()
                };
                *path == volume.device || volume::is_same_file(path, &volume.device) || is_node()
            }
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "LABEL={label}"),
            Self::Uuid(uuid) => write!(f, "UUID={uuid}"),
            Self::PartUuid(uuid) => write!(f, "PARTUUID={uuid}"),
            Self::PartLabel(label) => write!(f, "PARTLABEL={label}"),
            Self::Device(path) => write!(f, "{}", path.display()),
            Self::Nothing(text) => write!(f, "{text}, which names nothing,"),
        }
    }
}

/// A name between quotes of either kind, as libmount and libblkid take it.
fn unquote(name: &str) -> &str {
    let inside = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::PartitionNames;

    fn volume() -> Volume {
        Volume {
            device: "/dev/vda2".into(),
            label: Some("my disk/a\u{e4}".into()),
            uuid: Some("AB-01".into()),
            partition: PartitionNames { uuid: Some("cd-02".into()), label: Some("EFI System".into()) },
            ..Volume::default()
        }
    }

    #[test]
    fn each_way_to_name_a_volume_names_it() {
        for word in [
            "UUID=AB-01",
            "UUID=ab-01",
            "UUID=\"AB-01\"",
            "UUID='AB-01'",
            "PARTUUID=CD-02",
            "LABEL=my disk/a\u{e4}",
            "LABEL=\"my disk/a\u{e4}\"",
            "PARTLABEL=EFI System",
            "/dev/vda2",
            "/dev/disk/by-uuid/AB-01",
            "/dev//disk/./by-uuid/AB-01",
            "/dev/disk/by-label/my\\x20disk\\x2fa\u{e4}",
            "/dev/disk/by-label/my\\x20disk\\x2fa\\xc3\\xa4",
            "/dev/disk/by-partuuid/cd-02",
            "/dev/disk/by-partlabel/EFI\\x20System",
        ] {
            assert!(Selector::parse(word).unwrap().names(&volume()), "{word}");
        }
    }

    #[test]
    fn no_other_name_names_it() {
        for word in [
            "UUID=cd-02",
            "UUID=AB-01\"",
            "PARTUUID=AB-01",
            "LABEL=MY DISK/A\u{e4}",
            "LABEL=my\\x20disk/a\u{e4}",
            "PARTLABEL=EFI",
            "/dev/vda",
            "/dev/disk/by-uuid/cd-02",
            "/dev/disk/by-label/my_disk",
            "/dev/disk/by-partuuid/AB-01",
            "/dev/disk/by-id/AB-01",
            "/dev/disk/by-path/AB-01",
            "/dev/block/254:2",
            "ID=AB-01",
        ] {
            assert!(!Selector::parse(word).unwrap().names(&volume()), "{word}");
        }
    }

    #[test]
    fn what_names_nothing_is_not_understood() {
        for word in
            ["", "UUID=", "LABEL=\"\"", "uuid=AB-01", "NAME=x", "vda2", "server:/export", "/srv/data", "/dev"]
        {
            assert_eq!(Selector::parse(word), None, "{word}");
        }
    }

    #[test]
    fn links_to_a_disk_or_a_place_are_devices() {
        for word in [
            "/dev/disk/by-id/virtio-a-part1",
            "/dev/disk/by-path/pci-0-part1",
            "/dev/disk/by-uuid",
            "/dev/vda",
        ] {
            assert_eq!(Selector::parse(word), Some(Selector::Device(word.into())));
        }
        assert_eq!(Selector::parse("ID=x-part1"), Some(Selector::Device("/dev/disk/by-id/x-part1".into())));
    }
}

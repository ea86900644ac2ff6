//! /run/lifeboat/rescue: what was booted, and why. lifeboat writes it in the initramfs.

use crate::layout::RESCUE;
use crate::root::Root;
use anyhow::Result;
use lifeboat_common::environment_file::lookup;
use std::fmt;

/// What the machine was booted from.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Boot {
    /// A rescue volume.
    Rescue(Record),
    /// Its own root.
    OwnRoot {
        /// Why no rescue volume was.
        reason: String,
    },
    /// lifeboat left no word.
    Unknown,
}

/// What is known of a rescue boot.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    /// Why the machine's own root was not booted.
    pub(crate) reason: String,
    /// The rescue volume.
    pub(crate) volume: Volume,
    /// What the machine would have booted from.
    pub(crate) original: Original,
}

/// The original root, as the initramfs saw it.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) enum Original {
    /// A file system that was found.
    Found(Volume),
    /// Nothing was found for what `root=` names.
    Missing(String),
    /// There was no `root=`.
    #[default]
    Unnamed,
}

/// A device with a file system.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Volume {
    /// Its node.
    pub(crate) device: String,
    /// The type, by libblkid's name.
    pub(crate) kind: String,
    /// The label, escaped.
    pub(crate) label: Option<String>,
    /// The file system's UUID.
    pub(crate) uuid: Option<String>,
}

impl Boot {
    /// Reads it.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        Ok(root.read_text(RESCUE)?.map_or(Self::Unknown, |text| Self::parse(&text)))
    }

    /// Whether it was from a rescue volume.
    pub(crate) fn is_rescue(&self) -> bool {
        matches!(self, Self::Rescue(_))
    }

    fn parse(text: &str) -> Self {
        let get = |key: &str| lookup(text, key);
        let reason = get("REASON").unwrap_or_default();
        let volume = |[device, kind, label, uuid]: [&str; 4]| {
            let (device, kind) = (get(device)?, get(kind)?);
            Some(Volume { device, kind, label: get(label), uuid: get(uuid) })
        };
        match get("BOOTED").as_deref() {
            Some("rescue") => Self::Rescue(Record {
                reason,
                volume: volume(["DEVICE", "TYPE", "LABEL", "UUID"]).unwrap_or_default(),
                original: match volume(["ORIGINAL_ROOT", "ORIGINAL_TYPE", "ORIGINAL_LABEL", "ORIGINAL_UUID"])
                {
                    Some(volume) => Original::Found(volume),
                    None => get("ORIGINAL_ROOT").map_or(Original::Unnamed, Original::Missing),
                },
            }),
            Some("own-root") => Self::OwnRoot { reason },
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.device, self.kind)?;
        if let Some(label) = &self.label {
            write!(f, ", label {label}")?;
        }
        if let Some(uuid) = &self.uuid {
            write!(f, ", UUID {uuid}")?;
        }
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESCUE: &str = "BOOTED=rescue\nREASON=\"a rescue volume was attached\"\nDEVICE=/dev/vdb\nTYPE=ext4\n\
                          LABEL=RESCUE\nUUID=b\n";

    fn original(lines: &str) -> Original {
        match Boot::parse(&format!("{RESCUE}{lines}")) {
            Boot::Rescue(record) => record.original,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rescue_boot_is_read_with_its_reason() {
        let Boot::Rescue(record) = Boot::parse(RESCUE) else { panic!("no rescue boot") };
        assert_eq!(record.reason, "a rescue volume was attached");
        assert_eq!(record.volume.to_string(), "/dev/vdb (ext4, label RESCUE, UUID b)");
    }

    #[test]
    fn the_original_root_is_found_missing_or_not_named() {
        let Original::Found(volume) = original("ORIGINAL_ROOT=/dev/vda1\nORIGINAL_TYPE=xfs\n") else {
            panic!("not found")
        };
        assert_eq!(volume.to_string(), "/dev/vda1 (xfs)");
        assert_eq!(original("ORIGINAL_ROOT=UUID=x\n"), Original::Missing("UUID=x".into()));
        assert_eq!(original(""), Original::Unnamed);
    }

    #[test]
    fn any_other_boot_is_no_rescue_boot() {
        assert_eq!(Boot::parse("BOOTED=own-root\nREASON=none\n"), Boot::OwnRoot { reason: "none".into() });
        for text in ["", "BOOTED=\n", "BOOTED=other\n"] {
            assert_eq!(Boot::parse(text), Boot::Unknown);
        }
    }
}

//! /run/lifeboat/rescue: what was booted and why, for the later stages, the admin and the agent.

use super::HandOff;
use crate::environment_file::{Lines, lookup};
use std::fmt;

/// The content of the file.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Rescue {
    /// The system that is booted.
    pub boot: Boot,
    /// The events so far in this boot.
    pub so_far: SoFar,
}

/// The system that the machine was booted from.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum Boot {
    /// A rescue volume.
    Rescue(Record),
    /// Its own root.
    OwnRoot {
        /// Why no rescue volume was.
        reason: String,
    },
    /// lifeboat left no word.
    #[default]
    Unknown,
}

/// The facts about a rescue boot.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Record {
    /// Why the machine's own root was not booted.
    pub reason: String,
    /// The rescue volume.
    pub volume: Volume,
    /// The root that the machine would have booted from.
    pub original: Original,
}

/// The original root, as the initramfs saw it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum Original {
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
pub struct Volume {
    /// Its node.
    pub device: String,
    /// The type, by libblkid's name.
    pub kind: String,
    /// The label, escaped.
    pub label: Option<String>,
    /// The file system's UUID.
    pub uuid: Option<String>,
}

/// The events so far in this boot. No name of a device holds white space: one that does is not written.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SoFar {
    /// The devices that were looked at, as the kernel names them.
    pub looked_at: Vec<String>,
    /// The nodes of rescue volumes that could not be booted from.
    pub failed: Vec<String>,
    /// The devices that are not to be booted from, as the kernel names them.
    pub ignored: Vec<String>,
    /// The devices that could not be read, as the kernel names them.
    pub unread: Vec<String>,
    /// When the wait for the root ended, in seconds after the kernel's start.
    pub waited_until: Option<u64>,
}

const BOOTED: &str = "BOOTED";
const REASON: &str = "REASON";
/// The identity of a volume: its node, type, label and UUID.
const VOLUME: [&str; 4] = ["DEVICE", "TYPE", "LABEL", "UUID"];
const ORIGINAL: [&str; 4] = ["ORIGINAL_ROOT", "ORIGINAL_TYPE", "ORIGINAL_LABEL", "ORIGINAL_UUID"];
const LOOKED_AT: &str = "LOOKED_AT";
const FAILED: &str = "FAILED";
const IGNORED: &str = "IGNORED";
const UNREAD: &str = "UNREAD";
const WAITED_UNTIL: &str = "WAITED_UNTIL";

/// The values of [`BOOTED`].
const RESCUE: &str = "rescue";
const OWN_ROOT: &str = "own-root";

impl HandOff for Rescue {
    const PATH: &'static str = "run/lifeboat/rescue";
    const MODE: u32 = 0o644;

    fn parse(text: &str) -> Self {
        let list = |key: &str| {
            let value = lookup(text, key).unwrap_or_default();
            value.split_whitespace().map(str::to_owned).collect()
        };
        Self {
            boot: Boot::parse(text),
            so_far: SoFar {
                looked_at: list(LOOKED_AT),
                failed: list(FAILED),
                ignored: list(IGNORED),
                unread: list(UNREAD),
                waited_until: lookup(text, WAITED_UNTIL).map(|seconds| seconds.parse().unwrap_or_default()),
            },
        }
    }

    fn render(&self) -> String {
        let mut lines = Lines::default();
        match &self.boot {
            Boot::Unknown => {}
            Boot::OwnRoot { reason } => {
                lines.push(BOOTED, OWN_ROOT);
                lines.push(REASON, reason);
            }
            Boot::Rescue(record) => {
                lines.push(BOOTED, RESCUE);
                lines.push(REASON, &record.reason);
                record.volume.render(VOLUME, &mut lines);
                match &record.original {
                    Original::Found(volume) => volume.render(ORIGINAL, &mut lines),
                    Original::Missing(name) => {
                        let [key, ..] = ORIGINAL;
                        lines.push(key, name);
                    }
                    Original::Unnamed => {}
                }
            }
        }
        let so_far = &self.so_far;
        lines.push(LOOKED_AT, &joined(&so_far.looked_at));
        for (key, names) in [(FAILED, &so_far.failed), (IGNORED, &so_far.ignored), (UNREAD, &so_far.unread)] {
            if !names.is_empty() {
                lines.push(key, &joined(names));
            }
        }
        lines.push_some(WAITED_UNTIL, so_far.waited_until.map(|seconds| seconds.to_string()).as_deref());
        lines.text()
    }
}

/// A name with white space in it would be read as several.
fn joined(names: &[String]) -> String {
    let is_one = |name: &&str| !name.is_empty() && !name.contains(char::is_whitespace);
    names.iter().map(String::as_str).filter(is_one).collect::<Vec<_>>().join(" ")
}

impl Boot {
    /// True if it was from a rescue volume.
    pub fn is_rescue(&self) -> bool {
        matches!(self, Self::Rescue(_))
    }

    fn parse(text: &str) -> Self {
        let reason = lookup(text, REASON).unwrap_or_default();
        match lookup(text, BOOTED).as_deref() {
            Some(RESCUE) => Self::Rescue(Record {
                reason,
                volume: Volume::parse(text, VOLUME),
                original: Original::parse(text),
            }),
            Some(OWN_ROOT) => Self::OwnRoot { reason },
            _ => Self::Unknown,
        }
    }
}

impl Original {
    /// A root that was not found has a name and no type.
    fn parse(text: &str) -> Self {
        let [root, kind, ..] = ORIGINAL;
        match (lookup(text, root), lookup(text, kind)) {
            (Some(_), Some(_)) => Self::Found(Volume::parse(text, ORIGINAL)),
            (Some(name), None) => Self::Missing(name),
            (None, _) => Self::Unnamed,
        }
    }
}

impl Volume {
    fn parse(text: &str, [device, kind, label, uuid]: [&str; 4]) -> Self {
        Self {
            device: lookup(text, device).unwrap_or_default(),
            kind: lookup(text, kind).unwrap_or_default(),
            label: lookup(text, label),
            uuid: lookup(text, uuid),
        }
    }

    fn render(&self, [device, kind, label, uuid]: [&str; 4], lines: &mut Lines) {
        lines.push(device, &self.device);
        lines.push(kind, &self.kind);
        lines.push_some(label, self.label.as_deref());
        lines.push_some(uuid, self.uuid.as_deref());
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
mod tests;

//! /run/lifeboat/rescue: what was decided and why, for the later stage, the admin and the agent.

use crate::state::{self, State};
use crate::volume::Volume;
use anyhow::Result;
use std::fmt;
use std::path::Path;

const NAME: &str = "rescue";

/// The device that the machine would have booted from, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Original {
    /// A file system that was found.
    Volume(Volume),
    /// Nothing was found for what the kernel command line names.
    Named(String),
    /// The kernel command line names none.
    Unknown,
}

impl Original {
    /// What `root=` stands for among the volumes, the rescue volume itself left out: it may be a copy with
    /// the same label and UUID.
    pub(crate) fn find(named: Option<&str>, volumes: &[Volume], rescue: &Volume) -> Self {
        let Some(named) = named else { return Self::Unknown };
        let matches = |volume: &&Volume| {
            if let Some(label) = named.strip_prefix("LABEL=") {
                return volume.label.as_deref() == Some(label.as_bytes());
            }
            if let Some(uuid) = named.strip_prefix("UUID=") {
                return volume.uuid.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(uuid));
            }
            resolve(named) == resolve(&volume.device.to_string_lossy())
        };
        match volumes.iter().filter(|volume| volume.device != rescue.device).find(matches) {
            Some(volume) => Self::Volume(volume.clone()),
            None => Self::Named(named.to_owned()),
        }
    }
}

/// udev's links lead to the device's node; what cannot be followed stands for itself.
fn resolve(named: &str) -> std::path::PathBuf {
    let path = match named.split_once('=') {
        Some(("PARTUUID", id)) => Path::new("/dev/disk/by-partuuid").join(id.to_lowercase()),
        Some(("PARTLABEL", label)) => Path::new("/dev/disk/by-partlabel").join(label),
        _ => named.into(),
    };
    std::fs::canonicalize(&path).unwrap_or(path)
}

impl fmt::Display for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(volume) => write!(f, "{volume}"),
            Self::Named(name) => write!(f, "root={name}"),
            Self::Unknown => write!(f, "an unknown root"),
        }
    }
}

/// What is booted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// The machine's own root.
    OwnRoot {
        /// Why no rescue volume is.
        reason: String,
    },
    /// A rescue volume.
    Rescue {
        /// The volume.
        volume: Volume,
        /// How it became the root.
        how: How,
        /// What the machine would have booted from.
        original: Original,
    },
}

/// How a rescue volume becomes the root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    /// init was told to mount it.
    Steered,
    /// It took the place of the root that was mounted.
    Pivoted,
}

impl Decision {
    /// Writes the file. `devices` are those that were looked at.
    pub(crate) fn write(&self, devices: &[String]) -> Result<()> {
        self.state(devices).write(NAME, 0o644)
    }

    fn state(&self, devices: &[String]) -> State {
        let mut state = State::default();
        match self {
            Self::OwnRoot { reason } => {
                state.push("BOOTED", "own-root");
                state.push("REASON", reason);
            }
            Self::Rescue { volume, how, original } => {
                state.push("BOOTED", "rescue");
                state.push(
                    "REASON",
                    match how {
                        How::Steered => "a rescue volume was attached when the machine started",
                        How::Pivoted => "a rescue volume appeared after the root was mounted",
                    },
                );
                push_volume(&mut state, ["DEVICE", "TYPE", "LABEL", "UUID"], volume);
                match original {
                    Original::Volume(volume) => {
                        let keys = ["ORIGINAL_ROOT", "ORIGINAL_TYPE", "ORIGINAL_LABEL", "ORIGINAL_UUID"];
                        push_volume(&mut state, keys, volume);
                    }
                    Original::Named(name) => state.push("ORIGINAL_ROOT", name),
                    Original::Unknown => {}
                }
            }
        }
        state.push("LOOKED_AT", devices.join(" "));
        state
    }
}

fn push_volume(state: &mut State, keys: [&'static str; 4], volume: &Volume) {
    let [device, kind, label, uuid] = keys;
    state.push(device, volume.device.display().to_string());
    state.push(kind, &volume.kind);
    state.push_some(label, volume.printable_label());
    state.push_some(uuid, volume.uuid.clone());
}

/// What the premount stage left, for the bottom stage.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Earlier {
    /// The device to which init was steered.
    pub(crate) steered_to: Option<String>,
    /// The devices that were looked at then.
    pub(crate) devices: Vec<String>,
}

impl Earlier {
    /// Reads it; nothing is there when the premount stage did not run or did not come to its end.
    pub(crate) fn read() -> Result<Self> {
        let devices = state::read(NAME, "LOOKED_AT")?.unwrap_or_default();
        Ok(Self {
            steered_to: state::read(NAME, "DEVICE")?,
            devices: devices.split_whitespace().map(str::to_owned).collect(),
        })
    }
}

/// Takes a decision back that could not be carried out.
pub(crate) fn forget() -> Result<()> {
    state::forget(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn volume(device: &str, label: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(label.as_bytes().to_vec()),
            uuid: Some("6f1e2b1c".into()),
        }
    }

    #[test]
    fn the_file_says_what_is_booted_and_what_would_have_been() {
        let decision = Decision::Rescue {
            volume: volume("/dev/vdb", "RESCUE"),
            how: How::Steered,
            original: Original::Volume(volume("/dev/vda1", "cloud img")),
        };
        expect![[r#"
            BOOTED=rescue
            REASON="a rescue volume was attached when the machine started"
            DEVICE=/dev/vdb
            TYPE=ext4
            LABEL=RESCUE
            UUID=6f1e2b1c
            ORIGINAL_ROOT=/dev/vda1
            ORIGINAL_TYPE=ext4
            ORIGINAL_LABEL="cloud img"
            ORIGINAL_UUID=6f1e2b1c
            LOOKED_AT="vda vda1 vdb"
        "#]]
        .assert_eq(&decision.state(&["vda".into(), "vda1".into(), "vdb".into()]).render());
    }

    #[test]
    fn the_file_says_why_the_own_root_is_booted() {
        let decision = Decision::OwnRoot { reason: "no volume is labelled RESCUE".into() };
        expect![[r#"
            BOOTED=own-root
            REASON="no volume is labelled RESCUE"
            LOOKED_AT=vda
        "#]]
        .assert_eq(&decision.state(&["vda".into()]).render());
    }

    #[test]
    fn the_original_root_is_found_by_label_uuid_or_device() {
        let (own, rescue) = (volume("/dev/vda1", "own"), volume("/dev/vdb", "RESCUE"));
        let volumes = [rescue.clone(), own.clone()];
        // The rescue volume has the same UUID, as a copy has.
        for named in ["LABEL=own", "UUID=6F1E2B1C", "/dev/vda1"] {
            assert_eq!(
                Original::find(Some(named), &volumes, &rescue),
                Original::Volume(own.clone()),
                "{named}"
            );
        }
    }

    #[test]
    fn an_original_root_that_is_missing_is_named() {
        let rescue = volume("/dev/vdb", "RESCUE");
        let found = Original::find(Some("UUID=other"), std::slice::from_ref(&rescue), &rescue);
        assert_eq!(found, Original::Named("UUID=other".into()));
        assert_eq!(Original::find(None, &[], &rescue), Original::Unknown);
    }
}

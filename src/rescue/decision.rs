//! /run/lifeboat/rescue: what was decided and why, for the later stage, the admin and the agent.

use super::selector::Selector;
use crate::kmsg::escape;
use crate::state;
use crate::volume::{self, Volume};
use anyhow::Result;
use lifeboat_common::hand_off::{self, Boot, Rescue};
use std::fmt;
use std::path::Path;

/// The device that the machine would have booted from, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum OriginalRoot {
    /// A file system that was found.
    Volume(Volume),
    /// Nothing was found for what the kernel command line names.
    Named(String),
    /// The kernel command line names none.
    Unknown,
}

impl OriginalRoot {
    /// Finds the volume that `root=` stands for. The rescue volume is left out: it may be a copy with the same label
    /// and UUID. A root that nothing matches is in the first volume that is locked or a member of something, where
    /// there is one.
    pub(crate) fn find(named: Option<&str>, volumes: &[Volume], rescue: &Volume) -> Self {
        let Some(named) = named else { return Self::Unknown };
        let selector = Selector::parse(named);
        let mut inside = None;
        let mut found = None;
        for volume in volumes.iter().filter(|volume| volume.device != rescue.device) {
            if found.is_none() && selector.as_ref().is_some_and(|selector| selector.names(volume)) {
                found = Some(volume);
            }
            if inside.is_none() && volume.disk != rescue.disk && volume.is_member() {
                inside = Some(volume);
            }
        }
        match found.or(inside) {
            Some(volume) => Self::Volume(volume.clone()),
            None => Self::Named(named.to_owned()),
        }
    }
}

impl fmt::Display for OriginalRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(volume) => write!(f, "{volume}"),
            Self::Named(name) => write!(f, "root={}", escape(name.as_bytes())),
            Self::Unknown => write!(f, "an unknown root"),
        }
    }
}

/// The system that is booted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// The machine's own root.
    OwnRoot {
        /// The reason why no rescue volume is booted.
        reason: String,
    },
    /// A rescue volume.
    Rescue {
        /// The volume.
        volume: Volume,
        /// The way in which it became the root.
        how: HowBooted,
        /// The root that the machine would have booted from.
        original: OriginalRoot,
    },
}

/// The way in which a rescue volume becomes the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HowBooted {
    /// init was told to mount it.
    Steered,
    /// It took the place of the root that was mounted.
    Pivoted,
    /// It saves the machine: why the own root cannot be used.
    Saved(String),
}

impl fmt::Display for HowBooted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steered => "a rescue volume was attached when the machine started",
            Self::Pivoted => "a rescue volume appeared after the root was mounted",
            Self::Saved(reason) => reason,
        })
    }
}

/// All that /run/lifeboat/rescue says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DecisionRecord {
    /// The system that is booted.
    pub(crate) decision: Decision,
    /// The events so far in this boot.
    pub(crate) so_far: BootSoFar,
}

/// The events so far in this boot: each stage is a process of its own, and reads them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct BootSoFar {
    /// The device that was made the root.
    pub(crate) rescue: Option<String>,
    /// The devices that were looked at and are still there, as the kernel names them.
    pub(crate) looked_at: Vec<String>,
    /// The devices that could not be read. They are tried again.
    pub(crate) unread: Vec<String>,
    /// The devices of rescue volumes that could not be booted from.
    pub(crate) failed: Vec<String>,
    /// The devices that are not to be booted from, as the kernel names them. A name of the root does not mean them.
    pub(crate) ignored: Vec<String>,
    /// The state of the wait for the root.
    pub(crate) waited: Waited,
}

/// A boot waits once; init may be sent to look again meanwhile.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Waited {
    /// The root was not waited for yet.
    #[default]
    NotYet,
    /// Until this many seconds after the kernel's start, and no longer.
    Until(u64),
}

impl Waited {
    /// There is nothing more to wait for.
    pub(crate) const ENOUGH: Self = Self::Until(0);
}

impl BootSoFar {
    /// Reads it; nothing is there when no stage came to its end yet.
    pub(crate) fn read() -> Result<Self> {
        let Rescue { boot, so_far } = state::read_back()?.unwrap_or_default();
        Ok(Self {
            rescue: match boot {
                Boot::Rescue(record) => Some(record.volume.device),
                Boot::OwnRoot { .. } | Boot::Unknown => None,
            },
            looked_at: so_far.looked_at,
            unread: so_far.unread,
            failed: so_far.failed,
            ignored: so_far.ignored,
            waited: so_far.waited_until.map_or(Waited::NotYet, Waited::Until),
        })
    }

    /// The devices among these that were not looked at yet. A device that was detached and is attached again is new.
    pub(crate) fn new_among(&mut self, devices: &[String]) -> Vec<String> {
        self.looked_at.retain(|name| devices.contains(name));
        self.ignored.retain(|name| self.looked_at.contains(name));
        devices.iter().filter(|name| !self.looked_at.contains(name)).cloned().collect()
    }

    /// True if the volume could not be booted from.
    pub(crate) fn has_failed(&self, volume: &Volume) -> bool {
        self.failed.iter().any(|path| volume.device.as_os_str() == path.as_str())
    }

    /// True if the volume is not to be booted from.
    pub(crate) fn shuns(&self, device: &Path) -> bool {
        self.shunned().any(|name| name == volume::name_of(device))
    }

    /// The volumes that are not to be booted from, as the kernel names them.
    pub(crate) fn shunned(&self) -> impl Iterator<Item = String> {
        let failed = self.failed.iter().map(|path| volume::name_of(Path::new(path)));
        self.ignored.iter().cloned().chain(failed)
    }

    /// It is the machine's own root after all.
    pub(crate) fn shun_no_more(&mut self, device: &Path) {
        self.ignored.retain(|name| *name != volume::name_of(device));
        self.failed.retain(|path| Path::new(path) != device);
    }

    /// The disks of these, but not those of the own root.
    pub(crate) fn shunned_disks(&self, own_disks: &[String]) -> Vec<String> {
        let disks = self.shunned().map(|name| volume::disk_name(&name));
        disks.filter(|disk| !own_disks.contains(disk)).collect()
    }

    /// Takes note of a look at some of these devices; the last could not be read.
    pub(crate) fn looked(&mut self, devices: Vec<String>, unread: Vec<String>) {
        self.looked_at = devices;
        self.looked_at.retain(|name| !unread.contains(name));
        self.unread = unread;
    }
}

impl DecisionRecord {
    /// Writes the file.
    pub(crate) fn write(&self) -> Result<()> {
        state::hand_over(&self.hand_off())
    }

    pub(super) fn hand_off(&self) -> Rescue {
        Rescue {
            boot: match &self.decision {
                Decision::OwnRoot { reason } => Boot::OwnRoot { reason: reason.clone() },
                Decision::Rescue { volume, how, original } => Boot::Rescue(hand_off::Record {
                    reason: how.to_string(),
                    volume: seen(volume),
                    original: match original {
                        OriginalRoot::Volume(volume) => hand_off::Original::Found(seen(volume)),
                        OriginalRoot::Named(name) => hand_off::Original::Missing(name.clone()),
                        OriginalRoot::Unknown => hand_off::Original::Unnamed,
                    },
                }),
            },
            so_far: hand_off::SoFar {
                looked_at: self.so_far.looked_at.clone(),
                failed: self.so_far.failed.clone(),
                ignored: self.so_far.ignored.clone(),
                unread: self.so_far.unread.clone(),
                waited_until: match self.so_far.waited {
                    Waited::Until(seconds) => Some(seconds),
                    Waited::NotYet => None,
                },
            },
        }
    }
}

fn seen(volume: &Volume) -> hand_off::Volume {
    hand_off::Volume {
        device: volume.device.display().to_string(),
        kind: volume.kind.clone(),
        label: volume.printable_label(),
        uuid: volume.uuid.clone(),
    }
}

/// The root that the machine would have booted from, as the file names it: a device's node, or the value of `root=`.
pub(crate) fn original_name() -> Result<Option<String>> {
    let Some(Rescue { boot: Boot::Rescue(record), .. }) = state::read_back()? else { return Ok(None) };
    Ok(match record.original {
        hand_off::Original::Found(volume) => Some(volume.device),
        hand_off::Original::Missing(name) => Some(name),
        hand_off::Original::Unnamed => None,
    })
}

/// Takes a decision back that could not be carried out.
pub(crate) fn forget() -> Result<()> {
    state::take_back::<Rescue>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use lifeboat_common::hand_off::HandOff;

    fn volume(device: &str, label: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(label.as_bytes().to_vec()),
            uuid: Some("6f1e2b1c".into()),
            ..Volume::default()
        }
    }

    fn state(decision: Decision, looked_at: &[&str]) -> String {
        let looked_at = looked_at.iter().map(ToString::to_string).collect();
        DecisionRecord { decision, so_far: BootSoFar { looked_at, ..BootSoFar::default() } }
            .hand_off()
            .render()
    }

    #[test]
    fn the_file_says_what_is_booted_and_what_would_have_been() {
        let decision = Decision::Rescue {
            volume: volume("/dev/vdb", "RESCUE"),
            how: HowBooted::Steered,
            original: OriginalRoot::Volume(volume("/dev/vda1", "cloud img")),
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
        .assert_eq(&state(decision, &["vda", "vda1", "vdb"]));
    }

    #[test]
    fn the_file_says_why_the_own_root_is_booted() {
        let decision = Decision::OwnRoot { reason: "no volume is labelled RESCUE".into() };
        expect![[r#"
            BOOTED=own-root
            REASON="no volume is labelled RESCUE"
            LOOKED_AT=vda
        "#]]
        .assert_eq(&state(decision, &["vda"]));
    }

    #[test]
    fn the_original_root_is_found_by_label_uuid_or_device() {
        let (mut own, rescue) = (volume("/dev/vda1", "own"), volume("/dev/vdb", "RESCUE"));
        own.partition.uuid = Some("AB-01".into());
        let volumes = [rescue.clone(), own.clone()];
        // The rescue volume has the same UUID, as a copy has.
        for named in ["LABEL=own", "UUID=6F1E2B1C", "/dev/vda1", "PARTUUID=ab-01"] {
            assert_eq!(
                OriginalRoot::find(Some(named), &volumes, &rescue),
                OriginalRoot::Volume(own.clone()),
                "{named}"
            );
        }
    }

    #[test]
    fn an_original_root_that_is_locked_is_named_by_what_it_is_in() {
        let locked = Volume { kind: "crypto_LUKS".into(), disk: "vda".into(), ..volume("/dev/vda3", "") };
        let rescue = Volume { disk: "vdb".into(), ..volume("/dev/vdb1", "RESCUE") };
        let volumes = [volume("/dev/vda1", "boot"), locked.clone(), rescue.clone()];
        let found = OriginalRoot::find(Some("/dev/mapper/vda3_crypt"), &volumes, &rescue);
        assert_eq!(found, OriginalRoot::Volume(locked));
    }

    #[test]
    fn an_original_root_that_is_missing_is_named() {
        let rescue = volume("/dev/vdb", "RESCUE");
        let found = OriginalRoot::find(Some("UUID=other"), std::slice::from_ref(&rescue), &rescue);
        assert_eq!(found, OriginalRoot::Named("UUID=other".into()));
        assert_eq!(OriginalRoot::find(None, &[], &rescue), OriginalRoot::Unknown);
    }
}

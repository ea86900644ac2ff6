//! The facts that `mount`, `umount`, `finish` and `status` gather before they decide.

use super::devices::{self, Device};
use super::mounts::{self, Identity, Mount};
use super::record::{Record, Volume};
use crate::root::Root;
use anyhow::Result;

/// The machine in a rescue boot.
#[derive(Debug)]
pub(crate) struct RescueFacts {
    /// The record of the initramfs's decision.
    pub(crate) record: Record,
    /// The original root as it is now, or why it is not known.
    pub(crate) original: std::result::Result<Volume, String>,
    /// The marks by which its mounts are known.
    pub(crate) identity: Identity,
    /// The marks by which the rescue volume's mounts are known.
    pub(crate) rescue: Identity,
    /// All mounts.
    pub(crate) mounts: Vec<Mount>,
    /// All devices that udev knows.
    pub(crate) devices: Vec<Device>,
    /// The running kernel's release.
    pub(crate) release: String,
}

impl RescueFacts {
    /// Looks.
    pub(crate) fn gather(record: Record, root: &Root) -> Result<Self> {
        let devices = devices::read(root)?;
        let original = devices::locate(&record.original, &record.volume, &devices);
        let original = original.map_err(|error| format!("{error:#}"));
        let release = root.read_text("proc/sys/kernel/osrelease")?.unwrap_or_default();
        Ok(Self {
            identity: original.as_ref().map(|volume| Identity::of(&volume.device)).unwrap_or_default(),
            rescue: Identity::of(&record.volume.device),
            original,
            mounts: mounts::read(root)?,
            devices,
            release: release.trim_end().to_owned(),
            record,
        })
    }

    /// Where the original root is mounted.
    pub(crate) fn mounted(&self) -> Vec<&Mount> {
        self.mounts.iter().filter(|mount| self.identity.is_of(mount)).collect()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::rescue::mounts::Access;
    use crate::rescue::mounts::testing::{identity, mount};
    use crate::rescue::record::Original;

    /// A volume with a UUID.
    pub(crate) fn volume(device: &str, kind: &str, uuid: &str) -> Volume {
        Volume { device: device.into(), kind: kind.into(), label: None, uuid: Some(uuid.into()) }
    }

    /// A machine that was booted from /dev/vdb, whose own root is /dev/vda.
    pub(crate) fn facts(kind: &str) -> RescueFacts {
        let original = volume("/dev/vda", kind, "a");
        RescueFacts {
            record: Record {
                reason: "a rescue volume was attached when the machine started".into(),
                volume: volume("/dev/vdb", "ext4", "b"),
                original: Original::Found(original.clone()),
            },
            original: Ok(original),
            identity: identity("/dev/vda"),
            rescue: identity("/dev/vdb"),
            mounts: vec![mount("/dev/vdb", "/", "ext4", Access::Writable)],
            devices: Vec::new(),
            release: "6.1.0-55-cloud-amd64".into(),
        }
    }
}

//! A volume that is labelled or named as a rescue volume: is it fit to be booted from, and before which other?

use super::Claim;
use super::fstab::has_usr;
use super::settings::RescueSettings;
use crate::mounts::Untouched;
use crate::root::Root;
use crate::volume::{self, Volume, natural_order};
use anyhow::{Result, bail};
use lifeboat_common::rescue_volume::MARKERS;
use std::cmp::Ordering;
use std::fmt;

/// What init tries, in its order. A volume with none of them would only end the boot.
pub(super) const INITS: [&str; 4] = ["sbin/init", "etc/init", "bin/init", "bin/sh"];

/// A volume that is labelled or named as a rescue volume.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The volume.
    pub(super) volume: Volume,
    /// Why it is a candidate.
    pub(super) claim: Claim,
    /// The serial number of its disk.
    pub(super) serial: Option<String>,
    /// What speaks against it.
    pub(super) verdict: Verdict,
}

/// Whether a candidate is fit, or the reason why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing speaks against it.
    Fit,
    /// Its owner has said that it has done its work, with this marker.
    Finished(&'static str),
    /// No operating system is on it.
    NoInit,
    /// The settings accept another volume only: its selector.
    Refused(String),
    /// It could not be looked into: why.
    Unreadable(String),
}

impl Verdict {
    /// Whether the volume is not to be booted from although it can be: what names the root does not mean it.
    pub(super) fn shuns(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Refused(_))
    }
}

impl Candidate {
    /// Looks into the volume without changing a byte of it.
    pub(super) fn judge(
        volume: Volume,
        claim: Claim,
        serial: Option<String>,
        settings: &RescueSettings,
    ) -> Self {
        let verdict = match refused(&volume, settings) {
            Some(refused) => refused,
            None => look_into(&volume).unwrap_or_else(|error| Verdict::Unreadable(format!("{error:#}"))),
        };
        Self { volume, claim, serial, verdict }
    }

    /// The volume to be preferred first. What decides is on the volume; only copies of one volume are told
    /// apart by their disks.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let path = |candidate: &Self| candidate.volume.device.to_string_lossy().into_owned();
        self.identity()
            .cmp(&other.identity())
            .then_with(|| self.serial.cmp(&other.serial))
            .then_with(|| natural_order(&path(self), &path(other)))
    }

    /// Why another candidate comes before this one, as the end of a sentence about the other.
    pub(super) fn why_after(&self, first: &Self) -> &'static str {
        match (first.claim, self.claim) {
            (Claim::Named(_), Claim::Labelled(_)) => "is named in the settings",
            (Claim::Named(a), Claim::Named(b)) if a != b => "is named before it in the settings",
            (Claim::Labelled(a), Claim::Labelled(b)) if a != b => "has a label that comes first",
            _ if first.identity() != self.identity() => "comes first by UUID",
            _ if first.serial != self.serial => {
                "has the same label and UUID and comes first by serial number"
            }
            _ => "has the same label and UUID and comes first by device",
        }
    }

    fn identity(&self) -> (Claim, &Option<Vec<u8>>, &Option<String>, &str) {
        (self.claim, &self.volume.label, &self.volume.uuid, &self.volume.kind)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fit => write!(f, "nothing speaks against it"),
            Self::Finished(marker) => {
                write!(f, "it holds /{marker} (remove that to boot from the volume again)")
            }
            Self::NoInit => {
                write!(f, "it holds no init ({})", INITS.map(|path| format!("/{path}")).join(", "))
            }
            Self::Refused(required) => write!(f, "only {required} is accepted (require= in the settings)"),
            Self::Unreadable(reason) => write!(f, "{reason}"),
        }
    }
}

/// The settings accept another volume only.
fn refused(volume: &Volume, settings: &RescueSettings) -> Option<Verdict> {
    let required = settings.require.as_ref().filter(|required| !required.names(volume))?;
    Some(Verdict::Refused(required.to_string()))
}

fn look_into(volume: &Volume) -> Result<Verdict> {
    // Even a look would make btrfs mount this one where the other is meant.
    if let Some(twin) = volume::twin(volume)? {
        bail!(
            "its btrfs has the UUIDs of {}, and the kernel would confuse them (detach it, and run `btrfstune -u \
             DEVICE` on it on another machine)",
            twin.display()
        );
    }
    let mounted = Untouched::mount(volume)?;
    let root = Root::open(mounted.point())?;
    judge(&root)
}

fn judge(root: &Root) -> Result<Verdict> {
    for marker in MARKERS {
        if root.has_entry(marker)? {
            return Ok(Verdict::Finished(marker));
        }
    }
    for init in INITS {
        if root.holds(init)? {
            return Ok(Verdict::Fit);
        }
    }
    // Its /sbin can be a link into a /usr of its own, which is not mounted here.
    let elsewhere = root.has_entry("sbin")? && root.read("etc/fstab")?.is_some_and(|fstab| has_usr(&fstab));
    Ok(if elsewhere { Verdict::Fit } else { Verdict::NoInit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn verdict(make: impl FnOnce(&std::path::Path)) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path());
        judge(&Root::open(directory.path()).unwrap()).unwrap()
    }

    #[test]
    fn a_root_with_an_init_is_fit() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir_all(root.join("usr/sbin")).unwrap();
                symlink("usr/sbin", root.join("sbin")).unwrap();
                fs::write(root.join("usr/sbin/init"), "").unwrap();
            }),
            Verdict::Fit
        );
    }

    #[test]
    fn each_marker_of_any_kind_finishes_it() {
        for marker in MARKERS {
            let file = |root: &std::path::Path| {
                fs::create_dir_all(root.join(marker).parent().unwrap()).unwrap();
                fs::write(root.join(marker), "").unwrap();
            };
            assert_eq!(verdict(file), Verdict::Finished(marker));
            let directory = |root: &std::path::Path| fs::create_dir_all(root.join(marker)).unwrap();
            assert_eq!(verdict(directory), Verdict::Finished(marker));
        }
        assert_eq!(
            verdict(|root| symlink("nowhere", root.join("finished")).unwrap()),
            Verdict::Finished("finished")
        );
    }

    #[test]
    fn a_marker_behind_an_absolute_link_is_looked_for_inside_the_volume() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir_all(root.join("config")).unwrap();
                fs::write(root.join("config/rescuevol-ignore"), "").unwrap();
                symlink("/config", root.join("etc")).unwrap();
            }),
            Verdict::Finished("etc/rescuevol-ignore")
        );
    }

    #[test]
    fn an_init_in_a_usr_that_the_volumes_fstab_mounts_is_believed_in() {
        let with = |fstab: &'static str| {
            verdict(move |root| {
                symlink("usr/sbin", root.join("sbin")).unwrap();
                fs::create_dir(root.join("etc")).unwrap();
                fs::write(root.join("etc/fstab"), fstab).unwrap();
            })
        };
        assert_eq!(with("UUID=u / ext4 defaults 0 1\nLABEL=usr\t/usr/ ext4 ro"), Verdict::Fit);
        assert_eq!(with("UUID=u / ext4\n#UUID=v /usr ext4\nUUID=w /usr/local ext4\n"), Verdict::NoInit);
    }

    #[test]
    fn data_with_an_fstab_in_it_is_not_booted() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir(root.join("etc")).unwrap();
                fs::write(root.join("etc/fstab"), "UUID=u /usr ext4 defaults 0 2\n").unwrap();
            }),
            Verdict::NoInit
        );
    }

    #[test]
    fn data_without_an_init_is_not_booted() {
        assert_eq!(verdict(|root| fs::write(root.join("backup.tar"), "").unwrap()), Verdict::NoInit);
    }

    #[test]
    fn an_init_that_is_outside_the_volume_does_not_count() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir(root.join("sbin")).unwrap();
                symlink("/proc/self/exe", root.join("sbin/init")).unwrap();
            }),
            Verdict::NoInit
        );
    }

    #[test]
    fn only_the_volume_that_is_required_is_not_refused() {
        let volume = Volume {
            device: "/dev/vdb1".into(),
            kind: "ext4".into(),
            label: Some(b"RESCUE".to_vec()),
            uuid: Some("own".into()),
            partition: volume::PartitionNames {
                uuid: Some("own-part".into()),
                label: Some("own-name".into()),
            },
            ..Volume::default()
        };
        for (baked, command_line, accepted) in [
            ("", "", None),
            ("require=UUID=own", "", None),
            ("require=UUID=OWN", "", None),
            ("require=UUID=other", "", Some("UUID=other")),
            ("require=UUID=own-part", "", Some("UUID=own-part")),
            ("require=PARTUUID=own-part", "", None),
            ("require=PARTUUID=own", "", Some("PARTUUID=own")),
            ("require=PARTUUID=other,override", "require=PARTUUID=own-part", None),
            ("require=PARTUUID=other", "require=PARTUUID=own-part", Some("PARTUUID=other")),
            // Naming a volume does not let it in.
            ("require=UUID=other", "UUID=own,LABEL=RESCUE,/dev/vdb1", Some("UUID=other")),
        ] {
            let settings = RescueSettings::from(Some(command_line), Some(baked));
            let expected = accepted.map(|selector| Verdict::Refused(selector.to_owned()));
            assert_eq!(refused(&volume, &settings), expected, "{baked} {command_line}");
        }
    }
}

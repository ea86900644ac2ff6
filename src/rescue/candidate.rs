//! A volume that is labelled or named as a rescue volume: is it fit to be booted from, and before which other?

use super::Claim;
use super::fstab::{self, Usr, WithoutUsr};
use super::runnable::{Extent, Kernel, Unrunnable, first_init, obstacle};
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
    /// No operating system is on it, or where a root is looked for.
    NoInit(Looked),
    /// Its /usr, which is named so, is not on its disk.
    NoUsr(String),
    /// This kernel cannot start its init.
    Unrunnable(Unrunnable),
    /// The settings accept another volume only: its selector.
    Refused(String),
    /// It could not be looked into: why.
    Unreadable(String),
}

/// Where an init was looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Looked {
    /// In the whole file system.
    InAll,
    /// In the subvolume of a btrfs that is mounted where none is named.
    InDefaultSubvolume,
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
        let (verdict, subvolume) = match refused(&volume, settings) {
            Some(refused) => (refused, None),
            None => {
                look_into(&volume).unwrap_or_else(|error| (Verdict::Unreadable(format!("{error:#}")), None))
            }
        };
        Self { volume: Volume { subvolume, ..volume }, claim, serial, verdict }
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
            Self::NoInit(looked) => {
                let (place, advice) = match looked {
                    Looked::InAll => ("", ""),
                    Looked::InDefaultSubvolume => {
                        (" in its default subvolume", "; `btrfs subvolume set-default` chooses another")
                    }
                };
                let inits = INITS.map(|path| format!("/{path}")).join(", ");
                write!(f, "it holds no init{place} ({inits}{advice})")
            }
            Self::NoUsr(source) => {
                write!(f, "its /usr, {source} in its fstab, is not on its disk, and its init would not start")
            }
            Self::Unrunnable(reason) => write!(f, "{reason}"),
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

/// The subvolumes of btrfs into which Debian's, Ubuntu's and Fedora's installers put the system.
const SUBVOLUMES: [&str; 3] = ["@rootfs", "@", "root"];

/// A verdict, and the subvolume that it is on where that is not the default one.
type Judged = (Verdict, Option<&'static str>);

fn look_into(volume: &Volume) -> Result<Judged> {
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
    let all = || volume::devices().map(|names| volume::all_with_partitions(&names));
    let kernel = Kernel::running();
    let verdict = judge(&root, volume, all, &kernel)?;
    judge_subvolumes(verdict, &subvolumes(&root)?, |root| judge(root, volume, all, &kernel))
}

/// Those that are subvolumes: a directory of that name cannot be mounted.
fn subvolumes(root: &Root) -> Result<Vec<(&'static str, Root)>> {
    /// The inode number of each subvolume's root directory.
    const FIRST_OBJECT: u64 = 256;
    let mut subvolumes = Vec::new();
    for name in SUBVOLUMES {
        if root.identity(name)?.is_some_and(|(_, inode)| inode == FIRST_OBJECT)
            && let Some(subvolume) = root.enter(name)?
        {
            subvolumes.push((name, subvolume));
        }
    }
    Ok(subvolumes)
}

/// Where the default subvolume holds no system, another may.
fn judge_subvolumes(
    verdict: Verdict,
    subvolumes: &[(&'static str, Root)],
    judge: impl Fn(&Root) -> Result<Verdict>,
) -> Result<Judged> {
    if verdict == Verdict::NoInit(Looked::InDefaultSubvolume) {
        for (name, subvolume) in subvolumes {
            let inside = judge(subvolume)?;
            if !matches!(inside, Verdict::NoInit(_)) {
                return Ok((inside, Some(name)));
            }
        }
    }
    Ok((verdict, None))
}

/// `all`: what is on all devices, for a /usr of its own.
fn judge(
    root: &Root,
    volume: &Volume,
    all: impl Fn() -> Result<Vec<Volume>>,
    kernel: &Kernel,
) -> Result<Verdict> {
    for marker in MARKERS {
        if root.has_entry(marker)? {
            return Ok(Verdict::Finished(marker));
        }
    }
    let init = first_init(root)?;
    // Its /sbin can be a link into a /usr of its own, which is not mounted here.
    if init.is_none() && !root.has_entry("sbin")? {
        return Ok(Verdict::NoInit(Looked::on(volume)));
    }
    // What is no file is read by nobody.
    let fstab = root.read("etc/fstab").unwrap_or_default().unwrap_or_default();
    let usr = if fstab::has_usr(&fstab) { fstab::usr(&fstab, volume, &all()?) } else { Usr::InRoot };
    let (init, extent) = match (usr, init) {
        (Usr::Missing(source), _) | (Usr::Elsewhere(source), None) => return Ok(Verdict::NoUsr(source)),
        (Usr::InRoot, None) => return Ok(Verdict::NoInit(Looked::on(volume))),
        (Usr::OnDisk | Usr::Unknown, None) => return Ok(Verdict::Fit),
        // Its fstab's entry is left out.
        (Usr::InRoot | Usr::Elsewhere(_), Some(init)) => (init, Extent::Whole),
        (Usr::OnDisk | Usr::Unknown, Some(init)) => (init, Extent::WithoutUsr),
    };
    Ok(match obstacle(root, init, extent, kernel)? {
        Some(obstacle) => Verdict::Unrunnable(obstacle),
        None => Verdict::Fit,
    })
}

impl Looked {
    fn on(volume: &Volume) -> Self {
        if volume.kind == "btrfs" { Self::InDefaultSubvolume } else { Self::InAll }
    }
}

/// Whether a root that is mounted, its /usr not yet, could be started without that.
pub(super) fn without_usr(root: &Root) -> Result<WithoutUsr> {
    Ok(match first_init(root)? {
        Some(_) => WithoutUsr::Starts,
        None => WithoutUsr::HasNoInit,
    })
}

/// Why a root that is mounted with its /usr cannot be started; `None`: nothing is known that speaks against it.
pub(super) fn why_not_started(root: &Root, volume: &Volume) -> Result<Option<Verdict>> {
    let Some(init) = first_init(root)? else { return Ok(Some(Verdict::NoInit(Looked::on(volume)))) };
    Ok(obstacle(root, init, Extent::Whole, &Kernel::running())?.map(Verdict::Unrunnable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn verdict(make: impl FnOnce(&std::path::Path)) -> Verdict {
        among(&[], make)
    }

    /// The verdict on a volume on vdb1, where these are there too.
    fn among(others: &[Volume], make: impl FnOnce(&std::path::Path)) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path());
        let root = Root::open(directory.path()).unwrap();
        let all = || Ok([&[on("vdb1", "vdb", "u")], others].concat());
        judge(&root, &on("vdb1", "vdb", "u"), all, &Kernel::running()).unwrap()
    }

    fn on(name: &str, disk: &str, uuid: &str) -> Volume {
        Volume {
            device: volume::node(name),
            kind: "ext4".into(),
            uuid: Some(uuid.into()),
            disk: disk.into(),
            ..Volume::default()
        }
    }

    /// Makes a file that may be executed.
    fn program(path: std::path::PathBuf) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_root_with_an_init_is_fit() {
        assert_eq!(
            verdict(|root| {
                symlink("usr/sbin", root.join("sbin")).unwrap();
                program(root.join("usr/sbin/init"));
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
    fn an_init_that_nobody_may_execute_is_none() {
        let kept = |name: &str| {
            verdict(|root| {
                fs::create_dir_all(root.join("sbin/init")).unwrap();
                fs::create_dir(root.join("bin")).unwrap();
                fs::write(root.join("bin/init"), "").unwrap();
                program(root.join(name));
            })
        };
        assert_eq!(kept("bin/sh"), Verdict::Fit);
        assert_eq!(kept("bin/bash"), Verdict::NoInit(Looked::InAll));
    }

    #[test]
    fn a_usr_of_its_own_is_looked_for_before_the_volume_is_booted() {
        let machine = [on("vdb2", "vdb", "own-usr"), on("vda2", "vda", "other-usr")];
        let locked = [Volume { kind: "LVM2_member".into(), ..on("vdb3", "vdb", "pv") }];
        let no_usr = |source: &str| Verdict::NoUsr(source.to_owned());
        // What names /usr; whether /sbin is a link into it; what else there is.
        for (source, merged, others, expected) in [
            ("UUID=own-usr", true, &machine[..], Verdict::Fit),
            ("/dev/disk/by-uuid/own-usr", true, &machine, Verdict::Fit),
            ("UUID=own-usr", false, &machine, Verdict::Fit),
            // On another disk alone: without it there is no init, or the entry is left out.
            ("UUID=other-usr", true, &machine, no_usr("UUID=other-usr")),
            ("UUID=other-usr", false, &machine, Verdict::Fit),
            ("/dev/vda2", true, &machine, no_usr("/dev/vda2")),
            // Nowhere: init would wait for it, and give up.
            ("UUID=gone", true, &machine, no_usr("UUID=gone")),
            ("UUID=gone", false, &machine, no_usr("UUID=gone")),
            ("LABEL=gone", true, &[], no_usr("LABEL=gone")),
            ("/dev/vdb7", true, &machine, no_usr("/dev/vdb7")),
            ("/dev/mapper/vg-usr", true, &machine, no_usr("/dev/mapper/vg-usr")),
            // It may be inside something on its disk, or is no device.
            ("/dev/mapper/vg-usr", true, &locked, Verdict::Fit),
            ("UUID=gone", true, &locked, Verdict::Fit),
            ("server:/usr", true, &machine, Verdict::Fit),
        ] {
            let seen = among(others, |root| {
                if merged {
                    symlink("usr/sbin", root.join("sbin")).unwrap();
                } else {
                    program(root.join("sbin/init"));
                }
                fs::create_dir(root.join("etc")).unwrap();
                let fstab = format!("UUID=u / ext4 defaults 0 1\n{source}\t/usr/ ext4 ro\n");
                fs::write(root.join("etc/fstab"), fstab).unwrap();
            });
            assert_eq!(seen, expected, "{source}, merged: {merged}, {others:?}");
        }
    }

    #[test]
    fn an_fstab_without_a_usr_brings_no_init() {
        let with = |fstab: &'static str| {
            verdict(move |root| {
                symlink("usr/sbin", root.join("sbin")).unwrap();
                fs::create_dir(root.join("etc")).unwrap();
                fs::write(root.join("etc/fstab"), fstab).unwrap();
            })
        };
        assert_eq!(
            with("UUID=u / ext4\n#UUID=v /usr ext4\nUUID=w /usr/local ext4\n"),
            Verdict::NoInit(Looked::InAll)
        );
        assert_eq!(with(""), Verdict::NoInit(Looked::InAll));
    }

    #[test]
    fn in_a_btrfs_an_installers_subvolume_is_looked_into_and_the_default_one_named() {
        let volume = Volume { kind: "btrfs".into(), ..on("vdb", "vdb", "u") };
        let judged = |make: &dyn Fn(&std::path::Path)| {
            let directory = tempfile::tempdir().unwrap();
            for name in SUBVOLUMES {
                fs::create_dir(directory.path().join(name)).unwrap();
            }
            make(directory.path());
            let root = Root::open(directory.path()).unwrap();
            let judge = |root: &Root| judge(root, &volume, || Ok(Vec::new()), &Kernel::running());
            let entered = SUBVOLUMES.map(|name| (name, root.enter(name).unwrap().unwrap()));
            judge_subvolumes(judge(&root).unwrap(), &entered, judge).unwrap()
        };
        let none = Verdict::NoInit(Looked::InDefaultSubvolume);
        assert_eq!(
            none.to_string(),
            "it holds no init in its default subvolume (/sbin/init, /etc/init, /bin/init, /bin/sh; \
             `btrfs subvolume set-default` chooses another)"
        );
        assert_eq!(judged(&|_| {}), (none.clone(), None));
        for name in SUBVOLUMES {
            assert_eq!(
                judged(&|root| program(root.join(name).join("sbin/init"))),
                (Verdict::Fit, Some(name)),
                "{name}"
            );
            let finished = judged(&|root| {
                program(root.join(name).join("sbin/init"));
                fs::write(root.join(name).join("finished"), "").unwrap();
            });
            assert_eq!(finished, (Verdict::Finished("finished"), Some(name)), "{name}");
        }
        // The default one comes first, then the first in this order; no other name counts.
        let both = judged(&|root| {
            program(root.join("sbin/init"));
            program(root.join("@rootfs/sbin/init"));
        });
        assert_eq!(both, (Verdict::Fit, None));
        let two =
            judged(&|root| ["@", "@rootfs"].iter().for_each(|name| program(root.join(name).join("bin/sh"))));
        assert_eq!(two, (Verdict::Fit, Some("@rootfs")));
        assert_eq!(judged(&|root| program(root.join("@snapshot/sbin/init"))), (none, None));
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("@rootfs")).unwrap();
        assert!(subvolumes(&Root::open(directory.path()).unwrap()).unwrap().is_empty(), "it is a directory");
    }

    #[test]
    fn data_with_an_fstab_in_it_is_not_booted() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir(root.join("etc")).unwrap();
                fs::write(root.join("etc/fstab"), "UUID=u /usr ext4 defaults 0 2\n").unwrap();
            }),
            Verdict::NoInit(Looked::InAll)
        );
    }

    #[test]
    fn data_without_an_init_is_not_booted() {
        assert_eq!(
            verdict(|root| fs::write(root.join("backup.tar"), "").unwrap()),
            Verdict::NoInit(Looked::InAll)
        );
    }

    #[test]
    fn an_init_that_is_outside_the_volume_does_not_count() {
        assert_eq!(
            verdict(|root| {
                fs::create_dir(root.join("sbin")).unwrap();
                symlink("/proc/self/exe", root.join("sbin/init")).unwrap();
            }),
            Verdict::NoInit(Looked::InAll)
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

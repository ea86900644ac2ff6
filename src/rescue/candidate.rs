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

/// The programs that init tries, in its order. A volume with none of them would only end the boot.
pub(super) const INITS: [&str; 4] = ["sbin/init", "etc/init", "bin/init", "bin/sh"];

/// A volume that is labelled or named as a rescue volume.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The volume.
    pub(super) volume: Volume,
    /// The reason why it is a candidate.
    pub(super) claim: Claim,
    /// The serial number of its disk.
    pub(super) serial: Option<String>,
    /// The reason against it.
    pub(super) verdict: Verdict,
}

/// The verdict on a candidate: it is fit, or the reason why not.
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
    /// True if the volume is not to be booted from although it can be: what names the root does not mean it.
    pub(super) fn shuns(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Refused(_))
    }

    /// True if another volume with the same name is the root. A volume that is only not known to be fit may be the root
    /// itself.
    pub(super) fn is_no_root(&self) -> bool {
        self.is_set_aside() || matches!(self, Self::Unrunnable(_) | Self::NoUsr(_))
    }

    /// True if the names on its disk are those of other disks.
    pub(super) fn is_set_aside(&self) -> bool {
        self.shuns() || matches!(self, Self::NoInit(_))
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

    /// The volume to be preferred first. The facts on the volume decide; only copies of one volume are told apart by
    /// their disks.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let path = |candidate: &Self| candidate.volume.device.to_string_lossy().into_owned();
        self.identity()
            .cmp(&other.identity())
            .then_with(|| self.serial.cmp(&other.serial))
            .then_with(|| natural_order(&path(self), &path(other)))
    }

    /// The reason why another candidate comes before this one, as the end of a sentence about the other.
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

/// The one of these with which init mounts the root, by the options that it was given.
pub(super) fn subvolume_of(flags: &str) -> Option<&'static str> {
    SUBVOLUMES.into_iter().find(|name| flags.strip_prefix("-o subvol=") == Some(name))
}

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

/// The directories that are subvolumes: a directory of that name cannot be mounted.
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
    // A path that is no file is read by nobody.
    if root.enter("dev").unwrap_or_default().is_none() {
        return Ok(Verdict::Unrunnable(Unrunnable::WithoutDev));
    }
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

/// Checks that a mounted root could be started before its /usr is mounted.
pub(super) fn without_usr(root: &Root) -> Result<WithoutUsr> {
    Ok(match first_init(root)? {
        Some(_) => WithoutUsr::Starts,
        None => WithoutUsr::HasNoInit,
    })
}

/// The reason why a root that is mounted with its /usr cannot be started; `None`: nothing is known that speaks against
/// it.
pub(super) fn why_not_started(root: &Root, volume: &Volume) -> Result<Option<Verdict>> {
    let Some(init) = first_init(root)? else { return Ok(Some(Verdict::NoInit(Looked::on(volume)))) };
    Ok(obstacle(root, init, Extent::Whole, &Kernel::running())?.map(Verdict::Unrunnable))
}

#[cfg(test)]
mod tests;

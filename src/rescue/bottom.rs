//! With the root mounted: makes sure that init went where it was steered, or pivots to a rescue volume that
//! appeared since the first look.

use super::decision::{self, Decision, Earlier, How, Original};
use super::{Choice, Scan, notice};
use crate::initramfs_tools;
use crate::kmsg::{self, Level};
use crate::mounts::{self, Mount, Staged};
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, Volume};
use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, UnmountFlags, mount_move, unmount};
use std::path::Path;

/// Pivots, or says why there is nothing to do.
pub(crate) fn run(mode: Mode) -> Result<Outcome> {
    let root = initramfs_tools::root_mount_point();
    let facts = Facts::gather(&root)?;
    let plan = plan(&facts);
    if mode == Mode::Apply {
        for line in &facts.complaints {
            kmsg::log(Level::Info, "rescue", line);
        }
        apply(&plan, &facts.devices, &root)?;
    }
    Ok(match plan {
        Plan::Stay(reason) => Outcome::Skipped(reason),
        Plan::TakeBack { steered_to } => {
            Outcome::Loud(format!("the root is not {steered_to}, to which init was steered"))
        }
        Plan::Pivot { volume, original } => {
            Outcome::Loud(format!("{volume} appeared and takes the place of {original}"))
        }
    })
}

struct Facts {
    earlier: Earlier,
    /// What is mounted as the root.
    mounted: Option<Mount>,
    /// The superblock of that, where it is a device.
    own_root: Option<Volume>,
    /// All devices; only those that were not there at the first look are scanned.
    devices: Vec<String>,
    choice: Choice,
    complaints: Vec<String>,
}

impl Facts {
    fn gather(root: &Path) -> Result<Self> {
        let earlier = Earlier::read()?;
        let mounted = mounts::at(root)?;
        let devices = volume::devices()?;
        let new = devices.iter().filter(|name| !earlier.devices.contains(name)).cloned().collect();
        let scan = Scan::of(if earlier.steered_to.is_some() { Vec::new() } else { new });
        let choice = scan.choose();
        let own_root = match (&choice.chosen, &mounted) {
            // A root that cannot be read is named by its device: it is the rescue volume that matters now.
            (Some(_), Some(mount)) => volume::probe(&mount.source).unwrap_or_default(),
            _ => None,
        };
        Ok(Self { earlier, mounted, own_root, devices, choice, complaints: scan.complaints })
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Plan {
    Stay(String),
    /// init went elsewhere: what the rescue system was told must not be believed.
    TakeBack {
        steered_to: String,
    },
    Pivot {
        volume: Volume,
        original: Original,
    },
}

fn plan(facts: &Facts) -> Plan {
    let source = facts.mounted.as_ref().map(|mount| mount.source.display().to_string());
    if let Some(steered_to) = &facts.earlier.steered_to {
        return if source.as_ref() == Some(steered_to) {
            Plan::Stay(format!("the root is {steered_to}, as decided before it was mounted"))
        } else {
            Plan::TakeBack { steered_to: steered_to.clone() }
        };
    }
    match (&facts.choice.chosen, source) {
        (None, _) if facts.choice.passed_over.is_empty() => {
            Plan::Stay("no rescue volume appeared since the first look".into())
        }
        (None, _) => Plan::Stay(facts.choice.reason_for_none()),
        (Some(volume), None) => Plan::Stay(format!("{volume} appeared, but no root is mounted to replace")),
        (Some(volume), Some(source)) => {
            let original = facts.own_root.clone().map_or(Original::Named(source), Original::Volume);
            Plan::Pivot { volume: volume.clone(), original }
        }
    }
}

fn apply(plan: &Plan, devices: &[String], root: &Path) -> Result<()> {
    match plan {
        Plan::Stay(_) => Ok(()),
        Plan::TakeBack { .. } => {
            decision::forget()?;
            notice::forget()
        }
        Plan::Pivot { volume, original } => {
            pivot(volume, root)?;
            let decision =
                Decision::Rescue { volume: volume.clone(), how: How::Pivoted, original: original.clone() };
            decision.write(devices)?;
            notice::write(volume, original)
        }
    }
}

/// Each step can be undone until the volume is in place: a root is mounted at every moment that counts.
fn pivot(volume: &Volume, root: &Path) -> Result<()> {
    let Some(file_system) = volume.file_system() else {
        bail!("{} is no file system that can be booted from", volume.kind);
    };
    let new = Staged::mount("new-root", &volume.device, file_system.name, MountFlags::empty(), c"")?;
    let old = Staged::empty("original-root")?;
    mount_move(root, old.point()).with_context(|| format!("move {} away", root.display()))?;
    if let Err(error) = mount_move(new.point(), root) {
        mount_move(old.point(), root).with_context(|| format!("move {} back", root.display()))?;
        return Err(error).with_context(|| format!("move {} to {}", volume.device.display(), root.display()));
    }
    new.moved();
    if let Err(error) = unmount_tree(old.point()) {
        // The rescue system can still unmount it, at the place that this names.
        kmsg::log(Level::Error, "rescue", &format!("{error:#}"));
    }
    Ok(())
}

fn unmount_tree(point: &Path) -> Result<()> {
    let mounts = mounts::read()?;
    for mount in mounts.iter().rev().filter(|mount| mount.point.starts_with(point)) {
        unmount(&mount.point, UnmountFlags::NOFOLLOW)
            .with_context(|| format!("unmount the original root at {}", mount.point.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(device: &str, label: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(label.as_bytes().to_vec()),
            uuid: None,
        }
    }

    fn facts(steered_to: Option<&str>, mounted: Option<&str>, chosen: Option<&str>) -> Facts {
        Facts {
            earlier: Earlier { steered_to: steered_to.map(str::to_owned), devices: vec!["vda".into()] },
            mounted: mounted.map(|source| Mount {
                point: "/root".into(),
                device: "254:0".into(),
                kind: "ext4".into(),
                source: source.into(),
            }),
            own_root: mounted.map(|source| volume(source, "own")),
            devices: Vec::new(),
            choice: Choice { chosen: chosen.map(|device| volume(device, "RESCUE")), passed_over: Vec::new() },
            complaints: Vec::new(),
        }
    }

    #[test]
    fn a_root_to_which_init_was_steered_is_left_alone() {
        let plan = plan(&facts(Some("/dev/vdb"), Some("/dev/vdb"), None));
        assert_eq!(plan, Plan::Stay("the root is /dev/vdb, as decided before it was mounted".into()));
    }

    #[test]
    fn what_was_told_is_taken_back_when_init_went_elsewhere() {
        let plan = plan(&facts(Some("/dev/vdb"), Some("/dev/vda"), None));
        assert_eq!(plan, Plan::TakeBack { steered_to: "/dev/vdb".into() });
    }

    #[test]
    fn a_volume_that_appeared_takes_the_roots_place() {
        let plan = plan(&facts(None, Some("/dev/vda"), Some("/dev/vdb")));
        let (volume, original) = (volume("/dev/vdb", "RESCUE"), volume("/dev/vda", "own"));
        assert_eq!(plan, Plan::Pivot { volume, original: Original::Volume(original) });
    }

    #[test]
    fn without_a_new_volume_nothing_moves() {
        let plan = plan(&facts(None, Some("/dev/vda"), None));
        assert_eq!(plan, Plan::Stay("no rescue volume appeared since the first look".into()));
    }
}

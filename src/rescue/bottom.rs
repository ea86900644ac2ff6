//! With the root mounted: makes sure that init went where it was steered, or pivots to a rescue volume that
//! appeared since the first look, or when the root holds no init.

use super::candidate::INITS;
use super::decision::{self, Decision, How, Original, Record, SoFar, Waited};
use super::settings::Settings;
use super::wait::{self, Ended};
use super::{Choice, Scan, mounted, notice};
use crate::cmdline::Parameters;
use crate::initramfs_tools;
use crate::kmsg::{self, Level};
use crate::mounts::{self, Mount, Staged};
use crate::outcome::{Mode, Outcome};
use crate::root::Root;
use crate::volume::{self, Nature, Volume};
use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, UnmountFlags, mount_move, unmount};
use std::path::Path;

/// Pivots, or says why there is nothing to do.
pub(crate) fn run(parameters: &Parameters, mode: Mode) -> Result<Outcome> {
    let settings = Settings::read(parameters)?;
    if let Some(place) = settings.off {
        return Ok(Outcome::Skipped(format!("`off` is {place}")));
    }
    let root = initramfs_tools::root_mount_point();
    let mut facts = Facts::gather(&root, &settings)?;
    if mode == Mode::Apply {
        for line in &facts.complaints {
            kmsg::log(Level::Info, "rescue", line);
        }
        if facts.needs_a_volume() {
            facts.wait(&settings)?;
        }
    }
    let plan = plan(&facts);
    if mode == Mode::Apply {
        apply(&plan, facts, &root)?;
    }
    Ok(match plan {
        Plan::Stay(reason) => Outcome::Skipped(reason),
        Plan::TakeBack { steered_to } => {
            Outcome::Loud(format!("the root is not {steered_to}, to which init was steered"))
        }
        Plan::Pivot { volume, original } => Outcome::Loud(format!("{volume} takes the place of {original}")),
    })
}

struct Facts {
    so_far: SoFar,
    /// What is mounted as the root.
    mounted: Option<Mount>,
    /// The superblock of that, where it is a device.
    own_root: Option<Volume>,
    init: Init,
    /// All devices; only those that were not there at the first look are scanned.
    devices: Vec<String>,
    choice: Choice,
    complaints: Vec<String>,
}

/// Whether what is mounted as the root can be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Init {
    Present,
    Absent,
}

impl Facts {
    fn gather(root: &Path, settings: &Settings) -> Result<Self> {
        let so_far = SoFar::read()?;
        let mounted = mounts::at(root)?;
        let devices = volume::devices()?;
        let init = if mounted.is_some() { look_for_init(root)? } else { Init::Absent };
        let names = match (&so_far.rescue, init) {
            (Some(_), _) => Vec::new(),
            (None, Init::Present) => so_far.new_among(&devices),
            (None, Init::Absent) => devices.clone(),
        };
        let scan = Scan::of(names, settings, None);
        let choice = scan.choose();
        let own_root = match (&choice.chosen, &mounted) {
            // A root that cannot be read is named by its device: it is the rescue volume that matters now.
            (Some(_), Some(mount)) => volume::probe(&mount.source).unwrap_or_default(),
            _ => None,
        };
        Ok(Self { so_far, mounted, own_root, init, devices, choice, complaints: scan.complaints })
    }
}

impl Facts {
    fn needs_a_volume(&self) -> bool {
        self.init == Init::Absent && self.so_far.waited == Waited::NotYet && self.choice.chosen.is_none()
    }

    /// Waits for a volume to be attached.
    fn wait(&mut self, settings: &Settings) -> Result<()> {
        let Some(source) = self.mounted.as_ref().map(|mount| mount.source.clone()) else { return Ok(()) };
        let message = format!("{} holds no init", source.display());
        self.so_far.waited = Waited::Once;
        self.so_far.looked_at = std::mem::take(&mut self.devices);
        let decision = Decision::OwnRoot { reason: message.clone() };
        Record { decision, so_far: self.so_far.clone() }.write()?;
        if settings.wait > 0 {
            kmsg::log(Level::Error, "rescue", &wait::announcement(&message, None, settings.wait));
        }
        let ended = wait::for_new_devices(settings.wait, |devices| {
            let new = self.so_far.new_among(devices);
            devices.clone_into(&mut self.so_far.looked_at);
            let choice = Scan::of(new, settings, None).choose();
            for line in &choice.passed_over {
                kmsg::log(Level::Info, "rescue", line);
            }
            Ok(choice.chosen.is_some().then_some(choice))
        })?;
        self.devices.clone_from(&self.so_far.looked_at);
        if let Ended::Found(choice) = ended {
            self.own_root = volume::probe(&source).unwrap_or_default();
            self.choice = choice;
        }
        Ok(())
    }
}

/// As init does, after which it is too late: udev has ended and /dev has moved.
fn look_for_init(root: &Path) -> Result<Init> {
    let root = Root::open(root)?;
    let named = initramfs_tools::own_init().unwrap_or_default();
    for init in std::iter::once(named.trim_start_matches('/')).chain(INITS) {
        if !init.is_empty() && root.holds(init)? {
            return Ok(Init::Present);
        }
    }
    Ok(Init::Absent)
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
    if let Some(steered_to) = &facts.so_far.rescue {
        return if source.as_ref() == Some(steered_to) {
            Plan::Stay(format!("the root is {steered_to}, as decided before it was mounted"))
        } else {
            Plan::TakeBack { steered_to: steered_to.clone() }
        };
    }
    match (&facts.choice.chosen, source) {
        (None, Some(source)) if facts.init == Init::Absent => {
            Plan::Stay(format!("{source} holds no init, and no rescue volume is attached; init goes on"))
        }
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

fn apply(plan: &Plan, facts: Facts, root: &Path) -> Result<()> {
    match plan {
        Plan::Stay(_) => Ok(()),
        Plan::TakeBack { .. } => {
            decision::forget()?;
            notice::forget()
        }
        Plan::Pivot { volume, original } => {
            pivot(volume, root)?;
            let how = match facts.init {
                Init::Present => How::Pivoted,
                Init::Absent => How::Saved,
            };
            let decision = Decision::Rescue { volume: volume.clone(), how, original: original.clone() };
            let so_far = SoFar { looked_at: facts.devices, ..facts.so_far };
            Record { decision, so_far }.write()?;
            notice::write(volume, original)?;
            initramfs_tools::forget_own_init()?;
            let volumes = volume::all_with_partitions(&volume::devices()?);
            mounted::cover(root, volume, original, &volumes)
        }
    }
}

/// Each step can be undone until the volume is in place: a root is mounted at every moment that counts.
fn pivot(volume: &Volume, root: &Path) -> Result<()> {
    let Some(file_system) = volume.file_system() else {
        bail!("{} is no file system that can be booted from", volume.kind);
    };
    let flags = match volume.nature() {
        Nature::Writable => MountFlags::empty(),
        Nature::ReadOnly => MountFlags::RDONLY,
    };
    let new = Staged::mount("new-root", &volume.device, file_system.name, flags, c"")?;
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
            ..Volume::default()
        }
    }

    fn facts(steered_to: Option<&str>, mounted: Option<&str>, chosen: Option<&str>) -> Facts {
        Facts {
            so_far: SoFar { rescue: steered_to.map(str::to_owned), ..SoFar::default() },
            init: Init::Present,
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
    fn a_root_without_an_init_is_said_to_have_none() {
        let facts = Facts { init: Init::Absent, ..facts(None, Some("/dev/vda"), None) };
        assert_eq!(
            plan(&facts),
            Plan::Stay("/dev/vda holds no init, and no rescue volume is attached; init goes on".into())
        );
    }

    #[test]
    fn without_a_new_volume_nothing_moves() {
        let plan = plan(&facts(None, Some("/dev/vda"), None));
        assert_eq!(plan, Plan::Stay("no rescue volume appeared since the first look".into()));
    }
}

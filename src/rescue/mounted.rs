//! Right after init mounted a rescue volume: generates the fstab that init reads in place of the volume's. init looks
//! for /usr in it next. The volume itself is unchanged, and covered only after all other scripts: a mount on it would
//! keep them from unmounting it. And once its /usr is mounted: whether it can be started.

use super::decision::{self, BootSoFar, OriginalRoot};
use super::fstab::WithoutUsr;
use super::notice::Tenants;
use super::{candidate, fstab, notice};
use crate::initramfs_tools;
use crate::kmsg::{self, LogLevel};
use crate::mounts;
use crate::outcome::{Mode, Outcome};
use crate::root::Root;
use crate::volume::{self, Volume};
use crate::{files, state};
use anyhow::{Context, Result};
use lifeboat_common::environment_file::Lines;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Generates the fstab, where the root is a rescue volume.
pub(crate) fn run(mode: Mode) -> Result<Outcome> {
    let root = initramfs_tools::root_mount_point();
    let steered_to = BootSoFar::read()?.rescue;
    let mounted = match steered_to {
        Some(_) => mounts::at(&root)?.map(|mount| mount.source),
        None => None,
    };
    let state = MountedState { steered_to, mounted };
    let mut action = state.plan(MountedEvent::Mounted);
    // init reads it once for each question.
    if action == MountedAction::Look && arrived_at()? == state.steered_to {
        return Ok(Outcome::Quiet);
    }
    if mode == Mode::Apply {
        // A volume that failed may have left it.
        files::remove(&shown_fstab().to_string_lossy())?;
    }
    if action == MountedAction::Look {
        let volumes = volume::all_with_partitions(&volume::devices()?);
        action = state.plan(MountedEvent::Looked(volumes));
    }
    Ok(match &action {
        MountedAction::Leave | MountedAction::Look => Outcome::Quiet,
        MountedAction::Generate { rescue, volumes } => {
            if mode == Mode::Apply {
                show_to_init(&root, rescue, volumes)?;
            }
            Outcome::Done(action.to_string())
        }
    })
}

/// The state file that says where init arrived, and what is in it.
const ARRIVED: &str = "arrived";
const DEVICE: &str = "DEVICE";
const USR: &str = "USR";
const NEEDED: &str = "needed";

const FSTAB: &str = "etc/fstab";

/// Says in the place of init's answer that the root cannot be started.
const NOT_STARTED: &str = "-";

/// Once /usr is mounted as well: answers on standard output where the root is a rescue volume that cannot be started.
/// On any other answer, or none, init goes on.
pub(crate) fn run_with_usr() -> Result<Outcome> {
    let root = initramfs_tools::root_mount_point();
    let Some(device) = BootSoFar::read()?.rescue.map(PathBuf::from) else { return Ok(Outcome::Quiet) };
    if mounts::at(&root)?.is_none_or(|mount| mount.source != device) {
        return Ok(Outcome::Quiet);
    }
    let volume =
        volume::probe(&device)?.with_context(|| format!("{} has no file system", device.display()))?;
    let Some(reason) = candidate::why_not_started(&Root::open(&root)?, &volume)? else {
        return Ok(Outcome::Quiet);
    };
    kmsg::log(LogLevel::Error, "rescue", &format!("{volume} cannot be started: {reason}"));
    Ok(Outcome::Answer(NOT_STARTED.to_owned()))
}

/// The state when something happens.
struct MountedState {
    /// The device of the rescue volume that was chosen.
    steered_to: Option<String>,
    /// The device of what is mounted as the root.
    mounted: Option<PathBuf>,
}

/// An event.
#[derive(Clone, Debug)]
enum MountedEvent {
    /// init mounted its root.
    Mounted,
    /// All devices were looked at.
    Looked(Vec<Volume>),
}

/// An action of the plan.
#[derive(PartialEq, Eq, Debug)]
enum MountedAction {
    /// Nothing.
    Leave,
    /// Looks at all devices.
    Look,
    /// Generates the fstab that init reads.
    Generate { rescue: Volume, volumes: Vec<Volume> },
}

impl fmt::Display for MountedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leave => write!(f, "nothing to do"),
            Self::Look => write!(f, "look at all devices"),
            Self::Generate { rescue, .. } => write!(f, "the fstab of {rescue} leads to no other disk"),
        }
    }
}

impl MountedState {
    /// Plans the action for an event.
    fn plan(&self, event: MountedEvent) -> MountedAction {
        // init may have gone elsewhere.
        let steered_to = self.steered_to.as_deref().map(Path::new);
        let Some(device) = steered_to.filter(|device| self.mounted.as_deref() == Some(device)) else {
            return MountedAction::Leave;
        };
        match event {
            MountedEvent::Mounted => MountedAction::Look,
            MountedEvent::Looked(volumes) => match at(device, &volumes) {
                Some(rescue) => MountedAction::Generate { rescue, volumes },
                None => MountedAction::Leave,
            },
        }
    }
}

/// Takes note that the volume was the root: another script may make something else of that.
pub(super) fn has_arrived(rescue: &Volume, without_usr: Option<WithoutUsr>) -> Result<()> {
    let mut arrived = Lines::default();
    arrived.push(DEVICE, &rescue.device.display().to_string());
    match without_usr {
        Some(WithoutUsr::HasNoInit) => arrived.push(USR, NEEDED),
        Some(WithoutUsr::Starts) => arrived.push(USR, "not needed"),
        None => {}
    }
    state::write(ARRIVED, arrived)
}

/// The device of the rescue volume that was the root, if one was.
pub(super) fn arrived_at() -> Result<Option<String>> {
    state::read(ARRIVED, DEVICE)
}

fn shown_fstab() -> PathBuf {
    Path::new(initramfs_tools::SHOWN_ROOT).join(FSTAB)
}

/// init looks for /usr there. A file that is not there is left so.
fn show_to_init(root: &Path, rescue: &Volume, volumes: &[Volume]) -> Result<()> {
    let root = Root::open(root)?;
    let without_usr = candidate::without_usr(&root)?;
    has_arrived(rescue, Some(without_usr))?;
    let Some(text) = root.read(FSTAB)? else { return Ok(()) };
    let shown = shown_fstab();
    let directory = shown.parent().unwrap_or(&shown);
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    files::write(&shown.to_string_lossy(), &fstab::rewrite(&text, rescue, volumes, without_usr), 0o644)
}

/// Where the root is a rescue volume, or was made of one: covers the fstab, and what agetty shows above its prompt. The
/// volume's contents are known only now, and so the message of the day is written anew.
pub(super) fn cover_in_the_end(root: &Path) -> Result<()> {
    let Some(device) = BootSoFar::read()?.rescue else { return Ok(()) };
    let is_root = mounts::at(root)?.is_some_and(|mount| mount.source == Path::new(&device));
    if !is_root && arrived_at()?.as_ref() != Some(&device) {
        return Ok(());
    }
    let volumes = volume::all_with_partitions(&volume::devices()?);
    let rescue = at(Path::new(&device), &volumes).with_context(|| format!("read {device} once more"))?;
    let original = original(decision::original_name()?, &volumes);
    let root = Root::open(root)?;
    // By now its /usr may be mounted.
    let without_usr = match state::read(ARRIVED, USR)?.as_deref() {
        Some(NEEDED) => WithoutUsr::HasNoInit,
        Some(_) => WithoutUsr::Starts,
        None => candidate::without_usr(&root)?,
    };
    cover_file(&root, "fstab", |text| fstab::rewrite(text, &rescue, &volumes, without_usr))?;
    let tenants = Tenants::of(&root)?;
    notice::write(&rescue, &original, tenants)?;
    cover_file(&root, "issue", |text| notice::issue(text, &rescue, &original, tenants))
}

/// The root that the machine would have booted from, as it is on record.
fn original(name: Option<String>, volumes: &[Volume]) -> OriginalRoot {
    let Some(name) = name else { return OriginalRoot::Unknown };
    at(Path::new(&name), volumes).map_or(OriginalRoot::Named(name), OriginalRoot::Volume)
}

fn at(device: &Path, volumes: &[Volume]) -> Option<Volume> {
    volumes.iter().find(|volume| volume.device == device).cloned()
}

/// A file that is not there is left so.
fn cover_file(root: &Root, name: &str, generate: impl Fn(&[u8]) -> Vec<u8>) -> Result<()> {
    let path = format!("etc/{name}");
    let Some(text) = root.read(&path)? else { return Ok(()) };
    let generated = format!("{}/{name}", state::DIRECTORY);
    files::write(&generated, &generate(&text), 0o644)?;
    mounts::cover(root, &path, Path::new(&generated)).with_context(|| format!("cover {}", root.show(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::for_tests::volume;

    fn state(steered_to: Option<&str>, mounted: Option<&str>) -> MountedState {
        MountedState { steered_to: steered_to.map(str::to_owned), mounted: mounted.map(PathBuf::from) }
    }

    fn looked(devices: &[&str]) -> MountedEvent {
        MountedEvent::Looked(devices.iter().map(|device| volume(device, "a")).collect())
    }

    #[test]
    fn the_devices_are_looked_at_only_where_init_went_where_it_was_steered() {
        for (steered_to, mounted, action) in [
            (Some("/dev/vdb"), Some("/dev/vdb"), MountedAction::Look),
            (Some("/dev/vdb"), Some("/dev/vda"), MountedAction::Leave),
            (Some("/dev/vdb"), Some("overlayroot"), MountedAction::Leave),
            (Some("/dev/vdb"), None, MountedAction::Leave),
            (None, Some("/dev/vda"), MountedAction::Leave),
            (None, None, MountedAction::Leave),
        ] {
            assert_eq!(
                state(steered_to, mounted).plan(MountedEvent::Mounted),
                action,
                "{steered_to:?} {mounted:?}"
            );
            let covers = matches!(
                state(steered_to, mounted).plan(looked(&["/dev/vda", "/dev/vdb"])),
                MountedAction::Generate { .. }
            );
            assert_eq!(covers, action == MountedAction::Look, "{steered_to:?} {mounted:?}");
        }
    }

    #[test]
    fn the_fstab_of_the_volume_is_generated() {
        let action = state(Some("/dev/vdb"), Some("/dev/vdb")).plan(looked(&["/dev/vda", "/dev/vdb"]));
        assert_eq!(action.to_string(), "the fstab of /dev/vdb (ext4, label a) leads to no other disk");
        let MountedAction::Generate { rescue, volumes } = action else { panic!("{action}") };
        assert_eq!((rescue.device.as_path(), volumes.len()), (Path::new("/dev/vdb"), 2));
    }

    #[test]
    fn the_original_root_is_known_by_its_device_or_its_name() {
        let volumes = [volume("/dev/vda", "a"), volume("/dev/vdb", "a")];
        for (named, expected) in [
            (Some("/dev/vda"), OriginalRoot::Volume(volume("/dev/vda", "a"))),
            (Some("/dev/vdc"), OriginalRoot::Named("/dev/vdc".into())),
            (Some("LABEL=a"), OriginalRoot::Named("LABEL=a".into())),
            (None, OriginalRoot::Unknown),
        ] {
            assert_eq!(original(named.map(str::to_owned), &volumes), expected, "{named:?}");
        }
    }

    #[test]
    fn a_volume_that_cannot_be_read_any_more_is_left_as_it_is() {
        let steered = state(Some("/dev/vdb"), Some("/dev/vdb"));
        assert_eq!(steered.plan(looked(&["/dev/vda"])), MountedAction::Leave);
    }
}

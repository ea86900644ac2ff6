//! Right after init mounted a rescue volume, before it looks for /usr in its fstab: covers files of the rescue
//! system with generated ones. The volume itself is unchanged. And once its /usr is mounted: whether it can be started.

use super::decision::{self, BootSoFar, OriginalRoot};
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
use std::fmt;
use std::path::{Path, PathBuf};

/// Covers, where the root is a rescue volume.
pub(crate) fn run(mode: Mode) -> Result<Outcome> {
    let root = initramfs_tools::root_mount_point();
    let steered_to = BootSoFar::read()?.rescue;
    let mounted = match steered_to {
        Some(_) => mounts::at(&root)?.map(|mount| mount.source),
        None => None,
    };
    let state = MountedState { steered_to, mounted };
    let mut action = state.plan(MountedEvent::Mounted);
    if action == MountedAction::Look {
        let volumes = volume::all_with_partitions(&volume::devices()?);
        let original = decision::original_name()?;
        action = state.plan(MountedEvent::Looked { volumes, original });
    }
    Ok(match &action {
        MountedAction::Leave | MountedAction::Look => Outcome::Quiet,
        MountedAction::Cover { rescue, original, volumes } => {
            if mode == Mode::Apply {
                cover(&root, rescue, original, volumes)?;
            }
            Outcome::Done(action.to_string())
        }
    })
}

/// Says in the place of init's answer that the root cannot be started.
const NOT_STARTED: &str = "-";

/// Once /usr is mounted as well: answers on standard output where the root is a rescue volume that cannot be started. On
/// any other answer, or none, init goes on.
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

/// What is known when something happens.
struct MountedState {
    /// The device of the rescue volume that was chosen.
    steered_to: Option<String>,
    /// The device of what is mounted as the root.
    mounted: Option<PathBuf>,
}

/// What happened.
#[derive(Clone, Debug)]
enum MountedEvent {
    /// init mounted its root.
    Mounted,
    /// All devices were looked at. `original`: what the machine would have booted from, as it is on record.
    Looked { volumes: Vec<Volume>, original: Option<String> },
}

/// What is to be done.
#[derive(PartialEq, Eq, Debug)]
enum MountedAction {
    /// Nothing.
    Leave,
    /// Looks at all devices.
    Look,
    /// Covers files of the rescue system.
    Cover { rescue: Volume, original: OriginalRoot, volumes: Vec<Volume> },
}

impl fmt::Display for MountedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leave => write!(f, "nothing to do"),
            Self::Look => write!(f, "look at all devices"),
            Self::Cover { rescue, .. } => write!(f, "the fstab of {rescue} leads to no other disk"),
        }
    }
}

impl MountedState {
    /// What to do about an event.
    fn plan(&self, event: MountedEvent) -> MountedAction {
        // init may have gone elsewhere.
        let steered_to = self.steered_to.as_deref().map(Path::new);
        let Some(device) = steered_to.filter(|device| self.mounted.as_deref() == Some(device)) else {
            return MountedAction::Leave;
        };
        match event {
            MountedEvent::Mounted => MountedAction::Look,
            MountedEvent::Looked { volumes, original } => {
                let at = |device: &Path| volumes.iter().find(|volume| volume.device == device).cloned();
                let Some(rescue) = at(device) else { return MountedAction::Leave };
                let original = match original {
                    Some(name) => {
                        at(Path::new(&name)).map_or(OriginalRoot::Named(name), OriginalRoot::Volume)
                    }
                    None => OriginalRoot::Unknown,
                };
                MountedAction::Cover { rescue, original, volumes }
            }
        }
    }
}

/// Covers the fstab, and what agetty shows above its prompt. What is on the volume is known only now, and so
/// the message of the day is written anew.
pub(super) fn cover(root: &Path, rescue: &Volume, original: &OriginalRoot, volumes: &[Volume]) -> Result<()> {
    let root = Root::open(root)?;
    let without_usr = candidate::without_usr(&root)?;
    cover_file(&root, "fstab", |text| fstab::rewrite(text, rescue, volumes, without_usr))?;
    let tenants = Tenants::of(&root)?;
    notice::write(rescue, original, tenants)?;
    cover_file(&root, "issue", |text| notice::issue(text, rescue, original, tenants))
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

    fn looked(devices: &[&str], original: Option<&str>) -> MountedEvent {
        let volumes = devices.iter().map(|device| volume(device, "a")).collect();
        MountedEvent::Looked { volumes, original: original.map(str::to_owned) }
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
                state(steered_to, mounted).plan(looked(&["/dev/vda", "/dev/vdb"], None)),
                MountedAction::Cover { .. }
            );
            assert_eq!(covers, action == MountedAction::Look, "{steered_to:?} {mounted:?}");
        }
    }

    #[test]
    fn the_original_root_is_known_by_its_device_or_its_name() {
        let steered = state(Some("/dev/vdb"), Some("/dev/vdb"));
        for (named, original) in [
            (Some("/dev/vda"), OriginalRoot::Volume(volume("/dev/vda", "a"))),
            (Some("/dev/vdc"), OriginalRoot::Named("/dev/vdc".into())),
            (Some("LABEL=a"), OriginalRoot::Named("LABEL=a".into())),
            (None, OriginalRoot::Unknown),
        ] {
            let action = steered.plan(looked(&["/dev/vda", "/dev/vdb"], named));
            assert_eq!(action.to_string(), "the fstab of /dev/vdb (ext4, label a) leads to no other disk");
            let MountedAction::Cover { rescue, original: found, volumes } = action else {
                panic!("{named:?}")
            };
            assert_eq!((rescue.device.as_path(), found), (Path::new("/dev/vdb"), original));
            assert_eq!(volumes.len(), 2);
        }
    }

    #[test]
    fn a_volume_that_cannot_be_read_any_more_is_left_as_it_is() {
        let steered = state(Some("/dev/vdb"), Some("/dev/vdb"));
        assert_eq!(steered.plan(looked(&["/dev/vda"], None)), MountedAction::Leave);
    }
}

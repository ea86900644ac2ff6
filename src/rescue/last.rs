//! After all other scripts, with the root as it will be left: switches to a rescue volume if no init has come. Covers
//! files of a rescue system with generated ones. Another script may hide an earlier mount, or trip over it.

use super::bottom::{self, Init, Moment};
use super::candidate;
use super::decision::BootSoFar;
use super::settings::RescueSettings;
use super::{mounted, pivot};
use crate::initramfs_tools;
use crate::mounts::{self, Mount};
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, Volume};
use anyhow::{Context, Result};
use lifeboat_common::command_line::CommandLine;
use std::path::{Path, PathBuf};

/// Switches and covers, where there is a reason to.
pub(crate) fn run(line: &CommandLine, mode: Mode) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    if settings.off.is_some() {
        return Ok(Outcome::Quiet);
    }
    let root = initramfs_tools::root_mount_point();
    let mounted = mounts::at(&root)?;
    let state = LastState {
        steered_to: BootSoFar::read()?.rescue,
        is_made_late: initramfs_tools::root_is_made_later(),
        init: if mounted.is_some() { bottom::look_for_init(&root)? } else { Init::Absent },
        mounted: mounted.as_ref().map(|mount| mount.source.clone()),
    };
    let switched = match state.plan() {
        LastAction::Leave => Ok(Outcome::Quiet),
        LastAction::Switch => bottom::switch(&settings, Moment::Last, mode),
        LastAction::PutBack(device) => put_back(&device, &root, mounted.as_ref(), mode),
    };
    // Where that failed, the root may be a rescue system's all the same.
    if mode == Mode::Apply {
        mounted::cover_in_the_end(&root)?;
    }
    switched
}

/// The root as all scripts have left it.
struct LastState {
    /// The device of the rescue volume that was chosen.
    steered_to: Option<String>,
    /// A script came after `rescue bottom`.
    is_made_late: bool,
    init: Init,
    /// The device that is mounted as the root.
    mounted: Option<PathBuf>,
}

/// An action of the plan.
#[derive(PartialEq, Eq, Debug)]
enum LastAction {
    /// Nothing.
    Leave,
    /// Looks for a rescue volume, as `rescue bottom` has done where no script came after it.
    Switch,
    /// A script made another root of the rescue volume, or in its place, and that holds no init: mounts the volume
    /// again.
    PutBack(String),
}

impl LastState {
    fn plan(&self) -> LastAction {
        match (&self.steered_to, &self.mounted) {
            _ if self.init != Init::Absent => LastAction::Leave,
            (Some(device), Some(mounted)) if Path::new(device) == mounted => LastAction::Leave,
            (Some(device), _) => LastAction::PutBack(device.clone()),
            // Where nothing is mounted, udev's script has left no devices either.
            (None, Some(_)) if self.is_made_late => LastAction::Switch,
            (None, _) => LastAction::Leave,
        }
    }
}

fn put_back(device: &str, root: &Path, hidden_by: Option<&Mount>, mode: Mode) -> Result<Outcome> {
    let probed = volume::probe(Path::new(device))?;
    let probed = probed.with_context(|| format!("{device} has no file system any more"))?;
    let subvolume = candidate::subvolume_of(&initramfs_tools::own_flags().unwrap_or_default());
    let volume = Volume { subvolume, ..probed };
    if mode == Mode::Apply {
        pivot::pivot(&volume, root, hidden_by, Moment::Last)?;
        mounted::has_arrived(&volume, None)?;
        initramfs_tools::use_init("/sbin/init")?;
    }
    let other = hidden_by.map_or_else(|| "nothing".into(), |mount| mount.source.display().to_string());
    Ok(Outcome::Loud(format!(
        "{volume} was hidden: another script has put {other} in its place, which holds no init; it is the root again"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_without_an_init_is_replaced_where_that_is_not_how_it_was_chosen() {
        let put_back = || LastAction::PutBack("/dev/vdb".into());
        let (rescue, own) = (Some("/dev/vdb"), None);
        for (steered_to, is_made_late, init, mounted, expected) in [
            (own, false, Init::Present, Some("/dev/vda"), LastAction::Leave),
            (own, true, Init::Present, Some("made"), LastAction::Leave),
            (own, true, Init::Absent, Some("made"), LastAction::Switch),
            // `rescue bottom` has looked already.
            (own, false, Init::Absent, Some("/dev/vda"), LastAction::Leave),
            (own, true, Init::Absent, None, LastAction::Leave),
            (rescue, true, Init::Present, Some("/dev/vdb"), LastAction::Leave),
            (rescue, true, Init::Present, Some("made"), LastAction::Leave),
            (rescue, true, Init::Absent, Some("made"), put_back()),
            // The script came before ours.
            (rescue, false, Init::Absent, Some("made"), put_back()),
            (rescue, true, Init::Absent, Some("/dev/vda"), put_back()),
            (rescue, true, Init::Absent, None, put_back()),
            // It is all that there is.
            (rescue, true, Init::Absent, Some("/dev/vdb"), LastAction::Leave),
        ] {
            let state = LastState {
                steered_to: steered_to.map(str::to_owned),
                is_made_late,
                init,
                mounted: mounted.map(PathBuf::from),
            };
            assert_eq!(state.plan(), expected, "{steered_to:?} {is_made_late} {init:?} {mounted:?}");
        }
    }
}

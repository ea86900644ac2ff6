//! After all other scripts, with the root as it will be left: switches to a rescue volume if no init has come, and
//! covers files of a rescue system with generated ones. What is mounted earlier, another script may hide, or trip over.

use super::bottom::{self, Init, Moment};
use super::decision::BootSoFar;
use super::mounted;
use super::settings::RescueSettings;
use crate::initramfs_tools;
use crate::outcome::{Mode, Outcome};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::path::Path;

/// Switches and covers, where there is a reason to.
pub(crate) fn run(line: &CommandLine, mode: Mode) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    if settings.off.is_some() {
        return Ok(Outcome::Quiet);
    }
    let root = initramfs_tools::root_mount_point();
    let outcome = if holds_no_init_after_all(&root)? {
        bottom::switch(&settings, Moment::Last, mode)?
    } else {
        Outcome::Quiet
    };
    if mode == Mode::Apply {
        mounted::cover_in_the_end(&root)?;
    }
    Ok(outcome)
}

/// Where no script came after `rescue bottom`, that has looked already. Where nothing is mounted, udev's script has
/// left no devices either.
fn holds_no_init_after_all(root: &Path) -> Result<bool> {
    Ok(BootSoFar::read()?.rescue.is_none()
        && initramfs_tools::root_is_made_later()
        && crate::mounts::at(root)?.is_some()
        && bottom::look_for_init(root)? == Init::Absent)
}

//! While init waits for a missing root, once a second: boots from a rescue volume that appeared.

use super::decision::{Decision, How, Original, Record, SoFar};
use super::settings::Settings;
use super::{Scan, carry_out};
use crate::initramfs_tools::{self, Stuck};
use crate::kmsg::{self, Level};
use crate::outcome::{Mode, Outcome};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;

/// Steers init to a volume that was not there at the first look. `missing`: what init waits for, which may
/// also be the device of /usr or of a hibernated system.
pub(crate) fn run(line: &CommandLine, missing: &str, mode: Mode) -> Result<Outcome> {
    let settings = Settings::read(line)?;
    let mut so_far = SoFar::read()?;
    let none_before = so_far.shunned().next().is_none();
    let own_root = initramfs_tools::own_root().filter(|own_root| own_root == missing);
    let Some(own_root) = own_root.filter(|_| settings.off.is_none() && so_far.rescue.is_none()) else {
        return Ok(Outcome::Quiet);
    };
    let Some(scan) = Scan::of_new(&mut so_far, &settings, Some(&own_root))? else {
        return Ok(Outcome::Quiet);
    };
    let choice = scan.choose();
    if mode == Mode::Apply {
        // Where none is chosen, the outcome says why.
        let reasons = choice.reasons.iter().filter(|_| choice.chosen.is_some());
        for line in scan.complaints.iter().chain(reasons) {
            kmsg::log(Level::Info, "rescue", line);
        }
    }
    let stuck = Stuck::Missing(own_root.clone());
    let (decision, outcome) = match choice.chosen {
        Some(volume) => {
            let text = format!("booting from {volume}, which appeared, in place of root={own_root}");
            let original = Original::find(Some(&own_root), &scan.volumes, &volume);
            (Decision::Rescue { volume, how: How::Saved(stuck.to_string()), original }, Outcome::Loud(text))
        }
        None if choice.reasons.is_empty() => {
            (Decision::OwnRoot { reason: choice.reason_for_none() }, Outcome::Quiet)
        }
        None => {
            let reason = choice.reason_for_none();
            (Decision::OwnRoot { reason: reason.clone() }, Outcome::Skipped(reason))
        }
    };
    if mode == Mode::Apply {
        // After a failed volume it is so already.
        if none_before && !so_far.ignored.is_empty() {
            initramfs_tools::pass_over_ignored()?;
        }
        carry_out(&Record { decision, so_far }, Some(&stuck))?;
    }
    Ok(outcome)
}

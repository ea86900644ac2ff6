//! While init waits for a missing root, once a second: boots from a rescue volume that appeared.

use super::decision::{Decision, How, Original, Record, SoFar};
use super::settings::Settings;
use super::{Scan, carry_out};
use crate::cmdline::Parameters;
use crate::initramfs_tools::{self, Stuck};
use crate::outcome::{Mode, Outcome};
use crate::volume;
use anyhow::Result;

/// Steers init to a volume that was not there at the first look.
pub(crate) fn run(parameters: &Parameters, mode: Mode) -> Result<Outcome> {
    let settings = Settings::read(parameters)?;
    if settings.off.is_some() {
        return Ok(Outcome::Quiet);
    }
    let mut so_far = SoFar::read()?;
    let devices = volume::devices()?;
    let new = so_far.new_among(&devices);
    let Some(own_root) = initramfs_tools::own_root().filter(|_| so_far.rescue.is_none() && !new.is_empty())
    else {
        return Ok(Outcome::Quiet);
    };
    let scan = Scan::of(new, &settings, Some(&own_root));
    let choice = scan.choose();
    so_far.looked_at = devices;
    let (decision, outcome) = match choice.chosen {
        Some(volume) => {
            let text = format!("booting from {volume}, which appeared, in place of root={own_root}");
            let original = Original::find(Some(&own_root), &scan.volumes, &volume);
            (Decision::Rescue { volume, how: How::Saved, original }, Outcome::Loud(text))
        }
        None if choice.passed_over.is_empty() => {
            (Decision::OwnRoot { reason: choice.reason_for_none() }, Outcome::Quiet)
        }
        None => {
            let reason = choice.reason_for_none();
            (Decision::OwnRoot { reason: reason.clone() }, Outcome::Skipped(reason))
        }
    };
    if mode == Mode::Apply {
        carry_out(&Record { decision, so_far }, Some(&Stuck::Missing(own_root)))?;
    }
    Ok(outcome)
}

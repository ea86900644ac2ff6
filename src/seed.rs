//! Hands the seed on the kernel command line to the booted system: `ds=nocloud…`, `cloud-config-url=` and
//! `lifeboat.seed=` become /run/lifeboat/seed, which the agent reads.

use crate::kmsg::{self, LogLevel};
use crate::outcome::{Mode, Outcome};
use crate::state;
use anyhow::{Error, Result};
use lifeboat_common::command_line::CommandLine;
use lifeboat_common::hand_off::{Place, Seed};

/// Writes the hand-off, or says why there is none.
pub(crate) fn run(line: &CommandLine, mode: Mode) -> Result<Outcome> {
    let Some(seed) = Seed::from_line(line).map_err(Error::msg)? else {
        return Ok(Outcome::Skipped("no seed is on the kernel command line".into()));
    };
    if mode == Mode::Apply {
        state::hand_over(&seed)?;
    }
    let mut text = format!("handed over as {} to the booted system", seed.source);
    match (seed.refused, mode) {
        (Some(reason), _) if seed.seed_from == Place::Refused => return Err(Error::msg(reason)),
        (Some(reason), Mode::Apply) => kmsg::log(LogLevel::Error, "seed", &format!("left out: {reason}")),
        (Some(reason), Mode::DryRun) => text.extend(["; left out: ", &reason]),
        (None, _) => {}
    }
    Ok(Outcome::Done(text))
}

//! The seed on the kernel command line: as the initramfs hands it over, or else read from it by the same rules.

use super::{Signal, SourceFacts, nocloud};
use crate::command_line;
use crate::nocloud::Said;
use crate::report::Report;
use crate::root::Root;
use crate::seed::Seed;
use anyhow::{Context as _, Error, Result};
use lifeboat_common::hand_off::{HandOff as _, Seed as HandOff};

/// The hand-off of a machine; `None` when no seed is on its command line.
pub(crate) fn of(facts: &SourceFacts<'_>) -> Result<Option<HandOff>> {
    read_below(facts.root)
}

/// The same, where nothing else is known yet.
pub(crate) fn read_below(root: &Root) -> Result<Option<HandOff>> {
    let line = || HandOff::from_line(&command_line::read(root)?).map_err(Error::msg);
    let Some(text) = root.read_text(HandOff::PATH)? else { return line() };
    let hand_off = HandOff::parse(&text);
    if hand_off.has_a_known_source() {
        return Ok(Some(hand_off));
    }
    let damaged = || format!("/{}: it is damaged, for its SOURCE is none", HandOff::PATH);
    line()?.with_context(|| format!("{}, and the kernel command line has no seed", damaged())).map(Some)
}

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let Some(hand_off) = of(facts)?.filter(HandOff::names_a_seed) else { return Ok(None) };
    let seen = format!("the kernel command line says {}", hand_off.source);
    Ok(Some(Signal::at(hand_off.place(), seen)))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    nocloud("hand_off", facts, report)
}

/// The seed of the command line, to be joined with other places. Faults of the whole line are reported by its own
/// reader.
#[expect(clippy::unnecessary_wraps, reason = "reading a place may fail; this one's cannot")]
pub(super) fn said(facts: &SourceFacts<'_>, _: &mut Report) -> Result<Option<Said>> {
    let hand_off = of(facts).ok().flatten().filter(HandOff::names_a_seed);
    Ok(hand_off.map(|hand_off| Said::of_line(hand_off, "cmdline")))
}

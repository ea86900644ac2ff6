//! What the kernel command line says about a seed: as the initramfs hands it over, or else read from it by the
//! same rules.

use super::{Signal, SourceFacts, nocloud_directory, nocloud_volume};
use crate::command_line;
use crate::fetch;
use crate::report::Report;
use crate::root::Root;
use crate::seed::{self, Seed};
use anyhow::{Context, Error, Result, bail};
use lifeboat_common::hand_off::{HandOff as _, Place, Seed as HandOff};

/// The hand-off of a machine; `None` when no seed is on its command line.
pub(crate) fn of(facts: &SourceFacts<'_>) -> Result<Option<HandOff>> {
    read_below(facts.root)
}

/// The same, where nothing else is known yet.
pub(crate) fn read_below(root: &Root) -> Result<Option<HandOff>> {
    match root.read_text(HandOff::PATH)? {
        Some(text) => Ok(Some(HandOff::parse(&text))),
        None => HandOff::from_line(&command_line::read(root)?).map_err(Error::msg),
    }
}

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let Some(hand_off) = of(facts)?.filter(HandOff::names_a_seed) else { return Ok(None) };
    let seen = format!("the kernel command line says {}", hand_off.source);
    Ok(Some(Signal::at(hand_off.place(), seen)))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    match of(facts)? {
        Some(hand_off) => fetch_seed(hand_off, facts, report).map(Some),
        None => Ok(None),
    }
}

/// Fetches what a hand-off names. One that names no place is about the seed in a directory or on a volume; one whose
/// place was refused is about a seed that cannot be had.
pub(super) fn fetch_seed(hand_off: HandOff, facts: &SourceFacts<'_>, report: &mut Report) -> Result<Seed> {
    let refused = hand_off.refused.unwrap_or_default();
    if hand_off.seed_from != Place::Refused && !refused.is_empty() {
        report.warn(format!("left out: {refused}"));
    }
    let mut seed = match &hand_off.seed_from {
        Place::Refused => bail!("{refused}"),
        Place::At(from) => {
            let from = facts.substituted(from);
            seed::from_url(&from, &facts.client()?, facts, report)?.with_context(|| {
                format!("{}: neither user-data nor meta-data is there", fetch::shown(&from))
            })?
        }
        Place::Unnamed => match nocloud_directory::read(facts, report)? {
            Some(seed) => seed,
            None => match nocloud_volume::read(facts, report)? {
                Some(seed) => seed,
                None if facts.goes_on_as(hand_off.instance_id.as_deref())? => {
                    bail!("{}: it names no place, and no directory or volume has the seed", hand_off.source)
                }
                None => {
                    report.warn(format!("{}: it names no place to fetch from", hand_off.source));
                    Seed { place: "the kernel command line".into(), ..Seed::default() }
                }
            },
        },
    };
    seed.source = hand_off.source;
    let meta_data = &mut seed.meta_data;
    meta_data.instance_id = hand_off.instance_id.or(meta_data.instance_id.take());
    meta_data.hostname = hand_off.local_hostname.or(meta_data.hostname.take());
    Ok(seed)
}

//! `NoCloud`'s seed in a directory of the root itself.

use super::{Signal, SourceFacts};
use crate::report::Report;
use crate::seed::{self, Seed};
use anyhow::Result;

/// In the order in which they are looked at. The last two are Ubuntu Core's.
const DIRECTORIES: &[&str] = &[
    "var/lib/cloud/seed/nocloud",
    "var/lib/cloud/seed/nocloud-net",
    "etc/cloud/seed/nocloud",
    "etc/cloud/seed/nocloud-net",
    "writable/system-data/var/lib/cloud/seed/nocloud",
    "writable/system-data/var/lib/cloud/seed/nocloud-net",
];

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    Ok(directory(facts)?.map(|path| Signal::in_machine(format!("{} is there", facts.root.show(path)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let Some(path) = directory(facts)? else { return Ok(None) };
    let seed = seed::from_directory(path, facts.root, facts, report)?;
    seed.map(|seed| seed::completed(seed, facts, report)).transpose()
}

fn directory(facts: &SourceFacts<'_>) -> Result<Option<&'static str>> {
    for path in DIRECTORIES {
        for name in ["meta-data", "user-data"] {
            if facts.root.holds(&format!("{path}/{name}"))? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

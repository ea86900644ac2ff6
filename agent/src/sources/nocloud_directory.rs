//! `NoCloud`'s seed in a directory of the root itself.

use super::{Signal, SourceFacts, nocloud};
use crate::nocloud::Said;
use crate::report::Report;
use crate::seed::{Files, Seed};
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
    nocloud("nocloud_directory", facts, report)
}

/// The seed in the directories, to be joined with other places.
pub(super) fn said(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Said>> {
    let Some(path) = directory(facts)? else { return Ok(None) };
    Ok(Files::in_directory(path, facts.root, report)?.map(Said::of_files))
}

/// The first that is there and holds neither file.
pub(super) fn empty(facts: &SourceFacts<'_>) -> Option<String> {
    let is_there = |path: &&&str| facts.root.holds(path).unwrap_or(false);
    let path = DIRECTORIES.iter().find(is_there).filter(|_| matches!(directory(facts), Ok(None)))?;
    Some(facts.root.show(path))
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

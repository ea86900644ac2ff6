//! The system's credentials, which systemd takes from firmware, the hypervisor or the kernel command line:
//! `cloud-init.user-data`, `cloud-init.meta-data` and `cloud-init.vendor-data`.

use super::{Signal, SourceFacts};
use crate::fetch;
use crate::report::Report;
use crate::seed::{self, Seed};
use anyhow::Result;

const DIRECTORY: &str = "run/credentials/@system";

/// The beginning of the credentials' names.
pub(super) const PREFIX: &str = "cloud-init.";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    for name in ["user-data", "meta-data"] {
        if facts.root.holds(&format!("{DIRECTORY}/{PREFIX}{name}"))? {
            return Ok(Some(Signal::in_machine(format!("there is a credential {PREFIX}{name}"))));
        }
    }
    Ok(None)
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let read = |name: &str| facts.root.read_at_most(&format!("{DIRECTORY}/{PREFIX}{name}"), fetch::LARGEST);
    let seed = seed::from_files("systemd's credentials", read, facts, report)?;
    seed.map(|seed| seed::completed(seed, facts, report)).transpose()
}

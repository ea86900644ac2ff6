//! `cargo vm bench`: what lifeboat costs, read from the kernel's own clock and counters.

mod agent;
mod boot;
mod figures;
mod modules;
mod rescue;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Benchmark;
use crate::cache::Cache;
use crate::guest::Guests;
use crate::phase;

/// A benchmark: its name, a title, and what makes the table below it.
type Entry = (Benchmark, &'static str, Where);

/// Where a benchmark measures.
enum Where {
    InGuests(fn(&Guests) -> Result<String>),
    OnThisMachine(fn(&Cache) -> Result<String>),
}

use Where::{InGuests, OnThisMachine};

/// The benchmarks in the order in which they run.
const BENCHMARKS: &[Entry] = &[
    (Benchmark::Boot, "a boot with and without lifeboat", InGuests(boot::table)),
    (
        Benchmark::Rescue,
        "the scan for a rescue volume where there is none, and its peer's",
        InGuests(rescue::table),
    ),
    (
        Benchmark::Modules,
        "the export of the modules, and the specification's recipe",
        InGuests(modules::table),
    ),
    (Benchmark::Agent, "user-data taken apart, and by cloud-init", OnThisMachine(agent::table)),
];

/// Runs the named ones, or all, and shows their tables.
pub fn run(named: &[Benchmark]) -> Result<ExitCode> {
    let cache = Cache::open()?;
    let mut guests = None;
    for (benchmark, title, place) in BENCHMARKS {
        if !named.is_empty() && !named.contains(benchmark) {
            continue;
        }
        let (table, speed) = match place {
            InGuests(table) => {
                let guests = match &mut guests {
                    Some(guests) => guests,
                    none => none.insert(Guests::build()?),
                };
                (table(guests)?, "under emulation")
            }
            OnThisMachine(table) => (table(&cache)?, "on this machine"),
        };
        phase::say(&format!("{title}, {speed}\n\n{table}"));
    }
    Ok(ExitCode::SUCCESS)
}

//! `cargo vm bench`: what lifeboat costs, read from the kernel's own clock and counters.

mod boot;
mod figures;
mod modules;
mod rescue;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Benchmark;
use crate::guest::Guests;
use crate::phase;

/// A benchmark: its name, a title, and what makes the table below it.
type Entry = (Benchmark, &'static str, fn(&Guests) -> Result<String>);

/// The benchmarks in the order in which they run.
const BENCHMARKS: &[Entry] = &[
    (Benchmark::Boot, "a boot with and without lifeboat", boot::table),
    (Benchmark::Rescue, "the scan for a rescue volume where there is none, and its peer's", rescue::table),
    (Benchmark::Modules, "the export of the modules, and the specification's recipe", modules::table),
];

/// Runs the named ones, or all, and shows their tables.
pub fn run(named: &[Benchmark]) -> Result<ExitCode> {
    let guests = Guests::build()?;
    for (benchmark, title, table) in BENCHMARKS {
        if named.is_empty() || named.contains(benchmark) {
            let table = table(&guests)?;
            phase::say(&format!("{title}, under emulation\n\n{table}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

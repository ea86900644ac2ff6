//! The scan for a rescue volume where there is none, beside that of the package that lifeboat takes the place of:
//! guests that differ in nothing else.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::figures::{figure, name, ratio, spread};
use crate::guest::{Guests, RunInit, Tiny};
use crate::measured::Measured;
use crate::phase;
use crate::scan::{LIMIT, Scanner, three_partitions};
use crate::vm::{Clock, Machine};

/// The number of boots of each.
const BOOTS: [(Clock, usize); 2] = [(Clock::Time, 5), (Clock::Instructions, 3)];

/// At the most, the scan may cost its peer's by this.
const SHARE: u64 = 5;

const SCANNERS: [Scanner; 2] = [Scanner::Lifeboat, Scanner::Rescuevol];

/// The figures of a scan: name, unit, and the value in thousands of it.
struct Measure {
    name: &'static str,
    unit: &'static str,
    of: fn(&Measured) -> u64,
}

/// Under the clock of instructions the elapsed time is worth nothing: it leaps while a disk is waited for.
fn measures(clock: Clock) -> &'static [Measure] {
    match clock {
        Clock::Time => &[
            Measure { name: "elapsed", unit: "ms", of: |scan| scan.micros },
            Measure { name: "cpu time", unit: "ms", of: |scan| scan.cpu },
        ],
        Clock::Instructions => &[Measure { name: "instructions", unit: "M", of: |scan| scan.cpu }],
    }
}

/// Boots both in turn, for each clock and each set of tools.
pub(super) fn table(guests: &Guests) -> Result<String> {
    let mut table = format!(
        "{:<14}{:<9}{:<11}{:>11}{:>11}{:>11}{:>10}\n",
        "measure", "tools", "scan", "median", "least", "most", "KiB read"
    );
    for (clock, boots) in BOOTS {
        for tools in [RunInit::Klibc, RunInit::Busybox] {
            let scans = scans(guests, clock, tools, boots)?;
            for measure in measures(clock) {
                let mut medians = Vec::new();
                for (scanner, scans) in SCANNERS.into_iter().zip(&scans) {
                    let [median, least, most] =
                        spread(scans.iter().map(measure.of)).context("boot at least once")?;
                    let read =
                        scans.iter().flat_map(|scan| scan.read.values()).max().context("read a disk")?;
                    medians.push(median);
                    let [median, least, most] =
                        [median, least, most].map(|thousandths| figure(thousandths, measure.unit));
                    let (name, tools, scanner) = (measure.name, name(tools), name(scanner));
                    let read = read / 1024;
                    writeln!(
                        table,
                        "{name:<14}{tools:<9}{scanner:<11}{median:>11}{least:>11}{most:>11}{read:>10}"
                    )?;
                }
                if let [own, peer] = *medians {
                    writeln!(table, "{:>76}", format!("1/{:.1} of the peer's", ratio(peer, own)))?;
                }
            }
        }
    }
    let limit = LIMIT / 1024;
    write!(
        table,
        "\nthe script with all that it starts; wanted: at most 1/{SHARE} of the peer's, and {limit} KiB"
    )?;
    Ok(table)
}

/// The times of each scanner's boots, in turn: what else the host does falls on both.
fn scans(
    guests: &Guests,
    clock: Clock,
    tools: RunInit,
    boots: usize,
) -> Result<[Vec<Measured>; SCANNERS.len()]> {
    let mut scans = SCANNERS.map(|_| Vec::new());
    for boot in 1..=boots {
        for (scanner, scans) in SCANNERS.into_iter().zip(&mut scans) {
            phase::say(&format!("{clock:?}, {tools:?}, {scanner:?}: boot {boot} of {boots}"));
            let disk = three_partitions(Tiny::new("lifeboat-root", "own"));
            let machine =
                Machine::new(guests).platform(&scanner.platform(guests, tools)?).clock(clock).disk(disk);
            let mut vm = machine.boot()?;
            vm.wait_for_login("own")?;
            scans.push(Measured::of(&mut vm)?);
        }
    }
    Ok(scans)
}

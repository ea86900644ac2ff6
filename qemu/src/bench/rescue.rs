//! The scan for a rescue volume where there is none, beside that of the package that lifeboat takes the place of:
//! two guests that differ in nothing else.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::guest::{Guests, RunInit, Tiny};
use crate::phase;
use crate::scan::{LIMIT, Scan, Scanner, three_partitions};
use crate::vm::{Clock, Machine};

/// How many boots of each; instructions are repeatable, but the waits for a disk, which that clock counts too, are not.
const BOOTS: [(Clock, usize); 2] = [(Clock::Time, 5), (Clock::Instructions, 3)];

/// At the most, the scan may cost its peer's by this.
const SHARE: u64 = 5;

const SCANNERS: [Scanner; 2] = [Scanner::Lifeboat, Scanner::Rescuevol];

/// Boots both in turn, for each clock and each set of tools.
pub(super) fn table(guests: &Guests) -> Result<String> {
    let mut table = format!(
        "{:<14}{:<9}{:<11}{:>10}{:>10}{:>10}{:>12}\n",
        "clock", "tools", "scan", "median", "least", "most", "KiB read"
    );
    for (clock, boots) in BOOTS {
        for tools in [RunInit::Klibc, RunInit::Busybox] {
            let mut medians = Vec::new();
            for (scanner, scans) in SCANNERS.into_iter().zip(scans(guests, clock, tools, boots)?) {
                let (median, least, most) = spread(&scans).context("boot at least once")?;
                let read = scans.iter().flat_map(|scan| scan.read.values()).max().context("read a disk")?;
                medians.push(median);
                let [median, least, most] = [median, least, most].map(|micros| figure(clock, micros));
                let (clock, tools, scanner) = (name(clock), name(tools), name(scanner));
                let read = read / 1024;
                writeln!(
                    table,
                    "{clock:<14}{tools:<9}{scanner:<11}{median:>10}{least:>10}{most:>10}{read:>12}"
                )?;
            }
            if let [own, peer] = *medians {
                writeln!(table, "{:>64}", format!("1/{:.1} of the peer's", ratio(peer, own)))?;
            }
        }
    }
    let limit = LIMIT / 1024;
    write!(
        table,
        "\nmilliseconds, or millions of instructions and of nanoseconds that passed while none ran; \
         wanted: at most 1/{SHARE} of the peer's, and {limit} KiB"
    )?;
    Ok(table)
}

/// What each scanner's boots took, in turn: what else the host does falls on both.
fn scans(guests: &Guests, clock: Clock, tools: RunInit, boots: usize) -> Result<[Vec<Scan>; 2]> {
    let mut scans = SCANNERS.map(|_| Vec::new());
    for boot in 1..=boots {
        for (scanner, scans) in SCANNERS.into_iter().zip(&mut scans) {
            phase::say(&format!("{clock:?}, {tools:?}, {scanner:?}: boot {boot} of {boots}"));
            let disk = three_partitions(Tiny::new("lifeboat-root", "own"));
            let machine =
                Machine::new(guests).platform(&scanner.platform(guests, tools)?).clock(clock).disk(disk);
            let mut vm = machine.boot()?;
            vm.wait_for_login("own")?;
            scans.push(Scan::of(&mut vm)?);
        }
    }
    Ok(scans)
}

fn name(what: impl std::fmt::Debug) -> String {
    format!("{what:?}").to_lowercase()
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn ratio(peer: u64, own: u64) -> f64 {
    peer as f64 / own.max(1) as f64
}

/// Median, least and most.
fn spread(scans: &[Scan]) -> Option<(u64, u64, u64)> {
    let mut micros: Vec<_> = scans.iter().map(|scan| scan.micros).collect();
    micros.sort_unstable();
    Some((*micros.get(micros.len() / 2)?, *micros.first()?, *micros.last()?))
}

/// A thousand instructions pass in a microsecond of that clock: both come to the same number.
fn figure(clock: Clock, micros: u64) -> String {
    let unit = match clock {
        Clock::Time => "ms",
        Clock::Instructions => "M",
    };
    format!("{}.{:01} {unit}", micros / 1000, micros % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_middle_one_of_several_is_the_median() {
        let scans = [5, 900, 7].map(|micros| Scan { micros, read: BTreeMap::new() });
        assert_eq!(spread(&scans), Some((7, 5, 900)));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn a_figure_has_its_unit() {
        assert_eq!(figure(Clock::Time, 12_345), "12.3 ms");
        assert_eq!(figure(Clock::Instructions, 12_345), "12.3 M");
    }
}

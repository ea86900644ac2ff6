//! What one scan for a rescue volume took: read from the marks around it in the guest's kernel log.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use crate::disk::Disk;
use crate::guest::{Guests, Platform, RunInit, Tiny};
use crate::partitioned::Partition;
use crate::vm::Vm;

/// Puts the marks around the script that scans.
const HOOK: &str = include_str!("../guest/test-measured");

/// Empties the script between the marks; it runs after the hook that puts them there.
const EMPTY: &str = r#"#!/bin/sh
case "$1" in prereqs) exit 0 ;; esac
printf '#!/bin/sh\nexit 0\n' >"$DESTDIR/scripts/measured/script"
"#;

/// At the most, a scan may read this of a disk.
pub const LIMIT: u64 = 512 * 1024;

/// Of sectors in /sys/block/*/stat, whatever the disk's own are.
const SECTOR: u64 = 512;

/// A package that looks for a rescue volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanner {
    /// The package under test.
    Lifeboat,
    /// `cloud-initramfs-rescuevol`, which it takes the place of.
    Rescuevol,
    /// A script that does nothing: what it takes to start one.
    Empty,
}

impl Scanner {
    /// An initramfs with marks around this one's scan, otherwise the same for both.
    pub fn platform(self, guests: &Guests, run_init: RunInit) -> Result<Platform> {
        let platform = Platform::new("bookworm").run_init(run_init).hook("test-measured", HOOK);
        Ok(match self {
            Self::Lifeboat => platform,
            Self::Rescuevol => platform.in_place_of_lifeboat(&guests.rescuevol()?),
            Self::Empty => platform.hook("test-measured-empty", EMPTY),
        })
    }
}

/// What a scan took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Microseconds of the kernel's clock.
    pub micros: u64,
    /// Microseconds of the processor, for the script and all that it starts: without what else runs, and without
    /// waiting for a disk.
    pub cpu: u64,
    /// Bytes read from each disk.
    pub read: BTreeMap<String, u64>,
}

impl Scan {
    /// Reads it from a guest that was booted with a measured initramfs.
    pub fn of(vm: &mut Vm) -> Result<Self> {
        let log = vm.read("/bin/busybox dmesg -r | grep measured:")?;
        Self::parse(&log).with_context(|| format!("read the marks in:\n{log}"))
    }

    fn parse(log: &str) -> Result<Self> {
        let (mut start, mut end, mut before, mut read) = (None, None, BTreeMap::new(), BTreeMap::new());
        let (mut cpu_before, mut cpu_after) = (None, None);
        for line in log.lines() {
            let (stamp, mark) = line.split_once("] measured: ").context("split a line at its mark")?;
            match mark.split(' ').collect::<Vec<_>>().as_slice() {
                ["start"] => start = Some(micros(stamp)?),
                ["end"] => end = Some(micros(stamp)?),
                ["cpu", "before", micros] => cpu_before = Some(micros.parse::<u64>()?),
                ["cpu", "after", micros] => cpu_after = Some(micros.parse::<u64>()?),
                ["before", disk, sectors] => drop(before.insert(*disk, sectors.parse::<u64>()?)),
                ["after", disk, sectors] => {
                    let before = before.get(disk).context("find what was read before")?;
                    let sectors = sectors.parse::<u64>()?.checked_sub(*before).context("subtract")?;
                    read.insert((*disk).to_owned(), sectors * SECTOR);
                }
                _ => {}
            }
        }
        let micros = end.zip(start).and_then(|(end, start)| end.checked_sub(start));
        let cpu = cpu_after.zip(cpu_before).and_then(|(after, before)| after.checked_sub(before));
        ensure!(!read.is_empty(), "no disk was there to be read");
        let cpu = cpu.context("find the processor's time")?;
        Ok(Self { micros: micros.context("find both marks")?, cpu, read })
    }
}

/// Reads `<7>[    1.234567`.
fn micros(stamp: &str) -> Result<u64> {
    let (_, stamp) = stamp.split_once('[').context("find a timestamp")?;
    Ok(stamp.replace(['.', ' '], "").parse()?)
}

/// A disk with this root between two other partitions.
pub fn three_partitions(root: Tiny) -> Disk {
    let boot = Partition::Ext4 { uuid: "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c01" };
    let swap = Partition::Swap { label: "swap", uuid: "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c02" };
    Disk::Partitioned(vec![boot, Partition::Tiny(root), swap])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
<7>[    2.000100] measured: before vda 100
<7>[    2.000200] measured: before vdb 8
<7>[    2.000250] measured: cpu before 1500
<7>[    2.000300] measured: start
<7>[   12.010300] measured: end
<7>[   12.010350] measured: cpu after 9500
<7>[   12.010400] measured: after vda 228
<7>[   12.010500] measured: after vdb 8
";

    #[test]
    fn a_scan_is_what_is_between_its_marks() {
        let scan = Scan::parse(LOG).unwrap();
        assert_eq!((scan.micros, scan.cpu), (10_010_000, 8000));
        assert_eq!(scan.read, BTreeMap::from([("vda".to_owned(), 65536), ("vdb".to_owned(), 0)]));
    }

    #[test]
    fn a_log_without_an_end_is_no_scan() {
        let (cut, _) = LOG.split_once("<7>[   12.0103").unwrap();
        assert!(Scan::parse(cut).is_err());
        assert!(Scan::parse("").is_err());
    }
}

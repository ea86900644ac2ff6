//! The time that a script of the initramfs took: read from the marks around it in the guest's kernel log.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use crate::vm::Vm;

/// Puts the marks around the first of SCRIPTS.
const HOOK: &str = include_str!("../guest/test-measured");

/// Measures the memory that it takes, in place of the time.
pub const MEMORY: &str = "measured=memory";

/// Bytes of a sector in /sys/block/*/stat, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// An initramfs hook that puts marks around the first of these scripts that there is.
#[must_use]
pub fn hook(scripts: &[&str]) -> String {
    HOOK.replace("SCRIPTS", &scripts.join(" "))
}

/// An initramfs hook that has another script between the marks; it runs after the one that puts them there.
#[must_use]
pub fn replaced_by(script: &str) -> String {
    format!(
        "#!/bin/sh\ncase \"$1\" in prereqs) exit 0 ;; esac\n\
         cat >\"$DESTDIR/scripts/measured/script\" <<'SCRIPT'\n{script}SCRIPT\n"
    )
}

/// The figures between the marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Microseconds of the kernel's clock.
    pub micros: u64,
    /// Microseconds of the processor, for the script and all that it starts: without what else runs, and without
    /// waiting for a disk.
    pub cpu: u64,
    /// Bytes read from each disk.
    pub read: BTreeMap<String, u64>,
    /// Where that was asked for.
    pub memory: Option<Memory>,
}

/// In KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// By how much the machine's free memory fell at the most: what was given back meanwhile counts.
    pub free: u64,
    /// The most that was allocated by the script and all that it starts.
    pub charged: u64,
}

impl Measured {
    /// Reads it from a guest that was booted with a measured initramfs.
    pub fn of(vm: &mut Vm) -> Result<Self> {
        let log = vm.read("/bin/busybox dmesg -r | grep measured:")?;
        Self::parse(&log).with_context(|| format!("read the marks in:\n{log}"))
    }

    fn parse(log: &str) -> Result<Self> {
        let (mut start, mut end, mut before, mut read) = (None, None, BTreeMap::new(), BTreeMap::new());
        let (mut cpu_before, mut cpu_after) = (None, None);
        let (mut free, mut charged) = (None, None);
        for line in log.lines() {
            let (stamp, mark) = line.split_once("] measured: ").context("split a line at its mark")?;
            match mark.split(' ').collect::<Vec<_>>().as_slice() {
                ["start"] => start = Some(micros(stamp)?),
                ["end"] => end = Some(micros(stamp)?),
                ["cpu", "before", micros] => cpu_before = Some(micros.parse::<u64>()?),
                ["cpu", "after", micros] => cpu_after = Some(micros.parse::<u64>()?),
                ["memory", "free", kib] => free = Some(kib.parse::<u64>()?),
                ["memory", "charged", kib] => charged = Some(kib.parse::<u64>()?),
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
        Ok(Self {
            micros: micros.context("find both marks")?,
            cpu: cpu.context("find the processor's time")?,
            read,
            memory: free.zip(charged).map(|(free, charged)| Memory { free, charged }),
        })
    }
}

/// Reads `<7>[    1.234567`.
fn micros(stamp: &str) -> Result<u64> {
    let (_, stamp) = stamp.split_once('[').context("find a timestamp")?;
    Ok(stamp.replace(['.', ' '], "").parse()?)
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
    fn what_a_script_took_is_between_its_marks() {
        let measured = Measured::parse(LOG).unwrap();
        assert_eq!((measured.micros, measured.cpu, measured.memory), (10_010_000, 8000, None));
        assert_eq!(measured.read, BTreeMap::from([("vda".to_owned(), 65536), ("vdb".to_owned(), 0)]));
    }

    #[test]
    fn memory_is_told_where_both_figures_are_there() {
        let log = format!("{LOG}<7>[ 13.0] measured: memory free 2048\n");
        assert_eq!(Measured::parse(&log).unwrap().memory, None);
        let log = format!("{log}<7>[ 13.1] measured: memory charged 512\n");
        assert_eq!(Measured::parse(&log).unwrap().memory, Some(Memory { free: 2048, charged: 512 }));
    }

    #[test]
    fn a_log_without_an_end_is_not_measured() {
        let (cut, _) = LOG.split_once("<7>[   12.0103").unwrap();
        assert!(Measured::parse(cut).is_err());
        assert!(Measured::parse("").is_err());
    }
}

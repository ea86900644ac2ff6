//! The bytes that the scan for a rescue volume reads: a count, which is the same however busy the machine is. Times are for
//! `cargo vm bench rescue`.

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::guest::RunInit;
use lifeboat_qemu::measured::Measured;
use lifeboat_qemu::scan::{LIMIT, Scanner, three_partitions};
use lifeboat_qemu::vm::{Machine, Vm};

use crate::lab::{guests, machine, root, volume};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("a_scan_of_three_partitions_reads_at_most_512_kib", partitions),
    full("a_scan_that_finds_a_volume_reads_at_most_512_kib_of_each_disk", with_a_volume),
    full("a_scan_that_is_switched_off_reads_nothing", switched_off),
];

/// A scan that looks at a disk reads at least its partition table or a superblock.
const LEAST: u64 = 512;

fn partitions() -> Result<()> {
    let scan = scan_of_partitions("")?;
    ensure!(scan.read.len() == 1, "there is one disk: {:?}", scan.read);
    must_be_frugal(&scan)
}

fn with_a_volume() -> Result<()> {
    let mut vm = measured()?.disk(three_partitions(root())).disk(volume("RESCUE")).boot()?;
    vm.wait_for_login("rescue")?;
    let scan = scan(&mut vm)?;
    ensure!(scan.read.len() == 2, "there are two disks: {:?}", scan.read);
    must_be_frugal(&scan)
}

fn switched_off() -> Result<()> {
    let scan = scan_of_partitions("lifeboat.rescue=off")?;
    ensure!(scan.read.values().all(|bytes| *bytes == 0), "it read: {:?}", scan.read);
    Ok(())
}

fn scan_of_partitions(parameter: &str) -> Result<Measured> {
    let mut vm = measured()?.disk(three_partitions(root())).parameter(parameter).boot()?;
    vm.wait_for_login("own")?;
    scan(&mut vm)
}

fn measured() -> Result<Machine> {
    Ok(machine()?.platform(&Scanner::Lifeboat.platform(&guests()?, RunInit::Klibc)?))
}

fn scan(vm: &mut Vm) -> Result<Measured> {
    Measured::of(vm).context("measure the scan")
}

fn must_be_frugal(scan: &Measured) -> Result<()> {
    for (disk, bytes) in &scan.read {
        ensure!((LEAST..=LIMIT).contains(bytes), "{bytes} bytes of {disk} were read");
    }
    Ok(())
}

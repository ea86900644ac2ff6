//! The parts that the tests' machines are put together from.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::{Guests, Tiny};
use lifeboat_qemu::partitioned::Partition;
use lifeboat_qemu::vm::{Machine, Vm};

static GUESTS: Mutex<Option<Guests>> = Mutex::new(None);

/// The guests; the first test builds what is not in the cache.
pub(crate) fn guests() -> Result<Guests> {
    let mut guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(guests) = &*guests {
        return Ok(guests.clone());
    }
    Ok(guests.insert(Guests::build()?).clone())
}

/// A machine with the external kernel and no disks.
pub(crate) fn machine() -> Result<Machine> {
    Ok(Machine::new(&guests()?))
}

/// The machine's own root: a tiny guest that calls itself `own`.
pub(crate) fn root() -> Tiny {
    Tiny::new("lifeboat-root", "own")
}

/// A volume with this label: a tiny guest that calls itself `rescue`.
pub(crate) fn volume(label: &str) -> Tiny {
    Tiny::new(label, "rescue")
}

/// A disk with a swap area alone.
pub(crate) fn swap() -> Disk {
    let uuid = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0bff";
    Disk::Partitioned(vec![Partition::Swap { label: "swap", uuid }])
}

/// The Debian guest's own root.
pub(crate) fn debian() -> Result<Disk> {
    Ok(Disk::Image(guests()?.debian_root()))
}

/// The Debian rescue system, labelled RESCUE.
pub(crate) fn debian_rescue() -> Result<Disk> {
    Ok(Disk::Image(guests()?.debian_rescue()))
}

/// A Debian rescue system without lifeboat's packages, labelled RESCUE.
pub(crate) fn debian_stranger() -> Result<Disk> {
    Ok(Disk::Image(guests()?.debian_stranger()))
}

/// Fails, with the whole console, unless this is on it.
pub(crate) fn must_say(vm: &Vm, text: &str) -> Result<()> {
    let console = vm.console.text();
    ensure!(console.contains(text), "`{text}` is not on the console:\n{console}");
    Ok(())
}

/// Fails, with the whole console, if this is on it.
pub(crate) fn must_not_say(vm: &Vm, text: &str) -> Result<()> {
    let console = vm.console.text();
    ensure!(!console.contains(text), "`{text}` is on the console:\n{console}");
    Ok(())
}

/// Fails unless a text holds all of these.
pub(crate) fn must_hold(text: &str, wanted: &[&str]) -> Result<()> {
    for part in wanted {
        ensure!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    Ok(())
}

/// Writes a line for whoever watches.
pub(crate) fn say(line: &str) {
    // Nobody can be told that standard error is closed.
    drop(writeln!(std::io::stderr(), "{line}"));
}

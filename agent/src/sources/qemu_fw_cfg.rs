//! QEMU's `-fw_cfg name=opt/io.cloud-init/cloud-init/user-data,file=…`, as the kernel shows it in /sys.

use super::{Signal, SourceFacts};
use crate::fetch;
use crate::report::Report;
use crate::seed::{self, Seed};
use anyhow::Result;

const DIRECTORY: &str = "sys/firmware/qemu_fw_cfg/by_name/opt/io.cloud-init/cloud-init";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let there = facts.root.holds(DIRECTORY)?;
    Ok(there.then(|| Signal::in_machine(format!("{} is there", facts.root.show(DIRECTORY)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let read = |name: &str| facts.root.read_at_most(&format!("{DIRECTORY}/{name}/raw"), fetch::LARGEST);
    let seed = seed::from_files("QEMU's fw_cfg", read, facts, report)?;
    seed.map(|seed| seed::completed(seed, facts, report)).transpose()
}

//! The machine's serial number, where a hypervisor can write what else the kernel command line would say:
//! `qemu -smbios type=1,serial='ds=nocloud;s=http://…'`.

use super::{Signal, SourceFacts, hand_off};
use crate::report::Report;
use crate::seed::Seed;
use anyhow::Result;
use lifeboat_common::hand_off::Seed as HandOff;

#[expect(clippy::unnecessary_wraps, reason = "a source's detect may fail; this one's cannot")]
pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let seen = "the serial number names a seed";
    Ok(parse(facts).map(|hand_off| Signal::at(hand_off.place(), seen)))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    match parse(facts) {
        Some(hand_off) => hand_off::fetch_seed(hand_off, facts, report).map(Some),
        None => Ok(None),
    }
}

fn parse(facts: &SourceFacts<'_>) -> Option<HandOff> {
    let serial = facts.dmi("product_serial");
    let value = serial.split_whitespace().find_map(|word| word.strip_prefix("ds="))?;
    HandOff::from_ds(value, &format!("the serial number `{serial}`"))
}

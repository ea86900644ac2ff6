//! The machine's serial number, where a hypervisor can write what else the kernel command line would say:
//! `qemu -smbios type=1,serial='ds=nocloud;s=http://…'`.

use super::{Signal, SourceFacts, nocloud};
use crate::nocloud::Said;
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
    nocloud("smbios_serial", facts, report)
}

/// The seed that the serial number names, to be joined with other places.
#[expect(clippy::unnecessary_wraps, reason = "reading a place may fail; this one's cannot")]
pub(super) fn said(facts: &SourceFacts<'_>, _: &mut Report) -> Result<Option<Said>> {
    Ok(parse(facts).map(|hand_off| Said::of_line(hand_off, "dmi")))
}

fn parse(facts: &SourceFacts<'_>) -> Option<HandOff> {
    let (serial, value) = value(facts)?;
    HandOff::from_ds(&value, &format!("the serial number `{serial}`"))
}

/// The serial number, and what it says behind `ds=`.
pub(super) fn value(facts: &SourceFacts<'_>) -> Option<(String, String)> {
    let serial = facts.dmi("product_serial");
    let value = serial.split_whitespace().find_map(|word| word.strip_prefix("ds="))?.to_owned();
    Some((serial, value))
}

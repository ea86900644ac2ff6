//! A partition as the kernel has it.

use super::CLASS;
use crate::machine::Machine;
use anyhow::Result;

/// /sys counts in these, whatever a disk's sectors are.
const UNIT: u64 = 512;

/// A partition. Sizes and places are in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// The kernel's name of its disk.
    pub(crate) disk: String,
    /// Its own.
    pub(crate) name: String,
    /// Its number in the table.
    pub(crate) number: u32,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl Part {
    /// A partition by the kernel's name; `None` for what is none.
    pub(crate) fn read(machine: &dyn Machine, name: &str) -> Result<Option<Self>> {
        let Some(link) = machine.link(&format!("{CLASS}/{name}"))? else { return Ok(None) };
        let mut steps = link.rsplit('/');
        let (Some(_), Some(disk)) = (steps.next(), steps.next()) else { return Ok(None) };
        let directory = format!("{CLASS}/{disk}/{name}");
        let number = |file: &str| number(machine, &format!("{directory}/{file}"));
        let (Some(own), Some(start), Some(length)) =
            (number("partition")?, number("start")?, number("size")?)
        else {
            return Ok(None);
        };
        let (start, length) = (start.saturating_mul(UNIT), length.saturating_mul(UNIT));
        let number = u32::try_from(own)?;
        Ok(Some(Self { disk: disk.to_owned(), name: name.to_owned(), number, start, length }))
    }

    /// Where the next partition begins, or the disk ends.
    pub(crate) fn limit(&self, machine: &dyn Machine) -> Result<u64> {
        let directory = format!("{CLASS}/{}", self.disk);
        let mut limit = disk_length(machine, &self.disk)?.unwrap_or(self.start);
        for name in machine.names(&directory)? {
            let start =
                number(machine, &format!("{directory}/{name}/start"))?.map(|at| at.saturating_mul(UNIT));
            limit = start.filter(|start| *start > self.start).map_or(limit, |start| limit.min(start));
        }
        Ok(limit)
    }
}

/// A device's length in bytes.
pub(crate) fn disk_length(machine: &dyn Machine, name: &str) -> Result<Option<u64>> {
    Ok(number(machine, &format!("{CLASS}/{name}/size"))?.map(|sectors| sectors.saturating_mul(UNIT)))
}

fn number(machine: &dyn Machine, path: &str) -> Result<Option<u64>> {
    Ok(machine.text(path)?.and_then(|text| text.trim().parse().ok()))
}

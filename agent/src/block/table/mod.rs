//! Partition tables as bytes: what has to be written so that a partition grows. Nothing here touches a disk.

mod gpt;
mod mbr;
#[cfg(test)]
mod tests;

use super::bytes::u16_at;
use anyhow::{Context, Result, bail};

/// A disk to read.
pub(crate) trait Disk {
    /// Bytes at a place.
    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>>;
}

impl Disk for std::fs::File {
    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        std::os::unix::fs::FileExt::read_exact_at(self, &mut bytes, offset)?;
        Ok(bytes)
    }
}

/// The sectors of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Geometry {
    /// Bytes in a sector.
    pub(crate) sector: u64,
    /// The number of sectors.
    pub(crate) sectors: u64,
}

impl Geometry {
    /// The sectors of a mebibyte, at whose multiples partitions begin and end.
    fn mebibyte(self) -> u64 {
        (MIB / self.sector).max(1)
    }

    fn aligned(self, sector: u64) -> u64 {
        sector / self.mebibyte() * self.mebibyte()
    }
}

const MIB: u64 = 1 << 20;

/// Less than this is not worth a change: tools end a partition at different places.
pub(crate) const SLACK: u64 = 2 * MIB;

/// A partition by its number and place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) number: u32,
    /// In bytes.
    pub(crate) start: u64,
}

/// The writes with which a partition grows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Grown {
    /// Bytes and their places, in the order in which they are written.
    pub(crate) writes: Vec<(u64, Vec<u8>)>,
    /// The partition's length afterwards, in bytes.
    pub(crate) length: u64,
}

/// Growth to the next partition or the disk's end; `None` when the partition is there already.
pub(crate) fn grow(disk: &dyn Disk, geometry: Geometry, wanted: Wanted) -> Result<Option<Grown>> {
    if ![512, 1024, 2048, 4096].contains(&geometry.sector) || !wanted.start.is_multiple_of(geometry.sector) {
        bail!("sectors of {} bytes are not known here", geometry.sector);
    }
    if geometry.sectors <= geometry.mebibyte() {
        return Ok(None);
    }
    let first = disk.read(0, usize::try_from(geometry.sector)?).context("read the first sector")?;
    if u16_at(&first, 510) != Some(0xaa55) {
        bail!("it has neither a GPT nor an MBR");
    }
    if mbr::protects(&first) {
        return gpt::Gpt::read(disk, geometry)?.grow(wanted, &first);
    }
    mbr::grow(disk, &first, geometry, wanted)
}

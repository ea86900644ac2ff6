//! GPT: a header and an array of entries at the disk's start, and both once more at its end.

use super::{Disk, Geometry, Grown, SLACK, Wanted, mbr};
use crate::block::bytes::{put, u32_at, u64_at};
use anyhow::{Context, Result, bail};

const SIGNATURE: &[u8] = b"EFI PART";

/// Places in the header.
const HEADER_SIZE: usize = 12;
const HEADER_SUM: usize = 16;
const OWN_SECTOR: usize = 24;
const OTHER_SECTOR: usize = 32;
const LAST_USABLE: usize = 48;
const ENTRIES_SECTOR: usize = 72;
const ENTRY_COUNT: usize = 80;
const ENTRY_SIZE: usize = 84;
const ENTRIES_SUM: usize = 88;

/// Places in an entry.
const FIRST: usize = 32;
const LAST: usize = 40;
const UNUSED: [u8; 16] = [0; 16];

/// Nobody has more, and a damaged header may name any number.
const LARGEST_ARRAY: u64 = 1 << 20;

/// The table at the disk's start.
pub(super) struct Gpt {
    geometry: Geometry,
    header: Vec<u8>,
    entries: Vec<u8>,
    entry_size: usize,
    entries_sector: u64,
}

impl Gpt {
    pub(super) fn read(disk: &dyn Disk, geometry: Geometry) -> Result<Self> {
        let damaged = "its GPT is damaged (gdisk repairs it from the copy at the disk's end)";
        let sector = usize::try_from(geometry.sector)?;
        let header = disk.read(geometry.sector, sector).context("read the GPT")?;
        let number = |at: usize| u32_at(&header, at).map(|number| number as usize);
        let size = number(HEADER_SIZE).filter(|size| (92..=sector).contains(size)).context(damaged)?;
        let header = header.get(..size).context(damaged)?.to_vec();
        let is_whole = header.starts_with(SIGNATURE)
            && u32_at(&header, HEADER_SUM) == Some(sum_of_header(&header))
            && u64_at(&header, OWN_SECTOR) == Some(1);
        let entry_size = number(ENTRY_SIZE).filter(|size| (128..=4096).contains(size) && size % 8 == 0);
        let (Some(entry_size), Some(count), true) = (entry_size, number(ENTRY_COUNT), is_whole) else {
            bail!("{damaged}");
        };
        let length = (entry_size as u64).saturating_mul(count as u64);
        let entries_sector = u64_at(&header, ENTRIES_SECTOR).context(damaged)?;
        if length > LARGEST_ARRAY || !(2..geometry.sectors).contains(&entries_sector) {
            bail!("{damaged}");
        }
        let entries = disk.read(entries_sector * geometry.sector, usize::try_from(length)?)?;
        if u32_at(&header, ENTRIES_SUM) != Some(sum(&entries)) {
            bail!("{damaged}");
        }
        Ok(Self { geometry, header, entries, entry_size, entries_sector })
    }

    /// The first and last sectors of those in use, by number.
    fn parts(&self) -> impl Iterator<Item = (u32, u64, u64)> {
        let entries = self.entries.chunks_exact(self.entry_size).zip(1u32..);
        let used = entries.filter(|(entry, _)| !entry.starts_with(&UNUSED));
        used.filter_map(|(entry, number)| Some((number, u64_at(entry, FIRST)?, u64_at(entry, LAST)?)))
    }

    pub(super) fn grow(mut self, wanted: Wanted, first_sector: &[u8]) -> Result<Option<Grown>> {
        let geometry = self.geometry;
        let start = wanted.start / geometry.sector;
        let own = self.parts().find(|(number, first, _)| (*number, *first) == (wanted.number, start));
        let (_, first, last) = own.context("its table is not the one that the kernel uses")?;
        let array = (self.entries.len() as u64).div_ceil(geometry.sector);
        let last_sector = geometry.sectors - 1;
        // The copy of the array, and the header's, come behind it.
        let usable = last_sector.saturating_sub(array + 1);
        if u64_at(&self.header, LAST_USABLE).is_none_or(|before| before > usable) {
            bail!("the disk is smaller than its GPT");
        }
        let next = self.parts().map(|(_, first, _)| first).filter(|other| *other > first).min();
        let end = geometry.aligned(next.unwrap_or(u64::MAX).min(usable + 1));
        if end.saturating_sub(last.saturating_add(1)).saturating_mul(geometry.sector) <= SLACK {
            return Ok(None);
        }
        let at = (wanted.number as usize - 1) * self.entry_size + LAST;
        put(&mut self.entries, at, &(end - 1).to_le_bytes());
        let copy = (last_sector, 1, last_sector - array);
        let own = (1, last_sector, self.entries_sector);
        let mut writes = Vec::new();
        // The copy first: a cut in between leaves a table that is whole.
        for (sector, other, entries) in [copy, own] {
            let header = self.header(sector, other, entries, usable);
            writes.push((entries * geometry.sector, self.entries.clone()));
            writes.push((sector * geometry.sector, header));
        }
        writes.extend(mbr::protecting(first_sector, geometry).map(|sector| (0, sector)));
        Ok(Some(Grown { writes: joined(writes), length: (end - first) * geometry.sector }))
    }

    fn header(&self, sector: u64, other: u64, entries: u64, usable: u64) -> Vec<u8> {
        let mut header = self.header.clone();
        put(&mut header, OWN_SECTOR, &sector.to_le_bytes());
        put(&mut header, OTHER_SECTOR, &other.to_le_bytes());
        put(&mut header, ENTRIES_SECTOR, &entries.to_le_bytes());
        put(&mut header, LAST_USABLE, &usable.to_le_bytes());
        put(&mut header, ENTRIES_SUM, &sum(&self.entries).to_le_bytes());
        let own = sum_of_header(&header);
        put(&mut header, HEADER_SUM, &own.to_le_bytes());
        header.resize(usize::try_from(self.geometry.sector).unwrap_or(header.len()), 0);
        header
    }
}

/// Neighbours become one write: between a header and its array, nothing may come.
fn joined(writes: Vec<(u64, Vec<u8>)>) -> Vec<(u64, Vec<u8>)> {
    let mut whole: Vec<(u64, Vec<u8>)> = Vec::new();
    for (offset, bytes) in writes {
        match whole.last_mut() {
            Some((before, own)) if *before + own.len() as u64 == offset => own.extend(bytes),
            Some((before, own)) if offset + bytes.len() as u64 == *before => {
                *before = offset;
                own.splice(0..0, bytes);
            }
            _ => whole.push((offset, bytes)),
        }
    }
    whole
}

fn sum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// Its own sum counts as zero.
fn sum_of_header(header: &[u8]) -> u32 {
    let mut header = header.to_vec();
    put(&mut header, HEADER_SUM, &[0; 4]);
    sum(&header)
}

//! MBR: four entries in the first sector. Logical partitions are in a chain of sectors within an extended one.

use super::{Disk, Geometry, Grown, SLACK, Wanted};
use crate::block::bytes::{put, u16_at, u32_at};
use anyhow::{Context, Result, bail};

const TABLE: usize = 446;
const ENTRY: usize = 16;
const PROTECTIVE: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// The kernel follows no more links either.
const MOST_LOGICAL: u32 = 100;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    kind: u8,
    start: u64,
    length: u64,
}

impl Entry {
    fn end(self) -> u64 {
        self.start + self.length
    }
}

fn entry(sector: &[u8], slot: usize) -> Entry {
    let at = TABLE + slot * ENTRY;
    let number = |offset: usize| u32_at(sector, at + offset).unwrap_or_default().into();
    Entry { kind: sector.get(at + 4).copied().unwrap_or_default(), start: number(8), length: number(12) }
}

/// True for the table that keeps others away from a GPT.
pub(super) fn protects(sector: &[u8]) -> bool {
    (0..4).any(|slot| entry(sector, slot).kind == PROTECTIVE)
}

/// The first sector, protecting all of a larger disk; `None` where it names more than that.
pub(super) fn protecting(sector: &[u8], geometry: Geometry) -> Option<Vec<u8>> {
    let alone = entry(sector, 0).kind == PROTECTIVE && (1..4).all(|slot| entry(sector, slot).kind == 0);
    let length = u32::try_from(geometry.sectors - 1).unwrap_or(u32::MAX);
    let mut sector = sector.to_vec();
    put(&mut sector, TABLE + 12, &length.to_le_bytes());
    alone.then_some(sector)
}

pub(super) fn grow(
    disk: &dyn Disk,
    first: &[u8],
    geometry: Geometry,
    wanted: Wanted,
) -> Result<Option<Grown>> {
    let other = "its table is not the one that the kernel uses";
    let start = wanted.start / geometry.sector;
    if let slot @ 1..=4 = wanted.number {
        let slot = slot as usize - 1;
        let own =
            Some(entry(first, slot)).filter(|own| own.kind != 0 && own.start == start).context(other)?;
        let end = primary_end(first, own, geometry);
        let mut sector = first.to_vec();
        set_end(&mut sector, slot, own, start, end)?;
        return Ok(grown(own, end, vec![(0, sector)], geometry));
    }
    let slot = (0..4).find(|slot| EXTENDED.contains(&entry(first, *slot).kind)).context(other)?;
    let extended = entry(first, slot);
    let chain = chain(disk, extended, geometry)?;
    let own =
        chain.iter().find(|link| (link.number, link.own.start) == (wanted.number, start)).context(other)?;
    let behind = chain.iter().map(|link| link.at).filter(|at| *at > start).min();
    let mut writes = Vec::new();
    let limit = if let Some(behind) = behind {
        behind
    } else {
        let end = primary_end(first, extended, geometry).max(extended.end());
        if end > extended.end() {
            let mut sector = first.to_vec();
            set_end(&mut sector, slot, extended, extended.start, end)?;
            writes.push((0, sector));
        }
        end
    };
    let end = geometry.aligned(limit.min(geometry.sectors));
    let mut sector = own.sector.clone();
    set_end(&mut sector, own.slot, Entry { start: start - own.at, ..own.own }, start, end)?;
    writes.push((own.at * geometry.sector, sector));
    // The link that leads here spans what is behind it.
    if let Some((before, slot, link)) = chain.iter().find_map(|before| {
        let (slot, link) = before.next?;
        (extended.start + link.start == own.at).then_some((before, slot, link))
    }) {
        let mut sector = before.sector.clone();
        set_end(&mut sector, slot, link, own.at, end)?;
        writes.push((before.at * geometry.sector, sector));
    }
    Ok(grown(own.own, end, writes, geometry))
}

/// Where a primary partition could end.
fn primary_end(first: &[u8], own: Entry, geometry: Geometry) -> u64 {
    let others = (0..4).map(|slot| entry(first, slot)).filter(|other| other.kind != 0);
    let next = others.map(|other| other.start).filter(|other| *other > own.start).min();
    let end = geometry.sectors.min(next.unwrap_or(u64::MAX));
    // Its start and its length have 32 bits.
    geometry.aligned(end.min(u32::MAX.into()))
}

fn grown(own: Entry, end: u64, writes: Vec<(u64, Vec<u8>)>, geometry: Geometry) -> Option<Grown> {
    let more = end.saturating_sub(own.end()).saturating_mul(geometry.sector);
    (more > SLACK).then(|| Grown { writes, length: (end - own.start) * geometry.sector })
}

/// `own.start` counts from wherever the entry's numbers do, and `start` from the disk's first sector.
fn set_end(sector: &mut [u8], slot: usize, own: Entry, start: u64, end: u64) -> Result<()> {
    // Never shorter.
    let length = end.saturating_sub(start).max(own.length);
    let at = TABLE + slot * ENTRY;
    put(sector, at + 5, &cylinders(start + length - 1));
    put(sector, at + 12, &u32::try_from(length)?.to_le_bytes());
    Ok(())
}

/// A place as head, sector and cylinder, for those who count so still.
fn cylinders(sector: u64) -> [u8; 3] {
    let (cylinder, rest) = (sector / (255 * 63), sector % (255 * 63));
    match (u8::try_from(rest / 63), u8::try_from(rest % 63 + 1)) {
        (Ok(head), Ok(number)) if cylinder < 1024 => {
            let [low, high, ..] = cylinder.to_le_bytes();
            [head, number | high << 6, low]
        }
        _ => [0xfe, 0xff, 0xff],
    }
}

/// A sector of the chain of logical partitions.
struct Link {
    /// The sector's number on the disk.
    at: u64,
    sector: Vec<u8>,
    /// The partition's number, place within the sector, and place on the disk.
    number: u32,
    slot: usize,
    own: Entry,
    /// The link to the next, which counts from the extended partition's start.
    next: Option<(usize, Entry)>,
}

fn chain(disk: &dyn Disk, extended: Entry, geometry: Geometry) -> Result<Vec<Link>> {
    let mut chain = Vec::new();
    let mut at = extended.start;
    for number in 5..5 + MOST_LOGICAL {
        let sector = disk.read(at * geometry.sector, usize::try_from(geometry.sector)?)?;
        if u16_at(&sector, 510) != Some(0xaa55) {
            bail!("its chain of logical partitions is broken");
        }
        let used = |slot: &usize| entry(&sector, *slot).kind != 0 && entry(&sector, *slot).length > 0;
        let is_link = |slot: &usize| EXTENDED.contains(&entry(&sector, *slot).kind);
        let parts: Vec<usize> = (0..4).filter(used).filter(|slot| !is_link(slot)).collect();
        let [slot] = parts[..] else { bail!("its chain of logical partitions is unusual") };
        let relative = entry(&sector, slot);
        let own = Entry { start: at + relative.start, ..relative };
        let next = (0..4).filter(used).find(is_link).map(|slot| (slot, entry(&sector, slot)));
        chain.push(Link { at, sector: sector.clone(), number, slot, own, next });
        let Some((_, link)) = next else { return Ok(chain) };
        let target = extended.start + link.start;
        if target <= at || target >= extended.end() {
            bail!("its chain of logical partitions leads astray");
        }
        at = target;
    }
    bail!("its chain of logical partitions does not end")
}

//! vfat's label without libblkid, at a fraction of its cost: an EFI partition is on most disks. Never asserts that
//! there is one, only that there is none. The layout is that of Microsoft's FAT specification.

use anyhow::Result;
use rustix::io::pread;
use std::fs::File;

/// A directory's entries begin with a name, as long as a label is.
const ENTRY: usize = 32;

/// The number of bytes of the directory that are read at a time: mostly it ends in the first of them.
const READ: usize = 512;

/// Where the label of the file system is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Vfat<'a> {
    /// The boot sector's own, which counts where the directory has none.
    label: &'a [u8],
    /// The root directory's first byte.
    directory: u64,
    /// The length of what is known of it, in bytes.
    length: u64,
    /// True if it goes on elsewhere.
    goes_on: bool,
}

impl<'a> Vfat<'a> {
    /// Reads a device's boot sector; `None` where it is no such file system's, as a partition table's boot code.
    pub(super) fn parse(boot: &'a [u8]) -> Option<Self> {
        let byte = |at: usize| boot.get(at).copied().map(u64::from);
        let word = |at: usize| Some(byte(at)? | byte(at + 1)? << 8);
        let long = |at: usize| Some(word(at)? | word(at + 2)? << 16);
        let (sector, cluster, reserved, tables, entries, media) =
            (word(11)?, byte(13)?, word(14)?, byte(16)?, word(17)?, byte(21)?);
        let valid = matches!(sector, 512 | 1024 | 2048 | 4096)
            && cluster.is_power_of_two()
            && reserved != 0
            && tables != 0
            && (media == 0xf0 || media >= 0xf8);
        if !valid {
            return None;
        }
        let data = |table: u64| (reserved + tables * table) * sector;
        Some(match word(22)? {
            // FAT32 has its root directory among the files, and in pieces.
            0 => Self {
                label: boot.get(71..82)?,
                directory: data(long(36)?) + long(44)?.saturating_sub(2) * cluster * sector,
                length: cluster * sector,
                goes_on: true,
            },
            table => Self {
                label: boot.get(43..54)?,
                directory: data(table),
                length: entries * ENTRY as u64,
                goes_on: false,
            },
        })
    }

    /// True if it can have one of these labels, in capitals or not.
    pub(super) fn may_have(&self, labels: &[&str], device: &File) -> Result<bool> {
        let named = |name: &[u8]| {
            labels.iter().any(|label| {
                name.get(..label.len()).is_some_and(|name| name.eq_ignore_ascii_case(label.as_bytes()))
            })
        };
        if named(self.label) {
            return Ok(true);
        }
        let mut part = [0; READ];
        for offset in (0..self.length).step_by(READ) {
            if pread(device, &mut part, self.directory + offset)? < READ {
                return Ok(true);
            }
            for entry in part.chunks_exact(ENTRY) {
                if entry.first() == Some(&0) {
                    return Ok(false);
                }
                if named(entry) {
                    return Ok(true);
                }
            }
        }
        Ok(self.goes_on)
    }
}

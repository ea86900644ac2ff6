//! The size of a file system, by its superblock.

use super::bytes::{u32_at, u64_at};
use anyhow::Result;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A file system that can grow while it is mounted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Superblock {
    /// Its kind, with what growing it takes.
    pub(crate) kind: Kind,
    /// In bytes.
    pub(crate) length: u64,
}

/// The kind of a file system, with the facts that growing it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// ext2, ext3 and ext4.
    Ext {
        /// In bytes.
        block: u64,
    },
    Xfs {
        /// In bytes.
        block: u64,
        /// The most that inodes may take.
        inode_percent: u8,
    },
    Btrfs {
        /// The device's number in its file system.
        device: u64,
    },
}

/// Where btrfs has its first superblock.
const BTRFS_AT: u64 = 0x1_0000;

/// The superblock of an open device; `None` for another kind of file system.
pub(crate) fn read(device: &File) -> Result<Option<Superblock>> {
    let mut start = vec![0; 4096];
    device.read_exact_at(&mut start, 0)?;
    if let Some(found) = ext(&start).or_else(|| xfs(&start)) {
        return Ok(Some(found));
    }
    match device.read_exact_at(&mut start, BTRFS_AT) {
        Ok(()) => Ok(btrfs(&start)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn ext(bytes: &[u8]) -> Option<Superblock> {
    const AT: usize = 1024;
    const WIDE: u32 = 0x80;
    let number = |offset: usize| u32_at(bytes, AT + offset);
    if bytes.get(AT + 0x38..AT + 0x3a)? != [0x53, 0xef] {
        return None;
    }
    let high = if number(0x60)? & WIDE == 0 { 0 } else { number(0x150)? };
    let block = 1024u64.checked_shl(number(0x18)?).filter(|block| *block <= 65_536)?;
    let blocks = u64::from(high) << 32 | u64::from(number(4)?);
    Some(Superblock { kind: Kind::Ext { block }, length: blocks.checked_mul(block)? })
}

fn xfs(bytes: &[u8]) -> Option<Superblock> {
    bytes.strip_prefix(b"XFSB")?;
    let block = u64::from(u32::from_be_bytes(bytes.get(4..)?.first_chunk().copied()?));
    let blocks = u64::from_be_bytes(bytes.get(8..)?.first_chunk().copied()?);
    let inode_percent = *bytes.get(127)?;
    let kind = Kind::Xfs { block: (block > 0).then_some(block)?, inode_percent };
    Some(Superblock { kind, length: blocks.checked_mul(block)? })
}

fn btrfs(bytes: &[u8]) -> Option<Superblock> {
    /// The item of the device itself within the superblock.
    const ITEM: usize = 0xc9;
    if bytes.get(0x40..0x48)? != b"_BHRfS_M" {
        return None;
    }
    Some(Superblock { kind: Kind::Btrfs { device: u64_at(bytes, ITEM)? }, length: u64_at(bytes, ITEM + 8)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn disk(length: usize, parts: &[(usize, &[u8])]) -> File {
        let mut bytes = vec![0; length];
        for (at, part) in parts {
            bytes[*at..at + part.len()].copy_from_slice(part);
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }

    #[test]
    fn each_kind_tells_its_size() {
        let ext = disk(4096, &[(1024 + 4, &[0, 1, 0, 0]), (1024 + 0x18, &[2]), (1024 + 0x38, &[0x53, 0xef])]);
        let expected = Superblock { kind: Kind::Ext { block: 4096 }, length: 1 << 20 };
        assert_eq!(read(&ext).unwrap(), Some(expected));
        let wide: [(usize, &[u8]); 4] =
            [(1024 + 0x18, &[2]), (1024 + 0x38, &[0x53, 0xef]), (1024 + 0x60, &[0x80]), (1024 + 0x150, &[1])];
        assert_eq!(read(&disk(4096, &wide)).unwrap().unwrap().length, 1 << 44);
        let xfs = disk(4096, &[(0, b"XFSB\0\0\x10\0\0\0\0\0\0\0\x01\0"), (127, &[25])]);
        let expected = Superblock { kind: Kind::Xfs { block: 4096, inode_percent: 25 }, length: 1 << 20 };
        assert_eq!(read(&xfs).unwrap(), Some(expected));
        let btrfs = disk(0x1_1000, &[(0x1_0040, b"_BHRfS_M"), (0x1_00c9, &[2]), (0x1_00d1, &[0, 0, 0x10])]);
        let expected = Superblock { kind: Kind::Btrfs { device: 2 }, length: 1 << 20 };
        assert_eq!(read(&btrfs).unwrap(), Some(expected));
    }

    #[test]
    fn another_kind_or_none_is_none() {
        for parts in
            [&[][..], &[(0usize, b"LUKS".as_slice())], &[(1024 + 0x38, &[0x53, 0xef]), (1024 + 0x18, &[99])]]
        {
            assert_eq!(read(&disk(4096, parts)).unwrap(), None);
            assert_eq!(read(&disk(0x1_1000, parts)).unwrap(), None);
        }
        assert!(read(&disk(100, &[])).is_err());
    }
}

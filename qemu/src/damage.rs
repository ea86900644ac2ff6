//! Damage that is the same for the same seed: values and file systems that hostile or broken volumes may hold.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::run::program;

/// The part that is damaged: the first MiB of an image.
pub const HEAD: u64 = 1 << 20;

/// Damaged images of each file system.
pub const IMAGES: usize = 250;

/// A file system that is damaged.
#[derive(Debug)]
pub struct FileSystem {
    /// Its name for libblkid.
    pub name: &'static str,
    /// The command that makes it, labelled RESCUE.
    make: &'static str,
    /// The image's size.
    pub megabytes: u64,
    superblock: usize,
    /// Where its superblock's checksum is, and what it is of.
    seal: Option<Seal>,
}

/// A crc32c: where it stands, and what it is of, itself taken as zero.
#[derive(Debug)]
struct Seal {
    at: usize,
    from: usize,
    to: usize,
}

/// All of them. ext4 is without checksums, so that more of it is believed.
pub const FILE_SYSTEMS: [FileSystem; 4] = [
    FileSystem {
        name: "ext4",
        make: "mke2fs -q -F -t ext4 -O ^metadata_csum -L RESCUE",
        megabytes: 4,
        superblock: 1024,
        seal: None,
    },
    FileSystem {
        name: "xfs",
        make: "mkfs.xfs -q -f --unsupported -L RESCUE",
        megabytes: 20,
        superblock: 0,
        seal: Some(Seal { at: 224, from: 0, to: 512 }),
    },
    FileSystem {
        name: "btrfs",
        make: "mkfs.btrfs -q -f -L RESCUE",
        megabytes: 128,
        superblock: 0x1_0000,
        seal: Some(Seal { at: 0x1_0000, from: 0x1_0020, to: 0x1_1000 }),
    },
    FileSystem { name: "vfat", make: "mkfs.vfat -n RESCUE", megabytes: 4, superblock: 0, seal: None },
];

impl FileSystem {
    /// Makes an image of it that is whole.
    pub fn make(&self, image: &Path) -> Result<()> {
        let file = File::create(image).with_context(|| format!("make {}", image.display()))?;
        file.set_len(self.megabytes << 20).with_context(|| format!("make {}", image.display()))?;
        let mut words = self.make.split(' ');
        program(words.next().unwrap_or_default()).args(words).arg(image).run().map(drop)
    }

    /// Flips 1 to 64 bits, most of them where something is, many in the superblock. Every other time the
    /// superblock's checksum is made to fit: a hostile disk's does.
    fn damage(&self, head: &mut [u8], number: usize) {
        let mut random = Random::new(number.wrapping_mul(FILE_SYSTEMS.len()) as u64 + self.name.len() as u64);
        let used: Vec<usize> = (0..head.len() / SECTOR).filter(|sector| is_used(head, *sector)).collect();
        for _ in 0..1 << random.below(7) {
            let anywhere = random.below(head.len());
            let at = match (random.below(4), random.pick(&used)) {
                (0, _) | (_, None) => anywhere,
                (1, _) => self.superblock + anywhere % SECTOR,
                (_, Some(sector)) => sector * SECTOR + anywhere % SECTOR,
            };
            let bit = random.below(8);
            if let Some(byte) = head.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        if let (Some(seal), 0) = (&self.seal, number % 2) {
            seal.fit(head);
        }
    }
}

const SECTOR: usize = 512;

fn is_used(head: &[u8], sector: usize) -> bool {
    let bytes = head.get(sector * SECTOR..(sector + 1) * SECTOR).unwrap_or_default();
    bytes.iter().any(|byte| *byte != 0)
}

/// The first MiB of a file system, damaged again and again.
pub fn heads(system: &FileSystem, image: &Path) -> Result<impl Iterator<Item = Vec<u8>>> {
    let mut whole = Vec::new();
    let file = File::open(image).with_context(|| format!("open {}", image.display()))?;
    file.take(HEAD).read_to_end(&mut whole).with_context(|| format!("read {}", image.display()))?;
    Ok((0..IMAGES).map(move |number| {
        let mut head = whole.clone();
        system.damage(&mut head, number);
        head
    }))
}

/// Writes a head into a file that was empty there; what is zero stays a hole.
pub fn write_sparse(head: &[u8], file: &File, start: u64) -> Result<()> {
    for sector in (0..head.len() / SECTOR).filter(|sector| is_used(head, *sector)) {
        let at = sector * SECTOR;
        let bytes = head.get(at..at + SECTOR).unwrap_or_default();
        file.write_all_at(bytes, start + at as u64).context("write a damaged head")?;
    }
    Ok(())
}

impl Seal {
    fn fit(&self, head: &mut [u8]) {
        if let Some(sum) = head.get_mut(self.at..self.at + 4) {
            sum.fill(0);
        }
        let sum = crc32c(head.get(self.from..self.to).unwrap_or_default());
        if let Some(place) = head.get_mut(self.at..self.at + 4) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

/// Numbers that look random (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap_or_default();
        number.checked_rem(end).unwrap_or_default()
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_crc32c() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn the_same_seed_does_the_same_damage() {
        let damaged = |number| {
            let mut head = vec![1; 4096];
            FILE_SYSTEMS[0].damage(&mut head, number);
            head
        };
        assert!(damaged(7) == damaged(7) && damaged(7) != damaged(8) && damaged(7) != vec![1; 4096]);
    }

    #[test]
    fn a_seal_that_is_made_to_fit_is_the_one_of_mkfs() {
        let folder = crate::scratch::Scratch::new().unwrap();
        for system in &FILE_SYSTEMS {
            let Some(seal) = &system.seal else { continue };
            let image = folder.path().join(system.name);
            system.make(&image).unwrap();
            let mut head = vec![0; 1 << 20];
            File::open(&image).unwrap().read_exact(&mut head).unwrap();
            let whole = head.clone();
            seal.fit(&mut head);
            assert!(head == whole, "{}", system.name);
        }
    }
}

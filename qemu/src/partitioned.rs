//! Disks with a GPT. Ids are the same whenever a disk is made anew, so that two can be copies of each other.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guest::{Guests, Tiny};
use crate::run::program;

/// The disk's UUID. The n-th partition's PARTUUID has the number n in the last place.
const DISK: &str = "5d6b1f1c-8d5b-4c39-9f21-3a7be2d4c600";

const MEBIBYTE: u64 = 1 << 20;

/// A partition's content.
#[derive(Debug, Clone)]
pub enum Partition {
    /// The Debian guest's root, with these files in place of its own.
    Debian {
        /// The file system's label.
        label: &'static str,
        /// Its UUID.
        uuid: &'static str,
        /// Paths and contents.
        files: Vec<(&'static str, String)>,
    },
    /// A tiny guest's root.
    Tiny(Tiny),
    /// An empty ext4.
    Ext4 {
        /// Its UUID.
        uuid: &'static str,
    },
    /// The partition that firmware boots from: a vfat.
    Efi,
    /// A swap area.
    Swap {
        /// Its label.
        label: &'static str,
        /// Its UUID.
        uuid: &'static str,
    },
}

/// The PARTUUID of the n-th partition, from 1 to 9.
pub fn partuuid(number: usize) -> String {
    let (stem, _) = DISK.split_at(DISK.len() - 1);
    format!("{stem}{number}")
}

/// Makes a disk of these partitions, in their order.
pub(crate) fn image(partitions: &[Partition], guests: &Guests, folder: &Path) -> Result<PathBuf> {
    let image = folder.join("image");
    File::create(&image).with_context(|| format!("make {}", image.display()))?;
    let mut table = format!("label: gpt\nlabel-id: {DISK}\n");
    let mut end = MEBIBYTE;
    for (index, partition) in partitions.iter().enumerate() {
        let content = folder.join(format!("partition{index}"));
        partition.make(guests, &content)?;
        let size = fs::metadata(&content).with_context(|| format!("look at {}", content.display()))?.len();
        let (start, sectors) = (end / 512, size / 512);
        let uuid = partuuid(index + 1);
        writeln!(table, "start={start}, size={sectors}, type=linux, uuid={uuid}, name=part{index}")?;
        program("dd")
            .args(["status=none", "bs=1M", "conv=sparse,notrunc"])
            .arg(format!("seek={}", end / MEBIBYTE))
            .arg(format!("if={}", content.display()))
            .arg(format!("of={}", image.display()))
            .run()?;
        fs::remove_file(&content).with_context(|| format!("remove {}", content.display()))?;
        end += size.next_multiple_of(MEBIBYTE);
    }
    // The table's copy is at the end.
    let whole = File::options().write(true).open(&image).and_then(|file| file.set_len(end + MEBIBYTE));
    whole.with_context(|| format!("enlarge {}", image.display()))?;
    program("sfdisk").args(["--quiet", "--no-reread", "--no-tell-kernel"]).arg(&image).input(table).run()?;
    Ok(image)
}

impl Partition {
    fn make(&self, guests: &Guests, image: &Path) -> Result<()> {
        let empty = |megabytes: u64| -> Result<()> {
            let file = File::create(image).and_then(|file| file.set_len(megabytes * MEBIBYTE));
            file.with_context(|| format!("make {}", image.display()))
        };
        match self {
            Self::Debian { label, uuid, files } => {
                program("cp").arg("--sparse=always").args([&guests.debian_root(), image]).run()?;
                program("tune2fs").args(["-L", label, "-U", uuid]).arg(image).run()?;
                files.iter().try_for_each(|(path, content)| put(image, path, content))
            }
            Self::Tiny(tiny) => {
                let folder = image.with_extension("guest");
                fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
                let made = tiny.image(guests, &folder)?;
                fs::rename(made, image).with_context(|| format!("rename to {}", image.display()))
            }
            Self::Ext4 { uuid } => {
                empty(16)?;
                program("mke2fs").args(["-q", "-F", "-t", "ext4", "-U", uuid]).arg(image).run().map(drop)
            }
            Self::Efi => {
                empty(64)?;
                program("mkfs.vfat").args(["-F", "32", "-n", "EFI"]).arg(image).run().map(drop)
            }
            Self::Swap { label, uuid } => {
                empty(16)?;
                program("mkswap").args(["-L", label, "-U", uuid]).arg(image).run().map(drop)
            }
        }
    }
}

/// Puts a file into an ext4, in place of one that may be there.
fn put(image: &Path, path: &str, content: &str) -> Result<()> {
    let file = image.with_extension("file");
    fs::write(&file, content).with_context(|| format!("write {}", file.display()))?;
    let requests = format!("rm /{path}\nwrite {} /{path}\n", file.display());
    program("debugfs").args(["-w", "-f", "-"]).arg(image).input(requests).run().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_have_ids_of_their_own() {
        assert_eq!(partuuid(1), "5d6b1f1c-8d5b-4c39-9f21-3a7be2d4c601");
    }
}

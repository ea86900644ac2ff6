//! Whether a device can hold a file system with one of these labels, seen from the few places where labels are: a
//! fraction of what it costs to probe it, and most machines have no such volume. It never says no where libblkid, which
//! has the last word, would find one.

use super::vfat::Vfat;
use super::{names, node, open};
use anyhow::Result;
use rustix::fs::{Advice, fadvise};
use rustix::io::pread;
use std::fs::File;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;

/// In bytes, from a device's beginning; the last of the labels is btrfs's.
pub(crate) const HEAD: usize = 68 << 10;

/// All that is looked at.
const READ: [Range<usize>; 3] = [0..2048, 32 << 10..33 << 10, 64 << 10..65 << 10];

/// Where ext2 to ext4, xfs and btrfs have their labels.
const LABELS: [usize; 3] = [1024 + 120, 108, (64 << 10) + 299];

/// What file systems begin with whose labels can be in more than one place: iso9660, and its forerunner.
const SIGNATURES: [(usize, &[u8]); 2] = [((32 << 10) + 1, b"CD001"), ((32 << 10) + 9, b"CDROM")];

/// Where vfat has what it is made of, its boot sector.
const VFAT: Range<usize> = 0..512;

/// What a device can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    /// It has no bytes: a drive without a medium.
    Nothing,
    /// Something, but no file system with one of the labels.
    Other,
    /// That, or what cannot be told at a glance.
    Candidate,
}

/// The devices that hold anything, when none of them can have such a file system. One that cannot be read may, so
/// that the probe says why.
pub(crate) fn without(labels: &[&str]) -> Result<Option<Vec<String>>> {
    let names = names()?;
    let files: Vec<_> = names.iter().map(|name| open_ahead(&node(name))).collect();
    let mut head = vec![0; HEAD];
    let mut looked_at = Vec::new();
    for (name, file) in names.into_iter().zip(files) {
        match file.and_then(|file| look(&file, &mut head, labels)) {
            Ok(Sight::Nothing) => {}
            Ok(Sight::Other) => looked_at.push(name),
            Ok(Sight::Candidate) | Err(_) => return Ok(None),
        }
    }
    Ok(Some(looked_at))
}

/// Looks at a device; `head` is for what is read, and as long as that is far.
pub(crate) fn look(file: &File, head: &mut [u8], labels: &[&str]) -> Result<Sight> {
    for part in READ {
        let offset = part.start as u64;
        let part = head.get_mut(part).unwrap_or_default();
        match pread(file, &mut *part, offset)? {
            0 if offset == 0 => return Ok(Sight::Nothing),
            length if length < part.len() => return Ok(Sight::Candidate),
            _ => {}
        }
    }
    let candidate = may_hold(head, labels)
        || match Vfat::parse(head.get(VFAT).unwrap_or_default()) {
            Some(vfat) => vfat.may_have(labels, file)?,
            None => false,
        };
    Ok(if candidate { Sight::Candidate } else { Sight::Other })
}

/// Asks for what will be read: of all devices at once, for a read after the other would wait for the disk each time.
fn open_ahead(device: &Path) -> Result<File> {
    let file = open(device)?;
    for part in READ {
        // Advice: where it is not taken, the read does it by itself.
        let length = NonZeroU64::new(part.len() as u64);
        fadvise(&file, part.start as u64, length, Advice::WillNeed).unwrap_or_default();
    }
    Ok(file)
}

/// Whether a device that begins with these bytes can, unless it is vfat.
fn may_hold(head: &[u8], labels: &[&str]) -> bool {
    let labelled = LABELS
        .iter()
        .any(|offset| labels.iter().any(|label| at(head, *offset).starts_with(label.as_bytes())));
    labelled || SIGNATURES.iter().any(|(offset, signature)| at(head, *offset).starts_with(signature))
}

fn at(head: &[u8], offset: usize) -> &[u8] {
    head.get(offset..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_looked_at_is_read() {
        let longest = "UEC-rescue".len();
        let labels = LABELS.iter().map(|offset| *offset..offset + longest);
        let signatures = SIGNATURES.iter().map(|(offset, signature)| *offset..offset + signature.len());
        for looked_at in labels.chain(signatures).chain(std::iter::once(VFAT)) {
            let covers = |read: &Range<usize>| read.start <= looked_at.start && looked_at.end <= read.end;
            assert!(READ.iter().any(covers), "{looked_at:?}");
            assert!(looked_at.end <= HEAD, "{looked_at:?}");
        }
    }
}

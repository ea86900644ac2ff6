//! The quick check that a device can hold a file system with one of these labels. It reads the few places where labels
//! are: a fraction of what probing costs, and most machines have no such volume. It never says no where libblkid, which
//! has the last word, would find one.

use super::vfat::Vfat;
use super::{is_cd_drive, names, node, open};
use crate::ffi;
use anyhow::Result;
use rustix::fs::{Advice, fadvise};
use rustix::io::pread;
use std::fs::File;
use std::num::NonZeroU64;
use std::ops::Range;

/// All that is looked at, in bytes from a device's beginning; the last of the labels is btrfs's.
pub(super) const READ: [Range<usize>; 3] = [0..2048, 32 << 10..33 << 10, 64 << 10..65 << 10];

const LENGTH: usize = 4096;

/// Where ext2 to ext4, xfs and btrfs have their labels.
const LABELS: [usize; 3] = [1024 + 120, 108, (64 << 10) + 299];

/// The first bytes of file systems whose labels can be in more than one place: iso9660, and its forerunner.
const SIGNATURES: [(usize, &[u8]); 2] = [((32 << 10) + 1, b"CD001"), ((32 << 10) + 9, b"CDROM")];

/// The kinds of content that a device can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    /// It has no bytes, or is a drive without a medium.
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
    let files: Vec<_> = names.iter().map(|name| open_ahead(name)).collect();
    let mut looked_at = Vec::new();
    for (name, file) in names.into_iter().zip(files) {
        let look = |file: Option<File>| file.map_or(Ok(Sight::Nothing), |file| look(&file, labels));
        match file.and_then(look) {
            Ok(Sight::Nothing) => {}
            Ok(Sight::Other) => looked_at.push(name),
            Ok(Sight::Candidate) | Err(_) => return Ok(None),
        }
    }
    Ok(Some(looked_at))
}

/// Looks at a device.
pub(crate) fn look(file: &File, labels: &[&str]) -> Result<Sight> {
    let mut parts = PartsRead([0; LENGTH]);
    let mut rest = parts.0.as_mut_slice();
    for part in READ {
        let (bytes, behind) = rest.split_at_mut_checked(part.len()).unwrap_or_default();
        rest = behind;
        match pread(file, &mut *bytes, part.start as u64)? {
            0 if part.start == 0 => return Ok(Sight::Nothing),
            length if length < bytes.len() => return Ok(Sight::Candidate),
            _ => {}
        }
    }
    let candidate = parts.may_hold(labels)
        || match Vfat::parse(parts.at(0)) {
            Some(vfat) => vfat.may_have(labels, file)?,
            None => false,
        };
    Ok(if candidate { Sight::Candidate } else { Sight::Other })
}

/// Asks for what will be read: of all devices at once, for a read after the other would wait for the disk each time.
/// `None`: a drive without a medium.
fn open_ahead(name: &str) -> Result<Option<File>> {
    let file = open(&node(name))?;
    if is_cd_drive(name) && ffi::is_empty_drive(&file) {
        return Ok(None);
    }
    for part in READ {
        // Advice: where it is not taken, the read does it by itself.
        let length = NonZeroU64::new(part.len() as u64);
        fadvise(&file, part.start as u64, length, Advice::WillNeed).unwrap_or_default();
    }
    Ok(Some(file))
}

/// The parts that were read, one after the other.
struct PartsRead([u8; LENGTH]);

impl PartsRead {
    /// True if a device that begins so can, unless it is vfat.
    fn may_hold(&self, labels: &[&str]) -> bool {
        let is_labelled =
            |place: &usize| labels.iter().any(|label| self.at(*place).starts_with(label.as_bytes()));
        LABELS.iter().any(is_labelled)
            || SIGNATURES.iter().any(|(place, signature)| self.at(*place).starts_with(signature))
    }

    /// From a place of the device to the end of the part that it is in.
    fn at(&self, place: usize) -> &[u8] {
        let mut begin = 0;
        for part in READ {
            if part.contains(&place) {
                return self.0.get(begin + place - part.start..begin + part.len()).unwrap_or_default();
            }
            begin += part.len();
        }
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_looked_at_is_read() {
        assert_eq!(READ.iter().map(Range::len).sum::<usize>(), LENGTH);
        let longest = "UEC-rescue".len();
        let labels = LABELS.iter().map(|offset| *offset..offset + longest);
        let signatures = SIGNATURES.iter().map(|(offset, signature)| *offset..offset + signature.len());
        for looked_at in labels.chain(signatures).chain(std::iter::once(0..512)) {
            let covers = |read: &Range<usize>| read.start <= looked_at.start && looked_at.end <= read.end;
            assert!(READ.iter().any(covers), "{looked_at:?}");
        }
    }

    #[test]
    fn each_place_is_found_in_its_part() {
        let mut parts = PartsRead([0; LENGTH]);
        for (place, byte) in parts.0.iter_mut().enumerate() {
            *byte = u8::try_from(place / 1024).unwrap();
        }
        for (place, byte, length) in
            [(0, 0, 2048), (2047, 1, 1), (32 << 10, 2, 1024), ((64 << 10) + 299, 3, 725)]
        {
            assert_eq!((parts.at(place)[0], parts.at(place).len()), (byte, length), "{place}");
        }
        assert!(parts.at(2048).is_empty() && parts.at(65 << 10).is_empty());
    }
}

//! The state of a file system by its superblock.

use crate::mounts::Mount;
use crate::volume;
use std::os::unix::fs::FileExt;

/// The state of a file system by its superblock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Superblock {
    /// It was good when it was mounted.
    pub(super) is_clean: bool,
    /// Several machines have it in turn, and each watches that no other writes (ext4's `mmp`).
    pub(super) is_watched: bool,
}

impl Superblock {
    /// Nothing good is known.
    const UNKNOWN: Self = Self { is_clean: false, is_watched: true };

    /// Reads that of a mounted file system.
    pub(super) fn of(mount: &Mount) -> Self {
        match mount.kind.as_str() {
            // A journal's or a log's state was written when it was mounted.
            "xfs" | "btrfs" | "tmpfs" => Self { is_clean: true, is_watched: false },
            "ext2" | "ext3" | "ext4" => {
                let mut bytes = [0; 0x64];
                let file = volume::open(&mount.source).ok();
                let is_read = file.is_some_and(|file| file.read_exact_at(&mut bytes, 1024).is_ok());
                if is_read { Self::of_ext(&bytes) } else { Self::UNKNOWN }
            }
            _ => Self::UNKNOWN,
        }
    }

    // See ext4(5) and fs/ext4/ext4.h: s_magic, s_state, s_feature_compat and s_feature_incompat. Without a journal, the
    // state says nothing once it is mounted writable.
    fn of_ext(bytes: &[u8; 0x64]) -> Self {
        const VALID_AND_NO_ERROR: u16 = 1;
        const HAS_JOURNAL: u32 = 4;
        const MMP: u32 = 0x100;
        let [.., m0, m1, s0, s1] = bytes.first_chunk::<0x3c>().copied().unwrap_or([0; 0x3c]);
        let [c0, c1, c2, c3, i0, i1, i2, i3] = bytes.last_chunk().copied().unwrap_or_default();
        if u16::from_le_bytes([m0, m1]) != 0xef53 {
            return Self::UNKNOWN;
        }
        let is_valid = u16::from_le_bytes([s0, s1]) & 3 == VALID_AND_NO_ERROR;
        Self {
            is_clean: is_valid && u32::from_le_bytes([c0, c1, c2, c3]) & HAS_JOURNAL != 0,
            is_watched: u32::from_le_bytes([i0, i1, i2, i3]) & MMP != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ext_file_system_says_itself_that_it_is_good_and_who_watches() {
        let superblock = |magic: u16, state: u16, compatible: u32, incompatible: u32| {
            let mut bytes = [0; 0x64];
            bytes[0x38..0x3a].copy_from_slice(&magic.to_le_bytes());
            bytes[0x3a..0x3c].copy_from_slice(&state.to_le_bytes());
            bytes[0x5c..0x60].copy_from_slice(&compatible.to_le_bytes());
            bytes[0x60..].copy_from_slice(&incompatible.to_le_bytes());
            bytes
        };
        for (bytes, is_clean, is_watched) in [
            (superblock(0xef53, 1, 0x3c, 0x2c2), true, false),
            (superblock(0xef53, 1, 0x38, 0x2c2), false, false),
            (superblock(0xef53, 0, 0x3c, 0x2c2), false, false),
            (superblock(0xef53, 2, 0x3c, 0x2c2), false, false),
            (superblock(0xef53, 3, 0x3c, 0x2c2), false, false),
            (superblock(0xef53, 1, 0x3c, 0x3c2), true, true),
            (superblock(0, 1, 0x3c, 0x2c2), false, true),
        ] {
            assert_eq!(Superblock::of_ext(&bytes), Superblock { is_clean, is_watched }, "{bytes:?}");
        }
    }
}

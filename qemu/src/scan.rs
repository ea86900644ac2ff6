//! The scan for a rescue volume, by whichever package.

use anyhow::Result;

use crate::disk::Disk;
use crate::guest::{Guests, Platform, RunInit, Tiny};
use crate::measured;
use crate::partitioned::Partition;

/// At the most, a scan may read this of a disk.
pub const LIMIT: u64 = 512 * 1024;

/// A package that looks for a rescue volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanner {
    /// The package under test.
    Lifeboat,
    /// `cloud-initramfs-rescuevol`, which it takes the place of.
    Rescuevol,
}

impl Scanner {
    /// An initramfs with marks around this one's scan, otherwise the same for both.
    pub fn platform(self, guests: &Guests, run_init: RunInit) -> Result<Platform> {
        let hook = measured::hook(&["init-premount/lifeboat", "local-premount/rescuevol"]);
        let platform = Platform::new("bookworm").run_init(run_init).hook("test-measured", &hook);
        Ok(match self {
            Self::Lifeboat => platform,
            Self::Rescuevol => platform.in_place_of_lifeboat(&guests.rescuevol()?),
        })
    }
}

/// A disk as most machines have it: this root between what the firmware boots from and a swap area.
pub fn three_partitions(root: Tiny) -> Disk {
    let swap = Partition::Swap { label: "swap", uuid: "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c02" };
    Disk::Partitioned(vec![Partition::Efi, Partition::Tiny(root), swap])
}

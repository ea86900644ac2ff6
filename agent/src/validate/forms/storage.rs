//! Partitions, file systems and mounts.

use super::Key;

/// The keys at the top.
pub(super) const TOP: &[Key] = &[];

//! Packages and their sources.

use super::Key;

/// The keys at the top.
pub(super) const TOP: &[Key] = &[];

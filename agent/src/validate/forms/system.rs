//! Settings of the running system.

use super::{Key, TEXT};

/// The keys at the top.
pub(super) const TOP: &[Key] = &[("timezone", TEXT)];

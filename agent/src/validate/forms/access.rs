//! Passwords, host keys and names of the machine.

use super::Key;

/// The keys at the top.
pub(super) const TOP: &[Key] = &[];

//! The limits of user-data in all. Each limit is named by the message of what goes beyond it.

use anyhow::{Result, bail};

/// The most bytes that come out of everything compressed or included, and the most that all parts may hold.
pub(super) const MOST_BYTES: u64 = 10 * 1024 * 1024;

/// The most parts there may be.
pub(super) const MOST_PARTS: usize = super::mime::MOST_PARTS;

/// The most headers that they may have together.
pub(super) const MOST_HEADERS: usize = super::mime::MOST_HEADERS;

/// The most includes there may be, and the most levels to which they are nested.
pub(super) const MOST_INCLUDES: usize = 100;
pub(super) const DEEPEST_INCLUDE: usize = 16;

/// A number of bytes that grows less.
pub(super) struct Bytes {
    left: u64,
    what: &'static str,
}

impl Bytes {
    /// All of it; `what` is what there can be too much of.
    pub(super) fn new(what: &'static str) -> Self {
        Self { left: MOST_BYTES, what }
    }

    /// The number of bytes left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Takes some off.
    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
        match self.left.checked_sub(bytes as u64) {
            Some(left) => self.left = left,
            None => bail!("{} is more than 10 MiB in all with it", self.what),
        }
        Ok(())
    }
}

//! Decodes a module: the format is told by its first bytes, whatever its name says.
//!
//! No checksum is looked at: a damaged byte leads to another vermagic or to none, and so to the safe side. gzip and xz
//! are decoded by crates without unsafe code; zstd is decoded here, for no such crate was found.

mod bits;
mod gz;
mod xz;
mod zstd;

use anyhow::{Result, bail};
use std::borrow::Cow;

/// No module is larger; a decoder that would write more has been given something else.
pub(super) const LARGEST_MODULE: usize = 16 << 20;

/// Makes a module of its packed form; `None` when that is damaged or has more than the output takes.
type Decoder = fn(&[u8], Decoded) -> Option<Vec<u8>>;

/// Formats by the bytes they begin with.
const FORMATS: [(&[u8], &str, Decoder); 3] = [
    (b"\x1f\x8b", "gzip", gz::decode),
    (b"\xfd7zXZ\0", "xz", xz::decode),
    (b"\x28\xb5\x2f\xfd", "zstd", zstd::decode),
];

/// The module itself. Content in none of the formats is taken as it is.
pub(super) fn decode(content: &[u8]) -> Result<Cow<'_, [u8]>> {
    decode_up_to(content, LARGEST_MODULE)
}

/// The module itself, of so many bytes at most.
fn decode_up_to(content: &[u8], most: usize) -> Result<Cow<'_, [u8]>> {
    for (magic, format, decoder) in FORMATS {
        if content.starts_with(magic) {
            let Some(module) = decoder(content, Decoded::new(most)) else {
                bail!("it is damaged, or {format} of a kind that is not known");
            };
            return Ok(Cow::Owned(module));
        }
    }
    Ok(Cow::Borrowed(content))
}

/// The bytes decoded so far, which later bytes are copied from, and their limit.
struct Decoded {
    bytes: Vec<u8>,
    /// Nothing before this is copied from.
    start: usize,
    most: usize,
}

impl Decoded {
    fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, most }
    }

    fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        if bytes.len() > self.most - self.bytes.len() {
            return None;
        }
        self.bytes.extend_from_slice(bytes);
        Some(())
    }

    /// Repeats `length` bytes from `distance` bytes back; the two may overlap.
    fn repeat(&mut self, distance: usize, length: usize) -> Option<()> {
        if distance == 0 || distance > self.position() || length > self.most - self.bytes.len() {
            return None;
        }
        let from = self.bytes.len() - distance;
        let end = self.bytes.len() + length;
        while self.bytes.len() < end {
            // All from there on repeats: each turn has twice as much to copy.
            let to = self.bytes.len().min(from + end - self.bytes.len());
            self.bytes.extend_from_within(from..to);
        }
        Some(())
    }

    /// The number of bytes that can be copied from.
    fn position(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Forgets what was decoded, for the purpose of copying.
    fn restart(&mut self) {
        self.start = self.bytes.len();
    }
}

#[cfg(test)]
mod tests;

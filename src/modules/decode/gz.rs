//! gzip (RFC 1952): its header. `miniz_oxide` inflates what follows.

use super::Decoded;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Unpacks the first member of a gzip file.
pub(super) fn decode(input: &[u8], output: Decoded) -> Option<Vec<u8>> {
    let rest = input.strip_prefix(b"\x1f\x8b\x08")?;
    let (flags, rest) = rest.split_first()?;
    let mut rest = rest.get(6..)?;
    if flags & 4 != 0 {
        let (size, extra) = rest.split_first_chunk()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*size))..)?;
    }
    // A file name, a comment.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    decompress_to_vec_with_limit(rest, output.most).ok()
}

//! zstd, by the ruzstd crate.

use super::Output;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Unpacks all frames of a zstd file.
pub(super) fn decode(input: &[u8], mut output: Output) -> Option<Vec<u8>> {
    let mut rest = input;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(u64::try_from(output.most).ok()?);
    while !rest.is_empty() {
        decoder.reset(&mut rest).ok()?;
        while !decoder.is_finished() {
            // A block has at most 128 KiB.
            decoder.decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1)).ok()?;
            output.extend(&decoder.collect().unwrap_or_default())?;
        }
    }
    Some(output.bytes)
}

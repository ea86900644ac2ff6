//! The xz container: blocks of LZMA2, the only filter that modules are packed with. `lzma-rust2` decodes them.

use super::Decoded;
use lzma_rust2::{Action, Lzma2Stream, Status};

/// The filter's number in a block's header.
const LZMA2: u8 = 0x21;

/// The largest distance in bytes that copies reach back: no module is larger. Memory is taken as the window fills.
const LARGEST_WINDOW: u32 = 16 << 20;

/// Each takes a window of its own. A module is packed as one, or as one for each processor.
const MOST_BLOCKS: u32 = 256;

/// Unpacks the first stream of an xz file.
pub(super) fn decode(input: &[u8], mut output: Decoded) -> Option<Vec<u8>> {
    let rest = input.strip_prefix(b"\xfd7zXZ\0")?;
    // Behind each block stands a checksum, whose size is told by its kind.
    let checksum = match rest.get(..2)? {
        [0, 0] => 0,
        [0, kind @ 1..16] => 4 << ((kind - 1) / 3),
        _ => return None,
    };
    let mut rest = rest.get(6..)?;
    let mut blocks = 0;
    // Instead of a block's size, the index begins with a 0.
    while let size @ 1.. = usize::from(*rest.first()?) {
        blocks += 1;
        if blocks > MOST_BLOCKS {
            return None;
        }
        let (header, packed) = rest.split_at_checked((size + 1) * 4)?;
        if !only_lzma2(header)? {
            return None;
        }
        let used = chunks(packed, &mut output)?;
        rest = packed.get(used.next_multiple_of(4) + checksum..)?;
    }
    Some(output.bytes)
}

fn only_lzma2(header: &[u8]) -> Option<bool> {
    let (flags, mut fields) = header.get(1..)?.split_first()?;
    let sizes = usize::from((flags >> 6) & 1) + usize::from(flags >> 7);
    for _ in 0..sizes {
        let end = fields.iter().position(|byte| byte & 0x80 == 0)?;
        fields = fields.get(end + 1..)?;
    }
    let filters = (flags & 3) + 1;
    Some(filters == 1 && *fields.first()? == LZMA2)
}

/// Unpacks the chunks of a block; how many bytes they took.
fn chunks(input: &[u8], output: &mut Decoded) -> Option<usize> {
    let mut stream = Lzma2Stream::new(LARGEST_WINDOW);
    let mut buffer = [0; 4096];
    let mut rest = input;
    loop {
        let step = stream.process(rest, &mut buffer, Action::Finish).ok()?;
        output.extend(buffer.get(..step.bytes_produced)?)?;
        rest = rest.get(step.bytes_consumed..)?;
        if step.status == Status::StreamEnd {
            return Some(input.len() - rest.len());
        }
        if step.bytes_consumed + step.bytes_produced == 0 {
            return None;
        }
    }
}

//! The xz container: blocks of LZMA2, the only filter that modules are packed with.

use super::Decoded;
use super::lzma::Lzma;

/// The filter's number in a block's header.
const LZMA2: u8 = 0x21;

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
    // Instead of a block's size, the index begins with a 0.
    while let size @ 1.. = usize::from(*rest.first()?) {
        let (header, packed) = rest.split_at_checked((size + 1) * 4)?;
        if !only_lzma2(header)? {
            return None;
        }
        output.restart();
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
    let mut lzma = Lzma::new();
    let mut rest = input;
    loop {
        let (control, after) = rest.split_first()?;
        rest = after;
        if *control == 0 {
            return Some(input.len() - rest.len());
        }
        if *control == 1 || *control >= 0xe0 {
            output.restart();
        }
        let unpacked = size(&mut rest)?;
        if *control < 0x80 {
            if *control > 2 {
                return None;
            }
            let (chunk, after) = rest.split_at_checked(unpacked)?;
            output.extend(chunk)?;
            rest = after;
            continue;
        }
        let unpacked = (usize::from(control & 0x1f) << 16) + unpacked;
        let packed = size(&mut rest)?;
        if *control >= 0xc0 {
            let (properties, after) = rest.split_first()?;
            lzma.set_properties(*properties)?;
            rest = after;
        }
        if *control >= 0xa0 {
            lzma.reset();
        }
        let (chunk, after) = rest.split_at_checked(packed)?;
        lzma.decode(chunk, unpacked, output)?;
        rest = after;
    }
}

/// Takes a size of two bytes; one less than it stands there.
fn size(rest: &mut &[u8]) -> Option<usize> {
    let (size, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(usize::from(u16::from_be_bytes(*size)) + 1)
}

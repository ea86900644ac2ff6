//! zstd (RFC 8878), without dictionaries.

mod fse;
mod huffman;
mod sequences;

use super::Decoded;
use huffman::Huffman;
use sequences::Sequences;

/// Unpacks all frames of a zstd file.
pub(super) fn decode(input: &[u8], mut output: Decoded) -> Option<Vec<u8>> {
    let mut rest = input;
    while !rest.is_empty() {
        rest = frame(rest.strip_prefix(b"\x28\xb5\x2f\xfd")?, &mut output)?;
    }
    Some(output.bytes)
}

/// Unpacks a frame; what follows it.
fn frame<'a>(input: &'a [u8], output: &mut Decoded) -> Option<&'a [u8]> {
    let (flags, rest) = input.split_first()?;
    // No dictionary, nothing reserved.
    if flags & 0b1011 != 0 {
        return None;
    }
    // The size of the window, or the one of the content instead of it, reserves nothing here.
    let in_one_segment = flags & 0x20 != 0;
    let sizes = match (flags >> 6, in_one_segment) {
        (0, _) => 1,
        (size, true) => 1 << size,
        (size, false) => 1 + (1 << size),
    };
    let checksum = if flags & 4 != 0 { 4 } else { 0 };
    let mut rest = rest.get(sizes..)?;
    output.restart();
    let mut block = Block { huffman: None, sequences: Sequences::new() };
    loop {
        let ([first, second, third], after) = rest.split_first_chunk()?;
        let header = usize::from(*first) | usize::from(*second) << 8 | usize::from(*third) << 16;
        let size = header >> 3;
        let packed = if header & 6 == 2 { 1 } else { size };
        let (content, after) = after.split_at_checked(packed)?;
        match (header >> 1) & 3 {
            0 => output.extend(content)?,
            1 => {
                output.extend(content)?;
                output.repeat(1, size.checked_sub(1)?)?;
            }
            2 => block.unpack(content, output)?,
            _ => return None,
        }
        rest = after;
        if header & 1 != 0 {
            return rest.get(checksum..);
        }
    }
}

/// The state that blocks take over from those before them.
struct Block {
    huffman: Option<Huffman>,
    sequences: Sequences,
}

impl Block {
    fn unpack(&mut self, input: &[u8], output: &mut Decoded) -> Option<()> {
        let (literals, rest) = self.literals(input)?;
        self.sequences.unpack(rest, &literals, output)
    }

    /// The bytes that are not copied from earlier ones, and what follows them.
    fn literals<'a>(&mut self, input: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
        let first = usize::from(*input.first()?);
        let (kind, format) = (first & 3, (first >> 2) & 3);
        if kind < 2 {
            let (bytes, shift) = [(1, 3), (2, 4), (1, 3), (3, 4)].get(format).copied()?;
            let size = number(input, bytes)? >> shift;
            let rest = input.get(bytes..)?;
            if kind == 0 {
                let (literals, rest) = rest.split_at_checked(size)?;
                return Some((literals.to_vec(), rest));
            }
            let (byte, rest) = rest.split_first()?;
            return Some((vec![*byte; size], rest));
        }
        let (bytes, bits) = [(3, 10), (3, 10), (4, 14), (5, 18)].get(format).copied()?;
        let header = number(input, bytes)? >> 4;
        let size = header & ((1 << bits) - 1);
        let (mut packed, rest) = input.get(bytes..)?.split_at_checked(header >> bits)?;
        if kind == 2 {
            let (huffman, streams) = Huffman::read(packed)?;
            self.huffman = Some(huffman);
            packed = streams;
        }
        let huffman = self.huffman.as_ref()?;
        let mut literals = Vec::new();
        if format == 0 {
            huffman.unpack(packed, size, &mut literals)?;
        } else {
            let (sizes, mut streams) = packed.split_at_checked(6)?;
            let quarter = size.div_ceil(4);
            for place in 0..3 {
                let (stream, after) = streams.split_at_checked(number(sizes.get(place * 2..)?, 2)?)?;
                huffman.unpack(stream, quarter, &mut literals)?;
                streams = after;
            }
            huffman.unpack(streams, size.checked_sub(quarter * 3)?, &mut literals)?;
        }
        Some((literals, rest))
    }
}

/// A number of so many bytes, the lowest first.
fn number(input: &[u8], bytes: usize) -> Option<usize> {
    Some(input.get(..bytes)?.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
}

//! gzip (RFC 1952) with deflate (RFC 1951).

use super::Decoded;
use super::bits::Bits;

/// How many bits a length or distance code may have.
const LONGEST_CODE: usize = 15;
/// The order in which the lengths of the code for code lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Unpacks the first member of a gzip file.
pub(super) fn decode(input: &[u8], mut output: Decoded) -> Option<Vec<u8>> {
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
    inflate(Bits::new(rest), &mut output)?;
    Some(output.bytes)
}

fn inflate(mut bits: Bits<'_>, output: &mut Decoded) -> Option<()> {
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, output)?,
            1 => {
                let mut lengths = [8; 288];
                lengths.get_mut(144..256)?.fill(9);
                lengths.get_mut(256..280)?.fill(7);
                block(&mut bits, &Code::new(&lengths), &Code::new(&[5; 30]), output)?;
            }
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                block(&mut bits, &literals, &distances, output)?;
            }
            _ => return None,
        }
        if last {
            return Some(());
        }
    }
}

fn stored(bits: &mut Bits<'_>, output: &mut Decoded) -> Option<()> {
    // The size is there twice, the second time inverted.
    let [low, high, ..] = *bits.bytes(4)?.first_chunk::<4>()?;
    output.extend(bits.bytes(usize::from(u16::from_le_bytes([low, high])))?)
}

fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let written = bits.take(4)? + 4;
    let mut lengths = [0; 19];
    for place in ORDER.into_iter().take(written) {
        *lengths.get_mut(place)? = u8::try_from(bits.take(3)?).ok()?;
    }
    let code = Code::new(&lengths);
    let mut lengths = [0; 320];
    let mut at = 0;
    while at < literals + distances {
        let (length, times) = match code.read(bits)? {
            16 => (*lengths.get(at.checked_sub(1)?)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        lengths.get_mut(at..at + times)?.fill(length);
        at += times;
    }
    let (literals, distances) = lengths.get(..literals + distances)?.split_at_checked(literals)?;
    Some((Code::new(literals), Code::new(distances)))
}

fn block(bits: &mut Bits<'_>, literals: &Code, distances: &Code, output: &mut Decoded) -> Option<()> {
    loop {
        let symbol = literals.read(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            output.push(byte)?;
            continue;
        }
        let length = match symbol - 256 {
            0 => return Some(()),
            short @ 1..=8 => short + 2,
            29 => 258,
            long @ 9..29 => {
                let extra = ((long - 1) >> 2) - 1;
                ((4 | ((long - 1) & 3)) << extra) + 3 + bits.take(extra)?
            }
            _ => return None,
        };
        let distance = match distances.read(bits)? {
            near @ 0..4 => near + 1,
            far @ 4..30 => {
                let extra = (far >> 1) - 1;
                ((2 | (far & 1)) << extra) + 1 + bits.take(extra)?
            }
            _ => return None,
        };
        output.repeat(distance, length)?;
    }
}

/// A canonical Huffman code.
struct Code {
    /// How many symbols have a code of 1 bit, 2 bits and so on.
    counts: [usize; LONGEST_CODE],
    /// Symbols in the order of their codes.
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut symbols = Vec::with_capacity(lengths.len());
        let mut length = 0;
        let counts = [(); LONGEST_CODE].map(|()| {
            length += 1;
            let before = symbols.len();
            let of_this_length = lengths.iter().enumerate().filter(|(_, its)| **its == length);
            symbols.extend(of_this_length.map(|(symbol, _)| symbol));
            symbols.len() - before
        });
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        // The first code of each length follows the last of the length before.
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in self.counts {
            value |= bits.take(1)?;
            if value < first + count {
                return self.symbols.get(index + value - first).copied();
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }
}

//! LZMA as it stands in a chunk of LZMA2.

use super::Decoded;

// Where each kind of decision has its probabilities.
const IS_MATCH: usize = 0;
const IS_REPEATED: usize = 192;
const IS_OLDER: usize = 204;
const IS_THIRD: usize = 216;
const IS_FOURTH: usize = 228;
const IS_LONG: usize = 240;
const SLOT: usize = 432;
const SPECIAL: usize = 688;
const ALIGN: usize = 816;
const LENGTH: usize = 832;
const REPEATED_LENGTH: usize = 1346;
const LITERAL: usize = 1860;
/// Literals have a set of this many for each context, of which there are at most 16.
const LITERAL_SET: usize = 0x300;

/// What is carried over from chunk to chunk.
pub(super) struct Lzma {
    probabilities: Vec<u16>,
    state: usize,
    /// The last four distances.
    distances: [usize; 4],
    /// How many bits of the byte before, of the position for literals, of the position for matches.
    context: (u32, u32, u32),
}

impl Lzma {
    pub(super) fn new() -> Self {
        let probabilities = vec![0; LITERAL + 16 * LITERAL_SET];
        let mut lzma = Self { probabilities, state: 0, distances: [1; 4], context: (0, 0, 0) };
        lzma.reset();
        lzma
    }

    pub(super) fn reset(&mut self) {
        self.probabilities.fill(1 << 10);
        self.state = 0;
        self.distances = [1; 4];
    }

    pub(super) fn set_properties(&mut self, byte: u8) -> Option<()> {
        let byte = u32::from(byte);
        self.context = (byte % 9, byte / 9 % 5, byte / 45);
        let (before, place, matches) = self.context;
        (before + place <= 4 && matches <= 4).then_some(())
    }

    /// Unpacks a chunk into `size` bytes.
    pub(super) fn decode(&mut self, chunk: &[u8], size: usize, output: &mut Decoded) -> Option<()> {
        let (start, input) = chunk.split_first_chunk::<5>()?;
        let [_, code @ ..] = *start;
        let mut range = Range { input, width: u32::MAX, code: u32::from_be_bytes(code) };
        let end = output.bytes.len() + size;
        while output.bytes.len() < end {
            self.step(&mut range, output)?;
        }
        // A match that reaches beyond its chunk is damage.
        (output.bytes.len() == end).then_some(())
    }

    /// Unpacks one literal or match.
    fn step(&mut self, range: &mut Range<'_>, output: &mut Decoded) -> Option<()> {
        let place = output.position() & ((1 << self.context.2) - 1);
        let decisions = self.probabilities.as_mut_slice();
        if range.bit(decisions, IS_MATCH + self.state * 16 + place)? == 0 {
            return self.literal(range, output);
        }
        let [first, second, third, fourth] = self.distances;
        let length;
        if range.bit(decisions, IS_REPEATED + self.state)? == 0 {
            length = range.length(decisions, LENGTH, place)?;
            self.distances = [range.distance(decisions, length)?, first, second, third];
            self.state = if self.state < 7 { 7 } else { 10 };
        } else {
            if range.bit(decisions, IS_OLDER + self.state)? == 0 {
                if range.bit(decisions, IS_LONG + self.state * 16 + place)? == 0 {
                    self.state = if self.state < 7 { 9 } else { 11 };
                    return output.repeat(first, 1);
                }
            } else if range.bit(decisions, IS_THIRD + self.state)? == 0 {
                self.distances = [second, first, third, fourth];
            } else if range.bit(decisions, IS_FOURTH + self.state)? == 0 {
                self.distances = [third, first, second, fourth];
            } else {
                self.distances = [fourth, first, second, third];
            }
            length = range.length(decisions, REPEATED_LENGTH, place)?;
            self.state = if self.state < 7 { 8 } else { 11 };
        }
        let [distance, ..] = self.distances;
        output.repeat(distance, length + 2)
    }

    fn literal(&mut self, range: &mut Range<'_>, output: &mut Decoded) -> Option<()> {
        let (before_bits, place_bits, _) = self.context;
        let before = usize::from(output.back(1).unwrap_or(0)) >> (8 - before_bits);
        let place = output.position() & ((1 << place_bits) - 1);
        let base = LITERAL + LITERAL_SET * ((place << before_bits) + before);
        let decisions = self.probabilities.as_mut_slice();
        let mut symbol = 1;
        if self.state >= 7 {
            // After a match, the byte that would have continued it is a hint, up to the first bit that differs.
            let [distance, ..] = self.distances;
            let mut matched = usize::from(output.back(distance)?);
            let mut hint = 0x100;
            while symbol < 0x100 {
                matched <<= 1;
                let expected = matched & hint;
                let bit = range.bit(decisions, base + hint + expected + symbol)?;
                symbol = symbol << 1 | bit;
                hint &= if bit == 0 { !expected } else { expected };
            }
        }
        while symbol < 0x100 {
            symbol = symbol << 1 | range.bit(decisions, base + symbol)?;
        }
        output.push(u8::try_from(symbol & 0xff).ok()?)?;
        self.state = match self.state {
            0..4 => 0,
            state @ 4..10 => state - 3,
            state => state - 6,
        };
        Some(())
    }
}

/// The range decoder.
struct Range<'a> {
    input: &'a [u8],
    /// How far the code can be from 0; each decision divides it.
    width: u32,
    code: u32,
}

impl Range<'_> {
    fn normalize(&mut self) -> Option<()> {
        if self.width < 1 << 24 {
            let (byte, rest) = self.input.split_first()?;
            self.input = rest;
            self.width <<= 8;
            self.code = self.code << 8 | u32::from(*byte);
        }
        Some(())
    }

    fn bit(&mut self, decisions: &mut [u16], index: usize) -> Option<usize> {
        self.normalize()?;
        let probability = decisions.get_mut(index)?;
        let bound = (self.width >> 11) * u32::from(*probability);
        if self.code < bound {
            self.width = bound;
            *probability += ((1 << 11) - *probability) >> 5;
            Some(0)
        } else {
            self.width -= bound;
            self.code -= bound;
            *probability -= *probability >> 5;
            Some(1)
        }
    }

    /// Bits that are as likely 0 as 1.
    fn even(&mut self, bits: u32) -> Option<usize> {
        let mut value = 0;
        for _ in 0..bits {
            self.normalize()?;
            self.width >>= 1;
            let one = self.code >= self.width;
            if one {
                self.code -= self.width;
            }
            value = value << 1 | usize::from(one);
        }
        Some(value)
    }

    /// A number whose highest bit comes first.
    fn tree(&mut self, decisions: &mut [u16], base: usize, bits: u32) -> Option<usize> {
        let mut node = 1;
        for _ in 0..bits {
            node = node << 1 | self.bit(decisions, base + node)?;
        }
        Some(node - (1 << bits))
    }

    /// A number whose lowest bit comes first.
    fn reverse(&mut self, decisions: &mut [u16], base: usize, bits: u32) -> Option<usize> {
        let (mut node, mut value) = (1, 0);
        for place in 0..bits {
            let bit = self.bit(decisions, base + node)?;
            node = node << 1 | bit;
            value |= bit << place;
        }
        Some(value)
    }

    /// A match's length, less two.
    fn length(&mut self, decisions: &mut [u16], base: usize, place: usize) -> Option<usize> {
        if self.bit(decisions, base)? == 0 {
            return self.tree(decisions, base + 2 + place * 8, 3);
        }
        if self.bit(decisions, base + 1)? == 0 {
            return Some(8 + self.tree(decisions, base + 130 + place * 8, 3)?);
        }
        Some(16 + self.tree(decisions, base + 258, 8)?)
    }

    /// A match's distance; 1 is the last byte.
    fn distance(&mut self, decisions: &mut [u16], length: usize) -> Option<usize> {
        let slot = self.tree(decisions, SLOT + length.min(3) * 64, 6)?;
        if slot < 4 {
            return Some(slot + 1);
        }
        let bits = u32::try_from(slot >> 1).ok()? - 1;
        let base = (2 | (slot & 1)) << bits;
        let rest = if slot < 14 {
            self.reverse(decisions, SPECIAL + base - slot - 1, bits)?
        } else {
            (self.even(bits - 4)? << 4) + self.reverse(decisions, ALIGN, 4)?
        };
        Some(base + rest + 1)
    }
}

//! The Huffman code of literals.

use super::fse::FseTable;
use crate::modules::decode::bits::Backward;

/// The most bits that a code may have.
const LONGEST_CODE: usize = 11;
/// The accuracy that a table of weights may have.
const WEIGHTS_ACCURACY: usize = 6;
/// The most weights that are written; the last symbol's follows from them.
const MOST_WEIGHTS: usize = 255;

pub(super) struct Huffman {
    longest: usize,
    /// The symbol that each number of `longest` bits begins with, and the bits of its code.
    codes: Vec<(u8, usize)>,
}

impl Huffman {
    /// Reads the code's description; what follows it.
    pub(super) fn read(input: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = input.split_first()?;
        let header = usize::from(*header);
        if header < 128 {
            let (packed, rest) = rest.split_at_checked(header)?;
            return Some((Self::new(unpack_weights(packed)?)?, rest));
        }
        let count = header - 127;
        let (packed, rest) = rest.split_at_checked(count.div_ceil(2))?;
        let mut weights: Vec<u8> = packed.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).collect();
        weights.truncate(count);
        Some((Self::new(weights)?, rest))
    }

    fn new(mut weights: Vec<u8>) -> Option<Self> {
        if weights.iter().any(|weight| usize::from(*weight) > LONGEST_CODE) {
            return None;
        }
        let share = |weight: u8| if weight == 0 { 0 } else { 1_usize << (weight - 1) };
        let sum: usize = weights.iter().map(|weight| share(*weight)).sum();
        let longest = usize::try_from(sum.checked_ilog2()?).ok()? + 1;
        let last = (1 << longest) - sum;
        if longest > LONGEST_CODE || !last.is_power_of_two() {
            return None;
        }
        weights.push(u8::try_from(last.ilog2()).ok()? + 1);
        let mut codes = Vec::with_capacity(1 << longest);
        for bits in (1..=longest).rev() {
            for (symbol, weight) in weights.iter().enumerate() {
                if usize::from(*weight) + bits == longest + 1 {
                    let code = (u8::try_from(symbol).ok()?, bits);
                    codes.resize(codes.len() + share(*weight), code);
                }
            }
        }
        Some(Self { longest, codes })
    }

    /// Unpacks a stream of so many symbols.
    pub(super) fn unpack(&self, stream: &[u8], count: usize, literals: &mut Vec<u8>) -> Option<()> {
        let mut bits = Backward::new(stream)?;
        for _ in 0..count {
            let (symbol, length) = self.codes.get(bits.peek(self.longest)).copied()?;
            bits.skip(length)?;
            literals.push(symbol);
        }
        bits.end()
    }
}

/// Two states take turns until the bits are used up.
fn unpack_weights(packed: &[u8]) -> Option<Vec<u8>> {
    let (table, stream) = FseTable::read(packed, WEIGHTS_ACCURACY)?;
    let mut bits = Backward::new(stream)?;
    let mut state = table.start(&mut bits)?;
    let mut other = table.start(&mut bits)?;
    let mut weights = Vec::new();
    while weights.len() < MOST_WEIGHTS {
        weights.push(state.symbol);
        let Some(next) = table.follow(state, &mut bits) else {
            weights.push(other.symbol);
            break;
        };
        state = std::mem::replace(&mut other, next);
    }
    (weights.len() <= MOST_WEIGHTS).then_some(weights)
}

//! Sequences: some literals, then bytes copied from earlier ones.

use super::fse::FseTable;
use super::number;
use crate::modules::decode::Decoded;
use crate::modules::decode::bits::Backward;

/// A kind of code: the number of literals, the distance, or the length of what is copied.
struct SequenceKind {
    /// The accuracy that a table may have.
    most: usize,
    /// The accuracy and the shares of the table that is used when none is written.
    accuracy: usize,
    shares: &'static [i16],
}

const LITERALS: SequenceKind = SequenceKind {
    most: 9,
    accuracy: 6,
    shares: &[
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1,
        -1, -1, -1,
    ],
};
const DISTANCE: SequenceKind = SequenceKind {
    most: 8,
    accuracy: 5,
    shares: &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
};
const LENGTH: SequenceKind = SequenceKind {
    most: 9,
    accuracy: 6,
    shares: &[
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
};

/// The bits that follow the codes for 16 literals and more, and those for a length of 35 and more.
const LITERALS_BITS: [usize; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LENGTH_BITS: [usize; 21] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// The state of sequences that is taken over from block to block.
pub(super) struct Sequences {
    literals: Option<FseTable>,
    distance: Option<FseTable>,
    length: Option<FseTable>,
    /// The last three distances.
    recent: [usize; 3],
}

impl Sequences {
    pub(super) fn new() -> Self {
        Self { literals: None, distance: None, length: None, recent: [1, 4, 8] }
    }

    /// Carries out the sequences of a block.
    pub(super) fn unpack(&mut self, input: &[u8], literals: &[u8], output: &mut Decoded) -> Option<()> {
        let (bytes, count) = match usize::from(*input.first()?) {
            0 => return output.extend(literals),
            few @ 1..128 => (1, few),
            255 => (3, number(input.get(1..)?, 2)? + 0x7f00),
            more => (2, (more - 128) << 8 | usize::from(*input.get(1)?)),
        };
        let (modes, rest) = input.get(bytes..)?.split_first()?;
        let rest = LITERALS.table(modes >> 6, rest, &mut self.literals)?;
        let rest = DISTANCE.table(modes >> 4, rest, &mut self.distance)?;
        let rest = LENGTH.table(modes >> 2, rest, &mut self.length)?;

        let mut bits = Backward::new(rest)?;
        let tables = (self.literals.as_ref()?, self.distance.as_ref()?, self.length.as_ref()?);
        let mut states = (tables.0.start(&mut bits)?, tables.1.start(&mut bits)?, tables.2.start(&mut bits)?);
        let mut literals = literals;
        for left in (0..count).rev() {
            let code = usize::from(states.1.symbol);
            if code > 31 {
                return None;
            }
            let distance = (1 << code) + bits.take(code)?;
            let length = 3 + size(states.2.symbol, 32, &LENGTH_BITS, &mut bits)?;
            let taken = size(states.0.symbol, 16, &LITERALS_BITS, &mut bits)?;
            let (copied, after) = literals.split_at_checked(taken)?;
            output.extend(copied)?;
            literals = after;
            output.repeat(recall(&mut self.recent, distance, taken)?, length)?;
            if left > 0 {
                states.0 = tables.0.follow(states.0, &mut bits)?;
                states.2 = tables.2.follow(states.2, &mut bits)?;
                states.1 = tables.1.follow(states.1, &mut bits)?;
            }
        }
        bits.end()?;
        output.extend(literals)
    }
}

impl SequenceKind {
    /// Puts the table that is to be used into its place; what follows its description.
    fn table<'a>(&self, mode: u8, input: &'a [u8], place: &mut Option<FseTable>) -> Option<&'a [u8]> {
        let (table, rest) = match mode & 3 {
            0 => (FseTable::new(self.accuracy, self.shares)?, input),
            1 => {
                let (symbol, rest) = input.split_first()?;
                (FseTable::of_one(*symbol), rest)
            }
            2 => FseTable::read(input, self.most)?,
            _ => return Some(input),
        };
        *place = Some(table);
        Some(rest)
    }
}

/// The number that a code stands for: itself when it is below `plain`, otherwise with the bits that follow.
fn size(code: u8, plain: usize, bits: &[usize], input: &mut Backward<'_>) -> Option<usize> {
    let code = usize::from(code);
    let Some(place) = code.checked_sub(plain) else { return Some(code) };
    let before: usize = bits.get(..place)?.iter().map(|bits| 1 << bits).sum();
    Some(plain + before + input.take(*bits.get(place)?)?)
}

/// The distance that a value stands for: up to 3 it is one of the last three.
fn recall(recent: &mut [usize; 3], value: usize, literals: usize) -> Option<usize> {
    let [first, second, third] = *recent;
    // Right after another copy the last distance is of no use: the values stand for the next ones.
    *recent = match value - usize::from(literals > 0 || value > 3) {
        0 => [first, second, third],
        1 => [second, first, third],
        2 => [third, first, second],
        3 if value == 3 => [first.checked_sub(1)?, first, second],
        more => [more - 2, first, second],
    };
    let [distance, ..] = *recent;
    Some(distance)
}

//! Finite state entropy: a table whose states stand for symbols, and tell how many bits lead to the next.

use crate::modules::decode::bits::{Backward, Bits};

pub(super) struct FseTable {
    /// 2 to the power of this is how many states there are.
    accuracy: usize,
    states: Vec<FseState>,
}

#[derive(Clone, Copy)]
pub(super) struct FseState {
    pub(super) symbol: u8,
    bits: usize,
    base: usize,
}

impl FseTable {
    /// Reads a table's description; what follows it.
    pub(super) fn read(input: &[u8], most: usize) -> Option<(Self, &[u8])> {
        let mut bits = Bits::new(input);
        let accuracy = bits.take(4)? + 5;
        if accuracy > most {
            return None;
        }
        let mut left = 1_usize << accuracy;
        let mut shares = Vec::new();
        while left > 0 {
            // Numbers up to `left` + 1, the lower ones in one bit less.
            let width = usize::try_from((left + 1).ilog2()).ok()?;
            let short = (2 << width) - (left + 2);
            let mut value = bits.take(width)?;
            if value >= short && bits.take(1)? == 1 {
                value = value + (1 << width) - short;
            }
            // A 0 stands for a share of less than one state, a 1 for none.
            let share = i16::try_from(value).ok()? - 1;
            left = left.checked_sub(usize::from(share.unsigned_abs()))?;
            shares.push(share);
            let mut more = share == 0;
            while more {
                let none = bits.take(2)?;
                shares.resize(shares.len() + none, 0);
                more = none == 3;
            }
        }
        Some((Self::new(accuracy, &shares)?, bits.rest()?))
    }

    /// A table of one state.
    pub(super) fn of_one(symbol: u8) -> Self {
        Self { accuracy: 0, states: vec![FseState { symbol, bits: 0, base: 0 }] }
    }

    /// Spreads symbols over the states by their shares; -1 is a share of less than one.
    pub(super) fn new(accuracy: usize, shares: &[i16]) -> Option<Self> {
        let size = 1_usize << accuracy;
        let mut states = vec![FseState { symbol: 0, bits: 0, base: 0 }; size];
        let mut next = vec![1_usize; shares.len()];
        let mut end = size;
        for (symbol, _) in shares.iter().enumerate().filter(|(_, share)| **share == -1) {
            end = end.checked_sub(1)?;
            states.get_mut(end)?.symbol = u8::try_from(symbol).ok()?;
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut place = 0;
        for (symbol, share) in shares.iter().enumerate() {
            let Ok(share @ 1..) = usize::try_from(*share) else { continue };
            *next.get_mut(symbol)? = share;
            for _ in 0..share {
                states.get_mut(place)?.symbol = u8::try_from(symbol).ok()?;
                place = (place + step) % size;
                while place >= end {
                    place = (place + step) % size;
                }
            }
        }
        for state in &mut states {
            let count = next.get_mut(usize::from(state.symbol))?;
            state.bits = accuracy.checked_sub(usize::try_from(count.checked_ilog2()?).ok()?)?;
            state.base = (*count << state.bits).checked_sub(size)?;
            *count += 1;
        }
        Some(Self { accuracy, states })
    }

    pub(super) fn start(&self, bits: &mut Backward<'_>) -> Option<FseState> {
        self.states.get(bits.take(self.accuracy)?).copied()
    }

    pub(super) fn follow(&self, state: FseState, bits: &mut Backward<'_>) -> Option<FseState> {
        self.states.get(state.base + bits.take(state.bits)?).copied()
    }
}

//! Bits of packed data, read from either end.

/// Reads from the first byte on, the lowest bit of each byte first.
pub(super) struct Bits<'a> {
    input: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// A number whose lowest bit comes first.
    pub(super) fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            value |= bit(self.input, self.at)? << place;
            self.at += 1;
        }
        Some(value)
    }

    /// The bytes that follow the one that was begun.
    pub(super) fn rest(&self) -> Option<&'a [u8]> {
        self.input.get(self.at.div_ceil(8)..)
    }
}

/// Reads from the last byte back to the first.
pub(super) struct Backward<'a> {
    input: &'a [u8],
    /// In bits.
    left: usize,
}

impl<'a> Backward<'a> {
    /// The highest bit that is set marks the end; what stands before it is read.
    pub(super) fn new(input: &'a [u8]) -> Option<Self> {
        let marker = usize::try_from(input.last()?.checked_ilog2()?).ok()?;
        Some(Self { input, left: (input.len() - 1) * 8 + marker })
    }

    /// A number whose highest bit comes first; zeros stand in for what is before the first byte.
    pub(super) fn peek(&self, count: usize) -> usize {
        (1..=count).fold(0, |value, place| {
            let at = self.left.checked_sub(place);
            value << 1 | at.and_then(|at| bit(self.input, at)).unwrap_or(0)
        })
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        Some(())
    }

    pub(super) fn take(&mut self, count: usize) -> Option<usize> {
        let value = self.peek(count);
        self.skip(count)?;
        Some(value)
    }

    /// That everything was read.
    pub(super) fn end(&self) -> Option<()> {
        (self.left == 0).then_some(())
    }
}

fn bit(input: &[u8], at: usize) -> Option<usize> {
    Some(usize::from((input.get(at / 8)? >> (at % 8)) & 1))
}

//! Small blocks come from the front of a fixed piece, and only the last of them goes back: most calls of the program end
//! before it is used up, and keeping accounts, as musl's allocator does, is a seventh of the code that they run. What is
//! large, or comes later, is musl's.
#![allow(unsafe_code, reason = "an allocator can be made in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// In bytes; pages that are never touched take no memory.
const PIECE: usize = 64 << 10;

/// Larger blocks are musl's.
const LARGE: usize = 8 << 10;

/// What each block's address is a multiple of.
const ALIGNMENT: usize = 16;

pub(crate) struct Allocator {
    /// The memory, in elements with the blocks' alignment.
    piece: UnsafeCell<[u128; PIECE / ALIGNMENT]>,
    /// How much of it was given out.
    given: AtomicUsize,
}

// SAFETY: `given` is changed in one step, so that no two blocks overlap; the allocator itself reads none of them.
unsafe impl Sync for Allocator {}

impl Allocator {
    #[expect(clippy::large_stack_arrays, reason = "it is made when the program is compiled")]
    pub(crate) const fn new() -> Self {
        Self { piece: UnsafeCell::new([0; PIECE / ALIGNMENT]), given: AtomicUsize::new(0) }
    }

    /// Where in the piece a block begins; `None`: it is musl's.
    fn place(&self, block: *mut u8) -> Option<usize> {
        (block as usize).checked_sub(self.piece.get() as usize).filter(|place| *place < PIECE)
    }

    /// Resizes the newest block in place. False if it is not the newest or does not fit.
    fn is_resized(&self, place: usize, from: usize, to: usize) -> bool {
        let ends = |size: usize| place + size.next_multiple_of(ALIGNMENT);
        to < LARGE
            && ends(to) <= PIECE
            && self.given.compare_exchange(ends(from), ends(to), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

// SAFETY: a block is in the piece, where it overlaps no other that is in use, or musl's; its address says which.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size().next_multiple_of(ALIGNMENT);
        if size < LARGE && layout.align() <= ALIGNMENT {
            let taken = self.given.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |given| {
                Some(given + size).filter(|end| *end <= PIECE)
            });
            if let Ok(place) = taken {
                // SAFETY: the block ends inside the piece.
                return unsafe { self.piece.get().cast::<u8>().add(place) };
            }
        }
        // SAFETY: the caller's promises are those that musl's wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.place(block) {
            Some(place) => drop(self.is_resized(place, layout.size(), 0)),
            // SAFETY: it came from there, with this layout.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(block) else {
            // SAFETY: as in `dealloc`.
            return unsafe { System.realloc(block, layout, size) };
        };
        if self.is_resized(place, layout.size(), size) {
            return block;
        }
        // SAFETY: the new block is another one, and as large as what is copied into it.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn the_last_block_grows_in_its_place_and_goes_back() {
        let own = Allocator::new();
        // SAFETY: each block is used as it was asked for, and not after it went back.
        unsafe {
            let first = own.alloc(layout(5));
            let last = own.alloc(layout(5));
            last.write_bytes(7, 5);
            assert_eq!(last as usize - first as usize, ALIGNMENT);
            assert_eq!(own.realloc(last, layout(5), 500), last);
            assert_ne!(own.realloc(first, layout(5), 50), first, "it is not the last");
            own.dealloc(last, layout(500));
            assert_ne!(own.alloc(layout(5)), last, "the copy of the first is behind it");
        }
    }

    #[test]
    fn what_is_large_or_comes_late_is_musls() {
        let own = Allocator::new();
        // SAFETY: as above.
        unsafe {
            let mut inside = 0;
            loop {
                let block = own.alloc(layout(1000));
                block.write_bytes(1, 1000);
                if own.place(block).is_none() {
                    own.dealloc(block, layout(1000));
                    break;
                }
                inside += 1;
            }
            assert_eq!(inside, PIECE / 1008);
            let large = own.alloc(layout(LARGE));
            assert!(own.place(large).is_none());
            own.dealloc(large, layout(LARGE));
        }
    }

    #[test]
    fn what_outgrows_the_piece_keeps_what_is_in_it() {
        let own = Allocator::new();
        // SAFETY: as above.
        unsafe {
            let mut block = own.alloc(layout(1));
            block.write(42);
            let mut size = 1;
            while size < PIECE * 4 {
                block = own.realloc(block, layout(size), size * 2);
                size *= 2;
                assert_eq!(block.read(), 42);
            }
            assert!(own.place(block).is_none());
            block = own.realloc(block, layout(size), 3);
            assert_eq!(block.read(), 42);
            own.dealloc(block, layout(3));
            assert_eq!(own.given.load(Ordering::Relaxed), 0, "all of the piece is free again");
        }
    }

    #[test]
    fn zeroes_are_asked_for_where_others_were() {
        let own = Allocator::new();
        // SAFETY: as above.
        unsafe {
            let block = own.alloc(layout(64));
            block.write_bytes(1, 64);
            own.dealloc(block, layout(64));
            let again = own.alloc_zeroed(layout(64));
            assert_eq!(again, block);
            assert!((0..64).all(|place| again.add(place).read() == 0));
        }
    }
}

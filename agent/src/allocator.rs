//! The allocator. dlmalloc gives small blocks, for musl's own goes to the kernel a thousand times in a large
//! configuration. musl gives large blocks, which grow in their place and go back when they are free.
#![allow(unsafe_code, reason = "an allocator can be made in no other way")]

use dlmalloc::GlobalDlmalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// In bytes; who gave a block can be told by its size.
const LARGE: usize = 256 << 10;

pub(crate) struct Allocator;

// SAFETY: each block goes back, with its layout, to the one of two allocators that gave it.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that both allocators want.
        unsafe { if layout.size() < LARGE { GlobalDlmalloc.alloc(layout) } else { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe {
            if layout.size() < LARGE {
                GlobalDlmalloc.alloc_zeroed(layout)
            } else {
                System.alloc_zeroed(layout)
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`; the size says who gave the block.
        unsafe {
            if layout.size() < LARGE {
                GlobalDlmalloc.dealloc(block, layout);
            } else {
                System.dealloc(block, layout);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`; the new block is as large as what is copied into it, and another one.
        unsafe {
            match (layout.size() < LARGE, size < LARGE) {
                (true, true) => GlobalDlmalloc.realloc(block, layout, size),
                (false, false) => System.realloc(block, layout, size),
                _ => {
                    let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                    if !new.is_null() {
                        ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    new
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_grows_and_shrinks_keeps_what_is_in_it() {
        let mut bytes: Vec<u8> = Vec::new();
        for size in [10, 1 << 10, 1 << 18, 1 << 20, 1 << 18, (1 << 18) - 1, 5] {
            let kept = bytes.len().min(size);
            bytes.resize(size, 7);
            bytes.shrink_to_fit();
            assert!(bytes.iter().take(kept).all(|byte| *byte == 7), "{size}");
            assert_eq!(bytes.len(), size);
        }
        assert!(vec![0_u8; 1 << 20].iter().all(|byte| *byte == 0));
    }
}

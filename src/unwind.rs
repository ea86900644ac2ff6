//! In libunwind's place: the program carries no tables to unwind by (`src/discard.ld`), so there is nothing for it to
//! do. std's code that prints a backtrace, a quarter of the program, has no caller and is left out at link time. A
//! panic still says where and why.
#![allow(unsafe_code, reason = "the names are libunwind's")]

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`
const END_OF_STACK: c_int = 5;

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_trace: *const c_void, _data: *const c_void) -> c_int {
    END_OF_STACK
}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_GetIPInfo(_context: *const c_void, _before: *mut c_int) -> usize {
    0
}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_GetDataRelBase(_context: *const c_void) -> usize {
    0
}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_GetTextRelBase(_context: *const c_void) -> usize {
    0
}

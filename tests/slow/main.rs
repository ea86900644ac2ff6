//! The tests that take seconds: time that passes, a fault at each system call, hundreds of damaged images. `cargo test`
//! leaves them out; `cargo test --test slow` runs them, and so does `cargo vm test`.

#![expect(clippy::disallowed_methods, reason = "these tests start the program")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod attached;
mod damage;
mod disks;
mod faults;
#[path = "../boot/namespace.rs"]
mod namespace;
#[allow(dead_code, reason = "the tests in the other folder use the rest")]
#[path = "../boot/scratch.rs"]
mod scratch;
#[allow(dead_code, reason = "the tests in the other folder use the rest")]
#[path = "../boot/trees.rs"]
mod trees;
mod usable;
mod waits;

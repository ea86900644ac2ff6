//! The boot program from outside: the real binary on a scratch initramfs and root, in a mount namespace of its
//! own. As root `unshare -m` makes it, otherwise `unshare -Urm`.

#![expect(clippy::disallowed_methods, reason = "these tests start the program")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod include;
mod layouts;
mod modules;
mod namespace;
mod rescue;
#[allow(dead_code, reason = "the tests in the other folder use the rest")]
mod scratch;
mod seed;
mod settings;
#[allow(dead_code, reason = "the tests in the other folder use the rest")]
mod trees;
mod usage;

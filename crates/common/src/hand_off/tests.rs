//! Any text can be read as each of the files, and what was read and written once does not change any more.

use super::*;
use std::fmt::Debug;

/// The pieces that files are made of here; the keys are those of all three.
const PIECES: [&str; 48] = [
    "SOURCE=",
    "SEED_FROM=",
    "LOCAL_HOSTNAME=",
    "INSTANCE_ID=",
    "CLOUD_CONFIG_URL=",
    "REFUSED=",
    "BOOTED=",
    "REASON=",
    "DEVICE=",
    "TYPE=",
    "LABEL=",
    "ORIGINAL_ROOT=",
    "ORIGINAL_TYPE=",
    "ORIGINAL_UUID=",
    "LOOKED_AT=",
    "FAILED=",
    "WAITED_UNTIL=",
    "RELEASE=",
    "LAYOUT=",
    "MOVED=",
    "WAY=",
    "BYTES=",
    "rescue",
    "own-root",
    "overlay",
    "copy",
    "12",
    "nocloud",
    "http://x/",
    "/dev/vda",
    "a_b",
    "\n",
    "\n",
    "\n",
    "\n",
    "\"",
    "\"",
    "'",
    "\\",
    " ",
    " #",
    "$",
    "`",
    "=",
    "\u{1b}",
    "\u{202e}",
    "\r",
    "export ",
];

/// The next number of a fixed sequence (splitmix64).
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut number = *state;
    number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from(number >> 33).unwrap()
}

fn check<File: HandOff + PartialEq + Debug>(text: &str) {
    let once = File::parse(&File::parse(text).render());
    let written = once.render();
    assert_eq!(File::parse(&written), once, "{text:?}");
    let mut keys: Vec<&str> = written.lines().map(|line| line.split_once('=').unwrap().0).collect();
    let is_key = |key: &&str| key.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    assert!(keys.iter().all(is_key), "{text:?}: {written:?}");
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "{text:?}: {written:?}");
}

#[test]
fn whatever_is_read_is_written_so_that_it_is_read_again() {
    let mut state = 1;
    for _ in 0..5_000 {
        let pieces = (0..random(&mut state) % 24).map(|_| PIECES[random(&mut state) % PIECES.len()]);
        let text: String = pieces.collect();
        check::<Seed>(&text);
        check::<Rescue>(&text);
        check::<Modules>(&text);
    }
}

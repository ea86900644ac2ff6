//! Hostile bytes as a whole seed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_agent::hostile::process(data));

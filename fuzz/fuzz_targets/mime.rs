//! Hostile bytes as user-data that includes nothing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_agent::hostile::mime(data));

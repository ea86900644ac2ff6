//! Hostile bytes as compressed data.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_agent::hostile::unpack(data));

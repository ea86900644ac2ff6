//! Hostile bytes as configurations that are merged.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_agent::hostile::merge(data));

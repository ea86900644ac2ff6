//! Hostile bytes as texts in YAML.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_agent::hostile::yaml(data));

//! `cargo vm`: the harness's command line.

fn main() {}

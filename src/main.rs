//! The boot program.

fn main() {}

//! The harness: builds guests, boots them in QEMU, tests and measures.

//! The agent from outside: the real binary on scratch roots, with a server of our own on the loopback.

#![expect(clippy::disallowed_methods, reason = "the agent is started as a program")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod analyze;
mod boots;
mod changes;
mod cloud_init;
mod commands;
mod deviations;
mod durability;
mod fetching;
mod guestinfo;
mod installer;
mod known;
mod machine;
mod memory;
mod modes;
mod modules;
mod modules_proof;
mod modules_url;
mod named;
#[path = "../../../tests/boot/namespace.rs"]
mod namespace;
mod parts;
mod people;
mod pipeline;
mod rescue;
mod secrets;
mod server;
mod settings;
mod sources;
mod storage;
mod system_config;
mod takeover;
mod tarball;
mod transport;
mod vendor;
mod volumes;
mod work;

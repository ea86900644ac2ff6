//! `cargo vm`: the harness's command line.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use lifeboat_qemu::args::Cli;

fn main() -> ExitCode {
    match lifeboat_qemu::dispatch(&Cli::parse().command) {
        Ok(code) => code,
        Err(err) => {
            drop(writeln!(std::io::stderr(), "cargo vm: {err:#}"));
            ExitCode::FAILURE
        }
    }
}

//! `cargo vm run`: a Debian guest with its console on the terminal.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::args::RunArgs;
use crate::disk::Disk;
use crate::guest::{Guests, PASSWORD};
use crate::phase;
use crate::seed_server::SeedServer;
use crate::vm::Machine;

/// Boots it and waits for its end.
pub fn run(args: &RunArgs) -> Result<ExitCode> {
    let guests = Guests::build()?;
    let mut machine =
        Machine::new(&guests).kernel(args.kernel).disk(Disk::Image(guests.debian_root())).reboots();
    if args.rescue {
        machine = machine.disk(Disk::Image(guests.debian_rescue()));
    }
    // Serves until the guest has ended.
    let seed = args.seed.as_deref().map(SeedServer::of_folder).transpose()?;
    if let Some(seed) = &seed {
        machine = machine.parameter(&format!("lifeboat.seed={}", seed.url()));
    }
    if let Some(text) = &args.append {
        machine = machine.parameter(text);
    }
    phase::say(&format!(
        "log in as root, password {PASSWORD}; ctrl-a x ends qemu; what is written is not kept"
    ));
    let status = machine.boot_here()?;
    if !status.success() {
        bail!("qemu ended with {status}");
    }
    Ok(ExitCode::SUCCESS)
}

//! The agent: finds a guest's user-data and carries it out.

mod args;

use args::{Arguments, BAD_USAGE};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked_for = !error.use_stderr();
            let printed = error.print().is_ok();
            return if asked_for && printed { ExitCode::SUCCESS } else { ExitCode::from(BAD_USAGE) };
        }
    };
    drop(arguments.command);
    ExitCode::SUCCESS
}

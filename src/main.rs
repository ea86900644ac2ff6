//! The boot program: each journey (rescue, modules, seed) is a process of its own, called by its own line
//! in an initramfs's stage script.

#![cfg_attr(fuzzing, no_main, allow(dead_code, reason = "fuzz/ has an entry of its own"))]

mod args;
mod baked;
mod consoles;
mod ffi;
mod files;
mod fstab;
mod include;
mod initramfs_tools;
mod kmsg;
mod modules;
mod mounts;
mod outcome;
mod rescue;
mod root;
mod seed;
mod state;
#[cfg(target_env = "musl")]
mod unwind;
mod volume;

use anyhow::Context;
use args::{Invocation, Journey};
use lifeboat_common::command_line::CommandLine;
use outcome::{Mode, Outcome};
use std::path::PathBuf;
use std::process::ExitCode;

/// In seconds. A journey takes well under one; one that is stuck, on a device that does not answer, must not
/// hold up the boot for good.
const LONGEST_JOURNEY: u32 = 30;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| match env!("CARGO_BIN_NAME") {
    "module" => modules::hostile::check(data),
    _ => rescue::hostile::check(data),
});

fn main() -> ExitCode {
    let (journey, mode) = match args::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Run { journey, mode }) => (journey, mode),
        Ok(Invocation::Include { release, destination, mode }) => {
            include::run(&release, &destination, mode);
            return ExitCode::SUCCESS;
        }
        Ok(Invocation::Later(mode)) => return later(mode),
        Ok(Invocation::Name(scripts)) => return kmsg::print(&those_there(&scripts)),
        Ok(Invocation::Print(text)) => return kmsg::print(&text),
        Err(error) => {
            kmsg::complain(&format!("{error:#}; try `lifeboat --help`"));
            return ExitCode::from(2);
        }
    };
    ffi::end_after(LONGEST_JOURNEY);
    match run(&journey, mode) {
        Ok(outcome) => outcome.report(journey.name(), mode),
        Err(error) => {
            kmsg::log(kmsg::LogLevel::Error, journey.name(), &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Arranges the calls after all other scripts. The journeys called then can each be switched off.
fn later(mode: Mode) -> ExitCode {
    match mode {
        Mode::DryRun => kmsg::print("rescue last and modules are called after all other scripts\n"),
        Mode::Apply => match initramfs_tools::call_us_last() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                kmsg::log(kmsg::LogLevel::Error, "modules", &format!("{error:#}"));
                ExitCode::FAILURE
            }
        },
    }
}

/// A script that never runs would be moved behind all others by one that is to come after it.
fn those_there(scripts: &[PathBuf]) -> String {
    let there = scripts.iter().filter(|script| script.try_exists().unwrap_or(false));
    there.filter_map(|script| script.file_name()).map(|name| name.to_string_lossy() + "\n").collect()
}

fn run(journey: &Journey, mode: Mode) -> anyhow::Result<Outcome> {
    let line = files::read("/proc/cmdline")?.context("read /proc/cmdline: it is not there")?;
    let line = CommandLine::parse(&String::from_utf8_lossy(&line));
    if let Some(parameter) = line.switched_off(journey.name()) {
        return Ok(Outcome::Skipped(format!("{parameter} is on the kernel command line")));
    }
    match journey {
        Journey::RescuePremount => rescue::premount::run(&line, mode),
        Journey::RescueBlock(missing) => rescue::block::run(&line, missing, mode),
        Journey::RescueWait(message) => rescue::wait::run(&line, message, mode),
        Journey::RescueResolve(devices) => rescue::resolve::run(&line, devices),
        Journey::RescueMounted => rescue::mounted::run(mode),
        Journey::RescueMountedUsr => rescue::mounted::run_with_usr(),
        Journey::RescueBottom => rescue::bottom::run(&line, mode),
        Journey::RescueLast => rescue::last::run(&line, mode),
        Journey::Modules => modules::run(&line, mode),
        Journey::Seed => seed::run(&line, mode),
    }
}

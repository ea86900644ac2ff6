//! The agent: finds a guest's user-data and carries it out.

#![cfg_attr(fuzzing, no_main, allow(dead_code, reason = "fuzz/ has an entry of its own"))]

mod accounts;
#[cfg(not(fuzzing))]
mod allocator;
mod apply;
mod args;
mod changes;
mod clean;
mod cloud_init;
mod codec;
mod command_line;
#[cfg(test)]
mod completions;
mod date;
mod dmi;
mod dry_run;
mod fetch;
mod generator;
mod handlers;
mod instance;
mod instance_data;
mod jinja;
mod json;
mod layout;
mod meta_data;
mod modules;
mod os_release;
mod ovf_environment;
mod part_handler;
mod plan;
mod query;
mod record;
mod report;
mod rescue;
mod root;
mod search;
mod seed;
mod sources;
mod stages;
mod status;
mod switch;
mod system_config;
mod system_info;
#[cfg(test)]
mod table;
mod user_data;
mod validate;
mod volume;
mod yaml;

use anyhow::Result;
use args::{Arguments, BAD_USAGE, Command};
use report::Report;
use root::Root;
use std::process::ExitCode;
use std::time::Duration;

#[cfg(not(fuzzing))]
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| match env!("CARGO_BIN_NAME") {
    "mime" => user_data::hostile::mime(data),
    "yaml" => yaml::hostile::check(data),
    "unpack" => user_data::hostile::unpack(data),
    "merge" => user_data::hostile::merge(data),
    _ => stages::hostile::check(data),
});

fn main() -> ExitCode {
    let mut report = Report::default();
    let ran = match cloud_init::Name::called() {
        Some(name) => cloud_init::run(name, &mut report),
        None => match args::parse::<Arguments>(BAD_USAGE) {
            Ok(arguments) => run(arguments.command, &mut report),
            Err(code) => return code,
        },
    };
    match report.take(ran) {
        Some(code) if report.errors.is_empty() => code,
        _ => ExitCode::FAILURE,
    }
}

fn run(command: Command, report: &mut Report) -> Result<ExitCode> {
    match command {
        Command::Local(place) => {
            stage(record::LOCAL, &Root::open(&place.root)?, report, |root, report| {
                stages::local(root, report).map(|()| None)
            })?;
        }
        Command::Network { place, budget } => {
            stage(record::NETWORK, &Root::open(&place.root)?, report, |root, report| {
                stages::network(root, Duration::from_secs(budget), report)
            })?;
        }
        Command::Final(place) => {
            stage(record::FINAL, &Root::open(&place.root)?, report, |root, report| {
                stages::last(root, report).map(|()| None)
            })?;
        }
        Command::Status { options, place } => {
            return Ok(ExitCode::from(status::run(&options, &Root::open(&place.root)?)?));
        }
        Command::Query { options, place } => query::run(&options, &Root::open(&place.root)?)?,
        Command::Diff(place) => report::print(&changes::diff(&Root::open(&place.root)?)?),
        Command::Clean { options, place } => clean::run(&options, &Root::open(&place.root)?, report)?,
        Command::Sources { place, budget } => {
            let root = Root::open(&place.root)?;
            report::print(&search::describe(&root, Duration::from_secs(budget), report)?);
        }
        Command::Plan { place, files } => {
            report::print(&dry_run::plan(&files, &Root::open(&place.root)?)?);
        }
        Command::Validate { files, json, place } => {
            let reader = if json { validate::For::Programs } else { validate::For::People };
            let is_valid = validate::run(&files, reader, &Root::open(&place.root)?)?;
            return Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Process { seed, place } => stages::process(&seed, &Root::open(&place.root)?, report)?,
        Command::Modules(command) => modules::run(&command, report)?,
        Command::Rescue(command) => return rescue::run(command, report),
        Command::Generator { directories, place } => {
            if let Some(directory) = directories.first() {
                generator::generate(directory, &Root::open(&place.root)?)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a stage of the boot and records it, also when it fails.
fn stage(
    name: &'static str,
    root: &Root,
    report: &mut Report,
    work: impl FnOnce(&Root, &mut Report) -> Result<Option<String>>,
) -> Result<()> {
    if let Some(reason) = switch::Switch::person(root)? {
        report.info(&format!("switched off: {reason}"));
        return Ok(());
    }
    // A disk that cannot take the record may still take the user's keys.
    report.take(record::start(name, root));
    let worked = work(root, report);
    let source = report.take(worked).flatten();
    record::finish(name, source.as_deref(), report, root)
}

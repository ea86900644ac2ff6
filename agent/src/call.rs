//! The call of the program: a command of its own, or one of cloud-init's programs.

use crate::args::{self, AgentArguments, AgentCommand, BAD_USAGE};
use crate::report::{self, Report};
use crate::root::Root;
use crate::{
    analyze, apply, changes, clean, cloud_init, dry_run, generator, modules, query, record, rescue, search,
    stages, status, switch, trace, validate,
};
use anyhow::Result;
use std::process::ExitCode;
use std::time::Duration;

/// One call of the program.
#[derive(Debug)]
pub struct Call(Asked);

#[derive(Debug)]
enum Asked {
    Agent(AgentCommand),
    CloudInit(cloud_init::Name),
}

impl Call {
    /// Reads the program's name and arguments. Help, or what is wrong with the arguments, is printed; the program
    /// ends with the exit code.
    pub fn read() -> Result<Self, ExitCode> {
        Ok(Self(match cloud_init::Name::called() {
            Some(name) => Asked::CloudInit(name),
            None => Asked::Agent(args::parse::<AgentArguments>(BAD_USAGE)?.command),
        }))
    }

    /// Does what the program is called for.
    pub fn run(self, report: &mut Report) -> Result<ExitCode> {
        match self.0 {
            Asked::Agent(command) => run(command, report),
            Asked::CloudInit(name) => cloud_init::run(name, report),
        }
    }
}

fn run(command: AgentCommand, report: &mut Report) -> Result<ExitCode> {
    match command {
        AgentCommand::Local(place) => {
            stage(record::LOCAL, &Root::open(&place.root)?, report, |root, report| {
                stages::local(root, report).map(|()| None)
            })?;
        }
        AgentCommand::Network { place, budget } => {
            stage(record::NETWORK, &Root::open(&place.root)?, report, |root, report| {
                stages::network(root, Duration::from_secs(budget), report)
            })?;
        }
        AgentCommand::Config(place) => {
            stage(record::CONFIG, &Root::open(&place.root)?, report, |root, report| {
                stages::config(root, report).map(|()| None)
            })?;
        }
        AgentCommand::Final(place) => {
            stage(record::FINAL, &Root::open(&place.root)?, report, |root, report| {
                stages::last(root, report).map(|()| None)
            })?;
        }
        AgentCommand::Status { options, place } => {
            return Ok(ExitCode::from(status::run(&options, &Root::open(&place.root)?)?));
        }
        AgentCommand::Analyze { what, place } => {
            return Ok(ExitCode::from(analyze::run(what, &Root::open(&place.root)?, report)?));
        }
        AgentCommand::Query { options, place } => query::run(&options, &Root::open(&place.root)?)?,
        AgentCommand::Diff(place) => report::print(&changes::diff(&Root::open(&place.root)?)?),
        AgentCommand::Clean { options, place } => clean::run(&options, &Root::open(&place.root)?, report)?,
        AgentCommand::Single { options, place } => {
            stages::single(&options, &Root::open(&place.root)?, report)?;
        }
        AgentCommand::Sources { place, budget } => {
            let root = Root::open(&place.root)?;
            report::print(&search::describe(&root, Duration::from_secs(budget), report)?);
        }
        AgentCommand::Plan { place, files } => {
            let root = Root::open(&place.root)?;
            if root.is_live() && !files.is_empty() {
                report.info("planned for this machine: its users, groups and configuration (--root DIR names another)");
            }
            report::print(&dry_run::plan(&files, &root)?);
        }
        AgentCommand::Validate { files, json, place } => {
            let reader = if json { validate::Audience::Programs } else { validate::Audience::People };
            let is_valid = validate::run(&files, reader, &Root::open(&place.root)?)?;
            return Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        AgentCommand::Process { seed, place } => stages::process(&seed, &Root::open(&place.root)?, report)?,
        AgentCommand::Modules(command) => modules::run(&command, report)?,
        AgentCommand::Rescue(command) => return rescue::run(command, report),
        AgentCommand::Generator { directories, place } => {
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
    report.stage = name;
    let begun = trace::Begun::now(trace::Kind::Stage, name, report);
    let worked = work(root, report);
    let source = report.take(worked).flatten();
    begun.end(trace::Did::Something, report, root);
    let recorded = record::finish(name, source.as_deref(), report, root);
    apply::change_power(report);
    recorded
}

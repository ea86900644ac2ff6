//! `modules`: the running kernel's modules, which lifeboat exported from the initramfs, and the kernel packages
//! that are installed and removed while they are there.

mod apply;
mod carry;
mod disk;
mod facts;
mod plan;

use crate::args::ModulesCommand;
use crate::layout;
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result};
use facts::{Facts, Tree};
use plan::Plan;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::process::ExitCode;

/// Carries a command out.
pub(crate) fn run(command: &ModulesCommand, report: &mut Report) -> Result<ExitCode> {
    let root = Root::open(&command.place().root)?;
    let Some(text) = root.read_text(layout::MODULES)? else {
        // Also said to no one: each kernel package calls this, on machines that never export as well.
        return Ok(ExitCode::SUCCESS);
    };
    if !root.is_live() {
        report.info("not on this root: mounts are those of the running system");
        return Ok(ExitCode::SUCCESS);
    }
    // The unit at boot and a dpkg trigger may come at the same time.
    let lock = File::open(root.show(layout::MODULES)).context("open the lock")?;
    flock(&lock, FlockOperation::LockExclusive).context("wait for another `lifeboat-agent modules`")?;
    let mut facts = Facts::gather(&text, &root)?;
    apply::tidy(&facts);
    match command {
        ModulesCommand::Settle(_) => settle(&facts, report)?,
        ModulesCommand::Aside { version, .. } => {
            if facts.tree == Tree::Covered {
                // Whatever kernel it is: what dpkg unpacks now is to reach the disk.
                settle(&facts, report)?;
                facts = Facts::gather(&text, &root)?;
            }
            carry_out(plan::aside(&facts, version), &facts, report)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn settle(facts: &Facts, report: &mut Report) -> Result<()> {
    carry_out(plan::settle(facts), facts, report)
}

fn carry_out(plan: Plan, facts: &Facts, report: &mut Report) -> Result<()> {
    match &plan {
        Plan::Nothing(_) => report.info(&plan.to_string()),
        Plan::Left(_) => report.warn(plan.to_string()),
        Plan::Do(steps) => {
            apply::apply(steps, facts)?;
            report.info(&plan.to_string());
        }
    }
    Ok(())
}

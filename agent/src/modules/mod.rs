//! `modules`: the running kernel's modules, which lifeboat exported from the initramfs or which are on the network.
//! Kernel packages may be installed and removed while exported ones are there.

mod apply;
mod carry;
mod disk;
mod facts;
pub(crate) mod fetch;
mod local;
mod plan;

use crate::args::ModulesCommand;
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result};
use disk::Disk;
use facts::{ModulesFacts, Tree};
use lifeboat_common::hand_off::{HandOff, Modules};
use plan::ModulesPlan;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::time::Duration;

/// Carries a command out.
pub(crate) fn run(command: &ModulesCommand, report: &mut Report) -> Result<()> {
    let root = Root::open(&command.place().root)?;
    match command {
        ModulesCommand::Settle(_) => settle(&root, report),
        ModulesCommand::Aside { version, .. } => aside(version, &root, report),
        ModulesCommand::Fetch { budget, .. } => fetch::fetch(Duration::from_secs(*budget), &root, report),
    }
}

/// Brings the disk's directory back into use, and the export to where it belongs.
fn settle(root: &Root, report: &mut Report) -> Result<()> {
    let Some(export) = Export::find(root)? else { return Ok(()) };
    let _lock = export.lock()?;
    let mut facts = export.facts()?;
    apply::tidy(&facts);
    let plan = plan::settle(&facts);
    let changes = matches!(plan, ModulesPlan::Do(_));
    carry_out(plan, &facts, report)?;
    if changes {
        facts = export.facts()?;
    }
    plan::keep(&facts).map_or(Ok(()), |plan| carry_out(plan, &facts, report))
}

/// Makes the export of a release give way to changes of the disk's tree, until `settle`.
fn aside(release: &str, root: &Root, report: &mut Report) -> Result<()> {
    let Some(export) = Export::find(root)? else { return Ok(()) };
    let _lock = export.lock()?;
    let mut facts = export.facts()?;
    apply::tidy(&facts);
    if facts.tree == Tree::Covered {
        // Whatever kernel it is: what is written now is to reach the disk.
        carry_out(plan::settle(&facts), &facts, report)?;
        facts = export.facts()?;
    }
    carry_out(plan::aside(&facts, release), &facts, report)
}

/// The disk that holds the trees, without what lifeboat mounted there.
fn disk(root: &Root) -> Result<Disk> {
    match Export::find(root)? {
        Some(export) => {
            let facts = export.facts()?;
            Disk::open(facts.cover.as_deref(), &facts.place)
        }
        None => Disk::visible(root),
    }
}

/// The modules that lifeboat exported in this boot.
struct Export<'a> {
    modules: Modules,
    root: &'a Root,
}

impl<'a> Export<'a> {
    /// `None` where there is none: each kernel package asks, on machines that never export as well. It is also `None`
    /// on a root that is not the running system's, which has no mounts.
    fn find(root: &'a Root) -> Result<Option<Self>> {
        if !root.is_live() {
            return Ok(None);
        }
        Ok(root.read_text(Modules::PATH)?.map(|text| Self { modules: Modules::parse(&text), root }))
    }

    /// The unit at boot and a dpkg trigger may come at the same time.
    fn lock(&self) -> Result<File> {
        let lock = File::open(self.root.show(Modules::PATH)).context("open the lock")?;
        flock(&lock, FlockOperation::LockExclusive).context("wait for another `lifeboat-agent modules`")?;
        Ok(lock)
    }

    fn facts(&self) -> Result<ModulesFacts> {
        ModulesFacts::gather(&self.modules, self.root)
    }
}

fn carry_out(plan: ModulesPlan, facts: &ModulesFacts, report: &mut Report) -> Result<()> {
    match &plan {
        ModulesPlan::Nothing(_) => report.info(&plan.to_string()),
        ModulesPlan::Left(_) => report.warn(plan.to_string()),
        ModulesPlan::Do(steps) => {
            apply::apply(steps, facts)?;
            report.info(&plan.to_string());
        }
    }
    Ok(())
}

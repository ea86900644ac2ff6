//! Gives the root the running kernel's modules (`EC2UpgradesSpec`, "Keep modules in filesystem in sync with booted
//! kernel"). The initramfs's tree appears at `lib/modules`, and the root's other trees stay visible beside it.

mod apply;
mod aside;
mod decode;
mod directory;
mod facts;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod plan;
mod settings;
mod tree;
mod usable;
mod vermagic;

use crate::initramfs_tools;
use crate::kmsg::{self, LogLevel};
use crate::outcome::{Mode, Outcome};
use crate::root::Root;
use anyhow::Result;
use facts::ExportFacts;
use lifeboat_common::command_line::CommandLine;
use plan::{ExportPlan, ExportWay, ModulesExport, plan};
use settings::{Means, ModulesSettings};

/// Where modules are, in the initramfs and in a root.
const MODULES: &str = "lib/modules";

/// Exports the modules, or says why it need not be.
pub(crate) fn run(line: &CommandLine, mode: Mode) -> Result<Outcome> {
    let mount_point = initramfs_tools::root_mount_point();
    let root = Root::open(&mount_point)?;
    let settings = ModulesSettings::read(line, &root)?;
    let forced = settings.means != Means::Cheapest;
    let mut facts = ExportFacts::gather(&root, &mount_point, settings)?;
    if let Some(complaint) = facts.settings.complaint.as_ref().filter(|_| mode == Mode::Apply) {
        kmsg::log(LogLevel::Error, "modules", complaint);
    }
    let mut planned = plan(&facts)?;
    if mode == Mode::Apply
        && let ExportPlan::Export(ModulesExport { making: Some(making), .. }) = &planned
        && let Err(error) = directory::make(making, &root)
    {
        kmsg::log(LogLevel::Error, "modules", &format!("{error:#}"));
        facts.do_without_directory("it could not be".into());
        planned = plan(&facts)?;
    }
    let export = match planned {
        ExportPlan::Skip(reason) => return Ok(Outcome::Skipped(reason)),
        ExportPlan::Export(export) if mode == Mode::DryRun => return Ok(Outcome::Done(export.to_string())),
        ExportPlan::Export(export) => export,
    };
    let Err(error) = apply::apply(&export, &root, &mount_point) else {
        return Ok(Outcome::Done(export.to_string()));
    };
    if export.way != ExportWay::Bind || forced {
        return Err(error);
    }
    kmsg::log(LogLevel::Error, "modules", &format!("{error:#}; copying instead"));
    facts.copy_instead()?;
    match plan(&facts)? {
        ExportPlan::Skip(reason) => Ok(Outcome::Skipped(reason)),
        ExportPlan::Export(export) => {
            apply::apply(&export, &root, &mount_point)?;
            Ok(Outcome::Done(export.to_string()))
        }
    }
}

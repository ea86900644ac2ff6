//! What systemd calls at boot, a file for each stage.

mod consume;
#[cfg(any(test, feature = "hostile"))]
pub(crate) mod hostile;
mod kept;
mod last;
mod local;
mod network;
mod single;
mod vendor;
mod work;

pub(crate) use last::last;
pub(crate) use local::local;
pub(crate) use network::{network, process};
pub(crate) use single::single;

use crate::accounts::Accounts;
use crate::apply::apply;
use crate::handlers::{self, Handler, HandlerFacts, InRescue, Stage};
use crate::instance::{Frequency, Instance};
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::rescue::record::Boot;
use crate::root::Root;
use crate::system_config::modules::{self, Wanted};
use crate::yaml::Mapping;
use anyhow::Result;
use std::collections::BTreeSet;

/// What a stage works on.
struct Context<'a> {
    instance: &'a Instance,
    boot: &'a Boot,
    root: &'a Root,
}

/// Where handlers write, each perhaps a file system of its own.
const WRITTEN_TO: [&str; 4] = ["", "etc", "home", "var"];

/// Runs the handlers of a stage. One that fails costs only itself, and what needs a user whom it did not make.
fn run_handlers(
    stage: Stage,
    config: &Mapping,
    meta_data: &MetaData,
    context: &Context<'_>,
    report: &mut Report,
) {
    let mut not_made = BTreeSet::new();
    for handler in handlers::ALL.iter().filter(|handler| handler.stage == stage) {
        let frequency = match modules::wanted(handler.module(), config) {
            // An image may have been made without the modules that let its people in.
            Wanted::No if !context.boot.is_rescue() || handler.in_rescue == InRescue::LeftOut => continue,
            Wanted::AsOften(frequency) => frequency,
            Wanted::Yes | Wanted::No => handler.frequency,
        };
        let facts = (config, meta_data);
        if let Err(error) = run_handler(handler, frequency, facts, context, &mut not_made, report) {
            report.error(format!("{}: {error:#}", handler.name));
        }
    }
}

fn run_handler(
    handler: &Handler,
    frequency: Frequency,
    (config, meta_data): (&Mapping, &MetaData),
    context: &Context<'_>,
    not_made: &mut BTreeSet<String>,
    report: &mut Report,
) -> Result<()> {
    let Context { instance, boot, root } = context;
    let environment = [("INSTANCE_ID", instance.id.as_str())];
    let rescue = boot.is_rescue();
    if !rescue && instance.is_done(root, handler.semaphore, frequency)? {
        return Ok(());
    }
    // Anew for each: the one before may have made users.
    let accounts = Accounts::read(root)?;
    let scripts = instance.path("scripts");
    let facts = HandlerFacts { config, meta_data, accounts: &accounts, scripts: &scripts };
    match (handler.plan)(&facts) {
        Ok(plan) if rescue && handler.in_rescue == InRescue::LeftOut => {
            for step in plan.steps {
                report.info(&format!("{}: left out in a rescue boot: {step}", handler.name));
            }
        }
        Ok(plan) => {
            for problem in plan.problems {
                report.warn(format!("{}: {problem}", handler.name));
            }
            let is_written = !plan.steps.is_empty();
            for step in plan.steps {
                // It could only fail too, and hide what went wrong.
                if let Some(user) = step.needs_user().filter(|user| not_made.contains(*user)) {
                    report.info(&format!("{}: left out, for {user} was not made: {step}", handler.name));
                    continue;
                }
                match apply(&step, &environment, root, report) {
                    Ok(()) => report.info(&format!("{}: {step}", handler.name)),
                    Err(error) => {
                        not_made.extend(step.makes_user().map(str::to_owned));
                        report.error(format!("{}: {error:#}", handler.name));
                    }
                }
            }
            // Once its semaphore is on the disk it is not done again, so it is there before.
            if is_written {
                root.sync(&WRITTEN_TO)?;
            }
        }
        Err(error) => report.error(format!("{}: {error:#}", handler.name)),
    }
    if rescue {
        // A volume that becomes some machine's own root one day starts as a new one.
        return Ok(());
    }
    // Also after a failure: what failed is told, and does not come back on every boot.
    instance.set_done(root, handler.semaphore, frequency)
}

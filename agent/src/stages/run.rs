//! Runs the handlers of a stage.

use super::{Context, blame, scripts};
use crate::accounts::Accounts;
use crate::apply::{self, Patience, apply};
use crate::handlers::{self, Act, HandlerFacts, InRescue, Stage};
use crate::layout::BOOTCMD;
use crate::meta_data::MetaData;
use crate::plan::HandlerPlan;
use crate::report::Report;
use crate::schedule::{self, Entry};
use crate::trace;
use crate::yaml::Mapping;
use anyhow::Result;
use std::collections::BTreeSet;

/// Where handlers write, each perhaps a file system of its own.
const WRITTEN_TO: [&str; 4] = ["", "etc", "home", "var"];

/// The data for the handlers of a stage.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) config: &'a Mapping,
    pub(super) meta_data: &'a MetaData,
}

/// Runs the handlers of a stage. One that fails costs only itself, and what needs a user whom it did not make.
pub(super) fn stage(stage: Stage, given: Given<'_>, context: &Context<'_>, report: &mut Report) {
    let is_rescue = context.boot.is_rescue();
    let entries =
        if is_rescue { schedule::in_rescue(given.config) } else { schedule::schedule(given.config) };
    let mut not_made = BTreeSet::new();
    for entry in entries.into_iter().filter(|entry| entry.stage == stage) {
        one(entry, given, context, &mut not_made, report);
    }
}

/// Runs one handler, unless a semaphore says that it is done. Its result and its time are noted, and what goes wrong costs
/// only itself.
pub(super) fn one(
    entry: Entry,
    given: Given<'_>,
    context: &Context<'_>,
    not_made: &mut BTreeSet<String>,
    report: &mut Report,
) {
    let name = entry.handler.name;
    let begun = trace::Begun::now(trace::Kind::Handler, name, report);
    let did = act(entry, given, context, not_made, report).unwrap_or_else(|error| {
        report.error(format!("{name}: {error:#}"));
        trace::Did::Something
    });
    begun.end(did, report, context.root);
}

fn act(
    entry: Entry,
    given: Given<'_>,
    context: &Context<'_>,
    not_made: &mut BTreeSet<String>,
    report: &mut Report,
) -> Result<trace::Did> {
    let Context { instance, boot, root } = context;
    let Entry { handler, frequency, .. } = entry;
    let plan = match handler.act {
        Act::Scripts(place) => return Ok(scripts::run(place, entry, given.config, context, report)),
        Act::Plan(plan) | Act::Later(plan) => plan,
    };
    if !boot.is_rescue() && is_done(&entry, context)? {
        return Ok(trace::Did::Before);
    }
    // Anew for each: the one before may have made users.
    let accounts = Accounts::read(root)?;
    let scripts = instance.path("scripts");
    let facts = HandlerFacts {
        config: given.config,
        meta_data: given.meta_data,
        accounts: &accounts,
        scripts: &scripts,
        is_rescue: boot.is_rescue(),
        machine: *root,
    };
    let did = match plan(&facts) {
        Ok(plan) if boot.is_rescue() && handler.in_rescue == InRescue::LeftOut => {
            for step in &plan.steps {
                report.info(&format!("{}: left out in a rescue boot: {step}", handler.name));
            }
            trace::Did::LeftOut
        }
        Ok(plan) => carry_out(plan, entry, given.config, context, not_made, report)?,
        Err(error) => {
            report.error(format!("{}: {error:#}", handler.name));
            trace::Did::Something
        }
    };
    // A rescue volume that becomes some machine's own root one day starts as a new one. Also after a failure: what
    // failed is told, and does not come back on every boot.
    if !boot.is_rescue() {
        instance.set_done(root, handler.semaphore, frequency)?;
    }
    Ok(did)
}

fn is_done(entry: &Entry, context: &Context<'_>) -> Result<bool> {
    for semaphore in entry.handler.semaphores() {
        if context.instance.is_done(context.root, &semaphore, entry.frequency)? {
            return Ok(true);
        }
    }
    match entry.handler.act {
        Act::Later(_) => is_done_by_cloud_init(entry, context),
        Act::Plan(_) | Act::Scripts(_) => Ok(false),
    }
}

/// True if the module is done, and none of its handlers here was: cloud-init, which has one semaphore for all, did it.
fn is_done_by_cloud_init(entry: &Entry, context: &Context<'_>) -> Result<bool> {
    let is_noted = |semaphore: &str| context.instance.is_done(context.root, semaphore, entry.frequency);
    let all = format!("config_{}", entry.handler.module);
    if !is_noted(&all)? {
        return Ok(false);
    }
    let of_module = handlers::ALL.iter().filter(|handler| handler.module == entry.handler.module);
    for handler in of_module.filter(|handler| handler.semaphore != all) {
        if is_noted(handler.semaphore)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn carry_out(
    plan: HandlerPlan,
    entry: Entry,
    config: &Mapping,
    context: &Context<'_>,
    not_made: &mut BTreeSet<String>,
    report: &mut Report,
) -> Result<trace::Did> {
    let Context { instance, root, .. } = context;
    let name = entry.handler.name;
    let environment = [("INSTANCE_ID", instance.id.as_str())];
    for problem in plan.told() {
        report.warn(format!("{name}: {problem}"));
    }
    if plan.steps.is_empty() {
        return Ok(trace::Did::Nothing);
    }
    for step in plan.steps {
        // It could only fail too, and hide what went wrong.
        if let Some(user) = step.needs_user().filter(|user| not_made.contains(*user)) {
            report.info(&format!("{name}: left out, for {user} was not made: {step}"));
            continue;
        }
        if step.may_end_the_boot() {
            // It must not come again on the next one.
            root.sync(&WRITTEN_TO)?;
            instance.set_done(root, entry.handler.semaphore, entry.frequency)?;
        }
        match apply(&step, &environment, Patience::of(entry.stage), root, report) {
            Ok(()) => report.info(&format!("{name}: {step}")),
            Err(error) if step.may_be_left() => report.warn(format!("{name}: {error:#}")),
            Err(error) => {
                not_made.extend(step.makes_user().map(str::to_owned));
                let told = if step.runs(BOOTCMD) {
                    let script = format!("/{BOOTCMD}");
                    let told = blame::told(&script, Some(name), &error, (config, instance, root));
                    apply::log_text(&script, told.lines().next().unwrap_or_default(), root);
                    told
                } else {
                    format!("{error:#}")
                };
                report.error(format!("{name}: {told}"));
            }
        }
    }
    // Once its semaphore is on the disk it is not done again, so it is there before.
    root.sync(&WRITTEN_TO)?;
    Ok(trace::Did::Something)
}

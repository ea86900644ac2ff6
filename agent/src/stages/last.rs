//! With the system up: deferred files, then the scripts.

use super::{Context, kept_config, run_handlers};
use crate::apply::{self, Patience};
use crate::date::rfc2822;
use crate::handlers::Stage;
use crate::instance::{Frequency, Instance, now};
use crate::layout::SCRIPTS;
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::rescue::record::Boot;
use crate::root::Root;
use crate::system_config::modules::{self, Wanted};
use anyhow::Result;

/// Where scripts are, how often each place is run, and what says that it was, in cloud-init's order.
fn places(instance: &Instance) -> [(String, Frequency, &'static str); 5] {
    let shared = |directory: &str| format!("{SCRIPTS}/{directory}");
    [
        (instance.path("scripts/vendor"), Frequency::Instance, "config_scripts_vendor"),
        (shared("per-once"), Frequency::Once, "config_scripts_per_once"),
        (shared("per-boot"), Frequency::Boot, "config_scripts_per_boot"),
        (shared("per-instance"), Frequency::Instance, "config_scripts_per_instance"),
        (instance.path("scripts"), Frequency::Instance, "config_scripts_user"),
    ]
}

fn module(semaphore: &str) -> &str {
    semaphore.strip_prefix("config_").unwrap_or(semaphore)
}

/// Runs the scripts that a module of that name runs; whether there is one.
pub(super) fn scripts(
    name: &str,
    often: Option<Frequency>,
    context: &Context<'_>,
    report: &mut Report,
) -> bool {
    let place = places(context.instance).into_iter().find(|(.., semaphore)| module(semaphore) == name);
    let Some((directory, frequency, semaphore)) = place else { return false };
    run_scripts(&directory, often.unwrap_or(frequency), semaphore, context, report);
    true
}

/// Runs what is to run late.
pub(crate) fn last(root: &Root, report: &mut Report) -> Result<()> {
    let Some(instance) = Instance::current(root)? else {
        report.info("there is no instance");
        return Ok(());
    };
    let boot = Boot::read(root)?;
    let context = Context { instance: &instance, boot: &boot, root };
    let config = kept_config(&instance, root, report);
    run_handlers(Stage::Final, &config, &MetaData::default(), &context, report);
    for (directory, frequency, semaphore) in places(&instance) {
        let often = match modules::wanted(module(semaphore), &config) {
            Wanted::No => continue,
            Wanted::Yes => frequency,
            Wanted::AsOften(often) => often,
        };
        run_scripts(&directory, often, semaphore, &context, report);
    }
    let uptime = root.read_text("proc/uptime")?.unwrap_or_default();
    let uptime = uptime.split(' ').next().unwrap_or_default();
    let text = format!("{uptime} - {} - v. {}\n", rfc2822(now()), env!("CARGO_PKG_VERSION"));
    root.write(&instance.path("boot-finished"), text.as_bytes(), 0o644)
}

fn run_scripts(
    directory: &str,
    frequency: Frequency,
    semaphore: &str,
    context: &Context<'_>,
    report: &mut Report,
) {
    let Context { instance, boot, root } = context;
    let Some(false) = report.take(instance.is_done(root, semaphore, frequency)) else { return };
    let Some(names) = report.take(root.files(directory)) else { return };
    if boot.is_rescue() {
        for name in names {
            report.info(&format!("left out in a rescue boot: run /{directory}/{name}"));
        }
        return;
    }
    // Before they run: a script may end in a reboot, and must not come to it again and again.
    if report.take(instance.set_done(root, semaphore, frequency)).is_none() {
        return;
    }
    for name in names {
        let path = format!("/{directory}/{name}");
        if !root.is_live() {
            report.info(&format!("not on this root: run {path}"));
            continue;
        }
        match apply::run(
            std::slice::from_ref(&path),
            None,
            &[("INSTANCE_ID", &instance.id)],
            Patience::Endless,
            root,
        ) {
            Ok(()) => report.info(&format!("ran {path}")),
            Err(error) => report.error(format!("run {path}: {error:#}")),
        }
    }
}

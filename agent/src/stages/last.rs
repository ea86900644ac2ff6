//! With the system up: deferred files, then the scripts.

use super::kept::KeptConfig;
use super::{Context, run_handlers};
use crate::apply::output::{self, Outputs};
use crate::apply::{self, Patience};
use crate::changes::record::PartsRecord;
use crate::date::rfc2822;
use crate::handlers::Stage;
use crate::instance::{Frequency, Instance, now};
use crate::layout::SCRIPTS;
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::rescue::record::booted;
use crate::root::{Root, is_temporary};
use crate::system_config::SystemConfig;
use crate::system_config::modules::{self, Wanted};
use crate::yaml::{Mapping, Value};
use anyhow::{Context as _, Result};
use rustix::fs::FileType;

/// The semaphore of a vendor's scripts.
const VENDOR: &str = "config_scripts_vendor";

/// Where scripts are, how often each place is run, and what says that it was, in cloud-init's order.
fn places(instance: &Instance) -> [(String, Frequency, &'static str); 5] {
    let shared = |directory: &str| format!("{SCRIPTS}/{directory}");
    [
        (instance.path("scripts/vendor"), Frequency::Instance, VENDOR),
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
    let config =
        KeptConfig::read(context.instance, context.root).over(&SystemConfig::read(context.root), report);
    run_scripts(&directory, often.unwrap_or(frequency), semaphore, &config, context, report);
    true
}

/// Runs what is to run late.
pub(crate) fn last(root: &Root, report: &mut Report) -> Result<()> {
    let Some(instance) = Instance::current(root)? else {
        report.info("there is no instance");
        return Ok(());
    };
    let boot = booted(root)?;
    let context = Context { instance: &instance, boot: &boot, root };
    let config = KeptConfig::read(&instance, root).over(&SystemConfig::read(root), report);
    report.outputs = Outputs::of(&config, output::FINAL);
    run_handlers(Stage::Final, &config, &MetaData::default(), &context, report);
    for (directory, frequency, semaphore) in places(&instance) {
        let often = match modules::wanted(module(semaphore), &config) {
            Wanted::No => continue,
            Wanted::Yes => frequency,
            Wanted::AsOften(often) => often,
        };
        run_scripts(&directory, often, semaphore, &config, &context, report);
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
    config: &Mapping,
    context: &Context<'_>,
    report: &mut Report,
) {
    let Context { instance, boot, root } = context;
    let Some(is_done) = report.take(instance.is_done(root, semaphore, frequency)) else { return };
    // Without the record they are in the order of names, which is nearly always the same.
    let record = PartsRecord::read(instance, root).ok().flatten().unwrap_or_default();
    if is_done && record.late.is_empty() {
        return;
    }
    let Some(names) = report.take(root.names(directory)) else { return };
    let names = names.into_iter().filter(|name| !is_temporary(name));
    let mut paths: Vec<_> = names.map(|name| format!("{directory}/{name}")).collect();
    paths.retain(|path| !is_done || record.late.contains(path));
    paths.retain(|path| is_script(path, root, report));
    let prefix = if semaphore == VENDOR && !paths.is_empty() { prefix(config) } else { Ok(Vec::new()) };
    // What they were to be run in may be what keeps them in bounds.
    let Some(prefix) = report.take(prefix) else { return };
    record.twins.sort(&mut paths);
    let late = record.late.iter().filter(|path| !paths.contains(path)).cloned().collect();
    let commands = paths.into_iter().map(|path| [&prefix[..], &[format!("/{path}")]].concat());
    if boot.is_rescue() {
        for command in commands {
            report.info(&format!("left out in a rescue boot: run {}", command.join(" ")));
        }
        return;
    }
    // Before they run: a script may end in a reboot, and must not come to it again and again.
    let noted = instance.set_done(root, semaphore, frequency).and_then(|()| {
        if record.late.is_empty() { Ok(()) } else { PartsRecord { late, ..record }.write(instance, root) }
    });
    if report.take(noted).is_none() {
        return;
    }
    for command in commands {
        let shown = command.join(" ");
        if !root.is_live() {
            report.info(&format!("not on this root: run {shown}"));
            continue;
        }
        let environment = [("INSTANCE_ID", instance.id.as_str())];
        match apply::run(&command, None, &environment, Patience::Endless, root, report) {
            Ok(()) => report.info(&format!("ran {shown}")),
            Err(error) => report.error(format!("run {shown}: {error:#}")),
        }
    }
}

/// Whether a path leads to a file that can be run; what is no directory either is told.
fn is_script(path: &str, root: &Root, report: &mut Report) -> bool {
    let reason = match root.mode(path) {
        Ok(Some(mode)) => match FileType::from_raw_mode(mode) {
            FileType::RegularFile if mode & 0o111 != 0 => return true,
            FileType::RegularFile => format!("it is not executable (run chmod +x /{path})"),
            FileType::Directory => return false,
            _ => "it is no regular file".to_owned(),
        },
        Ok(None) => "it is a link that leads nowhere".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    report.warn(format!("/{path} is not run: {reason}"));
    false
}

/// What stands before a vendor's script when it is run: a program, or a list of words.
fn prefix(config: &Mapping) -> Result<Vec<String>> {
    let prefix = config.get("vendor_data").and_then(|settings| settings.as_map()?.get("prefix"));
    let words = match prefix {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Str(program)) => Some(vec![program.clone()]),
        Some(Value::Seq(words)) => words.iter().map(Value::scalar_text).collect(),
        Some(_) => None,
    };
    let words = words
        .context("vendor_data: its prefix is neither a program nor a list of words, so no script is run")?;
    Ok(words.into_iter().filter(|word| !word.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_program_or_words() {
        let of = |text: &str| prefix(SystemConfig::parse(text).mapping()).ok();
        let is = |text: &str, words: &[&str]| {
            assert_eq!(of(text), Some(words.iter().map(|word| (*word).to_owned()).collect()), "{text}");
        };
        is("vendor_data: {prefix: /usr/bin/env}", &["/usr/bin/env"]);
        is("vendor_data: {prefix: a b}", &["a b"]);
        is("vendor_data: {prefix: [nice, -n, 5]}", &["nice", "-n", "5"]);
        for nothing in [
            "{}",
            "vendor_data: {prefix: null}",
            "vendor_data: {prefix: []}",
            "vendor_data: {prefix: ''}",
            "vendor_data: no",
        ] {
            is(nothing, &[]);
        }
        for bad in
            ["vendor_data: {prefix: {a: b}}", "vendor_data: {prefix: [[a]]}", "vendor_data: {prefix: 5}"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}

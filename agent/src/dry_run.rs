//! `plan`: the steps of user-data, in order, in words.

use crate::handlers::{self, Act, HandlerFacts};
use crate::layout;
use crate::not_carried_out;
use crate::root::Root;
use crate::schedule;
use crate::system_config;
use crate::target::TargetMachine;
use crate::user_data::{self, Destination, Upstart, Work};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::PathBuf;

/// The plan's text. Several files count as the parts of one.
pub(crate) fn plan(files: &[PathBuf], root: &Root) -> Result<String> {
    let mut given = Vec::new();
    for file in files {
        let data = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
        let name = if files.len() == 1 { "user-data".to_owned() } else { file.display().to_string() };
        given.push((name, data));
    }
    if given.is_empty() {
        let kept = root.read(&format!("{}/user-data.txt", layout::INSTANCE))?;
        given.push(("user-data".to_owned(), kept.context("there is no instance yet: name a file")?));
    }
    let target = TargetMachine::kept(root)?;
    let is_allowed = system_config::allows_user_data(target.system.mapping());
    if !is_allowed {
        given.clear();
    }
    let mut pipeline = target.pipeline(Upstart::of(root)?);
    let parts = target.parts(given.iter().map(|(name, data)| (name.as_str(), data.as_slice())));
    let mut sorted = pipeline.sort(parts, Destination::USER);
    let problems = sorted.dropped.iter().map(ToString::to_string).chain(sorted.told.iter().cloned());
    let left_out = (!is_allowed).then(|| system_config::LEFT_OUT.to_owned());
    let mut lines: Vec<String> =
        left_out.into_iter().chain(problems).map(|problem| format!("problem: {problem}")).collect();
    // Its programs are the files that may be run.
    for file in sorted.files.iter().filter(|file| file.mode & 0o100 != 0) {
        lines.extend(
            user_data::cannot_start(&file.content).map(|why| format!("problem: /{}: {why}", file.path)),
        );
    }
    for work in &sorted.work {
        lines.push(match work {
            Work::Boothook(path) => format!("boothook: run /{path} (on each boot)"),
            Work::Handler(handler) => format!("part-handler: use /{}", handler.path),
            Work::Offer(part) => format!("problem: {}", user_data::unknown(part)),
        });
    }
    let asked = sorted.config.into_mapping();
    lines.extend(
        not_carried_out::messages("user-data", &asked).into_iter().map(|told| format!("problem: {told}")),
    );
    let TargetMachine { instance, meta_data, accounts, system, .. } = &target;
    let scripts = instance.path(Destination::USER.scripts);
    let config = system_config::over(asked, system.mapping());
    let facts = HandlerFacts {
        config: &config,
        meta_data,
        accounts,
        scripts: &scripts,
        is_rescue: false,
        machine: root,
    };
    let commands = instance.path(handlers::COMMANDS);
    if handlers::has_commands(&config) {
        pipeline.make_room(&commands, &mut sorted.files);
    }
    let is_script = |path: &&str| path.starts_with(&scripts) || path.starts_with(layout::SCRIPTS);
    let paths = sorted.files.iter().map(|file| file.path.as_str());
    let mut scripts_to_run: Vec<String> = paths.filter(is_script).map(str::to_owned).collect();
    scripts_to_run.extend(handlers::has_commands(&config).then_some(commands));
    pipeline.into_twins().sort(&mut scripts_to_run);
    for entry in schedule::schedule(&config) {
        let name = entry.handler.name;
        match entry.handler.act {
            Act::Scripts(place) => {
                let directory = place.directory(instance);
                let here = scripts_to_run.iter().filter(|path| is_in(path, &directory));
                lines.extend(here.map(|path| format!("late: run /{path}")));
            }
            Act::Plan(plan) | Act::Later(plan) => match plan(&facts) {
                Ok(plan) => {
                    lines.extend(plan.steps.iter().map(|step| format!("{name}: {step}")));
                    lines.extend(plan.told().map(|problem| format!("problem: {name}: {problem}")));
                }
                Err(error) => lines.push(format!("problem: {name}: {error:#}")),
            },
        }
    }
    if lines.is_empty() {
        lines.push("nothing to do".into());
    }
    let mut text = String::new();
    for line in lines {
        // Writing to a String cannot fail.
        writeln!(text, "{line}").unwrap_or_default();
    }
    Ok(text)
}

/// True if a file is in a directory itself, and not deeper.
fn is_in(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|name| !name.contains('/'))
}

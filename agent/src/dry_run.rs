//! `plan`: the steps of user-data, in order, in words.

use crate::handlers::{self, HandlerFacts, Stage};
use crate::layout;
use crate::not_carried_out;
use crate::root::Root;
use crate::system_config;
use crate::system_config::modules::{self, Wanted};
use crate::target::TargetMachine;
use crate::user_data::{self, Destination, Upstart, Work};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::PathBuf;

/// The directories of scripts, in the order of their runs. The instance's own scripts come after them.
const PLACES: [&str; 3] = ["per-once", "per-boot", "per-instance"];

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
    let mut pipeline = target.pipeline(Upstart::of(root)?);
    let parts = target.parts(given.iter().map(|(name, data)| (name.as_str(), data.as_slice())));
    let mut sorted = pipeline.sort(parts, Destination::USER);
    let problems = sorted.dropped.iter().map(ToString::to_string).chain(sorted.told.iter().cloned());
    let mut lines: Vec<String> = problems.map(|problem| format!("problem: {problem}")).collect();
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
    let facts = HandlerFacts { config: &config, meta_data, accounts, scripts: &scripts };
    let commands = instance.path(handlers::COMMANDS);
    if handlers::has_commands(&config) {
        pipeline.make_room(&commands, &mut sorted.files);
    }
    let is_script = |path: &&str| path.starts_with(&scripts) || path.starts_with(layout::SCRIPTS);
    let paths = sorted.files.iter().map(|file| file.path.as_str());
    let mut late: Vec<String> = paths.filter(is_script).map(str::to_owned).collect();
    for stage in [Stage::Network, Stage::Final] {
        for handler in handlers::ALL.iter().filter(|handler| handler.stage == stage) {
            if modules::wanted(handler.module(), &config) == Wanted::No {
                continue;
            }
            match (handler.plan)(&facts) {
                Ok(plan) => {
                    lines.extend(plan.steps.iter().map(|step| format!("{}: {step}", handler.name)));
                    let problems = plan.problems.iter();
                    lines.extend(problems.map(|problem| format!("problem: {}: {problem}", handler.name)));
                    if handler.name == "runcmd" && !plan.steps.is_empty() {
                        late.push(commands.clone());
                    }
                }
                Err(error) => lines.push(format!("problem: {}: {error:#}", handler.name)),
            }
        }
    }
    pipeline.into_twins().sort(&mut late);
    late.sort_by_key(|path| {
        let place =
            PLACES.iter().position(|place| path.starts_with(&format!("{}/{place}/", layout::SCRIPTS)));
        place.unwrap_or(PLACES.len())
    });
    lines.extend(late.iter().map(|path| format!("late: run /{path}")));
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

//! `plan`: what user-data would do, in order, in words.

use crate::accounts::Accounts;
use crate::handlers::{self, Facts, Stage};
use crate::instance::{Instance, NO_ID};
use crate::instance_data;
use crate::layout;
use crate::meta_data::MetaData;
use crate::root::Root;
use crate::user_data::{self, Circumstances, Includes, Names, Reach, Upstart, Work};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;

/// The plan's text.
pub(crate) fn plan(file: Option<&Path>, root: &Root) -> Result<String> {
    let data = match file {
        Some(file) => std::fs::read(file).with_context(|| format!("read {}", file.display()))?,
        None => root
            .read(&format!("{}/user-data.txt", layout::INSTANCE))?
            .context("there is no instance yet: name a file")?,
    };
    let instance = Instance::current(root)?.unwrap_or_else(|| Instance::new(NO_ID));
    let includes = Includes::new(root, None, Reach::Nothing);
    let expanded = user_data::expand(&data, "user-data", &includes);
    let around = Circumstances {
        instance: &instance,
        scripts: "scripts",
        unwanted: &[],
        variables: &instance_data::variables(&instance_data::of(&MetaData::default(), "nocloud")),
        upstart: Upstart::Missing,
    };
    let sorted = user_data::sort(expanded.parts, &around, &mut Names::default());
    let dropped = expanded.dropped.iter().chain(&sorted.dropped);
    let problems = dropped.map(ToString::to_string).chain(sorted.told.iter().cloned());
    let mut lines: Vec<String> = problems.map(|problem| format!("problem: {problem}")).collect();
    for work in &sorted.work {
        lines.push(match work {
            Work::Boothook(path) => format!("boothook: run /{path} (on each boot)"),
            Work::Handler(handler) => format!("part-handler: use /{}", handler.path),
            Work::Offer(part) => format!("problem: {}", user_data::unknown(part)),
        });
    }
    let accounts = Accounts::read(root)?;
    let scripts = instance.path("scripts");
    let facts = Facts {
        config: &sorted.config.mapping(),
        meta_data: &MetaData::default(),
        accounts: &accounts,
        scripts: &scripts,
    };
    let is_script = |path: &&str| path.starts_with(&scripts) || path.starts_with(layout::SCRIPTS);
    let paths = sorted.files.iter().map(|file| file.path.as_str());
    let mut late: Vec<String> = paths.filter(is_script).map(str::to_owned).collect();
    for stage in [Stage::Network, Stage::Final] {
        for handler in handlers::ALL.iter().filter(|handler| handler.stage == stage) {
            match (handler.plan)(&facts) {
                Ok(plan) => {
                    lines.extend(plan.steps.iter().map(|step| format!("{}: {step}", handler.name)));
                    let problems = plan.problems.iter();
                    lines.extend(problems.map(|problem| format!("problem: {}: {problem}", handler.name)));
                    if handler.name == "runcmd" && !plan.steps.is_empty() {
                        late.push(format!("{scripts}/runcmd"));
                    }
                }
                Err(error) => lines.push(format!("problem: {}: {error:#}", handler.name)),
            }
        }
    }
    late.sort();
    lines.extend(late.iter().map(|path| format!("late: run /{path}")));
    if lines.is_empty() {
        lines.push("nothing is to be done".into());
    }
    let mut text = String::new();
    for line in lines {
        // Writing to a String cannot fail.
        writeln!(text, "{line}").unwrap_or_default();
    }
    Ok(text)
}

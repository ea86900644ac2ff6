//! `plan`: what user-data would do, in order, in words.

use crate::accounts::Accounts;
use crate::handlers::{self, Facts, Stage};
use crate::instance::{Instance, NO_ID};
use crate::layout;
use crate::meta_data::MetaData;
use crate::root::Root;
use crate::user_data;
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
    let apart = user_data::take_apart(&data);
    let mut lines: Vec<String> = apart.problems.iter().map(|problem| format!("problem: {problem}")).collect();
    let accounts = Accounts::read(root)?;
    let scripts = instance.path("scripts");
    let facts = Facts {
        config: &apart.config.mapping(),
        meta_data: &MetaData::default(),
        accounts: &accounts,
        scripts: &scripts,
    };
    let mut names: Vec<String> = apart.scripts.iter().map(|script| script.name.clone()).collect();
    for stage in [Stage::Network, Stage::Final] {
        for handler in handlers::ALL.iter().filter(|handler| handler.stage == stage) {
            match (handler.plan)(&facts) {
                Ok(plan) => {
                    lines.extend(plan.steps.iter().map(|step| format!("{}: {step}", handler.name)));
                    let problems = plan.problems.iter();
                    lines.extend(problems.map(|problem| format!("problem: {}: {problem}", handler.name)));
                    if handler.name == "runcmd" && !plan.steps.is_empty() {
                        names.push("runcmd".into());
                    }
                }
                Err(error) => lines.push(format!("problem: {}: {error:#}", handler.name)),
            }
        }
    }
    names.sort();
    lines.extend(names.iter().map(|name| format!("late: run /{scripts}/{name}")));
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

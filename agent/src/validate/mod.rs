//! `validate`: everything that is wrong with user-data, each with its place. Nothing is fetched and nothing done.

mod keys;

use crate::accounts::Accounts;
use crate::handlers::{self, Facts};
use crate::instance::{Instance, NO_ID};
use crate::instance_data;
use crate::json;
use crate::meta_data::MetaData;
use crate::report;
use crate::root::Root;
use crate::system_config::SystemConfig;
use crate::user_data::{self, Circumstances, Effect, Includes, Names, Part, Reach, Upstart, Work};
use crate::yaml::{self, Mapping, Value};
use crate::yaml::{Places, Step};
use anyhow::{Context, Result};
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    /// The part it is in; nothing where the data is one part.
    pub(crate) part: Option<String>,
    /// Line and column in the part, both from 1.
    pub(crate) place: Option<(usize, usize)>,
    /// Keys and the numbers of entries, with dots between.
    pub(crate) key: Option<String>,
    /// What it is.
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(out, "{line}:{column}: ")?;
        }
        if let Some(part) = &self.part {
            write!(out, "{}: ", part.escape_debug())?;
        }
        if let Some(key) = &self.key {
            write!(out, "{}: ", key.escape_debug())?;
        }
        write!(out, "{}", self.message)
    }
}

/// For whom it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// A line for each finding.
    People,
    /// One document of JSON.
    Programs,
}

/// Prints what is wrong with the files; whether nothing is.
pub(crate) fn run(files: &[PathBuf], reader: For, root: &Root) -> Result<bool> {
    let mut all = Vec::new();
    for file in files {
        let data = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
        all.push((file, findings(&data, root)?));
    }
    let text: String = match reader {
        For::People => all.iter().map(|(file, findings)| lines(file, findings)).collect(),
        For::Programs => {
            let files = all.iter().map(|(file, findings)| value(file, findings));
            let mut document = Mapping::default();
            document.set("files", Value::Seq(files.collect()));
            json::pretty(&document.into(), 2) + "\n"
        }
    };
    report::print(&text);
    Ok(all.iter().all(|(_, findings)| findings.is_empty()))
}

fn lines(file: &Path, findings: &[Finding]) -> String {
    let name = file.display();
    if findings.is_empty() {
        return format!("{name}: nothing is wrong\n");
    }
    let mut text = String::new();
    for finding in findings {
        let space = if finding.place.is_some() { "" } else { " " };
        // Writing to a String cannot fail.
        writeln!(text, "{name}:{space}{finding}").unwrap_or_default();
    }
    text
}

fn value(file: &Path, findings: &[Finding]) -> Value {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let entries = findings.iter().map(|finding| {
        let number = |number: Option<usize>| {
            number.and_then(|number| i128::try_from(number).ok()).map_or(Value::Null, Value::Int)
        };
        let mut entry = Mapping::default();
        entry.set("part", text(&finding.part));
        entry.set("line", number(finding.place.map(|(line, _)| line)));
        entry.set("column", number(finding.place.map(|(_, column)| column)));
        entry.set("key", text(&finding.key));
        entry.set("message", finding.message.as_str());
        Value::Map(entry)
    });
    let mut entry = Mapping::default();
    entry.set("file", file.display().to_string());
    entry.set("valid", Value::Bool(findings.is_empty()));
    entry.set("errors", Value::Seq(entries.collect()));
    entry.into()
}

/// What is wrong with user-data.
pub(crate) fn findings(data: &[u8], root: &Root) -> Result<Vec<Finding>> {
    const WHOLE: &str = "user-data";
    let includes = Includes::new(root, None, Reach::Nothing);
    let expanded = user_data::expand(data, WHOLE, &includes);
    let names = |place: &str, name: &str| (place != WHOLE).then(|| name.to_owned());
    let mut found = Vec::new();
    // An include that is not fetched may well be there.
    for dropped in expanded.dropped.iter().filter(|dropped| dropped.reason != user_data::NOT_FETCHED) {
        let part = names(&dropped.place, &dropped.name);
        found.push(Finding { part, message: dropped.reason.clone(), ..Finding::default() });
    }
    let machine = Machine { accounts: Accounts::read(root)?, system: SystemConfig::read(root) };
    let (configs, others): (Vec<Part>, Vec<Part>) =
        expanded.parts.into_iter().partition(|part| user_data::effect(part) == Effect::Configuration);
    for part in &configs {
        let name = names(&part.place, &part.name);
        found.extend(config(part, &machine).into_iter().map(|it| Finding { part: name.clone(), ..it }));
    }
    let instance = Instance::current(root)?.unwrap_or_else(|| Instance::new(NO_ID));
    let around = Circumstances {
        instance: &instance,
        scripts: "scripts",
        unwanted: &[],
        variables: &instance_data::variables(&instance_data::of(&MetaData::default(), "nocloud")),
        // Whether there is one is the machine's affair.
        upstart: Upstart::There,
    };
    let sorted = user_data::sort(others, &around, &mut Names::default());
    let has_handler = sorted.work.iter().any(|work| matches!(work, Work::Handler(_)));
    let unknown = sorted.work.iter().filter_map(|work| match work {
        Work::Offer(part) if !has_handler => Some(user_data::unknown(part)),
        _ => None,
    });
    for dropped in sorted.dropped.into_iter().chain(unknown) {
        let part = names(&dropped.place, &dropped.name);
        found.push(Finding { part, message: dropped.reason, ..Finding::default() });
    }
    Ok(found)
}

/// What handlers look at beside the configuration.
struct Machine {
    accounts: Accounts,
    system: SystemConfig,
}

/// The key of the system's configuration that says who the default user is.
const SYSTEM_INFO: &str = "system_info";

/// What is wrong with a configuration.
fn config(part: &Part, machine: &Machine) -> Vec<Finding> {
    let config = match user_data::parse_config(&part.payload) {
        Ok(config) => config,
        Err(error) => {
            let place = error.chain().find_map(|cause| cause.downcast_ref::<yaml::Error>()?.place());
            return vec![Finding { place, message: format!("{error:#}"), ..Finding::default() }];
        }
    };
    let text = part.text();
    let places = Places::of(&text);
    let at = |steps: &[Step], message: String| {
        let words = steps.iter().map(|step| match step {
            Step::Key(name) => name.clone(),
            Step::Entry(number) => number.to_string(),
        });
        let key = words.collect::<Vec<_>>().join(".");
        Finding { part: None, place: places.find(steps), key: Some(key), message }
    };
    let mut found = Vec::new();
    let mut faulty = Vec::new();
    for (key, value) in config.iter() {
        let key = key.scalar_text().unwrap_or_default();
        if let Some(problem) = keys::problem(&key, value) {
            found.push(at(&[Step::Key(key.clone())], problem));
            faulty.push(key);
        }
    }
    let meta_data = MetaData::default();
    let mut all = config.clone();
    if let Some(info) =
        machine.system.mapping().get(SYSTEM_INFO).filter(|_| config.get(SYSTEM_INFO).is_none())
    {
        all.set(SYSTEM_INFO, info.clone());
    }
    let facts =
        Facts { config: &all, meta_data: &meta_data, accounts: &machine.accounts, scripts: "scripts" };
    // What has the wrong kind is told once.
    for handler in handlers::ALL.iter().filter(|handler| !faulty.iter().any(|key| key == handler.name)) {
        let problems = match (handler.plan)(&facts) {
            Ok(plan) => plan.problems,
            Err(error) => vec![format!("{error:#}")],
        };
        for problem in problems {
            let (steps, message) = entry(handler.name, &problem);
            found.push(at(&steps, message));
        }
    }
    found.sort_by_key(|finding| finding.place);
    found.dedup();
    found
}

/// A handler's problem -> where it is, and what it is. Handlers begin with `entry N: ` where it is in a list.
fn entry(name: &str, problem: &str) -> (Vec<Step>, String) {
    let key = Step::Key(name.to_owned());
    let rest = problem.strip_prefix("entry ").and_then(|rest| rest.split_once(": "));
    match rest.and_then(|(number, message)| Some((number.parse::<usize>().ok()?.checked_sub(1)?, message))) {
        Some((number, message)) => (vec![key, Step::Entry(number)], message.to_owned()),
        None => (vec![key], problem.to_owned()),
    }
}

#[cfg(test)]
mod tests;

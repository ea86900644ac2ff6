//! `validate`: everything that is wrong with user-data, each with its place. Nothing is fetched and nothing done.

mod check;
mod finding;
mod forms;
mod keys;

pub(crate) use finding::{Finding, Gravity};

use crate::handlers::{self, Act, Handler, HandlerFacts};
use crate::not_carried_out;
use crate::report;
use crate::root::Root;
use crate::target::TargetMachine;
use crate::user_data::{self, Destination, Effect, Part, Upstart, Work};
use crate::yaml::{self, Doubled, Mapping, PathStep, Places, Value};
use anyhow::{Context, Result};
use check::{Fault, FaultKind, MOST};
use std::collections::HashSet;
use std::path::PathBuf;

/// The output's form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    /// A line for each finding.
    People,
    /// One document of JSON.
    Programs,
}

/// Prints what is wrong with the files; whether nothing is.
pub(crate) fn run(files: &[PathBuf], reader: Audience, root: &Root) -> Result<bool> {
    let mut all = Vec::new();
    let target = TargetMachine::any(root)?;
    for file in files {
        let data = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
        all.push((file, findings(&data, &target)));
    }
    let each = all.iter().map(|(file, findings)| (file.as_path(), findings.as_slice()));
    report::print(&match reader {
        Audience::People => each.map(|(file, findings)| finding::lines(file, findings)).collect(),
        Audience::Programs => finding::document(each),
    });
    Ok(all.iter().all(|(_, findings)| finding::is_valid(findings)))
}

/// Lists the faults of user-data.
pub(crate) fn findings(data: &[u8], target: &TargetMachine<'_>) -> Vec<Finding> {
    const WHOLE: &str = "user-data";
    let (mut parts, problems) = target.parts_and_problems([(WHOLE, data)]);
    let names = |place: &str, name: &str| (place != WHOLE).then(|| name.to_owned());
    let mut found = Vec::new();
    // An include that is not fetched may well be there.
    let dropped = std::mem::take(&mut parts.dropped);
    for dropped in dropped.iter().filter(|dropped| dropped.reason != user_data::NOT_FETCHED) {
        let part = names(&dropped.place, &dropped.name);
        found.push(Finding { part, message: dropped.reason.clone(), ..Finding::default() });
    }
    for part in &parts.all {
        let message = user_data::not_startable(part);
        let part = names(&part.place, &part.name);
        found.extend(message.map(|message| Finding { part, message, ..Finding::default() }));
    }
    let warning = |message| Finding { gravity: Gravity::Warning, message, ..Finding::default() };
    found.extend(problems.into_iter().map(warning));
    let mut refused = HashSet::new();
    for part in parts.all.iter().filter(|part| user_data::effect(part) == Effect::Configuration) {
        let name = names(&part.place, &part.name);
        let of_part = config(part, target);
        if of_part.iter().any(is_about_all) {
            refused.insert(part.place.clone());
        }
        found.extend(of_part.into_iter().map(|it| Finding { part: name.clone(), ..it }));
    }
    // Jobs for upstart are taken here: its presence is the machine's affair.
    let mut pipeline = target.pipeline(Upstart::There);
    // With the configurations, for a patch is about what they come to.
    let sorted = pipeline.sort(parts, Destination::USER);
    let has_handler = sorted.work.iter().any(|work| matches!(work, Work::Handler(_)));
    let unknown = sorted.work.iter().filter_map(|work| match work {
        Work::Offer(part) if !has_handler => Some(user_data::unknown(part)),
        _ => None,
    });
    let untold = sorted.dropped.into_iter().filter(|dropped| !refused.contains(&dropped.place));
    for dropped in untold.chain(unknown) {
        let part = names(&dropped.place, &dropped.name);
        found.push(Finding { part, message: dropped.reason, ..Finding::default() });
    }
    found
}

/// True if a finding keeps a configuration from being taken: it cannot be read, or cannot be merged as it says.
fn is_about_all(finding: &Finding) -> bool {
    let is_of = |key: &String| user_data::MERGE_KEYS.iter().any(|name| key.starts_with(name));
    finding.gravity == Gravity::Error && finding.key.as_ref().is_none_or(is_of)
}

/// Keys of the system's configuration that say what becomes of the user's: who the default user is, and who may log in.
const OF_THE_SYSTEM: [&str; 5] =
    ["allow_public_ssh_keys", "disable_root", "disable_root_opts", "system_info", "user"];

/// Lists the faults of a configuration.
fn config(part: &Part, target: &TargetMachine<'_>) -> Vec<Finding> {
    let config = match user_data::read_config(&part.payload) {
        Ok(config) => config,
        Err(error) => {
            let place = error.chain().find_map(|cause| cause.downcast_ref::<yaml::Error>()?.place());
            return vec![Finding { place, message: format!("{error:#}"), ..Finding::default() }];
        }
    };
    let faults = faults(&config);
    let mut problems = problems(&config, &faults, target);
    if let Err(error) = user_data::check_merging(&config)
        && let Some(key) = user_data::MERGE_KEYS.into_iter().find(|key| config.get(key).is_some())
        && !faults.iter().any(|fault| fault.steps.first() == Some(&PathStep::Key(key.into())))
    {
        problems.push((Gravity::Error, vec![PathStep::Key(key.into())], format!("{error:#}")));
    }
    let text = part.text();
    let (places, lines) = (Places::of(&text), text.lines().collect::<Vec<_>>());
    let at = |gravity: Gravity, steps: &[PathStep], message: String| {
        let words = steps.iter().map(|step| match step {
            PathStep::Key(name) => name.clone(),
            PathStep::Entry(number) => number.to_string(),
        });
        let place = places.find(steps);
        let line = place.and_then(|(line, _)| lines.get(line.checked_sub(1)?).copied());
        let key = words.collect::<Vec<_>>().join(".");
        Finding { gravity, part: None, place, line: line.map(finding::shown), key: Some(key), message }
    };
    problems.extend(damaged_scripts(&config));
    let is_all = faults.len() + problems.len() <= MOST;
    let of_table = faults.into_iter().map(|Fault { steps, kind, message }| {
        let gravity = match kind {
            FaultKind::Unusable | FaultKind::Unknown => Gravity::Error,
            FaultKind::Deprecated => Gravity::Warning,
            FaultKind::NoEffect => Gravity::NoEffect,
        };
        (gravity, steps, message)
    });
    let all = of_table.chain(problems).take(MOST);
    let mut found: Vec<Finding> = all.map(|(gravity, steps, message)| at(gravity, &steps, message)).collect();
    found.extend(places.doubled().into_iter().take(MOST).map(|Doubled { name, first, last }| Finding {
        gravity: Gravity::NoEffect,
        place: Some(first),
        line: first.0.checked_sub(1).and_then(|line| lines.get(line).copied()).map(finding::shown),
        key: Some(name),
        message: format!("it stands again on line {}, and only the last counts", last.0),
        ..Finding::default()
    }));
    found.sort_by_key(|finding| finding.place);
    found.dedup();
    if !is_all {
        let message = format!("only the first {MOST} findings are listed");
        found.push(Finding { message, ..Finding::default() });
    }
    found
}

/// Scripts that are written and that the kernel cannot start, each with its place. Nobody says that they are run.
fn damaged_scripts(config: &Mapping) -> Vec<Problem> {
    let files = config.get("write_files").and_then(Value::as_seq).unwrap_or_default();
    let of_file = |(number, file): (usize, &Value)| {
        let content = file.as_map()?.get("content")?.as_str()?;
        let why = content.starts_with("#!").then(|| user_data::cannot_start(content.as_bytes()))??;
        let name = |name: &str| PathStep::Key(name.to_owned());
        Some((Gravity::NoEffect, vec![name("write_files"), PathStep::Entry(number), name("content")], why))
    };
    files.iter().enumerate().filter_map(of_file).collect()
}

/// True if a key exists.
pub(crate) fn is_known_key(key: &str) -> bool {
    keys::forms(key).is_some()
}

/// The keys that do not exist, each with its place and the key that may be meant.
pub(crate) fn unknown_keys(config: &Mapping) -> Vec<String> {
    let unknown = faults(config).into_iter().filter(|fault| fault.kind == FaultKind::Unknown);
    let shown = |Fault { steps, message, .. }: Fault| {
        let words = steps.iter().map(|step| match step {
            PathStep::Key(name) => name.escape_debug().to_string(),
            PathStep::Entry(number) => (number + 1).to_string(),
        });
        let place = words.collect::<Vec<_>>().join(".");
        format!("{place}: {message}")
    };
    unknown.take(MOST_UNKNOWN).map(shown).collect()
}

/// A boot names no more.
const MOST_UNKNOWN: usize = 20;

/// The table's findings.
fn faults(config: &Mapping) -> Vec<Fault> {
    let mut found = Vec::new();
    for (key, value) in config.iter() {
        if found.len() > MOST {
            break;
        }
        let key = key.scalar_text().unwrap_or_default();
        if let Some(forms) = keys::forms(&key) {
            if not_carried_out::is_key(&key, value) {
                let (steps, message) = (vec![PathStep::Key(key.clone())], not_carried_out::ONE.to_owned());
                found.push(Fault { steps, kind: FaultKind::NoEffect, message });
            }
            check::check(value, forms, &mut vec![PathStep::Key(key)], &mut found);
        } else {
            let message = check::unknown(&key, keys::names());
            found.push(Fault { steps: vec![PathStep::Key(key)], kind: FaultKind::Unknown, message });
        }
    }
    found
}

/// A finding whose place in the text is not looked up yet.
type Problem = (Gravity, Vec<PathStep>, String);

/// Lists the handlers' problems with values that the table has nothing against.
fn problems(config: &Mapping, faults: &[Fault], target: &TargetMachine<'_>) -> Vec<Problem> {
    let unusable: Vec<&[PathStep]> = faults
        .iter()
        .filter(|fault| fault.kind == FaultKind::Unusable)
        .map(|fault| fault.steps.as_slice())
        .collect();
    let mut usable = Value::Map(config.clone());
    // The last first, so that the numbers of those before it stay.
    for steps in unusable.iter().rev() {
        without(&mut usable, steps);
    }
    let unusable: HashSet<&[PathStep]> = unusable.into_iter().collect();
    let Value::Map(mut all) = usable else { return Vec::new() };
    for key in OF_THE_SYSTEM.into_iter().filter(|key| config.get(key).is_none()) {
        if let Some(value) = target.system.mapping().get(key) {
            all.set(key, value.clone());
        }
    }
    let facts = HandlerFacts {
        config: &all,
        meta_data: &target.meta_data,
        accounts: &target.accounts,
        scripts: Destination::USER.scripts,
        is_rescue: false,
        machine: target.root,
    };
    let mut found = Vec::new();
    for handler in handlers::ALL {
        let (Act::Plan(plan) | Act::Later(plan)) = handler.act else { continue };
        let (problems, idle) = match plan(&facts) {
            Ok(plan) => (plan.problems, plan.idle),
            Err(error) => (vec![format!("{error:#}")], Vec::new()),
        };
        for (gravity, problems) in [(Gravity::Error, problems), (Gravity::NoEffect, idle)] {
            let told = problems.iter().map(|problem| entry(handler, problem));
            let told = told.filter(|(steps, _)| !unusable.contains(steps.as_slice()));
            found.extend(told.map(|(steps, message)| (gravity, steps, message)));
        }
    }
    found
}

/// Takes a value out. An entry of a list at the top becomes nothing instead, for handlers name entries by their
/// numbers.
fn without(value: &mut Value, steps: &[PathStep]) {
    match (value, steps) {
        (Value::Map(mapping), [PathStep::Key(name)]) => drop(mapping.remove(&name.as_str().into())),
        (Value::Map(mapping), [PathStep::Key(name), PathStep::Entry(number)]) => {
            let list = mapping.get_mut(&name.as_str().into());
            if let Some(Value::Seq(items)) = list
                && let Some(item) = items.get_mut(*number)
            {
                *item = Value::Null;
            }
        }
        (Value::Seq(items), [PathStep::Entry(number)]) if *number < items.len() => {
            drop(items.remove(*number));
        }
        (Value::Map(mapping), [PathStep::Key(name), rest @ ..]) => {
            if let Some(value) = mapping.get_mut(&name.as_str().into()) {
                without(value, rest);
            }
        }
        (Value::Seq(items), [PathStep::Entry(number), rest @ ..]) => {
            if let Some(value) = items.get_mut(*number) {
                without(value, rest);
            }
        }
        _ => {}
    }
}

/// A handler's problem -> where it is, and what it is. Handlers begin with the key where it is not their first one, and
/// with `entry N: ` where it is in a list.
fn entry(handler: &Handler, problem: &str) -> (Vec<PathStep>, String) {
    let named = |key: &&'static str| Some((*key, problem.strip_prefix(*key)?.strip_prefix(": ")?));
    let own = (handler.keys.first().copied().unwrap_or(handler.name), problem);
    let (name, problem) = handler.keys.iter().find_map(named).unwrap_or(own);
    let key = PathStep::Key(name.to_owned());
    let rest = problem.strip_prefix("entry ").and_then(|rest| rest.split_once(": "));
    match rest.and_then(|(number, message)| Some((number.parse::<usize>().ok()?.checked_sub(1)?, message))) {
        Some((number, message)) => (vec![key, PathStep::Entry(number)], message.to_owned()),
        None => (vec![key], problem.to_owned()),
    }
}

#[cfg(test)]
mod tests;

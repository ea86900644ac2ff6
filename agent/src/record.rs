//! The record of this boot in cloud-init's `status.json` and `result.json`.

use crate::instance::now;
use crate::layout;
use crate::report::Report;
use crate::root::{Rights, Root};
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result};

/// The stages by the names that they have in the record.
pub(crate) const LOCAL: &str = "init-local";
pub(crate) const NETWORK: &str = "init";
pub(crate) const CONFIG: &str = "modules-config";
pub(crate) const FINAL: &str = "modules-final";

/// All of them in their order.
pub(crate) const STAGES: [&str; 4] = [LOCAL, NETWORK, CONFIG, FINAL];

/// Opens a stage. The first one of a boot starts a new record. That is the local one, or, where /var needs the network,
/// the one that finds no link to it below /run.
pub(crate) fn start(stage: &'static str, root: &Root) -> Result<()> {
    let mut record = if stage == LOCAL || root.link_target(layout::RUN_STATUS)?.is_none() {
        root.remove(layout::RESULT)?;
        Mapping::default()
    } else {
        read(layout::STATUS, root)?.unwrap_or_default()
    };
    for stage in STAGES {
        if record.get(stage).is_none() {
            record.set(stage, entry(Value::Null));
        }
    }
    record.set("stage", stage);
    record.set(stage, entry(Value::Int(now().into())));
    root.write(layout::RUN_STAGE, format!("{}\n", std::process::id()).as_bytes(), 0o644)?;
    write(&record, root)
}

/// Closes a stage with what was told in it.
pub(crate) fn finish(stage: &'static str, source: Option<&str>, report: &Report, root: &Root) -> Result<()> {
    let mut record = read(layout::STATUS, root)?.unwrap_or_default();
    record.set("stage", Value::Null);
    if let Some(source) = source {
        record.set("datasource", source);
    }
    let mut entry = record.get(stage).and_then(Value::as_map).cloned().unwrap_or_default();
    entry.set("finished", Value::Int(now().into()));
    entry.set("errors", texts(&report.errors));
    let mut recoverable = Mapping::default();
    if !report.warnings.is_empty() {
        recoverable.set("WARNING", texts(&report.warnings));
    }
    entry.set("recoverable_errors", recoverable);
    record.set(stage, entry);
    write(&record, root)?;
    note_details(report, root)?;
    if stage == FINAL {
        let mut result = Mapping::default();
        result.set("datasource", record.get("datasource").cloned().unwrap_or(Value::Null));
        result.set("errors", texts(&told(&record, "errors")));
        write_json(layout::RESULT, layout::RUN_RESULT, result, root)?;
    }
    Ok(())
}

/// A stage that nothing has been told of.
fn entry(start: Value) -> Mapping {
    let mut entry = Mapping::default();
    entry.set("errors", Value::Seq(Vec::new()));
    entry.set("finished", Value::Null);
    entry.set("recoverable_errors", Mapping::default());
    entry.set("start", start);
    entry
}

/// The messages of all stages under a key.
pub(crate) fn told(record: &Mapping, key: &str) -> Vec<String> {
    let entries = STAGES.into_iter().filter_map(|stage| record.get(stage)?.as_map()?.get(key));
    let lists = entries.filter_map(|value| match value {
        Value::Map(levels) => levels.get("WARNING")?.as_seq(),
        other => other.as_seq(),
    });
    lists.flatten().filter_map(Value::scalar_text).collect()
}

/// Everybody may read the record. The text behind a problem's first line quotes the user-data, which may hold secrets.
fn texts(problems: &[String]) -> Value {
    let first_line = |problem: &String| Value::from(problem.lines().next().unwrap_or_default());
    Value::Seq(problems.iter().map(first_line).collect())
}

/// Notes the further lines of problems, where only root reads them.
fn note_details(report: &Report, root: &Root) -> Result<()> {
    let mut lines = String::new();
    for problem in report.errors.iter().chain(&report.warnings).filter(|problem| problem.contains('\n')) {
        lines.push_str(&yaml::to_json(&Value::from(problem.as_str())));
        lines.push('\n');
    }
    if lines.is_empty() {
        return Ok(());
    }
    root.append(layout::DETAILS, lines.as_bytes(), Rights::mode(0o600))
}

/// Problems with all of their lines, as far as they may be read.
pub(crate) fn details(root: &Root) -> Vec<String> {
    // Whoever may not read it does without.
    let text = root.read_text(layout::DETAILS).ok().flatten().unwrap_or_default();
    text.lines().filter_map(|line| Some(yaml::load(line).ok()?.as_str()?.to_owned())).collect()
}

/// The record in a file; `None` when there is none.
pub(crate) fn read(path: &str, root: &Root) -> Result<Option<Mapping>> {
    let Some(text) = root.read_text(path)? else { return Ok(None) };
    let record = yaml::load(&text).with_context(|| format!("read {}", root.show(path)))?;
    Ok(record.as_map().and_then(|record| record.get("v1")?.as_map()).cloned())
}

fn write(record: &Mapping, root: &Root) -> Result<()> {
    write_json(layout::STATUS, layout::RUN_STATUS, record.clone(), root)
}

fn write_json(path: &str, link: &str, content: Mapping, root: &Root) -> Result<()> {
    let mut outer = Mapping::default();
    outer.set("v1", content);
    root.write(path, (yaml::to_json(&Value::Map(outer)) + "\n").as_bytes(), 0o644)?;
    root.link(link, &format!("../../{path}"))
}

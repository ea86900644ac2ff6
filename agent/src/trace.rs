//! The trace of this boot: each handler with its time and its result, a line of JSON each. `status --long` and
//! `analyze` read it.

use crate::layout;
use crate::report::Report;
use crate::root::{Rights, Root};
use crate::yaml::{self, Mapping, Value};
use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;

/// The work that a handler did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Did {
    /// Steps of its plan.
    Something,
    /// The configuration asks for nothing of it.
    Nothing,
    /// It was done on an earlier boot.
    Before,
    /// It is left out in a rescue boot.
    LeftOut,
}

impl Did {
    fn word(self) -> &'static str {
        match self {
            Self::Something => "done",
            Self::Nothing => "nothing to do",
            Self::Before => "done before",
            Self::LeftOut => "left out in a rescue boot",
        }
    }
}

/// A piece of work that has begun.
pub(crate) struct Begun {
    name: &'static str,
    start: u64,
    warnings: usize,
    errors: usize,
}

impl Begun {
    /// Begins it.
    pub(crate) fn now(name: &'static str, report: &Report) -> Self {
        Self { name, start: uptime(), warnings: report.warnings.len(), errors: report.errors.len() }
    }

    /// Ends it. The reports in between make its result.
    pub(crate) fn end(self, did: Did, report: &mut Report, root: &Root) {
        let first = |told: &[String], before: usize| {
            Some(told.get(before)?.lines().next().unwrap_or_default().to_owned())
        };
        let (result, reason) =
            match (first(&report.errors, self.errors), first(&report.warnings, self.warnings)) {
                (Some(error), _) => ("failed", error),
                (None, Some(warning)) => ("warned", warning),
                (None, None) => (did.word(), String::new()),
            };
        let mut entry = Mapping::default();
        entry.set("name", self.name);
        entry.set("start", milliseconds(self.start));
        entry.set("took", milliseconds(uptime().saturating_sub(self.start)));
        entry.set("result", result);
        entry.set("reason", reason);
        let line = yaml::to_json(&entry.into()) + "\n";
        // It is for people who look. A full /run must not cost the keys that come after it.
        report.take(root.append(layout::TRACE, line.as_bytes(), Rights::mode(0o644)));
    }
}

fn milliseconds(value: u64) -> Value {
    Value::Int(value.into())
}

/// Milliseconds since the machine started.
fn uptime() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    part(now.tv_sec) * 1000 + part(now.tv_nsec) / 1_000_000
}

/// A line of the trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TraceEntry {
    /// The module.
    pub(crate) name: String,
    /// Its start, in milliseconds since the machine started.
    pub(crate) start: u64,
    /// Its duration in milliseconds.
    pub(crate) took: u64,
    /// Its result in a few words.
    pub(crate) result: String,
    /// The first error or warning; empty if there is none.
    pub(crate) reason: String,
}

impl fmt::Display for TraceEntry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, took, result, reason, .. } = self;
        write!(out, "{name}: {result}, {}.{:03} s", took / 1000, took % 1000)?;
        if reason.is_empty() { Ok(()) } else { write!(out, " ({reason})") }
    }
}

/// The trace of this boot, in order. A line that was cut off is left out.
pub(crate) fn read(root: &Root) -> Result<Vec<TraceEntry>> {
    let text = root.read_text(layout::TRACE)?.unwrap_or_default();
    Ok(text.lines().filter_map(entry).collect())
}

fn entry(line: &str) -> Option<TraceEntry> {
    let value = yaml::load(line).ok()?;
    let map = value.as_map()?;
    let text = |key: &str| Some(map.get(key)?.as_str()?.to_owned());
    let number = |key: &str| match map.get(key)? {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    Some(TraceEntry {
        name: text("name")?,
        start: number("start")?,
        took: number("took")?,
        result: text("result")?,
        reason: text("reason")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Work = (&'static str, fn(&mut Report), Did, &'static str, &'static str);

    #[test]
    fn each_result_is_told_apart_and_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let mut report = Report::default();
        report.error("an earlier one");
        let works: [Work; 4] = [
            ("a", |_| {}, Did::Something, "done", ""),
            ("b", |_| {}, Did::Before, "done before", ""),
            ("c", |report| report.warn("odd\nsecret"), Did::Something, "warned", "odd"),
            ("d", |report| report.error("bad: \"x\""), Did::Something, "failed", "bad: \"x\""),
        ];
        for (name, work, did, ..) in works {
            let begun = Begun::now(name, &report);
            work(&mut report);
            begun.end(did, &mut report, &root);
        }
        let entries = read(&root).unwrap();
        assert_eq!(entries.len(), works.len());
        for (entry, (name, _, _, result, reason)) in entries.iter().zip(works) {
            assert_eq!(
                (entry.name.as_str(), entry.result.as_str(), entry.reason.as_str()),
                (name, result, reason)
            );
            assert!(entry.start > 0);
        }
        let shown = TraceEntry { took: 1002, ..entries.last().unwrap().clone() }.to_string();
        assert_eq!(shown, "d: failed, 1.002 s (bad: \"x\")");
    }

    #[test]
    fn a_line_that_is_not_whole_costs_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let whole = r#"{"name": "a", "start": 5, "took": 1, "result": "done", "reason": ""}"#;
        root.write(layout::TRACE, format!("{whole}\n{{\"name\": \"b\", \"sta").as_bytes(), 0o644).unwrap();
        assert_eq!(read(&root).unwrap().len(), 1);
    }
}

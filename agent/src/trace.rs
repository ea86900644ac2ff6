//! The trace of this boot: each stage, source, handler and program of the user's with its time and its result, a line of
//! JSON each. `status --long` and `analyze` read it.

use crate::layout;
use crate::report::Report;
use crate::root::{Rights, Root};
use crate::yaml::{self, Mapping, Value};
use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::time::Duration;

/// The kind of work that a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A line that lifeboat wrote to the kernel's log.
    Kernel,
    /// A whole stage.
    Stage,
    /// A source that was looked at.
    Source,
    /// A boothook.
    Boothook,
    /// A call of a part handler.
    PartHandler,
    /// A handler of cloud-config.
    Handler,
    /// A script.
    Script,
}

/// Their words in the file, and before the name where people read it.
const KINDS: [(Kind, &str); 7] = [
    (Kind::Kernel, "kernel"),
    (Kind::Stage, "stage"),
    (Kind::Source, "source"),
    (Kind::Boothook, "boothook"),
    (Kind::PartHandler, "part-handler"),
    (Kind::Handler, "config"),
    (Kind::Script, "script"),
];

impl Kind {
    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

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
    kind: Kind,
    name: String,
    start: u64,
    warnings: usize,
    errors: usize,
}

impl Begun {
    /// Begins it.
    pub(crate) fn now(kind: Kind, name: impl Into<String>, report: &Report) -> Self {
        let (warnings, errors) = (report.warnings.len(), report.errors.len());
        Self { kind, name: name.into(), start: uptime(), warnings, errors }
    }

    /// Its start is as long ago as that.
    pub(crate) fn ago(self, time: Duration) -> Self {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or_default();
        Self { start: self.start.saturating_sub(milliseconds), ..self }
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
        let took = uptime().saturating_sub(self.start);
        self.write(took, result, &reason, report, root);
    }

    /// Ends it, as if at an earlier moment. Its words are its result; the first line counts.
    pub(crate) fn end_after(self, took: Duration, said: &str, report: &mut Report, root: &Root) {
        let took = u64::try_from(took.as_millis()).unwrap_or_default();
        self.write(took, said.lines().next().unwrap_or_default(), "", report, root);
    }

    fn write(self, took: u64, result: &str, reason: &str, report: &mut Report, root: &Root) {
        let mut entry = Mapping::default();
        entry.set("kind", self.kind.word());
        entry.set("name", self.name);
        entry.set("stage", report.stage);
        entry.set("start", milliseconds(self.start));
        entry.set("took", milliseconds(took));
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
    /// Its kind.
    pub(crate) kind: Kind,
    /// The handler, or the path of the program.
    pub(crate) name: String,
    /// The stage, by its name in the record; empty outside of a boot.
    pub(crate) stage: String,
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
        let Self { kind, name, took, result, reason, .. } = self;
        if *kind != Kind::Handler {
            write!(out, "{} ", kind.word())?;
        }
        write!(out, "{name}: {result}, {}.{:03} s", took / 1000, took % 1000)?;
        if reason.is_empty() { Ok(()) } else { write!(out, " ({reason})") }
    }
}

impl TraceEntry {
    /// The time of its end, in milliseconds since the machine started.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.took)
    }

    /// It, for programs.
    pub(crate) fn value(&self) -> Value {
        let mut entry = Mapping::default();
        entry.set("kind", self.kind.word());
        entry.set("name", self.name.as_str());
        entry.set("stage", self.stage.as_str());
        entry.set("start", milliseconds(self.start));
        entry.set("took", milliseconds(self.took));
        entry.set("result", self.result.as_str());
        entry.set("reason", self.reason.as_str());
        entry.into()
    }
}

/// The trace of this boot in the order of beginnings. A line that was cut off is left out.
pub(crate) fn read(root: &Root) -> Result<Vec<TraceEntry>> {
    let text = root.read_text(layout::TRACE)?.unwrap_or_default();
    let mut entries: Vec<_> = text.lines().filter_map(entry).collect();
    // A stage or handler that holds others is written after them, at its end.
    let holds_others = |entry: &TraceEntry| entry.kind != Kind::Stage && entry.kind != Kind::Handler;
    entries.sort_by_key(|entry| (entry.start, entry.kind != Kind::Stage, holds_others(entry)));
    Ok(entries)
}

fn entry(line: &str) -> Option<TraceEntry> {
    let value = yaml::load(line).ok()?;
    let map = value.as_map()?;
    let text = |key: &str| Some(map.get(key)?.as_str()?.to_owned());
    let number = |key: &str| match map.get(key)? {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let kind = text("kind")?;
    Some(TraceEntry {
        kind: KINDS.iter().find(|(_, word)| *word == kind)?.0,
        name: text("name")?,
        stage: text("stage")?,
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
            let begun = Begun::now(Kind::Handler, name, &report);
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
        let whole = r#"{"kind": "config", "name": "a", "stage": "init", "start": 5, "took": 1, "result": "done", "reason": ""}"#;
        root.write(
            layout::TRACE,
            format!("{whole}\n{{\"kind\": \"config\", \"name\": \"b\", \"sta").as_bytes(),
            0o644,
        )
        .unwrap();
        assert_eq!(read(&root).unwrap().len(), 1);
    }
}

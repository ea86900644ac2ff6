//! `status`: how far the agent is in this boot, and what went wrong.

use crate::args::StatusOptions;
use crate::date::rfc2822;
use crate::json;
use crate::layout;
use crate::record::{self, FINAL, STAGES};
use crate::report;
use crate::rescue::record::booted;
use crate::root::Root;
use crate::switch::{Position, Switch};
use crate::trace::{self, Kind, TraceEntry};
use crate::yaml::{Mapping, Value};
use anyhow::Result;
use rustix::process::{Pid, test_kill_process};
use std::fmt::Write as _;
use std::time::Duration;

/// The pause between two looks while it is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// The status of this boot.
#[derive(Debug)]
pub(crate) struct Status {
    /// The agent's switch.
    pub(crate) switch: Switch,
    /// The agent's progress.
    pub(crate) progress: Progress,
    /// The steps that were to be taken and were not.
    pub(crate) errors: Vec<String>,
    /// The faults that may be lived with.
    pub(crate) warnings: Vec<String>,
    /// The record's latest time, in seconds since 1970; 0 when there is none.
    pub(crate) latest: u64,
    /// The record, as cloud-init has it.
    pub(crate) record: Mapping,
    trace: Vec<TraceEntry>,
    details: Vec<String>,
    source: Option<String>,
    stage: Option<String>,
    instance: Option<String>,
    rescue: bool,
}

/// The agent's progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// Its first stage has not begun.
    NotStarted,
    /// The agent is at work: some of its stages have not ended.
    Running,
    /// They have.
    Done,
    /// It is not for this boot.
    Disabled,
}

impl Progress {
    /// cloud-init's word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::Running => "running",
            Self::Done => "done",
            Self::Disabled => "disabled",
        }
    }
}

/// Prints the status as it is asked for; the exit status.
pub(crate) fn run(options: &StatusOptions, root: &Root) -> Result<u8> {
    let status = if options.wait { wait(root, &mut || ())? } else { Status::read(root)? };
    report::print(&if options.json {
        let mut all = status.value();
        all.set("trace", Value::Seq(status.trace.iter().map(TraceEntry::value).collect()));
        json::pretty(&all.into(), 2) + "\n"
    } else if options.long {
        status.long_text()
    } else {
        status.text()
    });
    Ok(status.code())
}

/// Waits until there is nothing more to come; `meanwhile` is called after each look.
pub(crate) fn wait(root: &Root, meanwhile: &mut dyn FnMut()) -> Result<Status> {
    loop {
        let status = Status::read(root)?;
        if !matches!(status.progress, Progress::NotStarted | Progress::Running) {
            return Ok(status);
        }
        meanwhile();
        std::thread::sleep(PAUSE);
    }
}

impl Status {
    /// Reads it.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        let switch = Switch::read(root)?;
        let record = match record::read(layout::RUN_STATUS, root)? {
            // The record on the disk is of an earlier boot, unless the disk is all that there is.
            None if !root.is_live() => record::read(layout::STATUS, root)?,
            record => record,
        };
        let text = |key: &str| Some(record.as_ref()?.get(key)?.as_str()?.to_owned());
        let mut stage = text("stage");
        let mut errors = record.as_ref().map(|record| record::told(record, "errors")).unwrap_or_default();
        let warnings = record.as_ref().map(|record| record::told(record, "recoverable_errors"));
        for name in STAGES {
            let time = |key| Some(record.as_ref()?.get(name)?.as_map()?.get(key)? != &Value::Null);
            let is_open = time("start") == Some(true) && time("finished") != Some(true);
            if is_open && (stage.as_deref() != Some(name) || !is_at_work(root)?) {
                errors.push(format!("{name} was cut off before its end"));
                stage = stage.filter(|stage| stage != name);
            }
        }
        let ended = |record: &Mapping| Some(record.get(FINAL)?.as_map()?.get("finished")? != &Value::Null);
        let progress = match &record {
            _ if switch.position == Position::Off => Progress::Disabled,
            None => Progress::NotStarted,
            Some(record) if ended(record) == Some(true) && stage.is_none() => Progress::Done,
            // Nobody will go on where the last stage was cut off.
            Some(record) if begun(record, FINAL) && stage.is_none() => Progress::Done,
            Some(_) => Progress::Running,
        };
        Ok(Self {
            switch,
            progress,
            errors,
            warnings: warnings.unwrap_or_default(),
            latest: record.as_ref().map(latest).unwrap_or_default(),
            source: text("datasource"),
            stage,
            instance: root.read_text(layout::INSTANCE_ID)?.map(|id| id.trim_end().to_owned()),
            trace: trace::read(root)?,
            details: record::details(root),
            rescue: booted(root).is_ok_and(|boot| boot.is_rescue()),
            record: record.unwrap_or_default(),
        })
    }

    /// The exit status: 1 with errors, 2 with warnings alone.
    pub(crate) fn code(&self) -> u8 {
        match (self.errors.is_empty(), self.warnings.is_empty()) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 0,
        }
    }

    /// In one word.
    pub(crate) fn word(&self) -> &'static str {
        if self.errors.is_empty() { self.progress.word() } else { "error" }
    }

    /// With what else there is to say, as cloud-init says it.
    pub(crate) fn extended(&self) -> String {
        let word = self.progress.word();
        match self.code() {
            1 => format!("error - {word}"),
            2 if matches!(self.progress, Progress::Done | Progress::Running) => format!("degraded {word}"),
            _ => word.to_owned(),
        }
    }

    /// The source under cloud-init's name, the stage that is running, or what switched the agent on or off.
    pub(crate) fn detail(&self) -> String {
        match (&self.source, &self.stage) {
            (Some(source), _) => source.clone(),
            (None, Some(stage)) => format!("Running in stage: {stage}"),
            (None, None) => self.switch.reason.to_owned(),
        }
    }

    /// The source by its short name.
    fn source(&self) -> Option<String> {
        let name = self.source.as_deref()?.split(' ').next()?;
        Some(name.strip_prefix("DataSource").unwrap_or(name).to_lowercase())
    }

    /// The time of the record, as text; empty when there is none.
    pub(crate) fn last_update(&self) -> String {
        if self.latest == 0 { String::new() } else { rfc2822(self.latest) }
    }

    /// All of it, under cloud-init's keys.
    pub(crate) fn value(&self) -> Mapping {
        let texts = |lines: &[String]| Value::Seq(lines.iter().map(|line| line.as_str().into()).collect());
        let mut recoverable = Mapping::default();
        if !self.warnings.is_empty() {
            recoverable.set("WARNING", texts(&self.warnings));
        }
        let mut all = self.record.clone();
        all.set("boot_status_code", self.switch.code);
        all.set("datasource", self.source().unwrap_or_default());
        all.set("detail", self.detail());
        all.set("errors", texts(&self.errors));
        all.set("extended_status", self.extended());
        all.set("last_update", self.last_update());
        all.set("recoverable_errors", recoverable);
        all.set("status", self.word());
        all
    }

    /// For people.
    fn text(&self) -> String {
        let mut text = format!("status: {}\n", self.word());
        // Writing to a String cannot fail.
        for (name, value) in [("source", self.source()), ("instance", self.instance.clone())] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                writeln!(text, "{name}: {value}").unwrap_or_default();
            }
        }
        if self.rescue {
            text.push_str(
                "boot: rescue (host name, users and keys alone; files, commands and scripts are left out)\n",
            );
        }
        if let Some(stage) = &self.stage {
            writeln!(text, "stage: {stage}").unwrap_or_default();
        }
        for (kind, lines) in [("error", &self.errors), ("warning", &self.warnings)] {
            for line in lines {
                writeln!(text, "{kind}: {line}").unwrap_or_default();
                let detail = self.details.iter().filter_map(|whole| whole.strip_prefix(line.as_str()));
                for quoted in detail.flat_map(str::lines).filter(|quoted| quoted.starts_with("| ")) {
                    writeln!(text, "  {quoted}").unwrap_or_default();
                }
            }
        }
        text
    }

    fn long_text(&self) -> String {
        let mut text = self.text();
        writeln!(text, "switch: {} ({})", self.switch.reason, self.switch.code).unwrap_or_default();
        for name in STAGES {
            let Some(entry) = self.record.get(name).and_then(Value::as_map) else { continue };
            let time = |key| entry.get(key).and_then(seconds).map(rfc2822);
            let Some(start) = time("start") else { continue };
            let end = time("finished").map(|end| format!(", ended {end}")).unwrap_or_default();
            writeln!(text, "{name}: began {start}{end}").unwrap_or_default();
        }
        for entry in self.trace.iter().filter(|entry| entry.kind != Kind::Stage) {
            writeln!(text, "{entry}").unwrap_or_default();
        }
        text
    }
}

fn begun(record: &Mapping, stage: &str) -> bool {
    let start = record.get(stage).and_then(Value::as_map).and_then(|entry| entry.get("start"));
    start.is_some_and(|start| *start != Value::Null)
}

/// True if the process that opened the latest stage is there.
fn is_at_work(root: &Root) -> Result<bool> {
    let id = root.read_text(layout::RUN_STAGE)?.and_then(|id| id.trim().parse().ok());
    let Some(pid) = id.filter(|id| *id > 0).and_then(Pid::from_raw) else { return Ok(false) };
    // A process that may not be sent a signal is there too.
    Ok(test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn latest(record: &Mapping) -> u64 {
    let entries = record.iter().filter_map(|(_, entry)| entry.as_map());
    let times = entries.flat_map(|entry| [entry.get("start"), entry.get("finished")]);
    times.flatten().filter_map(seconds).max().unwrap_or_default()
}

fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Int(seconds) => u64::try_from(*seconds).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

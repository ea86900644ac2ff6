//! Findings, and the way they are printed.

use crate::json;
use crate::report::harmless;
use crate::yaml::{Mapping, Value};
use std::fmt::{self, Write as _};
use std::path::Path;

/// One thing that is wrong, or no longer right.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    pub(crate) gravity: Gravity,
    /// The part it is in; nothing where the data is one part.
    pub(crate) part: Option<String>,
    /// Line and column in the part, both from 1.
    pub(crate) place: Option<(usize, usize)>,
    /// The line, where the message does not show it.
    pub(crate) line: Option<String>,
    /// Keys and the numbers of entries, with dots between.
    pub(crate) key: Option<String>,
    /// The message.
    pub(crate) message: String,
}

/// The gravity of a finding.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Gravity {
    /// It is not as it should be.
    #[default]
    Error,
    /// It is understood, and deprecated.
    Warning,
    /// It is valid, and has no effect.
    NoEffect,
}

/// A longer line is cut: a person finds the place by its number.
const LONGEST_LINE: usize = 120;

/// A line as it is shown: what a terminal would act on is not.
pub(super) fn shown(line: &str) -> String {
    let harmless = |character: char| match character {
        '\t' => '\t',
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    line.chars().take(LONGEST_LINE).map(harmless).collect()
}

/// True if nothing of it is an error.
pub(super) fn is_valid(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.gravity != Gravity::Error)
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(out, "{line}:{column}: ")?;
        }
        if self.gravity != Gravity::Error {
            write!(out, "warning: ")?;
        }
        for word in [&self.part, &self.key].into_iter().flatten() {
            write!(out, "{}: ", word.escape_debug())?;
        }
        write!(out, "{}", harmless(self.message.clone()))?;
        if let (Some((number, column)), Some(line)) = (self.place, &self.line) {
            let number = number.to_string();
            let margin = " ".repeat(number.len());
            // A tab before the place keeps the caret below it.
            let tab_or_blank = |character| if character == '\t' { '\t' } else { ' ' };
            let before: String = line.chars().take(column.saturating_sub(1)).map(tab_or_blank).collect();
            write!(out, "\n  {number} | {line}\n  {margin} | {before}^")?;
        }
        Ok(())
    }
}

/// The lines for people.
pub(super) fn lines(file: &Path, findings: &[Finding]) -> String {
    let name = file.display();
    let mut text = String::new();
    for finding in findings {
        let space = if finding.place.is_some() { "" } else { " " };
        // Writing to a String cannot fail.
        writeln!(text, "{name}:{space}{finding}").unwrap_or_default();
    }
    if is_valid(findings) {
        let is_all = findings.iter().all(|finding| finding.gravity != Gravity::NoEffect);
        let but = if is_all { "" } else { ", but not all of it has an effect" };
        writeln!(text, "{name}: nothing is wrong{but}").unwrap_or_default();
    }
    text
}

/// The document for programs.
pub(super) fn document<'a>(files: impl Iterator<Item = (&'a Path, &'a [Finding])>) -> String {
    let mut document = Mapping::default();
    document.set("files", Value::Seq(files.map(|(file, findings)| value(file, findings)).collect()));
    json::pretty(&document.into(), 2) + "\n"
}

fn value(file: &Path, findings: &[Finding]) -> Value {
    let of = |gravity: Gravity| {
        Value::Seq(findings.iter().filter(|finding| finding.gravity == gravity).map(entry).collect())
    };
    let mut value = Mapping::default();
    value.set("file", file.display().to_string());
    value.set("valid", Value::Bool(is_valid(findings)));
    value.set("errors", of(Gravity::Error));
    value.set("warnings", of(Gravity::Warning));
    value.into()
}

fn entry(finding: &Finding) -> Value {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let number = |number: Option<usize>| {
        number.and_then(|number| i128::try_from(number).ok()).map_or(Value::Null, Value::Int)
    };
    let mut entry = Mapping::default();
    entry.set("part", text(&finding.part));
    entry.set("line", number(finding.place.map(|(line, _)| line)));
    entry.set("column", number(finding.place.map(|(_, column)| column)));
    entry.set("text", text(&finding.line));
    entry.set("key", text(&finding.key));
    entry.set("message", finding.message.as_str());
    entry.into()
}

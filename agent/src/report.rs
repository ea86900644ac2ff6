//! The messages of a stage: lines for the journal, of which warnings and errors are kept for `status`.

use crate::apply::output::Outputs;
use crate::plan::PowerChange;
use std::io::Write;
use std::process::ExitCode;

/// A stage's log.
#[derive(Default, Debug)]
pub struct Report {
    /// The faults that may be lived with.
    pub(crate) warnings: Vec<String>,
    /// The steps that were to be taken and were not.
    pub(crate) errors: Vec<String>,
    /// The stage of the boot, by its name in the record; empty outside of a boot.
    pub(crate) stage: &'static str,
    /// Where the output of programs goes.
    pub(crate) outputs: Outputs,
    /// The change of the machine's power after the stage.
    pub(crate) power: Option<PowerChange>,
}

/// The priority that journald reads at the head of a line.
const ERROR: u8 = 3;
const WARNING: u8 = 4;
const INFO: u8 = 6;

impl Report {
    /// A result or a changing step.
    #[expect(clippy::unused_self, reason = "whoever may speak has a report")]
    pub(crate) fn info(&self, text: &str) {
        line(INFO, text);
    }

    /// Something was dropped, and everything else goes on.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        let text = harmless(text.into());
        line(WARNING, &format!("warning: {text}"));
        self.warnings.push(text);
    }

    /// The same, once however often it comes up.
    pub(crate) fn warn_once(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warn(text);
        }
    }

    /// Something asked for could not be done.
    pub(crate) fn error(&mut self, text: impl Into<String>) {
        let text = harmless(text.into());
        line(ERROR, &format!("error: {text}"));
        self.errors.push(text);
    }

    /// Tells the error that ended the program, if one did. The program fails too where an error was told before.
    pub fn end(mut self, ran: anyhow::Result<ExitCode>) -> ExitCode {
        match self.take(ran) {
            Some(code) if self.errors.is_empty() => code,
            _ => ExitCode::FAILURE,
        }
    }

    /// Tells an error of a step; the value when there is none.
    pub(crate) fn take<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(format!("{error:#}"));
                None
            }
        }
    }
}

/// Escapes the characters of shown data that a terminal acts on.
pub(crate) fn harmless(text: String) -> String {
    let acts = |character: char| character.is_control() && !"\n\t".contains(character);
    if !text.contains(acts) {
        return text;
    }
    let escaped = |character: char| -> String {
        if acts(character) { character.escape_default().collect() } else { character.into() }
    };
    text.chars().map(escaped).collect()
}

fn line(priority: u8, text: &str) {
    let for_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let mut out = std::io::stderr().lock();
    for part in text.lines() {
        let prefix = if for_journal { format!("<{priority}>") } else { String::new() };
        // Whoever closed standard error does not want to hear that it is closed.
        writeln!(out, "{prefix}lifeboat-agent: {part}").unwrap_or_default();
    }
}

/// Prints to standard error, as it stands.
pub(crate) fn complain(text: &str) {
    std::io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}

/// Prints to standard output; a reader that has gone away is no error of ours.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_not_told_to_it() {
        let mut report = Report::default();
        report.warn("a\u{1b}[2J\u{9b}b\n\t\u{fc}");
        report.error("a\rb");
        assert_eq!(report.warnings, ["a\\u{1b}[2J\\u{9b}b\n\t\u{fc}"]);
        assert_eq!(report.errors, ["a\\rb"]);
    }
}

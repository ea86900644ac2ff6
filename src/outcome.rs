//! The outcome of a journey, and its leave to change anything.

use crate::kmsg::{self, LogLevel};
use std::process::ExitCode;

/// The mode of a run: the plan is carried out or only printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Carry the plan out.
    Apply,
    /// Print it (`--dry-run`).
    DryRun,
}

/// The end of a journey when nothing went wrong. Exit status 0, but for the last.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Something was changed, or would have been: the sentence for the log.
    Done(String),
    /// Something was changed that whoever reads the console must see even on a `quiet` boot.
    Loud(String),
    /// Nothing needed to be changed: the reason.
    Skipped(String),
    /// Nothing needed to be changed, and nobody wants to read it again.
    Quiet,
    /// The answer to a question, which nobody wants to read in the log.
    Answer(String),
    /// Nothing could be done; who called goes on as if lifeboat were not there. Exit status 1.
    GaveUp(String),
}

impl Outcome {
    /// Logs the result (`--dry-run`: prints it) and turns it into the exit status.
    pub(crate) fn report(self, journey: &str, mode: Mode) -> ExitCode {
        let (level, text, status) = match self {
            Self::Done(text) => (LogLevel::Info, text, ExitCode::SUCCESS),
            Self::Loud(text) => (LogLevel::Error, text, ExitCode::SUCCESS),
            Self::Skipped(reason) => (LogLevel::Info, format!("skipped: {reason}"), ExitCode::SUCCESS),
            Self::Quiet => return ExitCode::SUCCESS,
            Self::Answer(text) => return kmsg::print(&format!("{text}\n")),
            Self::GaveUp(reason) => (LogLevel::Info, reason, ExitCode::FAILURE),
        };
        match mode {
            Mode::DryRun => kmsg::print(&format!("{journey}: {text}\n")),
            Mode::Apply => {
                kmsg::log(level, journey, &text);
                status
            }
        }
    }
}

//! Texts for the console, where people look who cannot log in yet.

use crate::date::rfc2822;
use crate::instance::now;
use crate::report::Report;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::Write;

const CONSOLE: &str = "/dev/console";

/// Shows lines as logger(1) writes them, and a text behind them. A container may have no console: the log gets all of
/// it then.
pub(super) fn show(logged: &[String], text: &str, report: &mut Report) {
    for line in logged {
        report.info(line);
    }
    let stamp = stamp(&rfc2822(now()));
    let lines = logged.iter().map(|line| format!("<14>{stamp} cloud-init: {line}\n"));
    let all: String = lines.chain([text.to_owned()]).collect();
    if write(&all).is_err() {
        report.info(text);
    }
}

/// Writes to the console alone.
pub(super) fn write(text: &str) -> Result<()> {
    let console = OpenOptions::new().write(true).open(CONSOLE);
    let written = console.and_then(|mut console| console.write_all(text.as_bytes()));
    written.with_context(|| format!("write to {CONSOLE}"))
}

/// A time as syslog has it, from that of mail.
fn stamp(date: &str) -> String {
    let words: Vec<_> = date.split(' ').collect();
    match words[..] {
        [_, day, month, _, time, ..] => format!("{month} {:>2} {time}", day.trim_start_matches('0')),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_that_of_syslog() {
        assert_eq!(super::stamp("Tue, 01 Dec 2026 03:24:47 +0000"), "Dec  1 03:24:47");
        assert_eq!(super::stamp("Mon, 21 Nov 2025 17:16:27 +0000"), "Nov 21 17:16:27");
    }
}

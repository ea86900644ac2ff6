//! Lines for whoever watches the console: the kernel's log, or standard error where there is none.

pub(crate) use lifeboat_common::text::escape;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::write as write_once;
use std::io::Write as _;
use std::process::ExitCode;

// After udev's init-bottom script /dev is inside the root.
const KMSG: [&str; 2] = ["/dev/kmsg", "/root/dev/kmsg"];

/// The kernel's log levels that are used here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogLevel {
    /// Shown on the console even when the boot is `quiet`.
    Error = 3,
    /// A result, or the reason why nothing was done.
    Info = 6,
}

/// The kernel refuses a record that does not fit into 1024 bytes with what it puts before it.
const LONGEST_RECORD: usize = 900;

/// Writes `lifeboat: JOURNEY: TEXT` to the kernel's log, one record per line of `text`, or more for a long one.
pub(crate) fn log(level: LogLevel, journey: &str, text: &str) {
    for record in records(journey, text) {
        if !write_record(&format!("<{}>{record}\n", level as u8)) {
            complain(&record);
        }
    }
}

/// The lines that a text becomes in the kernel's log.
pub(crate) fn records(journey: &str, text: &str) -> Vec<String> {
    let mut records = Vec::new();
    let start = format!("lifeboat: {journey}: ");
    for line in text.lines() {
        let mut record = start.clone();
        for character in escape(line.as_bytes()).chars() {
            if record.len() + character.len_utf8() > LONGEST_RECORD {
                records.push(std::mem::replace(&mut record, start.clone()));
            }
            record.push(character);
        }
        records.push(record);
    }
    records
}

/// Writes a line to standard error; where that is closed, nobody can be told.
pub(crate) fn complain(line: &str) {
    if writeln!(std::io::stderr(), "{line}").is_err() {
        write_record(&format!("<3>{line}\n"));
    }
}

/// Prints to standard output: `--help`, `--version` and `--dry-run`.
pub(crate) fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The kernel lets only ten lines in a row through per open descriptor, hence one for each.
fn write_record(record: &str) -> bool {
    KMSG.iter().any(|path| {
        open(*path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .is_ok_and(|kmsg| write_once(&kmsg, record.as_bytes()).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_kernel_would_refuse_becomes_several() {
        let records = records("rescue", &"\u{1}".repeat(500));
        assert_eq!(records.len(), 3);
        assert!(records.iter().all(|record| record.starts_with("lifeboat: rescue: ") && record.len() <= 900));
        let text: String =
            records.iter().map(|record| record.strip_prefix("lifeboat: rescue: ").unwrap()).collect();
        assert_eq!(text, "\\u{1}".repeat(500));
    }
}

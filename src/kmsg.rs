//! Lines for whoever watches the console: the kernel's log, or standard error where there is none.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::write as write_once;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

// After udev's init-bottom script /dev is inside the root.
const KMSG: [&str; 2] = ["/dev/kmsg", "/root/dev/kmsg"];

/// The kernel's log levels that are used here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogLevel {
    /// Shown on the console even when the boot is `quiet`.
    Error = 3,
    /// What was done, or why nothing was.
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

/// Whether a character shows as itself, and changes neither the line it is on nor how others show.
pub(crate) fn is_plain(character: char) -> bool {
    let steers = matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    // No characters for ever: systemd takes no file that holds one.
    let never = matches!(character, '\u{fdd0}'..='\u{fdef}') || u32::from(character) & 0xfffe == 0xfffe;
    !(character.is_control() || steers || never)
}

/// Bytes from a disk or a command line as one printable line: control characters, what steers the direction of
/// writing, and bytes that are no UTF-8 appear as escapes.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut line = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_plain(character) {
                line.push(character);
            } else {
                line.extend(character.escape_default());
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            write!(line, "\\x{byte:02x}").unwrap_or_default();
        }
    }
    line
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
    fn hostile_bytes_stay_on_one_printable_line() {
        assert_eq!(escape(b"RES\nCUE\x1b[2J\xff$(x)"), "RES\\nCUE\\u{1b}[2J\\xff$(x)");
    }

    #[test]
    fn what_turns_the_line_around_is_escaped() {
        assert_eq!(escape("a\u{202e}b\u{2028}\u{fffe}".as_bytes()), "a\\u{202e}b\\u{2028}\\u{fffe}");
    }

    #[test]
    fn a_line_that_the_kernel_would_refuse_becomes_several() {
        let records = records("rescue", &"\u{1}".repeat(500));
        assert_eq!(records.len(), 3);
        assert!(records.iter().all(|record| record.starts_with("lifeboat: rescue: ") && record.len() <= 900));
        let text: String =
            records.iter().map(|record| record.strip_prefix("lifeboat: rescue: ").unwrap()).collect();
        assert_eq!(text, "\\u{1}".repeat(500));
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert_eq!(escape("Löwe 6.1.0-53".as_bytes()), "Löwe 6.1.0-53");
    }
}

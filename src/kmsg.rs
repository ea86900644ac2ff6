//! Lines for whoever watches the console: the kernel's log, or standard error where there is none.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;

// After udev's init-bottom script /dev is inside the root.
const KMSG: [&str; 2] = ["/dev/kmsg", "/root/dev/kmsg"];

/// The kernel's log levels that are used here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// Shown on the console even when the boot is `quiet`.
    Error = 3,
    /// What was done, or why nothing was.
    Info = 6,
}

/// Writes `lifeboat: JOURNEY: TEXT` to the kernel's log, one record per line of `text`.
pub(crate) fn log(level: Level, journey: &str, text: &str) {
    for line in text.lines() {
        let record = format!("lifeboat: {journey}: {}\n", escape(line.as_bytes()));
        if !write_record(&format!("<{}>{record}", level as u8)) {
            complain(record.trim_end());
        }
    }
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

/// Bytes from a disk or a command line as one printable line: control characters and bytes that are no
/// UTF-8 appear as escapes.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut line = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                line.extend(character.escape_default());
            } else {
                line.push(character);
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
        OpenOptions::new()
            .write(true)
            .open(path)
            .is_ok_and(|mut kmsg| kmsg.write_all(record.as_bytes()).is_ok())
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
    fn plain_text_is_left_alone() {
        assert_eq!(escape("Löwe 6.1.0-53".as_bytes()), "Löwe 6.1.0-53");
    }
}

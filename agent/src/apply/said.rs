//! The last words of a user's program that failed, and its text for the log.

use super::output::Outputs;
use crate::layout::OUTPUT;
use crate::report::harmless;
use crate::root::{Rights, Root};
use rustix::fs::FileType;
use std::time::Duration;

/// Bounds of what is quoted.
const MOST_LINES: usize = 5;
const LONGEST_LINE: usize = 200;

/// A longer text is cut in the log.
const LONGEST_TEXT: usize = 64 * 1024;

/// `tee` may be behind the program whose output it reads.
const BEHIND: Duration = Duration::from_millis(50);

/// The file that a program's output ends up in, with the length that it had before.
pub(super) struct Watched {
    path: String,
    length: usize,
}

impl Watched {
    /// Looks at it. There may be none, for the output may go to a program or a device.
    pub(super) fn now(outputs: &Outputs, root: &Root) -> Option<Self> {
        let path = outputs.file()?.trim_start_matches('/').to_owned();
        let length = match root.locate(&path).ok()? {
            None => 0,
            Some(file) => {
                let about = rustix::fs::fstat(&file).ok()?;
                if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
                    return None;
                }
                usize::try_from(about.st_size).ok()?
            }
        };
        Some(Self { path, length })
    }

    /// The last lines that were added to it, each after a line feed.
    pub(super) fn quoted(&self, root: &Root) -> String {
        std::thread::sleep(BEHIND);
        let all = root.read(&self.path).ok().flatten().unwrap_or_default();
        last_lines(&String::from_utf8_lossy(all.get(self.length..).unwrap_or_default()))
    }
}

fn last_lines(text: &str) -> String {
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let mut lines: Vec<_> = lines.rev().take(MOST_LINES).collect();
    lines.reverse();
    let cut = |line: &str| harmless(line.chars().take(LONGEST_LINE).collect());
    lines.into_iter().flat_map(|line| ["\n| ".to_owned(), cut(line)]).collect()
}

/// Puts the text of a program into the log, unless others than its readers may read that.
pub(super) fn log_text(path: &str, outcome: &str, root: &Root) {
    const FOR_ALL: u32 = 0o007;
    let is_private = root.mode(OUTPUT).is_ok_and(|mode| mode.is_none_or(|mode| mode & FOR_ALL == 0));
    let Ok(Some(text)) = root.read(path.trim_start_matches('/')) else { return };
    if !is_private {
        return;
    }
    let text = match std::str::from_utf8(&text) {
        Ok(text) if !text.contains('\0') => text,
        _ => "(it is no text)",
    };
    let cut: String = text.chars().take(LONGEST_TEXT).collect();
    let lines: String = cut.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    let entry = format!("lifeboat-agent: {path}: {outcome}; its text:\n{}", harmless(lines));
    // A log that cannot be written was told where the program was started.
    root.append(OUTPUT, entry.as_bytes(), Rights::mode(0o640)).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_quoted_short_and_harmless() {
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines("a\n\nb\u{1b}[2J\r\n"), "\n| a\n| b\\u{1b}[2J");
        let many = (0..100).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
        assert_eq!(last_lines(&many), "\n| 95\n| 96\n| 97\n| 98\n| 99");
        assert_eq!(last_lines(&"x".repeat(10_000)).len(), LONGEST_LINE + 3);
    }

    #[test]
    fn a_log_that_others_read_gets_no_text() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("script", b"#!/bin/sh\necho $SECRET\n", 0o700).unwrap();
        for (mode, is_there) in [(0o640, true), (0o644, false)] {
            root.write(OUTPUT, b"", mode).unwrap();
            log_text("/script", "it ended with exit status: 1", &root);
            let log = root.read_text(OUTPUT).unwrap().unwrap();
            assert_eq!(log.contains("  echo $SECRET\n"), is_there, "{mode:o}: {log}");
        }
    }
}

//! The terminals that are the kernel's consoles: whether somebody pressed Enter on one.

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

const CONSOLES: &str = "/proc/consoles";

/// In lines: a line that never ends its noise must not hold up the boot.
const TYPED_AHEAD: usize = 64;

/// All consoles that can be read from.
pub(crate) struct KernelConsoles(Vec<File>);

/// The event that ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Woken {
    /// Somebody pressed Enter.
    ByEnter,
    /// The time was over.
    ByTime,
}

impl KernelConsoles {
    /// Opens them; those that cannot be opened are left out. Input from before is not an answer to what nobody could
    /// read yet.
    pub(crate) fn open() -> Self {
        let text = std::fs::read_to_string(CONSOLES).unwrap_or_default();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let files = names(&text).filter_map(|name| open(format!("/dev/{name}"), flags, Mode::empty()).ok());
        let mut consoles = Self(files.map(File::from).collect());
        for file in &mut consoles.0 {
            for _ in 0..TYPED_AHEAD {
                if !read_line(file) {
                    break;
                }
            }
        }
        consoles
    }

    /// No console: nobody can end a wait.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Waits for Enter on any of them; `milliseconds` are bounded by a second.
    pub(crate) fn wait(&mut self, milliseconds: u32) -> Result<Woken> {
        let milliseconds = milliseconds.min(999);
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(milliseconds) * 1_000_000 };
        let end = Instant::now() + Duration::from_millis(milliseconds.into());
        let mut polled: Vec<PollFd> = self.0.iter().map(|file| PollFd::new(file, PollFlags::IN)).collect();
        match poll(&mut polled, Some(&time)) {
            Err(Errno::INTR) => return Ok(Woken::ByTime),
            other => other.context("wait for the consoles")?,
        };
        let ready: Vec<bool> = polled.iter().map(|fd| fd.revents().contains(PollFlags::IN)).collect();
        for (file, ready) in self.0.iter_mut().zip(ready) {
            if ready && read_line(file) {
                return Ok(Woken::ByEnter);
            }
        }
        // A console that nobody is connected to wakes at once, and again and again.
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        Ok(Woken::ByTime)
    }
}

/// A terminal is readable once a line is complete; what was typed must not reach the shell.
fn read_line(file: &mut File) -> bool {
    file.read(&mut [0; 256]).is_ok_and(|length| length > 0)
}

fn names(consoles: &str) -> impl Iterator<Item = &str> {
    consoles.lines().filter_map(|line| line.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_consoles_are_read() {
        let text = "ttyS0                -W- (EC p a)    4:64\ntty0                 -WU (E  p  )    4:1\n";
        assert_eq!(names(text).collect::<Vec<_>>(), ["ttyS0", "tty0"]);
    }
}

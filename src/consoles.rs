//! The terminals that are the kernel's consoles: whether somebody pressed Enter on one.

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use std::fs::File;
use std::io::Read;

const CONSOLES: &str = "/proc/consoles";

/// All consoles that can be read from.
pub(crate) struct Consoles(Vec<File>);

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Woken {
    /// Somebody pressed Enter.
    ByEnter,
    /// The time was over.
    ByTime,
}

impl Consoles {
    /// Opens them; those that cannot be opened are left out.
    pub(crate) fn open() -> Result<Self> {
        let text = std::fs::read_to_string(CONSOLES).with_context(|| format!("read {CONSOLES}"))?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let files = names(&text).filter_map(|name| open(format!("/dev/{name}"), flags, Mode::empty()).ok());
        Ok(Self(files.map(File::from).collect()))
    }

    /// No console: nobody can end a wait.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Waits for Enter on any of them; `time` is bounded by a second.
    pub(crate) fn wait(&mut self, milliseconds: u32) -> Result<Woken> {
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(milliseconds.min(999)) * 1_000_000 };
        let mut polled: Vec<PollFd> = self.0.iter().map(|file| PollFd::new(file, PollFlags::IN)).collect();
        poll(&mut polled, Some(&time)).context("wait for the consoles")?;
        let ready: Vec<bool> = polled.iter().map(|fd| fd.revents().contains(PollFlags::IN)).collect();
        for (file, ready) in self.0.iter_mut().zip(ready) {
            // A terminal is readable once a line is complete; what was typed must not reach the shell.
            let mut line = [0; 256];
            if ready && file.read(&mut line).is_ok_and(|length| length > 0) {
                return Ok(Woken::ByEnter);
            }
        }
        Ok(Woken::ByTime)
    }
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

//! A guest's serial console, and waits for its lines.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The lines that end each wait, unless the wait is for one of them.
const PANIC: &str = "Kernel panic";

/// A serial console of a running guest.
#[derive(Debug)]
pub struct Console {
    shared: Arc<Shared>,
    input: File,
    /// The length of the text that was waited for already.
    position: usize,
}

#[derive(Debug, Default)]
struct Shared {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    ended: Ended,
    cleaner: Cleaner,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Ended {
    #[default]
    NotYet,
    Yes,
}

impl Console {
    /// Starts to read.
    pub(crate) fn new(input: impl Into<OwnedFd>, output: impl Into<OwnedFd>) -> Self {
        let mut output = File::from(output.into());
        let shared = Arc::<Shared>::default();
        let reader = Arc::clone(&shared);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let length = output.read(&mut chunk).unwrap_or(0);
                let mut text = reader.lock();
                let Text { bytes, ended, cleaner } = &mut *text;
                bytes.extend(chunk.iter().take(length).filter(|byte| cleaner.keeps(**byte)));
                if length == 0 {
                    *ended = Ended::Yes;
                }
                reader.changed.notify_all();
                if length == 0 {
                    break;
                }
            }
        });
        Self { shared, input: File::from(input.into()), position: 0 }
    }

    /// Waits until the guest has written this after what was waited for before. Fails when the kernel
    /// panics, the machine ends or the time is over; the error holds the whole console.
    pub fn wait_for(&mut self, wanted: &str, until: Instant) -> Result<()> {
        let mut text = self.shared.lock();
        let why = loop {
            let new = text.bytes.get(self.position..).unwrap_or_default();
            if let Some(at) = find(new, wanted) {
                self.position += at + wanted.len();
                return Ok(());
            }
            if find(new, PANIC).is_some() {
                break "the kernel panicked";
            }
            if text.ended == Ended::Yes {
                break "the machine ended";
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                break "the time was over";
            };
            text = self.shared.changed.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        let console = String::from_utf8_lossy(&text.bytes).into_owned();
        bail!("wait for `{}` on the console: {why}; the console:\n{console}", wanted.trim())
    }

    /// All that was written so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().bytes).into_owned()
    }

    /// Types this.
    pub fn send(&mut self, keys: &str) -> Result<()> {
        std::io::Write::write_all(&mut self.input, keys.as_bytes()).context("type on the console")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(text: &[u8], wanted: &str) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted.as_bytes())
}

/// Drops carriage returns and terminal control sequences, also those that come in two pieces.
#[derive(Debug, Default, Clone, Copy)]
enum Cleaner {
    #[default]
    Text,
    Escape,
    Sequence,
}

impl Cleaner {
    fn keeps(&mut self, byte: u8) -> bool {
        let (next, keeps) = match (*self, byte) {
            (Self::Text, 0x1b) => (Self::Escape, false),
            (Self::Text, b'\r') => (Self::Text, false),
            (Self::Text, _) => (Self::Text, true),
            (Self::Escape, b'[') | (Self::Sequence, 0x20..=0x3f) => (Self::Sequence, false),
            (Self::Escape | Self::Sequence, _) => (Self::Text, false),
        };
        *self = next;
        keeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_dropped() {
        let mut cleaner = Cleaner::default();
        let raw = b"[\x1b[0;32m  OK  \x1b[0m] Reached\r\n\x1b[?2004h\x1bMlogin:";
        let kept: Vec<u8> = raw.iter().copied().filter(|byte| cleaner.keeps(*byte)).collect();
        assert_eq!(String::from_utf8(kept).unwrap(), "[  OK  ] Reached\nlogin:");
    }

    #[test]
    fn a_text_is_found_where_it_is() {
        assert_eq!(find(b"own login: ", "login:"), Some(4));
        assert_eq!(find(b"log", "login:"), None);
    }
}

//! A program that is spoken with line by line.

use super::{LIMIT, OUTPUT};
use crate::root::Root;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

/// The program; it is ended when nobody speaks with it any more.
pub(crate) struct Conversation {
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<String>,
}

impl Conversation {
    /// Starts it; what it says besides goes to the log of outputs.
    pub(crate) fn begin(argv: &[String], root: &Root) -> Result<Self> {
        let (program, arguments) = argv.split_first().context("nothing to run")?;
        #[expect(clippy::disallowed_methods, reason = "apply is the one place")]
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(root.open_log(OUTPUT, 0o640)?);
        let mut child = command.spawn().with_context(|| format!("start {program}"))?;
        let output = child.stdout.take().context("read what it says")?;
        let (lines, from) = channel();
        // It ends with the program, or with the one who listens.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { to: child.stdin.take(), child, from })
    }

    /// Says a line.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        let to = self.to.as_mut().context("it listens no more")?;
        to.write_all(line.as_bytes()).and_then(|()| to.write_all(b"\n")).context("give it its input")
    }

    /// The next line that it says; `None` when it has ended.
    pub(crate) fn line(&mut self) -> Result<Option<String>> {
        match self.from.recv_timeout(LIMIT) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                bail!("it said nothing for {} s, and logins wait for it", LIMIT.as_secs())
            }
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // Whoever reads to the end of its input is done by itself.
        drop(self.to.take());
        let patient = super::ends_within(&self.child, std::time::Duration::from_secs(5));
        if !patient.unwrap_or(false) {
            self.child.kill().unwrap_or_default();
        }
        self.child.wait().map(drop).unwrap_or_default();
    }
}

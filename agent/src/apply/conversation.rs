//! A program that the agent talks to line by line.

use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// A running program. When this value is dropped, a program that does not exit soon is left running.
pub(crate) struct Conversation {
    child: Child,
    to: Option<Sender<String>>,
    from: Receiver<String>,
    end: Instant,
}

/// The most unread lines, and the longest line.
const AHEAD: usize = 64;
const LONGEST_LINE: u64 = 1 << 20;

/// The time that the program has for its exit.
const GRACE: Duration = Duration::from_secs(5);

impl Conversation {
    /// Starts the program. Its standard error goes where the output of programs goes. Nobody waits for it after `end`.
    pub(crate) fn begin(argv: &[String], end: Instant, root: &Root, report: &mut Report) -> Result<Self> {
        let (program, arguments) = argv.split_first().context("nothing to run")?;
        #[expect(clippy::disallowed_methods, reason = "apply is the one place")]
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let error = super::output::places(root, report).map(|(_, error)| error);
        command.stderr(error.map_or_else(Stdio::inherit, Stdio::from));
        let mut child = command.spawn().with_context(|| format!("start {program}"))?;
        let output = child.stdout.take().context("read what it says")?;
        let mut input = child.stdin.take().context("give it its input")?;
        let (lines, from) = sync_channel(AHEAD);
        // It ends with the program, or with the one who listens.
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = String::new();
                match (&mut output).take(LONGEST_LINE).read_line(&mut line) {
                    Ok(1..) if lines.send(line.trim_end_matches(['\n', '\r']).to_owned()).is_ok() => {}
                    _ => return,
                }
            }
        });
        // One that does not read must not be waited for without end.
        let (to, said) = channel::<String>();
        thread::spawn(move || said.into_iter().try_for_each(|line| input.write_all(line.as_bytes())));
        Ok(Self { to: Some(to), child, from, end })
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        let to = self.to.as_ref().context("it listens no more")?;
        to.send(format!("{line}\n")).ok().context("it listens no more")
    }

    /// The program's next line; `None` if it has exited.
    pub(crate) fn line(&mut self) -> Result<Option<String>> {
        // Whoever comes next has some time, too.
        let left = self.end.saturating_duration_since(Instant::now()) / 2;
        match self.from.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                // Its answer would be taken for that to the next question.
                self.to = None;
                bail!("given up after {} s without an answer: logins are waiting", left.as_secs())
            }
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // Whoever reads to the end of its input is done by itself; whoever did not answer is not waited for.
        let grace = if self.to.take().is_some() { GRACE } else { Duration::ZERO };
        if super::ends_within(&self.child, grace).unwrap_or(false) {
            self.child.wait().map(drop).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(script: &str, patience: Duration) -> (tempfile::TempDir, Conversation) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let begun = Conversation::begin(&argv, Instant::now() + patience, &root, &mut Report::default());
        (directory, begun.unwrap())
    }

    #[test]
    fn each_line_has_its_answer() {
        let (_directory, mut echo) =
            begin("while read -r line; do echo \"$line!\"; done", Duration::from_mins(1));
        for line in ["a", "b"] {
            echo.say(line).unwrap();
            assert_eq!(echo.line().unwrap(), Some(format!("{line}!")));
        }
    }

    #[test]
    fn who_does_not_answer_in_time_is_asked_no_more() {
        let (_directory, mut silent) = begin("exec sleep 60", Duration::from_millis(100));
        // More than a pipe holds.
        silent.say(&"x".repeat(1 << 20)).unwrap();
        assert!(silent.line().unwrap_err().to_string().contains("logins are waiting"));
        assert!(silent.say("again").is_err());
        let start = Instant::now();
        drop(silent);
        assert!(start.elapsed() < GRACE, "it was waited for");
    }

    #[test]
    fn who_never_ends_does_not_fill_the_memory() {
        let (_directory, mut endless) = begin("yes", Duration::from_mins(1));
        assert_eq!(endless.line().unwrap().as_deref(), Some("y"));
        endless.child.kill().unwrap();
    }
}

//! Commands in a guest, through the root shell on its second serial port.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The time that an answer is waited for before the greeting is sent again: what is sent before the guest listens
/// may be lost.
const GREETING_PAUSE: Duration = Duration::from_secs(1);

/// The output and the exit status of a command.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    /// Standard output and error.
    pub text: String,
    /// The exit status.
    pub status: u32,
}

/// The connection to the guest's shell.
#[derive(Debug)]
pub(crate) struct Shell {
    stream: UnixStream,
    number: u32,
    received: Vec<u8>,
}

impl Shell {
    /// Connects and waits until the guest answers.
    pub(crate) fn connect(socket: &Path, until: Instant) -> Result<Self> {
        let stream =
            UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
        Self::greet(stream, until)
    }

    /// Waits until the guest answers on this line.
    pub(crate) fn greet(stream: UnixStream, until: Instant) -> Result<Self> {
        let mut shell = Self { stream, number: 0, received: Vec::new() };
        while Instant::now() < until {
            let pause = until.min(Instant::now() + GREETING_PAUSE);
            shell.send("true")?;
            if shell.answer(pause)?.is_some() {
                return Ok(shell);
            }
        }
        bail!("wait for the guest's shell: the time was over")
    }

    /// Runs one line.
    pub(crate) fn run(&mut self, command: &str, until: Instant) -> Result<Output> {
        if command.contains('\n') {
            bail!("run `{command}` in the guest: it is more than one line");
        }
        self.send(command)?;
        let output = self.answer(until)?;
        output.with_context(|| {
            let so_far = String::from_utf8_lossy(&self.received);
            format!("run `{command}` in the guest: the time was over; so far it wrote:\n{so_far}")
        })
    }

    pub(crate) fn send(&mut self, command: &str) -> Result<()> {
        self.number += 1;
        self.received.clear();
        let line = format!("{} {command}\n", self.number);
        self.stream.write_all(line.as_bytes()).context("send a command to the guest")
    }

    fn answer(&mut self, until: Instant) -> Result<Option<Output>> {
        loop {
            if let Some(output) = parse(&String::from_utf8_lossy(&self.received), self.number) {
                return Ok(Some(output));
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return Ok(None);
            };
            self.stream.set_read_timeout(Some(left)).context("set a deadline for the guest's shell")?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => bail!("read from the guest's shell: the machine ended"),
                Ok(length) => self.received.extend(chunk.iter().take(length)),
                Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => return Err(err).context("read from the guest's shell"),
            }
        }
    }
}

/// The answer to the command of this number, if it is complete: `text<<NUMBER STATUS>>`.
fn parse(received: &str, number: u32) -> Option<Output> {
    let (text, rest) = received.split_once(&format!("<<{number} "))?;
    let (status, _) = rest.split_once(">>\n")?;
    // What earlier greetings were answered with stands before.
    let text = text.rsplit_once(">>\n").map_or(text, |(_, text)| text);
    Some(Output { text: text.to_owned(), status: status.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_stands_before_its_number() {
        let output = parse("a line\nno newline<<7 3>>\n", 7).unwrap();
        assert_eq!(output, Output { text: "a line\nno newline".into(), status: 3 });
        assert_eq!(parse("a line\n<<7 3", 7), None);
        assert_eq!(parse("<<6 0>>\n", 7), None);
        assert_eq!(parse("<<1 0>>\n<<2 0>>\n", 2).unwrap().text, "");
    }
}

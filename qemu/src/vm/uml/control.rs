//! The running kernel's management console: datagrams of a text each, and their answers.

use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::super::BETWEEN_TRIES;

const PATIENCE: Duration = Duration::from_secs(30);

/// The beginning of each request: see `arch/um/drivers/mconsole.h` in the kernel's source.
const MAGIC: u32 = 0xcafe_babe;
const VERSION: u32 = 2;

/// The longest text of a request, and of an answer.
const TEXT: usize = 512;

/// The control of a running user-mode Linux.
#[derive(Debug)]
pub(in crate::vm) struct Control {
    /// The folder in which the kernel has its socket.
    folder: PathBuf,
    shell: UnixStream,
    /// The number of its disks.
    disks: u32,
    requests: u32,
}

impl Control {
    pub(super) fn new(folder: &Path, shell: UnixStream, disks: u32) -> Self {
        Self { folder: folder.to_owned(), shell, disks, requests: 0 }
    }

    /// The line to the guest's shell, without what is left in it of the shell before a reboot.
    pub(in crate::vm) fn shell(&self) -> Result<UnixStream> {
        let mut line = self.shell.try_clone().context("copy the line to the shell")?;
        line.set_nonblocking(true).context("empty the line to the shell")?;
        while std::io::Read::read(&mut line, &mut [0; 4096]).is_ok_and(|length| length > 0) {}
        line.set_nonblocking(false).context("empty the line to the shell")?;
        Ok(line)
    }

    /// Attaches a disk. The kernel says nothing by itself, so it is told to: tests take the time from that line.
    pub(in crate::vm) fn attach(&mut self, image: &Path) -> Result<()> {
        let letter = letter(self.disks)?;
        self.request(&format!("log uml: [vd{letter}] is attached\n"))?;
        self.request(&format!("config ubd{letter}={}", super::file_name(image)?))?;
        self.disks += 1;
        Ok(())
    }

    fn request(&mut self, text: &str) -> Result<()> {
        self.requests += 1;
        let own = self.folder.join(format!("request{}", self.requests));
        let socket = UnixDatagram::bind(&own).with_context(|| format!("make {}", own.display()))?;
        socket.set_read_timeout(Some(PATIENCE)).context("set a deadline for the kernel's answer")?;
        let kernel = self.folder.join("machine/mconsole");
        let until = Instant::now() + PATIENCE;
        // A kernel that has just been started makes its socket first.
        while !kernel.try_exists().context("look for the management console")? && Instant::now() < until {
            std::thread::sleep(BETWEEN_TRIES);
        }
        let sent = socket.send_to(&packet(text)?, &kernel);
        sent.with_context(|| format!("send `{text}` to {}", kernel.display()))?;
        let mut answer = [0; 12 + TEXT];
        let length = socket.recv(&mut answer).with_context(|| format!("wait for the answer to `{text}`"))?;
        judge(answer.get(..length).unwrap_or_default()).with_context(|| format!("request `{text}`"))
    }
}

/// The letter of the n-th disk, from 0.
pub(super) fn letter(number: u32) -> Result<char> {
    const DISKS: u32 = 16;
    ensure!(number < DISKS, "user-mode Linux has {DISKS} disks at most");
    char::from_digit(number + 10, 36).context("name a disk")
}

fn packet(text: &str) -> Result<Vec<u8>> {
    // The text ends with a zero byte.
    ensure!(text.len() < TEXT, "`{text}` is longer than a request may be");
    let mut packet = Vec::new();
    for word in [MAGIC, VERSION, u32::try_from(text.len())?] {
        packet.extend(word.to_ne_bytes());
    }
    packet.extend(text.as_bytes());
    packet.resize(12 + TEXT, 0);
    Ok(packet)
}

/// An answer: whether it is an error, whether another one follows, the length of the text, and the text.
fn judge(answer: &[u8]) -> Result<()> {
    let Some((head, text)) = answer.split_first_chunk::<12>() else { bail!("its answer is too short") };
    let [a, b, c, d, ..] = *head;
    if u32::from_ne_bytes([a, b, c, d]) != 0 {
        let text = String::from_utf8_lossy(text);
        bail!("user-mode Linux refuses it: {}", text.trim_end_matches('\0').trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_head_and_a_text_in_zero_bytes() {
        let packet = packet("config ubdb=/disk").unwrap();
        assert_eq!(packet.len(), 524);
        assert_eq!(packet[..4], 0xcafe_babe_u32.to_ne_bytes());
        assert_eq!(packet[8..12], 17_u32.to_ne_bytes());
        assert!(packet[12..].starts_with(b"config ubdb=/disk\0"));
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        assert!(packet(&"x".repeat(511)).is_ok());
        assert!(packet(&"x".repeat(512)).is_err());
    }

    #[test]
    fn an_answer_that_is_an_error_says_why() {
        let answer = |error: u32| [&error.to_ne_bytes()[..], &[0; 8], b"no such file\0"].concat();
        assert!(judge(&answer(0)).is_ok());
        let text = format!("{:#}", judge(&answer(1)).unwrap_err());
        assert!(text.ends_with("refuses it: no such file"), "{text}");
        assert!(judge(b"short").is_err());
    }

    #[test]
    fn disks_have_letters() {
        assert_eq!(letter(0).unwrap(), 'a');
        assert_eq!(letter(15).unwrap(), 'p');
        assert!(letter(16).is_err());
    }
}

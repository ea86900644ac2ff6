//! Changing a running machine through QMP, qemu's control socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that has been greeted.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let stream =
            UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE)).context("set a deadline for QMP")?;
        let mut qmp = Self { stream: BufReader::new(stream) };
        qmp.execute(r#"{"execute":"qmp_capabilities"}"#)?;
        Ok(qmp)
    }

    /// Attaches a disk to the running machine.
    pub(crate) fn attach(&mut self, image: &Path, name: &str) -> Result<()> {
        let file = file_name(image)?;
        self.execute(&format!(
            r#"{{"execute":"blockdev-add","arguments":{{"driver":"raw","node-name":"{name}","file":{{"driver":"file","filename":{file}}}}}}}"#
        ))?;
        self.execute(&format!(
            r#"{{"execute":"device_add","arguments":{{"driver":"virtio-blk-pci","drive":"{name}","id":"{name}","serial":"{name}"}}}}"#
        ))
    }

    /// Puts a medium into a drive.
    pub(crate) fn insert(&mut self, image: &Path, drive: &str) -> Result<()> {
        let file = file_name(image)?;
        self.execute(&format!(
            r#"{{"execute":"blockdev-change-medium","arguments":{{"id":"{drive}","filename":{file},"format":"raw"}}}}"#
        ))
    }

    fn execute(&mut self, command: &str) -> Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(command.as_bytes()).with_context(|| format!("send {command} to qemu"))?;
        let mut line = String::new();
        while self.stream.read_line(&mut line).context("read qemu's answer")? > 0 {
            // The greeting and events may come before the answer.
            if line.starts_with(r#"{"return""#) {
                return Ok(());
            }
            if line.starts_with(r#"{"error""#) {
                bail!("qemu refuses {command}: {line}");
            }
            line.clear();
        }
        bail!("send {command} to qemu: it ended")
    }
}

/// The text as JSON, in quotes.
fn file_name(image: &Path) -> Result<String> {
    Ok(json_string(image.to_str().context("name the image to qemu: its path is no UTF-8")?))
}

fn json_string(text: &str) -> String {
    let escape = |character| match character {
        '"' | '\\' => format!("\\{character}"),
        '\u{0}'..='\u{1f}' => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted() {
        assert_eq!(json_string("/tmp/a \"b\"\\\n"), r#""/tmp/a \"b\"\\\u000a""#);
    }
}

//! State files below /run/lifeboat, which survive the switch of root: `KEY=value` lines in the syntax of
//! systemd's `EnvironmentFile=`, so that a shell, a unit and the agent can read them.

use crate::kmsg::is_plain;
use anyhow::{Context, Result};
pub(crate) use lifeboat_common::environment_file::lookup;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// Where the state files are.
pub(crate) const DIRECTORY: &str = "/run/lifeboat";

/// Lines in the order in which they are pushed.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct State(Vec<(&'static str, String)>);

impl State {
    /// Adds a line.
    pub(crate) fn push(&mut self, key: &'static str, value: impl Into<String>) {
        self.0.push((key, value.into()));
    }

    /// Adds a line when there is a value for it.
    pub(crate) fn push_some(&mut self, key: &'static str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    /// The file's text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            // Writing to a String cannot fail.
            writeln!(text, "{key}={}", quote(value)).unwrap_or_default();
        }
        text
    }

    /// Writes `/run/lifeboat/NAME` whole or not at all.
    pub(crate) fn write(&self, name: &str, mode: u32) -> Result<()> {
        create_directory()?;
        write_whole(&Path::new(DIRECTORY).join(name), self.render().as_bytes(), mode)
    }
}

/// Makes /run/lifeboat.
pub(crate) fn create_directory() -> Result<()> {
    fs::create_dir_all(DIRECTORY).with_context(|| format!("create {DIRECTORY}"))
}

/// Writes a file under a temporary name beside it and renames it into place.
pub(crate) fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let temporary = path.with_extension("lifeboat-new");
    let write = || -> Result<()> {
        // O_EXCL with the final mode: at no time can others read what is secret.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let open = || rustix::fs::open(&temporary, flags, Mode::from_raw_mode(mode));
        let opened = match open() {
            // What an earlier, killed call left is in the way.
            Err(Errno::EXIST) => remove_if_there(&temporary).map(|()| open())?,
            opened => opened,
        };
        let mut file = File::from(opened?);
        file.write_all(content)?;
        fs::rename(&temporary, path)?;
        Ok(())
    };
    let written = write().with_context(|| format!("write {}", path.display()));
    if written.is_err() {
        remove_if_there(&temporary)?;
    }
    written
}

/// Removes `/run/lifeboat/NAME`.
pub(crate) fn forget(name: &str) -> Result<()> {
    remove_if_there(&Path::new(DIRECTORY).join(name))
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Reads a state file's value of `key`; `None` when the file or the key is not there.
pub(crate) fn read(name: &str, key: &str) -> Result<Option<String>> {
    let path = Path::new(DIRECTORY).join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(lookup(&text, key)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

fn quote(value: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._/:@%+,=-".contains(character);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' | '`' | '$' => quoted.extend(['\\', character]),
            // A line is a line: whoever needs the byte itself will not find it in a label or a name.
            _ if is_plain(character) => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_stand_bare_and_others_are_quoted() {
        let mut state = State::default();
        state.push("DEVICE", "/dev/vdb1");
        state.push("LABEL", "a \"b\" $(c) `d` \\e\nf");
        state.push("EMPTY", "");
        state.push_some("UUID", None::<String>);
        let expected = "DEVICE=/dev/vdb1\nLABEL=\"a \\\"b\\\" \\$(c) \\`d\\` \\\\e?f\"\nEMPTY=\"\"\n";
        assert_eq!(state.render(), expected);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut state = State::default();
        state.push("REASON", "it's \\ \"$HOME\"");
        assert_eq!(lookup(&state.render(), "REASON").unwrap(), "it's \\ \"$HOME\"");
        assert_eq!(lookup(&state.render(), "REAS"), None);
    }

    #[test]
    fn a_file_is_written_whole_with_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seed");
        write_whole(&path, b"A=b\n", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "").unwrap();
        write_whole(&path, b"A=b\n", 0o600).unwrap_err();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}

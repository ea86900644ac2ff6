//! State files below /run/lifeboat, which survive the switch of root: `KEY=value` lines in the syntax of
//! systemd's `EnvironmentFile=`, so that a shell, a unit and the agent can read them.

use crate::files;
use crate::kmsg::is_plain;
use anyhow::{Context, Result};
pub(crate) use lifeboat_common::environment_file::lookup;
use rustix::fs::{Mode, mkdir};
use rustix::io::Errno;
use std::fmt::Write as _;

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
        files::write(&format!("{DIRECTORY}/{name}"), self.render().as_bytes(), mode)
    }
}

/// Makes /run/lifeboat.
pub(crate) fn create_directory() -> Result<()> {
    match mkdir(DIRECTORY, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => Ok(()),
        made => made.with_context(|| format!("create {DIRECTORY}")),
    }
}

/// Removes `/run/lifeboat/NAME`.
pub(crate) fn forget(name: &str) -> Result<()> {
    files::remove(&format!("{DIRECTORY}/{name}"))
}

/// Reads a state file's value of `key`; `None` when the file or the key is not there.
pub(crate) fn read(name: &str, key: &str) -> Result<Option<String>> {
    Ok(files::read_text(&format!("{DIRECTORY}/{name}"))?.and_then(|text| lookup(&text, key)))
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
}

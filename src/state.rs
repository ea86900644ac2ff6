//! State files below /run/lifeboat, which survive the switch of root: `KEY=value` lines in the syntax of systemd's
//! `EnvironmentFile=`. Those that the agent reads are of a type of their own.

use crate::files;
use anyhow::{Context, Result};
use lifeboat_common::environment_file::Lines;
pub(crate) use lifeboat_common::environment_file::lookup;
use lifeboat_common::hand_off::HandOff;
use rustix::fs::{Mode, mkdir};
use rustix::io::Errno;

/// Where the state files are.
pub(crate) const DIRECTORY: &str = "/run/lifeboat";

/// Writes `/run/lifeboat/NAME`, which the boot program alone reads, whole or not at all.
pub(crate) fn write(name: &str, lines: Lines) -> Result<()> {
    create_directory()?;
    files::write(&own(name), lines.text().as_bytes(), 0o600)
}

/// Writes a file for the agent, whole or not at all.
pub(crate) fn hand_over<File: HandOff>(file: &File) -> Result<()> {
    create_directory()?;
    files::write(&handed_over::<File>(), file.render().as_bytes(), File::MODE)
}

/// Reads a file for the agent; `None` when it is not there.
pub(crate) fn read_back<File: HandOff>() -> Result<Option<File>> {
    Ok(files::read_text(&handed_over::<File>())?.map(|text| File::parse(&text)))
}

/// Removes a file for the agent.
pub(crate) fn take_back<File: HandOff>() -> Result<()> {
    files::remove(&handed_over::<File>())
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
    files::remove(&own(name))
}

/// Reads the value of `key` in `/run/lifeboat/NAME`; `None` when the file or the key is not there.
pub(crate) fn read(name: &str, key: &str) -> Result<Option<String>> {
    Ok(files::read_text(&own(name))?.and_then(|text| lookup(&text, key)))
}

fn own(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

fn handed_over<File: HandOff>() -> String {
    format!("/{}", File::PATH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lifeboat_common::hand_off::{Modules, Rescue, Seed};

    #[test]
    fn what_is_handed_over_is_in_the_directory() {
        for path in [handed_over::<Seed>(), handed_over::<Rescue>(), handed_over::<Modules>()] {
            assert_eq!(path.rsplit_once('/').unwrap().0, DIRECTORY);
        }
    }
}

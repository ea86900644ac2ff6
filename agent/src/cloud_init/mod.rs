//! The names of cloud-init's programs. Each is a link to the agent, which answers in cloud-init's formats.

mod cloud_id;
mod command;
mod per;
mod schema;
mod status;

use crate::report::Report;
use anyhow::Result;
use std::path::Path;
use std::process::ExitCode;

#[cfg(test)]
pub(crate) use command::CloudInitArguments;

/// cloud-init's exit status of bad usage.
const BAD_USAGE: u8 = 2;

/// A program of cloud-init.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    name: &'static str,
    run: fn(&mut Report) -> Result<ExitCode>,
}

const ALL: &[Name] = &[
    Name { name: "cloud-init", run: command::run },
    Name { name: "cloud-id", run: cloud_id::run },
    Name { name: "cloud-init-per", run: per::run },
];

impl Name {
    /// The program that the agent was called as; `None` under its own name.
    pub(crate) fn called() -> Option<Self> {
        let called = std::env::args_os().next()?;
        let called = Path::new(&called).file_name()?;
        ALL.iter().find(|name| called == name.name).copied()
    }
}

/// Runs the program of this name.
pub(crate) fn run(name: Name, report: &mut Report) -> Result<ExitCode> {
    (name.run)(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_takes_cloud_inits_place() {
        let manifest = include_str!("../../Cargo.toml");
        for line in [
            "provides = \"cloud-init\"",
            "conflicts = \"cloud-init\"",
            "replaces = \"cloud-init\"",
            "preserve-symlinks = true",
            "[\"links/*\", \"usr/bin/\", \"755\"],",
        ] {
            assert!(manifest.lines().any(|known| known.trim() == line), "{line}");
        }
    }

    #[test]
    fn each_name_is_a_link_to_the_agent() {
        let links = Path::new(env!("CARGO_MANIFEST_DIR")).join("links");
        let mut found: Vec<_> =
            std::fs::read_dir(&links).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        found.sort();
        let mut names: Vec<_> = ALL.iter().map(|name| name.name).collect();
        names.sort_unstable();
        assert_eq!(found, names);
        for name in names {
            assert_eq!(std::fs::read_link(links.join(name)).unwrap(), Path::new("lifeboat-agent"));
        }
    }
}

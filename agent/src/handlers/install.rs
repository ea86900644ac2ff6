//! Packages that a setting needs, by the distribution's package manager.

use crate::machine::Machine;
use crate::plan::Step;
use anyhow::{Result, bail};

/// The managers, each with the commands before the packages' names. The first that is there does it.
const MANAGERS: &[(&str, &[&[&str]])] = &[
    (
        "apt-get",
        &[
            &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "update"],
            &[
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "--option=Dpkg::Options::=--force-confold",
                "--option=DPkg::Lock::Timeout=600",
                "--quiet",
                "--assume-yes",
                "install",
            ],
        ],
    ),
    ("dnf", &[&["dnf", "--assumeyes", "install"]]),
    ("yum", &[&["yum", "--assumeyes", "install"]]),
    ("zypper", &[&["zypper", "--non-interactive", "install", "--auto-agree-with-licenses"]]),
    ("apk", &[&["apk", "add"]]),
];

/// The steps that install packages.
pub(super) fn steps(packages: &[&str], machine: &dyn Machine) -> Result<Vec<Step>> {
    for (manager, commands) in MANAGERS {
        if machine.has_program(manager)? {
            let step = |(number, command): (usize, &&[&str])| {
                let names = if number + 1 == commands.len() { packages } else { &[] };
                Step::run(&[*command, names].concat())
            };
            return Ok(commands.iter().enumerate().map(step).collect());
        }
    }
    bail!("there is no package manager to install {} with", packages.join(", "))
}

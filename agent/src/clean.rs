//! `clean`: what was kept is removed, so that the next boot is the first one of this image.

use crate::apply;
use crate::args::CleanOptions;
use crate::layout;
use crate::report::Report;
use crate::root::Root;
use anyhow::Result;
use std::fmt;

const KEPT: &str = "var/lib/cloud";
const SEED: &str = "seed";
const LOGS: &[&str] = &["var/log/cloud-init.log", layout::OUTPUT];
const MACHINE_ID: &str = "etc/machine-id";
/// Programs of the image's own that clean up after it.
const PROGRAMS: &str = "etc/cloud/clean.d";

/// A kind of configuration that is made from user-data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum MadeKind {
    /// Each of them.
    All,
    /// sshd's.
    SshConfig,
    /// The network's.
    Network,
}

/// Files that are made: their directories, and how their names begin and end.
const MADE: &[(MadeKind, &str, &str, &str)] = &[
    (MadeKind::SshConfig, "etc/ssh/sshd_config.d", "50-cloud-init", ".conf"),
    (MadeKind::Network, "etc/netplan", "50-cloud-init", ".yaml"),
    (MadeKind::Network, "etc/network/interfaces.d", "50-cloud-init", ""),
    (MadeKind::Network, "etc/systemd/network", "10-cloud-init-", ".network"),
    (MadeKind::Network, "etc/NetworkManager/system-connections", "cloud-init-", ".nmconnection"),
    (MadeKind::Network, "etc/NetworkManager/conf.d", "99-cloud-init", ".conf"),
    (MadeKind::Network, "etc/NetworkManager/conf.d", "30-cloud-init-", ".conf"),
];

/// The facts before anything is removed.
#[derive(Default, Debug)]
struct CleanFacts {
    /// The names below `KEPT`.
    kept: Vec<String>,
    /// Files that were made, with their kinds.
    made: Vec<(MadeKind, String)>,
    /// The programs in their order.
    programs: Vec<String>,
}

/// One thing to do.
#[derive(PartialEq, Eq, Debug)]
enum CleanAct {
    Remove(String),
    Run(String),
    ForgetMachineId,
    Reboot,
}

/// Cleans. A file that cannot be removed is reported, and the rest goes on, but for the reboot.
pub(crate) fn run(options: &CleanOptions, root: &Root, report: &mut Report) -> Result<()> {
    for act in plan(&CleanFacts::read(root)?, options) {
        if act == CleanAct::Reboot && !report.errors.is_empty() {
            report.error("not rebooting: something is left");
            return Ok(());
        }
        if report.take(apply(&act, root)).is_some() {
            let here = root.is_live() || matches!(act, CleanAct::Remove(_) | CleanAct::ForgetMachineId);
            report.info(&if here { act.to_string() } else { format!("not on this root: {act}") });
        }
    }
    Ok(())
}

impl CleanFacts {
    fn read(root: &Root) -> Result<Self> {
        let mut made = Vec::new();
        for (kind, directory, start, end) in MADE {
            let names = root.files(directory)?.into_iter();
            let ours = names.filter(|name| name.starts_with(start) && name.ends_with(end));
            made.extend(ours.map(|name| (*kind, format!("{directory}/{name}"))));
        }
        Ok(Self { kept: root.names(KEPT)?, made, programs: root.files(PROGRAMS)? })
    }
}

fn plan(facts: &CleanFacts, options: &CleanOptions) -> Vec<CleanAct> {
    let mut acts = Vec::new();
    if options.logs {
        acts.extend(LOGS.iter().map(|path| CleanAct::Remove((*path).to_owned())));
    }
    let is_wanted =
        |kind: &MadeKind| options.configs.iter().any(|asked| asked == kind || *asked == MadeKind::All);
    acts.extend(
        facts.made.iter().filter(|(kind, _)| is_wanted(kind)).map(|(_, path)| CleanAct::Remove(path.clone())),
    );
    let goes = |name: &&String| *name != SEED || options.seed;
    acts.extend(facts.kept.iter().filter(goes).map(|name| CleanAct::Remove(format!("{KEPT}/{name}"))));
    acts.extend(
        facts.programs.iter().filter(|name| *name != "README").map(|name| CleanAct::Run(name.clone())),
    );
    if options.machine_id {
        acts.push(CleanAct::ForgetMachineId);
    }
    if options.reboot {
        acts.push(CleanAct::Reboot);
    }
    acts
}

fn apply(act: &CleanAct, root: &Root) -> Result<()> {
    match act {
        CleanAct::Remove(path) => root.remove_tree(path),
        CleanAct::ForgetMachineId => root.write(MACHINE_ID, b"uninitialized\n", 0o444),
        CleanAct::Run(_) | CleanAct::Reboot if !root.is_live() => Ok(()),
        CleanAct::Run(name) => apply::attended(&[format!("/{PROGRAMS}/{name}")]).and_then(apply::succeeded),
        CleanAct::Reboot => {
            let words = ["shutdown", "-r", "now"].map(str::to_owned);
            apply::attended(&words).and_then(apply::succeeded)
        }
    }
}

impl fmt::Display for CleanAct {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(path) => write!(out, "remove /{path}"),
            Self::Run(name) => write!(out, "run /{PROGRAMS}/{name}"),
            Self::ForgetMachineId => write!(out, "have the next boot make a machine-id"),
            Self::Reboot => write!(out, "reboot"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(change: fn(&mut CleanOptions), expected: Expect) {
        let facts = CleanFacts {
            kept: ["data", "instance", "seed"].map(String::from).into(),
            made: vec![
                (MadeKind::SshConfig, "etc/ssh/x".into()),
                (MadeKind::Network, "etc/netplan/50-cloud-init.yaml".into()),
            ],
            programs: ["10-own", "README"].map(String::from).into(),
        };
        let mut options = CleanOptions::default();
        change(&mut options);
        let lines = plan(&facts, &options).into_iter().map(|act| format!("{act}\n"));
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn without_options_only_what_was_kept_goes() {
        check(
            |_| {},
            expect![[r"
                remove /var/lib/cloud/data
                remove /var/lib/cloud/instance
                run /etc/cloud/clean.d/10-own
            "]],
        );
    }

    #[test]
    fn each_option_adds_its_own() {
        check(
            |options| {
                (options.logs, options.seed, options.machine_id, options.reboot) = (true, true, true, true);
                options.configs = vec![MadeKind::Network];
            },
            expect![[r"
                remove /var/log/cloud-init.log
                remove /var/log/cloud-init-output.log
                remove /etc/netplan/50-cloud-init.yaml
                remove /var/lib/cloud/data
                remove /var/lib/cloud/instance
                remove /var/lib/cloud/seed
                run /etc/cloud/clean.d/10-own
                have the next boot make a machine-id
                reboot
            "]],
        );
    }
}

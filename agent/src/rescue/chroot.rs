//! `mount --chroot`: what programs of the original root need to run there, and entering it.

use super::act::{Act, Depth};
use super::mounts::{Access, Mount, at};
use crate::root::Root;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The file systems that a program finds in the rescue system, each with the mounts below it or without.
const SYSTEM: &[(&str, Depth)] =
    &[("dev", Depth::Tree), ("proc", Depth::Alone), ("sys", Depth::Tree), ("run", Depth::Alone)];

/// The shells to look for when no command is given.
const SHELLS: [&str; 2] = ["bin/bash", "bin/sh"];

const RESOLV_CONF: &str = "etc/resolv.conf";

/// The facts about the mounted original root.
#[derive(Debug)]
pub(crate) struct Inside {
    point: String,
    access: Access,
    /// The names of SYSTEM that it has a directory for.
    directories: Vec<&'static str>,
    /// The names that an earlier call has bound already.
    bound: Vec<String>,
    names: Names,
    modules: Modules,
    release: String,
    shell: Option<&'static str>,
}

/// Where /etc/resolv.conf leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Names {
    /// To a file of the original root's own, which may be of another network.
    OwnFile,
    /// To /run, where the rescue system has the file.
    Shared,
    /// To nothing.
    Nowhere,
}

/// The running kernel's modules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Modules {
    /// The original root has them.
    Own,
    /// It does not, but there is a directory for them.
    Empty,
    /// Nor is there a directory.
    Absent,
    /// The rescue system has none either.
    Nowhere,
}

impl Inside {
    /// Looks.
    pub(crate) fn gather(
        point: &str,
        access: Access,
        mounts: &[Mount],
        release: &str,
        live: &Root,
    ) -> Result<Self> {
        let root = Root::open(Path::new(point))?;
        let tree = format!("lib/modules/{release}");
        let index = format!("{tree}/modules.dep");
        let modules = if root.holds(&index)? {
            Modules::Own
        } else if !live.holds(&index)? {
            Modules::Nowhere
        } else if root.holds(&tree)? {
            Modules::Empty
        } else {
            Modules::Absent
        };
        // A link to /run leads to the rescue system's file, once that is bound.
        let names = match root.link_target(RESOLV_CONF)? {
            Some(target) if leads_to_run(&target) && live.holds(&in_root(&target))? => Names::Shared,
            _ if root.holds(RESOLV_CONF)? && live.holds(RESOLV_CONF)? => Names::OwnFile,
            _ => Names::Nowhere,
        };
        let mut directories = Vec::new();
        for (name, _) in SYSTEM {
            if root.holds(name)? {
                directories.push(*name);
            }
        }
        let mut shell = None;
        for name in SHELLS {
            if shell.is_none() && root.holds(name)? {
                shell = Some(name);
            }
        }
        let bound = SYSTEM.iter().map(|(name, _)| *name).chain([RESOLV_CONF]);
        let bound = bound.filter(|name| at(&format!("{point}/{name}"), mounts).is_some());
        Ok(Self {
            point: point.to_owned(),
            access,
            directories,
            bound: bound.map(str::to_owned).collect(),
            names,
            modules,
            release: release.to_owned(),
            shell,
        })
    }
}

/// True if a link leads into /run, as those of `systemd-resolved`, `NetworkManager` and `resolvconf` do.
fn leads_to_run(target: &str) -> bool {
    in_root(target).starts_with("run/")
}

/// A link in /etc as a path from the root.
fn in_root(target: &str) -> String {
    let target = target.strip_prefix("../").unwrap_or(target).trim_start_matches('/');
    target.strip_prefix("var/run/").map_or_else(|| target.to_owned(), |rest| format!("run/{rest}"))
}

/// Acts in their order, and what the admin should know.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct ChrootPlan {
    /// The changes to make.
    pub(crate) acts: Vec<Act>,
    /// The notes on what will be missing.
    pub(crate) notes: Vec<String>,
}

/// Facts -> acts.
pub(crate) fn plan(inside: &Inside) -> ChrootPlan {
    let mut plan = ChrootPlan::default();
    let point = &inside.point;
    let bind = |source: &str, depth| Act::Bind {
        source: format!("/{source}"),
        point: point.clone(),
        inside: source.to_owned(),
        depth,
    };
    let make = |path: &str| Act::MakeInside { point: point.clone(), inside: path.to_owned() };
    let is_bound = |name: &str| inside.bound.iter().any(|bound| bound == name);
    for (name, depth) in SYSTEM {
        match (inside.directories.contains(name), inside.access) {
            _ if is_bound(name) => continue,
            (true, _) => {}
            (false, Access::Writable) => plan.acts.push(make(name)),
            (false, Access::ReadOnly) => {
                plan.notes
                    .push(format!("{point} has no directory /{name}, and none can be made without --rw"));
                continue;
            }
        }
        plan.acts.push(bind(name, *depth));
    }
    match inside.names {
        _ if is_bound(RESOLV_CONF) => {}
        Names::OwnFile => plan.acts.push(bind(RESOLV_CONF, Depth::Alone)),
        Names::Shared => {}
        Names::Nowhere => plan
            .notes
            .push(format!("{point}/{RESOLV_CONF} leads to nothing here: host names are not resolved inside")),
    }
    let tree = format!("lib/modules/{}", inside.release);
    match (inside.modules, inside.access) {
        (Modules::Own, _) => {}
        (Modules::Empty, _) => plan.acts.push(bind(&tree, Depth::Alone)),
        (Modules::Absent, Access::Writable) => plan.acts.extend([make(&tree), bind(&tree, Depth::Alone)]),
        (Modules::Absent, Access::ReadOnly) => plan.notes.push(format!(
            "{point} has no directory /{tree}: the running kernel's modules are not visible inside without --rw"
        )),
        (Modules::Nowhere, _) => plan.notes.push(format!("there are no modules for {} at all", inside.release)),
    }
    plan
}

/// The command to run: the words given, or the shell that is there.
pub(crate) fn command(inside: &Inside, words: &[String]) -> Result<Vec<String>> {
    if !words.is_empty() {
        return Ok(words.to_vec());
    }
    let shell = inside.shell.with_context(|| {
        format!("{} holds neither /{}: name a command after `--`", inside.point, SHELLS.join(" nor /"))
    })?;
    Ok(vec![format!("/{shell}")])
}

/// Becomes the program, with the mounted root as its root; comes back only when that cannot be.
pub(crate) fn enter(point: &str, argv: &[String]) -> Result<()> {
    rustix::process::chroot(point).with_context(|| format!("enter {point}"))?;
    rustix::process::chdir("/").with_context(|| format!("enter {point}"))?;
    let error = crate::apply::become_program(argv);
    let advice = "is the program there, and of this architecture?";
    bail!(
        "run {} in {point}: {error} ({advice} `lifeboat-agent rescue umount` unmounts again)",
        argv.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn inside() -> Inside {
        Inside {
            point: "/o".into(),
            access: Access::Writable,
            directories: vec!["dev", "proc", "sys", "run"],
            bound: Vec::new(),
            names: Names::OwnFile,
            modules: Modules::Own,
            release: "6.1".into(),
            shell: Some("bin/bash"),
        }
    }

    fn check(inside: &Inside, expected: Expect) {
        let ChrootPlan { acts, notes } = plan(inside);
        let acts = acts.iter().map(|act| format!("{act}\n"));
        let notes = notes.iter().map(|note| format!("note: {note}\n"));
        expected.assert_eq(&acts.chain(notes).collect::<String>());
    }

    #[test]
    fn programs_find_devices_processes_and_names() {
        check(
            &inside(),
            expect![[r"
                mount --rbind /dev /o/dev
                mount --bind /proc /o/proc
                mount --rbind /sys /o/sys
                mount --bind /run /o/run
                mount --bind /etc/resolv.conf /o/etc/resolv.conf
            "]],
        );
    }

    #[test]
    fn what_is_bound_already_is_not_bound_again() {
        let bound = ["dev", "proc", "sys", "run", RESOLV_CONF].map(str::to_owned).to_vec();
        check(&Inside { bound, ..inside() }, expect![[""]]);
    }

    #[test]
    fn directories_are_made_where_that_is_possible() {
        let bare = Inside {
            directories: vec!["dev", "proc"],
            names: Names::Shared,
            modules: Modules::Absent,
            ..inside()
        };
        check(
            &bare,
            expect![[r"
                mount --rbind /dev /o/dev
                mount --bind /proc /o/proc
                mkdir -p /o/sys
                mount --rbind /sys /o/sys
                mkdir -p /o/run
                mount --bind /run /o/run
                mkdir -p /o/lib/modules/6.1
                mount --bind /lib/modules/6.1 /o/lib/modules/6.1
            "]],
        );
        check(
            &Inside { access: Access::ReadOnly, ..bare },
            expect![[r"
                mount --rbind /dev /o/dev
                mount --bind /proc /o/proc
                note: /o has no directory /sys, and none can be made without --rw
                note: /o has no directory /run, and none can be made without --rw
                note: /o has no directory /lib/modules/6.1: the running kernel's modules are not visible inside without --rw
            "]],
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        let bound = ["dev", "proc", "sys", "run"].map(str::to_owned).to_vec();
        check(
            &Inside { bound, names: Names::Nowhere, modules: Modules::Nowhere, ..inside() },
            expect![[r"
                note: /o/etc/resolv.conf leads to nothing here: host names are not resolved inside
                note: there are no modules for 6.1 at all
            "]],
        );
    }

    #[test]
    fn a_link_to_run_is_known_in_all_its_forms() {
        for target in ["../run/systemd/resolve/stub-resolv.conf", "/run/resolvconf/x", "/var/run/x"] {
            assert!(leads_to_run(target), "{target}");
        }
        assert!(!leads_to_run("../usr/lib/resolv.conf") && !leads_to_run("/etc/x"));
    }

    #[test]
    fn the_shell_that_is_there_is_run_unless_a_command_is_given() {
        assert_eq!(command(&inside(), &[]).unwrap(), ["/bin/bash"]);
        assert_eq!(command(&inside(), &["passwd".into()]).unwrap(), ["passwd"]);
        let none = Inside { shell: None, ..inside() };
        let error = command(&none, &[]).unwrap_err().to_string();
        assert_eq!(error, "/o holds neither /bin/bash nor /bin/sh: name a command after `--`");
    }
}

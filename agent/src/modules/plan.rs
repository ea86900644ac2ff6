//! The plan for the export, decided from facts alone.

use super::facts::{ASIDE, ModulesEntry, ModulesFacts, SHOWN, Tree};
use super::local::{BUILT, Built, Local};
use crate::rescue::mounts::Access;
use std::fmt;

/// The steps to take, or why there are none.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum ModulesPlan {
    /// There is nothing to do.
    Nothing(String),
    /// There would be, and it cannot be done.
    Left(String),
    /// This.
    Do(Steps),
}

/// Changes, each all or nothing.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Steps {
    /// The cover goes, and the export stays on its own directory of the disk.
    Uncover {
        /// The export's directory.
        tree: String,
        /// The mount that goes.
        cover: String,
        /// Names that were written into the cover.
        carry: Vec<String>,
        /// Where the disk's own tree of the release was shown.
        moved: Option<String>,
    },
    /// The export makes way for what dpkg does to the disk's tree.
    StepAside {
        /// The export's directory.
        tree: String,
        /// Where the disk's own tree was shown in the meantime.
        moved: Option<String>,
    },
    /// The export comes back, for the disk has no tree to take its place.
    ComeBack {
        /// The export's directory.
        tree: String,
    },
    /// The disk's tree is used from now on.
    Yield {
        /// The export's directory.
        tree: String,
    },
    /// The machine's own files go to the disk, and are seen in the export.
    Keep {
        /// The export's directory.
        tree: String,
        /// Names in it that go to the disk.
        carry: Vec<String>,
        /// The place of the modules that were built here.
        built: Built,
    },
}

/// Plans to bring the disk's directory back into use, and the export to where it belongs.
pub(crate) fn settle(facts: &ModulesFacts) -> ModulesPlan {
    let (release, place) = (&facts.release, &facts.place);
    let tree = format!("{place}/{release}");
    let cover = match (facts.tree, &facts.cover) {
        (Tree::Covered, Some(cover)) => cover.clone(),
        (Tree::Covered | Tree::Settled, _) => {
            return ModulesPlan::Nothing(format!("the modules of {release} are at {tree} alone already"));
        }
        (Tree::Gone, _) => {
            return ModulesPlan::Nothing(format!("no exported modules of {release} are in use"));
        }
        (Tree::Aside, _) if facts.complete => return ModulesPlan::Do(Steps::Yield { tree }),
        (Tree::Aside, _) => return ModulesPlan::Do(Steps::ComeBack { tree }),
    };
    if facts.access == Access::ReadOnly {
        return ModulesPlan::Left(format!(
            "{place} is read-only on the disk, and its cover stays: kernels that are installed now are lost at the \
             next boot (`mount -o remount,rw /`, then `lifeboat-agent modules settle`)"
        ));
    }
    if let Some(stranger) = facts.strangers.first() {
        return ModulesPlan::Left(format!(
            "something is mounted at {stranger}, and the cover at {place} stays: kernels that are installed now are \
             lost at the next boot (`umount {stranger}`, then `lifeboat-agent modules settle`)"
        ));
    }
    let carry = facts.written.iter().filter(|(name, kind)| is_new(name, kind, facts));
    ModulesPlan::Do(Steps::Uncover {
        carry: carry.map(|(name, _)| name.clone()).collect(),
        moved: facts.moved.clone(),
        tree,
        cover,
    })
}

/// Plans to keep the machine's own files on the disk; `None` where they are there already.
pub(crate) fn keep(facts: &ModulesFacts) -> Option<ModulesPlan> {
    let Local { links, built } = &facts.local;
    let tree = format!("{}/{}", facts.place, facts.release);
    let mut carry = links.clone();
    if *built == Built::InMemory {
        carry.push(BUILT.to_owned());
    }
    match (facts.access, built) {
        (_, Built::Settled) | (Access::ReadOnly, Built::Expected) if carry.is_empty() => None,
        // It is seen at least.
        (Access::ReadOnly, Built::OnDisk) => {
            Some(ModulesPlan::Do(Steps::Keep { tree, carry: Vec::new(), built: *built }))
        }
        (Access::ReadOnly, _) => Some(ModulesPlan::Left(format!(
            "{} in {tree} is lost at the next boot: the disk is read-only (`mount -o remount,rw /`, then \
             `lifeboat-agent modules settle`)",
            carry.join(", ")
        ))),
        (Access::Writable, _) => Some(ModulesPlan::Do(Steps::Keep { tree, carry, built: *built })),
    }
}

/// A link was made anew in the cover where the disk has one.
fn is_new(name: &str, kind: &ModulesEntry, facts: &ModulesFacts) -> bool {
    *kind == ModulesEntry::Content || facts.on_disk.get(name) != Some(kind)
}

/// Plans for the time before a kernel's package is installed, upgraded or removed.
pub(crate) fn aside(facts: &ModulesFacts, version: &str) -> ModulesPlan {
    let (release, place) = (&facts.release, &facts.place);
    if version != release {
        return ModulesPlan::Nothing(format!("{version} is not the running kernel, which is {release}"));
    }
    match facts.tree {
        Tree::Settled => ModulesPlan::Do(Steps::StepAside {
            tree: format!("{place}/{release}"),
            moved: facts.moved.clone(),
        }),
        Tree::Covered => ModulesPlan::Nothing(format!("the cover at {place} cannot step aside")),
        Tree::Aside => ModulesPlan::Nothing(format!("the exported modules of {release} are aside already")),
        Tree::Gone => ModulesPlan::Nothing(format!("no exported modules of {release} are in use")),
    }
}

impl fmt::Display for ModulesPlan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(reason) => write!(out, "nothing to do: {reason}"),
            Self::Left(reason) => out.write_str(reason),
            Self::Do(steps) => steps.fmt(out),
        }
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncover { tree, cover, carry, moved } => {
                write!(out, "uncovered {cover}: only {tree} is exported")?;
                if moved.is_some() {
                    write!(out, ", the disk's own is at {SHOWN}")?;
                }
                if !carry.is_empty() {
                    write!(out, "; carried over to the disk: {}", carry.join(", "))?;
                }
                Ok(())
            }
            Self::StepAside { tree, .. } => {
                write!(out, "the exported {tree} is at {ASIDE} until `lifeboat-agent modules settle`")
            }
            Self::ComeBack { tree } => {
                write!(out, "the exported {tree} is back: the disk has no complete one")
            }
            Self::Yield { tree } => write!(out, "the disk's {tree} is used from now on"),
            Self::Keep { tree, carry, built } => {
                let mut names: Vec<&str> = carry.iter().map(String::as_str).collect();
                if *built != Built::Settled && !names.contains(&BUILT) {
                    names.push(BUILT);
                }
                write!(out, "kept on the disk of {tree}: {}", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::collections::BTreeMap;

    fn facts(tree: Tree) -> ModulesFacts {
        ModulesFacts {
            release: "6.1".into(),
            place: "/usr/lib/modules".into(),
            tree,
            cover: (tree == Tree::Covered).then(|| "/usr/lib/modules".into()),
            moved: None,
            strangers: Vec::new(),
            written: BTreeMap::new(),
            on_disk: BTreeMap::new(),
            access: Access::Writable,
            complete: false,
            local: Local::default(),
        }
    }

    fn check(plan: &ModulesPlan, expected: Expect) {
        expected.assert_eq(&format!("{plan}\n"));
    }

    #[test]
    fn a_cover_goes() {
        let plan = settle(&facts(Tree::Covered));
        check(
            &plan,
            expect![[r"
                uncovered /usr/lib/modules: only /usr/lib/modules/6.1 is exported
            "]],
        );
    }

    #[test]
    fn an_overlay_goes_with_it() {
        let plan = settle(&ModulesFacts { cover: Some("/usr/lib".into()), ..facts(Tree::Covered) });
        check(
            &plan,
            expect![[r"
                uncovered /usr/lib: only /usr/lib/modules/6.1 is exported
            "]],
        );
    }

    #[test]
    fn what_was_written_into_a_cover_is_carried_over_and_a_link_that_the_disk_has_is_not() {
        let link = |target: &str| ModulesEntry::Link(target.into());
        let written =
            [("7.0", ModulesEntry::Content), ("same", link("a")), ("other", link("a")), ("new", link("a"))];
        let on_disk = [("same", link("a")), ("other", link("b")), ("5.0", ModulesEntry::Content)];
        let map = |names: &[(&str, ModulesEntry)]| -> BTreeMap<String, ModulesEntry> {
            names.iter().map(|(name, kind)| ((*name).into(), kind.clone())).collect()
        };
        let facts = ModulesFacts {
            written: map(&written),
            on_disk: map(&on_disk),
            moved: Some("/usr/lib/modules/6.1.lifeboat-moved".into()),
            ..facts(Tree::Covered)
        };
        check(
            &settle(&facts),
            expect![[r"
                uncovered /usr/lib/modules: only /usr/lib/modules/6.1 is exported, the disk's own is at /run/lifeboat/moved; carried over to the disk: 7.0, new, other
            "]],
        );
    }

    #[test]
    fn a_disk_that_cannot_be_written_to_keeps_its_cover() {
        let plan = settle(&ModulesFacts { access: Access::ReadOnly, ..facts(Tree::Covered) });
        assert!(matches!(plan, ModulesPlan::Left(_)));
        check(
            &plan,
            expect![[r"
                /usr/lib/modules is read-only on the disk, and its cover stays: kernels that are installed now are lost at the next boot (`mount -o remount,rw /`, then `lifeboat-agent modules settle`)
            "]],
        );
    }

    #[test]
    fn somebody_elses_mount_keeps_the_cover() {
        let strangers = vec!["/usr/lib/modules/7.0".into()];
        let plan = settle(&ModulesFacts { strangers, ..facts(Tree::Covered) });
        assert!(
            matches!(&plan, ModulesPlan::Left(reason) if reason.contains("`umount /usr/lib/modules/7.0`"))
        );
    }

    #[test]
    fn a_settled_export_and_none_at_all_are_left_alone() {
        for tree in [Tree::Settled, Tree::Gone] {
            assert!(matches!(settle(&facts(tree)), ModulesPlan::Nothing(_)), "{tree:?}");
        }
    }

    #[test]
    fn an_export_that_is_aside_comes_back_unless_the_disk_has_a_complete_tree() {
        check(
            &settle(&facts(Tree::Aside)),
            expect![[r"
                the exported /usr/lib/modules/6.1 is back: the disk has no complete one
            "]],
        );
        check(
            &settle(&ModulesFacts { complete: true, ..facts(Tree::Aside) }),
            expect![[r"
                the disk's /usr/lib/modules/6.1 is used from now on
            "]],
        );
    }

    fn local(links: &[&str], built: Built) -> ModulesFacts {
        let links = links.iter().map(|name| (*name).into()).collect();
        ModulesFacts { local: Local { links, built }, ..facts(Tree::Settled) }
    }

    #[test]
    fn what_is_of_this_machine_alone_is_kept_on_the_disk() {
        assert_eq!(keep(&local(&[], Built::Settled)), None);
        let plans = [
            local(&["build", "source"], Built::Settled),
            local(&["build"], Built::InMemory),
            local(&[], Built::OnDisk),
            local(&["build"], Built::Expected),
        ];
        let said: Vec<_> = plans.iter().filter_map(keep).map(|plan| format!("{plan}\n")).collect();
        expect![[r"
            kept on the disk of /usr/lib/modules/6.1: build, source
            kept on the disk of /usr/lib/modules/6.1: build, updates
            kept on the disk of /usr/lib/modules/6.1: updates
            kept on the disk of /usr/lib/modules/6.1: build, updates
        "]]
        .assert_eq(&said.concat());
    }

    #[test]
    fn on_a_disk_that_cannot_be_written_to_it_is_seen_or_it_is_said_that_it_will_be_lost() {
        let read_only = |links: &[&str], built| {
            let facts = ModulesFacts { access: Access::ReadOnly, ..local(links, built) };
            keep(&facts).map(|plan| plan.to_string())
        };
        assert_eq!(read_only(&[], Built::Expected), None);
        let seen = read_only(&["build"], Built::OnDisk);
        assert_eq!(seen.as_deref(), Some("kept on the disk of /usr/lib/modules/6.1: updates"));
        for (built, names) in [(Built::Settled, "build"), (Built::InMemory, "build, updates")] {
            let said = read_only(&["build"], built).unwrap();
            assert!(said.starts_with(&format!("{names} in /usr/lib/modules/6.1 is lost")), "{said}");
        }
    }

    #[test]
    fn only_the_running_kernels_package_sends_the_export_aside() {
        let settled = facts(Tree::Settled);
        assert_eq!(
            aside(&settled, "6.1"),
            ModulesPlan::Do(Steps::StepAside { tree: "/usr/lib/modules/6.1".into(), moved: None })
        );
        assert!(matches!(aside(&settled, "7.0"), ModulesPlan::Nothing(_)));
        for tree in [Tree::Covered, Tree::Aside, Tree::Gone] {
            assert!(matches!(aside(&facts(tree), "6.1"), ModulesPlan::Nothing(_)), "{tree:?}");
        }
    }
}

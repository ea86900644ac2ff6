//! The plan, made from the facts.

use super::directory::Making;
use super::facts::{ExportFacts, Theirs, Writes};
use super::settings::{Means, When};
use super::tree::TreeSize;
use super::usable::Usable;
use super::{MODULES, facts};
use crate::root::DirectoryEntry;
use anyhow::{Context, Result, bail};
pub(super) use lifeboat_common::hand_off::Layout;
use rustix::fs::FileType;
use std::fmt;
use std::path::{Path, PathBuf};

/// The remedy that the owner of the image has.
const REMEDY: &str = "(make one in the image: mkdir -p /lib/modules)";

/// The part of the free memory that the rest of the boot needs.
const SPARE_MEMORY: u64 = 16 << 20;

#[derive(PartialEq, Eq, Debug)]
pub(super) enum ExportPlan {
    Skip(String),
    Export(ModulesExport),
}

#[derive(PartialEq, Eq, Debug)]
pub(super) struct ModulesExport {
    pub(super) release: String,
    pub(super) layout: Layout,
    pub(super) way: ExportWay,
    /// In bytes, of the tmpfs if there is one; a limit reserves nothing.
    pub(super) limit: u64,
    /// The way to make the directory that is mounted on, where the root has none.
    pub(super) making: Option<Making>,
    pub(super) beside: Vec<Beside>,
    /// The need for labels at the mount points once the root is booted.
    pub(super) labels: facts::Labels,
    /// The reason why the root's own tree for the release is not used.
    unusable: Option<String>,
}

/// The way in which the files get there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ExportWay {
    /// The initramfs's own files are mounted.
    Bind,
    /// They are moved to a tmpfs, one after the other.
    Copy(TreeSize),
}

/// Something of the root's that stays visible beside the exported tree.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Beside {
    pub(super) name: PathBuf,
    pub(super) shown_as: PathBuf,
    pub(super) how: BesideHow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BesideHow {
    BindDirectory,
    BindFile,
    Link,
}

impl fmt::Display for ModulesExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (release, layout) = (&self.release, self.layout.name());
        match self.way {
            ExportWay::Bind => write!(f, "exported the modules for {release} (bind, {layout})")?,
            ExportWay::Copy(size) => {
                let mebibytes = size.bytes.div_ceil(1 << 20);
                write!(f, "exported {} files ({mebibytes} MiB) for {release} (copy, {layout})", size.files)?;
            }
        }
        if self.making.is_some() {
            write!(f, ", on the directory /{MODULES}, which was made for them")?;
        }
        for beside in &self.beside {
            write!(f, ", beside {}", beside.name.display())?;
            if beside.shown_as != beside.name {
                write!(f, " (shown as {})", beside.shown_as.display())?;
            }
        }
        if let Some(reason) = &self.unusable {
            write!(f, "; the root's own are not usable: {reason}")?;
        }
        Ok(())
    }
}

pub(super) fn plan(facts: &ExportFacts) -> Result<ExportPlan> {
    let release = &facts.release;
    match (facts.settings.when, &facts.settings.place) {
        (When::Off, Some(place)) => return Ok(ExportPlan::Skip(format!("`off` is {place}"))),
        (When::Auto, _) if facts.usable == Usable::Yes => {
            return Ok(ExportPlan::Skip(format!("the root already has modules for {release}")));
        }
        _ => {}
    }
    if !facts.ours {
        return Ok(ExportPlan::Skip(format!("the initramfs holds no modules for {release}")));
    }
    let (layout, theirs) = match &facts.theirs {
        Theirs::Directory(_) if facts.usable == Usable::Empty => (Layout::Mount, [].as_slice()),
        Theirs::Directory(entries) => (Layout::Cover, entries.as_slice()),
        Theirs::LibAlone(_, Making::AtOnce | Making::Remounted(_)) => (Layout::Cover, [].as_slice()),
        Theirs::LibAlone(Writes::None, Making::Never(_)) => (Layout::Overlay, [].as_slice()),
        Theirs::LibAlone(Writes::Refused, Making::Never(reason)) => {
            bail!("the root has no directory /{MODULES}, and none is made: {reason} {REMEDY}")
        }
        Theirs::Nothing => bail!("the root has no directory /{MODULES} to mount on {REMEDY}"),
    };
    let making = match &facts.theirs {
        Theirs::LibAlone(_, making @ (Making::AtOnce | Making::Remounted(_))) => Some(making.clone()),
        _ => None,
    };
    let way = way(facts)?;
    let content = match way {
        ExportWay::Bind => 0,
        ExportWay::Copy(size) => size.bytes,
    };
    let unusable = match &facts.usable {
        Usable::No(reason) => Some(reason.clone()),
        _ => None,
    };
    Ok(ExportPlan::Export(ModulesExport {
        release: release.clone(),
        layout,
        way,
        limit: content + facts.memory.total / 2,
        making,
        beside: beside(theirs, release, facts.settings.moved_suffix()),
        labels: facts.labels,
        unusable,
    }))
}

fn way(facts: &ExportFacts) -> Result<ExportWay> {
    if facts.means() != Means::Copy {
        return Ok(ExportWay::Bind);
    }
    let size = facts.size.context("measure the modules")?;
    let needed = size.largest + SPARE_MEMORY;
    if needed > facts.memory.available {
        bail!(
            "copying modules needs {} MiB of memory, and {} MiB are free (give the machine more)",
            needed.div_ceil(1 << 20),
            facts.memory.available >> 20
        );
    }
    Ok(ExportWay::Copy(size))
}

fn beside(theirs: &[DirectoryEntry], release: &str, suffix: &str) -> Vec<Beside> {
    // The specification moves a tree that is in the way aside rather than lose it.
    let moved = PathBuf::from(format!("{release}.{suffix}"));
    let is_moved = theirs.iter().any(|entry| entry.name == Path::new(release));
    let show = |entry: &DirectoryEntry| {
        let how = match entry.kind {
            FileType::Directory => BesideHow::BindDirectory,
            FileType::RegularFile => BesideHow::BindFile,
            FileType::Symlink => BesideHow::Link,
            _ => return None,
        };
        let name = entry.name.clone();
        let shown_as = if name == Path::new(release) { moved.clone() } else { name.clone() };
        Some(Beside { name, shown_as, how })
    };
    theirs.iter().filter(|entry| !(is_moved && entry.name == moved)).filter_map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Labels, MachineMemory};
    use super::super::settings::ModulesSettings;
    use super::*;
    use crate::initramfs_tools::switcher::Switcher;
    use crate::root::Root;
    use lifeboat_common::command_line::CommandLine;

    fn entry(name: &str, kind: FileType) -> DirectoryEntry {
        DirectoryEntry { name: name.into(), kind }
    }

    fn settings(line: &str) -> ModulesSettings {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        ModulesSettings::read(&CommandLine::parse(format!("lifeboat.modules={line}").as_str()), &root)
            .unwrap()
    }

    fn facts() -> ExportFacts {
        ExportFacts {
            settings: settings("auto"),
            release: "6.1.0-53".into(),
            ours: true,
            size: Some(TreeSize { files: 190, bytes: 36 << 20, largest: 2 << 20 }),
            theirs: Theirs::Directory(vec![entry("6.1.0-50", FileType::Directory)]),
            usable: Usable::Absent,
            switcher: Switcher::Spares,
            labels: Labels::NotNeeded,
            memory: MachineMemory { available: 400 << 20, total: 512 << 20 },
        }
    }

    fn export(facts: &ExportFacts) -> ModulesExport {
        match plan(facts).unwrap() {
            ExportPlan::Export(export) => export,
            ExportPlan::Skip(reason) => panic!("skipped: {reason}"),
        }
    }

    #[test]
    fn a_root_without_the_kernels_modules_gets_them() {
        let export = export(&facts());
        assert_eq!(export.to_string(), "exported the modules for 6.1.0-53 (bind, cover), beside 6.1.0-50");
        assert_eq!(export.limit, 256 << 20);
    }

    #[test]
    fn an_empty_directory_is_mounted_on_and_nothing_is_covered() {
        let theirs = Theirs::Directory(vec![entry("6.1.0-53", FileType::Directory)]);
        let export = export(&ExportFacts { usable: Usable::Empty, theirs, ..facts() });
        assert_eq!((export.layout, export.beside.len()), (Layout::Mount, 0));
    }

    #[test]
    fn a_lib_that_has_no_modules_is_overlaid_where_nobody_writes_to_it() {
        let never = || Making::Never("a reason".into());
        let theirs = |writes| ExportFacts { theirs: Theirs::LibAlone(writes, never()), ..facts() };
        assert_eq!(export(&theirs(Writes::None)).layout, Layout::Overlay);
        let error = plan(&theirs(Writes::Refused)).unwrap_err();
        let expected = "the root has no directory /lib/modules, and none is made: a reason \
                        (make one in the image: mkdir -p /lib/modules)";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_directory_is_made_where_it_can_be_whoever_writes_to_lib() {
        for making in [Making::AtOnce, Making::Remounted("/root".into())] {
            for writes in [Writes::None, Writes::Refused] {
                let theirs = Theirs::LibAlone(writes, making.clone());
                let mut facts = ExportFacts { theirs, ..facts() };
                let made = export(&facts);
                assert_eq!((made.layout, made.making.as_ref()), (Layout::Cover, Some(&making)));
                let text = made.to_string();
                assert!(text.ends_with(", on the directory /lib/modules, which was made for them"), "{text}");
                facts.do_without_directory("create it: no space".into());
                match (writes, plan(&facts)) {
                    (Writes::None, Ok(ExportPlan::Export(export))) => {
                        assert_eq!((export.layout, export.making), (Layout::Overlay, None));
                    }
                    (Writes::Refused, Err(error)) => {
                        assert!(error.to_string().contains("no space"), "{error}");
                    }
                    (_, plan) => panic!("{plan:?}"),
                }
            }
        }
    }

    #[test]
    fn nothing_is_made_where_nothing_is_exported() {
        let theirs = || Theirs::LibAlone(Writes::Refused, Making::AtOnce);
        let memory = MachineMemory { available: 17 << 20, total: 512 << 20 };
        for facts in [
            ExportFacts { theirs: theirs(), settings: settings("off"), ..facts() },
            ExportFacts { theirs: theirs(), ours: false, ..facts() },
            ExportFacts { theirs: theirs(), memory, settings: settings("copy"), ..facts() },
        ] {
            assert!(!matches!(plan(&facts), Ok(ExportPlan::Export(_))));
        }
    }

    #[test]
    fn each_reason_to_copy_is_heeded() {
        for (reason, facts) in [
            ("switcher", ExportFacts { switcher: Switcher::Unknown, ..facts() }),
            ("labels", ExportFacts { labels: Labels::Needed, ..facts() }),
            (
                "labels, and bind is asked for",
                ExportFacts { labels: Labels::Needed, settings: settings("bind"), ..facts() },
            ),
            ("asked for", ExportFacts { settings: settings("copy"), ..facts() }),
        ] {
            let export = export(&facts);
            assert!(matches!(export.way, ExportWay::Copy(_)), "{reason}");
            assert_eq!(export.limit, (36 + 256) << 20);
            let text = export.to_string();
            assert!(text.starts_with("exported 190 files (36 MiB) for 6.1.0-53 (copy, cover)"), "{text}");
        }
        let forced = ExportFacts { switcher: Switcher::Unknown, settings: settings("bind"), ..facts() };
        assert_eq!(export(&forced).way, ExportWay::Bind);
    }

    #[test]
    fn a_root_that_has_them_is_left_alone_unless_forced() {
        let has = || ExportFacts { usable: Usable::Yes, ..facts() };
        assert_eq!(
            plan(&has()).unwrap(),
            ExportPlan::Skip("the root already has modules for 6.1.0-53".into())
        );
        let theirs = Theirs::Directory(vec![entry("6.1.0-53", FileType::Directory)]);
        let forced = export(&ExportFacts { settings: settings("force"), theirs, ..has() });
        let text = forced.to_string();
        assert!(text.ends_with("beside 6.1.0-53 (shown as 6.1.0-53.lifeboat-moved)"), "{text}");
    }

    #[test]
    fn off_is_skipped_with_its_place() {
        let plan = plan(&ExportFacts { settings: settings("off"), ..facts() }).unwrap();
        assert_eq!(plan, ExportPlan::Skip("`off` is lifeboat.modules= on the kernel command line".into()));
    }

    #[test]
    fn an_initramfs_without_modules_exports_nothing() {
        let plan = plan(&ExportFacts { ours: false, ..facts() }).unwrap();
        assert_eq!(plan, ExportPlan::Skip("the initramfs holds no modules for 6.1.0-53".into()));
    }

    #[test]
    fn an_unusable_tree_is_shown_under_another_name() {
        let theirs = Theirs::Directory(vec![
            entry("6.1.0-53", FileType::Directory),
            entry("6.1.0-53.lifeboat-moved", FileType::Directory),
            entry("extra", FileType::Symlink),
        ]);
        let usable = Usable::No("it has no modules.dep".into());
        let export = export(&ExportFacts { theirs, usable, ..facts() });
        let text = export.to_string();
        let end = "beside 6.1.0-53 (shown as 6.1.0-53.lifeboat-moved), beside extra; \
                   the root's own are not usable: it has no modules.dep";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(export.beside[1].how, BesideHow::Link);
    }

    #[test]
    fn a_root_without_a_place_for_them_is_told_how_to_get_one() {
        let error = plan(&ExportFacts { theirs: Theirs::Nothing, ..facts() }).unwrap_err();
        assert!(error.to_string().contains("mkdir -p /lib/modules"), "{error}");
    }

    #[test]
    fn a_copy_that_does_not_fit_into_memory_is_not_begun() {
        let memory = MachineMemory { available: 17 << 20, total: 512 << 20 };
        let error = plan(&ExportFacts { memory, settings: settings("copy"), ..facts() }).unwrap_err();
        assert!(error.to_string().contains("needs 18 MiB of memory, and 17 MiB are free"), "{error}");
        assert!(plan(&ExportFacts { memory, ..facts() }).is_ok());
    }
}

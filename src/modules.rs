//! Gives the root the running kernel's modules: a tmpfs at `lib/modules` that holds the initramfs's tree and
//! the root's other trees beside it (`EC2UpgradesSpec`, "Keep modules in filesystem in sync with booted
//! kernel").

mod tree;

use crate::initramfs_tools;
use crate::mounts::Staged;
use crate::outcome::{Mode, Outcome};
use crate::root::{Entry, Root};
use crate::state::State;
use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, FileType};
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::ffi::CString;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tree::{Size, Usable};

/// Where modules are, in the initramfs and in a root.
const MODULES: &str = "lib/modules";

/// What the rest of the boot needs of the memory that is free now.
const SPARE_MEMORY: u64 = 16 << 20;

/// Exports the modules, or says why it need not be.
pub(crate) fn run(mode: Mode) -> Result<Outcome> {
    let root = Root::open(initramfs_tools::root_mount_point())?;
    let facts = Facts::gather(&root)?;
    match plan(&facts)? {
        Plan::Skip(reason) => Ok(Outcome::Skipped(reason)),
        Plan::Export(export) => {
            if mode == Mode::Apply {
                apply(&export, &root)?;
            }
            Ok(Outcome::Done(export.to_string()))
        }
    }
}

/// What is found before anything is changed.
struct Facts {
    release: String,
    /// The initramfs's tree for the release.
    ours: Option<Size>,
    /// What stands in the root's lib/modules; `None` when there is no such directory.
    theirs: Option<Vec<Entry>>,
    /// The root's tree for the release.
    usable: Usable,
    /// Bytes of memory that can be had without swapping.
    available: u64,
    /// Bytes of memory in all.
    total: u64,
}

impl Facts {
    fn gather(root: &Root) -> Result<Self> {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let directory = root.enter(MODULES)?;
        let memory = Memory::read()?;
        Ok(Self {
            ours: tree::measure(&Path::new("/").join(MODULES).join(&release))?,
            theirs: directory.as_ref().map(Root::entries).transpose()?,
            usable: match &directory {
                Some(directory) => tree::usable(directory, &release)?,
                None => Usable::Absent,
            },
            available: memory.available,
            total: memory.total,
            release,
        })
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Plan {
    Skip(String),
    Export(Export),
}

/// The steps, in the order in which they are carried out.
#[derive(PartialEq, Eq, Debug)]
struct Export {
    release: String,
    size: Size,
    /// The tmpfs's limit in bytes; a limit reserves nothing.
    limit: u64,
    beside: Vec<Beside>,
}

/// Something of the root's that stays visible beside the exported tree.
#[derive(PartialEq, Eq, Debug)]
struct Beside {
    name: PathBuf,
    shown_as: PathBuf,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    BindDirectory,
    BindFile,
    Link,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.size.bytes.div_ceil(1 << 20);
        write!(f, "exported {} files ({mebibytes} MiB) for {}", self.size.files, self.release)?;
        for beside in &self.beside {
            write!(f, ", beside {}", beside.name.display())?;
            if beside.shown_as != beside.name {
                write!(f, " (shown as {})", beside.shown_as.display())?;
            }
        }
        Ok(())
    }
}

fn plan(facts: &Facts) -> Result<Plan> {
    let release = &facts.release;
    if facts.usable == Usable::Yes {
        return Ok(Plan::Skip(format!("the root already has modules for {release}")));
    }
    let Some(size) = facts.ours else {
        return Ok(Plan::Skip(format!("the initramfs holds no modules for {release}")));
    };
    let Some(theirs) = &facts.theirs else {
        bail!(
            "the root has no directory /{MODULES} to mount on (make one in the image: mkdir -p /{MODULES})"
        );
    };
    if size.bytes + SPARE_MEMORY > facts.available {
        bail!(
            "{} MiB of modules do not fit into the {} MiB of memory that are free (give the machine more)",
            size.bytes.div_ceil(1 << 20),
            facts.available >> 20
        );
    }
    let beside = theirs.iter().filter_map(|entry| keep_visible(entry, release)).collect();
    Ok(Plan::Export(Export { release: release.clone(), size, limit: size.bytes + facts.total / 2, beside }))
}

fn keep_visible(entry: &Entry, release: &str) -> Option<Beside> {
    let how = match entry.kind {
        FileType::Directory => How::BindDirectory,
        FileType::RegularFile => How::BindFile,
        FileType::Symlink => How::Link,
        _ => return None,
    };
    let name = entry.name.clone();
    // The specification moves a tree that is in the way aside rather than lose it.
    let shown_as = if name == Path::new(release) {
        PathBuf::from(format!("{release}.lifeboat-moved"))
    } else {
        name.clone()
    };
    Some(Beside { name, shown_as, how })
}

/// Everything is put together out of sight; one move makes it visible, whole, or not at all.
fn apply(export: &Export, root: &Root) -> Result<()> {
    let target = root.enter(MODULES)?.with_context(|| format!("{} has gone", root.show(MODULES)))?;
    let options = CString::new(format!("mode=0755,size={}", export.limit))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
    let staged = Staged::mount("modules.new", Path::new("lifeboat"), c"tmpfs", flags, &options)?;
    // Dropped before `staged`, whose mount could not be undone below them.
    let mut binds = Vec::new();
    let assembled = (|| -> Result<()> {
        let source = Path::new("/").join(MODULES).join(&export.release);
        tree::copy(&source, &staged.point().join(&export.release))?;
        for beside in &export.beside {
            binds.extend(show(beside, &target, staged.point())?);
        }
        move_mount(CWD, staged.point(), &target, "", MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH)
            .with_context(|| format!("move the tmpfs to {}", root.show(MODULES)))
    })();
    if let Err(error) = assembled {
        for bind in binds.iter().rev() {
            rustix::mount::unmount(bind, rustix::mount::UnmountFlags::NOFOLLOW).unwrap_or_default();
        }
        return Err(error);
    }
    staged.moved();

    let mut state = State::default();
    state.push("RELEASE", &export.release);
    state.push("FILES", export.size.files.to_string());
    state.push("BYTES", export.size.bytes.to_string());
    state.write("modules", 0o644)
}

/// Shows one thing of the root's in the staged tmpfs; returns the mount point if that took a mount.
fn show(beside: &Beside, from: &Root, staged: &Path) -> Result<Option<PathBuf>> {
    let place = staged.join(&beside.shown_as);
    let describe = || format!("show {} in the tmpfs", from.show(&beside.name));
    match beside.how {
        How::Link => {
            std::os::unix::fs::symlink(from.link_target(&beside.name)?, &place).with_context(describe)?;
            return Ok(None);
        }
        How::BindDirectory => std::fs::create_dir(&place).with_context(describe)?,
        How::BindFile => std::fs::write(&place, "").with_context(describe)?,
    }
    let source: OwnedFd = open_tree(
        from,
        &beside.name,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE,
    )
    .with_context(describe)?;
    move_mount(&source, "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).with_context(describe)?;
    Ok(Some(place))
}

/// From /proc/meminfo, in bytes.
struct Memory {
    available: u64,
    total: u64,
}

impl Memory {
    fn read() -> Result<Self> {
        let text = std::fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
        Self::parse(&text).context("read /proc/meminfo: MemAvailable or MemTotal is missing")
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
        };
        Some(Self { available: field("MemAvailable")?, total: field("MemTotal")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: FileType) -> Entry {
        Entry { name: name.into(), kind }
    }

    fn facts() -> Facts {
        Facts {
            release: "6.1.0-53".into(),
            ours: Some(Size { files: 190, bytes: 36 << 20 }),
            theirs: Some(vec![entry("6.1.0-50", FileType::Directory)]),
            usable: Usable::Absent,
            available: 400 << 20,
            total: 512 << 20,
        }
    }

    fn export(facts: &Facts) -> Export {
        match plan(facts).unwrap() {
            Plan::Export(export) => export,
            Plan::Skip(reason) => panic!("skipped: {reason}"),
        }
    }

    #[test]
    fn a_root_without_the_kernels_modules_gets_them() {
        let export = export(&facts());
        assert_eq!(export.to_string(), "exported 190 files (36 MiB) for 6.1.0-53, beside 6.1.0-50");
        assert_eq!(export.limit, (36 + 256) << 20);
    }

    #[test]
    fn a_root_that_has_them_is_left_alone() {
        let plan = plan(&Facts { usable: Usable::Yes, ..facts() }).unwrap();
        assert_eq!(plan, Plan::Skip("the root already has modules for 6.1.0-53".into()));
    }

    #[test]
    fn an_initramfs_without_modules_exports_nothing() {
        let plan = plan(&Facts { ours: None, ..facts() }).unwrap();
        assert_eq!(plan, Plan::Skip("the initramfs holds no modules for 6.1.0-53".into()));
    }

    #[test]
    fn an_unusable_tree_is_shown_under_another_name() {
        let theirs = Some(vec![entry("6.1.0-53", FileType::Directory), entry("extra", FileType::Symlink)]);
        let export = export(&Facts { usable: Usable::No, theirs, ..facts() });
        let text = export.to_string();
        assert!(text.ends_with("beside 6.1.0-53 (shown as 6.1.0-53.lifeboat-moved), beside extra"), "{text}");
        assert_eq!(export.beside[1].how, How::Link);
    }

    #[test]
    fn a_root_without_the_directory_is_told_how_to_get_it() {
        let error = plan(&Facts { theirs: None, ..facts() }).unwrap_err();
        assert!(error.to_string().contains("mkdir -p /lib/modules"), "{error}");
    }

    #[test]
    fn modules_that_do_not_fit_into_memory_are_not_begun() {
        let error = plan(&Facts { available: 40 << 20, ..facts() }).unwrap_err();
        assert!(error.to_string().contains("36 MiB of modules do not fit into the 40 MiB"), "{error}");
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let memory = Memory::parse("MemTotal:  1024 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\n").unwrap();
        assert_eq!((memory.total, memory.available), (1 << 20, 512 << 10));
        assert!(Memory::parse("MemTotal: 1024 kB\n").is_none());
    }
}

//! Carries an export out. Everything is put together out of sight; one move makes it visible, whole, or not at all.

use super::MODULES;
use super::aside::{self, Aside};
use super::facts::{Labels, own_tree};
use super::plan::{Beside, BesideHow, ExportWay, Layout, ModulesExport};
use super::tree::{Moved, TreeSize};
use crate::files;
use crate::initramfs_tools;
use crate::kmsg::{self, LogLevel};
use crate::mounts::{self, Mount, Staged};
use crate::root::Root;
use crate::state;
use anyhow::{Context, Result, bail};
use lifeboat_common::hand_off::{self, Modules};
use rustix::fs::{CWD, FileType};
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_remount, move_mount, open_tree, unmount,
};
use std::ffi::CString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// systemd labels what the files in it name, once it has loaded a policy (mount-setup.c); each mount needs a line.
const RELABEL: &str = "/run/systemd/relabel-extra.d";

const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Where it is seen, as the initramfs sees the root.
struct ExportPlace {
    /// The directory that is mounted on, opened before.
    target: OwnedFd,
    /// Its path, with every link resolved.
    point: PathBuf,
    /// The paths of lib/modules, and of the release's tree in it.
    modules: PathBuf,
    tree: PathBuf,
}

impl ExportPlace {
    fn find(export: &ModulesExport, root: &Root) -> Result<Self> {
        let on = match export.layout {
            Layout::Mount => Path::new(MODULES).join(&export.release),
            Layout::Cover => MODULES.into(),
            Layout::Overlay => "lib".into(),
        };
        let target = root.locate(&on)?.with_context(|| format!("{} has gone", root.show(&on)))?;
        let link = format!("/proc/self/fd/{}", target.as_raw_fd());
        let point = fs::read_link(link).with_context(|| format!("find out where {} is", root.show(&on)))?;
        let modules = match export.layout {
            Layout::Mount => point.parent().unwrap_or(&point).to_owned(),
            Layout::Cover => point.clone(),
            Layout::Overlay => point.join("modules"),
        };
        Ok(Self { target, tree: modules.join(&export.release), modules, point })
    }
}

/// The initramfs's tree, given back when dropped.
enum TakenTree {
    Aside(Aside),
    Moved(Moved),
}

pub(super) fn apply(export: &ModulesExport, root: &Root, mount_point: &Path) -> Result<()> {
    let place = ExportPlace::find(export, root)?;
    let before = mounts::read()?;
    // First, for its driver is in the tree that is taken away next.
    let overlay = match export.layout {
        Layout::Overlay => Some(overlay(&place.point)?),
        Layout::Mount | Layout::Cover => None,
    };
    let staged = if (export.layout, export.way) == (Layout::Mount, ExportWay::Bind) {
        Staged::empty("modules.new")?
    } else {
        let options = CString::new(format!("mode=0755,size={}", export.limit))?;
        let flags = SAFE | MountFlags::NOATIME;
        Staged::mount("modules.new", Path::new("lifeboat"), c"tmpfs", flags, &options)?
    };
    let (staged, taken) = fill(export, root, staged)?;
    let staged = match overlay {
        Some(overlay) => {
            let inside = overlay.point().join("modules");
            move_on(staged.point(), CWD, &inside, "show the modules in the overlay")?;
            staged.moved();
            overlay
        }
        None => staged,
    };
    record(export, &place, mount_point)?;
    let published = publish(staged, &place, &before, mount_point);
    if published.is_err() {
        state::take_back::<Modules>()?;
    }
    published?;

    // The rest is for this initramfs's last moments, and the modules are there already.
    let kept = match taken {
        TakenTree::Aside(aside) => aside.keep(&place.tree),
        TakenTree::Moved(moved) => {
            moved.keep();
            aside::link(&own_tree(&export.release), &place.tree)
        }
    };
    if let Err(error) = kept {
        kmsg::log(LogLevel::Error, "modules", &format!("{error:#}"));
    }
    Ok(())
}

/// Puts the tree, and what is beside it, into the staged mount.
fn fill(export: &ModulesExport, root: &Root, mut staged: Staged) -> Result<(Staged, TakenTree)> {
    let tree = match export.layout {
        Layout::Mount => staged.point().to_owned(),
        Layout::Cover | Layout::Overlay => {
            let tree = staged.point().join(&export.release);
            fs::create_dir(&tree).with_context(|| format!("create {}", tree.display()))?;
            tree
        }
    };
    let taken = match export.way {
        ExportWay::Bind => {
            let (aside, mount) = Aside::take(&export.release)?;
            move_on_fd(&mount, &tree, "bind the modules")?;
            staged.is_mounted();
            mount_remount(&tree, SAFE | MountFlags::BIND, "")
                .context("keep devices and setuid programs out of the modules")?;
            TakenTree::Aside(aside)
        }
        ExportWay::Copy(_) => TakenTree::Moved(Moved::files(&own_tree(&export.release), &tree)?),
    };
    if !export.beside.is_empty() {
        let from = root.enter(MODULES)?.with_context(|| format!("{} has gone", root.show(MODULES)))?;
        for beside in &export.beside {
            show(beside, &from, staged.point())?;
            if beside.name != beside.shown_as && beside.how == BesideHow::BindDirectory {
                // A damaged directory is no reason to have no modules.
                show_links(&from, &beside.name, &tree).unwrap_or_else(|error| {
                    kmsg::log(LogLevel::Error, "modules", &format!("{error:#}"));
                });
            }
        }
    }
    Ok((staged, taken))
}

/// Shows one thing of the root's in the staged tmpfs.
fn show(beside: &Beside, from: &Root, staged: &Path) -> Result<()> {
    let place = staged.join(&beside.shown_as);
    let describe = || format!("show {} beside the modules", from.show(&beside.name));
    match beside.how {
        BesideHow::Link => return symlink(from.link_target(&beside.name)?, &place).with_context(describe),
        BesideHow::BindDirectory => fs::create_dir(&place).with_context(describe)?,
        BesideHow::BindFile => fs::write(&place, "").with_context(describe)?,
    }
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let source = open_tree(from, &beside.name, flags).with_context(describe)?;
    move_mount(&source, "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).with_context(describe)
}

/// Copies the links from the release's own tree to its headers: no initramfs has them, and every build needs them.
fn show_links(from: &Root, name: &Path, tree: &Path) -> Result<()> {
    let Some(theirs) = from.enter(name)? else { return Ok(()) };
    for entry in theirs.entries()?.iter().filter(|entry| entry.kind == FileType::Symlink) {
        let place = tree.join(&entry.name);
        let linked = symlink(theirs.link_target(&entry.name)?, &place);
        linked.or_else(unless_there).with_context(|| format!("link {}", place.display()))?;
    }
    Ok(())
}

fn unless_there(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

/// A read-only overlay on the root's lib, which has the directory `modules` that lib lacks. Read-only, for the root
/// becomes writable later, and what is then written to lib must not end in memory.
fn overlay(lib: &Path) -> Result<Staged> {
    let lower = lib.to_str().filter(|path| !path.contains([',', ':', '\\']));
    let lower = lower.with_context(|| format!("lay something over {}: its name is odd", lib.display()))?;
    let upper = Staged::mount("overlay", Path::new("lifeboat"), c"tmpfs", SAFE, c"mode=0755,size=1m")?;
    let point = upper.point();
    for directory in ["upper/modules", "work"] {
        let directory = point.join(directory);
        fs::create_dir_all(&directory).with_context(|| format!("create {}", directory.display()))?;
    }
    let at = point.display();
    let options = CString::new(format!("lowerdir={lower},upperdir={at}/upper,workdir={at}/work"))?;
    Staged::mount("lib.new", Path::new("lifeboat"), c"overlay", MountFlags::RDONLY, &options)
}

fn move_on(from: &Path, directory: impl std::os::fd::AsFd, to: &Path, what: &'static str) -> Result<()> {
    move_mount(CWD, from, directory, to, MoveMountFlags::empty()).context(what)
}

fn move_on_fd(mount: &OwnedFd, to: &Path, what: &'static str) -> Result<()> {
    move_mount(mount, "", CWD, to, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).context(what)
}

/// Makes it visible, and takes it back if the initramfs could not be left then.
fn publish(staged: Staged, place: &ExportPlace, before: &[Mount], mount_point: &Path) -> Result<()> {
    move_mount(CWD, staged.point(), &place.target, "", MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH)
        .with_context(|| format!("mount the modules on {}", place.point.display()))?;
    staged.moved();
    let after = mounts::read()?;
    let violation = initramfs_tools::in_the_way(&after, mount_point)
        .find(|mount| !before.iter().any(|old| old.is_same(mount)));
    if let Some(mount) = violation {
        let point = &mount.point;
        unmount(&place.point, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)
            .with_context(|| format!("unmount {}", place.point.display()))?;
        bail!("the initramfs could not be left with something mounted on {point}");
    }
    Ok(())
}

/// For the admin and the agent, before anything of it can be seen.
fn record(export: &ModulesExport, place: &ExportPlace, mount_point: &Path) -> Result<()> {
    let booted = |path: &Path| {
        Path::new("/").join(path.strip_prefix(mount_point).unwrap_or(path)).display().to_string()
    };
    let moved = export.beside.iter().find(|beside| beside.name != beside.shown_as);
    state::hand_over(&Modules {
        release: export.release.clone(),
        layout: export.layout,
        place: booted(&place.modules),
        moved: moved.map(|beside| beside.shown_as.display().to_string()),
        way: match export.way {
            ExportWay::Bind => hand_off::Way::Bind,
            ExportWay::Copy(TreeSize { files, bytes, .. }) => hand_off::Way::Copy { files, bytes },
        },
    })?;
    if export.labels == Labels::Needed {
        fs::create_dir_all(RELABEL).with_context(|| format!("create {RELABEL}"))?;
        let mut points = vec![booted(&place.point)];
        if export.layout == Layout::Overlay {
            points.push(booted(&place.modules));
        }
        points.push(String::new());
        files::write(&format!("{RELABEL}/lifeboat.relabel"), points.join("\n").as_bytes(), 0o644)?;
    }
    Ok(())
}

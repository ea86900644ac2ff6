//! Moves mounts. A tree is cloned before the mount that shows it goes, so that it can be shown again whatever
//! fails in between.

use super::carry::carry_over;
use super::disk::Disk;
use super::facts::{ASIDE, ModulesFacts, SHOWN, Tree, holds_something};
use super::local::{BUILT, Built};
use super::plan::Steps;
use crate::apply::ask;
use anyhow::{Context, Error, Result};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The file that a kernel's package leaves for itself between two of its scripts.
const FRESH: &str = ".fresh-install";

/// Where the disk is mounted for as long as a directory of it is mounted elsewhere.
const VIEW: &str = "/run/lifeboat/disk";

/// Ends what a killed call left aside, where the export is visible as well.
pub(crate) fn tidy(facts: &ModulesFacts) {
    let left = if matches!(facts.tree, Tree::Covered | Tree::Settled) { &[VIEW, ASIDE][..] } else { &[VIEW] };
    for point in left {
        while unmount(*point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {}
    }
}

/// Carries steps out.
pub(crate) fn apply(steps: &Steps, facts: &ModulesFacts) -> Result<()> {
    match steps {
        Steps::Uncover { tree, cover, carry, moved } => {
            let mut disk = Disk::open(Some(cover), &facts.place)?;
            let directory = disk.make_modules()?;
            carry_over(carry, Path::new(&facts.place), &disk, &directory)?;
            make(&directory.join(Path::new(tree).file_name().unwrap_or(OsStr::new("."))))?;
            uncover(tree, cover, moved.as_deref())
        }
        Steps::StepAside { tree, moved } => {
            step_aside(tree)?;
            if let Some(moved) = moved {
                detach(moved)?;
            }
            Ok(())
        }
        Steps::ComeBack { tree } => {
            fs::create_dir_all(tree).with_context(|| format!("make {tree}"))?;
            attach(&clone(ASIDE)?, tree)?;
            detach(ASIDE)
        }
        Steps::Yield { .. } => detach(ASIDE),
        Steps::Keep { tree, carry, built } => {
            let mut disk = Disk::open(None, &facts.place)?;
            let own = disk.make_modules()?.join(&facts.release);
            carry_over(carry, Path::new(tree), &disk, &own)?;
            if *built == Built::Expected {
                make(&own.join(BUILT))?;
            }
            if *built != Built::Settled {
                show_built(tree, &disk, &facts.release)?;
            }
            // The initramfs's index knows nothing of them; DKMS makes a new one itself.
            if *built == Built::OnDisk && holds_something(own.join(BUILT)) {
                let words = ["depmod", &facts.release].map(str::to_owned);
                ask(&words, None, "kmod").context("make the index of the modules")?;
            }
            Ok(())
        }
    }
}

/// Shows the disk's own directory there, so that files written from now on are on the disk at once.
fn show_built(tree: &str, disk: &Disk, release: &str) -> Result<()> {
    let here = format!("{tree}/{BUILT}");
    make(Path::new(&here))?;
    make(Path::new(VIEW))?;
    // A detached mount cannot be cloned.
    let modules = disk.mount(VIEW)?;
    let shown =
        clone(&format!("{}/{release}/{BUILT}", modules.display())).and_then(|built| attach(&built, &here));
    detach(VIEW).and(shown)
}

/// While the cover is exchanged, the export stays mounted aside: whoever is killed in between leaves it where the
/// next call finds it.
fn uncover(tree: &str, cover: &str, moved: Option<&str>) -> Result<()> {
    let whole = clone(cover)?;
    let mut shown = vec![(clone(tree)?, tree)];
    if let Some(moved) = moved {
        make(Path::new(SHOWN))?;
        shown.push((clone(moved)?, SHOWN));
    }
    make(Path::new(ASIDE))?;
    attach(&clone(tree)?, ASIDE)?;
    let mut attached = Vec::new();
    let exchanged = detach(cover).and_then(|()| {
        shown.iter().try_for_each(|(clone, point)| {
            attach(clone, point)?;
            attached.push(*point);
            Ok(())
        })
    });
    let exchanged = match exchanged {
        Ok(()) => Ok(()),
        Err(error) if still_there(&whole, cover) => Err(error),
        Err(error) => Err(put_back(&attached, &whole, cover, error)),
    };
    detach(ASIDE).and(exchanged)
}

fn step_aside(tree: &str) -> Result<()> {
    make(Path::new(ASIDE))?;
    attach(&clone(tree)?, ASIDE)?;
    if let Err(error) = detach(tree) {
        detach(ASIDE).unwrap_or_default();
        return Err(error);
    }
    // The package's preinst wrote it where it found the tree, before it called anyone.
    let (there, here) = (Path::new(ASIDE).join(FRESH), Path::new(tree).join(FRESH));
    if there.try_exists().unwrap_or(false) {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&here)
            .and_then(|_| fs::remove_file(&there))
            .with_context(|| format!("move {} to the disk", there.display()))?;
    }
    Ok(())
}

/// True if the cover was not taken away at all.
fn still_there(whole: &OwnedFd, cover: &str) -> bool {
    let number = |path: rustix::io::Result<rustix::fs::Stat>| path.map(|stat| (stat.st_dev, stat.st_ino));
    match (number(rustix::fs::fstat(whole)), number(rustix::fs::stat(cover))) {
        (Ok(whole), Ok(cover)) => whole == cover,
        _ => false,
    }
}

fn put_back(attached: &[&str], whole: &OwnedFd, cover: &str, error: Error) -> Error {
    for point in attached.iter().rev() {
        detach(point).unwrap_or_default();
    }
    match attach(whole, cover) {
        Ok(()) => error.context(format!("the cover at {cover} is back")),
        Err(worse) => error.context(format!("{worse:#}, and the modules are lost for this boot")),
    }
}

fn make(directory: &Path) -> Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.with_context(|| format!("make {}", directory.display())),
    }
}

/// A mount's tree with all that is mounted in it, mounted nowhere.
fn clone(point: &str) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, point, flags | OpenTreeFlags::AT_RECURSIVE).with_context(|| format!("clone {point}"))
}

pub(super) fn attach(clone: &OwnedFd, point: &str) -> Result<()> {
    move_mount(clone, "", CWD, point, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("mount it at {point}"))
}

/// Whoever has a file open there keeps it.
fn detach(point: &str) -> Result<()> {
    unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).with_context(|| format!("unmount {point}"))
}

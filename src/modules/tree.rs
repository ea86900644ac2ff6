//! A tree of modules for one kernel release: how large is it, and how it is moved.

use anyhow::{Context, Result};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, chmodat, fchmod, fstat, mkdirat, openat, readlinkat, statat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// tmpfs gives each file whole pages.
const PAGE: u64 = 4096;

/// How much a tree holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    /// Files of any kind but directories.
    pub(crate) files: u64,
    /// Bytes they take on a tmpfs, whole pages each.
    pub(crate) bytes: u64,
    /// Bytes of the largest of them.
    pub(crate) largest: u64,
}

/// Measures a tree of the initramfs's; `None` when it is not there or holds no module index.
pub(crate) fn measure(path: &Path) -> Result<Option<Size>> {
    let index = path.join("modules.dep");
    if !index.try_exists().with_context(|| format!("look at {}", index.display()))? {
        return Ok(None);
    }
    let mut size = Size::default();
    size.add(path)?;
    Ok(Some(size))
}

impl Size {
    /// What is below a directory.
    fn add(&mut self, directory: &Path) -> Result<()> {
        let describe = || format!("list {}", directory.display());
        for entry in fs::read_dir(directory).with_context(describe)? {
            let entry = entry.with_context(describe)?;
            let path = entry.path();
            let metadata = entry.metadata().with_context(|| format!("stat {}", path.display()))?;
            self.bytes += PAGE;
            if metadata.is_dir() {
                self.add(&path)?;
            } else {
                let bytes = metadata.len().next_multiple_of(PAGE);
                self.files += 1;
                self.bytes += bytes;
                self.largest = self.largest.max(bytes);
            }
        }
        Ok(())
    }
}

/// A tree that was moved file by file. It is moved back when dropped.
pub(crate) struct Moved {
    from: PathBuf,
    to: PathBuf,
    kept: bool,
}

impl Moved {
    /// Moves what is below one directory to below another. Never is more in memory twice than one file.
    pub(crate) fn files(from: &Path, to: &Path) -> Result<Self> {
        // From the first file on: an error in the midst of it undoes what was done.
        let moved = Self { from: from.to_owned(), to: to.to_owned(), kept: false };
        relocate(from, to)?;
        Ok(moved)
    }

    /// It stays where it is now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
        // Directories alone are left there, and whoever leaves the initramfs deletes them.
        fs::remove_dir_all(&self.from).unwrap_or_default();
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        if !self.kept {
            // Whoever drops it has an error to tell already, and there is nothing else to try.
            relocate(&self.to, &self.from).unwrap_or_default();
        }
    }
}

/// Moves files one by one, with the modes of files and directories; those are left behind.
fn relocate(from: &Path, to: &Path) -> Result<()> {
    let (source, target) = (open(from)?, open(to)?);
    for entry in Dir::read_from(&source).with_context(|| format!("list {}", from.display()))? {
        let entry = entry.with_context(|| format!("list {}", from.display()))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = || from.join(OsStr::from_bytes(name.to_bytes()));
        if entry.file_type() == FileType::Directory {
            same_directory(&source, &target, name).with_context(|| format!("take {}", path().display()))?;
            relocate(&path(), &to.join(OsStr::from_bytes(name.to_bytes())))?;
            continue;
        }
        let copied = match entry.file_type() {
            FileType::Symlink => same_link(&source, &target, name),
            _ => same_file(&source, &target, name),
        };
        let moved = copied.and_then(|()| Ok(unlinkat(&source, name, AtFlags::empty())?));
        if moved.is_err() {
            // The source is whole: half a file must not be taken for it.
            unlinkat(&target, name, AtFlags::empty()).unwrap_or_default();
        }
        moved.with_context(|| format!("take {}", path().display()))?;
    }
    Ok(())
}

fn open(directory: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty()).with_context(|| format!("open {}", directory.display()))
}

fn same_directory(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
    match mkdirat(to, name, mode) {
        Err(error) if error != Errno::EXIST => Err(error),
        // Whatever the umask is.
        _ => chmodat(to, name, mode, AtFlags::empty()),
    }
}

fn same_link(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> io::Result<()> {
    Ok(symlinkat(readlinkat(from, name, Vec::new())?, to, name)?)
}

fn same_file(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> io::Result<()> {
    let source = openat(from, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let mode = Mode::from_raw_mode(fstat(&source)?.st_mode);
    let target = openat(to, name, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC, mode)?;
    fchmod(&target, mode)?;
    // In the kernel, where it can.
    io::copy(&mut File::from(source), &mut File::from(target)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A tree of one module.
    fn scratch() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("6.1"), directory.path().join("there"));
        fs::create_dir_all(from.join("kernel")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("modules.dep"), "kernel/a.ko:\n").unwrap();
        fs::write(from.join("kernel/a.ko"), "abc").unwrap();
        (directory, from, to)
    }

    #[test]
    fn a_moved_tree_holds_what_it_held_and_its_place_nothing() {
        let (_directory, from, to) = scratch();
        symlink("/usr/src/x", from.join("build")).unwrap();
        let size = measure(&from).unwrap();
        assert_eq!((size.unwrap().files, size.unwrap().largest), (3, PAGE));
        Moved::files(&from, &to).unwrap().keep();
        assert_eq!(fs::read_to_string(to.join("kernel/a.ko")).unwrap(), "abc");
        assert_eq!(fs::read_link(to.join("build")).unwrap(), Path::new("/usr/src/x"));
        assert_eq!(measure(&to).unwrap(), size);
        assert!(!from.try_exists().unwrap());
        assert_eq!(measure(&from).unwrap(), None);
    }

    #[test]
    fn what_was_moved_is_moved_back_when_it_is_not_kept() {
        let (_directory, from, to) = scratch();
        let size = measure(&from).unwrap();
        drop(Moved::files(&from, &to).unwrap());
        assert_eq!(measure(&from).unwrap(), size);
        assert_eq!(measure(&to).unwrap(), None);
    }
}

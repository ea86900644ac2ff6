//! A tree of modules for one kernel release: how large is it, and how it is moved.

use anyhow::{Context, Result};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fchmod, fstat, mkdirat, openat, readlinkat, symlinkat,
    unlinkat,
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

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The size of a tree.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct TreeSize {
    /// Files of any kind but directories.
    pub(crate) files: u64,
    /// Bytes they take on a tmpfs, whole pages each.
    pub(crate) bytes: u64,
    /// Bytes of the largest of them.
    pub(crate) largest: u64,
}

/// Measures a tree of the initramfs's; `None` when it is not there or holds no module index.
pub(crate) fn measure(path: &Path) -> Result<Option<TreeSize>> {
    let index = path.join("modules.dep");
    if !index.try_exists().with_context(|| format!("look at {}", index.display()))? {
        return Ok(None);
    }
    let mut size = TreeSize::default();
    size.add(path)?;
    Ok(Some(size))
}

impl TreeSize {
    /// Adds the files below a directory.
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
    path: PathBuf,
    from: OwnedFd,
    /// Open, and so found wherever it is mounted by then, or not any more.
    to: OwnedFd,
    kept: bool,
}

impl Moved {
    /// Moves what is below one directory to below another. Never is more in memory twice than one file.
    pub(crate) fn files(from: &Path, to: &Path) -> Result<Self> {
        let open = |path: &Path| {
            openat(CWD, path, DIRECTORY, Mode::empty()).with_context(|| format!("open {}", path.display()))
        };
        // From the first file on: an error in the midst of it undoes what was done.
        let moved = Self { path: from.to_owned(), from: open(from)?, to: open(to)?, kept: false };
        relocate(&moved.from, &moved.to, from)?;
        Ok(moved)
    }

    /// It stays where it is now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
        // Directories alone are left there, and whoever leaves the initramfs deletes them.
        fs::remove_dir_all(&self.path).unwrap_or_default();
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        if !self.kept {
            // Whoever drops it has an error to tell already, and there is nothing else to try.
            relocate(&self.to, &self.from, &self.path).unwrap_or_default();
        }
    }
}

/// Moves files one by one, with the modes of files and directories; those are left behind. The path is for messages.
fn relocate(from: &OwnedFd, to: &OwnedFd, path: &Path) -> Result<()> {
    for entry in Dir::read_from(from).with_context(|| format!("list {}", path.display()))? {
        let entry = entry.with_context(|| format!("list {}", path.display()))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let inside = || path.join(OsStr::from_bytes(name.to_bytes()));
        let describe = || format!("take {}", inside().display());
        if entry.file_type() == FileType::Directory {
            let (from, to) = same_directory(from, to, name).with_context(describe)?;
            relocate(&from, &to, &inside())?;
            continue;
        }
        let copied = match entry.file_type() {
            FileType::Symlink => same_link(from, to, name),
            _ => same_file(from, to, name),
        };
        let moved = copied.and_then(|()| Ok(unlinkat(from, name, AtFlags::empty())?));
        if moved.is_err() {
            // The source is whole: half a file must not be taken for it.
            unlinkat(to, name, AtFlags::empty()).unwrap_or_default();
        }
        moved.with_context(describe)?;
    }
    Ok(())
}

/// Both of them, open.
fn same_directory(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> io::Result<(OwnedFd, OwnedFd)> {
    let from = openat(from, name, DIRECTORY, Mode::empty())?;
    let mode = Mode::from_raw_mode(fstat(&from)?.st_mode);
    match mkdirat(to, name, mode) {
        Err(error) if error != Errno::EXIST => return Err(error.into()),
        _ => {}
    }
    let to = openat(to, name, DIRECTORY, Mode::empty())?;
    // Whatever the umask is.
    fchmod(&to, mode)?;
    Ok((from, to))
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
    fn what_was_moved_is_moved_back_from_wherever_it_is_when_it_is_not_kept() {
        let (_directory, from, to) = scratch();
        let size = measure(&from).unwrap();
        let moved = Moved::files(&from, &to).unwrap();
        let elsewhere = to.with_file_name("elsewhere");
        fs::rename(&to, &elsewhere).unwrap();
        drop(moved);
        assert_eq!(measure(&from).unwrap(), size);
        assert_eq!(measure(&elsewhere).unwrap(), None);
    }
}

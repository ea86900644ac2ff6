//! A tree of modules for one kernel release: how large is it, and how it is moved.

use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::symlink;
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
    walk(path, &mut |entry, kind| {
        size.bytes += PAGE;
        if !kind.is_dir() {
            let bytes = entry.metadata()?.len().next_multiple_of(PAGE);
            size.files += 1;
            size.bytes += bytes;
            size.largest = size.largest.max(bytes);
        }
        Ok(())
    })?;
    Ok(Some(size))
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
    walk(from, &mut |entry, kind| {
        let source = entry.path();
        let target = to.join(source.strip_prefix(from).unwrap_or(&source));
        if kind.is_dir() {
            return match fs::create_dir(&target) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
                _ => fs::set_permissions(&target, entry.metadata()?.permissions()),
            };
        }
        let copied = if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)
        } else {
            fs::copy(&source, &target).map(drop)
        };
        let moved = copied.and_then(|()| fs::remove_file(&source));
        if moved.is_err() {
            // The source is whole: half a file must not be taken for it.
            fs::remove_file(&target).unwrap_or_default();
        }
        moved
    })
}

/// Calls `visit` for everything below a directory, directories before what is in them.
fn walk(
    directory: &Path,
    visit: &mut dyn FnMut(&fs::DirEntry, fs::FileType) -> std::io::Result<()>,
) -> Result<()> {
    let listing = fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    for entry in listing {
        let entry = entry.with_context(|| format!("list {}", directory.display()))?;
        let kind = entry.file_type().with_context(|| format!("stat {}", entry.path().display()))?;
        visit(&entry, kind).with_context(|| format!("take {}", entry.path().display()))?;
        if kind.is_dir() {
            walk(&entry.path(), visit)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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

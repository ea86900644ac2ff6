//! Removing a directory with all that is in it.

use super::{Root, none_if_missing, split};
use anyhow::{Context, Result, bail};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd};

/// The most levels of directories in each other.
const DEEPEST: usize = 64;

impl Root {
    /// Gives a file another name, in the place of what has that name.
    pub(crate) fn move_file(&self, path: &str, to: &str) -> Result<()> {
        let ((from_directory, from_name), (to_directory, to_name)) = (split(path)?, split(to)?);
        let moved = fs::renameat(
            self.open_directory(from_directory)?,
            from_name,
            self.open_directory(to_directory)?,
            to_name,
        );
        moved.with_context(|| format!("rename {} to {}", self.show(path), self.show(to)))
    }

    /// Removes what is at a path, with all that is in it; no link is followed, and what is not there is no error.
    pub(crate) fn remove_tree(&self, path: &str) -> Result<()> {
        let (directory, name) = split(path)?;
        let remove = || match self.locate(directory)? {
            Some(directory) => remove(directory.as_fd(), name, 0),
            None => Ok(()),
        };
        remove().with_context(|| format!("remove {}", self.show(path)))
    }
}

fn remove(directory: BorrowedFd<'_>, name: &str, depth: usize) -> Result<()> {
    if depth > DEEPEST {
        bail!("directories are more than {DEEPEST} deep");
    }
    let Some(stat) = none_if_missing(fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW))? else {
        return Ok(());
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        none_if_missing(fs::unlinkat(directory, name, AtFlags::empty()))?;
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = fs::openat(directory, name, flags, Mode::empty())?;
    for entry in Dir::read_from(&inner)? {
        let entry = entry?;
        // A name that is no UTF-8 is not ours; the directory then stays, and that is reported.
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => remove(inner.as_fd(), name, depth + 1)?,
        }
    }
    none_if_missing(fs::unlinkat(directory, name, AtFlags::REMOVEDIR))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_tree_goes_and_what_its_links_lead_to_stays() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("a/b/c/file", b"", 0o600).unwrap();
        root.write("kept/file", b"", 0o600).unwrap();
        symlink("/kept", directory.path().join("a/link")).unwrap();
        symlink("../kept/file", directory.path().join("a/b/link")).unwrap();
        root.remove_tree("a").unwrap();
        root.remove_tree("nothing/there").unwrap();
        assert_eq!(root.names("").unwrap(), ["kept"]);
        assert!(root.holds("kept/file").unwrap());
    }

    #[test]
    fn the_root_itself_is_no_tree_to_remove() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for path in ["", "/", "a/..", "."] {
            assert!(root.remove_tree(path).is_err(), "{path}");
        }
    }
}

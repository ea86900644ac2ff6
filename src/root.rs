//! Paths inside a root: an absolute or hostile symbolic link stays inside it.

use anyhow::{Context, Result, bail};
use lifeboat_common::in_root;
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, readlinkat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The most bytes read from a file. A root's settings, tables and indexes are small: the largest, modules.dep, has
/// under 1 MiB.
const LARGEST_FILE: u64 = 16 << 20;

/// A directory taken as `/`. Paths given to its functions have no leading `/`.
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// A name in a directory and what it is, links not followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DirectoryEntry {
    /// The name in the directory.
    pub(crate) name: PathBuf,
    /// The entry's type.
    pub(crate) kind: FileType,
}

impl Root {
    /// Opens the directory that is to be the root.
    pub(crate) fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, &path, flags, Mode::empty())
            .with_context(|| format!("open {}", path.display()))?;
        Ok(Self { fd, path })
    }

    /// The path as the outside sees it, for messages only: links may lead elsewhere.
    pub(crate) fn show(&self, path: impl AsRef<Path>) -> String {
        self.path.join(path).display().to_string()
    }

    /// Opens a directory or file without access to its content; `None` when it is not there.
    pub(crate) fn locate(&self, path: impl AsRef<Path>) -> Result<Option<OwnedFd>> {
        self.open_at(path.as_ref(), OFlags::PATH)
    }

    /// Opens a directory inside this root as a root of its own.
    pub(crate) fn enter(&self, path: impl AsRef<Path>) -> Result<Option<Self>> {
        let fd = self.open_at(path.as_ref(), OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(fd.map(|fd| Self { fd, path: self.path.join(path) }))
    }

    /// The content of a file; `None` when it is not there. A pipe or a device, which might never end, is an
    /// error, and so is a file beyond all reason.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Result<Option<Vec<u8>>> {
        let path = path.as_ref();
        let Some(fd) = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK)? else { return Ok(None) };
        let describe = || format!("read {}", self.show(path));
        let stat = rustix::fs::fstat(&fd).with_context(describe)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            bail!("{}: it is no regular file", describe());
        }
        let mut content = Vec::new();
        File::from(fd).take(LARGEST_FILE + 1).read_to_end(&mut content).with_context(describe)?;
        if content.len() as u64 > LARGEST_FILE {
            bail!("{}: it has more than {} MiB", describe(), LARGEST_FILE >> 20);
        }
        Ok(Some(content))
    }

    /// The beginning of a file; `None` when it is not there, or no regular file.
    pub(crate) fn head(&self, path: impl AsRef<Path>, length: usize) -> Result<Option<Vec<u8>>> {
        let path = path.as_ref();
        let Some(fd) = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK)? else { return Ok(None) };
        let describe = || format!("read {}", self.show(path));
        let stat = rustix::fs::fstat(&fd).with_context(describe)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let mut content = Vec::new();
        File::from(fd).take(length as u64).read_to_end(&mut content).with_context(describe)?;
        Ok(Some(content))
    }

    /// True if a path leads to a file that may be executed.
    pub(crate) fn is_program(&self, path: impl AsRef<Path>) -> Result<bool> {
        let Some(fd) = self.locate(&path)? else { return Ok(false) };
        let stat = rustix::fs::fstat(&fd).with_context(|| format!("stat {}", self.show(path)))?;
        let executable = Mode::from_raw_mode(stat.st_mode).intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH);
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && executable)
    }

    /// The size in bytes of what a path leads to; `None` when nothing is there.
    pub(crate) fn size(&self, path: impl AsRef<Path>) -> Result<Option<u64>> {
        let Some(fd) = self.locate(&path)? else { return Ok(None) };
        let stat = rustix::fs::fstat(&fd).with_context(|| format!("stat {}", self.show(path)))?;
        Ok(Some(u64::try_from(stat.st_size).unwrap_or(0)))
    }

    /// Device and inode of what a path leads to, the same for all paths that lead there; `None` when nothing does.
    pub(crate) fn identity(&self, path: impl AsRef<Path>) -> Result<Option<(u64, u64)>> {
        let Some(fd) = self.locate(&path)? else { return Ok(None) };
        let stat = rustix::fs::fstat(&fd).with_context(|| format!("stat {}", self.show(path)))?;
        Ok(Some((stat.st_dev, stat.st_ino)))
    }

    /// True if a path leads to anything.
    pub(crate) fn holds(&self, path: impl AsRef<Path>) -> Result<bool> {
        Ok(self.locate(path)?.is_some())
    }

    /// True if a name stands there, even as a link that leads nowhere.
    pub(crate) fn has_entry(&self, path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return Ok(false) };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let Some(directory) = self.open_at(parent, OFlags::PATH | OFlags::DIRECTORY)? else {
            return Ok(false);
        };
        match statat(&directory, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("look at {}", self.show(path))),
        }
    }

    /// The entries of the root directory itself, sorted by name.
    pub(crate) fn entries(&self) -> Result<Vec<DirectoryEntry>> {
        let listing = || -> rustix::io::Result<Vec<DirectoryEntry>> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let directory = in_root::open(&self.fd, Path::new("."), flags, Mode::empty())?;
            let mut entries = Vec::new();
            for entry in Dir::new(directory)? {
                let entry = entry?;
                let name = entry.file_name();
                if name.to_bytes() != b"." && name.to_bytes() != b".." {
                    let kind = statat(&self.fd, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?.st_mode;
                    let kind = FileType::from_raw_mode(kind);
                    entries.push(DirectoryEntry { name: path_from(name.to_bytes()), kind });
                }
            }
            entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        };
        listing().with_context(|| format!("list {}", self.path.display()))
    }

    /// Where a link in the root directory points.
    pub(crate) fn link_target(&self, name: &Path) -> Result<PathBuf> {
        let target = readlinkat(&self.fd, name, Vec::new())
            .with_context(|| format!("read link {}", self.show(name)))?;
        Ok(path_from(target.to_bytes()))
    }

    fn open_at(&self, path: &Path, flags: OFlags) -> Result<Option<OwnedFd>> {
        match in_root::open(&self.fd, path, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(Errno::NOSYS) => {
                bail!("open {}: {}", self.show(path), in_root::TOO_OLD)
            }
            Err(error) => Err(error).with_context(|| format!("open {}", self.show(path))),
        }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn path_from(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn scratch() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        (directory, root)
    }

    #[test]
    fn an_absolute_link_stays_inside_the_root() {
        let (directory, root) = scratch();
        std::fs::create_dir_all(directory.path().join("usr/lib/modules/6.1")).unwrap();
        symlink("/usr/lib", directory.path().join("lib")).unwrap();
        let modules = root.enter("lib/modules").unwrap().unwrap();
        assert_eq!(
            modules.entries().unwrap(),
            [DirectoryEntry { name: "6.1".into(), kind: FileType::Directory }]
        );
    }

    #[test]
    fn a_link_that_climbs_out_stays_inside_the_root() {
        let (directory, root) = scratch();
        symlink("../../../../../etc/hostname", directory.path().join("out")).unwrap();
        assert_eq!(root.read("out").unwrap(), None);
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        std::fs::write(directory.path().join("etc/hostname"), "inside").unwrap();
        assert_eq!(root.read("out").unwrap().unwrap(), b"inside");
    }

    #[test]
    fn a_dangling_link_is_an_entry_that_leads_nowhere() {
        let (directory, root) = scratch();
        symlink("nowhere", directory.path().join("finished")).unwrap();
        assert!(root.has_entry("finished").unwrap());
        assert!(!root.holds("finished").unwrap());
        assert!(!root.has_entry("other").unwrap());
    }

    #[test]
    fn what_might_never_end_is_not_read() {
        let (directory, root) = scratch();
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, directory.path().join("pipe"), FileType::Fifo, mode, 0).unwrap();
        assert!(root.read("pipe").unwrap_err().to_string().ends_with("/pipe: it is no regular file"));
        let sparse = File::create(directory.path().join("sparse")).unwrap();
        sparse.set_len(LARGEST_FILE + 1).unwrap();
        assert!(root.read("sparse").unwrap_err().to_string().ends_with("it has more than 16 MiB"));
    }

    #[test]
    fn what_is_not_there_is_none_and_no_error() {
        let (directory, root) = scratch();
        std::fs::write(directory.path().join("file"), "12345").unwrap();
        assert!(root.enter("no/such").unwrap().is_none());
        assert!(root.locate("file/below").unwrap().is_none());
        assert_eq!(root.size("file").unwrap(), Some(5));
    }
}

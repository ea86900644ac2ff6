//! Files below a root: every path is resolved inside it, so an absolute or hostile symbolic link stays inside.

#[cfg(test)]
mod tests;
mod together;
mod tree;

use anyhow::{Context, Result, bail};
use lifeboat_common::in_root;
use rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The end of the name of a file that is not whole yet; the name begins with a dot.
const TEMPORARY: &str = ".lifeboat-new";

/// Links that may follow each other, as in the kernel.
const MOST_LINKS: usize = 40;

/// A directory taken as `/`. Paths may begin with `/` or not.
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// The mode and the owner that a file gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rights {
    /// Permission bits.
    pub(crate) mode: u32,
    /// User and group; `None` leaves them as they come.
    pub(crate) owner: Option<(u32, u32)>,
}

impl Rights {
    /// A mode, and whoever the agent runs as.
    pub(crate) fn mode(mode: u32) -> Self {
        Self { mode, owner: None }
    }
}

impl Root {
    /// Opens the directory that is to be the root.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let path = path.canonicalize().with_context(|| format!("open the root {}", path.display()))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::openat(CWD, &path, flags, Mode::empty())
            .with_context(|| format!("open the root {}", path.display()))?;
        // Nothing is done without it, and "function not implemented" says nothing to anyone.
        if let Err(Errno::NOSYS) = in_root::open(&fd, Path::new("."), OFlags::PATH, Mode::empty()) {
            bail!("open the root {}: {}", path.display(), in_root::TOO_OLD);
        }
        Ok(Self { fd, path })
    }

    /// A directory that is open already, and how it is shown.
    pub(crate) fn at(fd: OwnedFd, shown: &str) -> Self {
        Self { fd, path: PathBuf::from(shown) }
    }

    /// True if it is the running system's own, on which commands are run.
    pub(crate) fn is_live(&self) -> bool {
        self.path == Path::new("/")
    }

    /// The content of a file; `None` when it is not there.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.read_at_most(path, u64::MAX)
    }

    /// The content of a file that may not be larger than so many bytes; `None` when it is not there.
    pub(crate) fn read_at_most(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        // Without O_NONBLOCK the opening of a fifo would wait for ever.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let Some(fd) = none_if_missing(self.open_at(path, flags))
            .with_context(|| format!("open {}", self.show(path)))?
        else {
            return Ok(None);
        };
        let mut content = Vec::new();
        let mut file = File::from(fd).take(limit.saturating_add(1));
        file.read_to_end(&mut content).with_context(|| format!("read {}", self.show(path)))?;
        if content.len() as u64 > limit {
            bail!("read {}: it is larger than {limit} bytes, the most that is taken", self.show(path));
        }
        Ok(Some(content))
    }

    /// The text of a file; `None` when it is not there.
    pub(crate) fn read_text(&self, path: &str) -> Result<Option<String>> {
        Ok(self.read(path)?.map(|content| String::from_utf8_lossy(&content).into_owned()))
    }

    /// Finds the file that a path leads to, without opening it; `None` when there is none.
    pub(crate) fn locate(&self, path: &str) -> Result<Option<OwnedFd>> {
        none_if_missing(self.open_at(path, OFlags::PATH))
            .with_context(|| format!("look at {}", self.show(path)))
    }

    /// Reads the link at a path; `None` when there is no link.
    pub(crate) fn link_target(&self, path: &str) -> Result<Option<String>> {
        let (directory, name) = split(path)?;
        let Some(directory) = self.locate(directory)? else { return Ok(None) };
        match fs::readlinkat(&directory, name, Vec::new()) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            Err(Errno::INVAL | Errno::NOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read the link {}", self.show(path))),
        }
    }

    /// True if a name stands there, even as a link that leads nowhere.
    pub(crate) fn has_entry(&self, path: &str) -> Result<bool> {
        let (directory, name) = split(path)?;
        let Some(directory) = self.locate(directory)? else { return Ok(false) };
        match fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("look at {}", self.show(path))),
        }
    }

    /// True if a path leads to anything.
    pub(crate) fn holds(&self, path: &str) -> Result<bool> {
        Ok(self.locate(path)?.is_some())
    }

    /// The type and permissions of what a path leads to; `None` when that is nothing.
    pub(crate) fn mode(&self, path: &str) -> Result<Option<u32>> {
        let Some(fd) = self.locate(path)? else { return Ok(None) };
        let stat = fs::fstat(&fd).with_context(|| format!("look at {}", self.show(path)))?;
        Ok(Some(stat.st_mode))
    }

    /// The names of the regular files in a directory that are whole, sorted by byte; none when it is not there.
    pub(crate) fn files(&self, path: &str) -> Result<Vec<String>> {
        let list = || -> rustix::io::Result<Vec<String>> {
            let Some(fd) = none_if_missing(self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY))? else {
                return Ok(Vec::new());
            };
            let mut names = Vec::new();
            for entry in Dir::read_from(&fd)? {
                let entry = entry?;
                let kind = fs::statat(&fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?.st_mode;
                let name = entry.file_name().to_string_lossy().into_owned();
                if FileType::from_raw_mode(kind) == FileType::RegularFile && !is_temporary(&name) {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        list().with_context(|| format!("list {}", self.show(path)))
    }

    /// All names in a directory, sorted by byte; none when it is not there.
    pub(crate) fn names(&self, path: &str) -> Result<Vec<String>> {
        let list = || -> rustix::io::Result<Vec<String>> {
            let Some(fd) = none_if_missing(self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY))? else {
                return Ok(Vec::new());
            };
            let mut names = Vec::new();
            for entry in Dir::read_from(&fd)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.retain(|name| name != "." && name != "..");
            names.sort();
            Ok(names)
        };
        list().with_context(|| format!("list {}", self.show(path)))
    }

    /// Makes a directory with those above it.
    pub(crate) fn make_directory(&self, path: &str) -> Result<()> {
        self.directory(path).map(drop)
    }

    /// Writes a file whole or not at all; a link in its place is replaced.
    pub(crate) fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<()> {
        let (directory, name) = split(path)?;
        let directory = self.directory(directory)?;
        replace(&directory, name, content, Rights::mode(mode))
            .with_context(|| format!("write {}", self.show(path)))
    }

    /// Writes to where a path leads, links included. A file that cannot be replaced (a device, a file of /proc or /sys,
    /// a bind mount) is written in place.
    pub(crate) fn write_through(&self, path: &str, content: &[u8], rights: Rights) -> Result<()> {
        let path = &self.follow(path)?;
        let (directory, name) = split(path)?;
        let directory = self.directory(directory)?;
        let there = none_if_missing(fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW))
            .with_context(|| format!("look at {}", self.show(path)))?;
        let is_file = |stat: fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if there.is_none_or(is_file) {
            match replace(&directory, name, content, rights) {
                // A full disk must not cost the file that is there, hence only errors that say "not this way".
                Err(error) if there.is_some() && is_no_place_to_replace(&error) => {}
                replaced => return replaced.with_context(|| format!("write {}", self.show(path))),
            }
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK;
        self.write_in_place(path, flags, content, rights)
    }

    /// Adds to the end of a file, which is made when it is not there.
    pub(crate) fn append(&self, path: &str, content: &[u8], rights: Rights) -> Result<()> {
        let path = &self.follow(path)?;
        let (directory, _) = split(path)?;
        self.directory(directory)?;
        self.write_in_place(path, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND, content, rights)
    }

    /// Opens a file to which lines are added; it is made when it is not there.
    pub(crate) fn open_log(&self, path: &str, mode: u32) -> Result<File> {
        let (directory, _) = split(path)?;
        self.directory(directory)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
        let fd = self.create_at(path, flags, mode).with_context(|| format!("open {}", self.show(path)))?;
        Ok(File::from(fd))
    }

    /// Makes a symbolic link, in the place of what was there.
    pub(crate) fn link(&self, path: &str, target: &str) -> Result<()> {
        let (directory, name) = split(path)?;
        let directory = self.directory(directory)?;
        let temporary = temporary(name);
        let link = || -> rustix::io::Result<()> {
            none_if_missing(fs::unlinkat(&directory, &temporary, AtFlags::empty()))?;
            fs::symlinkat(target, &directory, &temporary)?;
            fs::renameat(&directory, &temporary, &directory, name)
        };
        link().with_context(|| format!("link {}", self.show(path)))
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        let (directory, name) = split(path)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let remove = || -> rustix::io::Result<()> {
            if let Some(directory) = none_if_missing(self.open_at(directory, flags))? {
                none_if_missing(fs::unlinkat(&directory, name, AtFlags::empty()))?;
            }
            Ok(())
        };
        remove().with_context(|| format!("remove {}", self.show(path)))
    }

    /// Waits until what was written below directories is on the disk: each file system once.
    pub(crate) fn sync(&self, directories: &[&str]) -> Result<()> {
        let mut synced = Vec::new();
        for directory in directories {
            let mut sync = || -> rustix::io::Result<()> {
                let opened = self.open_at(directory, OFlags::RDONLY | OFlags::DIRECTORY);
                let Some(opened) = none_if_missing(opened)? else { return Ok(()) };
                let device = fs::fstat(&opened)?.st_dev;
                if !synced.contains(&device) {
                    fs::syncfs(opened)?;
                    synced.push(device);
                }
                Ok(())
            };
            sync().with_context(|| format!("sync {}", self.show(directory)))?;
        }
        Ok(())
    }

    /// Opens a directory that has to be there.
    pub(crate) fn open_directory(&self, path: &str) -> Result<OwnedFd> {
        self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY)
            .with_context(|| format!("open {}", self.show(path)))
    }

    /// The path as the outside sees it, for messages and for programs on the live root.
    pub(crate) fn show(&self, path: &str) -> String {
        self.path.join(path.trim_start_matches('/')).display().to_string()
    }

    fn write_in_place(&self, path: &str, flags: OFlags, content: &[u8], rights: Rights) -> Result<()> {
        let write = || -> Result<()> {
            let mut file = File::from(self.create_at(path, flags, 0o600)?);
            file.write_all(content)?;
            // A device keeps its rights, and files of /proc and /sys cannot have others.
            if file.metadata()?.is_file() {
                match give(&file, rights) {
                    Err(Errno::PERM) => {}
                    given => given?,
                }
            }
            Ok(())
        };
        write().with_context(|| format!("write {}", self.show(path)))
    }

    /// The path that the links in the place of its last name lead to.
    fn follow(&self, path: &str) -> Result<String> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let (directory, name) = split(&path)?;
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let Ok(fd) = self.open_at(directory, flags) else { return Ok(path) };
            let Ok(target) = fs::readlinkat(&fd, name, Vec::new()) else { return Ok(path) };
            let target = target.to_string_lossy();
            path =
                if target.starts_with('/') { target.into_owned() } else { format!("{directory}/{target}") };
        }
        bail!("follow {}: more than {MOST_LINKS} links", self.show(&path))
    }

    fn directory(&self, path: &str) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let make = || -> rustix::io::Result<OwnedFd> {
            let mut made = String::from(".");
            let mut fd = self.open_at(&made, flags)?;
            for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
                let above = fd;
                made = format!("{made}/{name}");
                fd = match self.open_at(&made, flags) {
                    Err(Errno::NOENT) => {
                        fs::mkdirat(&above, name, Mode::from_raw_mode(0o755))?;
                        self.open_at(&made, flags)?
                    }
                    other => other?,
                };
            }
            Ok(fd)
        };
        make().with_context(|| format!("make the directory {}", self.show(path)))
    }

    fn open_at(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        self.create_at(path, flags, 0)
    }

    fn create_at(&self, path: &str, flags: OFlags, mode: u32) -> rustix::io::Result<OwnedFd> {
        let path = Path::new(if path.is_empty() { "." } else { path });
        in_root::open(&self.fd, path, flags, Mode::from_raw_mode(mode))
    }
}

/// Writes under a temporary name beside the file and renames it into place.
pub(crate) fn replace(directory: &OwnedFd, name: &str, content: &[u8], rights: Rights) -> Result<()> {
    let temporary = temporary(name);
    write_temporary(directory, &temporary, content, rights)?;
    let renamed = fs::renameat(directory, &temporary, directory, name);
    if renamed.is_err() {
        none_if_missing(fs::unlinkat(directory, &temporary, AtFlags::empty()))?;
    }
    Ok(renamed?)
}

/// Nothing is left behind where it cannot be written whole.
fn write_temporary(directory: &OwnedFd, temporary: &str, content: &[u8], rights: Rights) -> Result<()> {
    // A file that an earlier, killed call left is in the way.
    none_if_missing(fs::unlinkat(directory, temporary, AtFlags::empty()))?;
    let write = || -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(directory, temporary, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(fd);
        file.write_all(content)?;
        give(&file, rights)?;
        Ok(())
    };
    let written = write();
    if written.is_err() {
        none_if_missing(fs::unlinkat(directory, temporary, AtFlags::empty()))?;
    }
    written
}

/// True for the errors with which /proc, /sys, bind mounts and read-only directories refuse to replace a file.
fn is_no_place_to_replace(error: &anyhow::Error) -> bool {
    let refusals = [Errno::PERM, Errno::ACCESS, Errno::ROFS, Errno::BUSY, Errno::NOENT, Errno::OPNOTSUPP];
    error.chain().any(|cause| match cause.downcast_ref::<Errno>() {
        Some(errno) => refusals.contains(errno),
        None => false,
    })
}

/// The owner first: a change of owner takes the set-uid bit away.
pub(crate) fn give(fd: impl std::os::fd::AsFd, rights: Rights) -> rustix::io::Result<()> {
    if let Some((uid, gid)) = rights.owner {
        let now = fs::fstat(&fd)?;
        if (now.st_uid, now.st_gid) != (uid, gid) {
            let (uid, gid) = (fs::Uid::from_raw(uid), fs::Gid::from_raw(gid));
            fs::fchown(&fd, Some(uid), Some(gid))?;
        }
    }
    fs::fchmod(&fd, Mode::from_raw_mode(rights.mode & 0o7777))
}

/// True if a file of that name is one that is not whole yet.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

fn temporary(name: &str) -> String {
    format!(".{}{TEMPORARY}", name.chars().take(60).collect::<String>())
}

fn split(path: &str) -> Result<(&str, &str)> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name.is_empty() || name == "." || name == ".." {
        bail!("`{path}` names no file");
    }
    Ok((directory, name))
}

fn none_if_missing<T>(result: rustix::io::Result<T>) -> rustix::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

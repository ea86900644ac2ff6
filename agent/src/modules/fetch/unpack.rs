//! Takes one kernel's modules out of a tar archive. Regular files, directories and links that stay inside, and
//! nothing else; a bad entry is the end of it.

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use tar::{Archive, Entry, EntryType};

/// The most entries, those that are passed over included: several times what a distribution's kernel has.
const MOST_ENTRIES: usize = 100_000;

/// Where archives have the tree; other safe names are passed over, so that a kernel package's own data serves.
const PLACES: [&[&str]; 3] = [&["usr", "lib", "modules"], &["lib", "modules"], &[]];

/// The sums over what came out of the archive.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Unpacked {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

/// Unpacks the tree of `release` into the directory `tree`, and at most `room` bytes.
pub(crate) fn unpack(source: impl Read, release: &str, tree: &OwnedFd, room: u64) -> Result<Unpacked> {
    let mut archive = Archive::new(Limited { source, left: room });
    let mut unpacked = Unpacked::default();
    for (count, entry) in archive.entries().context("read the archive")?.enumerate() {
        let mut entry = entry.context("read the archive")?;
        if count >= MOST_ENTRIES {
            bail!("the archive has more than {MOST_ENTRIES} entries");
        }
        let path = entry.path_bytes().into_owned();
        take(&mut entry, &path, release, tree, &mut unpacked)
            .with_context(|| format!("unpack {}", shown(&path)))?;
    }
    // The bytes behind tar's end mark are padding; the checksum of what was packed is read with them.
    io::copy(&mut archive.into_inner(), &mut io::sink()).context("read the archive to its end")?;
    if unpacked.files == 0 {
        bail!(
            "the archive holds no files below {release}/, lib/modules/{release}/ or usr/lib/modules/{release}/"
        );
    }
    Ok(unpacked)
}

fn take(
    entry: &mut Entry<'_, impl Read>,
    path: &[u8],
    release: &str,
    tree: &OwnedFd,
    unpacked: &mut Unpacked,
) -> Result<()> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(());
    }
    let names = names(path)?;
    let Some(names) = inside(&names, release) else { return Ok(()) };
    match (kind, names.split_last()) {
        (EntryType::Directory, _) => directory(tree, names).map(drop),
        (EntryType::Regular | EntryType::Continuous, Some((name, above))) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = if entry.header().mode()? & 0o111 == 0 { 0o644 } else { 0o755 };
            let file = openat(directory(tree, above)?, *name, flags, Mode::from_raw_mode(mode))?;
            let copied = io::copy(entry, &mut File::from(file))?;
            if copied != entry.size() {
                bail!("the archive ends within it");
            }
            unpacked.files += 1;
            unpacked.bytes += copied;
            Ok(())
        }
        (EntryType::Symlink, Some((name, above))) => {
            let target = entry.link_name_bytes().context("it is a link to nothing")?;
            check_link(&target, above.len())?;
            Ok(symlinkat(OsStr::from_bytes(&target), directory(tree, above)?, *name)?)
        }
        (EntryType::Link, _) => {
            bail!("it is a hard link, and only files, directories and symbolic links are taken")
        }
        _ => bail!("it is no file, directory or symbolic link, and nothing else is taken"),
    }
}

/// A path's names. Also what is passed over must not try to lead out: the archive is not what it seems to be.
fn names(path: &[u8]) -> Result<Vec<&OsStr>> {
    if path.starts_with(b"/") {
        bail!("its name is absolute");
    }
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    let names: Vec<&OsStr> = names.map(OsStr::from_bytes).collect();
    if names.iter().any(|name| *name == "..") {
        bail!("its name has `..` in it");
    }
    Ok(names)
}

/// The names below the tree, where there are any.
fn inside<'a>(names: &'a [&'a OsStr], release: &str) -> Option<&'a [&'a OsStr]> {
    PLACES.iter().find_map(|place| {
        let (above, rest) = names.split_at_checked(place.len())?;
        let (first, rest) = rest.split_first()?;
        (above == *place && *first == release).then_some(rest)
    })
}

/// Checks that a link's target stays inside, when the link is `depth` directories below the tree. `..` is only taken at
/// its head: behind a name that is a link itself, it would lead elsewhere than it reads.
fn check_link(target: &[u8], depth: usize) -> Result<()> {
    let names: Vec<&[u8]> = target.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
    let up = |name: &&&[u8]| **name == b"..";
    let steps = names.iter().filter(|name| **name != b".");
    let head = steps.clone().take_while(up).count();
    if target.starts_with(b"/") || head > depth || steps.skip(head).any(|name| *name == b"..") {
        bail!("it is a link that leads out, to {}", shown(target));
    }
    Ok(())
}

/// Opens a directory below the tree, making what is missing and following no link.
fn directory(tree: &OwnedFd, names: &[&OsStr]) -> Result<OwnedFd> {
    let mut fd = tree.try_clone()?;
    for name in names {
        match mkdirat(&fd, *name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fd = openat(&fd, *name, flags, Mode::empty())
            .with_context(|| format!("open its directory {}", shown(name.as_bytes())))?;
    }
    Ok(fd)
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}

/// Ends with an error where there is too much, so that a small file does not become a full disk.
struct Limited<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(io::Error::other("its unpacked content is larger than the room for it"));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        for (path, expected) in [
            ("/lib/modules/1/x", "its name is absolute"),
            ("1/../../x", "its name has `..` in it"),
            ("..", "its name has `..` in it"),
        ] {
            assert_eq!(names(path.as_bytes()).unwrap_err().to_string(), expected, "{path}");
        }
        assert_eq!(names(b"./1//a..b/./x").unwrap(), ["1", "a..b", "x"]);
    }

    #[test]
    fn the_tree_is_found_in_the_usual_places_and_nowhere_else() {
        let found = |path: &str| {
            let names = names(path.as_bytes()).unwrap();
            inside(&names, "1").map(|rest| rest.join(OsStr::new("/")).into_string().unwrap())
        };
        for path in ["1/a/b", "./lib/modules/1/a/b", "usr/lib/modules/1/a/b/"] {
            assert_eq!(found(path).unwrap(), "a/b", "{path}");
        }
        assert_eq!(found("lib/modules/1/").unwrap(), "");
        for path in ["2/a", "lib/modules/2/1/a", "boot/vmlinuz-1", "lib", "x/1/a", "./"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn links_stay_inside_also_behind_other_links() {
        let leads_out = |target: &str, depth| check_link(target.as_bytes(), depth).is_err();
        for (target, depth) in [("a.ko", 0), ("../a.ko", 1), ("../../b/./c", 2), ("./..", 1), ("a..b", 0)] {
            assert!(!leads_out(target, depth), "{target}");
        }
        // `a` may be a link to the tree itself, and then `a/..` is above it.
        for (target, depth) in [("/etc/passwd", 3), ("..", 0), ("../../..", 2), ("a/..", 1), ("../a/../b", 2)]
        {
            assert!(leads_out(target, depth), "{target}");
        }
    }
}

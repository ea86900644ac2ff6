//! The initramfs's own files: small, and read and written whole.

use anyhow::{Context, Result};
use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags, open, rename, unlink};
use rustix::io::{Errno, read as read_some};
use std::fs::File;
use std::io::Write as _;

/// Mostly more than there is; it grows.
const CAPACITY: usize = 2048;

/// The content of a file; `None` when it is not there.
pub(crate) fn read(path: &str) -> Result<Option<Vec<u8>>> {
    let read = || -> rustix::io::Result<Option<Vec<u8>>> {
        let file = match open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            file => file?,
        };
        let mut content = Vec::with_capacity(CAPACITY);
        while read_some(&file, spare_capacity(&mut content))? > 0 {
            content.reserve(CAPACITY);
        }
        Ok(Some(content))
    };
    read().with_context(|| format!("read {path}"))
}

/// The text of a file; `None` when it is not there.
pub(crate) fn read_text(path: &str) -> Result<Option<String>> {
    let text = read(path)?.map(String::from_utf8).transpose();
    text.with_context(|| format!("read {path}"))
}

/// Writes a file under a temporary name beside it and renames it into place.
pub(crate) fn write(path: &str, content: &[u8], mode: u32) -> Result<()> {
    let temporary = format!("{path}.lifeboat-new");
    let write = || -> Result<()> {
        // O_EXCL with the final mode: at no time can others read what is secret.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let open = || open(&temporary, flags, Mode::from_raw_mode(mode));
        let opened = match open() {
            // A file that an earlier, killed call left is in the way.
            Err(Errno::EXIST) => remove(&temporary).map(|()| open())?,
            opened => opened,
        };
        File::from(opened?).write_all(content)?;
        Ok(rename(&temporary, path)?)
    };
    let written = write().with_context(|| format!("write {path}"));
    if written.is_err() {
        remove(&temporary)?;
    }
    written
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &str) -> Result<()> {
    match unlink(path) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed.with_context(|| format!("remove {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn scratch(name: &str) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name).display().to_string();
        (directory, path)
    }

    #[test]
    fn a_file_is_written_whole_with_its_mode() {
        let (directory, path) = scratch("seed");
        fs::write(format!("{path}.lifeboat-new"), "what an earlier call left").unwrap();
        write(&path, b"A=b\n", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        assert_eq!(read_text(&path).unwrap().unwrap(), "A=b\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let (directory, path) = scratch("taken");
        fs::create_dir(&path).unwrap();
        fs::write(format!("{path}/inside"), "").unwrap();
        write(&path, b"A=b\n", 0o600).unwrap_err();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let (_directory, path) = scratch("long");
        assert_eq!(read(&path).unwrap(), None);
        let content: Vec<u8> = (0..CAPACITY * 5).map(|place| u8::try_from(place % 251).unwrap()).collect();
        fs::write(&path, &content).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), content);
        assert!(read_text(&path).unwrap_err().to_string().starts_with("read /"), "it is no UTF-8");
    }

    #[test]
    fn what_is_not_there_can_be_removed() {
        let (_directory, path) = scratch("gone");
        remove(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(remove(&path).is_err());
    }
}

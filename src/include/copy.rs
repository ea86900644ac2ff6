//! Copies modules into the initramfs's tree: all of them, or none.

use crate::root::Root;
use anyhow::{Context, Result};
use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, Timespec, Timestamps, fchmod, fstat, futimens, mkdirat, openat2,
    unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

/// The entries that were made so far, in this order.
type Made = Vec<(String, AtFlags)>;

/// Copies files, with mode and time, by their paths below `source`.
pub(crate) fn copy(source: &Path, target: &Root, paths: &[&str]) -> Result<()> {
    let mut made = Made::new();
    let copied = paths.iter().try_for_each(|path| {
        make_directories(target, path, &mut made)
            .with_context(|| format!("create the directory of {}", target.show(path)))?;
        copy_file(&source.join(path), target, path, &mut made)
            .with_context(|| format!("copy {}", source.join(path).display()))
    });
    copied.map_err(|error| made.iter().rev().fold(error, |error, made| undo(target, made, error)))
}

fn make_directories(target: &Root, path: &str, made: &mut Made) -> rustix::io::Result<()> {
    for (end, _) in path.match_indices('/') {
        let directory = path.get(..end).unwrap_or_default();
        match mkdirat(target, directory, Mode::from_raw_mode(0o755)) {
            Ok(()) => made.push((directory.to_owned(), AtFlags::REMOVEDIR)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn copy_file(source: &Path, target: &Root, path: &str, made: &mut Made) -> Result<()> {
    let mut from = File::open(source)?;
    let kept = fstat(&from)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let mut to = File::from(openat2(target, path, flags, Mode::from_raw_mode(0o600), resolve)?);
    made.push((path.to_owned(), AtFlags::empty()));
    // std::io::copy would do, and make the program 10 KB larger.
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        to.write_all(buffer.get(..count).unwrap_or_default())?;
    }
    fchmod(&to, Mode::from_raw_mode(kept.st_mode))?;
    // Two builds from the same files are to give the same initramfs.
    let time = Timespec { tv_sec: kept.st_mtime, tv_nsec: kept.st_mtime_nsec.cast_signed() };
    futimens(&to, &Timestamps { last_access: time, last_modification: time })?;
    Ok(())
}

fn undo(target: &Root, (path, flags): &(String, AtFlags), error: anyhow::Error) -> anyhow::Error {
    match unlinkat(target, path, *flags) {
        Ok(()) => error,
        Err(left) => error.context(format!("{} is left behind: {left}", target.show(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn scratch() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        for made in ["from/kernel/fs", "to/kernel"] {
            fs::create_dir_all(directory.path().join(made)).unwrap();
        }
        fs::write(directory.path().join("from/kernel/fs/a.ko"), "module a").unwrap();
        let target = Root::open(directory.path().join("to")).unwrap();
        (directory, target)
    }

    #[test]
    fn a_copy_has_the_content_the_mode_and_the_time() {
        let (directory, target) = scratch();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::set_permissions(from.join("kernel/fs/a.ko"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a.ko", from.join("kernel/fs/link.ko")).unwrap();
        copy(&from, &target, &["kernel/fs/a.ko", "kernel/fs/link.ko"]).unwrap();
        let found = fs::metadata(to.join("kernel/fs/a.ko")).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o640);
        assert_eq!(
            found.modified().unwrap(),
            fs::metadata(from.join("kernel/fs/a.ko")).unwrap().modified().unwrap()
        );
        assert!(fs::symlink_metadata(to.join("kernel/fs/link.ko")).unwrap().is_file());
        assert_eq!(fs::read_to_string(to.join("kernel/fs/link.ko")).unwrap(), "module a");
    }

    #[test]
    fn after_an_error_there_is_what_there_was() {
        let (directory, target) = scratch();
        fs::create_dir(directory.path().join("from/bad")).unwrap();
        let error =
            copy(&directory.path().join("from"), &target, &["kernel/fs/a.ko", "bad", "never"]).unwrap_err();
        assert!(format!("{error:#}").contains("from/bad: Is a directory"), "{error:#}");
        let left: Vec<_> = fs::read_dir(directory.path().join("to/kernel")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!directory.path().join("to/bad").try_exists().unwrap());
    }

    #[test]
    fn nothing_is_written_through_a_link_or_over_a_file() {
        let (directory, target) = scratch();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir(directory.path().join("elsewhere")).unwrap();
        symlink("../../elsewhere", to.join("kernel/fs")).unwrap();
        copy(&from, &target, &["kernel/fs/a.ko"]).unwrap_err();
        assert_eq!(fs::read_dir(directory.path().join("elsewhere")).unwrap().count(), 0);
        fs::remove_file(to.join("kernel/fs")).unwrap();
        fs::create_dir(to.join("kernel/fs")).unwrap();
        fs::write(to.join("kernel/fs/a.ko"), "theirs").unwrap();
        copy(&from, &target, &["kernel/fs/a.ko"]).unwrap_err();
        assert_eq!(fs::read_to_string(to.join("kernel/fs/a.ko")).unwrap(), "theirs");
    }
}

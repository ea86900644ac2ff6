//! The way of files from a cover to the disk: whole names, under a temporary name first.

use super::disk::Disk;
use anyhow::{Context, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};

/// Copies these names from a directory to the disk. A copy that fails leaves nothing behind, or names that are whole.
pub(crate) fn carry_over(names: &[String], from: &Path, disk: &Disk, to: &Path) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let copied = copy_all(names, from, to).and_then(|()| disk.sync());
    if let Err(error) = copied {
        for name in names {
            clear(&temporary(to, name)).unwrap_or_default();
        }
        return Err(error);
    }
    for name in names {
        replace(&temporary(to, name), &to.join(name)).with_context(|| format!("put {name} onto the disk"))?;
    }
    disk.sync()
}

fn copy_all(names: &[String], from: &Path, to: &Path) -> Result<()> {
    for name in names {
        let target = temporary(to, name);
        // An earlier, killed call may have left it.
        clear(&target).with_context(|| format!("remove {}", target.display()))?;
        copy(&from.join(name), &target)
            .with_context(|| format!("copy {} to the disk", from.join(name).display()))?;
    }
    Ok(())
}

fn temporary(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.lifeboat-new"))
}

/// A directory cannot be renamed over one that holds something.
fn replace(new: &Path, old: &Path) -> Result<()> {
    match fs::rename(new, old) {
        Ok(()) => Ok(()),
        Err(error) => {
            let errno = Errno::from_io_error(&error);
            let in_the_way = [Errno::NOTEMPTY, Errno::EXIST, Errno::ISDIR, Errno::NOTDIR];
            if !errno.is_some_and(|errno| in_the_way.contains(&errno)) {
                return Err(error.into());
            }
            renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE)?;
            Ok(clear(new)?)
        }
    }
}

fn clear(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// With owner, mode and times; a device or a pipe is no part of a kernel's modules.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let data = fs::symlink_metadata(from)?;
    if data.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
        return lchown(to, Some(data.uid()), Some(data.gid()));
    }
    if data.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
    } else if data.is_file() {
        io::copy(&mut File::open(from)?, &mut File::create_new(to)?)?;
    } else {
        return Ok(());
    }
    let made = File::open(to)?;
    fchown(&made, Some(data.uid()), Some(data.gid()))?;
    made.set_permissions(fs::Permissions::from_mode(data.mode() & 0o7777))?;
    made.set_times(FileTimes::new().set_accessed(data.accessed()?).set_modified(data.modified()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_copied_with_links_modes_and_times() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("kernel")).unwrap();
        fs::write(from.join("kernel/x.ko"), "x").unwrap();
        fs::set_permissions(from.join("kernel/x.ko"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("/usr/src/x", from.join("build")).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("kernel/x.ko")).unwrap(), "x");
        assert_eq!(fs::read_link(to.join("build")).unwrap(), Path::new("/usr/src/x"));
        let (old, new) = (from.join("kernel/x.ko"), to.join("kernel/x.ko"));
        let (old, new) = (fs::metadata(old).unwrap(), fs::metadata(new).unwrap());
        assert_eq!((old.mode(), old.modified().unwrap()), (new.mode(), new.modified().unwrap()));
    }

    #[test]
    fn what_stands_in_the_place_is_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("a"), directory.path().join("a.lifeboat-new"));
        fs::create_dir(&old).unwrap();
        fs::write(old.join("old"), "").unwrap();
        fs::create_dir(&new).unwrap();
        fs::write(new.join("new"), "").unwrap();
        replace(&new, &old).unwrap();
        assert!(old.join("new").try_exists().unwrap() && !old.join("old").try_exists().unwrap());
        assert!(!new.try_exists().unwrap());
    }
}

//! Paths inside a directory taken as `/`: an absolute or hostile symbolic link stays inside it.

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Where a path climbs (`..`), openat2(2) gives up with EAGAIN when anything on the machine was renamed or mounted
/// meanwhile, and wants to be called again. udev renames a lot.
const TRIES: usize = 1000;

/// The meaning of `ENOSYS` from [`open`].
pub const TOO_OLD: &str = "this kernel has no openat2 (Linux 5.6 or later is needed)";

/// Opens a path, with the mode for a file that is made. Not even /proc's own links lead out.
///
/// # Errors
///
/// Those of openat2(2): `ENOSYS` where it is [`TOO_OLD`].
pub fn open(root: impl AsFd, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let open = || openat2(&root, path, flags | OFlags::CLOEXEC, mode, resolve);
    let mut opened = open();
    for _ in 1..TRIES {
        if !matches!(opened, Err(Errno::AGAIN)) {
            break;
        }
        opened = open();
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn scratch() -> (tempfile::TempDir, OwnedFd) {
        let directory = tempfile::tempdir().unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, directory.path(), flags, Mode::empty()).unwrap();
        (directory, root)
    }

    fn look(root: &OwnedFd, path: &str) -> Result<OwnedFd> {
        open(root, Path::new(path), OFlags::PATH, Mode::empty())
    }

    #[test]
    fn no_link_leads_out() {
        let (directory, root) = scratch();
        std::os::unix::fs::symlink("/etc", directory.path().join("absolute")).unwrap();
        std::os::unix::fs::symlink("../../../../../../etc", directory.path().join("climbs")).unwrap();
        for path in ["absolute", "climbs", "../etc"] {
            assert_eq!(look(&root, path).unwrap_err(), Errno::NOENT, "{path}");
        }
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        for path in ["absolute", "climbs", "../etc"] {
            look(&root, path).unwrap();
        }
    }

    #[test]
    fn a_rename_elsewhere_does_not_end_a_look_at_a_path_that_climbs() {
        let (directory, root) = scratch();
        std::fs::create_dir_all(directory.path().join("a/b")).unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        std::fs::write(&one, "").unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::fs::rename(&one, &other).unwrap();
                    std::fs::rename(&other, &one).unwrap();
                }
            });
            let looks: Vec<_> = (0..20_000).map(|_| look(&root, "a/b/../b/../../file").map(drop)).collect();
            done.store(true, Ordering::Relaxed);
            assert_eq!(looks.into_iter().collect::<Result<()>>(), Ok(()));
        });
    }
}

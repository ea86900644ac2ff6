//! Makes a file to swap to. A file that holds anything else is never touched.

use super::{LIMIT, Patience, run};
use crate::plan::SwapFile;
use crate::report::Report;
use crate::root::{Rights, Root};
use anyhow::{Context, Result, bail};
use rustix::fs::{self, AtFlags, FallocateFlags, FsWord, IFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::Instant;

const FSTAB: &str = "etc/fstab";

/// Pages whose last ten bytes may hold the mark of a swap file.
const PAGES: [u64; 4] = [4096, 8192, 16384, 65536];
const MARK: &[u8; 10] = b"SWAPSPACE2";

/// The type that `statfs` gives for a btrfs, whose copies on write would leave a swap file in pieces.
const BTRFS: FsWord = 0x9123_683e;

/// Makes it, swaps to it, and has each boot do so.
pub(super) fn make(file: &SwapFile, root: &Root, report: &mut Report) -> Result<()> {
    if !file.is_used {
        let was_made = prepare(file, root, report)?;
        let began = command(&["swapon", &file.path], root, report);
        if began.is_err() && was_made {
            root.remove(&file.path)?;
        }
        began?;
    }
    let Some(line) = &file.line else { return Ok(()) };
    let before = root.read_text(FSTAB)?.unwrap_or_default();
    let between = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    root.write_through(FSTAB, format!("{before}{between}{line}\n").as_bytes(), Rights::mode(0o644))
}

/// The file under its name only once it can be swapped to. True if it was not there.
fn prepare(file: &SwapFile, root: &Root, report: &mut Report) -> Result<bool> {
    if let Some(there) = root.locate(&file.path)? {
        if !is_swap(&File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&there)))?)? {
            bail!("a file is there that is no swap file: move it away, or give another `filename`");
        }
        return Ok(false);
    }
    let (directory, name) = file.path.rsplit_once('/').context("it is no path of a file")?;
    root.make_directory(directory)?;
    let directory_fd = root.open_directory(directory)?;
    let temporary = format!(".{name}.lifeboat-new");
    // An earlier, killed call may have left it.
    remove(&directory_fd, &temporary)?;
    let made = fill(&directory_fd, &temporary, file.mebibytes)
        .and_then(|()| command(&["mkswap", &format!("{directory}/{temporary}")], root, report))
        .and_then(|()| Ok(fs::renameat(&directory_fd, &temporary, &directory_fd, name)?));
    if made.is_err() {
        remove(&directory_fd, &temporary)?;
    }
    made.map(|()| true)
}

fn fill(directory: &OwnedFd, name: &str, mebibytes: u64) -> Result<()> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))?;
    if fs::fstatfs(&fd)?.f_type == BTRFS {
        let flags = fs::ioctl_getflags(&fd)? | IFlags::NOCOW;
        fs::ioctl_setflags(&fd, flags).context("switch copy on write off")?;
    }
    match fs::fallocate(&fd, FallocateFlags::empty(), 0, mebibytes << 20) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let mut file = File::from(fd);
            let zeros = vec![0; 1 << 20];
            for _ in 0..mebibytes {
                file.write_all(&zeros).with_context(|| format!("fill {mebibytes} MiB"))?;
            }
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("take {mebibytes} MiB of the file system")),
    }
}

fn is_swap(file: &File) -> Result<bool> {
    let mut found = [0; MARK.len()];
    for page in PAGES {
        match file.read_exact_at(&mut found, page - MARK.len() as u64) {
            Ok(()) if &found == MARK => return Ok(true),
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

fn remove(directory: &OwnedFd, name: &str) -> Result<()> {
    match fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn command(argv: &[&str], root: &Root, report: &mut Report) -> Result<()> {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    run(&argv, None, &[], Patience::Until(Instant::now() + LIMIT), root, report)
        .with_context(|| argv.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_swap_file_is_one() {
        let directory = tempfile::tempdir().unwrap();
        for (page, is_one) in [(4096, true), (65536, true), (5000, false)] {
            let path = directory.path().join(page.to_string());
            let mut content = vec![0; 70_000];
            content[page - 10..page].copy_from_slice(MARK);
            std::fs::write(&path, content).unwrap();
            assert_eq!(is_swap(&File::open(&path).unwrap()).unwrap(), is_one, "{page}");
        }
        let short = directory.path().join("short");
        std::fs::write(&short, "text").unwrap();
        assert!(!is_swap(&File::open(&short).unwrap()).unwrap());
    }
}

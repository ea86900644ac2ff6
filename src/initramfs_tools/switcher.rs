//! The program that leaves the initramfs: some delete what is still needed there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The way in which init's program treats files that a mount on a top-level directory covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Switcher {
    /// They do: the program looks at what it deletes, and leaves other file systems alone.
    Spares,
    /// It is not known.
    Unknown,
}

/// Where init looks for programs, in its order.
const PATH: [&str; 4] = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];

/// The program with which init leaves the initramfs.
const PROGRAM: &str = "run-init";

/// Texts in the programs that spare them: klibc's run-init and util-linux's switch\_root.
const MARKS: [&[u8]; 2] = [b"nuking initramfs contents", b"util-linux"];

/// In bytes: programs of one purpose are small.
const LARGEST: u64 = 256 << 10;

impl Switcher {
    /// Looks for the program on init's path.
    pub(crate) fn find() -> Self {
        let program = PATH.iter().map(|folder| Path::new(folder).join(PROGRAM)).find(|path| path.is_file());
        match program {
            Some(program) if is_busybox(&program) || is_marked(&program) => Self::Spares,
            _ => Self::Unknown,
        }
    }
}

/// Busybox is one large program under many names.
fn is_busybox(program: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let program = identity(program);
    program.is_some() && PATH.iter().any(|folder| identity(&Path::new(folder).join("busybox")) == program)
}

fn is_marked(program: &Path) -> bool {
    let small = fs::metadata(program).is_ok_and(|found| found.is_file() && found.len() <= LARGEST);
    let content = if small { fs::read(program).unwrap_or_default() } else { Vec::new() };
    MARKS.iter().any(|mark| content.windows(mark.len()).any(|part| part == *mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_program_is_known_by_its_mark() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join(PROGRAM);
        fs::write(&program, b"\x7fELF..nuking initramfs contents..").unwrap();
        assert!(is_marked(&program));
        fs::write(&program, "#!/bin/sh\nexec chroot\n").unwrap();
        assert!(!is_marked(&program) && !is_busybox(&program));
    }
}

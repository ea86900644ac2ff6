//! The size of files as they are, in /boot, and while the initramfs is put together.

use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const BOOT: &str = "/boot";

/// A way to pack files, known by their suffix, and the share of the bytes that it leaves, in percent.
pub(crate) struct PackedForm {
    /// The end of the file's name.
    pub(crate) suffix: &'static str,
    /// In the compressed initramfs.
    packed: u64,
    /// While it is built: some versions of initramfs-tools unpack modules first.
    unpacked: u64,
}

/// The last one fits every name. A kernel's plain modules become a quarter with zstd; other compressors do less.
pub(crate) const FORMS: [PackedForm; 4] = [
    PackedForm { suffix: ".xz", packed: 100, unpacked: 500 },
    PackedForm { suffix: ".zst", packed: 100, unpacked: 500 },
    PackedForm { suffix: ".gz", packed: 100, unpacked: 100 },
    PackedForm { suffix: "", packed: 50, unpacked: 100 },
];

/// Sums over files, in bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct IncludeSize {
    /// The files as they are.
    pub(crate) bytes: u64,
    /// In the compressed initramfs.
    pub(crate) packed: u64,
    /// While it is built.
    pub(crate) unpacked: u64,
}

impl IncludeSize {
    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, bytes: u64) {
        if let Some(form) = FORMS.iter().find(|form| name.ends_with(form.suffix)) {
            self.bytes += bytes;
            self.packed += bytes.saturating_mul(form.packed) / 100;
            self.unpacked += bytes.saturating_mul(form.unpacked) / 100;
        }
    }

    /// All files below a directory.
    pub(crate) fn of_tree(directory: &Path) -> Result<Self> {
        let mut size = Self::default();
        let mut walk = || -> std::io::Result<()> {
            let mut directories = vec![directory.to_owned()];
            while let Some(directory) = directories.pop() {
                for entry in fs::read_dir(directory)? {
                    let entry = entry?;
                    let found = entry.metadata()?;
                    if found.is_dir() {
                        directories.push(entry.path());
                    } else if found.is_file() {
                        size.add(&entry.file_name().to_string_lossy(), found.len());
                    }
                }
            }
            Ok(())
        };
        walk().with_context(|| format!("measure {}", directory.display()))?;
        Ok(size)
    }
}

/// The bytes that are free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    /// In /boot; without one nothing is known to be short.
    pub(crate) boot: Option<u64>,
    /// Where the initramfs is put together.
    pub(crate) build: u64,
    /// The relation of the two: one file system or two.
    pub(crate) shared: SharedSpace,
}

/// The relation of two places: one file system or two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SharedSpace {
    /// Both are on one: space that one takes is missing in the other.
    Yes,
    /// Each for itself.
    No,
}

impl Room {
    /// Asks the file systems.
    pub(crate) fn measure(build: &Path) -> Result<Self> {
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
        let describe = || format!("look at {BOOT}");
        let (boot, shared) = match device(Path::new(BOOT)) {
            Err(error) if error.kind() == ErrorKind::NotFound => (None, SharedSpace::No),
            boot => {
                let same = boot.with_context(describe)? == device(build).with_context(describe)?;
                (Some(free(Path::new(BOOT))?), if same { SharedSpace::Yes } else { SharedSpace::No })
            }
        };
        Ok(Self { boot, build: free(build)?, shared })
    }
}

fn free(path: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(path).with_context(|| format!("look at {}", path.display()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_stays_as_large_and_the_rest_becomes_half() {
        let mut size = IncludeSize::default();
        size.add("a.ko", 1000);
        assert_eq!(size, IncludeSize { bytes: 1000, packed: 500, unpacked: 1000 });
        size.add("b.ko.xz", 100);
        assert_eq!(size, IncludeSize { bytes: 1100, packed: 600, unpacked: 1500 });
        size.add("c.ko.gz", 10);
        assert_eq!(size, IncludeSize { bytes: 1110, packed: 610, unpacked: 1510 });
    }

    #[test]
    fn a_tree_is_measured_without_what_its_links_lead_to() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("usr")).unwrap();
        fs::write(directory.path().join("usr/a.ko"), "1234").unwrap();
        std::os::unix::fs::symlink("usr", directory.path().join("lib")).unwrap();
        std::os::unix::fs::symlink("usr/a.ko", directory.path().join("b.ko")).unwrap();
        assert_eq!(IncludeSize::of_tree(directory.path()).unwrap().bytes, 4);
    }
}

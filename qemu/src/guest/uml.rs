//! User-mode Linux from Debian sid, and initramfs images for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{FILES, Guests, Initramfs, read, tree};
use crate::cache::Cache;
use crate::phase;
use crate::run::{privileged, program};

/// The suite with a user-mode Linux that runs on processors with large register state.
const SUITE: &str = "sid";

/// The kernel, and the C library that it is linked with: the host's may be older.
const PACKAGES: &str = "user-mode-linux,libc6";

/// Where the C library's files are in its package.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The changes to the kernel's file, each to something that is no longer.
///
/// The loader is the one in the working directory. Started through the host's loader instead, the kernel would take
/// the gap between the two for its memory. Disks are called vda, vdb and so on, as QEMU's are in the tests.
const CHANGES: &[(&[u8], &[u8])] =
    &[(b"\0/lib64/ld-linux-x86-64.so.2\0", b"\0./ld.so\0"), (b"\0ubd%c\0", b"\0vd%c\0")];

/// User-mode Linux as the external kernel: folders of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Uml {
    /// The kernel `linux` with its libraries, which is started here, its `modules` and its `release`.
    pub(crate) kernel: PathBuf,
    images: PathBuf,
}

impl Uml {
    pub(super) fn initramfs(&self, which: Initramfs) -> PathBuf {
        self.images.join(match which {
            Initramfs::Lifeboat => "plain.img",
            Initramfs::Without => "without.img",
            Initramfs::Faulty => "faulty.img",
            // It is not made: such machines run in QEMU.
            Initramfs::Busybox => "busybox.img",
        })
    }

    pub(super) fn module_files(&self) -> PathBuf {
        self.images.join("module-files")
    }
}

impl Guests {
    /// The same guests with user-mode Linux as the external kernel.
    pub(crate) fn in_uml(&self) -> Result<Self> {
        let kernel = kernel(&self.cache)?;
        let files = Path::new(FILES);
        let script = files.join("uml.sh");
        let mut inputs =
            [&kernel, &self.base].map(|path| path.as_os_str().as_encoded_bytes().to_vec()).to_vec();
        for path in [&script, &self.packages.lifeboat, &self.packages.agent] {
            inputs.push(read(path)?);
        }
        for folder in ["faults", "hooks"] {
            tree(&files.join(folder), &mut inputs)?;
        }
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let images = self.cache.entry("uml", &inputs, |entry| {
            phase::say("making the initramfs images for user-mode Linux");
            privileged(&script)
                .args([&self.base, files, &kernel, entry, &self.packages.lifeboat, &self.packages.agent])
                .run()
                .map(drop)
        })?;
        Ok(Self { uml: Some(Uml { kernel, images }), ..self.clone() })
    }

    /// User-mode Linux, where it is the external kernel.
    pub(crate) fn uml(&self) -> Option<&Uml> {
        self.uml.as_ref()
    }
}

fn kernel(cache: &Cache) -> Result<PathBuf> {
    let mut inputs = vec![SUITE.as_bytes(), PACKAGES.as_bytes()];
    inputs.extend(CHANGES.iter().flat_map(|(old, new)| [*old, *new]));
    cache.entry("uml-kernel", &inputs, |entry| {
        phase::say(&format!("downloading user-mode Linux and its C library ({SUITE})"));
        let tree = entry.join("tree");
        privileged("mmdebstrap")
            .args(["--variant=extract", "--mode=root", "--format=directory"])
            .arg(format!("--include={PACKAGES}"))
            // A mirror's copy of sid may be older than a week.
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
            .arg("--aptopt=APT::Install-Recommends \"false\"")
            .arg(SUITE)
            .arg(&tree)
            .advice(format!("is the archive of Debian {SUITE} reachable?"))
            .run()?;
        let libraries = tree.join(LIBRARIES);
        let folder = tree.join("usr/lib/uml/modules");
        let release = only_entry(&folder)?;
        fs::write(entry.join("release"), format!("{release}\n")).context("write the kernel's release")?;
        for (from, to) in [
            (folder.join(release), "modules"),
            (libraries.join("ld-linux-x86-64.so.2"), "ld.so"),
            (libraries.join("libc.so.6"), "libc.so.6"),
            (tree.join("usr/share/doc/user-mode-linux/config.gz"), "config.gz"),
            (tree.join("usr/bin/linux.uml"), "linux"),
        ] {
            program("cp").args(["-R", "-L", "-T"]).arg(from).arg(entry.join(to)).run()?;
        }
        program("gunzip").arg(entry.join("config.gz")).run()?;
        let linux = entry.join("linux");
        let bytes = CHANGES.iter().try_fold(read(&linux)?, |bytes, (old, new)| replaced(bytes, old, new));
        let bytes = bytes.with_context(|| format!("change {}", linux.display()))?;
        fs::write(&linux, bytes).with_context(|| format!("write {}", linux.display()))?;
        crate::cache::remove_tree(&tree)
    })
}

fn only_entry(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
    let [name] = names.as_slice() else { anyhow::bail!("{} holds {names:?}", folder.display()) };
    name.to_str().map(str::to_owned).with_context(|| format!("read the name {}", name.display()))
}

/// Puts something of at most the same length in the place of what occurs once. The rest becomes zero bytes.
fn replaced(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let places: Vec<usize> =
        bytes.windows(old.len()).enumerate().filter(|(_, window)| *window == old).map(|(at, _)| at).collect();
    let shown = old.escape_ascii();
    let [at] = places.as_slice() else { anyhow::bail!("`{shown}` occurs {} times in it", places.len()) };
    ensure!(new.len() <= old.len(), "what replaces `{shown}` is longer");
    let place = bytes.iter_mut().skip(*at).take(old.len());
    place.zip(new.iter().copied().chain(std::iter::repeat(0))).for_each(|(byte, new)| *byte = new);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Guests {
        /// For tests that boot nothing.
        pub(crate) fn of_no_files() -> Self {
            let cache = Cache::at(std::env::temp_dir()).unwrap();
            let packages = super::super::Packages { lifeboat: PathBuf::new(), agent: PathBuf::new() };
            Self { cache, base: PathBuf::new(), debian: "debian".into(), packages, uml: None }
        }
    }

    #[test]
    fn what_occurs_once_is_replaced_and_the_rest_is_zero() {
        assert_eq!(replaced(b"a\0ubd%c\0b".to_vec(), b"\0ubd%c\0", b"\0vd%c\0").unwrap(), b"a\0vd%c\0\0b");
    }

    #[test]
    fn what_occurs_never_or_twice_is_refused() {
        assert!(replaced(b"abc".to_vec(), b"x", b"y").is_err());
        assert!(replaced(b"axbx".to_vec(), b"x", b"y").is_err());
    }

    #[test]
    fn what_is_longer_is_refused() {
        assert!(replaced(b"abc".to_vec(), b"b", b"bb").is_err());
    }
}

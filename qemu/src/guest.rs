//! The guests: Debian and tiny ones, and the kernels they are booted with. Built on demand, then cached.

mod medium;
mod platform;
mod tiny;
mod uml;
mod workshop;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::args::Kernel;
use crate::cache::Cache;
use crate::{packages, phase, run, setup};
pub use medium::{FileSystem, MBR_PARTITION_UUID, PARTITION_LABEL, PARTITION_UUID, Table};
pub(crate) use platform::{MoreFile, with_files};
pub use platform::{Platform, RunInit};
pub use tiny::{Damage, Modules, Tiny};
pub use workshop::Workshop;

/// The scripts and files that guests are made with.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guest");

/// The release that guests are made of.
pub(crate) const SUITE: &str = "bookworm";

/// The packages of a Debian guest besides the essential ones; no busybox, so that klibc's run-init, the
/// stricter one, switches the root.
const PACKAGES: &str = "systemd,systemd-sysv,udev,dbus,libpam-systemd,login,kmod,e2fsprogs,iproute2,zstd,\
                        initramfs-tools,openssh-server";

/// The password of the Debian guests' root.
pub const PASSWORD: &str = "lifeboat";

/// Everything that machines are put together from.
#[derive(Debug, Clone)]
pub struct Guests {
    cache: Cache,
    base: PathBuf,
    debian: PathBuf,
    packages: Packages,
    uml: Option<uml::Uml>,
}

/// The packages under test.
#[derive(Debug, Clone)]
pub struct Packages {
    /// The boot program's .deb.
    pub lifeboat: PathBuf,
    /// The agent's .deb.
    pub agent: PathBuf,
}

/// The initramfs that the external kernel is booted with; each was made by mkinitramfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initramfs {
    /// With the package `lifeboat` installed.
    Lifeboat,
    /// Without it.
    Without,
    /// With scripts that say that they ran, and a lifeboat that fails where `test.fault=` says.
    Faulty,
    /// Like `Faulty`, with busybox's tools, shell and run-init in place of klibc's.
    Busybox,
}

impl Guests {
    /// Sets up what is missing, and builds the packages and what is not in the cache yet.
    pub fn build() -> Result<Self> {
        let cache = Cache::open()?;
        setup::guests()?;
        let packages = packages::build(&cache)?;
        let base = base(&cache)?;
        let debian = debian(&cache, &base, &packages)?;
        Ok(Self { cache, base, debian, packages, uml: None })
    }

    /// Where they are cached.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The packages that are installed in them.
    pub fn packages(&self) -> &Packages {
        &self.packages
    }

    /// The disk of the Debian guest: label `lifeboat-root`, host name `own`.
    pub fn debian_root(&self) -> PathBuf {
        self.debian.join("own.img")
    }

    /// The disk of the Debian rescue system: label `RESCUE`, host name `rescue`.
    pub fn debian_rescue(&self) -> PathBuf {
        self.debian.join("rescue.img")
    }

    /// The disk of a Debian rescue system without our packages: label `RESCUE`, host name `stranger`.
    pub fn debian_stranger(&self) -> PathBuf {
        self.debian.join("stranger.img")
    }

    /// The release of the external kernel.
    pub fn external_release(&self) -> Result<String> {
        read_line(&self.external().join("release"))
    }

    /// The number of modules in lifeboat's initramfs for the external kernel.
    pub fn external_module_files(&self) -> Result<String> {
        let in_qemu = || self.debian.join("external/module-files");
        read_line(&self.uml.as_ref().map_or_else(in_qemu, uml::Uml::module_files))
    }

    /// The kernel's own file, and an initramfs for it.
    pub fn kernel(&self, kernel: Kernel, initramfs: Initramfs) -> (PathBuf, PathBuf) {
        let external = self.base.join("external/vmlinuz");
        if let (Kernel::External, Some(uml)) = (kernel, &self.uml) {
            return (uml.kernel.join("linux"), uml.initramfs(initramfs));
        }
        match (kernel, initramfs) {
            (Kernel::Own, _) => (self.debian.join("own/vmlinuz"), self.debian.join("own/initrd.img")),
            (Kernel::External, Initramfs::Lifeboat) => (external, self.debian.join("external/plain.img")),
            (Kernel::External, Initramfs::Without) => (external, self.base.join("external/without.img")),
            (Kernel::External, Initramfs::Faulty) => (external, self.debian.join("external/faulty.img")),
            (Kernel::External, Initramfs::Busybox) => (external, self.debian.join("external/busybox.img")),
        }
    }

    /// The Debian tree as a tar file, without our packages.
    pub fn base_tar(&self) -> PathBuf {
        self.base.join("base.tar")
    }

    /// The folder with a package that lifeboat takes the place of.
    pub fn neighbours(&self) -> PathBuf {
        self.base.join("neighbours")
    }

    /// The package cloud-initramfs-rescuevol, which lifeboat takes the place of.
    pub(crate) fn rescuevol(&self) -> Result<PathBuf> {
        let folder = self.neighbours();
        let files = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        let paths = files.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
        let named = |path: &PathBuf| path.to_string_lossy().contains("/cloud-initramfs-rescuevol_");
        paths
            .into_iter()
            .find(named)
            .with_context(|| format!("find cloud-initramfs-rescuevol in {}", folder.display()))
    }

    /// Makes a tiny guest's image in an existing folder.
    pub fn make(&self, tiny: &Tiny, folder: &Path) -> Result<PathBuf> {
        tiny.image(self, folder)
    }

    /// Packs the external kernel's whole tree into a tarball named after its release: the tarball's SHA-256.
    pub fn pack_modules(&self, folder: &Path) -> Result<String> {
        let release = self.external_release()?;
        let path = folder.join(format!("{release}.tar.gz"));
        run::program("tar")
            .args([&format!("--transform=s,^modules,lib/modules/{release},"), "-czf"])
            .arg(&path)
            .arg("-C")
            .args([self.base.join("external"), PathBuf::from("modules")])
            .run()?;
        let said = run::program("sha256sum").arg(&path).run()?;
        let digest = said.split(' ').next();
        digest.map(str::to_owned).with_context(|| format!("read the digest of {}", path.display()))
    }

    fn busybox(&self) -> PathBuf {
        self.base.join("busybox")
    }

    fn external_modules(&self) -> PathBuf {
        self.external().join("modules")
    }

    /// The folder with the external kernel's `release` and `modules`.
    fn external(&self) -> PathBuf {
        self.uml.as_ref().map_or_else(|| self.base.join("external"), |uml| uml.kernel.clone())
    }
}

fn base(cache: &Cache) -> Result<PathBuf> {
    let script = Path::new(FILES).join("base.sh");
    let inputs = [SUITE.as_bytes(), PACKAGES.as_bytes(), &read(&script)?];
    cache.entry("base", &inputs, |entry| {
        phase::say(&format!("making a Debian tree ({SUITE}) and downloading a second kernel"));
        let mut hook = std::ffi::OsString::from("--customize-hook=");
        hook.push(&script);
        mmdebstrap(SUITE, PACKAGES)
            .arg(hook)
            .env("ENTRY", entry)
            .arg(SUITE)
            .arg(entry.join("base.tar"))
            .run()
            .map(drop)
    })
}

/// mmdebstrap for a small tree, without documentation.
pub(crate) fn mmdebstrap(suite: &str, packages: &str) -> run::Program {
    run::privileged("mmdebstrap")
        .args(["--variant=minbase", "--mode=root", "--format=tar"])
        .arg(format!("--include={packages}"))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .args(
            ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"]
                .map(|path| format!("--dpkgopt=path-exclude={path}")),
        )
        .advice(format!("is the archive of Debian {suite} reachable?"))
}

fn debian(cache: &Cache, base: &Path, packages: &Packages) -> Result<PathBuf> {
    let files = Path::new(FILES);
    let script = files.join("debian.sh");
    let mut inputs = vec![base.as_os_str().as_encoded_bytes().to_vec()];
    for path in [&script, &files.join("tree.sh"), &packages.lifeboat, &packages.agent] {
        inputs.push(read(path)?);
    }
    for folder in ["debian", "faults", "hooks"] {
        tree(&files.join(folder), &mut inputs)?;
    }
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    cache.entry("debian", &inputs, |entry| {
        phase::say("installing the packages in the Debian guest, making its initramfs and its disks");
        run::privileged(&script)
            .args([base, files, entry, &packages.lifeboat, &packages.agent])
            .run()
            .map(drop)
    })
}

/// Adds the names and contents of all files below a folder, in order.
fn tree(folder: &Path, inputs: &mut Vec<Vec<u8>>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            tree(&path, inputs)?;
        } else {
            inputs.push(path.as_os_str().as_encoded_bytes().to_vec());
            inputs.push(read(&path)?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

fn read_line(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

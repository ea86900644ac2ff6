//! Kernels with initramfs images of other makings: of another suite, with other packages or settings.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{FILES, Guests, mmdebstrap, read};
use crate::architecture::cloud_flavour;
use crate::cache::Cache;
use crate::phase;
use crate::run::{privileged, program};
use crate::tree::Tree;

/// The packages of every tree: those that it takes to make an initramfs.
fn packages() -> String {
    format!("initramfs-tools,linux-image{},zstd", cloud_flavour())
}

/// A hook that fails unless the run-init that comes first on init's path is this one.
const RUN_INIT_IS: &str = r#"#!/bin/sh
[ "$1" != prereqs ] || exit 0
for folder in sbin bin; do
    found=$DESTDIR/$folder/run-init
    [ ! -e "$found" ] || break
done
cmp "$found" PROGRAM
"#;

/// A suite's kernel, and its initramfs with lifeboat; made on demand, then cached.
#[derive(Debug, Clone)]
pub struct Platform {
    suite: String,
    packages: String,
    script: String,
    installed: Option<PathBuf>,
    run_init: Option<RunInit>,
}

/// The run-init that leaves the initramfs. Klibc's refuses to go when something is mounted below; busybox's goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunInit {
    /// klibc's, like all other small tools.
    Klibc,
    /// busybox's, like all other small tools and the shell.
    Busybox,
}

impl Platform {
    /// A suite of Debian as it is.
    pub fn new(suite: &str) -> Self {
        Self {
            suite: suite.to_owned(),
            packages: packages(),
            script: String::new(),
            installed: None,
            run_init: None,
        }
    }

    /// Installs another package.
    #[must_use]
    pub fn package(mut self, name: &str) -> Self {
        self.packages.push(',');
        self.packages.push_str(name);
        self
    }

    /// Runs a shell script in the tree before lifeboat is installed; what it puts into /output can be had.
    #[must_use]
    pub fn script(mut self, text: &str) -> Self {
        self.script.push_str(text);
        self.script.push('\n');
        self
    }

    /// Puts this hook into the initramfs's making, after those of packages; when it fails, there is no initramfs.
    #[must_use]
    pub fn hook(self, name: &str, text: &str) -> Self {
        let path = format!("/etc/initramfs-tools/hooks/{name}");
        self.script(&format!("cat >{path} <<'HOOK'\n{text}HOOK\nchmod 755 {path}"))
    }

    /// Chooses the run-init, and sees to it that the initramfs holds that one. The tree is the same for both.
    #[must_use]
    pub fn run_init(mut self, run_init: RunInit) -> Self {
        self.run_init = Some(run_init);
        let (setting, program) = match run_init {
            RunInit::Klibc => ("n", "/usr/lib/klibc/bin/run-init"),
            RunInit::Busybox => ("auto", "/bin/busybox"),
        };
        self.package("busybox-static")
            .script(&format!("echo BUSYBOX={setting} >/etc/initramfs-tools/conf.d/test-busybox"))
            .hook("test-run-init", &RUN_INIT_IS.replace("PROGRAM", program))
    }

    /// Installs another package's file in place of lifeboat.
    #[must_use]
    pub fn in_place_of_lifeboat(mut self, package: &Path) -> Self {
        self.installed = Some(package.to_owned());
        self
    }

    /// The Debian tree as a tar file, without lifeboat.
    pub fn tar(&self, cache: &Cache) -> Result<PathBuf> {
        let inputs = [self.suite.as_bytes(), self.packages.as_bytes()];
        let entry = cache.entry("suite", &inputs, |entry| {
            phase::say(&format!("making a Debian tree ({}: {})", self.suite, self.packages));
            mmdebstrap(&self.suite, &self.packages)
                .arg(&self.suite)
                .arg(entry.join("base.tar"))
                .run()
                .map(drop)
        })?;
        Ok(entry.join("base.tar"))
    }

    /// The run-init, where one was chosen.
    pub(crate) fn its_run_init(&self) -> Option<RunInit> {
        self.run_init
    }

    /// The suite of Debian.
    pub(crate) fn suite(&self) -> &str {
        &self.suite
    }

    /// A file that the script put into /output.
    pub fn output(&self, guests: &Guests, name: &str) -> Result<PathBuf> {
        Ok(self.entry(guests)?.join(name))
    }

    /// The kernel and the initramfs.
    pub(crate) fn kernel(&self, guests: &Guests) -> Result<(PathBuf, PathBuf)> {
        let entry = self.entry(guests)?;
        Ok((entry.join("vmlinuz"), entry.join("initrd.img")))
    }

    fn entry(&self, guests: &Guests) -> Result<PathBuf> {
        let tar = self.tar(guests.cache())?;
        let package = self.installed.as_ref().unwrap_or(&guests.packages().lifeboat);
        let hook = Path::new(FILES).join("hooks/test-wait");
        let inputs =
            [tar.as_os_str().as_encoded_bytes(), self.script.as_bytes(), &read(package)?, &read(&hook)?];
        guests.cache().entry("platform", &inputs, |entry| {
            phase::say(&format!("making an initramfs ({}: {})", self.suite, self.packages));
            let tree = Tree::unpack(guests.cache(), &tar)?;
            tree.add(&hook, "etc/initramfs-tools/hooks/test-wait")?;
            tree.add(package, "tmp/package.deb")?;
            tree.run("mkdir /output")?;
            tree.run(&self.script)?;
            tree.run("apt-get install --yes --no-install-recommends /tmp/package.deb")?;
            tree.run("cp /boot/vmlinuz-* /output/vmlinuz; cp /boot/initrd.img-* /output/initrd.img")?;
            privileged("cp").args(["-r", "-T"]).arg(tree.path().join("output")).arg(entry).run()?;
            privileged("chmod").args(["-R", "a+rX"]).arg(entry).run().map(drop)
        })
    }
}

/// One more file of an initramfs.
#[derive(Debug, Clone)]
pub(crate) struct MoreFile {
    pub(crate) path: String,
    pub(crate) content: String,
    pub(crate) mode: u32,
}

/// An initramfs with more files in it. The kernel unpacks archive after archive, whatever each is packed with;
/// one that is not packed begins at a multiple of four.
pub(crate) fn with_files(initramfs: &Path, more: &[MoreFile], folder: &Path) -> Result<PathBuf> {
    let tree = folder.join("more");
    for MoreFile { path, content, mode } in more {
        let file = tree.join(path);
        std::fs::create_dir_all(file.parent().context("find the folder of a file")?)
            .and_then(|()| std::fs::write(&file, content))
            .and_then(|()| std::fs::set_permissions(&file, Permissions::from_mode(*mode)))
            .with_context(|| format!("write {}", file.display()))?;
    }
    let image = folder.join("initrd.img");
    let both = r#"cp -- "$1" "$2" && truncate -s %4 -- "$2" && find . -mindepth 1 | cpio --quiet --owner=0:0 -o -H newc >>"$2""#;
    program("sh").args(["-euc", both, "sh"]).args([initramfs, &image]).directory(&tree).run()?;
    Ok(image)
}

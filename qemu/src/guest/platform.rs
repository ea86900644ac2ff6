//! Kernels with initramfs images of other makings: of another suite, with other packages or settings.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Guests, mmdebstrap, read};
use crate::cache::Cache;
use crate::phase;
use crate::run::{privileged, program};
use crate::tree::Tree;

/// What every tree holds: what it takes to make an initramfs.
const PACKAGES: &str = "initramfs-tools,linux-image-cloud-amd64,zstd";

/// A suite's kernel, and its initramfs with lifeboat; made on demand, then cached.
#[derive(Debug, Clone)]
pub struct Platform {
    suite: String,
    packages: String,
    script: String,
}

impl Platform {
    /// A suite of Debian as it is.
    pub fn new(suite: &str) -> Self {
        Self { suite: suite.to_owned(), packages: PACKAGES.to_owned(), script: String::new() }
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
        text.clone_into(&mut self.script);
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
        let package = &guests.packages().lifeboat;
        let inputs = [tar.as_os_str().as_encoded_bytes(), self.script.as_bytes(), &read(package)?];
        guests.cache().entry("platform", &inputs, |entry| {
            phase::say(&format!("making an initramfs ({}: {})", self.suite, self.packages));
            let tree = Tree::unpack(guests.cache(), &tar)?;
            tree.add(package, "tmp/lifeboat.deb")?;
            tree.run("mkdir /output")?;
            tree.run(&self.script)?;
            tree.run("apt-get install --yes --no-install-recommends /tmp/lifeboat.deb")?;
            tree.run("cp /boot/vmlinuz-* /output/vmlinuz; cp /boot/initrd.img-* /output/initrd.img")?;
            privileged("cp").args(["-r", "-T"]).arg(tree.path().join("output")).arg(entry).run()?;
            privileged("chmod").args(["-R", "a+rX"]).arg(entry).run().map(drop)
        })
    }
}

/// An initramfs with one more file in it. The kernel unpacks archive after archive, whatever each is packed with;
/// one that is not packed begins at a multiple of four.
pub(crate) fn with_file(initramfs: &Path, path: &str, content: &str, folder: &Path) -> Result<PathBuf> {
    let tree = folder.join("more");
    let file = tree.join(path);
    std::fs::create_dir_all(file.parent().context("find the folder of a file")?)
        .and_then(|()| std::fs::write(&file, content))
        .with_context(|| format!("write {}", file.display()))?;
    let image = folder.join("initrd.img");
    let both = r#"cp -- "$1" "$2" && truncate -s %4 -- "$2" && find . -mindepth 1 | cpio --quiet --owner=0:0 -o -H newc >>"$2""#;
    program("sh").args(["-euc", both, "sh"]).args([initramfs, &image]).directory(&tree).run()?;
    Ok(image)
}

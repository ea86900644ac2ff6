//! A Debian tree to work in as root, by chroot. Nothing is mounted in it, so nothing has to be unmounted.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use crate::cache::{self, Cache};
use crate::run::privileged;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The tree; it is removed when this is dropped.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
}

impl Tree {
    /// Unpacks a tar file.
    pub fn unpack(cache: &Cache, tar: &Path) -> Result<Self> {
        // In the cache: device nodes may be forbidden in /tmp.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = cache.folder("trees")?.join(format!("{}-{number}", std::process::id()));
        let tree = Self { path };
        privileged("mkdir").arg(&tree.path).run()?;
        privileged("tar").arg("--directory").arg(&tree.path).args(["--extract", "--file"]).arg(tar).run()?;
        Ok(tree)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies a file into the tree.
    pub fn add(&self, file: &Path, to: &str) -> Result<()> {
        privileged("cp").arg(file).arg(self.path.join(to)).run().map(drop)
    }

    /// Runs a shell script in it and gives what that writes.
    pub fn run(&self, script: &str) -> Result<String> {
        privileged("chroot")
            .arg(&self.path)
            .args(["sh", "-euc", script])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .run()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // What cannot be removed goes with the cache.
        drop(cache::remove_tree(&self.path));
    }
}

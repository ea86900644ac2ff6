//! Files beside a kernel's modules that are this machine's alone: links to the headers, and modules that were built
//! here. In an export it would be gone at the next boot, and DKMS and dpkg would still believe it there.

use super::disk::Disk;
use super::facts::{ModulesEntry, holds_something, names};
use crate::rescue::mounts::{self, Mount};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where DKMS puts what it builds, and the kernel's own `make modules_install` too.
pub(crate) const BUILT: &str = "updates";

/// The program that builds modules while nobody looks.
const DKMS: &str = "/usr/sbin/dkms";

/// The local files in the export and on the disk below it.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Local {
    /// Links in the export that the disk has not, or not so.
    pub(crate) links: Vec<String>,
    /// Where modules are that were built here.
    pub(crate) built: Built,
}

/// See [`BUILT`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Built {
    /// There are none, or they are where they belong.
    #[default]
    Settled,
    /// Nowhere yet, and DKMS is here.
    Expected,
    /// On the disk, hidden by the export.
    OnDisk,
    /// In the export, and in memory.
    InMemory,
}

impl Local {
    /// Looks at an export that is on its own directory.
    pub(crate) fn find(place: &str, release: &str, disk: &Disk, all: &[Mount]) -> Result<Self> {
        let export = Path::new(place).join(release);
        let own = disk.modules().map(|modules| modules.join(release));
        let there = |path: &Path| path.try_exists().with_context(|| format!("look at {}", path.display()));
        let on_disk = match &own {
            Some(own) if there(own)? => names(own)?,
            _ => BTreeMap::new(),
        };
        let links = names(&export)?.into_iter().filter(|(name, kind)| match (kind, on_disk.get(name)) {
            (ModulesEntry::Link(_), Some(ModulesEntry::Link(_)) | None) => on_disk.get(name) != Some(kind),
            _ => false,
        });
        let on_disk_too = match on_disk.get(BUILT) {
            None => Some(false),
            Some(_) => own.is_some_and(|own| is_directory(&own.join(BUILT))).then_some(true),
        };
        let mounted = mounts::at(&format!("{place}/{release}/{BUILT}"), all).is_some();
        let in_memory = !mounted && holds_something(export.join(BUILT));
        Ok(Self {
            links: links.map(|(name, _)| name).collect(),
            built: match (in_memory, on_disk_too) {
                (true, Some(false)) => Built::InMemory,
                (false, Some(true)) if !mounted => Built::OnDisk,
                (false, Some(false)) if there(Path::new(DKMS))? => Built::Expected,
                _ => Built::Settled,
            },
        })
    }
}

fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
}

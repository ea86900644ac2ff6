//! Whether the root's tree of modules can serve the running kernel.

use super::MODULES;
use super::tree;
use crate::root::Root;
use std::path::Path;

/// Whether the root's tree for a release can serve the running kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Usable {
    /// modprobe will find what it names, and the kernel will take it.
    Yes,
    /// It is there, and cannot be used for this reason.
    No(String),
    /// Its directory is there with nothing in it.
    Empty,
    /// It is not there.
    Absent,
}

/// Judges the root's tree for a release against the initramfs's, which was made for the running kernel.
pub(crate) fn check(root: &Root, _initramfs: &Root, release: &str) -> Usable {
    let path = Path::new(MODULES).join(release);
    let Ok(Some(directory)) = root.enter(&path) else { return Usable::Absent };
    if directory.entries().is_ok_and(|entries| entries.is_empty()) {
        return Usable::Empty;
    }
    let Ok(Some(modules)) = root.enter(MODULES) else { return Usable::Absent };
    match tree::usable(&modules, release) {
        Ok(true) => Usable::Yes,
        Ok(false) => Usable::No("it is broken".into()),
        Err(error) => Usable::No(format!("{error:#}")),
    }
}

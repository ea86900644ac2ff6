//! A tree of modules for one kernel release: is it usable, how large is it, copy it.

use crate::root::Root;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// How many of the files that modules.dep names are looked at.
const SAMPLE: usize = 16;

/// tmpfs gives each file whole pages.
const PAGE: u64 = 4096;

/// Whether the root's tree for a release can serve the running kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Usable {
    /// modprobe will find what it names.
    Yes,
    /// It is there, and empty or broken.
    No,
    /// It is not there.
    Absent,
}

/// How much a tree holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    /// Files of any kind but directories.
    pub(crate) files: u64,
    /// Bytes they take on a tmpfs, whole pages each.
    pub(crate) bytes: u64,
}

/// Judges a tree by content: modules.dep is there, and files spread evenly over it exist and are not empty.
pub(crate) fn usable(modules: &Root, release: &str) -> Result<Usable> {
    let Some(tree) = modules.enter(release)? else { return Ok(Usable::Absent) };
    let dependencies = tree.read("modules.dep")?.unwrap_or_default();
    let dependencies = String::from_utf8_lossy(&dependencies);
    let named: Vec<&str> =
        dependencies.lines().filter_map(|line| line.split_once(':')).map(|(module, _)| module).collect();
    if named.is_empty() {
        return Ok(Usable::No);
    }
    for module in named.iter().step_by(named.len().div_ceil(SAMPLE)) {
        if tree.size(module)?.is_none_or(|bytes| bytes == 0) {
            return Ok(Usable::No);
        }
    }
    Ok(Usable::Yes)
}

/// Measures a tree of the initramfs's; `None` when it is not there or holds no module index.
pub(crate) fn measure(path: &Path) -> Result<Option<Size>> {
    let index = path.join("modules.dep");
    if !index.try_exists().with_context(|| format!("look at {}", index.display()))? {
        return Ok(None);
    }
    let mut size = Size::default();
    walk(path, &mut |entry, kind| {
        size.bytes += PAGE;
        if !kind.is_dir() {
            size.files += 1;
            size.bytes += entry.metadata()?.len().next_multiple_of(PAGE);
        }
        Ok(())
    })?;
    Ok(Some(size))
}

/// Copies a tree, with the modes of its files and directories.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("create {}", to.display()))?;
    walk(from, &mut |entry, kind| {
        let source = entry.path();
        let target = to.join(source.strip_prefix(from).unwrap_or(&source));
        if kind.is_dir() {
            fs::create_dir(&target)
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)
        } else {
            fs::copy(&source, &target).map(drop)
        }
    })
}

/// Calls `visit` for everything below a directory, directories before what is in them.
fn walk(
    directory: &Path,
    visit: &mut dyn FnMut(&fs::DirEntry, fs::FileType) -> std::io::Result<()>,
) -> Result<()> {
    let listing = fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    for entry in listing {
        let entry = entry.with_context(|| format!("list {}", directory.display()))?;
        let kind = entry.file_type().with_context(|| format!("stat {}", entry.path().display()))?;
        visit(&entry, kind).with_context(|| format!("take {}", entry.path().display()))?;
        if kind.is_dir() {
            walk(&entry.path(), visit)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(modules: &[(&str, &str)], index: &str) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("6.1");
        fs::create_dir_all(tree.join("kernel")).unwrap();
        fs::write(tree.join("modules.dep"), index).unwrap();
        for (name, content) in modules {
            fs::write(tree.join(name), content).unwrap();
        }
        let root = Root::open(directory.path()).unwrap();
        (directory, root)
    }

    #[test]
    fn a_tree_whose_index_names_files_that_are_there_is_usable() {
        let (_directory, root) = scratch(
            &[("kernel/a.ko", "x"), ("kernel/b.ko", "y")],
            "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n",
        );
        assert_eq!(usable(&root, "6.1").unwrap(), Usable::Yes);
    }

    #[test]
    fn missing_or_empty_modules_and_an_empty_index_are_not_usable() {
        for (modules, index) in [
            (&[][..], "kernel/a.ko:\n"),
            (&[("kernel/a.ko", "")][..], "kernel/a.ko:\n"),
            (&[("kernel/a.ko", "x")][..], ""),
        ] {
            let (_directory, root) = scratch(modules, index);
            assert_eq!(usable(&root, "6.1").unwrap(), Usable::No, "{modules:?} {index:?}");
        }
        let (_directory, root) = scratch(&[], "");
        assert_eq!(usable(&root, "6.2").unwrap(), Usable::Absent);
    }

    #[test]
    fn the_sample_reaches_from_the_first_module_to_the_last_sixteenth() {
        let names: Vec<String> = (0..320).map(|number| format!("kernel/{number:03}.ko")).collect();
        let index = names.join(":\n") + ":\n";
        let modules: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        let (directory, root) = scratch(&modules, &index);
        assert_eq!(usable(&root, "6.1").unwrap(), Usable::Yes);
        fs::remove_file(directory.path().join("6.1/kernel/300.ko")).unwrap();
        assert_eq!(usable(&root, "6.1").unwrap(), Usable::No);
    }

    #[test]
    fn a_copy_holds_what_the_tree_held() {
        let (directory, _root) = scratch(&[("kernel/a.ko", "abc")], "kernel/a.ko:\n");
        let (from, to) = (directory.path().join("6.1"), directory.path().join("copy"));
        std::os::unix::fs::symlink("/usr/src/x", from.join("build")).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("kernel/a.ko")).unwrap(), "abc");
        assert_eq!(fs::read_link(to.join("build")).unwrap(), Path::new("/usr/src/x"));
        assert_eq!(measure(&to).unwrap(), measure(&from).unwrap());
        assert_eq!(measure(&to).unwrap().unwrap().files, 3);
        assert_eq!(measure(&directory.path().join("none")).unwrap(), None);
    }
}

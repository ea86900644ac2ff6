//! The cache of built things: guests, kernels, libraries, tools, each named by the hash of what went into it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::run;

/// Hexadecimal digits of the hash in an entry's name.
const HASH_DIGITS: usize = 16;

/// Entries of one kind that are kept, however long ago they were used.
const KEPT: usize = 8;

/// The time that all entries are kept after their last use: a run of all tests uses more of a kind, and takes less.
const KEPT_FOR: Duration = Duration::from_hours(3);

/// The cache's folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens `${XDG_CACHE_HOME:-~/.cache}/lifeboat` and makes it where it is missing.
    pub fn open() -> Result<Self> {
        let own = std::env::var_os("XDG_CACHE_HOME").filter(|value| Path::new(value).is_absolute());
        let root = match own {
            Some(folder) => PathBuf::from(folder),
            None => std::env::home_dir().context("find the home directory (set $HOME)")?.join(".cache"),
        };
        Self::at(root.join("lifeboat"))
    }

    /// Opens a cache at another place.
    pub fn at(root: PathBuf) -> Result<Self> {
        fs::create_dir_all(&root).with_context(|| format!("make {} (is it writable?)", root.display()))?;
        Ok(Self { root })
    }

    /// A folder of the cache that is no entry: what is in it may change, as package lists do.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(folder)
    }

    /// The entry of this kind made from these inputs: what is there, or what `make` puts into the empty
    /// folder it is given. Two processes never make the same entry twice, and what a killed one left
    /// behind does not count.
    pub fn entry(
        &self,
        kind: &str,
        inputs: &[&[u8]],
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let name = format!("{kind}-{}", hash(inputs));
        let entry = self.root.join(&name);
        if entry.is_dir() {
            return used(entry);
        }
        let _held = self.lock(&name)?;
        if entry.is_dir() {
            return used(entry);
        }
        self.remove_old(kind)?;
        let unfinished = self.root.join(format!(".unfinished-{name}"));
        remove_tree(&unfinished)?;
        fs::create_dir(&unfinished).with_context(|| format!("make {}", unfinished.display()))?;
        if let Err(err) = make(&unfinished) {
            remove_tree(&unfinished).with_context(|| format!("clean up after: {err:#}"))?;
            return Err(err);
        }
        fs::rename(&unfinished, &entry).with_context(|| format!("rename to {}", entry.display()))?;
        Ok(entry)
    }

    /// Removes what nobody has asked for lately; each change of a package makes new guests of a gibibyte each.
    fn remove_old(&self, kind: &str) -> Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.root).with_context(|| format!("list {}", self.root.display()))? {
            let entry = entry.with_context(|| format!("list {}", self.root.display()))?;
            let of_kind = |name: &str| name.rsplit_once('-').is_some_and(|(of, _)| of == kind);
            if entry.file_name().to_str().is_some_and(of_kind) {
                let used = entry.metadata().and_then(|data| data.modified());
                // Another process may have removed it.
                entries.extend(used.map(|used| (used, entry.path())));
            }
        }
        entries.sort();
        entries.truncate(entries.len().saturating_sub(KEPT));
        let Some(limit) = SystemTime::now().checked_sub(KEPT_FOR) else { return Ok(()) };
        entries.iter().filter(|(used, _)| *used < limit).try_for_each(|(_, path)| remove_tree(path))
    }

    /// Waits for the lock of this name and holds it until the result is dropped.
    pub fn lock(&self, name: &str) -> Result<File> {
        let path = self.folder(".locks")?.join(name);
        let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        file.lock().with_context(|| format!("lock {}", path.display()))?;
        Ok(file)
    }

    /// Removes everything and gives the folder that was emptied.
    pub fn clean(self) -> Result<PathBuf> {
        remove_tree(&self.root)?;
        Ok(self.root)
    }
}

/// Takes note that an entry was asked for.
fn used(entry: PathBuf) -> Result<PathBuf> {
    let note = || File::open(&entry)?.set_modified(SystemTime::now());
    note().with_context(|| format!("note the use of {}", entry.display()))?;
    Ok(entry)
}

/// Removes a tree, also one with files of root's in it, but nothing that is mounted there.
pub fn remove_tree(tree: &Path) -> Result<()> {
    match fs::symlink_metadata(tree) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.with_context(|| format!("look at {}", tree.display()))?,
    };
    let remove = |program: run::Program| program.args(["-rf", "--one-file-system", "--"]).arg(tree).run();
    if run::is_root() || remove(run::program("rm")).is_err() {
        remove(run::privileged("rm").advice("is something still mounted there?"))?;
    }
    Ok(())
}

/// The first digits of SHA-256 over the inputs, each preceded by its length: ("ab", "c") is not ("a", "bc").
fn hash(inputs: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for input in inputs {
        digest.update((input.len() as u64).to_le_bytes());
        digest.update(input);
    }
    let digits = digest.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.take(HASH_DIGITS).filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn scratch(name: &str) -> Cache {
        let root = std::env::temp_dir().join(format!("lifeboat-cache-{name}-{}", std::process::id()));
        Cache::at(root).unwrap()
    }

    #[test]
    fn the_hash_depends_on_each_input_and_on_where_it_ends() {
        assert_eq!(hash(&[b"a", b"bc"]), hash(&[b"a", b"bc"]));
        assert_eq!(hash(&[b"a", b"bc"]).len(), 16);
        assert_ne!(hash(&[b"a", b"bc"]), hash(&[b"ab", b"c"]));
        assert_ne!(hash(&[b"a"]), hash(&[b"a", b""]));
    }

    #[test]
    fn an_entry_is_made_once() {
        let cache = scratch("once");
        let count = AtomicU32::new(0);
        let make = |folder: &Path| {
            count.fetch_add(1, Ordering::SeqCst);
            fs::write(folder.join("file"), "content").context("write")
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| cache.entry("thing", &[b"x"], make).unwrap());
            }
        });
        let entry = cache.entry("thing", &[b"x"], make).unwrap();
        assert_eq!(fs::read_to_string(entry.join("file")).unwrap(), "content");
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(!cache.clean().unwrap().is_dir());
    }

    #[test]
    fn what_was_not_used_for_long_goes_but_for_the_last_of_its_kind() {
        let cache = scratch("old");
        let make = |kind: &str, input: &str| cache.entry(kind, &[input.as_bytes()], |_| Ok(())).unwrap();
        let age = |entry: &Path, hours| {
            let then = SystemTime::now() - Duration::from_hours(hours);
            File::open(entry).unwrap().set_modified(then).unwrap();
        };
        let old: Vec<_> = (0..KEPT + 2).map(|number| make("guest", &number.to_string())).collect();
        let other = make("guest-tree", "x");
        for (entry, hours) in old.iter().zip(10..) {
            age(entry, hours);
        }
        age(&other, 99);
        // The oldest of all is used.
        make("guest", &(KEPT + 1).to_string());
        make("guest", "new");
        let gone: Vec<_> = old.iter().map(|entry| !entry.is_dir()).collect();
        let expected: Vec<_> = (0..KEPT + 2).map(|number| number == KEPT || number == KEPT - 1).collect();
        assert_eq!(gone, expected);
        assert!(other.is_dir());
        cache.clean().unwrap();
    }

    #[test]
    fn what_failed_or_was_killed_does_not_count() {
        let cache = scratch("killed");
        let name = format!("thing-{}", hash(&[b"x"]));
        fs::create_dir(cache.root.join(format!(".unfinished-{name}"))).unwrap();
        fs::write(cache.root.join(format!(".unfinished-{name}/half")), "").unwrap();
        assert!(cache.entry("thing", &[b"x"], |_| anyhow::bail!("no")).is_err());
        assert!(!cache.root.join(&name).is_dir());
        let entry = cache.entry("thing", &[b"x"], |_| Ok(())).unwrap();
        assert_eq!(fs::read_dir(entry).unwrap().count(), 0);
        cache.clean().unwrap();
    }
}

//! The choice of modules to add, and the room for them.

use super::setting::IncludeSetting;
use super::size::{IncludeSize, Room, SharedSpace};
use crate::kmsg::escape;
use std::fmt;

/// The room left for what else grows: later hooks, microcode, the file systems' own tables.
const RESERVE: u64 = 8 << 20;

/// The facts that are found before anything is changed.
pub(crate) struct IncludeFacts {
    /// The owner's setting.
    pub(crate) setting: IncludeSetting,
    /// The kernel's.
    pub(crate) modules: Vec<ListedModule>,
    /// The files of the initramfs so far.
    pub(crate) held: IncludeSize,
    /// The free space.
    pub(crate) room: Room,
}

/// A line of modules.dep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ListedModule {
    /// Below the kernel's directory.
    pub(crate) path: String,
    /// All that it needs, directly or not; paths too.
    pub(crate) needs: Vec<String>,
    /// `None`: the file is not there.
    pub(crate) bytes: Option<u64>,
    /// True if the initramfs has it.
    pub(crate) held: bool,
}

/// The plan and its messages.
pub(crate) struct IncludePlan<'a> {
    /// A line each.
    pub(crate) complaints: Vec<String>,
    /// To be copied.
    pub(crate) added: Added<'a>,
    /// The reason why they are not, if they are not.
    pub(crate) shortage: Option<String>,
}

/// Modules that the initramfs does not have.
pub(crate) struct Added<'a> {
    modules: Vec<&'a ListedModule>,
    size: IncludeSize,
}

impl Added<'_> {
    /// Below the kernel's directory.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.modules.iter().map(|module| module.path.as_str()).collect()
    }
}

impl fmt::Display for Added<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.modules.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "adds {count} module{plural}, {} MiB", mebibytes(self.size.bytes))
    }
}

/// Chooses; a module comes with all that it needs, or not at all.
pub(crate) fn plan(facts: &IncludeFacts) -> IncludePlan<'_> {
    let mut complaints = Vec::new();
    let mut wanted: Vec<&ListedModule> = Vec::new();
    match &facts.setting {
        IncludeSetting::Most => {}
        IncludeSetting::All => wanted.extend(&facts.modules),
        IncludeSetting::List(words) => {
            for word in words {
                let before = wanted.len();
                wanted.extend(facts.modules.iter().filter(|module| module.is_named(word)));
                if wanted.len() == before {
                    complaints.push(format!(
                        "`{}` is skipped: this kernel has no such module or directory of modules (built in?)",
                        escape(word.as_bytes())
                    ));
                }
            }
        }
    }
    let mut chosen = vec![false; facts.modules.len()];
    let mut broken = Vec::new();
    for module in wanted {
        let Some(found) = facts.with_needs(module) else {
            broken.push(module.path.as_str());
            continue;
        };
        for at in found {
            chosen.get_mut(at).into_iter().for_each(|chosen| *chosen = true);
        }
    }
    if let Some(first) = broken.first() {
        complaints.push(format!(
            "{} and {} more are skipped: they, or what they need, are not there (run depmod)",
            escape(first.as_bytes()),
            broken.len() - 1
        ));
    }
    let chosen = facts.modules.iter().zip(chosen).filter(|(module, chosen)| *chosen && !module.held);
    let modules: Vec<&ListedModule> = chosen.map(|(module, _)| module).collect();
    let mut size = IncludeSize::default();
    for module in &modules {
        size.add(&module.path, module.bytes.unwrap_or_default());
    }
    IncludePlan { complaints, shortage: facts.shortage(size), added: Added { modules, size } }
}

impl IncludeFacts {
    /// Where a module and what it needs stand in the list; `None` when some of it is not there.
    fn with_needs(&self, module: &ListedModule) -> Option<Vec<usize>> {
        let there = |path: &String| {
            self.modules.iter().position(|module| module.path == *path && module.bytes.is_some())
        };
        let mut found = vec![there(&module.path)?];
        for path in &module.needs {
            found.push(there(path)?);
        }
        Some(found)
    }

    /// Adding nothing always fits: the initramfs would be built without lifeboat too.
    fn shortage(&self, added: IncludeSize) -> Option<String> {
        if added.bytes == 0 {
            return None;
        }
        // The old initramfs stays until the new one is whole.
        let boot = self.held.packed + added.packed + RESERVE;
        // The copies, and beside them all files once more as one archive.
        let build = self.held.unpacked + 2 * added.unpacked + RESERVE;
        let build = match self.room.shared {
            SharedSpace::Yes => build + boot,
            SharedSpace::No => build,
        };
        let places = [
            ("/boot", boot, self.room.boot.unwrap_or(u64::MAX)),
            ("the directory in which it is built (TMPDIR, /var/tmp)", build, self.room.build),
        ];
        places.into_iter().find(|(_, needed, free)| needed > free).map(|(place, needed, free)| {
            format!(
                "{place} has {} MiB free of about {} MiB that are needed (make room, or include less)",
                free >> 20,
                mebibytes(needed)
            )
        })
    }
}

impl ListedModule {
    /// True if a word of `list:` means it: a directory below kernel/, or its name, in which `-` equals `_`.
    fn is_named(&self, word: &str) -> bool {
        if word.ends_with('/') {
            return self.path.strip_prefix("kernel/").is_some_and(|path| path.starts_with(word));
        }
        let file = self.path.rsplit('/').next().unwrap_or_default();
        let name = file.split('.').next().unwrap_or_default();
        let alike = |byte: u8| if byte == b'-' { b'_' } else { byte };
        name.bytes().map(alike).eq(word.bytes().map(alike))
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! Where the export is now, and what stands on the disk below it.

use super::disk::{self, Disk};
use super::local::Local;
use crate::rescue::mounts::{self, Access, Mount, is_within};
use crate::root::Root;
use anyhow::{Context, Result};
use lifeboat_common::hand_off::{Layout, MOVED_SUFFIX, Modules};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where modules are, for those who look for them.
const MODULES: &str = "/lib/modules";
/// Where the export waits while dpkg writes where it was.
pub(crate) const ASIDE: &str = "/run/lifeboat/aside";

/// Where the disk's own tree is shown once there is no cover to show it in. A directory for it on the disk would be in
/// the way of the next boot's.
pub(crate) const SHOWN: &str = "/run/lifeboat/moved";

/// The facts before anything is changed.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct ModulesFacts {
    /// The running kernel's.
    pub(crate) release: String,
    /// The directory with a tree for each release; no link leads through it.
    pub(crate) place: String,
    /// Where the export is.
    pub(crate) tree: Tree,
    /// The mount that hides the disk's `place`: at `place`, or where there was none, above it.
    pub(crate) cover: Option<String>,
    /// Where the disk's own tree for the release, hidden by the export, is shown; `None` when it holds nothing.
    pub(crate) moved: Option<String>,
    /// Mounts below the cover that are somebody else's.
    pub(crate) strangers: Vec<String>,
    /// Names in the cover that no mount put there.
    pub(crate) written: BTreeMap<String, ModulesEntry>,
    /// Names on the disk.
    pub(crate) on_disk: BTreeMap<String, ModulesEntry>,
    /// The disk's access: writable or read-only.
    pub(crate) access: Access,
    /// True if the disk's tree for the release is complete; looked at only while the export is aside.
    pub(crate) complete: bool,
    /// Names that are not the initramfs's; looked at only while the export is on its own directory.
    pub(crate) local: Local,
}

/// Where the export is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tree {
    /// In a file system that hides the disk's trees.
    Covered,
    /// On its own directory of the disk.
    Settled,
    /// Where it is in nobody's way.
    Aside,
    /// The disk's own tree is used.
    Gone,
}

/// The kind of entry that a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ModulesEntry {
    /// A directory or a file.
    Content,
    /// A link, and what it says.
    Link(PathBuf),
}

impl ModulesFacts {
    /// Looks.
    pub(crate) fn gather(export: &Modules, root: &Root) -> Result<Self> {
        let release = match export.release.as_str() {
            "" => rustix::system::uname().release().to_string_lossy().into_owned(),
            release => release.to_owned(),
        };
        let place = place()?;
        let mounts = mounts::read(root)?;
        let seen = Seen::from(&mounts, &place, &release, export);
        let disk = Disk::open(seen.cover.as_deref(), &place)?;
        let mut written = BTreeMap::new();
        if seen.tree == Tree::Covered {
            written = names(Path::new(&place))?;
            let own = |name: &String| *name == release;
            written.retain(|name, _| !own(name) && mounts::at(&format!("{place}/{name}"), &mounts).is_none());
        }
        Ok(Self {
            tree: seen.tree,
            cover: seen.cover,
            moved: seen.moved.filter(|path| holds_something(path)),
            strangers: seen.strangers,
            written,
            on_disk: disk.modules().map(|path| names(&path)).transpose()?.unwrap_or_default(),
            access: disk.access()?,
            complete: seen.tree == Tree::Aside && disk::complete(&Path::new(&place).join(&release))?,
            local: match seen.tree {
                Tree::Settled => Local::find(&place, &release, &disk, &mounts)?,
                Tree::Covered | Tree::Aside | Tree::Gone => Local::default(),
            },
            release,
            place,
        })
    }
}

/// The facts in the mount table.
struct Seen {
    tree: Tree,
    cover: Option<String>,
    moved: Option<String>,
    strangers: Vec<String>,
}

impl Seen {
    fn from(mounts: &[Mount], place: &str, release: &str, export: &Modules) -> Self {
        let tmpfs = mounts::at(place, mounts).filter(|mount| mount.kind == "tmpfs");
        let covered = tmpfs.is_some() && export.layout != Layout::Mount;
        let above = parent(place);
        let overlay = mounts::at(above, mounts).filter(|mount| mount.kind == "overlay");
        let cover = match (covered, overlay) {
            (true, Some(_)) if export.layout == Layout::Overlay => Some(above.to_owned()),
            (true, _) => Some(place.to_owned()),
            (false, _) => None,
        };
        let tree = format!("{place}/{release}");
        let name = export.moved.clone().unwrap_or_else(|| format!("{release}.{MOVED_SUFFIX}"));
        let moved = if cover.is_some() { format!("{place}/{name}") } else { SHOWN.to_owned() };
        let moved = Some(moved).filter(|path| mounts::at(path, mounts).is_some());
        let disk = mounts::holding(parent(cover.as_deref().unwrap_or(place)), mounts);
        let strangers = mounts
            .iter()
            .filter(|mount| mount.point != place && is_within(&mount.point, place))
            .filter(|mount| !is_within(&mount.point, &tree))
            // The disk's other trees are shown by mounts of the disk itself.
            .filter(|mount| {
                parent(&mount.point) != place || disk.is_none_or(|disk| disk.number != mount.number)
            })
            .map(|mount| mount.point.clone())
            .collect();
        let tree = if cover.is_some() {
            Tree::Covered
        } else if mounts::at(&tree, mounts).is_some() {
            // Also where a killed call left it in both places.
            Tree::Settled
        } else if mounts::at(ASIDE, mounts).is_some() {
            Tree::Aside
        } else {
            Tree::Gone
        };
        Self { tree, cover, moved, strangers }
    }
}

/// The path above; that of `/` is `/`.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((above, _)) => above,
    }
}

/// The directory as the mount table has it. dpkg may have removed the last name of it.
fn place() -> Result<String> {
    let place = fs::canonicalize(MODULES)
        .or_else(|_| fs::canonicalize(parent(MODULES)).map(|above| above.join("modules")))
        .with_context(|| format!("find {MODULES}"))?;
    place.to_str().map(str::to_owned).with_context(|| format!("{} is no UTF-8", place.display()))
}

pub(crate) fn holds_something(directory: impl AsRef<Path>) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}

/// Lists the names in a directory.
pub(crate) fn names(directory: &Path) -> Result<BTreeMap<String, ModulesEntry>> {
    let list = || -> std::io::Result<BTreeMap<String, ModulesEntry>> {
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let kind = if kind.is_symlink() {
                ModulesEntry::Link(fs::read_link(entry.path())?)
            } else if kind.is_dir() || kind.is_file() {
                ModulesEntry::Content
            } else {
                continue;
            };
            names.insert(entry.file_name().to_string_lossy().into_owned(), kind);
        }
        Ok(names)
    };
    list().with_context(|| format!("list {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lifeboat_common::hand_off::HandOff;

    const PLACE: &str = "/usr/lib/modules";

    fn seen(state: &str, mounts: &str) -> Seen {
        let table = format!("25 1 254:0 / / rw - ext4 /dev/vda rw\n{mounts}");
        Seen::from(&mounts::parse(&table), PLACE, "6.1", &Modules::parse(state))
    }

    const COVER: &str = "40 25 0:44 / /usr/lib/modules rw - tmpfs lifeboat rw\n";

    #[test]
    fn a_cover_is_known_whatever_the_state_says_of_it() {
        for state in ["", "LAYOUT=cover\n"] {
            let seen = seen(state, COVER);
            assert_eq!((seen.tree, seen.cover.as_deref()), (Tree::Covered, Some(PLACE)));
        }
    }

    #[test]
    fn a_tmpfs_that_is_not_ours_is_no_cover() {
        let seen = seen("LAYOUT=mount\n", COVER);
        assert_eq!((seen.tree, seen.cover), (Tree::Gone, None));
    }

    #[test]
    fn an_overlay_above_goes_with_the_cover_only_where_it_is_ours() {
        let table = format!("39 25 0:43 / /usr/lib ro - overlay lifeboat ro\n{COVER}");
        assert_eq!(seen("LAYOUT=overlay\n", &table).cover.as_deref(), Some("/usr/lib"));
        assert_eq!(seen("LAYOUT=cover\n", &table).cover.as_deref(), Some(PLACE));
    }

    #[test]
    fn an_export_is_settled_or_aside() {
        let settled = "41 25 0:1 /m /usr/lib/modules/6.1 rw - rootfs rootfs rw\n";
        let aside = "42 25 0:1 /m /run/lifeboat/aside rw - rootfs rootfs rw\n";
        assert_eq!(seen("", settled).tree, Tree::Settled);
        assert_eq!(seen("", aside).tree, Tree::Aside);
        assert_eq!(seen("", &format!("{settled}{aside}")).tree, Tree::Settled);
    }

    #[test]
    fn the_disks_own_trees_are_no_strangers_and_others_are() {
        let own = format!(
            "{COVER}41 40 254:0 /usr/lib/modules/5.0 /usr/lib/modules/5.0 rw - ext4 /dev/vda rw\n\
             42 40 0:1 /m /usr/lib/modules/6.1 rw - rootfs rootfs rw\n\
             43 40 254:0 /usr/lib/modules/6.1 /usr/lib/modules/6.1.lifeboat-moved rw - ext4 /dev/vda rw\n"
        );
        let before = seen("", &own);
        assert!(before.strangers.is_empty(), "{:?}", before.strangers);
        assert_eq!(before.moved.as_deref(), Some("/usr/lib/modules/6.1.lifeboat-moved"));
        let more = format!("{own}44 41 254:0 /x /usr/lib/modules/5.0/extra rw - ext4 /dev/vda rw\n");
        assert_eq!(seen("", &more).strangers, ["/usr/lib/modules/5.0/extra"]);
        let more = format!("{own}44 41 254:9 / /usr/lib/modules/7.0 rw - ext4 /dev/vdb rw\n");
        assert_eq!(seen("", &more).strangers, ["/usr/lib/modules/7.0"]);
    }

    #[test]
    fn paths_end_at_the_root() {
        assert_eq!((parent("/usr/lib"), parent("/lib"), parent("/")), ("/usr", "/", "/"));
    }
}

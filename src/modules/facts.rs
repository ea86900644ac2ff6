//! The facts that are found before anything is changed.

use super::MODULES;
use super::directory::Making;
use super::settings::{Means, ModulesSettings, When};
use super::tree::{self, TreeSize};
use super::usable::{self, Usable};
use crate::initramfs_tools::switcher::Switcher;
use crate::mounts;
use crate::root::{DirectoryEntry, Root};
use crate::state;
use crate::volume::{self, Nature};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Settles what is mounted, early in the booted system.
const AGENT: &str = "usr/bin/lifeboat-agent";

const FILE_SYSTEMS: &str = "/proc/filesystems";

/// The facts that the plan is made from.
pub(super) struct ExportFacts {
    pub(super) settings: ModulesSettings,
    pub(super) release: String,
    /// True if the initramfs has a tree for the release.
    pub(super) ours: bool,
    /// The tree's size, when it is to be copied.
    pub(super) size: Option<TreeSize>,
    pub(super) theirs: Theirs,
    /// The root's tree for the release.
    pub(super) usable: Usable,
    pub(super) switcher: Switcher,
    pub(super) labels: Labels,
    pub(super) memory: MachineMemory,
}

/// The place in the root where modules are to be seen.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Theirs {
    /// lib/modules, with this in it.
    Directory(Vec<DirectoryEntry>),
    /// lib alone: an overlay can be laid on it, or the directory can be made.
    LibAlone(Writes, Making),
    /// There is not even that, or something in its place that is no directory.
    Nothing,
}

/// The fate of writes to lib while an overlay is on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Writes {
    /// There are none: the root cannot be written to, or the agent takes the overlay away before.
    None,
    /// They would fail, and with them every package that is installed.
    Refused,
}

/// The need of files for labels once the root is booted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Labels {
    /// The root carries a policy of `SELinux` that the kernel will have.
    Needed,
    NotNeeded,
}

/// From /proc/meminfo, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct MachineMemory {
    /// The memory that can be had without swapping.
    pub(super) available: u64,
    pub(super) total: u64,
}

impl ExportFacts {
    pub(super) fn gather(root: &Root, mount_point: &Path, settings: ModulesSettings) -> Result<Self> {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let ours = own_tree(&release).join("modules.dep");
        let labels = Labels::find(root, file_systems)?;
        let mut facts = Self {
            ours: ours.try_exists().with_context(|| format!("look at {}", ours.display()))?,
            size: None,
            theirs: Theirs::find(root, mount_point, labels)?,
            usable: match settings.when {
                When::Off => Usable::Absent,
                When::Auto | When::Force => usable::check(root, &Root::open("/")?, &release),
            },
            switcher: Switcher::find(),
            labels,
            memory: MachineMemory::read()?,
            settings,
            release,
        };
        if facts.means() == Means::Copy {
            facts.copy_instead()?;
        }
        Ok(facts)
    }

    /// Binding costs nothing, but needs a switcher that spares the files, and labels that the initramfs's files
    /// cannot have.
    pub(super) fn means(&self) -> Means {
        match (self.labels, self.settings.means, self.switcher) {
            (Labels::NotNeeded, Means::Bind, _) | (Labels::NotNeeded, Means::Cheapest, Switcher::Spares) => {
                Means::Bind
            }
            _ => Means::Copy,
        }
    }

    /// The directory could not be made.
    pub(super) fn do_without_directory(&mut self, reason: String) {
        if let Theirs::LibAlone(_, making) = &mut self.theirs {
            *making = Making::Never(reason);
        }
    }

    /// Measures what is to be copied.
    pub(super) fn copy_instead(&mut self) -> Result<()> {
        self.settings.means = Means::Copy;
        self.size = tree::measure(&own_tree(&self.release))?;
        Ok(())
    }
}

/// The initramfs's own tree for a release.
pub(super) fn own_tree(release: &str) -> PathBuf {
    Path::new("/").join(MODULES).join(release)
}

impl Theirs {
    fn find(root: &Root, mount_point: &Path, labels: Labels) -> Result<Self> {
        Ok(match root.enter(MODULES)? {
            Some(directory) => Self::Directory(directory.entries()?),
            None if root.enter("lib")?.is_some() && !root.has_entry(MODULES)? => {
                let making = Making::find(root, mount_point, labels)?;
                Self::LibAlone(Writes::find(root, mount_point)?, making)
            }
            None => Self::Nothing,
        })
    }
}

impl Writes {
    fn find(root: &Root, mount_point: &Path) -> Result<Self> {
        let mount = mounts::at(mount_point)?;
        let read_only = mount.is_some_and(|mount| {
            let medium = volume::FILE_SYSTEMS.iter().any(|known| {
                known.nature == Nature::ReadOnly && known.name.to_bytes() == mount.kind.as_bytes()
            });
            medium || mount.kind == "erofs" || volume::is_read_only(&mount.source)
        });
        Ok(if read_only || root.holds(AGENT)? { Self::None } else { Self::Refused })
    }
}

impl Labels {
    /// `file_systems` gives what the kernel says of itself: selinuxfs is there only where `SELinux` is switched on, and
    /// a policy is loaded through it.
    // See selinux_config(5): a policy is in the directory that SELINUXTYPE names.
    fn find(root: &Root, file_systems: impl FnOnce() -> Result<String>) -> Result<Self> {
        let config = root.read("etc/selinux/config")?.unwrap_or_default();
        let config = String::from_utf8_lossy(&config);
        let mode = state::lookup(&config, "SELINUX").unwrap_or_default();
        let kind = state::lookup(&config, "SELINUXTYPE").unwrap_or_else(|| "targeted".into());
        let on = ["enforcing", "permissive"].iter().any(|known| mode.eq_ignore_ascii_case(known));
        let needed = on
            && root.enter(Path::new("etc/selinux").join(kind).join("policy"))?.is_some()
            && file_systems()?.split_whitespace().any(|name| name == "selinuxfs");
        Ok(if needed { Self::Needed } else { Self::NotNeeded })
    }
}

fn file_systems() -> Result<String> {
    std::fs::read_to_string(FILE_SYSTEMS).with_context(|| format!("read {FILE_SYSTEMS}"))
}

impl MachineMemory {
    fn read() -> Result<Self> {
        let text = std::fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
        Self::parse(&text).context("read /proc/meminfo: MemAvailable or MemTotal is missing")
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
        };
        Some(Self { available: field("MemAvailable")?, total: field("MemTotal")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let memory =
            MachineMemory::parse("MemTotal:  1024 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\n").unwrap();
        assert_eq!((memory.total, memory.available), (1 << 20, 512 << 10));
        assert!(MachineMemory::parse("MemTotal: 1024 kB\n").is_none());
    }

    #[test]
    fn labels_are_needed_where_a_policy_is_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let etc = directory.path().join("etc/selinux");
        std::fs::create_dir_all(etc.join("default/policy")).unwrap();
        let root = Root::open(directory.path()).unwrap();
        let on = "nodev\tselinuxfs\n\text4\n";
        let labels = |config: &str, file_systems: &str| {
            std::fs::write(etc.join("config"), config).unwrap();
            Labels::find(&root, || Ok(file_systems.to_owned())).unwrap()
        };
        let enforcing = "# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=default\n";
        assert_eq!(labels(enforcing, on), Labels::Needed);
        assert_eq!(labels(enforcing, "\text4\n"), Labels::NotNeeded);
        assert_eq!(labels("SELINUX=disabled\nSELINUXTYPE=default\n", on), Labels::NotNeeded);
        assert_eq!(labels("SELINUX=permissive\nSELINUXTYPE=none\n", on), Labels::NotNeeded);
    }
}

//! The tiny guest: a static busybox, a login prompt and the harness's shell. Its disk is made in a moment, so
//! each test makes the ones it needs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::medium::{self, FileSystem, Recipe, Table};
use super::{FILES, Guests};
use crate::run;

/// The folders of the tiny guest; initramfs-tools moves its own mounts to some of them.
const FOLDERS: [&str; 8] = ["proc", "sys", "dev", "run", "tmp", "etc", "bin", "usr/local/sbin"];

/// The commands of busybox that the guest and the tests call.
const APPLETS: &str = "sh cat ls find grep wc stat stty mount umount touch mkdir rm reboot sync sleep echo test true \
                       readlink awk tail df head sort ps modprobe lsmod insmod uname";

/// The disk of a tiny guest.
#[derive(Debug, Clone)]
pub struct Tiny {
    label: Vec<u8>,
    host_name: String,
    files: Vec<(String, String)>,
    programs: Vec<PathBuf>,
    trees: Vec<(PathBuf, String)>,
    pipes: Vec<String>,
    folders: Vec<String>,
    without: Vec<String>,
    modules: Modules,
    uuid: Option<String>,
    damage: Damage,
    file_system: FileSystem,
    table: Table,
}

/// The fault of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    None,
    /// The superblock is overwritten: no file system is recognized.
    Superblock,
    /// The journal, which is to be replayed, is overwritten: it can be looked at, but not mounted to be written.
    Journal,
    /// The superblock is whole, and what it leads to is not: it is recognized, but cannot be mounted.
    Groups,
    /// The journal is sound, and was not replayed yet.
    Unreplayed,
    /// A small fault, which fsck repairs without asking.
    Repairable,
    /// A file cannot be read: the rest can be mounted, but fsck wants to be asked.
    Unrepairable,
    /// Nothing, but its device is a member of an array (RAID 1), to which the file system belongs.
    Member,
}

/// The content of the tiny guest's /lib/modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modules {
    /// An empty folder.
    None,
    /// An empty folder, reached through a link /lib -> /usr/lib that is absolute.
    AbsoluteLink,
    /// The tree of another kernel, with one file.
    Foreign,
    /// The external kernel's whole tree.
    Usable,
    /// Not even the folder.
    Missing,
}

impl Tiny {
    /// A disk with this label, whose guest has this host name in its login prompt.
    pub fn new(label: impl AsRef<[u8]>, host_name: &str) -> Self {
        Self {
            label: label.as_ref().to_owned(),
            host_name: host_name.to_owned(),
            files: Vec::new(),
            programs: Vec::new(),
            trees: Vec::new(),
            pipes: Vec::new(),
            folders: Vec::new(),
            without: Vec::new(),
            modules: Modules::None,
            uuid: None,
            damage: Damage::None,
            file_system: FileSystem::Ext4,
            table: Table::None,
        }
    }

    /// Leaves a file or an empty folder out.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.without.push(path.to_owned());
        self
    }

    /// Gives the file system this UUID.
    #[must_use]
    pub fn uuid(mut self, uuid: &str) -> Self {
        self.uuid = Some(uuid.to_owned());
        self
    }

    /// Breaks the file system.
    #[must_use]
    pub fn damage(mut self, damage: Damage) -> Self {
        self.damage = damage;
        self
    }

    /// Puts the guest on another file system than ext4.
    #[must_use]
    pub fn on(mut self, file_system: FileSystem) -> Self {
        self.file_system = file_system;
        self
    }

    /// Puts the file system into the second partition of such a table.
    #[must_use]
    pub fn partitioned(mut self, table: Table) -> Self {
        self.table = table;
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// Adds an empty folder.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.folders.push(path.to_owned());
        self
    }

    /// Adds a named pipe.
    #[must_use]
    pub fn pipe(mut self, path: &str) -> Self {
        self.pipes.push(path.to_owned());
        self
    }

    /// Adds a program of the host to /bin, with the libraries that it is linked with.
    #[must_use]
    pub fn program(mut self, program: &Path) -> Self {
        self.programs.push(program.to_owned());
        self
    }

    /// Adds what is in a folder of the host to one of the guest's.
    #[must_use]
    pub fn tree(mut self, from: &Path, to: &str) -> Self {
        self.trees.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Sets what is at /lib/modules.
    #[must_use]
    pub fn modules(mut self, modules: Modules) -> Self {
        self.modules = modules;
        self
    }

    /// Makes the image.
    pub(crate) fn image(&self, guests: &Guests, scratch: &Path) -> Result<PathBuf> {
        let tree = scratch.join("tree");
        self.fill(guests, &tree).with_context(|| format!("fill {}", tree.display()))?;
        let image = scratch.join("image");
        let recipe = Recipe {
            file_system: self.file_system,
            label: OsStr::from_bytes(&self.label),
            uuid: self.uuid.as_deref(),
            megabytes: if self.modules == Modules::Usable || !self.trees.is_empty() { 256 } else { 32 },
        };
        recipe.make(&tree, &image)?;
        self.break_it(&image).with_context(|| format!("damage {}", image.display()))?;
        medium::partition(self.table, image)
    }

    fn break_it(&self, image: &Path) -> Result<()> {
        let debugfs = |request: &str| run::program("debugfs").args(["-w", "-R", request]).arg(image).run();
        let debugfs_all = |requests: &str| {
            run::program("debugfs").args(["-w", "-f", "-"]).arg(image).input(requests).run().map(drop)
        };
        let block = match self.damage {
            Damage::None => return Ok(()),
            Damage::Unreplayed => {
                let content = image.with_file_name("tree/etc/hostname");
                return debugfs_all(&format!("jo\njw -b 20000 {}\njc\n", content.display()));
            }
            // As after an error that the kernel has met: fsck looks at everything.
            Damage::Repairable => return debugfs_all("ssv state 2\nclri /etc/damaged\n"),
            Damage::Unrepairable => return debugfs_all("ssv state 2\nsif /etc/damaged block[0] 0xffff\n"),
            Damage::Member => return Self::make_member(image),
            Damage::Superblock => 1,
            Damage::Groups => 2,
            Damage::Journal => {
                debugfs("feature needs_recovery")?;
                let blocks = debugfs("blocks <8>")?;
                blocks.split_whitespace().next().context("find the journal")?.parse::<u64>()?
            }
        };
        let file = fs::OpenOptions::new().write(true).open(image)?;
        Ok(file.write_all_at(&[0xa5; 1024], block * 1024)?)
    }

    /// Its superblock (md(4), metadata 1.0) is at the end: the file system begins where the device does.
    fn make_member(image: &Path) -> Result<()> {
        let file = fs::OpenOptions::new().write(true).open(image)?;
        let at = file.metadata()?.len() - 8192;
        let mut superblock = [0; 256];
        superblock[..8].copy_from_slice(b"\xfc\x4e\x2b\xa9\x01\0\0\0");
        superblock[32..44].copy_from_slice(b"machine:root");
        superblock[144..152].copy_from_slice(&(at / 512).to_le_bytes());
        // The sum of its words, the carry added.
        let words = superblock.as_chunks().0.iter().map(|word| u64::from(u32::from_le_bytes(*word)));
        let sum: u64 = words.sum();
        let sum = u32::try_from((sum & 0xffff_ffff) + (sum >> 32))?;
        superblock[216..220].copy_from_slice(&sum.to_le_bytes());
        Ok(file.write_all_at(&superblock, at)?)
    }

    fn fill(&self, guests: &Guests, tree: &Path) -> Result<()> {
        for folder in FOLDERS {
            fs::create_dir_all(tree.join(folder))?;
        }
        fs::copy(guests.busybox(), tree.join("bin/busybox"))?;
        for applet in APPLETS.split_whitespace() {
            symlink("busybox", tree.join("bin").join(applet))?;
        }
        symlink("bin", tree.join("sbin"))?;
        for (from, to) in [
            ("tiny/sbin/init", "bin/init"),
            ("debian/usr/local/sbin/test-shell", "usr/local/sbin/test-shell"),
        ] {
            fs::copy(Path::new(FILES).join(from), tree.join(to))?;
            fs::set_permissions(tree.join(to), fs::Permissions::from_mode(0o755))?;
        }
        fs::write(tree.join("etc/damaged"), "what a damage is done to\n")?;
        fs::write(tree.join("etc/hostname"), format!("{}\n", self.host_name))?;
        self.fill_modules(guests, tree)?;
        for (path, content) in &self.files {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().context("find the folder of a file")?)?;
            fs::write(&path, content)?;
        }
        for program in &self.programs {
            let name = program.file_name().context("name a program")?;
            fs::copy(program, tree.join("bin").join(name))?;
            for library in libraries(program) {
                let path = tree.join(library.strip_prefix("/")?);
                fs::create_dir_all(path.parent().context("find the folder of a library")?)?;
                fs::copy(&library, &path)?;
            }
        }
        for (from, to) in &self.trees {
            run::program("cp").args(["-R", "-T"]).arg(from).arg(tree.join(to)).run()?;
        }
        for path in &self.pipes {
            run::program("mkfifo").arg(tree.join(path)).run()?;
        }
        for path in &self.folders {
            fs::create_dir_all(tree.join(path))?;
        }
        for path in &self.without {
            let path = tree.join(path);
            if path.is_dir() { fs::remove_dir(path)? } else { fs::remove_file(path)? }
        }
        Ok(())
    }

    fn fill_modules(&self, guests: &Guests, tree: &Path) -> Result<()> {
        if self.modules == Modules::AbsoluteLink {
            fs::create_dir_all(tree.join("usr/lib/modules"))?;
            return Ok(symlink("/usr/lib", tree.join("lib"))?);
        }
        if self.modules == Modules::Missing {
            return Ok(fs::create_dir_all(tree.join("lib"))?);
        }
        let modules = tree.join("lib/modules");
        fs::create_dir_all(&modules)?;
        match self.modules {
            Modules::None | Modules::AbsoluteLink | Modules::Missing => {}
            Modules::Foreign => {
                fs::create_dir(modules.join("5.0.0-foreign"))?;
                fs::write(modules.join("5.0.0-foreign/modules.dep"), "")?;
            }
            Modules::Usable => {
                let release = guests.external_release()?;
                run::program("cp")
                    .arg("-R")
                    .arg(guests.external_modules())
                    .arg(modules.join(release))
                    .run()?;
            }
        }
        Ok(())
    }
}

/// The files that a program is linked with, the loader among them; none for a static one.
fn libraries(program: &Path) -> Vec<PathBuf> {
    // Which says of a static one that it is an error.
    let listing = run::program("ldd").arg(program).run().unwrap_or_default();
    let paths = listing.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

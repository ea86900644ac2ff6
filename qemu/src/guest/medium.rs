//! The medium of a tiny guest's tree: a file system, on a whole disk or in a partition. None of it is mounted
//! here, so that it needs no privilege and no driver of this machine's kernel.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::program;

/// The file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// ext2, without a journal.
    Ext2,
    /// ext3
    Ext3,
    /// ext4
    Ext4,
    /// xfs
    Xfs,
    /// btrfs
    Btrfs,
    /// vfat, which holds neither links nor permissions.
    Vfat,
    /// squashfs, which holds no label.
    Squashfs,
    /// A CD's, with Rock Ridge.
    Iso9660,
}

/// The partition table; the file system is in the second partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The file system is the whole disk.
    None,
    /// The PC's old one.
    Mbr,
    /// EFI's.
    Gpt,
}

/// The id and the name of the second partition.
pub const PARTITION_UUID: &str = "5e3f0c9a-55b2-4d44-8f8b-2f3d1c1b7a02";
/// See [`PARTITION_UUID`].
pub const PARTITION_LABEL: &str = "fixer";
/// The id of the second partition in an MBR.
pub const MBR_PARTITION_UUID: &str = "1fb0a7f1-02";

/// Where the second partition begins, in MiB; a GPT ends with a copy of itself, for which one more is left.
const BEGIN: u64 = 2;

/// The properties of a new file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'a> {
    pub(crate) file_system: FileSystem,
    pub(crate) label: &'a OsStr,
    pub(crate) uuid: Option<&'a str>,
    pub(crate) megabytes: u64,
}

impl Recipe<'_> {
    /// Makes the file system's image from a tree.
    pub(crate) fn make(&self, tree: &Path, image: &Path) -> Result<()> {
        match self.file_system {
            FileSystem::Ext2 | FileSystem::Ext3 | FileSystem::Ext4 => self.ext(tree, image),
            FileSystem::Xfs => self.xfs(tree, image),
            FileSystem::Btrfs => self.btrfs(tree, image),
            FileSystem::Vfat => self.vfat(tree, image),
            FileSystem::Squashfs => {
                program("mksquashfs").args([tree, image]).args(["-quiet", "-no-progress", "-all-root"]).run()
            }
            .map(drop),
            FileSystem::Iso9660 => program("xorriso")
                .args(["-as", "mkisofs", "-quiet", "-R", "-V"])
                .arg(self.label)
                .arg("-o")
                .args([image, tree])
                .run()
                .map(drop),
        }
    }

    fn ext(&self, tree: &Path, image: &Path) -> Result<()> {
        let (kind, journal) = match self.file_system {
            FileSystem::Ext2 => ("ext2", &[][..]),
            FileSystem::Ext3 => ("ext3", &["-J", "size=4"][..]),
            // Small as it is, it would get no journal otherwise.
            _ => ("ext4", &["-J", "size=4"][..]),
        };
        let mut make = program("mke2fs")
            .args(["-q", "-F", "-t", kind, "-b", "1024", "-m", "0", "-E", "root_owner=0:0"])
            .args(journal)
            .arg("-L")
            .arg(self.label);
        if let Some(uuid) = self.uuid {
            make = make.args(["-U", uuid]);
        }
        make.arg("-d").args([tree, image]).arg(format!("{}M", self.megabytes)).run().map(drop)
    }

    fn xfs(&self, tree: &Path, image: &Path) -> Result<()> {
        // mkfs.xfs refuses less than 300.
        empty(image, self.megabytes.max(320))?;
        let prototype = image.with_extension("prototype");
        let mut text = String::from("/\n0 0\nd--755 0 0\n");
        prototype_of(tree, &mut text)?;
        fs::write(&prototype, text).with_context(|| format!("write {}", prototype.display()))?;
        let mut make = program("mkfs.xfs").args(["-q", "-L"]).arg(self.label);
        if let Some(uuid) = self.uuid {
            make = make.args(["-m", &format!("uuid={uuid}")]);
        }
        make.arg("-p").args([&prototype, image]).run().map(drop)
    }

    fn btrfs(&self, tree: &Path, image: &Path) -> Result<()> {
        empty(image, self.megabytes.max(128))?;
        let mut make = program("mkfs.btrfs").args(["-q", "-L"]).arg(self.label);
        if let Some(uuid) = self.uuid {
            make = make.args(["-U", uuid]);
        }
        make.arg("--rootdir").args([tree, image]).run().map(drop)
    }

    fn vfat(&self, tree: &Path, image: &Path) -> Result<()> {
        without_links(tree)?;
        empty(image, self.megabytes)?;
        program("mkfs.vfat").arg("-n").arg(self.label).arg(image).run()?;
        let mut copy = program("mcopy").args(["-s", "-Q", "-i"]).arg(image);
        for entry in sorted(tree)? {
            copy = copy.arg(entry);
        }
        copy.arg("::/").run().map(drop)
    }
}

/// Puts an image into the second partition of a disk.
pub(crate) fn partition(table: Table, image: PathBuf) -> Result<PathBuf> {
    let entries = match table {
        Table::None => return Ok(image),
        Table::Mbr => "label: dos\nlabel-id: 0x1fb0a7f1\nsize=1MiB,type=83\nstart=2MiB,type=83\n".to_owned(),
        Table::Gpt => {
            let size = sectors(&image)?;
            format!(
                "label: gpt\nsize=1MiB\nstart=2MiB,size={size},uuid={PARTITION_UUID},name={PARTITION_LABEL}\n"
            )
        }
    };
    let disk = image.with_extension("disk");
    empty(&disk, BEGIN + sectors(&image)?.div_ceil(2048) + 1)?;
    program("sfdisk").arg("--quiet").arg(&disk).input(entries).run()?;
    let of = |name: &str, path: &Path| format!("{name}={}", path.display());
    program("dd")
        .args([of("if", &image), of("of", &disk), format!("seek={BEGIN}")])
        .args(["bs=1M", "conv=notrunc,sparse", "status=none"])
        .run()?;
    Ok(disk)
}

fn sectors(image: &Path) -> Result<u64> {
    let metadata = fs::metadata(image).with_context(|| format!("look at {}", image.display()))?;
    Ok(metadata.len().div_ceil(512))
}

fn empty(image: &Path, megabytes: u64) -> Result<()> {
    let file = fs::File::create(image).with_context(|| format!("make {}", image.display()))?;
    file.set_len(megabytes << 20).with_context(|| format!("extend {}", image.display()))
}

/// The tree in the words of mkfs.xfs.
fn prototype_of(folder: &Path, text: &mut String) -> Result<()> {
    for path in sorted(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let metadata = fs::symlink_metadata(&path)?;
        let mode = metadata.permissions().mode() & 0o777;
        // Writing to a String cannot fail.
        let written = if metadata.is_symlink() {
            writeln!(text, "{name} l--777 0 0 {}", fs::read_link(&path)?.display())
        } else if metadata.is_dir() {
            let written = writeln!(text, "{name} d--{mode:03o} 0 0");
            prototype_of(&path, text)?;
            written
        } else {
            writeln!(text, "{name} ---{mode:03o} 0 0 {}", path.display())
        };
        written.unwrap_or_default();
    }
    *text += "$\n";
    Ok(())
}

/// Links to busybox become scripts that call it, links to folders copies.
fn without_links(folder: &Path) -> Result<()> {
    let (mut to_folders, mut folders) = (Vec::new(), Vec::new());
    for path in sorted(folder)? {
        let kind = fs::symlink_metadata(&path)?;
        if kind.is_symlink() && path.is_dir() {
            to_folders.push(path);
        } else if kind.is_symlink() {
            let applet = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fs::remove_file(&path)?;
            if applet == "sh" {
                fs::copy(path.with_file_name("busybox"), &path)?;
            } else {
                fs::write(&path, format!("#!/bin/sh\nexec /bin/busybox {applet} \"$@\"\n"))?;
            }
        } else if kind.is_dir() {
            folders.push(path);
        }
    }
    for path in folders {
        without_links(&path)?;
    }
    for path in to_folders {
        let target = folder.join(fs::read_link(&path)?);
        fs::remove_file(&path)?;
        program("cp").arg("-R").args([&target, &path]).run()?;
    }
    Ok(())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

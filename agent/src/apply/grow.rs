//! Grows partitions and file systems that are in use.

use super::{LIMIT, Patience, run};
use crate::block::superblock::{self, Kind};
use crate::block::table::{self, Geometry, Wanted};
use crate::block::{CLASS, Part, ioctl};
use crate::machine::Machine;
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// udev reads a table while others may have written half of it, unless they hold the disk.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Grows a partition in its table and in the kernel. Its start stays, and it is never shorter.
pub(super) fn partition(part: &Part, root: &Root, report: &mut Report) -> Result<()> {
    let path = root.show(&format!("dev/{}", part.disk));
    let mut disk =
        OpenOptions::new().read(true).write(true).open(&path).with_context(|| format!("open {path}"))?;
    hold(&disk)?;
    let sector = root.read_text(&format!("{CLASS}/{}/queue/logical_block_size", part.disk))?;
    let sector: u64 = sector.and_then(|text| text.trim().parse().ok()).unwrap_or(512);
    let geometry = Geometry { sector, sectors: disk.seek(SeekFrom::End(0))? / sector.max(1) };
    let wanted = Wanted { number: part.number, start: part.start };
    let Some(grown) = table::grow(&disk, geometry, wanted).with_context(|| path.clone())? else {
        report.info(&format!("{} is as large as it can be", part.name));
        return Ok(());
    };
    for (place, bytes) in &grown.writes {
        disk.write_all_at(bytes, *place).with_context(|| format!("write the table of {path}"))?;
        disk.sync_data().with_context(|| format!("write the table of {path}"))?;
    }
    let number = i32::try_from(part.number)?;
    ioctl::resize_partition(&disk, number, part.start, grown.length)
        .context("its table is written, and counts from the next boot on: tell the kernel now")?;
    report.info(&format!("{} has {} MiB now", part.name, grown.length >> 20));
    Ok(())
}

/// Waits a little for others to let go of it, and goes on without them then.
fn hold(disk: &File) -> Result<()> {
    for _ in 0..TRIES {
        match flock(disk, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            held => return Ok(held?),
        }
    }
    Ok(())
}

/// Grows a mounted file system to its device's end: the kernel does it, or else the file system's own tool.
pub(super) fn file_system(point: &str, device: &str, root: &Root, report: &mut Report) -> Result<()> {
    let path = root.show(&format!("dev/{device}"));
    let mut open = File::open(&path).with_context(|| format!("open {path}"))?;
    let superblock = superblock::read(&open)?.context("nothing here grows this kind of file system")?;
    let length = open.seek(SeekFrom::End(0))?;
    if length.saturating_sub(superblock.length) <= table::SLACK {
        return Ok(());
    }
    let mount = File::open(point).with_context(|| format!("open {point}"))?;
    let (grown, tool) = match superblock.kind {
        Kind::Ext { block } => (ioctl::grow_ext4(&mount, length / block), vec!["resize2fs", &path]),
        Kind::Xfs { block, inode_percent } => {
            (ioctl::grow_xfs(&mount, length / block, inode_percent), vec!["xfs_growfs", point])
        }
        Kind::Btrfs { device } => {
            (ioctl::grow_btrfs(&mount, device), vec!["btrfs", "filesystem", "resize", "max", point])
        }
    };
    let Err(error) = grown else { return Ok(()) };
    let [program, ..] = tool[..] else { return Err(error) };
    if !root.has_program(program)? {
        return Err(error);
    }
    report.info(&format!("the kernel does not grow {point} ({error:#}): {program} is asked"));
    let argv: Vec<String> = tool.into_iter().map(str::to_owned).collect();
    run(&argv, None, &[], Patience::Until(Instant::now() + LIMIT), root, report)
}

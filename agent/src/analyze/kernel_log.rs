//! lifeboat's lines in the kernel's log: what happened in the initramfs.

use crate::root::Root;
use crate::trace::{Kind, TraceEntry};
use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, read as read_once};

/// Beside the root, where devices are.
const KMSG: &str = "dev/kmsg";

/// The beginning of lifeboat's lines.
const START: &str = "lifeboat: ";

/// The name of the stage.
pub(super) const INITRAMFS: &str = "initramfs";

/// Longer than any record.
const RECORD: usize = 8192;

/// More records than any kernel keeps.
const MOST: usize = 1 << 20;

/// The lines, in their order.
pub(super) fn read(root: &Root) -> Result<Vec<TraceEntry>> {
    let log = root.open_directory("").and_then(|directory| {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(directory, KMSG, flags, Mode::empty())?)
    });
    let log = log.with_context(|| format!("read {}", root.show(KMSG)))?;
    let (mut text, mut buffer) = (String::new(), [0; RECORD]);
    for _ in 0..MOST {
        match read_once(&log, &mut buffer) {
            Ok(0) | Err(Errno::AGAIN) => break,
            Ok(length) => text.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default())),
            // The kernel has dropped records that were not read yet.
            Err(Errno::PIPE | Errno::INTR) => {}
            Err(error) => return Err(error).with_context(|| format!("read {}", root.show(KMSG))),
        }
    }
    Ok(entries(&text))
}

/// Records, one in a line: `PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT`. Further lines of one begin with a space.
fn entries(text: &str) -> Vec<TraceEntry> {
    text.lines().filter_map(entry).collect()
}

fn entry(line: &str) -> Option<TraceEntry> {
    let (head, text) = line.split_once(';')?;
    let said = text.strip_prefix(START)?;
    let microseconds: u64 = head.split(',').nth(2)?.parse().ok()?;
    Some(TraceEntry {
        kind: Kind::Kernel,
        name: said.to_owned(),
        stage: INITRAMFS.to_owned(),
        start: microseconds / 1000,
        took: 0,
        result: String::new(),
        reason: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_lifeboat_are_taken_and_no_others() {
        let log = "6,1,100,-;Linux version 6.1\n\
                   6,800,2100450,-,caller=T1;lifeboat: rescue: no volume\n SUBSYSTEM=none\n\
                   30,801,2300000,-;systemd[1]: lifeboat: not ours\n\
                   odd\n6,802,x,-;lifeboat: rescue: no time\n\
                   6,900,2400000,-;lifeboat: seed: at /dev/vdb; kept\n";
        let found: Vec<_> = entries(log).into_iter().map(|entry| (entry.start, entry.name)).collect();
        assert_eq!(
            found,
            [(2100, "rescue: no volume".to_owned()), (2400, "seed: at /dev/vdb; kept".to_owned())]
        );
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        assert!(read(&root).is_err());
        root.write(KMSG, log.as_bytes(), 0o644).unwrap();
        assert_eq!(read(&root).unwrap().len(), 2);
    }
}

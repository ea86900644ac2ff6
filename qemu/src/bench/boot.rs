//! The cost of lifeboat in a boot, read from the kernel's own timestamps.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::disk::Disk;
use crate::guest::{Guests, Initramfs, Tiny};
use crate::phase;
use crate::vm::Machine;

/// Where the kernel starts the initramfs's init.
const INITRAMFS: &str = "Run /init as init process";

/// Where the initramfs is left: the first line of the root's init.
const LEFT: [&str; 2] = ["systemd[1]: systemd ", "tiny: init"];

/// Boots each guest with and without lifeboat.
pub(super) fn table(guests: &Guests) -> Result<String> {
    let roots: [(&str, Disk); 2] =
        [("tiny", Tiny::new("lifeboat-root", "own").into()), ("debian", Disk::Image(guests.debian_root()))];
    let mut table = format!("{:<8} {:<10} {:>13} {:>9}\n", "guest", "lifeboat", "in initramfs", "export");
    for (guest, root) in &roots {
        for (name, initramfs) in [("with", Initramfs::Lifeboat), ("without", Initramfs::Without)] {
            phase::say(&format!("booting {guest} {name} lifeboat"));
            let mut vm = Machine::new(guests).initramfs(initramfs).disk(root.clone()).boot()?;
            vm.wait_for_login("own")?;
            let console = vm.console.text();
            let seconds =
                time_in_initramfs(&console).with_context(|| format!("read times from:\n{console}"))?;
            let export = export_time(&console).map_or("-".to_owned(), |time| format!("{time:.2}s"));
            writeln!(table, "{guest:<8} {name:<10} {seconds:>12.2}s {export:>9}")
                .context("write the table")?;
        }
    }
    Ok(table)
}

fn time_in_initramfs(console: &str) -> Option<f64> {
    let left = LEFT.iter().find_map(|text| timestamp(console, text))?;
    Some(left - timestamp(console, INITRAMFS)?)
}

/// From the end of the call before to the end of the export.
fn export_time(console: &str) -> Option<f64> {
    let exported = timestamp(console, "lifeboat: modules: exported")?;
    let start = timestamp(console, "lifeboat: rescue: skipped: no rescue volume appeared")?;
    Some(exported - start)
}

/// When the kernel logged the first line with this text.
fn timestamp(console: &str, text: &str) -> Option<f64> {
    let line = console.lines().find(|line| line.contains(text))?;
    let (before, _) = line.split_once(text)?;
    let (_, stamp) = before.rsplit_once('[')?;
    stamp.split_once(']')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "\
[    3.961341] Run /init as init process
Begin: Running /scripts/init-bottom ... [    7.563409] lifeboat: rescue: skipped: no rescue volume appeared since
[    8.087053] lifeboat: modules: exported 211 files
[    8.464486] systemd[1]: systemd 252.39-1~deb12u2 running in system mode
";

    #[test]
    fn times_are_read_from_the_console() {
        assert_eq!(timestamp(CONSOLE, "lifeboat: rescue"), Some(7.563_409));
        assert_eq!(timestamp(CONSOLE, "systemd[1]: systemd "), Some(8.464_486));
        assert_eq!(format!("{:.3}", export_time(CONSOLE).unwrap()), "0.524");
        assert_eq!(format!("{:.3}", time_in_initramfs(CONSOLE).unwrap()), "4.503");
        assert_eq!(timestamp(CONSOLE, "no such line"), None);
    }
}

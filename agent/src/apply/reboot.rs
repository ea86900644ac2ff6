//! A reboot that packages ask for.

use super::{Patience, run};
use crate::report::Report;
use crate::root::Root;
use anyhow::{Result, bail};
use std::time::Duration;

/// Made by packages that take effect only then: the kernel, libc and others.
const MARKS: [&str; 2] = ["run/reboot-required", "run/reboot-needed"];

/// The longest wait: by then this process has been ended.
const LONGEST: Duration = Duration::from_mins(1);

/// Reboots where a package has left a mark. Scripts come after that: they run on the next boot.
pub(super) fn if_required(root: &Root, report: &mut Report) -> Result<()> {
    for mark in MARKS {
        if root.holds(mark)? {
            report.info(&format!("rebooting, for a package has made {}", root.show(mark)));
            run(&["/sbin/reboot".to_owned()], None, &[], Patience::Endless, root, report)?;
            std::thread::sleep(LONGEST);
            bail!("the machine still runs after {} seconds", LONGEST.as_secs());
        }
    }
    Ok(())
}

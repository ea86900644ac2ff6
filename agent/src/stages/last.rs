//! With the system up: packages, deferred files, then the scripts.

use super::interrupted;
use super::kept::Kept;
use crate::apply::output;
use crate::date::rfc2822;
use crate::handlers::Stage;
use crate::instance::now;
use crate::report::Report;
use crate::root::Root;
use anyhow::Result;

/// Runs what is to run late.
pub(crate) fn last(root: &Root, report: &mut Report) -> Result<()> {
    let Some(kept) = Kept::read(root, output::FINAL, report)? else { return Ok(()) };
    let told = interrupted::tell(&kept.instance, root, report);
    report.take(told);
    kept.run(Stage::Final, root, report);
    let uptime = root.read_text("proc/uptime")?.unwrap_or_default();
    let uptime = uptime.split(' ').next().unwrap_or_default();
    let text = format!("{uptime} - {} - v. {}\n", rfc2822(now()), env!("CARGO_PKG_VERSION"));
    root.write(&kept.instance.path("boot-finished"), text.as_bytes(), 0o644)
}

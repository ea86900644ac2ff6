//! `analyze`: where the time of this boot went, from the first line of the initramfs to the last script.

mod blame;
mod kernel_log;
mod plot;
mod show;

use crate::record;
use crate::report::{self, Report};
use crate::root::Root;
use crate::trace::{self, Kind, TraceEntry};
use anyhow::Result;
use clap::ValueEnum;

/// The forms of the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Analysis {
    /// The work, what took longest first
    Blame,
    /// The work of each stage in its order
    Show,
    /// A drawing in SVG, from the first line of the initramfs to the last script
    Plot,
}

/// The exit status where there is no trace.
const NO_TRACE: u8 = 1;

/// Prints it; the exit status.
pub(crate) fn run(what: Analysis, root: &Root, report: &mut Report) -> Result<u8> {
    let entries = trace::read(root)?;
    if entries.is_empty() {
        report.info("nothing was traced in this boot (lifeboat-agent status tells whether the agent ran)");
        return Ok(NO_TRACE);
    }
    report::print(&match what {
        Analysis::Blame => blame::text(&entries),
        Analysis::Show => show::text(&entries),
        Analysis::Plot => {
            let kernel = kernel_log::read(root).unwrap_or_else(|error| {
                report.info(&format!("without the initramfs: {error:#} (root can read the kernel's log)"));
                Vec::new()
            });
            plot::drawing(&[kernel, entries].concat())
        }
    });
    Ok(0)
}

/// A stage under the name that cloud-init gives it here.
fn shown_stage(stage: &str) -> &str {
    match stage {
        record::NETWORK => "init-network",
        "" => "single",
        other => other,
    }
}

/// A piece of work under the name that cloud-init would give it.
fn shown(entry: &TraceEntry) -> String {
    match entry.kind {
        Kind::Kernel => entry.name.clone(),
        Kind::Stage => shown_stage(&entry.stage).to_owned(),
        Kind::Source => format!("search-{}", entry.name),
        kind => format!("{}-{}", kind.word(), entry.name),
    }
}

/// Seconds as cloud-init writes them.
fn seconds(milliseconds: u64) -> String {
    format!("{:02}.{:03}00", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod testing {
    use super::*;

    /// A boot as the agent traces it, and one line that is not whole.
    pub(super) const TRACE: &str = include_str!("recorded.jsonl");

    pub(super) fn recorded() -> Vec<TraceEntry> {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write(crate::layout::TRACE, TRACE.as_bytes(), 0o644).unwrap();
        trace::read(&root).unwrap()
    }
}

//! `rescue`: what an admin does in a system that was booted from a rescue volume.

mod act;
mod chroot;
mod devices;
mod facts;
mod mount;
pub(crate) mod mounts;
mod next;
pub(crate) mod record;
mod status;
mod umount;

use crate::args::RescueCommand;
use crate::report::{self, Report};
use crate::root::Root;
use anyhow::{Context, Result, bail};
use chroot::Inside;
use facts::RescueFacts;
pub(crate) use mount::POINT;
use mount::Request;
use mounts::Access;
use record::Boot;
use std::path::Path;
use std::process::ExitCode;

/// The exit status of every command where there is nothing to rescue.
const NO_RESCUE: u8 = 3;

/// Carries a command out.
pub(crate) fn run(command: RescueCommand, report: &Report) -> Result<ExitCode> {
    let root = Root::open(&command.place().root)?;
    let record = match record::booted(&root)? {
        Boot::Rescue(record) => record,
        boot => {
            let text = status::no_rescue(&boot);
            match command {
                RescueCommand::Status(_) => report::print(&format!("{text}\n")),
                _ => report.info(&text),
            }
            return Ok(ExitCode::from(NO_RESCUE));
        }
    };
    let facts = RescueFacts::gather(record, &root)?;
    if let RescueCommand::Status(_) = command {
        report::print(&status::text(&facts, next::marker(&root)?));
        return Ok(ExitCode::SUCCESS);
    }
    if root.is_live() && !rustix::process::geteuid().is_root() {
        bail!("only root may do that: try it with sudo");
    }
    match command {
        RescueCommand::Status(_) => Ok(()),
        RescueCommand::Mount { directory, rw, chroot, command, .. } => {
            let access = if rw { Access::Writable } else { Access::ReadOnly };
            let request = Request { point: absolute(&directory)?, access };
            mount_original(&facts, &request, &root, report)?;
            if chroot { enter(&request, &facts.release, &command, &root, report) } else { Ok(()) }
        }
        RescueCommand::Umount(_) => unmount_original(&facts, &root, report),
        RescueCommand::Finish(_) => finish(&facts, &root, report),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn absolute(directory: &Path) -> Result<String> {
    let path = std::path::absolute(directory).with_context(|| format!("find {}", directory.display()))?;
    // As the mount table has it.
    let path = path.canonicalize().unwrap_or(path);
    path.to_str().map(str::to_owned).with_context(|| format!("{} is no UTF-8", path.display()))
}

fn mount_original(facts: &RescueFacts, request: &Request, root: &Root, report: &Report) -> Result<()> {
    let acts = mount::plan(facts, request)?;
    if acts.is_empty() {
        report.info(&format!("it is mounted at {} already", request.point));
    }
    act::apply_all(&acts, root, report)
}

fn enter(request: &Request, release: &str, words: &[String], root: &Root, report: &Report) -> Result<()> {
    if !root.is_live() {
        report.info(&format!("not on this root: chroot {}", request.point));
        return Ok(());
    }
    let mounts = mounts::read(root)?;
    let inside = Inside::gather(&request.point, request.access, &mounts, release, root)?;
    let argv = chroot::command(&inside, words)?;
    let plan = chroot::plan(&inside);
    act::apply_all(&plan.acts, root, report)?;
    for note in plan.notes {
        report.info(&note);
    }
    report.info("the mounts stay afterwards: `lifeboat-agent rescue umount` undoes them");
    chroot::enter(&request.point, &argv)
}

fn unmount_original(facts: &RescueFacts, root: &Root, report: &Report) -> Result<()> {
    let acts = umount::plan(facts);
    if acts.is_empty() {
        report.info("the original root is not mounted");
        return Ok(());
    }
    if root.is_live() {
        umount::check_unused(&umount::points(facts))?;
    }
    act::apply_all(&acts, root, report)
}

fn finish(facts: &RescueFacts, root: &Root, report: &Report) -> Result<()> {
    let mut marker = next::marker(root)?;
    if let Some(marker) = marker {
        report.info(&format!("the rescue volume is finished already: /{marker} is there"));
    } else {
        next::check_markable(facts)?;
        next::mark(root)?;
        marker = next::marker(root)?;
    }
    for point in umount::points(facts) {
        report
            .info(&format!("the original root is still mounted at {point}: `lifeboat-agent rescue umount`"));
    }
    report::print(&format!("next boot: {}\n", next::boot(facts, marker)));
    Ok(())
}

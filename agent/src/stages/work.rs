//! What is done in the order of the parts: boothooks run, and handlers get the parts that they are for.

use super::Context;
use crate::apply::{self, Patience};
use crate::instance::Frequency;
use crate::part_handler::PartHandler;
use crate::report::Report;
use crate::root::Root;
use crate::user_data::{self, Part, Work};
use anyhow::Result;
use std::time::{Duration, Instant};

/// What says that the handlers have had their parts.
const SEMAPHORE: &str = "consume_data";

/// What all of it may take together. Users and their keys come after it, and systemd ends the stage after 10 minutes.
const PATIENCE: Duration = Duration::from_mins(4);

/// Does it. What fails costs only itself.
pub(super) fn run(work: Vec<Work>, context: &Context<'_>, report: &mut Report) -> Result<()> {
    let Context { instance, boot, root } = context;
    let before = instance.is_done(root, SEMAPHORE, Frequency::Instance)?;
    let frequency = if before { Frequency::Boot } else { Frequency::Instance };
    let mut handlers: Vec<PartHandler> = Vec::new();
    let end = Instant::now() + PATIENCE;
    for work in work {
        match work {
            Work::Boothook(path) if boot.is_rescue() => {
                report.info(&format!("left out in a rescue boot: run /{path}"));
            }
            Work::Handler(handler) if boot.is_rescue() => {
                report.info(&format!("left out in a rescue boot: use /{}", handler.path));
            }
            Work::Boothook(path) if !root.is_live() => {
                report.info(&format!("not on this root: run /{path}"));
            }
            Work::Handler(handler) if !root.is_live() => {
                report.info(&format!("not on this root: use /{}", handler.path));
            }
            Work::Boothook(path) => {
                let argv = [format!("/{path}")];
                let environment = [("INSTANCE_ID", instance.id.as_str())];
                match apply::run(&argv, None, &environment, Patience::Until(end), root) {
                    Ok(()) => report.info(&format!("ran /{path}")),
                    Err(error) => report.warn(format!("run /{path}: {error:#}")),
                }
            }
            Work::Handler(handler) => match PartHandler::begin(&handler, frequency, end, root) {
                Ok(called) => handlers.push(called),
                Err(error) => report.warn(format!("part handler /{}: {error:#}", handler.path)),
            },
            Work::Offer(part) => offer(&part, &mut handlers, root, report),
        }
    }
    for mut handler in handlers {
        if let Err(error) = handler.end(root) {
            report.warn(format!("part handler /{}: {error:#}", handler.path));
        }
    }
    if boot.is_rescue() {
        return Ok(());
    }
    instance.set_done(root, SEMAPHORE, Frequency::Instance)
}

/// The latest handler for its type takes it.
fn offer(part: &Part, handlers: &mut [PartHandler], root: &Root, report: &mut Report) {
    match handlers.iter_mut().rev().find(|handler| handler.types.contains(&part.content_type)) {
        None => report.warn(user_data::unknown(part).to_string()),
        Some(handler) => match handler.take(part, root) {
            Ok(()) => report.info(&format!("part handler /{}: {} is handled", handler.path, part.name)),
            Err(error) => {
                report.warn(part.dropped(format!("its handler /{}: {error:#}", handler.path)).to_string());
            }
        },
    }
}

/// Tells what nothing is done with, where nothing is run.
pub(super) fn told(work: Vec<Work>, report: &mut Report) {
    let mut handlers = 0;
    for work in work {
        match work {
            Work::Boothook(_) => {}
            Work::Handler(_) => handlers += 1,
            Work::Offer(part) if handlers > 0 => {
                report.info(&format!("{} is left for a part handler, and none is run here", part.name));
            }
            Work::Offer(part) => report.warn(user_data::unknown(&part).to_string()),
        }
    }
}

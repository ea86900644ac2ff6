//! `cloud-id`: which cloud this is.

use super::BAD_USAGE;
use crate::args::{self, RootOption};
use crate::json;
use crate::layout;
use crate::report::{self, Report};
use crate::root::Root;
use crate::status::{Progress, Status};
use crate::yaml::{self, Value};
use anyhow::{Context, Result};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit statuses without a cloud's id.
const DISABLED: u8 = 2;
const NOT_STARTED: u8 = 3;

/// The placeholder of an unknown value.
const UNKNOWN: &str = "unknown";

/// Print the id of this cloud (exit status 2 if the agent is switched off, 3 if it has not run yet)
#[derive(Parser, Debug)]
#[command(name = "cloud-id")]
struct CloudIdArguments {
    /// Print all standard variables
    #[arg(short, long)]
    json: bool,
    /// Print the region as well, behind a tab
    #[arg(short, long)]
    long: bool,
    /// Read the instance's data from this file
    #[arg(short, long, value_name = "FILE")]
    instance_data: Option<PathBuf>,
    #[command(flatten)]
    place: RootOption,
}

/// Prints the cloud's id.
pub(super) fn run(_report: &mut Report) -> Result<ExitCode> {
    let arguments = match args::parse::<CloudIdArguments>(BAD_USAGE) {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    let root = Root::open(&arguments.place.root)?;
    let nothing = match Status::read(&root)?.progress {
        Progress::Disabled => Some((Progress::Disabled, DISABLED)),
        Progress::NotStarted => Some((Progress::NotStarted, NOT_STARTED)),
        Progress::Running | Progress::Done => None,
    };
    if let Some((progress, code)) = nothing {
        report::print(&format!("{}\n", progress.word()));
        return Ok(ExitCode::from(code));
    }
    let data = match &arguments.instance_data {
        Some(file) => std::fs::read(file).with_context(|| format!("read {}", file.display()))?,
        None => root
            .read(layout::INSTANCE_DATA)?
            .with_context(|| format!("read {}: it is not there", root.show(layout::INSTANCE_DATA)))?,
    };
    let data = yaml::load(&String::from_utf8_lossy(&data)).context("read the instance's data")?;
    let standard = data.as_map().and_then(|data| data.get("v1")?.as_map()).cloned().unwrap_or_default();
    let word = |key: &str| standard.get(key).and_then(Value::as_str).unwrap_or(UNKNOWN).to_owned();
    let id = word("cloud_id");
    report::print(&if arguments.json {
        json::pretty(&standard.into(), 1) + "\n"
    } else if arguments.long {
        format!("{id}\t{}\n", word("region"))
    } else {
        format!("{id}\n")
    });
    Ok(ExitCode::SUCCESS)
}

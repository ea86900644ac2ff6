//! `cloud-init schema`.

use crate::root::Root;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is looked at.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// This file
    #[arg(short, long, value_name = "FILE", required_unless_present = "system", conflicts_with = "system")]
    config_file: Option<PathBuf>,
    /// The instance's own
    #[arg(long)]
    system: bool,
    /// Show the text with what is wrong beside it
    #[arg(long)]
    annotate: bool,
}

/// Says what is wrong.
pub(super) fn run(_options: &Options, _root: &Root) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}

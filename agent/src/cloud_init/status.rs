//! `cloud-init status`.

use crate::json;
use crate::report;
use crate::root::Root;
use crate::status::{self, Status};
use crate::yaml;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::process::ExitCode;

/// The options of `status`.
#[derive(Args, Debug)]
pub(super) struct CloudStatusOptions {
    /// The output's format
    #[arg(long, value_enum, default_value_t = StatusFormat::Tabular)]
    format: StatusFormat,
    /// Print details
    #[arg(short, long)]
    long: bool,
    /// Wait until the last stage has ended
    #[arg(short, long)]
    wait: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum StatusFormat {
    Tabular,
    Json,
    Yaml,
}

/// Prints the state.
pub(super) fn run(options: &CloudStatusOptions, root: &Root) -> Result<ExitCode> {
    let is_tabular = options.format == StatusFormat::Tabular;
    let status = if options.wait {
        // A sign of life for whoever watches.
        status::wait(root, &mut || report::print(if is_tabular { "." } else { "" }))?
    } else {
        Status::read(root)?
    };
    let text = match options.format {
        StatusFormat::Json => json::pretty(&status.value().into(), 2) + "\n",
        StatusFormat::Yaml => format!("---\n{}...\n\n", yaml::to_yaml(&status.value().into())),
        StatusFormat::Tabular => {
            let before = if options.wait { "\n" } else { "" };
            let more = if options.long { long(&status) } else { String::new() };
            format!("{before}status: {}\n{more}", status.word())
        }
    };
    report::print(&text);
    Ok(ExitCode::from(status.code()))
}

fn long(status: &Status) -> String {
    let list = |lines: &[String]| lines.iter().flat_map(|line| ["\n\t- ", line]).collect::<String>();
    let errors = if status.errors.is_empty() { " []".to_owned() } else { list(&status.errors) };
    let one_line: Vec<_> = status.warnings.iter().map(|line| line.replace('\n', " ")).collect();
    let warnings =
        if one_line.is_empty() { " {}".to_owned() } else { format!("\nWARNING:{}", list(&one_line)) };
    let time = match status.last_update() {
        time if time.is_empty() => time,
        time => format!("last_update: {time}\n"),
    };
    format!(
        "extended_status: {}\nboot_status_code: {}\n{time}detail: {}\nerrors:{errors}\nrecoverable_errors:{warnings}\n",
        status.extended(),
        status.switch.code,
        status.detail()
    )
}

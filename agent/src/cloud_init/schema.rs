//! `cloud-init schema`.

use crate::layout;
use crate::report;
use crate::root::Root;
use crate::validate::{Finding, findings};
use anyhow::{Context, Result};
use clap::Args;
use std::fmt::Write as _;
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
pub(super) fn run(options: &Options, root: &Root) -> Result<ExitCode> {
    let (name, data) = match &options.config_file {
        Some(file) => (
            file.display().to_string(),
            std::fs::read(file).with_context(|| format!("read {}", file.display()))?,
        ),
        None => (
            "user-data".to_owned(),
            root.read(layout::USER_DATA_RAW)?.context("there is no instance yet: name a file")?,
        ),
    };
    let findings = findings(&data, root)?;
    if findings.is_empty() {
        report::print(&format!("Valid schema {name}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    if options.annotate {
        report::print(&annotated(&String::from_utf8_lossy(&data), &findings));
    } else {
        let all: Vec<_> = findings.iter().map(shown).collect();
        report::complain(&format!(
            "Invalid user-data {name}\nError: Cloud config schema errors: {}\n",
            all.join(", ")
        ));
    }
    Ok(ExitCode::FAILURE)
}

/// As cloud-init has it: what is not about a key is about a place.
fn shown(finding: &Finding) -> String {
    let (line, column) = finding.place.unwrap_or((1, 1));
    let path = finding.key.clone().unwrap_or_else(|| format!("format-l{line}.c{column}"));
    let part = finding.part.as_ref().map(|part| format!("{part}: ")).unwrap_or_default();
    format!("{path}: {part}{}", finding.message)
}

/// The text, with numbers behind the lines and what they stand for below it.
fn annotated(text: &str, findings: &[Finding]) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        let here = findings.iter().enumerate().filter(|(_, finding)| match (finding.place, &finding.part) {
            (Some((line, _)), None) => line == index + 1,
            // Of a part's lines nobody knows where they are in the whole.
            _ => index == 0,
        });
        let marks: Vec<_> = here.map(|(number, _)| format!("E{}", number + 1)).collect();
        let marks = if marks.is_empty() { String::new() } else { format!("\t\t# {}", marks.join(",")) };
        // Writing to a String cannot fail.
        writeln!(out, "{line}{marks}").unwrap_or_default();
    }
    out.push_str("\n# Errors: -------------\n");
    for (number, finding) in findings.iter().enumerate() {
        writeln!(out, "# E{}: {}", number + 1, finding.message.replace('\n', "\n#   ")).unwrap_or_default();
    }
    out
}

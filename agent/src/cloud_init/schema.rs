//! `cloud-init schema`.

use crate::layout;
use crate::report;
use crate::root::Root;
use crate::target::TargetMachine;
use crate::validate::{Finding, Gravity, findings};
use anyhow::{Context, Result};
use clap::Args;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The options of `schema`.
#[derive(Args, Debug)]
pub(super) struct SchemaOptions {
    /// Check this file
    #[arg(short, long, value_name = "FILE", required_unless_present = "system", conflicts_with = "system")]
    config_file: Option<PathBuf>,
    /// Check the instance's own configuration
    #[arg(long)]
    system: bool,
    /// Show the text with the errors beside it
    #[arg(long)]
    annotate: bool,
}

/// Prints the errors.
pub(super) fn run(options: &SchemaOptions, root: &Root) -> Result<ExitCode> {
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
    let findings = findings(&data, &TargetMachine::any(root)?);
    // cloud-init has nothing to say of keys that are valid.
    let told = findings.iter().filter(|finding| finding.gravity != Gravity::NoEffect);
    let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) =
        told.partition(|finding| finding.gravity == Gravity::Error);
    if options.annotate && !(errors.is_empty() && warnings.is_empty()) {
        report::print(&annotated(
            &String::from_utf8_lossy(&data),
            &[("E", "Errors", &errors), ("D", "Deprecations", &warnings)],
        ));
    } else if !warnings.is_empty() {
        report::print(&format!("Cloud config schema deprecations: {}\n", all_shown(&warnings)));
    }
    if errors.is_empty() {
        report::print(&format!("Valid schema {name}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    if !options.annotate {
        report::complain(&format!(
            "Invalid user-data {name}\nError: Cloud config schema errors: {}\n",
            all_shown(&errors)
        ));
    }
    Ok(ExitCode::FAILURE)
}

fn all_shown(findings: &[&Finding]) -> String {
    findings.iter().map(|finding| shown(finding)).collect::<Vec<_>>().join(", ")
}

/// A finding in cloud-init's form: the key, or else the line and column, and the message.
fn shown(finding: &Finding) -> String {
    let (line, column) = finding.place.unwrap_or((1, 1));
    let path = finding.key.clone().unwrap_or_else(|| format!("format-l{line}.c{column}"));
    let part = finding.part.as_ref().map(|part| format!("{part}: ")).unwrap_or_default();
    format!("{path}: {part}{}", finding.message)
}

/// The annotated text: numbers behind the lines refer to the findings below, each with its letter and heading.
fn annotated(text: &str, kinds: &[(&str, &str, &[&Finding])]) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        let is_here = |finding: &Finding| match (finding.place, &finding.part) {
            (Some((line, _)), None) => line == index + 1,
            // The place of a part's lines in the whole is not known.
            _ => index == 0,
        };
        let marks = kinds.iter().flat_map(|(letter, _, findings)| {
            let here = findings.iter().enumerate().filter(|(_, finding)| is_here(finding));
            here.map(move |(number, _)| format!("{letter}{}", number + 1))
        });
        let marks = marks.collect::<Vec<_>>().join(",");
        let marks = if marks.is_empty() { marks } else { format!("\t\t# {marks}") };
        // Writing to a String cannot fail.
        writeln!(out, "{line}{marks}").unwrap_or_default();
    }
    for (letter, heading, findings) in kinds.iter().filter(|(.., findings)| !findings.is_empty()) {
        writeln!(out, "\n# {heading}: -------------").unwrap_or_default();
        for (number, finding) in findings.iter().enumerate() {
            let message = finding.message.replace('\n', "\n#   ");
            writeln!(out, "# {letter}{}: {message}", number + 1).unwrap_or_default();
        }
    }
    out
}

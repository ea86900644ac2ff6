//! `cloud-init` and its subcommands.

use super::{BAD_USAGE, schema, status};
use crate::args::{self, CleanOptions, QueryOptions, RootOption, SingleOptions};
use crate::report::{self, Report};
use crate::root::Root;
use crate::{analyze, clean, query, stages};
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The version of cloud-init that the agent behaves like.
const VERSION: &str = "26.2";

/// Carries out a cloud guest's user-data; this is lifeboat-agent under cloud-init's name
#[derive(Parser, Debug)]
#[command(name = "cloud-init", arg_required_else_help = true)]
pub(crate) struct CloudInitArguments {
    /// Print the version of cloud-init that this behaves like
    #[arg(short, long)]
    version: bool,
    /// Accepted, without effect
    #[arg(short, long, global = true)]
    debug: bool,
    #[command(subcommand)]
    command: Option<CloudInitCommand>,
}

#[derive(Subcommand, Debug)]
enum CloudInitCommand {
    /// Show the agent's state, and what went wrong (exit status: 0 done, 1 error, 2 warnings)
    Status {
        #[command(flatten)]
        options: status::CloudStatusOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Show where the time of this boot went
    Analyze {
        /// Work by its time, in its order, or as a drawing in SVG
        #[arg(value_enum)]
        what: analyze::Analysis,
        #[command(flatten)]
        place: RootOption,
    },
    /// Print the instance's data
    Query {
        #[command(flatten)]
        options: QueryOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Show what is wrong with a cloud-config
    Schema {
        #[command(flatten)]
        options: schema::SchemaOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Remove the kept instance, so that the next boot is the first one of this image
    Clean {
        #[command(flatten)]
        options: CleanOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Carry out one module
    Single {
        #[command(flatten)]
        options: SingleOptions,
        #[command(flatten)]
        place: RootOption,
    },
}

/// Runs the subcommand.
pub(super) fn run(report: &mut Report) -> Result<ExitCode> {
    let arguments = match args::parse::<CloudInitArguments>(BAD_USAGE) {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    match arguments.command {
        _ if arguments.version => report::print(&version()),
        None => return Ok(ExitCode::from(BAD_USAGE)),
        Some(CloudInitCommand::Status { options, place }) => {
            return status::run(&options, &Root::open(&place.root)?);
        }
        Some(CloudInitCommand::Analyze { what, place }) => {
            return Ok(ExitCode::from(analyze::run(what, &Root::open(&place.root)?, report)?));
        }
        Some(CloudInitCommand::Query { options, place }) => query::run(&options, &Root::open(&place.root)?)?,
        Some(CloudInitCommand::Schema { options, place }) => {
            return schema::run(&options, &Root::open(&place.root)?);
        }
        Some(CloudInitCommand::Clean { options, place }) => {
            clean::run(&options, &Root::open(&place.root)?, report)?;
        }
        Some(CloudInitCommand::Single { options, place }) => {
            stages::single(&options, &Root::open(&place.root)?, report)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn version() -> String {
    format!("/usr/bin/cloud-init {VERSION} (lifeboat-agent {})\n", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        CloudInitArguments::command().debug_assert();
    }

    #[test]
    fn what_tools_call_is_understood() {
        for words in [
            "status --wait",
            "status --wait --long",
            "status --format json",
            "status --format=json --wait",
            "-d status -w -l",
            "query ds.meta_data.instance_id",
            "query -f {{v1.region}}",
            "query --list-keys v1",
            "schema --system --annotate",
            "schema -c user-data",
            "clean --logs --seed --machine-id",
            "clean -l -s -r -c all",
            "single --name cc_ntp --frequency always",
            "single -n runcmd",
            "analyze blame",
            "analyze show",
            "--version",
            "-v",
        ] {
            let line = format!("cloud-init {words}");
            assert!(CloudInitArguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for words in ["status --format xml", "query", "schema", "schema --system -c x", "single", "nonsense"]
        {
            let line = format!("cloud-init {words}");
            assert!(CloudInitArguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn the_version_is_the_second_word() {
        assert_eq!(version().split(' ').nth(1), Some(VERSION));
    }
}

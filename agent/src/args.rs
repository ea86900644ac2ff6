//! The command line.

use crate::instance::Frequency;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit status of bad usage; 2 means something else for `status`.
pub(crate) const BAD_USAGE: u8 = 64;

/// Parses the program's arguments. Prints help, the version, or the error in them.
pub(crate) fn parse<P: Parser>(bad_usage: u8) -> Result<P, ExitCode> {
    P::try_parse().map_err(|error| {
        let asked_for = !error.use_stderr();
        let printed = error.print().is_ok();
        if asked_for && printed { ExitCode::SUCCESS } else { ExitCode::from(bad_usage) }
    })
}

/// Finds a cloud guest's user-data and carries it out
///
/// systemd calls local, network, config and final at boot, in this order. The other commands are for people, kernel
/// packages and units.
#[derive(Parser, Debug)]
#[command(name = "lifeboat-agent", version, subcommand_required = true)]
pub(crate) struct AgentArguments {
    #[command(subcommand)]
    pub(crate) command: AgentCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum AgentCommand {
    /// Before the network is up: set the host name that the kernel command line gives
    Local(RootOption),
    /// With the network up: fetch and keep the user-data, and set up what logins need
    Network {
        #[command(flatten)]
        place: RootOption,
        /// Seconds for each source, repeated attempts included
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        budget: u64,
    },
    /// While services start: set up what logins do not wait for
    Config(RootOption),
    /// When the system is up: run the scripts
    Final(RootOption),
    /// Show what was done, from which source, and what went wrong (exit status: 0 done, 1 error, 2 warnings)
    Status {
        #[command(flatten)]
        options: StatusOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Show where the time of this boot went (exit status: 1 if nothing was traced)
    Analyze {
        /// Work by its time, in its order, or as a drawing in SVG
        #[arg(value_enum)]
        what: crate::analyze::Analysis,
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
    /// Show what changed in the user-data since the instance was new, and what was done about it
    Diff(RootOption),
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
    /// List the sources, with the answer of each and the time it took; keeps nothing
    Sources {
        #[command(flatten)]
        place: RootOption,
        /// Seconds for each source, repeated attempts included
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        budget: u64,
    },
    /// List everything that is wrong with user-data, and where (exit status 1); fetches and changes nothing
    Validate {
        /// Files with user-data
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: RootOption,
    },
    /// Show what user-data would do; fetches and changes nothing
    Plan {
        #[command(flatten)]
        place: RootOption,
        /// Files with user-data, taken together; the current instance's user-data if there are none
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Take a seed apart and write its parts below a root; runs nothing
    Process {
        /// Directory with user-data, and optionally meta-data and vendor-data
        #[arg(long, value_name = "DIR")]
        seed: PathBuf,
        #[command(flatten)]
        place: RootOption,
    },
    /// Handle the running kernel's modules; called by units and kernel packages
    #[command(subcommand)]
    Modules(ModulesCommand),
    /// Repair a machine that was booted from a rescue volume (exit status 3 on others)
    #[command(subcommand)]
    Rescue(RescueCommand),
    /// Called by systemd: enable the units if there is a seed or a kept instance
    #[command(hide = true)]
    Generator {
        /// The directory for the links, and two more that are not used
        #[arg(num_args = 1..=3, required = true)]
        directories: Vec<PathBuf>,
        #[command(flatten)]
        place: RootOption,
    },
}

/// The running kernel's modules.
#[derive(Subcommand, Debug)]
pub(crate) enum ModulesCommand {
    /// Uncover the disk's /lib/modules, and leave the export at the running kernel's directory alone
    Settle(RootOption),
    /// Move the export aside until `settle`, before a kernel's package changes the disk
    Aside {
        /// The package's kernel release
        version: String,
        #[command(flatten)]
        place: RootOption,
    },
    /// Fetch missing modules from the URL in lifeboat.modules-url= or /etc/default/lifeboat-agent
    Fetch {
        #[command(flatten)]
        place: RootOption,
        /// Seconds for all of the fetching, repeated attempts included
        #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
        budget: u64,
    },
}

impl ModulesCommand {
    /// Where the files are.
    pub(crate) fn place(&self) -> &RootOption {
        match self {
            Self::Settle(place) | Self::Aside { place, .. } | Self::Fetch { place, .. } => place,
        }
    }
}

/// The commands of a rescue boot.
#[derive(Subcommand, Debug)]
pub(crate) enum RescueCommand {
    /// Show what was booted and why, where the original root is, and what the next boot will do
    Status(RootOption),
    /// Mount the original root; not a byte of it changes without --rw
    Mount {
        /// The mount point
        #[arg(value_name = "DIR", default_value = crate::rescue::POINT)]
        directory: PathBuf,
        /// Mount it writable, for repairs
        #[arg(long)]
        rw: bool,
        /// Enter it, with devices, name resolution and the running kernel's modules
        #[arg(long)]
        chroot: bool,
        #[command(flatten)]
        place: RootOption,
        /// A command to run there instead of a shell
        #[arg(last = true, requires = "chroot")]
        command: Vec<String>,
    },
    /// Unmount the original root, with everything that is mounted in it
    Umount(RootOption),
    /// Mark the rescue volume as finished, so that the next boot starts the original root
    Finish(RootOption),
}

impl RescueCommand {
    /// Where the files are.
    pub(crate) fn place(&self) -> &RootOption {
        match self {
            Self::Status(place) | Self::Umount(place) | Self::Finish(place) | Self::Mount { place, .. } => {
                place
            }
        }
    }
}

/// The options of `status`.
#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    /// Wait until the last stage has ended
    #[arg(short, long)]
    pub(crate) wait: bool,
    /// Show each stage and handler with its time and result, and what switched the agent on
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) long: bool,
    /// Print JSON for programs, with the keys of `cloud-init status --format json`
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `query`.
#[derive(Args, Debug)]
pub(crate) struct QueryOptions {
    /// A name with dots, such as `v1.local_hostname`
    #[arg(required_unless_present_any = ["all", "format", "list_keys"])]
    pub(crate) name: Option<String>,
    /// Print everything
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Render a template, such as `'{{ v1.instance_id }}'`
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(crate) format: Option<String>,
    /// Print the names alone
    #[arg(short, long)]
    pub(crate) list_keys: bool,
    /// Read the instance's data from this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) instance_data: Option<PathBuf>,
    /// Read the user-data from this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) user_data: Option<PathBuf>,
    /// Read the vendor-data from this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) vendor_data: Option<PathBuf>,
}

/// The options of `clean`: what else it removes.
#[derive(Args, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word on the command line")]
pub(crate) struct CleanOptions {
    /// Also remove the logs
    #[arg(short, long)]
    pub(crate) logs: bool,
    /// Also remove the seed below /var/lib/cloud/seed
    #[arg(short, long)]
    pub(crate) seed: bool,
    /// Also remove the machine-id, so that each machine of this image gets its own
    #[arg(long)]
    pub(crate) machine_id: bool,
    /// Also remove configuration that was made from user-data
    #[arg(short, long, value_name = "KIND", num_args = 1..)]
    pub(crate) configs: Vec<crate::clean::MadeKind>,
    /// Reboot afterwards
    #[arg(short, long)]
    pub(crate) reboot: bool,
}

/// The options of `single`.
#[derive(Args, Debug)]
pub(crate) struct SingleOptions {
    /// The module, such as `cc_runcmd` or `scripts_user`
    #[arg(short, long)]
    pub(crate) name: String,
    /// Run it with this frequency
    #[arg(long)]
    pub(crate) frequency: Option<Often>,
}

/// A frequency by the word for it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Often {
    /// Unless it ran on this image
    Once,
    /// Unless it ran for this instance
    Instance,
    /// In any case
    Always,
}

impl From<Often> for Frequency {
    fn from(often: Often) -> Self {
        match often {
            Often::Once => Self::Once,
            Often::Instance => Self::Instance,
            Often::Always => Self::Boot,
        }
    }
}

/// Where the files are.
#[derive(Args, Debug)]
pub(crate) struct RootOption {
    /// Work on the system below this directory; prints commands instead of running them unless it is /
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        AgentArguments::command().debug_assert();
    }

    #[test]
    fn a_root_is_taken_by_every_command() {
        for words in [
            "local",
            "network",
            "config",
            "final",
            "status",
            "status --wait --long",
            "status --json",
            "analyze blame",
            "analyze show",
            "analyze plot",
            "diff",
            "query v1.region",
            "query --all",
            "clean --logs --seed --configs network ssh_config --machine-id --reboot",
            "single --name cc_ntp --frequency always",
            "single -n runcmd",
            "sources --budget 3",
            "plan",
            "plan a b",
            "validate a b --json",
            "process --seed /s",
            "generator /n /e /l",
            "modules settle",
            "modules aside 6.1.0",
            "modules fetch --budget 9",
            "rescue status",
            "rescue mount",
            "rescue mount /mnt --rw --chroot",
            "rescue umount",
            "rescue finish",
        ] {
            let line = format!("lifeboat-agent {words} --root /r");
            assert!(AgentArguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_command_in_the_original_root_keeps_its_own_options() {
        let line = "lifeboat-agent rescue mount --rw --chroot -- ls -l --rw";
        let Ok(AgentArguments {
            command: AgentCommand::Rescue(RescueCommand::Mount { directory, command, .. }),
        }) = AgentArguments::try_parse_from(line.split(' '))
        else {
            panic!("not understood")
        };
        assert_eq!(command, ["ls", "-l", "--rw"]);
        assert_eq!(directory, std::path::Path::new(crate::rescue::POINT));
    }

    #[test]
    fn anything_else_is_refused() {
        for words in [
            "",
            "now",
            "local --force",
            "process",
            "network --budget long",
            "query",
            "clean --configs some",
            "status --json --long",
            "analyze",
            "analyze boot",
            "validate",
            "rescue",
            "modules",
            "modules aside",
            "single",
            "single --name runcmd --frequency daily",
            "rescue mount -- sh",
        ] {
            let line = format!("lifeboat-agent {words}");
            assert!(AgentArguments::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }
}

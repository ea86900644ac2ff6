//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Bad usage; `status` has another meaning for 2.
pub(crate) const BAD_USAGE: u8 = 64;

/// The arguments that the program was called with. What is asked for is printed, as is what is wrong with them.
pub(crate) fn parse<P: Parser>(bad_usage: u8) -> Result<P, ExitCode> {
    P::try_parse().map_err(|error| {
        let asked_for = !error.use_stderr();
        let printed = error.print().is_ok();
        if asked_for && printed { ExitCode::SUCCESS } else { ExitCode::from(bad_usage) }
    })
}

/// Finds a cloud guest's user-data and carries it out
///
/// At boot systemd calls local, network and final in turn. The other commands are for people and change
/// nothing on the running system.
#[derive(Parser, Debug)]
#[command(name = "lifeboat-agent", version, subcommand_required = true)]
pub(crate) struct AgentArguments {
    #[command(subcommand)]
    pub(crate) command: AgentCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum AgentCommand {
    /// Before the network: set the host name that the kernel command line gives
    Local(RootOption),
    /// With the network: fetch and keep the user-data, and carry out what must be there before logins
    Network {
        #[command(flatten)]
        place: RootOption,
        /// Seconds that each source may take, with every repeated attempt
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        budget: u64,
    },
    /// With the system up: run the scripts
    Final(RootOption),
    /// Say what was done, from which source, and what went wrong (exit status 0, 1 error, 2 warnings)
    Status {
        #[command(flatten)]
        options: StatusOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Print what is known of the instance
    Query {
        #[command(flatten)]
        options: QueryOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Say what has changed in the user-data since the instance was new, and what became of it
    Diff(RootOption),
    /// Remove what was kept, so that the next boot is the first one of this image
    Clean {
        #[command(flatten)]
        options: CleanOptions,
        #[command(flatten)]
        place: RootOption,
    },
    /// Say which sources were looked for, what each said and how long it took; nothing is kept
    Sources {
        #[command(flatten)]
        place: RootOption,
        /// Seconds that each source may take, with every repeated attempt
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        budget: u64,
    },
    /// Say everything that is wrong with user-data, and where (exit status 1); nothing is fetched or changed
    Validate {
        /// The user-data
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print it for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: RootOption,
    },
    /// Say what user-data files, or the kept ones, would do together; nothing is fetched or changed
    Plan {
        #[command(flatten)]
        place: RootOption,
        /// The user-data; without it that of the current instance
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Take a seed apart and write its parts below a root; nothing is run
    Process {
        /// Directory with user-data, and perhaps meta-data and vendor-data
        #[arg(long, value_name = "DIR")]
        seed: PathBuf,
        #[command(flatten)]
        place: RootOption,
    },
    /// The running kernel's modules, from the initramfs or the network; for units and kernel packages
    #[command(subcommand)]
    Modules(ModulesCommand),
    /// In a system that was booted from a rescue volume (exit status 3 in any other)
    #[command(subcommand)]
    Rescue(RescueCommand),
    /// Called by systemd: have the units started where there is a seed or a kept instance
    #[command(hide = true)]
    Generator {
        /// Where the links go, and two further directories that are not used
        #[arg(num_args = 1..=3, required = true)]
        directories: Vec<PathBuf>,
        #[command(flatten)]
        place: RootOption,
    },
}

/// The running kernel's modules.
#[derive(Subcommand, Debug)]
pub(crate) enum ModulesCommand {
    /// Uncover the disk's modules, with the export on its own directory alone, or use the disk's in its place
    Settle(RootOption),
    /// Before a kernel's package changes the disk: have the export make way until `settle`
    Aside {
        /// The package's kernel release
        version: String,
        #[command(flatten)]
        place: RootOption,
    },
    /// Fetch them from where lifeboat.modules-url= or /etc/default/lifeboat-agent says, if they are missing
    Fetch {
        #[command(flatten)]
        place: RootOption,
        /// Seconds that fetching may take in all, with every repeated attempt
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

/// In a rescue boot.
#[derive(Subcommand, Debug)]
pub(crate) enum RescueCommand {
    /// Say what was booted and why, where the original root is, and what the next boot will do
    Status(RootOption),
    /// Mount the original root, so that not a byte of it changes unless --rw is given
    Mount {
        /// Where
        #[arg(value_name = "DIR", default_value = crate::rescue::POINT)]
        directory: PathBuf,
        /// For repairs
        #[arg(long)]
        rw: bool,
        /// Enter it, with devices, network names and the running kernel's modules
        #[arg(long)]
        chroot: bool,
        #[command(flatten)]
        place: RootOption,
        /// What to run there in place of a shell
        #[arg(last = true, requires = "chroot")]
        command: Vec<String>,
    },
    /// Unmount the original root, and all that is mounted in it
    Umount(RootOption),
    /// Mark the rescue volume as finished: the next boot is the original root's again
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

/// What `status` says.
#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    /// Wait until the last stage has ended
    #[arg(short, long)]
    pub(crate) wait: bool,
    /// Say when each stage began and ended, and what switched the agent on
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) long: bool,
    /// Print it for programs, with the keys of `cloud-init status --format json`
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `query` prints.
#[derive(Args, Debug)]
pub(crate) struct QueryOptions {
    /// Names with dots between, such as `v1.local_hostname`
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
    /// Another file in the place of what is known
    #[arg(short, long, value_name = "FILE")]
    pub(crate) instance_data: Option<PathBuf>,
    /// Another file in the place of the instance's user-data
    #[arg(short, long, value_name = "FILE")]
    pub(crate) user_data: Option<PathBuf>,
    /// Another file in the place of the instance's vendor-data
    #[arg(short, long, value_name = "FILE")]
    pub(crate) vendor_data: Option<PathBuf>,
}

/// What `clean` removes besides.
#[derive(Args, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word on the command line")]
pub(crate) struct CleanOptions {
    /// The logs
    #[arg(short, long)]
    pub(crate) logs: bool,
    /// The seed below /var/lib/cloud/seed
    #[arg(short, long)]
    pub(crate) seed: bool,
    /// The machine-id, so that each machine of this image gets its own
    #[arg(long)]
    pub(crate) machine_id: bool,
    /// Configuration that was made from user-data
    #[arg(short, long, value_name = "KIND", num_args = 1..)]
    pub(crate) configs: Vec<crate::clean::MadeKind>,
    /// Reboot when it is done
    #[arg(short, long)]
    pub(crate) reboot: bool,
}

/// Where the files are.
#[derive(Args, Debug)]
pub(crate) struct RootOption {
    /// Work on the system below this directory; on any but / commands are told and not run
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
            "final",
            "status",
            "status --wait --long",
            "status --json",
            "diff",
            "query v1.region",
            "query --all",
            "clean --logs --seed --configs network ssh_config --machine-id --reboot",
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
            "validate",
            "rescue",
            "modules",
            "modules aside",
            "rescue mount -- sh",
        ] {
            let line = format!("lifeboat-agent {words}");
            assert!(AgentArguments::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }
}

//! The command line of `cargo vm`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds guests for lifeboat, boots them in QEMU, tests and measures. Each command first installs what it
/// needs, and says so.
#[derive(Debug, Parser)]
#[command(name = "cargo vm", bin_name = "cargo vm", version)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Action,
}

/// The commands of `cargo vm`.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Take a Debian guest through all three journeys, and show the results
    Demo(DemoArgs),
    /// Run the checks, and the tests that cover each pair once: what CI runs
    Test(TestArgs),
    /// Build both static binaries and both Debian packages
    Build,
    /// Boot a guest with its console on this terminal
    Run(RunArgs),
    /// Measure what lifeboat costs
    Bench(BenchArgs),
    /// Run the VM tests again and again, to find what fails only sometimes
    Soak(SoakArgs),
    /// Empty the cache of guests, kernels and tools
    Clean,
}

/// The arguments of `cargo vm demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the disks, and print the qemu command line to go on by hand
    #[arg(long)]
    pub keep: bool,
}

/// The arguments of `cargo vm run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Attach a volume labelled RESCUE
    #[arg(long)]
    pub rescue: bool,
    /// The kernel to boot
    #[arg(long, value_enum, default_value_t = Kernel::Own)]
    pub kernel: Kernel,
    /// Serve the files in DIR (user-data, meta-data) as the guest's seed
    #[arg(long, value_name = "DIR")]
    pub seed: Option<PathBuf>,
    /// Add TEXT to the kernel command line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub append: Option<String>,
}

/// The kernel that a guest boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kernel {
    /// The kernel of the image
    Own,
    /// A kernel of another version, without modules in the image
    External,
}

/// The arguments of `cargo vm bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The benchmarks to run; all if none is named
    #[arg(value_enum, value_name = "NAME")]
    pub named: Vec<Benchmark>,
}

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// A boot with and without lifeboat
    Boot,
    /// The scan for a rescue volume, compared with cloud-initramfs-rescuevol's
    Rescue,
    /// The export of the modules, compared with the specification's recipe
    Modules,
    /// The agent's work on user-data, compared with cloud-init's
    Agent,
}

/// The arguments of `cargo vm test`.
#[derive(Debug, Clone, Copy, Args)]
pub struct TestArgs {
    /// Run all tests but those of `cargo vm soak`
    #[arg(long)]
    pub full: bool,
    /// Run all VM tests of one family, and nothing else
    #[arg(long, value_enum, value_name = "NAME")]
    pub family: Option<Family>,
    /// Leave out what has passed on this tree in an earlier run of the same kind
    #[arg(long)]
    pub resume: bool,
}

/// The subject of VM tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Family {
    /// The choice of the volume that is booted
    Choose,
    /// Disks that are copies of one another
    Identity,
    /// Roots that do not come up
    Failure,
    /// The kernel's modules
    Modules,
    /// The seed
    Seed,
    /// Boots that go as they would without lifeboat
    Harmless,
    /// The agent on Debian
    Agent,
    /// The packages where they are installed
    Packages,
}

/// The arguments of `cargo vm soak`.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// The number of rounds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_guest_is_described_on_the_command_line() {
        let words = ["cargo vm", "run", "--rescue", "--kernel", "external", "--append", "lifeboat=off"];
        let Action::Run(run) = Cli::parse_from(words).command else { panic!("not run") };
        assert!(
            run.rescue && run.kernel == Kernel::External && run.append.as_deref() == Some("lifeboat=off")
        );
    }

    #[test]
    fn a_run_of_the_tests_is_described_on_the_command_line() {
        let words = ["cargo vm", "test", "--full", "--resume"];
        let Action::Test(test) = Cli::parse_from(words).command else { panic!("not test") };
        assert!(test.full && test.resume && test.family.is_none());
        let words = ["cargo vm", "test", "--family", "modules"];
        let Action::Test(test) = Cli::parse_from(words).command else { panic!("not test") };
        assert_eq!(test.family, Some(Family::Modules));
        assert!(Cli::try_parse_from(["cargo vm", "test", "--family", "all"]).is_err());
    }

    #[test]
    fn an_unknown_kernel_is_refused() {
        assert!(Cli::try_parse_from(["cargo vm", "run", "--kernel", "mine"]).is_err());
    }
}

//! The harness: builds guests, boots them in QEMU, tests and measures.

mod architecture;
pub mod archive;
pub mod args;
pub mod bench;
pub mod by_hand;
pub mod cache;
mod changelog;
pub mod console;
mod control;
pub mod damage;
pub mod demo;
pub mod disk;
pub mod export;
pub mod guest;
pub mod libblkid;
pub mod measured;
mod mirrors;
pub mod packages;
pub mod partitioned;
pub mod phase;
mod qmp;
pub mod run;
pub mod scan;
pub mod scratch;
pub mod seed_server;
pub mod setup;
pub mod shell;
pub mod suite;
pub mod tree;
mod version;
pub mod vm;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use args::Action;

/// Does what the command line says.
pub fn dispatch(action: &Action) -> Result<ExitCode> {
    phase::start();
    match action {
        Action::Demo(args) => demo::run(args),
        Action::Run(args) => by_hand::run(args),
        Action::Bench(args) => bench::run(&args.named),
        Action::Clean => clean(),
        Action::Build => build(),
        Action::Test(args) => suite::test(*args),
        Action::Soak(args) => suite::soak(args.rounds),
    }
}

/// The tree that this program was built from.
pub fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

fn build() -> Result<ExitCode> {
    // So that `cargo test` finds what it runs.
    setup::checks()?;
    let packages = packages::build(&cache::Cache::open()?)?;
    for file in ["lifeboat", "lifeboat-agent"]
        .map(packages::binary)
        .into_iter()
        .chain([packages.lifeboat, packages.agent])
    {
        phase::say(&format!("built {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn clean() -> Result<ExitCode> {
    let emptied = cache::Cache::open()?.clean()?;
    phase::say(&format!("emptied {}", emptied.display()));
    Ok(ExitCode::SUCCESS)
}

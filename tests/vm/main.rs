//! The journeys in QEMU: real kernels, initramfs-tools' own images, klibc's run-init, systemd. Guests are
//! built on demand; nothing here can pass without one having booted.

mod agent;
mod choice;
mod commands;
mod copy;
mod cost;
mod failure;
mod faults;
mod hostile;
mod lab;
mod layout;
mod media;
mod modules;
mod modules_debian;
mod modules_layout;
mod modules_packages;
mod modules_roots;
mod modules_url;
mod nfs;
mod packages;
mod platform;
mod rescue;
mod seed;
mod settings;
mod smoke;
mod sources;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};

/// A test: its name, and what must hold.
pub(crate) type Test = (&'static str, fn() -> Result<()>);

/// A test that is one of a product.
pub(crate) trait OfProduct: Send + 'static {
    /// As a statement.
    fn name(&self) -> String;

    /// Whether each run of the tests has it.
    fn is_in_the_sample(&self) -> bool;

    /// What must hold.
    fn run(&self) -> Result<()>;
}

/// The tests of a file; to add a file: a line here.
const FILES: &[(&str, &[Test])] = &[
    ("agent", agent::TESTS),
    ("choice", choice::TESTS),
    ("commands", commands::TESTS),
    ("copy", copy::TESTS),
    ("cost", cost::TESTS),
    ("failure", failure::TESTS),
    ("faults", faults::TESTS),
    ("hostile", hostile::TESTS),
    ("layout", &[]),
    ("media", media::TESTS),
    ("modules", modules::TESTS),
    ("modules_debian", modules_debian::TESTS),
    ("modules_layout", &[]),
    ("modules_packages", modules_packages::TESTS),
    ("modules_roots", modules_roots::TESTS),
    ("modules_url", modules_url::TESTS),
    ("nfs", nfs::TESTS),
    ("packages", packages::TESTS),
    ("platform", platform::TESTS),
    ("rescue", rescue::TESTS),
    ("seed", seed::TESTS),
    ("settings", settings::TESTS),
    ("smoke", smoke::TESTS),
    ("sources", sources::TESTS),
];

/// Tests that are too long for each run, mostly of how it is without lifeboat; to add a file's: a line here.
const IN_SOAK: &[(&str, &[Test])] = &[
    ("copy", copy::IN_SOAK),
    ("modules_debian", modules_debian::IN_SOAK),
    ("modules_packages", modules_packages::IN_SOAK),
    ("modules_roots", modules_roots::IN_SOAK),
];

/// The files that hold no tests.
const OTHERS: &[&str] = &["lab", "main"];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // As many as guests run at a time.
    arguments.test_threads.get_or_insert(2);
    let mut trials = vec![trial("the_table", ("holds_every_file", every_file_is_in_the_table))];
    for (file, tests) in FILES {
        trials.extend(tests.iter().map(|test| trial(file, *test)));
    }
    // `cargo vm soak` includes what is ignored.
    for (file, tests) in IN_SOAK {
        trials.extend(tests.iter().map(|test| trial(file, *test).with_ignored_flag(true)));
    }
    trials.extend(of_product("layout", layout::product()));
    trials.extend(of_product("modules_layout", modules_layout::product()));
    trials.extend(of_product("failure", failure::product()));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Of a product, each run has a sample.
fn of_product<C: OfProduct>(file: &str, cases: impl Iterator<Item = C>) -> impl Iterator<Item = Trial> {
    cases.map(move |case| {
        let ignored = !case.is_in_the_sample();
        named(file, case.name(), move || case.run()).with_ignored_flag(ignored)
    })
}

fn trial(file: &str, (name, test): Test) -> Trial {
    named(file, name.to_owned(), test)
}

fn named(file: &str, name: String, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    let name = format!("{file}::{name}");
    Trial::test(name.clone(), move || {
        let start = Instant::now();
        let result = test();
        lab::say(&format!("{:6.1}s {name}", start.elapsed().as_secs_f64()));
        result.map_err(|error| format!("{error:#}").into())
    })
}

fn every_file_is_in_the_table() -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vm");
    for entry in std::fs::read_dir(folder).context("read tests/vm")? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).context("name a file of tests")?;
        let known = OTHERS.contains(&name) || FILES.iter().any(|(file, _)| *file == name);
        ensure!(known, "{} is in no table", path.display());
    }
    Ok(())
}

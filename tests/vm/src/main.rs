//! The journeys in QEMU: real kernels, initramfs-tools' own images, klibc's run-init, systemd. Guests are
//! built on demand; nothing here can pass without one having booted.

mod agent;
mod choice;
mod commands;
mod copy;
mod cost;
mod cover;
mod failure;
mod faults;
mod foreign;
mod hostile;
mod lab;
mod later;
mod layout;
mod left;
mod logins;
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
mod run;
mod seed;
mod settings;
mod smoke;
mod sources;
mod storage;
mod tier;

use std::process::ExitCode;

use anyhow::Result;
use cover::Covers;
use libtest_mimic::Arguments;
use lifeboat_qemu::args::Family;
use run::Run;
use tier::{OfProduct, Test, Tier};

/// The tests of a file, and their family. To add a file: a line here. The family says what its tests outside of the gate
/// cover (`cover::of_family`).
const FILES: &[(&str, Family, &[Test])] = &[
    ("agent", Family::Agent, agent::TESTS),
    ("choice", Family::Choose, choice::TESTS),
    ("commands", Family::Agent, commands::TESTS),
    ("copy", Family::Identity, copy::TESTS),
    ("cost", Family::Harmless, cost::TESTS),
    ("failure", Family::Failure, failure::TESTS),
    ("faults", Family::Harmless, faults::TESTS),
    ("foreign", Family::Choose, foreign::TESTS),
    ("hostile", Family::Harmless, hostile::TESTS),
    ("later", Family::Harmless, later::TESTS),
    ("layout", Family::Choose, &[]),
    ("left", Family::Choose, left::TESTS),
    ("logins", Family::Agent, logins::TESTS),
    ("storage", Family::Agent, storage::TESTS),
    ("media", Family::Choose, media::TESTS),
    ("modules", Family::Modules, modules::TESTS),
    ("modules_debian", Family::Modules, modules_debian::TESTS),
    ("modules_layout", Family::Modules, &[]),
    ("modules_packages", Family::Modules, modules_packages::TESTS),
    ("modules_roots", Family::Modules, modules_roots::TESTS),
    ("modules_url", Family::Modules, modules_url::TESTS),
    ("nfs", Family::Modules, nfs::TESTS),
    ("packages", Family::Packages, packages::TESTS),
    ("platform", Family::Choose, platform::TESTS),
    ("rescue", Family::Choose, rescue::TESTS),
    ("seed", Family::Seed, seed::TESTS),
    ("settings", Family::Choose, settings::TESTS),
    ("smoke", Family::Harmless, smoke::TESTS),
    ("sources", Family::Seed, sources::TESTS),
];

/// Something that may be run: a test of a file, or one of a product.
pub(crate) struct Named {
    name: String,
    family: Family,
    tier: Tier,
    covers: &'static [Covers],
    test: Box<dyn FnOnce() -> Result<()> + Send>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // More than guests run at a time: one that only waits for a time-out lets another boot.
    arguments.test_threads.get_or_insert(4);
    match Run::from_environment() {
        Ok(run) => libtest_mimic::run(&arguments, run.trials(all())).exit_code(),
        Err(error) => {
            lab::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// All tests there are.
fn all() -> Vec<Named> {
    let of_files = FILES.iter().flat_map(|(file, family, tests)| {
        tests.iter().map(move |test| Named {
            name: format!("{file}::{}", test.name),
            family: *family,
            tier: test.tier,
            covers: cover::declared(test.covers, *family),
            test: Box::new(test.run),
        })
    });
    let layout = of_product("layout", layout::product());
    let modules_layout = of_product("modules_layout", modules_layout::product());
    of_files.chain(layout).chain(modules_layout).chain(of_product("failure", failure::product())).collect()
}

fn of_product<C: OfProduct>(file: &str, cases: impl Iterator<Item = C>) -> impl Iterator<Item = Named> {
    let family =
        FILES.iter().find(|(name, ..)| *name == file).map_or(Family::Harmless, |(_, family, _)| *family);
    cases.map(move |case| Named {
        name: format!("{file}::{}", case.name()),
        family,
        tier: case.tier(),
        covers: cover::declared(case.covers(), family),
        test: Box::new(move || case.run()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cover::wanted::missing;
    use clap::ValueEnum as _;

    /// The files that hold no tests.
    const OTHERS: [&str; 5] = ["cover", "lab", "main", "run", "tier"];

    #[test]
    fn the_gate_covers_each_pair() {
        let declared: Vec<Covers> = all()
            .iter()
            .filter(|test| test.tier == Tier::Gate)
            .flat_map(|test| test.covers.iter().copied())
            .collect();
        assert_eq!(missing(&declared), []);
    }

    #[test]
    fn each_test_of_the_gate_covers_what_no_other_does() {
        let gate: Vec<Named> = all().into_iter().filter(|test| test.tier == Tier::Gate).collect();
        for test in &gate {
            let others = gate.iter().filter(|other| other.name != test.name);
            let declared: Vec<Covers> = others.flat_map(|other| other.covers.iter().copied()).collect();
            assert_ne!(missing(&declared), [], "{} could leave the gate", test.name);
        }
    }

    #[test]
    fn each_test_declares_what_it_covers() {
        for test in all() {
            assert_ne!(test.covers, [], "{}", test.name);
        }
    }

    #[test]
    fn each_family_is_about_something_that_the_gate_wants() {
        for family in Family::value_variants() {
            let covers = cover::of_family(*family);
            assert_ne!(covers, [], "{family:?}");
            for one in covers {
                assert!(cover::wanted::wanted().contains(one), "{family:?}: {one:?}");
            }
        }
    }

    #[test]
    fn each_file_is_in_the_table() {
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let known = OTHERS.contains(&name) || FILES.iter().any(|(file, ..)| *file == name);
            assert!(known, "{} is in no table", path.display());
        }
    }

    #[test]
    fn names_are_given_once() {
        let names: Vec<String> = all().into_iter().map(|test| test.name).collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
    }
}

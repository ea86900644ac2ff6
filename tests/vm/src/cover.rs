//! The pairs that the gate's boots must cover between them: those of a stage and an outcome, of a stage and a run-init,
//! of a journey and a generator, and each thing that the agent does. A test declares its pairs; that they are complete
//! is a test in `main.rs`; that a boot had them is read off the consoles of the test's guests.

#[cfg(test)]
pub(crate) mod wanted;

use anyhow::{Result, ensure};
use lifeboat_qemu::args::Family;
use lifeboat_qemu::guest::RunInit;
use lifeboat_qemu::vm::Ended;

/// Something that a boot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covers {
    /// A stage of the boot program ended in this way.
    Stage(Stage, Outcome),
    /// A stage did its work, and this run-init left the initramfs afterwards.
    Left(Stage, RunInit),
    /// A journey did its work in an initramfs of this generator.
    By(Journey, Generator),
    /// The agent did this in the booted system.
    Agent(Ability),
    /// The packages are installed in a Debian tree, and leave nothing of it when they are removed.
    Packages,
}

/// A place in the boot where the boot program is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Premount,
    Block,
    Wait,
    Resolve,
    Mounted,
    Bottom,
    Last,
    Modules,
    Seed,
}

/// The end of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did its work.
    Done,
    /// There was nothing to do.
    Skipped,
    /// There was a volume, and it was not to be used.
    Ignored,
    /// It was switched off.
    Off,
    /// A volume failed, and the machine's own root had its second chance.
    GaveBack,
    /// Nothing but an ignored volume was the root, and that was booted in the end.
    LastResort,
    /// It failed, and the boot went on.
    Failed,
}

/// A journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journey {
    Rescue,
    Modules,
    Seed,
}

/// The generator that made the initramfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generator {
    /// initramfs-tools 0.142, of Debian 12.
    Bookworm,
    /// initramfs-tools 0.148, of Debian 13.
    Trixie,
}

/// An ability of the agent in a booted system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Carries a seed out, once for an instance.
    Seeded,
    /// Does nothing without a seed.
    Unseeded,
    /// Lets people in in a rescue boot, and does nothing else.
    InRescue,
    /// Offers commands to those who repair a machine.
    Repair,
    /// Gives the disk's modules back to dpkg.
    Settle,
}

use Covers::By;
use Outcome::{Done, Failed, GaveBack, Ignored, LastResort, Off, Skipped};

/// Each outcome that a stage can have, and the line on the console that tells it: parts that it holds, and parts by
/// which it would be another stage's. What fails is the wrapper of the faulty initramfs, which says so.
const OUTCOMES: &[(Stage, Outcome, &[&str], &[&str])] = &[
    (
        Stage::Premount,
        Done,
        &["rescue: booting from ", " in place of "],
        &["which appeared", "which cannot be booted"],
    ),
    (Stage::Premount, Skipped, &["rescue: skipped: no volume is labelled "], &[]),
    (Stage::Premount, Ignored, &["rescue: skipped: ", " is ignored: it holds /finished"], &[]),
    (Stage::Premount, Off, &["rescue: skipped: ", "is on the kernel command line"], &[]),
    (Stage::Premount, Failed, &["test: rescue-premount aborts"], &[]),
    (Stage::Block, Done, &["rescue: booting from ", "which appeared"], &[]),
    // The stage before it says this when the boot begins: a test of it attaches the volume later.
    (Stage::Block, Ignored, &["rescue: skipped: ", " is ignored: it holds /finished"], &[]),
    (Stage::Block, Failed, &["test: rescue-block aborts"], &[]),
    (Stage::Wait, Done, &["rescue: booting from ", "which cannot be booted"], &[]),
    (Stage::Wait, Skipped, &["rescue: no rescue volume was attached within "], &[]),
    (Stage::Wait, GaveBack, &["rescue: going on with the machine's own root"], &[]),
    (Stage::Wait, LastResort, &["rescue: root=", " is on ignored volumes alone: "], &[]),
    (Stage::Wait, Failed, &["test: rescue-wait aborts"], &[]),
    // It answers init, and logs nothing.
    (Stage::Resolve, Done, &["test: rescue-resolve called"], &[]),
    (Stage::Resolve, Failed, &["test: rescue-resolve aborts"], &[]),
    (Stage::Mounted, Done, &["rescue: the fstab of ", " leads to no other disk"], &[]),
    (Stage::Mounted, Failed, &["test: rescue-mounted aborts"], &[]),
    (Stage::Bottom, Done, &["rescue: ", " takes the place of "], &[]),
    (Stage::Bottom, Skipped, &["rescue: skipped: no rescue volume appeared"], &[]),
    (Stage::Bottom, Failed, &["test: rescue-bottom aborts"], &[]),
    (Stage::Last, Failed, &["test: rescue-last aborts"], &[]),
    (Stage::Modules, Done, &["modules: exported "], &[]),
    (Stage::Modules, Skipped, &["modules: skipped: the root already has "], &[]),
    (Stage::Modules, Off, &["modules: skipped: ", "is on the kernel command line"], &[]),
    (Stage::Modules, Failed, &["test: modules aborts"], &[]),
    (Stage::Seed, Done, &["seed: handed over "], &[]),
    (Stage::Seed, Skipped, &["seed: skipped: no seed "], &[]),
    (Stage::Seed, Off, &["seed: skipped: ", "is on the kernel command line"], &[]),
    (Stage::Seed, Failed, &["test: seed aborts"], &[]),
];

/// The declaration of a test: its own pairs, or else those of its family.
pub(crate) fn declared(own: &'static [Covers], family: Family) -> &'static [Covers] {
    if own.is_empty() { of_family(family) } else { own }
}

/// The pairs that the tests of a family are about: each covers at least one of them. Its guests tell the stages and their outcomes: see [`seen`].
pub(crate) const fn of_family(family: Family) -> &'static [Covers] {
    match family {
        Family::Choose | Family::Identity | Family::Failure => {
            &[By(Journey::Rescue, Generator::Bookworm), By(Journey::Rescue, Generator::Trixie)]
        }
        Family::Modules => {
            &[By(Journey::Modules, Generator::Bookworm), By(Journey::Modules, Generator::Trixie)]
        }
        Family::Seed => &[By(Journey::Seed, Generator::Bookworm), By(Journey::Seed, Generator::Trixie)],
        Family::Harmless => &[
            By(Journey::Rescue, Generator::Bookworm),
            By(Journey::Modules, Generator::Bookworm),
            By(Journey::Seed, Generator::Bookworm),
        ],
        Family::Agent => &[
            Covers::Agent(Ability::Seeded),
            Covers::Agent(Ability::Unseeded),
            Covers::Agent(Ability::InRescue),
            Covers::Agent(Ability::Repair),
            Covers::Agent(Ability::Settle),
        ],
        Family::Packages => &[Covers::Packages],
    }
}

/// The stages and their outcomes that a test's guests have shown, for a test that declares its family alone.
pub(crate) fn seen(guests: &[Ended]) -> Vec<Covers> {
    let pairs = OUTCOMES.iter().map(|(stage, outcome, ..)| Covers::Stage(*stage, *outcome));
    pairs.filter(|pair| guests.iter().any(|guest| shows(*pair, guest))).collect()
}

/// Fails unless the test's guests have shown all that it declares.
pub(crate) fn check(declared: &[Covers], guests: &[Ended]) -> Result<()> {
    for covers in declared {
        // Of the packages no guest is booted.
        let shown = *covers == Covers::Packages || guests.iter().any(|guest| shows(*covers, guest));
        ensure!(shown, "the test declares {covers:?}, and none of its guests has shown that");
    }
    Ok(())
}

fn shows(covers: Covers, guest: &Ended) -> bool {
    let has_booted = guest.console.contains(" login:");
    match covers {
        Covers::Stage(stage, outcome) => has_line(guest, stage, outcome),
        Covers::Left(stage, run_init) => {
            has_booted && guest.run_init == Some(run_init) && has_line(guest, stage, Done)
        }
        Covers::By(journey, generator) => {
            let stages: &[Stage] = match journey {
                Journey::Rescue => &[Stage::Premount, Stage::Block, Stage::Wait, Stage::Bottom],
                Journey::Modules => &[Stage::Modules],
                Journey::Seed => &[Stage::Seed],
            };
            guest.suite == suite(generator) && stages.iter().any(|stage| has_line(guest, *stage, Done))
        }
        // The agent's log is not on the console: the test asserts what it did.
        Covers::Agent(_) => has_booted,
        Covers::Packages => false,
    }
}

fn suite(generator: Generator) -> &'static str {
    match generator {
        Generator::Bookworm => "bookworm",
        Generator::Trixie => "trixie",
    }
}

fn has_line(guest: &Ended, stage: Stage, outcome: Outcome) -> bool {
    let rows = OUTCOMES.iter().filter(|row| (row.0, row.1) == (stage, outcome));
    rows.into_iter().any(|(.., holds, lacks)| {
        guest.console.lines().any(|line| {
            holds.iter().all(|part| line.contains(part)) && !lacks.iter().any(|part| line.contains(part))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(console: &str) -> Ended {
        Ended { console: console.to_owned(), run_init: Some(RunInit::Klibc), suite: "bookworm".to_owned() }
    }

    const STEERED: &str =
        "[    2.1] lifeboat: rescue: booting from /dev/vdb in place of /dev/vda\nown login:\n";

    #[test]
    fn a_guest_shows_what_its_console_says_and_no_more() {
        let steered = guest(STEERED);
        let yes = [
            Covers::Stage(Stage::Premount, Done),
            Covers::Left(Stage::Premount, RunInit::Klibc),
            Covers::By(Journey::Rescue, Generator::Bookworm),
        ];
        let no = [
            Covers::Stage(Stage::Block, Done),
            Covers::Stage(Stage::Wait, Done),
            Covers::Left(Stage::Premount, RunInit::Busybox),
            Covers::By(Journey::Rescue, Generator::Trixie),
            Covers::By(Journey::Seed, Generator::Bookworm),
        ];
        assert!(check(&yes, std::slice::from_ref(&steered)).is_ok());
        for covers in no {
            assert!(check(&[covers], std::slice::from_ref(&steered)).is_err(), "{covers:?}");
        }
    }

    #[test]
    fn what_a_guest_has_shown_is_read_off_its_console() {
        assert_eq!(seen(&[guest(STEERED)]), [Covers::Stage(Stage::Premount, Done)]);
        assert_eq!(seen(&[guest("own login:")]), []);
    }

    #[test]
    fn a_test_without_pairs_has_those_of_its_family() {
        let own: &[Covers] = &[Covers::Packages];
        assert_eq!(declared(own, Family::Seed), own);
        assert_eq!(declared(&[], Family::Seed), of_family(Family::Seed));
    }

    #[test]
    fn the_lines_of_the_stages_are_told_apart() {
        let appeared = guest("lifeboat: rescue: booting from /dev/vdb, which appeared, in place of root=x");
        let saved =
            guest("lifeboat: rescue: booting from /dev/vdb in place of the root, which cannot be booted");
        for (guest, stage) in [(appeared, Stage::Block), (saved, Stage::Wait)] {
            for other in [Stage::Premount, Stage::Block, Stage::Wait] {
                assert_eq!(has_line(&guest, other, Done), other == stage, "{other:?}");
            }
        }
    }

    #[test]
    fn a_guest_that_did_not_come_up_was_not_left_the_initramfs_to() {
        let stuck = guest(STEERED.trim_end_matches("own login:\n"));
        assert!(check(&[Covers::Left(Stage::Premount, RunInit::Klibc)], &[stuck]).is_err());
    }
}

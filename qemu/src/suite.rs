//! `cargo vm test` and `cargo vm soak`: checks and tests, counted one by one, in runs that can be gone on with.

mod checks;
mod journal;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum as _;
use journal::{Begin, Journal};

use crate::args::{Family, TestArgs};
use crate::cache::Cache;
use crate::run::Program;
use crate::vm::VEHICLE;
use crate::{phase, setup, workspace};
pub(crate) use checks::limit;

/// The environment variable that tells the VM tests their tier: `gate`, `full` or `soak`.
pub const TIER: &str = "LIFEBOAT_TIER";
/// The variable that tells them their family; without it all are run.
pub const FAMILY: &str = "LIFEBOAT_FAMILY";
/// The variable that names the file of passed tests.
pub const PASSED: &str = "LIFEBOAT_PASSED";

/// A check: its name, the runs that have it, and what runs it.
struct Check {
    name: &'static str,
    runs: Runs,
    /// `None`: it could not be run here, and says why.
    run: fn(&Cache) -> Result<Option<Tally>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    Each,
    Full,
}

/// The checks in the order in which they run: what is quick and fails often comes first.
const CHECKS: &[Check] = &[
    Check { name: "formatting", runs: Runs::Each, run: checks::formatting },
    Check { name: "doc comments", runs: Runs::Each, run: checks::doc_comments },
    Check { name: "lints", runs: Runs::Each, run: checks::lints },
    Check { name: "shell scripts", runs: Runs::Each, run: checks::shell_scripts },
    Check { name: "fuzz targets", runs: Runs::Each, run: checks::fuzz_targets },
    Check { name: "static binaries", runs: Runs::Each, run: checks::static_binaries },
    Check { name: "packages", runs: Runs::Each, run: checks::packages_are_clean },
    // Compiling the tool takes minutes.
    Check { name: "dependencies", runs: Runs::Full, run: checks::dependencies },
    Check { name: "advisories", runs: Runs::Full, run: checks::advisories },
    Check { name: "unit and namespace tests", runs: Runs::Each, run: |_| unit_tests().map(Some) },
];

/// The families that mostly boot tiny guests. Larger runs than the gate boot those in user-mode Linux where they can.
const TINY: &[Family] =
    &[Family::Choose, Family::Identity, Family::Failure, Family::Modules, Family::Seed, Family::Harmless];

/// The recorded user-data that the agent's tests use where it exists: it is no part of this repository.
const VECTORS: &str = "../shared/conformance/run";

/// The numbers of tests that passed and that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: u32,
    failed: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    AsItComes,
    OnFailure,
}

/// A line of the closing table; without a tally it was not run.
struct Row {
    name: String,
    tally: Option<Tally>,
    took: Duration,
}

/// Runs what the arguments say; fails when anything did.
pub fn test(args: TestArgs) -> Result<ExitCode> {
    let cache = Cache::open()?;
    if args.family.is_none() {
        setup::checks()?;
    }
    setup::build(&cache)?;
    setup::guests()?;
    let begin = if args.resume { Begin::WhereItEnded } else { Begin::Anew };
    let journal = Journal::open(&cache, &kind(args), begin)?;
    let before = journal.passed()?;
    let mut rows = Vec::new();
    let wanted = |check: &&Check| args.family.is_none() && (args.full || check.runs == Runs::Each);
    for check in CHECKS.iter().filter(wanted).filter(|check| !before.iter().any(|name| name == check.name)) {
        let row = row(check.name, || (check.run)(&cache));
        if row.tally.is_some_and(|tally| tally.failed == 0) {
            journal.add(check.name)?;
        }
        rows.push(row);
    }
    for slice in slices(args) {
        rows.push(slice.run(&journal)?);
    }
    if !before.is_empty() {
        say(&format!("left out: {} that passed on this tree in an earlier run", before.len()));
    }
    if args.family.is_none() && !workspace().join(VECTORS).try_exists()? {
        say(&format!("left out: the agent's test of recorded user-data, for there is no {VECTORS}"));
    }
    Ok(conclude(&rows))
}

/// The journal's name: only a run of the same kind has passed the same.
fn kind(args: TestArgs) -> String {
    match args.family {
        Some(family) => name_of(family),
        None if args.full => "full".to_owned(),
        None => "gate".to_owned(),
    }
}

/// VM tests that run in one go.
struct Slice {
    tier: &'static str,
    family: Option<Family>,
}

/// The gate is one slice; of the others each family is one. A full run begins with the gate, so that its tests run in
/// QEMU: what has passed is left out afterwards.
fn slices(args: TestArgs) -> Vec<Slice> {
    let gate = Slice { tier: "gate", family: None };
    let of = |family| Slice { tier: "full", family: Some(family) };
    match args.family {
        Some(family) => vec![of(family)],
        None if args.full => {
            std::iter::once(gate).chain(Family::value_variants().iter().copied().map(of)).collect()
        }
        None => vec![gate],
    }
}

impl Slice {
    fn vehicle(&self) -> &'static str {
        if self.family.is_some_and(|family| TINY.contains(&family)) { "uml" } else { "qemu" }
    }

    fn run(&self, journal: &Journal) -> Result<Row> {
        let name =
            self.family.map_or("VM tests".to_owned(), |family| format!("VM tests: {}", name_of(family)));
        // All of a slice may have passed before. The journal has checks too, whose names hold no `::`.
        let some_passed = journal.passed()?.iter().any(|name| name.contains("::"));
        Ok(row(&name, || {
            let tally = boots(self.tier, self.family, Some(journal), self.vehicle())?;
            Ok((tally != Tally::default() || !some_passed).then_some(tally))
        }))
    }
}

/// Runs the VM tests this many times, with those that are too many for each run.
pub fn soak(rounds: u32) -> Result<ExitCode> {
    let cache = Cache::open()?;
    setup::build(&cache)?;
    setup::guests()?;
    let rows = (1..=rounds).map(|round| {
        // Each vehicle has every other round.
        let (vehicle, shown) =
            if round.is_multiple_of(2) { ("uml", " (user-mode Linux)") } else { ("qemu", "") };
        row(&format!("round {round}{shown}"), || boots("soak", None, None, vehicle).map(Some))
    });
    Ok(conclude(&rows.collect::<Vec<_>>()))
}

fn name_of(family: Family) -> String {
    family.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn row(name: &str, run: impl FnOnce() -> Result<Option<Tally>>) -> Row {
    phase::say(name);
    let start = Instant::now();
    let tally = run().unwrap_or_else(|err| {
        say(&format!("{name}: {err:#}"));
        Some(Tally { passed: 0, failed: 1 })
    });
    let tally = tally.map(Tally::or_failed);
    Row { name: name.to_owned(), tally, took: start.elapsed() }
}

fn conclude(rows: &[Row]) -> ExitCode {
    let (text, total) = table(rows);
    say(&text);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Boots no guest: the VM tests are a program.
fn unit_tests() -> Result<Tally> {
    let quick = setup::cargo("test").args(["--workspace", "--no-fail-fast"]);
    let slow = setup::cargo("test").args(["--package", "lifeboat", "--test", "slow"]);
    Ok([tally(quick, Shown::OnFailure)?.or_failed(), tally(slow, Shown::OnFailure)?.or_failed()]
        .into_iter()
        .sum())
}

/// Runs VM tests in this vehicle, unless our own environment names one.
fn boots(tier: &str, family: Option<Family>, journal: Option<&Journal>, vehicle: &str) -> Result<Tally> {
    let mut run = setup::cargo("run").args(["--quiet", "--package", "lifeboat-vm-tests"]).env(TIER, tier);
    if std::env::var_os(VEHICLE).is_none() {
        run = run.env(VEHICLE, vehicle);
    }
    if let Some(family) = family {
        run = run.env(FAMILY, name_of(family));
    }
    if let Some(journal) = journal {
        run = run.env(PASSED, journal.path());
    }
    tally(run, Shown::AsItComes)
}

fn tally(run: Program, shown: Shown) -> Result<Tally> {
    let mut lines = String::new();
    let status = run.directory(workspace()).lines(|line| {
        if shown == Shown::AsItComes {
            say(line);
        }
        lines.push_str(line);
        lines.push('\n');
    })?;
    let tally = count(&lines, status);
    if shown == Shown::OnFailure && tally.or_failed().failed > 0 {
        say(&lines);
    }
    Ok(tally)
}

/// Adds up `test result: ok. 3 passed; 0 failed; …`; what ended badly without such a line failed once.
fn count(lines: &str, status: ExitStatus) -> Tally {
    let mut total: Tally = lines.lines().filter_map(|line| result(line.trim())).sum();
    if !status.success() && total.failed == 0 {
        total.failed = 1;
    }
    total
}

fn result(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number =
        |what: &str| counts.split("; ").find_map(|part| part.strip_suffix(what)?.trim().parse::<u32>().ok());
    Some(Tally { passed: number("passed")?, failed: number("failed")? })
}

/// One check of several: its failure is told, and the others go on.
fn one(check: Result<Tally>) -> Tally {
    check.unwrap_or_else(|err| {
        say(&format!("{err:#}"));
        Tally { passed: 0, failed: 1 }
    })
}

fn table(rows: &[Row]) -> (String, Tally) {
    let total: Tally = rows.iter().filter_map(|row| row.tally).sum();
    let mut text = format!("\n{:<26}{:>8}{:>8}{:>9}\n", "check", "passed", "failed", "seconds");
    for Row { name, tally, took } in rows {
        let counts = match tally {
            Some(tally) => format!("{:>8}{:>8}", tally.passed, tally.failed),
            None => format!("{:>16}", "not run"),
        };
        // Writing to a String cannot fail.
        writeln!(text, "{name:<26}{counts}{:>9.1}", took.as_secs_f64()).unwrap_or_default();
    }
    write!(text, "\n{} passed, {} failed", total.passed, total.failed).unwrap_or_default();
    (text, total)
}

fn say(text: &str) {
    // Nobody can be told that standard output is closed.
    drop(writeln!(std::io::stdout(), "{text}"));
}

impl Tally {
    /// Counts a run without any test as failed.
    fn or_failed(self) -> Self {
        if self == Self::default() { Self { passed: 0, failed: 1 } } else { self }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            passed: sum.passed + one.passed,
            failed: sum.failed + one.failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    const LINES: &str = "\
running 2 tests
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 3.20s
";

    #[test]
    fn results_are_added_up() {
        assert_eq!(count(LINES, ExitStatus::from_raw(256)), Tally { passed: 15, failed: 2 });
    }

    #[test]
    fn what_does_not_compile_failed() {
        assert_eq!(count("error: no", ExitStatus::from_raw(256)), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn what_ran_no_test_failed() {
        let empty = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(count(empty, ExitStatus::from_raw(0)).or_failed(), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn the_table_ends_in_the_sum() {
        let row = |passed, failed| Row {
            name: "lints".into(),
            tally: Some(Tally { passed, failed }),
            took: Duration::from_secs(2),
        };
        let not_run = Row { tally: None, ..row(0, 0) };
        let (text, total) = table(&[row(3, 0), not_run, row(4, 1)]);
        assert!(text.contains("not run"), "{text}");
        assert_eq!(text.lines().last(), Some("7 passed, 1 failed"));
        assert_eq!(total, Tally { passed: 7, failed: 1 });
    }

    #[test]
    fn a_full_run_has_a_slice_for_each_family() {
        let args = TestArgs { full: true, family: None, resume: false };
        let families: Vec<_> = slices(args).iter().filter_map(|slice| slice.family).collect();
        assert_eq!(families, Family::value_variants());
        assert_eq!(kind(args), "full");
        let one = TestArgs { family: Some(Family::Seed), ..args };
        assert_eq!((kind(one), slices(one).len()), ("seed".to_owned(), 1));
        assert_eq!(slices(TestArgs { full: false, ..args })[0].tier, "gate");
    }

    #[test]
    fn the_gate_boots_in_qemu_and_is_part_of_a_full_run() {
        let args = TestArgs { full: false, family: None, resume: false };
        let shown = |args| slices(args).iter().map(|slice| (slice.tier, slice.vehicle())).collect::<Vec<_>>();
        assert_eq!(shown(args), [("gate", "qemu")]);
        let full = shown(TestArgs { full: true, ..args });
        assert_eq!(full[..2], [("gate", "qemu"), ("full", "uml")]);
        assert_eq!(full.iter().filter(|slice| **slice == ("full", "qemu")).count(), 2);
        assert_eq!(shown(TestArgs { family: Some(Family::Agent), ..args }), [("full", "qemu")]);
    }

    #[test]
    fn a_check_that_was_not_run_has_not_passed() {
        let row = row("advisories", || Ok(None));
        assert_eq!(row.tally, None);
        assert_eq!(table(&[row]).1, Tally::default());
    }
}

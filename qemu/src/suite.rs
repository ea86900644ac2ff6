//! `cargo vm test`: every check and test there is, counted one by one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cache::Cache;
use crate::run::{Program, program};
use crate::{packages, phase, setup, workspace};

/// A check: its name, and what runs it.
struct Check {
    name: &'static str,
    run: fn(&Cache) -> Result<Tally>,
}

/// The checks in the order in which they run: what is quick and fails often comes first.
const CHECKS: &[Check] = &[
    Check { name: "formatting", run: |_| judge(setup::cargo("fmt").args(["--all", "--check"])) },
    Check { name: "lints", run: |_| judge(clippy()) },
    Check { name: "shell scripts", run: |_| shellcheck() },
    Check { name: "static binaries", run: static_binaries },
    Check { name: "packages", run: lintian },
    Check { name: "unit and namespace tests", run: |_| tests(UNIT_TESTS, Shown::OnFailure) },
    Check { name: "VM tests", run: |_| tests(VM_TESTS, Shown::AsItComes) },
];

/// All test targets but `vm`.
const UNIT_TESTS: &[&str] = &["--workspace", "--lib", "--bins", "--test", "[!v]*"];
const VM_TESTS: &[&str] = &["--test", "vm"];
/// Whole products, of which `VM_TESTS` has samples.
const ALL_VM_TESTS: &[&str] = &["--test", "vm", "--", "--include-ignored"];

/// What the agent's tests use where it is there: it is no part of this repository.
const VECTORS: &str = "../shared/conformance/run";

/// Where shell scripts are.
const SCRIPTS: &[&str] = &[
    "initramfs-hooks",
    "agent/systemd",
    "agent/kernel-hooks",
    "agent/maintainer-scripts",
    "qemu/guest",
    ".ci",
];

/// The static binaries' names, and how many bytes they may have.
const LIMITS: &[(&str, u64)] = &[("lifeboat", 700 * 1024), ("lifeboat-agent", 3584 * 1024)];

/// How many bytes a static binary may have.
pub(crate) fn limit(binary: &str) -> Option<u64> {
    LIMITS.iter().find_map(|(name, limit)| (*name == binary).then_some(*limit))
}

/// How many passed and failed.
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

/// A line of the closing table.
struct Row {
    name: String,
    tally: Tally,
    took: Duration,
}

/// Runs everything; fails when anything did.
pub fn test() -> Result<ExitCode> {
    let cache = Cache::open()?;
    setup::checks()?;
    setup::build(&cache)?;
    setup::guests()?;
    let rows = CHECKS.iter().map(|check| row(check.name, || (check.run)(&cache)));
    let conclusion = conclude(rows.collect());
    if !workspace().join(VECTORS).try_exists()? {
        say(&format!("left out: the agent's test of recorded user-data, for there is no {VECTORS}"));
    }
    Ok(conclusion)
}

/// Runs the VM tests this many times, with those that are too many for each run.
pub fn soak(rounds: u32) -> Result<ExitCode> {
    let cache = Cache::open()?;
    setup::build(&cache)?;
    setup::guests()?;
    let rows =
        (1..=rounds).map(|round| row(&format!("round {round}"), || tests(ALL_VM_TESTS, Shown::AsItComes)));
    Ok(conclude(rows.collect()))
}

fn row(name: &str, run: impl FnOnce() -> Result<Tally>) -> Row {
    phase::say(name);
    let start = Instant::now();
    let tally = run().unwrap_or_else(|err| {
        say(&format!("{name}: {err:#}"));
        Tally { passed: 0, failed: 1 }
    });
    let tally = tally.or_failed();
    Row { name: name.to_owned(), tally, took: start.elapsed() }
}

fn conclude(rows: Vec<Row>) -> ExitCode {
    let (text, total) = table(&rows);
    say(&text);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A program that is one check by itself.
fn judge(program: Program) -> Result<Tally> {
    program.directory(workspace()).run().map(|_| Tally { passed: 1, failed: 0 })
}

fn clippy() -> Program {
    setup::cargo("clippy").args(["--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"])
}

fn shellcheck() -> Result<Tally> {
    let mut scripts = BTreeSet::new();
    for folder in SCRIPTS {
        find_scripts(&workspace().join(folder), &mut scripts)?;
    }
    Ok(scripts.iter().map(|script| one(judge(program("shellcheck").arg(script)))).sum())
}

fn find_scripts(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path.is_dir() {
            find_scripts(&path, found)?;
        } else if path.is_file() {
            let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            if [b"#!/bin/sh\n".as_slice(), b"#!/bin/bash\n"].iter().any(|first| bytes.starts_with(first)) {
                found.insert(path);
            }
        }
    }
    Ok(())
}

fn static_binaries(cache: &Cache) -> Result<Tally> {
    packages::build(cache)?;
    Ok(LIMITS.iter().flat_map(|(name, limit)| [linkage(name), size(name, *limit)]).map(one).sum())
}

fn linkage(name: &str) -> Result<Tally> {
    let binary = packages::binary(name);
    let words = ["--wide", "--file-header", "--program-headers", "--dynamic"];
    let headers = program("readelf").args(words).arg(&binary).env("LC_ALL", "C").run()?;
    static_pie(&headers).with_context(|| format!("check how {} is linked", binary.display()))?;
    Ok(Tally { passed: 1, failed: 0 })
}

/// Reads readelf's output.
fn static_pie(headers: &str) -> Result<()> {
    let flags = headers.lines().find(|line| line.contains("(FLAGS_1)")).unwrap_or_default();
    ensure!(flags.split_whitespace().any(|flag| flag == "PIE"), "it is not position independent");
    ensure!(!headers.contains(" INTERP "), "it asks for an interpreter");
    ensure!(!headers.contains("(NEEDED)"), "it needs shared libraries");
    Ok(())
}

fn size(name: &str, limit: u64) -> Result<Tally> {
    let binary = packages::binary(name);
    let bytes = fs::metadata(&binary).with_context(|| format!("look at {}", binary.display()))?.len();
    ensure!(bytes < limit, "{} has {bytes} bytes, its limit is {limit}", binary.display());
    say(&format!("{name}: {bytes} bytes of {limit}"));
    Ok(Tally { passed: 1, failed: 0 })
}

fn lintian(cache: &Cache) -> Result<Tally> {
    let packages = packages::build(cache)?;
    let lintian =
        |package: &Path| judge(program("lintian").args(["--allow-root", "--fail-on", "error"]).arg(package));
    Ok([lintian(&packages.lifeboat), lintian(&packages.agent)].into_iter().map(one).sum())
}

fn tests(which: &[&str], shown: Shown) -> Result<Tally> {
    let mut lines = String::new();
    let run = setup::cargo("test").args(["--no-fail-fast"]).args(which).directory(workspace());
    let status = run.lines(|line| {
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
    let total: Tally = rows.iter().map(|row| row.tally).sum();
    let mut text = format!("\n{:<26}{:>8}{:>8}{:>9}\n", "check", "passed", "failed", "seconds");
    for Row { name, tally, took } in rows {
        // Writing to a String cannot fail.
        writeln!(text, "{name:<26}{:>8}{:>8}{:>9.1}", tally.passed, tally.failed, took.as_secs_f64())
            .unwrap_or_default();
    }
    write!(text, "\n{} passed, {} failed", total.passed, total.failed).unwrap_or_default();
    (text, total)
}

fn say(text: &str) {
    // Nobody can be told that standard output is closed.
    drop(writeln!(std::io::stdout(), "{text}"));
}

impl Tally {
    /// What ran nothing has shown nothing.
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
            tally: Tally { passed, failed },
            took: Duration::from_secs(2),
        };
        let (text, total) = table(&[row(3, 0), row(4, 1)]);
        assert_eq!(text.lines().last(), Some("7 passed, 1 failed"));
        assert_eq!(total, Tally { passed: 7, failed: 1 });
    }

    #[test]
    fn a_dynamic_program_is_not_taken_for_a_static_one() {
        let pie = "  Type: DYN\n 0x6ffffffb (FLAGS_1)  Flags: NOW PIE\n";
        assert!(static_pie(pie).is_ok());
        for line in ["  INTERP         0x000318", " 0x01 (NEEDED)   Shared library: [libc.so.6]"] {
            assert!(static_pie(&format!("{pie}{line}\n")).is_err(), "{line}");
        }
        assert!(static_pie("  Type: EXEC\n").is_err());
    }
}

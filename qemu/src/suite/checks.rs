//! The checks besides the tests: the sources, the static binaries, the packages, the dependencies.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Tally, one, say};
use crate::cache::Cache;
use crate::run::{Program, program};
use crate::{packages, setup, workspace};

/// Folders whose comments are read.
const DOCUMENTED: &[&str] = &["agent", "crates", "tests", "qemu", "src"];

/// First words of a comment that has no subject.
const NO_SUBJECT: &[&str] = &["Whether ", "What ", "Which ", "How ", "Of ", "Has "];

/// Where shell scripts are.
const SCRIPTS: &[&str] = &[
    "initramfs-hooks",
    "agent/systemd",
    "agent/kernel-hooks",
    "agent/maintainer-scripts",
    "qemu/guest",
    "findings",
    ".ci",
];

/// The static binaries' names, and how many bytes they may have.
const LIMITS: &[(&str, u64)] = &[("lifeboat", 700 * 1024), ("lifeboat-agent", 3584 * 1024)];

/// The most bytes that a static binary may have.
pub(crate) fn limit(binary: &str) -> Option<u64> {
    LIMITS.iter().find_map(|(name, limit)| (*name == binary).then_some(*limit))
}

pub(super) fn formatting(_: &Cache) -> Result<Option<Tally>> {
    judge(setup::cargo("fmt").args(["--all", "--check"])).map(Some)
}

/// Doc comments begin with their subject.
pub(super) fn doc_comments(_: &Cache) -> Result<Option<Tally>> {
    let mut found = Vec::new();
    for folder in DOCUMENTED {
        for path in files(&workspace().join(folder))? {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                found.extend(without_subject(&text).map(|line| format!("{}: {line}", path.display())));
            }
        }
    }
    ensure!(found.is_empty(), "begin these comments with their subject:\n{}", found.join("\n"));
    Ok(Some(Tally { passed: 1, failed: 0 }))
}

/// The comments' first lines that begin with none.
fn without_subject(text: &str) -> impl Iterator<Item = &str> {
    let mut in_comment = false;
    text.lines().filter(move |line| {
        let comment = ["/// ", "//! "].iter().find_map(|mark| line.trim_start().strip_prefix(mark));
        let is_first = !std::mem::replace(&mut in_comment, comment.is_some());
        is_first && comment.is_some_and(|text| NO_SUBJECT.iter().any(|word| text.starts_with(word)))
    })
}

/// A program that is one check by itself.
fn judge(program: Program) -> Result<Tally> {
    program.directory(workspace()).run().map(|_| Tally { passed: 1, failed: 0 })
}

pub(super) fn lints(_: &Cache) -> Result<Option<Tally>> {
    let words = ["--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    judge(setup::cargo("clippy").args(words)).map(Some)
}

/// The fuzz targets are outside of the workspace.
pub(super) fn fuzz_targets(_: &Cache) -> Result<Option<Tally>> {
    let words = ["--quiet", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz"];
    judge(setup::cargo("check").args(words)).map(Some)
}

/// The rules of deny.toml for dependencies: their licences, their sources, and those that are banned.
pub(super) fn dependencies(cache: &Cache) -> Result<Option<Tally>> {
    judge(deny(cache)?.args(["bans", "licenses", "sources"])).map(Some)
}

/// Known faults of dependencies. Their list is on the network, and not everywhere to be had.
pub(super) fn advisories(cache: &Cache) -> Result<Option<Tally>> {
    match deny(cache)?.arg("advisories").directory(workspace()).run() {
        Ok(_) => Ok(Some(Tally { passed: 1, failed: 0 })),
        Err(error) if format!("{error:#}").contains("failed to fetch advisory database") => {
            say("advisories: not run: their database cannot be fetched");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn deny(cache: &Cache) -> Result<Program> {
    Ok(program(setup::cargo_deny(cache)?).args(["--locked", "check"]))
}

pub(super) fn shell_scripts(_: &Cache) -> Result<Option<Tally>> {
    let mut scripts = BTreeSet::new();
    for folder in SCRIPTS {
        for path in files(&workspace().join(folder))? {
            let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            if [b"#!/bin/sh\n".as_slice(), b"#!/bin/bash\n"].iter().any(|first| bytes.starts_with(first)) {
                scripts.insert(path);
            }
        }
    }
    Ok(Some(scripts.iter().map(|script| one(judge(program("shellcheck").arg(script)))).sum()))
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

pub(super) fn static_binaries(cache: &Cache) -> Result<Option<Tally>> {
    packages::build(cache)?;
    let each = LIMITS.iter().flat_map(|(name, limit)| [linkage(name), size(name, *limit)]);
    Ok(Some(each.map(one).sum()))
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

pub(super) fn packages_are_clean(cache: &Cache) -> Result<Option<Tally>> {
    let packages = packages::build(cache)?;
    let lintian =
        |package: &Path| judge(program("lintian").args(["--allow-root", "--fail-on", "error"]).arg(package));
    Ok(Some([lintian(&packages.lifeboat), lintian(&packages.agent)].into_iter().map(one).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_begins_with_its_subject() {
        let text = "/// Whether it is.\nfn f() {}\n    /// The end of\n    /// What was.\n//! Has no subject.\n\n// What, here?\n";
        assert_eq!(without_subject(text).collect::<Vec<_>>(), ["/// Whether it is."]);
        assert_eq!(without_subject("//! Has none.\n").count(), 1);
    }

    #[test]
    fn the_comments_of_this_tree_do() {
        let cache = Cache::at(std::env::temp_dir()).unwrap();
        assert_eq!(doc_comments(&cache).unwrap(), Some(Tally { passed: 1, failed: 0 }));
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

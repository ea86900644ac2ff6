//! The tests of a run: those of its tier and family that have not passed yet. `cargo vm` says so by
//! environment variables.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;
use libtest_mimic::Trial;
use lifeboat_qemu::args::Family;
use lifeboat_qemu::suite::{FAMILY, PASSED, TIER};
use lifeboat_qemu::vm;

use crate::tier::Tier;
use crate::{Named, cover, lab};

/// The settings of a run. By hand, and so without any of them: full runs.
pub(crate) struct Run {
    tier: Tier,
    family: Option<Family>,
    journal: Option<Journal>,
}

/// The names of the tests that have passed: a file of lines, so that a run that is ended loses nothing.
struct Journal {
    path: PathBuf,
    passed: BTreeSet<String>,
}

impl Run {
    /// Reads what `cargo vm` has set.
    pub(crate) fn from_environment() -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let tier = tier(variable(TIER).as_deref())?;
        let family = variable(FAMILY).map(|name| family(&name)).transpose()?;
        let journal = variable(PASSED).map(|path| Journal::open(path.into())).transpose()?;
        Ok(Self { tier, family, journal })
    }

    /// The run's tests. Those of a larger tier are shown as ignored; those of other families, and those that have
    /// passed, are left out.
    pub(crate) fn trials(self, all: Vec<Named>) -> Vec<Trial> {
        let journal = self.journal.map(Arc::new);
        let has_passed = |name: &str| journal.as_ref().is_some_and(|journal| journal.passed.contains(name));
        let chosen = all.into_iter().filter(|test| self.family.is_none_or(|family| family == test.family));
        chosen
            .filter(|test| !has_passed(&test.name))
            .map(|test| {
                let is_ignored = test.tier > self.tier;
                trial(test, journal.clone()).with_ignored_flag(is_ignored)
            })
            .collect()
    }
}

fn trial(test: Named, journal: Option<Arc<Journal>>) -> Trial {
    let Named { name, covers, test, tier, .. } = test;
    Trial::test(name.clone(), move || {
        let start = Instant::now();
        drop(vm::ended());
        let result = test().and_then(|()| match tier {
            Tier::Gate => cover::check(covers, &vm::ended()),
            Tier::Full | Tier::Soak => {
                lab::say(&format!("{name} covers {:?}", cover::seen(&vm::ended())));
                Ok(())
            }
        });
        lab::say(&format!("{:6.1}s {name}", start.elapsed().as_secs_f64()));
        let noted = result.and_then(|()| journal.map_or(Ok(()), |journal| journal.add(&name)));
        noted.map_err(|error| format!("{error:#}").into())
    })
}

fn tier(name: Option<&str>) -> Result<Tier> {
    Ok(match name {
        Some("gate") => Tier::Gate,
        None | Some("full") => Tier::Full,
        Some("soak") => Tier::Soak,
        Some(other) => bail!("{TIER} is gate, full or soak, not `{other}`"),
    })
}

fn family(name: &str) -> Result<Family> {
    Family::from_str(name, false).map_err(|error| anyhow::anyhow!("{FAMILY}={name}: {error}"))
}

impl Journal {
    fn open(path: PathBuf) -> Result<Self> {
        let text = read(&path)?;
        Ok(Self { path, passed: text.lines().map(str::to_owned).collect() })
    }

    fn add(&self, name: &str) -> Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        // One write: lines of tests that end at once stay whole.
        file.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()))
            .with_context(|| format!("write {}", self.path.display()))
    }
}

fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.with_context(|| format!("read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, family: Family, tier: Tier) -> Named {
        Named { name: name.to_owned(), family, tier, covers: &[], test: Box::new(|| Ok(())) }
    }

    fn all() -> Vec<Named> {
        vec![
            named("a", Family::Seed, Tier::Gate),
            named("b", Family::Seed, Tier::Full),
            named("c", Family::Modules, Tier::Soak),
        ]
    }

    /// Names, with a mark on those that are not run.
    fn shown(run: Run) -> Vec<String> {
        let trials = run.trials(all());
        let name =
            |trial: &Trial| format!("{}{}", trial.name(), if trial.has_ignored_flag() { "-" } else { "" });
        trials.iter().map(name).collect()
    }

    fn run(tier: Tier) -> Run {
        Run { tier, family: None, journal: None }
    }

    #[test]
    fn a_larger_run_has_all_that_a_smaller_one_has() {
        assert_eq!(shown(run(Tier::Gate)), ["a", "b-", "c-"]);
        assert_eq!(shown(run(Tier::Full)), ["a", "b", "c-"]);
        assert_eq!(shown(run(Tier::Soak)), ["a", "b", "c"]);
    }

    #[test]
    fn other_families_are_left_out() {
        assert_eq!(shown(Run { family: Some(Family::Seed), ..run(Tier::Full) }), ["a", "b"]);
    }

    #[test]
    fn what_has_passed_is_left_out_and_what_passes_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passed");
        let journal = Journal::open(path.clone()).unwrap();
        assert!(journal.passed.is_empty());
        journal.add("a").unwrap();
        let journal = Journal::open(path).unwrap();
        assert_eq!(shown(Run { journal: Some(journal), ..run(Tier::Full) }), ["b", "c-"]);
    }

    #[test]
    fn an_unknown_tier_or_family_is_an_error() {
        assert!(tier(Some("all")).is_err());
        assert!(family("nonsense").is_err());
        assert_eq!(family("harmless").unwrap(), Family::Harmless);
    }
}

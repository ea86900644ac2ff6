//! The agent's work on user-data beside cloud-init's own, at this machine's speed: both in one Debian tree, in turn.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::figures::{figure, ratio, spread};
use crate::cache::Cache;
use crate::run::privileged;
use crate::scratch::Scratch;
use crate::tree::Tree;
use crate::{guest, packages, phase, suite};

const NAME: &str = "lifeboat-agent";

/// The packages of the tree besides the essential ones: cloud-init, and the tools that watch both.
const PACKAGES: &str = "cloud-init,strace,time";

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guest/bench");

/// The work on a seed: its name, and the words that do it.
const PROGRAMS: [(&str, &[&str]); 2] = [
    ("agent", &[NAME, "process", "--seed", "/var/lib/cloud/seed/nocloud", "--root", "/run/root"]),
    ("cloud-init", &["python3", "/consume.py"]),
];

/// User-data, and what is wanted of the agent.
struct Work {
    name: &'static str,
    user_data: fn() -> String,
    /// The text in the configuration that is made of it, and its number of occurrences.
    holds: (&'static str, usize),
    /// Microseconds.
    elapsed: Option<u64>,
    /// Thousands of bytes at the most.
    memory: Option<u64>,
}

const WORKS: [Work; 2] = [
    Work {
        name: "two-lines",
        user_data: || "#cloud-config\nhostname: bench\n".to_owned(),
        holds: ("hostname: bench", 1),
        elapsed: Some(10_000),
        memory: Some(10_000),
    },
    Work {
        name: "2000-files",
        user_data: write_files,
        holds: ("path: /srv/file-", 2000),
        elapsed: Some(30_000),
        memory: None,
    },
];

/// A cloud-config of 113 KB.
fn write_files() -> String {
    let entry = |number| format!("- path: /srv/file-{number}\n  content: the text of file {number:05}\n");
    "#cloud-config\nwrite_files:\n".to_owned() + &(0..2000).map(entry).collect::<String>()
}

struct Measure {
    name: &'static str,
    rounds: usize,
    /// The tool that watches the program.
    watch: &'static [&'static str],
    of: fn(&Seen) -> Option<u64>,
    show: fn(u64) -> String,
    wanted: fn(&Work) -> Option<u64>,
}

/// Runs of their own for each: what watches a program makes it slower. Of what is told in time, the least is what
/// the program takes on a machine that has nothing else to do; the count of calls is the same each time.
const MEASURES: [Measure; 4] = [
    Measure {
        name: "elapsed",
        rounds: 11,
        watch: &[],
        of: |seen| Some(seen.elapsed),
        show: |micros| figure(micros, "ms"),
        wanted: |work| work.elapsed,
    },
    Measure {
        name: "cpu time",
        rounds: 7,
        watch: &[],
        of: |seen| Some(seen.processor),
        show: |micros| figure(micros, "ms"),
        wanted: |_| None,
    },
    Measure {
        name: "peak memory",
        rounds: 3,
        watch: &["/usr/bin/time", "--format=peak %M", "--output=/run/told"],
        of: |seen| Some(peak(seen.told)? * 1024 / 1000),
        show: |kilobytes| figure(kilobytes, "MB"),
        wanted: |work| work.memory,
    },
    Measure {
        name: "system calls",
        rounds: 3,
        watch: &["strace", "--follow-forks", "--summary-only", "--output=/run/told"],
        of: |seen| calls(seen.told),
        show: |calls| calls.to_string(),
        wanted: |_| None,
    },
];

/// The output of a run.
#[derive(Debug, PartialEq, Eq)]
struct Seen<'a> {
    /// In microseconds.
    elapsed: u64,
    processor: u64,
    told: &'a str,
    config: &'a str,
}

impl<'a> Seen<'a> {
    fn parse(printed: &'a str) -> Option<Self> {
        let (times, rest) = printed.split_once('\n')?;
        let (told, config) = rest.split_once("#\n")?;
        let times: Option<Vec<_>> = times.split(' ').map(micros).collect();
        let [start, end, user, system] = times?.try_into().ok()?;
        Some(Self { elapsed: u64::checked_sub(end, start)?, processor: user + system, told, config })
    }
}

/// Reads bash's `1700000000.123456` and `0.123`.
fn micros(time: &str) -> Option<u64> {
    let (seconds, fraction) = time.split_once('.')?;
    let of_each = match fraction.len() {
        3 => 1000,
        6 => 1,
        _ => return None,
    };
    let fraction = fraction.parse::<u64>().ok()? * of_each;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

/// Reads the most KiB that were in memory, which is `ru_maxrss`.
fn peak(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.strip_prefix("peak "))?.parse().ok()
}

/// Reads the calls in the last line of strace's table: `100.00  0.007909  6  1268  48 total`, without the errors
/// where there were none.
fn calls(told: &str) -> Option<u64> {
    let total = told.lines().find(|line| line.ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

/// The result of a figure beside its limit.
fn verdict(median: u64, wanted: u64, show: fn(u64) -> String) -> String {
    let word = if median < wanted { "under" } else { "NOT under" };
    format!("{word} {}", show(wanted))
}

/// Runs both in turn, for each measure and each user-data.
pub(super) fn table(cache: &Cache) -> Result<String> {
    packages::build(cache)?;
    let tree = tree(cache)?;
    let mut table = format!(
        "{:<14}{:<12}{:<12}{:>11}{:>11}{:>11}  {}\n",
        "measure", "user-data", "program", "median", "least", "most", "wanted"
    );
    for measure in &MEASURES {
        for work in &WORKS {
            write_rows(&mut table, measure, work, &runs(&tree, measure, work)?)?;
        }
    }
    let binary = packages::binary(NAME);
    let size = fs::metadata(&binary).with_context(|| format!("look at {}", binary.display()))?.len();
    let limit = suite::limit(NAME).context("find the limit of its size")?;
    write!(
        table,
        "\nlifeboat-agent process, {size} bytes of {limit}, and the same steps of {}, each from its start to its \
         end, on a tmpfs",
        tree.run("dpkg-query --show --showformat='cloud-init ${Version}' cloud-init")?
    )?;
    Ok(table)
}

fn write_rows(
    table: &mut String,
    measure: &Measure,
    work: &Work,
    figures: &[Vec<u64>; PROGRAMS.len()],
) -> Result<()> {
    let mut own = None;
    for ((program, _), figures) in PROGRAMS.iter().zip(figures) {
        let [median, least, most] = spread(figures.iter().copied()).context("run at least once")?;
        let remark = match own.replace(median) {
            Some(own) => format!("{:.1} times as much", ratio(median, own)),
            None => (measure.wanted)(work)
                .map_or_else(String::new, |wanted| verdict(median, wanted, measure.show)),
        };
        let [median, least, most] = [median, least, most].map(measure.show);
        let line = format!(
            "{:<14}{:<12}{program:<12}{median:>11}{least:>11}{most:>11}  {remark}",
            measure.name, work.name
        );
        writeln!(table, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Each program's figures: what else the machine does falls on both.
fn runs(tree: &Tree, measure: &Measure, work: &Work) -> Result<[Vec<u64>; PROGRAMS.len()]> {
    let mut figures = PROGRAMS.map(|_| Vec::new());
    phase::say(&format!("{}, {}: {} rounds", measure.name, work.name, measure.rounds));
    for _ in 0..measure.rounds {
        for ((program, words), figures) in PROGRAMS.iter().zip(&mut figures) {
            let printed = run(tree, measure.watch, work, words)?;
            let of = || {
                let seen = Seen::parse(&printed)?;
                Some(((measure.of)(&seen)?, seen.config.matches(work.holds.0).count()))
            };
            let (figure, holds) = of().with_context(|| format!("read from {program}:\n{printed}"))?;
            ensure!(
                holds == work.holds.1,
                "{program} left `{}` {holds} times in the configuration, not {}",
                work.holds.0,
                work.holds.1
            );
            figures.push(figure);
        }
    }
    Ok(figures)
}

fn run(tree: &Tree, watch: &[&str], work: &Work, words: &[&str]) -> Result<String> {
    privileged("unshare")
        .args(["--mount", concat!(env!("CARGO_MANIFEST_DIR"), "/guest/bench/measure")])
        .arg(tree.path())
        .arg(work.name)
        .args(watch)
        .args(words)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .run()
}

/// A tree with both programs and the seeds in it.
fn tree(cache: &Cache) -> Result<Tree> {
    let entry = cache.entry("cloud-init", &[guest::SUITE.as_bytes(), PACKAGES.as_bytes()], |entry| {
        phase::say(&format!("making a Debian tree ({}) with cloud-init", guest::SUITE));
        let tar = entry.join("tree.tar");
        guest::mmdebstrap(guest::SUITE, PACKAGES).arg(guest::SUITE).arg(tar).run().map(drop)
    })?;
    let tree = Tree::unpack(cache, &entry.join("tree.tar"))?;
    let files = Path::new(FILES);
    tree.add(&packages::binary(NAME), "usr/bin/")?;
    tree.add(&files.join("consume.py"), "")?;
    tree.add(&files.join("99_bench.cfg"), "etc/cloud/cloud.cfg.d/")?;
    let scratch = Scratch::new()?;
    for work in WORKS {
        tree.run(&format!("mkdir -p /var/lib/cloud /seeds/{}", work.name))?;
        for (name, content) in
            [("user-data", (work.user_data)()), ("meta-data", "instance-id: bench\n".to_owned())]
        {
            let file = scratch.path().join(name);
            fs::write(&file, content).with_context(|| format!("write {}", file.display()))?;
            tree.add(&file, &format!("seeds/{}/", work.name))?;
        }
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRACE: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 47.65    0.003769           9       380           munmap
 15.62    0.001034           6       165        21 openat2
------ ----------- ----------- --------- --------- ----------------
100.00    0.007909           6      1268        48 total
";

    #[test]
    fn a_run_is_read_from_what_it_printed() {
        let seen = Seen::parse(
            "1795291775.992645 1795291776.224550 0.021 1.004\npeak 5984\n#\n---\nhostname: bench\n",
        );
        let expected = Seen {
            elapsed: 231_905,
            processor: 1_025_000,
            told: "peak 5984\n",
            config: "---\nhostname: bench\n",
        };
        assert_eq!(seen, Some(expected));
    }

    #[test]
    fn a_run_without_an_end_or_a_configuration_is_not_read() {
        assert_eq!(Seen::parse("1795291775.992645 1795291776.224550\n#\n---\n"), None);
        assert_eq!(Seen::parse("1795291775.992645 1795291776.224550 0.021 1.004\npeak 5984\n"), None);
        assert_eq!(Seen::parse("1795291776.224550 1795291775.992645 0.021 1.004\n#\n"), None);
        // Of another locale, or of another length: it would be taken for less.
        assert_eq!(micros("1795291775,992645"), None);
        assert_eq!(micros("1795291775.9926"), None);
    }

    #[test]
    fn the_watchers_figures_are_read() {
        assert_eq!(peak("peak 5984\n"), Some(5984));
        assert_eq!(calls(STRACE), Some(1268));
        assert_eq!(calls(&STRACE.replace("        48 total", "           total")), Some(1268));
    }

    #[test]
    fn a_watcher_that_wrote_something_else_gives_no_figure() {
        assert_eq!(peak("Command terminated by signal 9\n"), None);
        assert_eq!(peak("peak \n"), None);
        let (cut, _) = STRACE.split_once("100.00").unwrap();
        assert_eq!(calls(cut), None);
    }

    #[test]
    fn what_is_missed_is_told() {
        let show = |micros| figure(micros, "ms");
        assert_eq!(verdict(9_999, 10_000, show), "under 10.0 ms");
        assert_eq!(verdict(10_000, 10_000, show), "NOT under 10.0 ms");
    }

    #[test]
    fn the_user_data_is_as_large_as_it_is_said_to_be() {
        for work in WORKS {
            assert_eq!((work.user_data)().matches(work.holds.0).count(), work.holds.1);
        }
        assert_eq!(write_files().len() / 1000, 112);
        assert_eq!((WORKS[0].user_data)().lines().count(), 2);
    }
}

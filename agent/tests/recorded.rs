//! The recorded vectors of user-data against what docs/deviations.md admits. They lie beside the repository; where they
//! do not, these tests are shown as ignored.

#![expect(clippy::disallowed_methods, reason = "the agent and the runner are started as programs")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance");
const DEVIATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/deviations.md");
const AGENT: &str = env!("CARGO_BIN_EXE_lifeboat-agent");

fn main() -> ExitCode {
    let are_there = Path::new(VECTORS).join("run").is_file();
    let of_vectors = [
        trial("vectors_pass_but_for_those_that_are_listed", vectors_pass_but_for_those_that_are_listed),
        trial(
            "validate_has_nothing_against_what_cloud_init_takes",
            validate_has_nothing_against_what_cloud_init_takes,
        ),
    ];
    let of_vectors = of_vectors.map(|trial| trial.with_ignored_flag(!are_there));
    let own = trial("the_runners_json_is_read", the_runners_json_is_read);
    libtest_mimic::run(&Arguments::from_args(), of_vectors.into_iter().chain([own]).collect()).exit_code()
}

fn trial(name: &str, test: fn() -> Result<()>) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

/// The words in backticks on the lines of the list that begin so.
fn listed(text: &str, beginning: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(beginning));
    let words = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// Each case of the runner's line of JSON, and whether it passed.
fn cases(json: &str) -> Result<Vec<(String, bool)>> {
    let fields = json.split("{\"name\": \"").skip(1);
    let case = |field: &str| {
        let (name, rest) = field.split_once('"').context("find the end of a case's name")?;
        Ok((name.to_owned(), rest.contains("\"passed\": true,")))
    };
    fields.map(case).collect()
}

/// One that has `PyYAML`, which the runner needs: the first on the path may be somebody's own.
fn python() -> Result<&'static str> {
    let has_yaml = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import yaml"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_yaml);
    found.context("find a Python with PyYAML (is the package python3-yaml installed?)")
}

fn vectors_pass_but_for_those_that_are_listed() -> Result<()> {
    let runner = Path::new(VECTORS).join("run");
    let output = Command::new(python()?).arg(&runner).args(["--agent", AGENT, "--json"]).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code() != Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let cases = cases(&said)?;
    let failed: BTreeSet<_> =
        cases.iter().filter(|(_, passed)| !passed).map(|(name, _)| name.clone()).collect();
    let listed = listed(&std::fs::read_to_string(DEVIATIONS)?, "Vectors:");
    let not_listed: Vec<_> = failed.difference(&listed).collect();
    ensure!(
        not_listed.is_empty(),
        "these vectors fail, and docs/deviations.md does not list them: {not_listed:?}"
    );
    let all_the_same: Vec<_> = listed.difference(&failed).collect();
    ensure!(
        all_the_same.is_empty(),
        "docs/deviations.md lists these vectors, which do not fail: {all_the_same:?}"
    );
    ensure!(cases.len() > 500 && listed.len() * 100 <= cases.len(), "{} of {}", listed.len(), cases.len());
    Ok(())
}

/// Writes the user-data of the vectors of which cloud-init rejects nothing, under their names. Templates are left out:
/// what they come to is the machine's affair.
const WITHOUT_FAULT: &str = "
import base64, glob, json, os, sys
for path in glob.glob(os.path.join(sys.argv[1], 'user-data', '*.json')):
    for vector in json.load(open(path)):
        expected = vector['expect']
        if vector['name'].startswith('jinja') or expected.get('rejected') or expected.get('unlisted'):
            continue
        with open(os.path.join(sys.argv[2], vector['name']), 'wb') as file:
            file.write(base64.b64decode(vector['seed']['user-data']))
";

/// User-data that cloud-init carries out as far as it goes, and that its own schema refuses.
const REFUSED_BY_ITS_SCHEMA: &[&str] = &["yaml-342-runcmd-colon-map"];

/// Faults that cloud-init's schema does not see: the vectors' own placeholders for values that are no good on a machine.
const NOT_SEEN_BY_ITS_SCHEMA: &[&str] = &[" apt: sources: s1: keyid: `K` is no fingerprint"];

fn validate_has_nothing_against_what_cloud_init_takes() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut unpack = Command::new(python()?);
    let unpacked = unpack.args(["-c", WITHOUT_FAULT, VECTORS]).arg(directory.path()).status()?;
    ensure!(unpacked.success(), "unpack the vectors: {unpacked}");
    let files = std::fs::read_dir(directory.path())?;
    let names = files.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    ensure!(names.len() > 300, "{}", names.len());
    let output = Command::new(AGENT).arg("validate").args(&names).current_dir(directory.path()).output()?;
    let said = String::from_utf8(output.stdout)?;
    let is_against = |line: &&str| {
        // What is about a configuration has a place; the other parts are none that cloud-init has a schema of.
        let mut words = line.splitn(4, ':');
        let [Some(vector), Some(number), Some(_), Some(rest)] = [(); 4].map(|()| words.next()) else {
            return false;
        };
        // Keys of nobody's at the top are in most vectors.
        let unknown = rest.split_once(": there is no such key").and_then(|(key, _)| key.rsplit(": ").next());
        let is_top = unknown.is_some_and(|key| !key.contains('.'));
        number.parse::<usize>().is_ok()
            && !(is_top || rest.starts_with(" warning: ") || REFUSED_BY_ITS_SCHEMA.contains(&vector))
            && !NOT_SEEN_BY_ITS_SCHEMA.iter().any(|fault| rest.ends_with(fault))
    };
    let against: Vec<&str> = said.lines().filter(is_against).collect();
    ensure!(against.is_empty(), "{}", against.join("\n"));
    Ok(())
}

fn the_runners_json_is_read() -> Result<()> {
    let json = r#"{"passed": 1, "cases": [{"name": "a-1", "family": "a", "passed": true, "problems": []}, {"name": "b", "family": "b", "passed": false, "problems": ["x"]}]}"#;
    ensure!(cases(json)? == [("a-1".to_owned(), true), ("b".to_owned(), false)], "other cases were read");
    ensure!(listed("1. x\n   Vectors: `a`, `b-c`\nvectors `d`\n", "Vectors:").len() == 2, "another list");
    Ok(())
}

//! The recorded vectors of user-data, where they lie beside the repository, against what docs/deviations.md admits.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance");
const DEVIATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/deviations.md");
const SOURCES: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/src"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests")];

/// What stands in backticks on the lines of the list that begin so.
fn listed(text: &str, beginning: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(beginning));
    let words = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// Each case of the runner's line of JSON, and whether it passed.
fn cases(json: &str) -> Vec<(String, bool)> {
    let fields = json.split("{\"name\": \"").skip(1);
    let case = |field: &str| {
        let (name, rest) = field.split_once('"').unwrap();
        (name.to_owned(), rest.contains("\"passed\": true,"))
    };
    fields.map(case).collect()
}

/// One that has `PyYAML`, which the runner needs: the first on the path may be somebody's own.
fn python() -> Option<&'static str> {
    let has_yaml = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import yaml"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_yaml)
}

#[test]
fn vectors_pass_but_for_those_that_are_listed() {
    let runner = Path::new(VECTORS).join("run");
    if !runner.try_exists().unwrap() {
        println!("left out: there are no vectors in {VECTORS}");
        return;
    }
    let agent = env!("CARGO_BIN_EXE_lifeboat-agent");
    let python = python();
    assert!(python.is_some(), "the runner needs Debian's package python3-yaml");
    let output =
        Command::new(python.unwrap()).arg(&runner).args(["--agent", agent, "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let cases = cases(&said);
    let failed: BTreeSet<_> =
        cases.iter().filter(|(_, passed)| !passed).map(|(name, _)| name.clone()).collect();
    let listed = listed(&std::fs::read_to_string(DEVIATIONS).unwrap(), "Vectors:");
    let not_listed: Vec<_> = failed.difference(&listed).collect();
    let all_the_same: Vec<_> = listed.difference(&failed).collect();
    assert!(
        not_listed.is_empty(),
        "these vectors fail, and docs/deviations.md does not list them: {not_listed:?}"
    );
    assert!(
        all_the_same.is_empty(),
        "docs/deviations.md lists these vectors, which do not fail: {all_the_same:?}"
    );
    assert!(cases.len() > 500 && listed.len() * 100 <= cases.len(), "{} of {}", listed.len(), cases.len());
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

/// What cloud-init carries out so far as it goes, and its own schema refuses.
const REFUSED_BY_ITS_SCHEMA: &[&str] = &["yaml-342-runcmd-colon-map"];

#[test]
fn validate_has_nothing_against_what_cloud_init_takes() {
    if !Path::new(VECTORS).join("run").try_exists().unwrap() {
        println!("left out: there are no vectors in {VECTORS}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let unpacked = Command::new(python().unwrap())
        .args(["-c", WITHOUT_FAULT, VECTORS])
        .arg(directory.path())
        .status()
        .unwrap();
    assert!(unpacked.success());
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.len() > 300, "{}", names.len());
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboat-agent"))
        .arg("validate")
        .args(&names)
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
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
    };
    let against: Vec<&str> = said.lines().filter(is_against).collect();
    assert!(against.is_empty(), "{}", against.join("\n"));
}

#[test]
fn every_deviation_names_a_test_that_is_there() {
    let text = std::fs::read_to_string(DEVIATIONS).unwrap();
    let mut sources = String::new();
    for folder in SOURCES {
        read_all(Path::new(folder), &mut sources);
    }
    let tests = listed(&text, "Test:");
    for test in &tests {
        assert!(sources.contains(&format!("fn {test}()")), "docs/deviations.md: there is no test {test}");
    }
    let numbers: Vec<usize> = text.lines().filter_map(|line| line.split_once(". ")?.0.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len()), "{numbers:?}");
    let with_test = text.lines().filter(|line| line.trim_start().starts_with("Test:")).count();
    assert!(
        !numbers.is_empty() && with_test == numbers.len(),
        "{with_test} tests for {} entries",
        numbers.len()
    );
}

#[test]
fn the_runners_json_is_read() {
    let json = r#"{"passed": 1, "cases": [{"name": "a-1", "family": "a", "passed": true, "problems": []}, {"name": "b", "family": "b", "passed": false, "problems": ["x"]}]}"#;
    assert_eq!(cases(json), [("a-1".to_owned(), true), ("b".to_owned(), false)]);
    assert_eq!(listed("1. x\n   Vectors: `a`, `b-c`\nvectors `d`\n", "Vectors:").len(), 2);
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

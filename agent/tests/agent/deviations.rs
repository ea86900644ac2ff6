//! docs/deviations.md: each entry names a test that is there.

use std::collections::BTreeSet;
use std::path::Path;

const DEVIATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/deviations.md");
const SOURCES: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/src"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests")];

/// The words in backticks on the lines of the list that begin so.
fn listed(text: &str, beginning: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(beginning));
    let words = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
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

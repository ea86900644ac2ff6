//! The rules for any seed: `fuzz/` tries them on all bytes it comes upon.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails is a finding")]

use super::network::process_from;
use crate::report::Report;
use crate::root::{Root, is_temporary};
use crate::target::TargetMachine;
use crate::user_data::{IncludeReach, from_mime, parse_config};
use crate::validate;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Where the agent writes.
const PLACES: &[&str] = &["var/lib/cloud/", "run/cloud-init/"];

/// Between user-data and vendor-data.
const VENDOR: &[u8] = b"\n%vendor\n";

/// The largest file of a few kilobytes of input.
const LARGEST: usize = 128 << 20;

/// Takes bytes as a seed: the length of the meta-data in one byte, the meta-data, the user-data, and vendor-data behind
/// a line `%vendor`. Includes get the user-data itself, as `/seed/user-data`.
pub(crate) fn check(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let (meta_data, rest) = rest.split_at_checked(usize::from(*length)).unwrap_or((b"", rest));
    let at = rest.windows(VENDOR.len()).position(|window| window == VENDOR);
    let (user_data, vendor_data) = at.and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, b""));
    let vendor_data = vendor_data.get(VENDOR.len()..).unwrap_or_default();

    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    for name in ["seed", "root"] {
        fs::create_dir(here.join(name)).unwrap();
    }
    for (name, content) in [("user-data", user_data), ("meta-data", meta_data), ("vendor-data", vendor_data)]
    {
        fs::write(here.join("seed").join(name), content).unwrap();
    }
    let before = tree(&here.join("seed"));
    let root = Root::open(&here.join("root")).unwrap();
    for finding in validate::findings(user_data, &TargetMachine::any(&root).unwrap()) {
        let told = finding.to_string();
        assert!(!told.replace(['\t', '\n'], " ").contains(char::is_control) && told.len() < 8000, "{told:?}");
    }
    let Some(first) = processed(here, user_data) else { return };
    let second = processed(here, user_data).unwrap();
    let names = |tree: &Files| tree.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), names(&second), "the second time");
    let of_both = first.iter().zip(&second);
    for ((path, first), (_, second)) in
        of_both.filter(|((path, _), _)| !path.ends_with("/previous-instance-id"))
    {
        let [first, second] = [first, second].map(|content| String::from_utf8_lossy(content));
        assert_eq!(first, second, "{path} the second time");
    }
    assert_eq!(tree(&here.join("seed")), before);
    assert_eq!(fs::read_dir(here).unwrap().count(), 2);
}

type Files = Vec<(String, Vec<u8>)>;

/// The files that are written; `None` where the command says that nothing could be.
fn processed(here: &Path, user_data: &[u8]) -> Option<Files> {
    let [all, seed, root] = ["", "seed", "root"].map(|name| Root::open(&here.join(name)).unwrap());
    let mut report = Report::default();
    let done = process_from(&seed, (&all, IncludeReach::Files), &root, &mut report);
    let told = report.warnings.iter().chain(&report.errors);
    for line in told.flat_map(|text| text.lines()) {
        assert!(!line.replace('\t', " ").contains(char::is_control) && line.len() < 4000, "{line:?}");
    }
    // Only what names the instance's directory can be in the way.
    let tree = tree(&here.join("root"));
    if let Err(error) = done {
        assert!(!tree.iter().any(|(path, _)| path.ends_with("/user-data.txt")), "{error:#}");
        return None;
    }
    for (path, content) in &tree {
        assert!(PLACES.iter().any(|place| path.starts_with(place)), "{path}");
        assert!(!path.rsplit('/').next().is_some_and(is_temporary) && content.len() < LARGEST, "{path}");
    }
    let read = |name: &str| root.read(&format!("var/lib/cloud/instance/{name}")).unwrap().unwrap();
    assert_eq!(read("user-data.txt"), user_data);
    from_mime(&read("user-data.txt.i"), "user-data");
    let config = read("cloud-config.txt");
    if !config.is_empty() && !config.ends_with(b"--- {}\n...\n") {
        let text = String::from_utf8_lossy(&config);
        let patched = |error: &anyhow::Error| error.to_string().contains("and no mapping");
        parse_config(&config)
            .map(drop)
            .or_else(|error| if patched(&error) { Ok(()) } else { Err(error) })
            .unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    }
    Some(tree)
}

/// All files and links below a directory, sorted.
fn tree(top: &Path) -> Files {
    let mut found = Vec::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_symlink() {
                found.push((shown, fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()));
            } else {
                found.push((shown, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/process");
        let mut found = 0;
        for entry in fs::read_dir(corpus).unwrap() {
            let seed = fs::read(entry.unwrap().path()).unwrap();
            check(&seed);
            // Some bytes damaged, and the seed cut there.
            for at in (0..seed.len()).step_by(23) {
                let mut damaged = seed.clone();
                damaged[at] ^= 1 << (at % 8);
                check(&damaged);
                check(&seed[..at]);
            }
            found += 1;
        }
        assert!(found >= 4, "{found}");
    }
}

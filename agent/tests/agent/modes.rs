//! Who may read what is kept.

use crate::machine::Machine;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const SEED: &str = "var/lib/cloud/seed/nocloud";

/// The files that everybody may read, by the beginning or end of their paths below the root.
const PUBLIC: &[&str] = &[
    "run/cloud-init/.instance-id",
    "run/cloud-init/.stage",
    "run/cloud-init/cloud-id-nocloud",
    "run/cloud-init/handlers.jsonl",
    "run/cloud-init/instance-data.json",
    "var/lib/cloud/data/instance-id",
    "var/lib/cloud/data/previous-hostname",
    "var/lib/cloud/data/previous-instance-id",
    "var/lib/cloud/data/result.json",
    "var/lib/cloud/data/status.json",
    "var/lib/cloud/instances/i-1/boot-finished",
    "var/lib/cloud/instances/i-1/datasource",
    "var/lib/cloud/instances/i-1/lifeboat-source",
];
const PUBLIC_PLACES: &[&str] = &["var/lib/cloud/instances/i-1/sem/", "var/lib/cloud/sem/"];

/// Where programs are.
const PROGRAMS: &[&str] = &[
    "run/cloud-init/bootcmd",
    "var/lib/cloud/instances/i-1/boothooks/",
    "var/lib/cloud/instances/i-1/handlers/part-handler-000",
    "var/lib/cloud/instances/i-1/scripts/",
    "var/lib/cloud/scripts/",
];

/// The files that must be there, so that the table is about something.
const SECRET: &[&str] = &[
    "run/cloud-init/combined-cloud-config.json",
    "run/cloud-init/instance-data-sensitive.json",
    "var/lib/cloud/data/user-config.txt",
    "var/lib/cloud/data/user-data.raw",
    "var/lib/cloud/data/user-data.txt",
    "var/lib/cloud/instances/i-1/cloud-config.txt",
    "var/lib/cloud/instances/i-1/handlers/part-handler-001.py",
    "var/lib/cloud/instances/i-1/user-data.txt",
    "var/lib/cloud/instances/i-1/user-data.txt.i",
    "var/lib/cloud/instances/i-1/vendor-cloud-config.txt",
    "var/lib/cloud/instances/i-1/vendor-data.txt",
    "var/lib/cloud/instances/i-1/vendor-data.txt.i",
];

const USER_DATA: &str = "#cloud-config-archive
- \"#cloud-config\\nhostname: web\\nbootcmd: [ls]\\nruncmd: [ls]\\n\"
- \"#!/bin/sh\\n\"
- \"#cloud-boothook\\n#!/bin/sh\\n\"
- {type: text/x-shellscript-per-boot, content: \"#!/bin/sh\\n\"}
- {type: text/x-shellscript-per-once, content: \"#!/bin/sh\\n\"}
- {type: text/part-handler, content: \"#part-handler\\n#!/bin/sh\\n\"}
- {type: text/part-handler, content: \"#part-handler\\ndef list_types(): return []\\n\"}
";
const VENDOR_DATA: &str = "#cloud-config-archive
- \"#cloud-config\\na: 1\\n\"
- \"#!/bin/sh\\n\"
";

/// Each regular file below a directory, with its mode.
fn files(root: &Path, directory: &str, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(root.join(directory)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{directory}/{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode & 0o022, 0, "{path}: {mode:o}");
            files(root, &path, found);
        } else if kind.is_file() {
            found.push((path, entry.metadata().unwrap().permissions().mode() & 0o7777));
        }
    }
}

/// The mode that a file has to have.
fn wanted(path: &str) -> u32 {
    let begins = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
    match () {
        () if PUBLIC.contains(&path) || begins(PUBLIC_PLACES) => 0o644,
        () if begins(PROGRAMS) => 0o700,
        () => 0o600,
    }
}

#[test]
fn what_nobody_listed_as_public_is_read_by_its_owner_alone() {
    for mask in ["022", "077", "0"] {
        let machine = Machine::new();
        machine.write(&format!("{SEED}/meta-data"), "instance-id: i-1\n");
        machine.write(&format!("{SEED}/user-data"), USER_DATA);
        machine.write(&format!("{SEED}/vendor-data"), VENDOR_DATA);
        for stage in ["local", "network", "config", "final"] {
            let called = machine.command("lifeboat-agent", &[stage]);
            let script = format!("umask {mask}; exec \"$0\" \"$@\"");
            let output = Command::new("sh")
                .arg0("sh")
                .args(["-c", &script])
                .arg(called.get_program())
                .args(called.get_args())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        // The seed is as its owner put it there.
        fs::remove_dir_all(machine.path("var/lib/cloud/seed")).unwrap();
        let mut found = Vec::new();
        for directory in ["var/lib/cloud", "run/cloud-init"] {
            files(&machine.path(""), directory, &mut found);
        }
        for (path, mode) in &found {
            assert_eq!(format!("{path}: {mode:o}"), format!("{path}: {:o}", wanted(path)), "umask {mask}");
        }
        for path in PUBLIC.iter().chain(SECRET) {
            assert!(found.iter().any(|(found, _)| found == path), "{path} is not there: {found:?}");
        }
        for place in PUBLIC_PLACES.iter().chain(PROGRAMS) {
            let is_there = found.iter().any(|(found, _)| found.starts_with(place));
            assert!(is_there || *place == "var/lib/cloud/sem/", "nothing is in {place}: {found:?}");
        }
    }
}

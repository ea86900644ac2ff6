//! The order in which things are written: what a semaphore says is on the disk before the semaphore.

use crate::machine::Machine;
use std::process::Output;

const SEED: &str = "var/lib/cloud/seed/nocloud";
const INSTANCE: &str = "var/lib/cloud/instances/i-1";

const CONFIG: &str = "#cloud-config-archive
- \"#cloud-config\\nhostname: web\\nruncmd: [ls]\\nwrite_files: [{path: /etc/motd, content: hello}]\\n\"
- \"#!/bin/sh\\n\"
";

/// The files that are there when a semaphore is.
const NOTED: &[(&str, &str)] = &[
    ("consume_data", "var/lib/cloud/instances/i-1/scripts/part-002"),
    ("config_write_files", "etc/motd"),
    ("config_set_hostname", "etc/hostname"),
];

fn machine() -> Machine {
    let machine = Machine::new();
    machine.write(&format!("{SEED}/meta-data"), "instance-id: i-1\n");
    machine.write(&format!("{SEED}/user-data"), CONFIG);
    machine
}

/// The stage with the network under strace.
fn traced(machine: &Machine, options: &[&str]) -> (Output, String) {
    machine.traced(&["network"], options)
}

#[test]
fn data_is_written_then_synced_then_named_and_only_then_noted() {
    let machine = machine();
    let (output, trace) = traced(&machine, &["-e", "trace=write,syncfs,rename,renameat,renameat2"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = trace.lines().collect();
    let find = |what: &str, words: &[&str]| {
        let fits = |line: &&str| words.iter().all(|word| line.contains(word));
        let places: Vec<usize> =
            lines.iter().enumerate().filter(|(_, line)| fits(line)).map(|(place, _)| place).collect();
        assert!(!places.is_empty(), "there is no {what}: {trace}");
        (places[0], *places.last().unwrap())
    };
    // Files that are written together have numbers for temporary names.
    let numbered = |line: &&str| {
        let name = line.split(".lifeboat-new").next().unwrap();
        line.contains(".lifeboat-new") && name.ends_with(|last: char| last.is_ascii_digit())
    };
    let of = |call: &str| -> Vec<usize> {
        let here = lines.iter().enumerate().filter(|(_, line)| numbered(line) && line.contains(call));
        here.map(|(place, _)| place).collect()
    };
    let (written, renamed) = (*of(" write(").last().unwrap(), of(" rename"));
    let (renamed_first, renamed_last) = (renamed[0], *renamed.last().unwrap());
    let (synced, _) = find("sync", &[" syncfs("]);
    assert!(written < synced && synced < renamed_first, "{written} {synced} {renamed_first}: {trace}");
    for (semaphore, path) in NOTED {
        let (noted, _) = find(semaphore, &[" rename", "/sem>", &format!("\"{semaphore}\"")]);
        let name = format!("\"{}\"", path.rsplit('/').next().unwrap());
        let (named, _) = find(path, &[" rename", &name]);
        assert!(renamed_last < noted && named < noted, "{semaphore}: {trace}");
        let between = lines.iter().take(noted).skip(named).any(|line| line.contains(" syncfs("));
        // A part's script was synced before it was named.
        assert!(between || path.ends_with("part-002"), "{semaphore}: nothing is synced before it: {trace}");
    }
}

#[test]
fn killed_before_anything_is_synced_nothing_has_its_name() {
    let machine = machine();
    let (output, _) = traced(&machine, &["-e", "inject=syncfs:signal=KILL:when=1"]);
    assert!(!output.status.success());
    assert_eq!(machine.list(&format!("{INSTANCE}/sem")), [""; 0]);
    for path in ["scripts/part-002", "user-data.txt", "cloud-config.txt", "parts.json"] {
        assert_eq!(machine.mode(&format!("{INSTANCE}/{path}")), 0, "{path}");
    }
    assert_eq!((machine.mode("var/lib/cloud/instance"), machine.mode("etc/hostname")), (0, 0));
    must_be_whole(&machine, "killed while it was synced");
}

#[test]
fn wherever_it_is_killed_no_semaphore_says_more_than_is_there_and_the_next_boot_does_the_rest() {
    let mut count = 0;
    loop {
        count += 1;
        let machine = machine();
        // By whatever name the kernel has it.
        let inject = format!("inject=rename,renameat,renameat2:signal=KILL:when={count}");
        let (output, _) = traced(&machine, &["-e", &inject]);
        if output.status.success() {
            break;
        }
        for (semaphore, path) in NOTED {
            let noted = machine.mode(&format!("{INSTANCE}/sem/{semaphore}")) != 0;
            assert!(
                !noted || machine.mode(path) != 0,
                "{semaphore} without {path}, killed at rename {count}"
            );
        }
        must_be_whole(&machine, &format!("killed at rename {count}"));
    }
    assert!(count > 20, "{count}");
}

/// The next boot leaves nothing out.
#[track_caller]
fn must_be_whole(machine: &Machine, when: &str) {
    let (well, said) = machine.boot();
    assert!(well, "{when}: {said}");
    for (semaphore, path) in NOTED {
        assert_ne!(machine.mode(&format!("{INSTANCE}/sem/{semaphore}")), 0, "{when}: {semaphore}: {said}");
        assert_ne!(machine.mode(path), 0, "{when}: {path}: {said}");
    }
    assert_eq!((machine.read("etc/hostname"), machine.read("etc/motd")), ("web\n".into(), "hello".into()));
    assert_eq!(machine.read("var/lib/cloud/data/instance-id"), "i-1\n");
}

#[test]
fn a_kernel_that_is_too_old_is_told() {
    let machine = machine();
    let (output, _) = traced(&machine, &["-e", "inject=openat2:error=ENOSYS"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("this kernel has no openat2 (Linux 5.6 or later is needed)"), "{said}");
    assert_eq!(said.matches("openat2").count(), 1, "{said}");
    // Another error is another thing.
    let (output, _) = traced(&machine, &["-e", "inject=openat2:error=EIO"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && !said.contains("5.6"), "{said}");
}

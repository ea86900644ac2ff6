//! The memory that user-data within the limits may take, and refusals beyond them.

use crate::machine::Machine;
use crate::parts::{gzip, mime};
use std::process::Command;

const MIB: usize = 1024 * 1024;

/// Processes with no more than 128 MiB of memory beside what the program itself takes.
pub(crate) fn within_memory(machine: &Machine) -> String {
    within(machine, &["process", "--seed", machine.path("in").to_str().unwrap()])
}

fn within(machine: &Machine, words: &[&str]) -> String {
    let script = "ulimit -v 180000; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_lifeboat-agent")])
        .args(words)
        .arg("--root")
        .arg(machine.path(""))
        .env_remove("JOURNAL_STREAM")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", output.status);
    said
}

/// The messages about user-data.
fn check(user_data: impl AsRef<[u8]>) -> String {
    let machine = Machine::new();
    machine.write("in/meta-data", "instance-id: i-1\n");
    machine.write("in/user-data", user_data);
    within_memory(&machine)
}

fn configured(text: &str) -> String {
    check(format!("#cloud-config\n{text}"))
}

#[test]
fn what_is_unpacked_takes_no_more_than_there_is() {
    let full = [b"#!/bin/sh\n".to_vec(), [0].repeat(10 * MIB - 10)].concat();
    assert_eq!(check(gzip(&full)), "");
    assert!(check(gzip(&[0].repeat(50 * MIB))).contains("10 MiB"));
    let line = format!("{}\n", "A".repeat(76)).repeat(170_000);
    let encoded = format!("Content-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\n{line}");
    check(mime(&[encoded.as_str()]));
    // A line of one letter stands for 63 zeros.
    let bomb = format!("Content-Transfer-Encoding: uue\n\nbegin 644 f\n{}end", "_\n".repeat(5_000_000));
    assert!(check(mime(&[bomb.as_str()])).contains("10 MiB"));
}

#[test]
fn more_than_all_parts_may_hold_takes_no_more_than_there_is() {
    let part = format!("Content-Type: text/x-shellscript\n\n#!/bin/sh\n{}", "x\n".repeat(2 * MIB));
    let said = check(mime(&[part.as_str(); 7]));
    assert!(said.contains("the content of all parts is more than 10 MiB in all with it"), "{said}");
}

#[test]
fn what_is_too_large_is_refused_with_the_limit() {
    let machine = Machine::new();
    machine.write("in/meta-data", "instance-id: i-1\n");
    machine.write("in/user-data", vec![b'#'; 200 * MIB]);
    let seed = machine.path("in");
    let (code, said) = machine.process(&seed);
    assert!(code == 1 && said.contains("larger than 33554432 bytes"), "{code} {said}");
}

#[test]
fn three_hundred_thousand_values_take_no_more_than_there_is() {
    assert_eq!(configured(&format!("a:\n{}", "- {a: 1}\n".repeat(99_990))), "");
    let deep = format!("a: {}{}{}\n", "[".repeat(95), "~,".repeat(299_000), "]".repeat(95));
    assert_eq!(configured(&deep), "");
    assert_eq!(configured(&most_keys()), "");
}

fn most_keys() -> String {
    let keys: Vec<_> = (0..149_000).map(|key| format!("k{key}: {{}}\n")).collect();
    keys.concat()
}

#[test]
fn a_boot_with_as_many_keys_comes_to_its_end_with_what_there_is() {
    let machine = Machine::new();
    let seed = "var/lib/cloud/seed/nocloud";
    machine.write(&format!("{seed}/meta-data"), "instance-id: i-1\n");
    machine.write(&format!("{seed}/user-data"), format!("#cloud-config\nhostname: web\n{}", most_keys()));
    machine.write("etc/cloud/cloud.cfg", "hostname: system\nother: 1\n");
    let said = within(&machine, &["network"]);
    assert!(machine.read("etc/hostname") == "web\n", "{said}");
}

#[test]
fn ten_mebibytes_of_text_take_no_more_than_there_is() {
    assert_eq!(check(gzip(format!("#cloud-config\na: \"{}\"\n", "x".repeat(10 * MIB - 100)).as_bytes())), "");
    // Six bytes when they are written.
    let aliases = |count: usize| {
        let text = "\\a".repeat(10_000);
        format!("a: &a \"{text}\"\nb: [{}]\n", "*a,".repeat(count))
    };
    assert_eq!(configured(&aliases(170)), "");
    assert!(configured(&aliases(1000)).contains("10 MiB"));
}

#[test]
fn many_parts_that_are_merged_take_no_more_than_there_is() {
    let how = "Content-Type: text/cloud-config\nMerge-Type: list(append)+dict(recurse_list)+str(append)\n\n";
    let part = format!("{how}a: [{}]\nb: \"{}\"\n", "~,".repeat(300), "x".repeat(1000));
    let said = check(mime(&vec![part.as_str(); 1000]));
    assert!(said.contains("more than 300000 values in all, with the parts before it"), "{said}");
}

#[test]
fn what_is_listed_by_the_hundred_thousand_takes_no_more_than_there_is() {
    let said = check(format!("#include\n{}", "a\n".repeat(1_000_000)));
    assert!(said.contains("the rest is dropped: there are more than 100 includes"), "{said}");
    assert_eq!(said.lines().count(), 101, "{said}");
    let said = check(format!("#cloud-config-archive\n{}", "- 5\n".repeat(200_000)));
    assert!(said.contains("the rest is dropped: more than 10000 are dropped"), "{said}");
    assert_eq!(said.lines().count(), 10_001);
    let values = "0,".repeat(2_000_000);
    let patch = format!("#cloud-config-jsonp\n[{{\"op\":\"add\",\"path\":\"/a\",\"value\":[{values}0]}}]");
    assert!(check(patch).contains("more than 300000 values"));
}

#[test]
fn meta_data_is_small() {
    let machine = Machine::new();
    machine.write("in/user-data", "#!/bin/sh\n");
    for (text, limit) in [
        (format!("a: [{}]\n", "~,".repeat(299_990)), "30000 values"),
        (format!("a: &a '{}'\nb: [{}]\n", "x".repeat(10_000), "*a,".repeat(1000)), "1 MiB"),
    ] {
        machine.write("in/meta-data", text);
        let said = within_memory(&machine);
        assert!(said.contains("read meta-data: more than") && said.contains(limit), "{said}");
    }
    machine.write("in/meta-data", format!("a: [{}]\n", "~,".repeat(29_000)));
    assert_eq!(within_memory(&machine), "");
}

#[test]
fn headers_and_templates_have_a_limit_together() {
    let headers = format!("{}\n#!/bin/sh", "a:\n".repeat(999));
    let said = check(mime(&vec![headers.as_str(); 3000]));
    assert!(said.contains("all parts have more than 100000 headers"), "{said}");
    let template = "Content-Type: text/jinja2\n\n## template: jinja\n#!/bin/sh\n\
        {% set x = 'x' * 1000000 %}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}";
    let said = check(mime(&vec![template; 30]));
    assert!(said.contains("the templates write more than 10 MiB together"), "{said}");
}

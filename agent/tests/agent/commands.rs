//! The commands for people.

use crate::machine::Machine;
use expect_test::expect;

#[test]
fn process_takes_apart_and_runs_nothing() {
    let machine = Machine::new();
    machine.write("in/user-data", "#cloud-config\nb: 0644\na: yes\nbootcmd: [touch /ran]\n");
    machine.write("in/meta-data", "instance-id: x/y\n");
    let seed = machine.path("in");
    let (code, said) = machine.agent(&["process", "--seed", seed.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    expect![[r"
        #cloud-config

        # from 1 files
        # part-001

        ---
        a: true
        b: 420
        bootcmd:
            - touch /ran
        ...
    "]]
    .assert_eq(&machine.read("var/lib/cloud/instances/x_y/cloud-config.txt"));
    assert_eq!(machine.mode("ran"), 0);
    assert_eq!(machine.mode("run/cloud-init/bootcmd"), 0);
}

#[test]
fn process_fails_where_there_is_no_seed() {
    let machine = Machine::new();
    machine.make("in");
    let seed = machine.path("in");
    let (code, said) = machine.agent(&["process", "--seed", seed.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(said.contains("neither user-data nor meta-data"), "{said}");
    assert_eq!(machine.mode("var/lib/cloud"), 0);
}

#[test]
fn a_plan_tells_and_touches_nothing() {
    let machine = Machine::new();
    let config = "#cloud-config\nusers: [web]\nruncmd: [ls]\nbootcmd: [ls]\nwrite_files: [{path: /a}, {}]\n";
    machine.write("in", config);
    let (code, said) = machine.agent(&["plan", machine.path("in").to_str().unwrap()]);
    assert_eq!(code, 0);
    expect![[r"
        bootcmd: write /run/cloud-init/bootcmd (13 bytes, mode 0700)
        bootcmd: run /bin/sh /run/cloud-init/bootcmd
        write_files: write /a (0 bytes, mode 0644, owner root:root)
        problem: write_files: entry 2: it has no path
        users: run useradd web -m
        users: run passwd -l web
        runcmd: write /var/lib/cloud/instances/nocloud/scripts/runcmd (13 bytes, mode 0700)
        late: run /var/lib/cloud/instances/nocloud/scripts/runcmd
    "]]
    .assert_eq(&said);
    assert_eq!(machine.mode("var/lib/cloud"), 0);
    assert_eq!(machine.mode("a"), 0);
}

#[test]
fn a_plan_without_a_file_needs_an_instance() {
    let (code, said) = Machine::new().agent(&["plan"]);
    assert_eq!(code, 1);
    assert!(said.contains("name a file"), "{said}");
}

#[test]
fn bad_usage_is_64() {
    for words in [&["now"][..], &["process"], &["status", "--loud"]] {
        let (code, said) = Machine::new().agent(words);
        assert_eq!(code, 64, "{said}");
    }
    assert_eq!(Machine::new().agent(&["--help"]).0, 0);
}

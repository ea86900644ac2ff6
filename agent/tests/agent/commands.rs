//! The commands for people.

use crate::machine::Machine;
use expect_test::expect;

#[test]
fn process_takes_apart_and_runs_nothing() {
    let machine = Machine::new();
    machine.write("in/user-data", "#cloud-config\nb: 0644\na: yes\nbootcmd: [touch /ran]\n");
    machine.write("in/meta-data", "instance-id: x/y\n");
    let seed = machine.path("in");
    let (code, said) = machine.process(&seed);
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
fn process_asks_the_roots_configuration_for_vendor_data_as_a_boot_does() {
    for (system, user, taken) in [
        ("vendor_data: {enabled: false}\n", "a: 1", false),
        ("vendor_data: {enabled: false}\n", "vendor_data: {enabled: true}", true),
        ("vendor_data: {enabled: true, prefix: []}\n", "a: 1", true),
        ("vendor_data: {enabled: true}\n", "vendor_data: {enabled: false}", false),
        ("a: [\n", "a: 1", true),
    ] {
        let machine = Machine::new();
        machine.write("etc/cloud/cloud.cfg", system);
        machine.write("in/meta-data", "instance-id: i-1\n");
        machine.write("in/user-data", format!("#cloud-config\n{user}\n"));
        machine.write("in/vendor-data", "#cloud-config\nv: 1\n");
        let (code, said) = machine.process(&machine.path("in"));
        assert_eq!((code, said.contains("etc/cloud/cloud.cfg: ")), (0, system.starts_with('a')), "{said}");
        let config = machine.read("var/lib/cloud/instances/i-1/vendor-cloud-config.txt");
        assert_eq!(config.contains("v: 1"), taken, "{system}{user}");
    }
}

#[test]
fn process_fails_where_there_is_no_seed() {
    let machine = Machine::new();
    machine.make("in");
    let seed = machine.path("in");
    let (code, said) = machine.process(&seed);
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
        final_message: tell that the boot is over
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

#[test]
fn a_plan_of_several_files_is_of_all_of_them_in_the_order_of_a_boot() {
    let machine = Machine::new();
    machine.write("a", "#!/bin/sh\n");
    machine.write("b", "#cloud-config\nhostname: b\n");
    let per_once = "Content-Type: text/x-shellscript-per-once\nMIME-Version: 1.0\n\n#!/bin/sh\n";
    machine.write("c", per_once);
    machine.write("etc/cloud/cloud.cfg", "write_files: [{path: /from-system}]\n");
    let files = ["a", "b", "c"].map(|name| machine.path(name).to_str().unwrap().to_owned());
    let (code, said) = machine.agent(&["plan", &files[0], &files[1], &files[2]]);
    assert_eq!(code, 0);
    expect![[r"
        write_files: write /from-system (0 bytes, mode 0644, owner root:root)
        hostname: write /etc/hostname (2 bytes, mode 0644)
        hostname: set the host name to b
        update_hostname: write /var/lib/cloud/data/previous-hostname (2 bytes, mode 0644)
        update_hostname: write /etc/hostname (2 bytes, mode 0644)
        update_hostname: set the host name to b
        late: run /var/lib/cloud/scripts/per-once/part-001
        late: run /var/lib/cloud/instances/nocloud/scripts/part-001
        final_message: tell that the boot is over
    "]]
    .assert_eq(&said);
}

#[test]
fn validate_tells_everything_that_is_wrong_and_where() {
    let machine = Machine::new();
    machine.write("bad", "#cloud-config\nruncmd: ls\nhostnam: a\nwrite_files:\n- {path: /a}\n- {}\n");
    machine.write("good", "#cloud-config\nhostname: a\n");
    let [bad, good] = ["bad", "good"].map(|name| machine.path(name).to_str().unwrap().to_owned());
    let (code, said) = machine.agent(&["validate", &bad, &good]);
    assert_eq!(code, 1);
    expect![[r"
        bad:2:1: runcmd: it is a text and not a list
          2 | runcmd: ls
            | ^
        bad:3:1: hostnam: there is no such key (is it hostname?)
          3 | hostnam: a
            | ^
        bad:6:3: write_files.1: it has no path
          6 | - {}
            |   ^
        good: nothing is wrong
    "]]
    .assert_eq(&said.replace(&machine.path("").display().to_string(), ""));
    let (code, said) = machine.agent(&["validate", &good]);
    assert!(code == 0 && said.ends_with("good: nothing is wrong\n"), "{said}");
    assert_eq!(machine.mode("var/lib/cloud"), 0);
}

#[test]
fn validate_tells_programs_the_same() {
    let machine = Machine::new();
    machine.write("bad", "#cloud-config\nhostname: [a\n");
    let (code, said) = machine.agent(&["validate", "--json", machine.path("bad").to_str().unwrap()]);
    assert_eq!(code, 1);
    expect![[r#"
        {
          "files": [
            {
              "errors": [
                {
                  "column": 1,
                  "key": null,
                  "line": 3,
                  "message": "read the cloud-config: line 3, column 1: did not find expected ',' or ']' (while parsing a flow sequence)",
                  "part": null,
                  "text": null
                }
              ],
              "file": "bad",
              "valid": false,
              "warnings": []
            }
          ]
        }
    "#]]
    .assert_eq(&said.replace(&machine.path("").display().to_string(), ""));
}

#[test]
fn what_is_deprecated_fails_no_validation() {
    let machine = Machine::new();
    machine.write("old", "#cloud-config\nvendor_data: {enabled: 'yes'}\n");
    let (code, said) = machine.agent(&["validate", "--json", machine.path("old").to_str().unwrap()]);
    assert_eq!(code, 0);
    expect![[r#"
        {
          "files": [
            {
              "errors": [],
              "file": "old",
              "valid": true,
              "warnings": [
                {
                  "column": 15,
                  "key": "vendor_data.enabled",
                  "line": 2,
                  "message": "`yes` is deprecated here: use a yes or no",
                  "part": null,
                  "text": "vendor_data: {enabled: 'yes'}"
                }
              ]
            }
          ]
        }
    "#]]
    .assert_eq(&said.replace(&machine.path("").display().to_string(), ""));
}

#[test]
fn validate_cannot_read_what_is_not_there() {
    let (code, said) = Machine::new().agent(&["validate", "/nothing/there"]);
    assert!(code == 1 && said.contains("read /nothing/there"), "{said}");
}

//! The agent under cloud-init's names, as tools and documents call it.

use crate::machine::Machine;
use crate::server::Server;
use expect_test::expect;
use std::fs;
use std::process::Stdio;

const META: &str = "instance-id: i-1\nlocal-hostname: web.example\nregion: r-1\n";
const GOOD: &str = "#cloud-config\nhostname: web\n";
const BAD: &str = "#cloud-config\nhostname: [a\n";

/// A machine after a boot with that user-data.
fn booted(user_data: &str) -> Machine {
    let server = Server::with_seed(user_data, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.write("run/cloud-init/enabled", "");
    machine.make("run/systemd/system");
    machine.boot();
    machine
}

/// The text without what changes from boot to boot.
fn timeless(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((key, _)) if ["\"start\"", "\"finished\"", "\"last_update\""].contains(&key.trim()) => {
            format!("{key}: …\n")
        }
        Some(("last_update", _)) => "last_update: …\n".into(),
        // The server's port.
        Some((key, value)) if value.contains("[seed=cmdline,http:") => {
            format!("{key}: {} [seed=…]\n", value.split(" [").next().unwrap_or_default())
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn packer_and_terraform_wait_for_the_end() {
    let (code, out, _) = booted(GOOD).called("cloud-init", &["status", "--wait"]);
    assert_eq!((code, out.as_str()), (0, "\nstatus: done\n"));
    let (code, out, _) = booted(BAD).called("cloud-init", &["status", "--wait"]);
    assert_eq!((code, out.as_str()), (2, "\nstatus: done\n"));
    let (code, out, _) =
        booted("#cloud-config\nhostname: 'no name'\n").called("cloud-init", &["status", "--wait"]);
    assert_eq!((code, out.as_str()), (1, "\nstatus: error\n"));
}

#[test]
fn whoever_waits_goes_on_when_the_last_stage_has_ended() {
    let server = Server::with_seed(GOOD, META);
    let machine = Machine::with_seed(&server.hand_off());
    let mut waiting =
        machine.command("cloud-init", &["status", "--wait"]).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(machine.agent(&["local"]).0, 0);
    assert_eq!(machine.agent(&["network", "--budget", "2"]).0, 0);
    assert_eq!(waiting.try_wait().unwrap(), None, "it did not wait");
    assert_eq!(machine.called("cloud-init", &["status"]).1, "status: running\n");
    assert_eq!(machine.agent(&["final"]).0, 0);
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
}

#[test]
fn whoever_waits_where_it_is_switched_off_goes_on_at_once() {
    let machine = Machine::new();
    machine.write("etc/cloud/cloud-init.disabled", "");
    let (code, out, _) = machine.called("cloud-init", &["status", "--wait"]);
    assert_eq!((code, out.as_str()), (0, "\nstatus: disabled\n"));
}

#[test]
fn json_has_cloud_inits_keys() {
    let (code, out, _) = booted(BAD).called("cloud-init", &["status", "--format", "json", "--wait"]);
    assert_eq!(code, 2);
    expect![[r#"
        {
          "boot_status_code": "enabled-by-generator",
          "datasource": "nocloud",
          "detail": "DataSourceNoCloud [seed=…]
          "errors": [],
          "extended_status": "degraded done",
          "init": {
            "errors": [],
            "finished": …
            "recoverable_errors": {
              "WARNING": [
                "user-data: part-001 is dropped: read the cloud-config: line 3, column 1: did not find expected ',' or ']' (while parsing a flow sequence)"
              ]
            },
            "start": …
          },
          "init-local": {
            "errors": [],
            "finished": …
            "recoverable_errors": {},
            "start": …
          },
          "last_update": …
          "modules-config": {
            "errors": [],
            "finished": …
            "recoverable_errors": {},
            "start": …
          },
          "modules-final": {
            "errors": [],
            "finished": …
            "recoverable_errors": {},
            "start": …
          },
          "recoverable_errors": {
            "WARNING": [
              "user-data: part-001 is dropped: read the cloud-config: line 3, column 1: did not find expected ',' or ']' (while parsing a flow sequence)"
            ]
          },
          "stage": null,
          "status": "done"
        }
    "#]]
    .assert_eq(&timeless(&out));
}

#[test]
fn the_long_form_is_cloud_inits() {
    let (code, out, _) = booted(GOOD).called("cloud-init", &["status", "--long"]);
    assert_eq!(code, 0);
    expect![[r"
        status: done
        extended_status: done
        boot_status_code: enabled-by-generator
        last_update: …
        detail: DataSourceNoCloud [seed=…]
        errors: []
        recoverable_errors: {}
    "]]
    .assert_eq(&timeless(&out));
    let (_, out, _) = booted(BAD).called("cloud-init", &["status", "--long"]);
    assert!(out.contains("\nextended_status: degraded done\n"), "{out}");
    assert!(out.contains("\nrecoverable_errors:\nWARNING:\n\t- user-data: part-001"), "{out}");
    let (_, out, _) = booted(GOOD).called("cloud-init", &["status", "--format", "yaml"]);
    assert!(out.starts_with("---\nboot_status_code: enabled-by-generator\n"), "{out}");
}

#[test]
fn its_own_name_answers_in_its_own_words() {
    let machine = booted(GOOD);
    let (code, out, _) = machine.called("lifeboat-agent", &["status"]);
    assert_eq!((code, out.as_str()), (0, "status: done\nsource: nocloud\ninstance: i-1\n"));
    let (_, long, _) = machine.called("lifeboat-agent", &["status", "--long", "--wait"]);
    assert!(long.contains("\nmodules-final: began "), "{long}");
    let (_, json, _) = machine.called("lifeboat-agent", &["status", "--json"]);
    // It has all that cloud-init's has, and the trace behind it.
    let foreign = machine.called("cloud-init", &["status", "--format", "json"]).1;
    let foreign = foreign.trim_end().trim_end_matches('}').trim_end();
    let more = json.strip_prefix(foreign).unwrap_or_default();
    assert!(more.trim_start_matches([',', '\n', ' ']).starts_with("\"trace\": ["), "{json}");
}

#[test]
fn switched_off_nothing_is_done_and_the_status_says_so() {
    for (file, content, code) in [
        ("etc/cloud/cloud-init.disabled", "", "disabled-by-marker-file"),
        ("proc/cmdline", "ro cloud-init=disabled", "disabled-by-kernel-cmdline"),
    ] {
        let server = Server::with_seed(GOOD, META);
        let machine = Machine::with_seed(&server.hand_off());
        machine.write(file, content);
        let (well, said) = machine.boot();
        assert!(well && said.contains("switched off: "), "{said}");
        assert_eq!((machine.mode("etc/hostname"), machine.mode("var/lib/cloud")), (0, 0));
        let (status, out, _) = machine.called("cloud-init", &["status", "--format", "json"]);
        assert_eq!(status, 0);
        assert!(out.contains(&format!("\"boot_status_code\": \"{code}\"")), "{out}");
        assert!(out.contains("\"status\": \"disabled\""), "{out}");
        let (status, out, _) = machine.called("cloud-id", &[]);
        assert_eq!((status, out.as_str()), (2, "disabled\n"));
    }
}

#[test]
fn the_version_is_asked_for_by_tools() {
    for word in ["--version", "-v"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lifeboat-agent"));
        let mut command = output;
        std::os::unix::process::CommandExt::arg0(&mut command, "/usr/bin/cloud-init");
        let output = command.arg(word).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.starts_with("/usr/bin/cloud-init 26.2 "), "{text}");
    }
}

#[test]
fn bad_usage_is_2_as_in_cloud_init() {
    let machine = Machine::new();
    for (name, words) in [
        ("cloud-init", &["nonsense"][..]),
        ("cloud-init", &["status", "--format", "xml"]),
        ("cloud-init", &["query"]),
        ("cloud-id", &["--nonsense"]),
    ] {
        assert_eq!(machine.called(name, words).0, 2, "{name} {words:?}");
    }
}

#[test]
fn query_finds_what_the_boot_knew() {
    let machine = booted("#cloud-config\nhostname: \u{fc}\n");
    let query = |words: &[&str]| machine.called("cloud-init", &[&["query"], words].concat());
    assert_eq!(query(&["v1.instance_id"]).1, "i-1\n");
    assert_eq!(query(&["local_hostname"]).1, "web\n");
    assert_eq!(query(&["ds.meta_data.region"]).1, "r-1\n");
    assert_eq!(query(&["userdata"]).1, "#cloud-config\nhostname: \u{fc}\n\n");
    assert_eq!(query(&["--format", "{{ v1.instance_id }}-{{ ds.meta_data.region }}"]).1, "i-1-r-1\n");
    assert!(query(&["--list-keys"]).1.lines().any(|line| line == "instance_id"));
    assert!(query(&["--list-keys", "ds"]).1 == "_doc\nmeta_data\n");
    assert!(query(&["--all"]).1.contains("\n \"combined_cloud_config\": {\n"));
    let (code, out, err) = query(&["v1.nothing"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("instance-data `v1` has no `nothing`"), "{err}");
    assert_eq!(machine.called("lifeboat-agent", &["query", "region"]).1, query(&["region"]).1);
}

#[test]
fn query_says_when_there_is_nothing_to_know() {
    let (code, out, err) = Machine::new().called("cloud-init", &["query", "--all"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("was there a boot with a seed?"), "{err}");
}

#[test]
fn cloud_id_names_the_cloud() {
    let machine = booted(GOOD);
    assert_eq!(machine.called("cloud-id", &[]), (0, "nocloud\n".into(), String::new()));
    assert_eq!(machine.called("cloud-id", &["--long"]).1, "nocloud\tr-1\n");
    assert!(machine.called("cloud-id", &["--json"]).1.contains("\n \"cloud_id\": \"nocloud\",\n"));
    let (code, out, _) = Machine::new().called("cloud-id", &[]);
    assert_eq!((code, out.as_str()), (3, "not started\n"));
}

#[test]
fn clean_makes_the_next_boot_the_first() {
    let machine = booted(GOOD);
    machine.write("var/lib/cloud/seed/nocloud/meta-data", "");
    machine.write("var/log/cloud-init-output.log", "");
    machine.write("etc/cloud/clean.d/10-own", "");
    machine.write("etc/hostname", "changed\n");
    let (code, _, said) = machine.called("cloud-init", &["clean"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("not on this root: run /etc/cloud/clean.d/10-own"), "{said}");
    assert_eq!(machine.list("var/lib/cloud"), ["seed"]);
    assert_ne!(machine.mode("var/log/cloud-init-output.log"), 0);
    assert_eq!(machine.mode("etc/machine-id"), 0);

    let (code, _, said) = machine.called("cloud-init", &["clean", "--logs", "--seed", "--machine-id"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(machine.list("var/lib/cloud"), [""; 0]);
    assert_eq!(machine.mode("var/log/cloud-init-output.log"), 0);
    assert_eq!(machine.read("etc/machine-id"), "uninitialized\n");
}

#[test]
fn a_single_module_is_carried_out_when_it_is_asked_for() {
    let machine = booted(GOOD);
    let single = |words: &[&str]| machine.called("cloud-init", &[&["single", "--name"], words].concat());
    machine.write("etc/hostname", "changed\n");
    // It was done at boot.
    assert_eq!(single(&["cc_set_hostname"]).0, 0);
    assert_eq!(machine.read("etc/hostname"), "changed\n");
    assert_eq!(single(&["set-hostname", "--frequency", "always"]).0, 0);
    assert_eq!(machine.read("etc/hostname"), "web\n");
    let (code, _, said) = single(&["cc_nonsense"]);
    assert_eq!(code, 1);
    assert!(said.contains("there is no module cc_nonsense"), "{said}");
}

#[test]
fn a_single_module_is_carried_out_once_for_all_instances() {
    let machine = booted(GOOD);
    let once = |words: &[&str]| {
        let words = [&["single", "--name", "set_hostname", "--frequency"], words].concat();
        let (code, _, said) = machine.called("cloud-init", &words);
        assert_eq!(code, 0, "{said}");
        machine.read("etc/hostname")
    };
    machine.write("etc/hostname", "changed\n");
    assert_eq!(once(&["once"]), "web\n");
    assert_ne!(machine.mode("var/lib/cloud/sem/config_set_hostname.once"), 0);
    machine.write("etc/hostname", "changed\n");
    assert_eq!(once(&["once"]), "changed\n");
    // Nor for another instance, which would do what is once per instance.
    fs::write(machine.path("var/lib/cloud/data/instance-id"), "i-2\n").unwrap();
    fs::create_dir_all(machine.path("var/lib/cloud/instances/i-2")).unwrap();
    fs::copy(
        machine.path("var/lib/cloud/instances/i-1/cloud-config.txt"),
        machine.path("var/lib/cloud/instances/i-2/cloud-config.txt"),
    )
    .unwrap();
    assert_eq!(once(&["once"]), "changed\n");
    assert_eq!(once(&["instance"]), "web\n");
}

#[test]
fn scripts_are_a_module_too() {
    let machine = booted("#!/bin/sh\n");
    let single = |words: &[&str]| machine.called("cloud-init", &[&["single", "--name"], words].concat());
    assert!(!single(&["scripts_user"]).2.contains("part-001"));
    assert!(single(&["scripts_user", "--frequency=always"]).2.contains("scripts/part-001"));
}

#[test]
fn per_tells_on_another_root_and_notes_nothing() {
    let machine = booted(GOOD);
    let (code, _, said) = machine.called("cloud-init-per", &["once", "my-name", "echo", "x"]);
    assert!(code == 0 && said.contains("not on this root: run echo x"), "{said}");
    assert_eq!(machine.mode("var/lib/cloud/sem/bootper.my_name.once"), 0);
    machine.write("var/lib/cloud/sem/bootper.my_name.once", "0\t1\n");
    assert_eq!(
        machine.called("cloud-init-per", &["once", "my-name", "echo"]),
        (0, String::new(), String::new())
    );
    let (code, _, said) = machine.called("cloud-init-per", &["often", "name", "echo"]);
    assert!(code == 1 && said.contains("no frequency"), "{said}");
}

#[test]
fn schema_says_what_is_wrong_in_cloud_inits_words() {
    let machine = booted("#cloud-config\nhostname: a\nruncmd: ls\n");
    machine.write("good", GOOD);
    let good = machine.path("good").to_str().unwrap().to_owned();
    let (code, out, err) = machine.called("cloud-init", &["schema", "--config-file", &good]);
    assert_eq!((code, out, err), (0, format!("Valid schema {good}\n"), String::new()));
    let (code, out, err) = machine.called("cloud-init", &["schema", "--system"]);
    assert_eq!((code, out.as_str()), (1, ""));
    let expected = "Invalid user-data user-data\nError: Cloud config schema errors: runcmd: it is a text and not a list\n";
    assert_eq!(err, expected);
    let (code, out, _) = machine.called("cloud-init", &["schema", "--system", "--annotate"]);
    assert_eq!(code, 1);
    expect![[r"
        #cloud-config
        hostname: a
        runcmd: ls		# E1

        # Errors: -------------
        # E1: it is a text and not a list
    "]]
    .assert_eq(&out);
    // What is deprecated is told, and valid.
    machine.write("old", "#cloud-config\nhostname: a\nusers: [{name: b, lock-passwd: true}]\n");
    let old = machine.path("old").to_str().unwrap().to_owned();
    let (code, out, err) = machine.called("cloud-init", &["schema", "-c", &old]);
    let told = "Cloud config schema deprecations: users.0.lock-passwd: it is deprecated: use lock_passwd\n";
    assert_eq!((code, out, err), (0, format!("{told}Valid schema {old}\n"), String::new()));
    let (code, out, _) = machine.called("cloud-init", &["schema", "--annotate", "-c", &old]);
    assert!(code == 0 && out.contains("users: [{name: b, lock-passwd: true}]\t\t# D1\n"), "{out}");
    assert!(
        out.contains("\n# Deprecations: -------------\n# D1: it is deprecated: use lock_passwd\n"),
        "{out}"
    );
    machine.write("bad", BAD);
    let bad = machine.path("bad").to_str().unwrap().to_owned();
    let (code, _, err) = machine.called("cloud-init", &["schema", "-c", &bad]);
    assert!(code == 1 && err.contains("errors: format-l3.c1: "), "{err}");
}

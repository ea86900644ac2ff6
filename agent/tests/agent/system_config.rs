//! The system's configuration: what it says below the user's, and which modules an image wants.

use crate::machine::Machine;
use crate::server::{Reply, Server};

const META: &str = "instance-id: i-1\n";
const USER: &str = "#cloud-config\nssh_authorized_keys: [ssh-ed25519 AAAAtop]\nruncmd: [echo hi]\n";
const RUNCMD: &str = "var/lib/cloud/instances/i-1/scripts/runcmd";

/// Boots with the user-data above and these files: the machine, and what was said.
fn boot(files: &[(&str, &str)]) -> (Machine, String) {
    let server = Server::with_seed(USER, META);
    let machine = Machine::with_seed(&server.hand_off());
    for (path, content) in files {
        machine.write(path, content);
    }
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    (machine, said)
}

#[test]
fn the_default_user_is_the_configurations_then_the_distributions() {
    let release = ("etc/os-release", "ID=debian\n");
    let (_, said) = boot(&[release]);
    assert!(said.contains("not on this root: run useradd debian"), "{said}");
    let own = "system_info: {default_user: {name: me, lock_passwd: false}}\n";
    let (machine, said) = boot(&[release, ("etc/cloud/cloud.cfg", own)]);
    assert!(!said.contains("useradd"), "{said}");
    assert_eq!(machine.read("home/me/.ssh/authorized_keys"), "ssh-ed25519 AAAAtop\n");
    // Neither is there: the keys are root's.
    let (machine, said) = boot(&[]);
    assert!(!said.contains("useradd"), "{said}");
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAtop\n");
}

#[test]
fn later_names_and_the_kernel_command_line_win() {
    let files = [
        ("etc/cloud/cloud.cfg", "write_files: [{path: /from, content: cfg}]\nhostname: cfg\n"),
        ("etc/cloud/cloud.cfg.d/05_a.cfg", "hostname: a\n"),
        ("etc/cloud/cloud.cfg.d/90_b.cfg", "hostname: b\n"),
    ];
    let (machine, _) = boot(&files);
    assert_eq!((machine.read("etc/hostname"), machine.read("from")), ("b\n".into(), "cfg".into()));
    let line = ("proc/cmdline", "ro cc: hostname: line end_cc quiet\n");
    let (machine, _) = boot(&[&files[..], &[line]].concat());
    assert_eq!(machine.read("etc/hostname"), "line\n");
}

#[test]
fn a_bad_file_is_told_and_costs_only_itself() {
    let files =
        [("etc/cloud/cloud.cfg.d/1.cfg", "hostname: ["), ("etc/cloud/cloud.cfg.d/0.cfg", "hostname: a")];
    let (machine, said) = boot(&files);
    assert_eq!(machine.read("etc/hostname"), "a\n");
    assert!(said.contains("warning: etc/cloud/cloud.cfg.d/1.cfg: line 2, column 1"), "{said}");
    assert_eq!(machine.agent(&["status"]).0, 2);
}

#[test]
fn a_module_that_no_list_names_does_not_run() {
    let (machine, said) =
        boot(&[("etc/cloud/cloud.cfg", "cloud_init_modules: [ssh]\ncloud_config_modules: []\n")]);
    assert_eq!(machine.mode(RUNCMD), 0, "{said}");
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAtop\n");
    let (machine, said) =
        boot(&[("etc/cloud/cloud.cfg", "cloud_init_modules: []\ncloud_config_modules: [runcmd]\n")]);
    assert_eq!(machine.mode(RUNCMD), 0o700, "{said}");
    assert_eq!(machine.mode("root/.ssh/authorized_keys"), 0, "{said}");
}

#[test]
fn scripts_run_as_often_as_their_module_is_listed() {
    for (list, again) in [("[[scripts-user, always]]", true), ("[scripts-user]", false)] {
        let (machine, said) = boot(&[("etc/cloud/cloud.cfg", &format!("cloud_final_modules: {list}\n"))]);
        assert!(said.contains("/scripts/runcmd"), "{said}");
        let (_, said) = machine.boot();
        assert_eq!(said.contains("/scripts/runcmd"), again, "{list}: {said}");
    }
}

/// The number of times that a run of the agent opens a file.
#[track_caller]
fn opened(machine: &Machine, words: &[&str], path: &str) -> usize {
    let (output, trace) = machine.traced(words, &["-e", "trace=open,openat,openat2"]);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    trace.lines().filter(|line| line.contains(&format!("\"{path}\""))).count()
}

#[test]
fn each_file_is_read_once_in_a_run() {
    const FILES: [&str; 2] = ["etc/cloud/cloud.cfg", "etc/cloud/cloud.cfg.d/05_a.cfg"];
    let machine = Machine::new();
    for file in FILES {
        machine.write(file, "hostname: system\n");
    }
    machine.write("var/lib/cloud/seed/nocloud/meta-data", META);
    machine.write("var/lib/cloud/seed/nocloud/user-data", USER);
    let seed = machine.path("var/lib/cloud/seed/nocloud");
    let (seed, data) = (seed.to_str().unwrap(), seed.join("user-data"));
    let data = data.to_str().unwrap();
    machine.make("units");
    let units = machine.path("units");
    for (words, times) in [
        (&["generator", units.to_str().unwrap()][..], 1),
        // The name that the kernel command line gives is above all of it.
        (&["local"], 0),
        (&["network"], 1),
        (&["config"], 1),
        (&["final"], 1),
        // The second boot goes on with the same instance.
        (&["network"], 1),
        (&["sources"], 1),
        (&["plan", data], 1),
        (&["plan"], 1),
        (&["validate", data, data, data], 1),
        (&["process", "--seed", seed], 1),
        (&["status"], 0),
    ] {
        for file in FILES {
            assert_eq!(opened(&machine, words, file), times, "{words:?}: {file}");
        }
    }
    assert_eq!(machine.read("etc/hostname"), "system\n");
}

#[test]
fn what_is_fetched_for_the_system_counts_at_its_place_without_another_reading() {
    let server = Server::new(|path, _| match path {
        "/config" => Reply::Ok(b"#cloud-config\nhostname: fetched\nmanage_etc_hosts: true\n".to_vec()),
        _ => Reply::Status(404),
    });
    let line = format!("cloud-config-url={}\n", server.url("/config"));
    for (later, name) in
        [("etc/cloud/cloud.cfg.d/90_b.cfg", "fetched"), ("etc/cloud/cloud.cfg.d/99_b.cfg", "later")]
    {
        let machine = Machine::new();
        machine.write("etc/cloud/cloud.cfg", "hostname: system\n");
        machine.write(later, "hostname: later\n");
        machine.write("var/lib/cloud/seed/nocloud/meta-data", META);
        machine.write("proc/cmdline", &line);
        // The second boot has the file of the first.
        for _ in 0..2 {
            for file in ["etc/cloud/cloud.cfg", later] {
                assert_eq!(opened(&machine, &["network"], file), 1, "{file}");
            }
            assert_eq!(machine.read("etc/hostname"), format!("{name}\n"), "{later}");
            let kept = machine.read("run/cloud-init/combined-cloud-config.json");
            assert!(kept.contains("manage_etc_hosts") && kept.contains(name), "{kept}");
        }
    }
}

#[test]
fn an_image_may_take_no_user_data() {
    let user_data = "#cloud-config\nhostname: user\nbootcmd: [echo user]\n";
    // As Python's cloud-init reads a switch.
    for (value, is_taken) in [
        ("false", false),
        ("'no'", false),
        ("0", false),
        ("null", false),
        ("maybe", false),
        ("true", true),
        ("'yes'", true),
        ("1", true),
        ("' On '", true),
    ] {
        let machine = Machine::new();
        machine.write("etc/cloud/cloud.cfg.d/99.cfg", format!("allow_userdata: {value}\n"));
        machine.write("var/lib/cloud/seed/nocloud/user-data", user_data);
        machine.write("var/lib/cloud/seed/nocloud/vendor-data", "#cloud-config\nruncmd: [echo vendor]\n");
        machine.write("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\nlocal-hostname: meta\n");
        for boot in 1..=2 {
            let (well, said) = machine.boot();
            assert_eq!(said.contains("allow_userdata: false"), !is_taken, "{value}: {said}");
            let name = if is_taken { "user\n" } else { "meta\n" };
            assert!(well && machine.read("etc/hostname") == name, "{value}: {said}");
            assert_eq!(said.contains("bootcmd: run"), is_taken, "{value}: {said}");
            let runcmd = machine.read("var/lib/cloud/instances/i-1/scripts/runcmd");
            assert!(runcmd.contains("echo vendor"), "{value} in boot {boot}: {runcmd}");
        }
    }
    // The switch is thrown later, and the source is silent.
    let machine = Machine::new();
    machine.write("var/lib/cloud/seed/nocloud/user-data", user_data);
    machine.write("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\n");
    assert!(machine.boot().1.contains("bootcmd: run"));
    std::fs::remove_dir_all(machine.path("var/lib/cloud/seed")).unwrap();
    assert!(machine.boot().1.contains("bootcmd: run"));
    machine.write("etc/cloud/cloud.cfg.d/99.cfg", "allow_userdata: false\n");
    let (_, said) = machine.boot();
    assert!(!said.contains("bootcmd: run"), "{said}");
}

#[test]
fn user_data_that_is_left_out_asks_for_nothing() {
    let machine = Machine::new();
    machine
        .write("var/lib/cloud/seed/nocloud/user-data", "#cloud-config\nfan: {config: x}\nhostname: user\n");
    machine.write("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\n");
    let boots_and_plans = |allowed: &str| {
        machine.write("etc/cloud/cloud.cfg.d/99.cfg", format!("allow_userdata: {allowed}\n"));
        let said = machine.boot().1;
        (said, machine.agent(&["plan"]).1)
    };
    let (said, planned) = boots_and_plans("true");
    assert!(said.contains("nothing carries out the key fan"), "{said}");
    assert!(planned.contains("set the host name to user"), "{planned}");
    let (said, planned) = boots_and_plans("false");
    assert!(!said.contains("nothing carries out the key fan"), "{said}");
    assert!(
        planned.contains("allow_userdata: false") && !planned.contains("fan") && !planned.contains("to user"),
        "{planned}"
    );
}

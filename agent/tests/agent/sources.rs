//! The sources of a seed: each is found by what shows it, and is not asked without.

mod given;
mod refused;
mod services;
mod silence;

use crate::machine::Machine;
use crate::server::{Reply, Request, Server};
use std::time::{Duration, Instant};

const SCRIPT: &str = "#!/bin/sh\necho hello\n";
const META: &str = "instance-id: i-1\nlocal-hostname: web\npublic-keys: [ssh-ed25519 AAAA]\n";
const DMI: &str = "sys/class/dmi/id";

/// Runs the network stage on a machine with these files: the machine, exit status and what was said.
fn network(files: &[(&str, &str)]) -> (Machine, i32, String) {
    let machine = Machine::new();
    for (path, content) in files {
        machine.write(path, content);
    }
    let (code, said) = machine.agent(&["network", "--budget", "30"]);
    (machine, code, said)
}

fn instance(machine: &Machine) -> String {
    machine.read("var/lib/cloud/data/instance-id").trim_end().to_owned()
}

fn script(machine: &Machine) -> String {
    machine.read(&format!("var/lib/cloud/instances/{}/scripts/part-001", instance(machine)))
}

/// The SMBIOS strings as the kernel shows them.
fn smbios(strings: &[&str]) -> String {
    let mut entry = String::from("\u{b}\u{5}\0\0\u{1}");
    for text in strings {
        entry.push_str(text);
        entry.push('\0');
    }
    entry + "\0"
}

#[test]
fn a_seed_in_the_machine_is_found_by_what_shows_it() {
    let (fw_cfg, run) =
        ("sys/firmware/qemu_fw_cfg/by_name/opt/io.cloud-init/cloud-init", "run/credentials/@system");
    let two = |directory: &str, end: &str| {
        vec![
            (format!("{directory}user-data{end}"), SCRIPT.to_owned()),
            (format!("{directory}meta-data{end}"), META.to_owned()),
        ]
    };
    let config = format!(
        "datasource: {{NoCloud: {{user-data: {SCRIPT:?}, meta-data: {{instance-id: i-1, local-hostname: web}}}}}}\n"
    );
    let credential = |name: &str, text: &str| format!("io.systemd.credential:cloud-init.{name}={text}");
    let strings = smbios(&[&credential("user-data", SCRIPT), &credential("meta-data", META)]);
    for (name, files) in [
        ("nocloud_directory", two("var/lib/cloud/seed/nocloud/", "")),
        ("nocloud_directory", two("var/lib/cloud/seed/nocloud-net/", "")),
        ("nocloud_directory", two("etc/cloud/seed/nocloud/", "")),
        ("nocloud_directory", two("writable/system-data/var/lib/cloud/seed/nocloud-net/", "")),
        ("qemu_fw_cfg", two(&format!("{fw_cfg}/"), "/raw")),
        ("credentials", two(&format!("{run}/cloud-init."), "")),
        ("nocloud_config", vec![("etc/cloud/cloud.cfg.d/seed.cfg".to_owned(), config)]),
        ("smbios_strings", vec![("sys/firmware/dmi/entries/11-0/raw".to_owned(), strings)]),
    ] {
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let (machine, code, said) = network(&files);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{name}: {said}");
        assert_eq!(
            (instance(&machine), machine.read("etc/hostname")),
            ("i-1".into(), "web\n".into()),
            "{name}"
        );
        let (code, told) = machine.agent(&["sources"]);
        let line = told.lines().find(|line| line.contains("instance i-1 from")).unwrap_or_default();
        assert!(code == 0 && line.starts_with(name), "{name}: {told}");
    }
}

#[test]
fn an_unknown_machine_asks_nobody() {
    let (machine, code, said) =
        network(&[(&format!("{DMI}/product_name"), "Standard PC (Q35 + ICH9, 2009)\n")]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (0, 0), "{said}");
    let (code, told) = machine.agent(&["sources"]);
    assert!(code == 0 && told.lines().all(|line| line.contains(" not found: it needs ")), "{told}");
    assert_eq!(told.lines().count(), 14, "{told}");
}

#[test]
fn looking_at_the_sources_keeps_nothing() {
    let machine = Machine::new();
    machine.write("var/lib/cloud/seed/nocloud/meta-data", META);
    let before = [machine.list(""), machine.list("etc"), machine.list("var/lib/cloud")];
    let (code, told) = machine.agent(&["sources"]);
    assert!(code == 0 && told.contains("instance i-1 from"), "{told}");
    assert_eq!([machine.list(""), machine.list("etc"), machine.list("var/lib/cloud")], before);
}

#[test]
fn meta_data_takes_effect_without_user_data() {
    let (machine, code, said) = network(&[("var/lib/cloud/seed/nocloud/meta-data", META)]);
    assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "web\n"), "{said}");
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAA\n");
    assert!(said.contains("there is no user-data"), "{said}");
}

#[test]
fn the_command_line_counts_without_the_initramfs_too() {
    let server = Server::new(|path, _| match path {
        "/VM%2042/user-data" => Reply::Ok(SCRIPT.into()),
        "/VM%2042/meta-data" => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    });
    let line = format!("ro ds=nocloud;s={};h=line\n", server.url("/__dmi.system-serial-number__/"));
    let serial = format!("{DMI}/product_serial");
    let (machine, code, said) = network(&[("proc/cmdline", &line), (&serial, "VM 42\n")]);
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    assert_eq!(machine.read("etc/hostname"), "line\n");
    // What the initramfs handed over is what counts.
    let (machine, code, said) =
        network(&[("proc/cmdline", &line), ("run/lifeboat/seed", "SOURCE=nocloud\nINSTANCE_ID=own\n")]);
    assert_eq!((code, instance(&machine).as_str()), (0, "own"), "{said}");
    let (_, _, said) = network(&[("proc/cmdline", &format!("{line} lifeboat.seed=off"))]);
    assert!(said.contains("there is no seed"), "{said}");
}

#[test]
fn a_command_line_without_a_place_is_about_the_seed_in_a_directory() {
    let (directory, meta) = ("var/lib/cloud/seed/nocloud/user-data", "var/lib/cloud/seed/nocloud/meta-data");
    let line = ("proc/cmdline", "ds=nocloud;i=own\n");
    let (machine, code, said) = network(&[line, (directory, SCRIPT), (meta, META)]);
    assert_eq!((code, script(&machine).as_str(), instance(&machine).as_str()), (0, SCRIPT, "own"), "{said}");
    let (machine, code, said) = network(&[line]);
    assert_eq!((code, script(&machine).as_str(), instance(&machine).as_str()), (0, "", "own"), "{said}");
}

#[test]
fn a_seed_that_is_misspelt_is_told_once() {
    let (machine, code, said) = network(&[("proc/cmdline", "ds=nocloud;s=ftp://x/\n")]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (1, 0), "{said}");
    assert_eq!(said.matches("ftp: is not supported").count(), 1, "{said}");
}

#[test]
fn a_seed_whose_place_is_misspelt_still_names_the_machine() {
    for (line, told) in [
        ("ds=nocloud;s=ftp://x/;h=web", "set the host name to web"),
        ("ds=nocloud;s=ftp://x/;h=a'b;i=i-1", "the host name stays as it is"),
    ] {
        let machine = Machine::new();
        machine.write("proc/cmdline", line);
        let (code, said) = machine.agent(&["local"]);
        assert!(code == 0 && said.contains(told), "{line}: {said}");
    }
}

/// The messages of each way in which a seed reaches the agent.
fn each_way(line: &str) -> [(&'static str, String); 3] {
    let keys = [("s=", "SEED_FROM="), ("h=", "LOCAL_HOSTNAME="), ("i=", "INSTANCE_ID=")];
    let mut file = String::from("SOURCE=nocloud\n");
    for word in line.split(';').skip(1) {
        let (key, value) = keys.iter().find_map(|(name, key)| Some((key, word.strip_prefix(name)?))).unwrap();
        file += &[key, "\"", value, "\"\n"].concat();
    }
    [
        ("proc/cmdline", format!("{line}\n")),
        ("run/lifeboat/seed", file),
        ("sys/firmware/dmi/entries/11-0/raw", smbios(&[line])),
    ]
}

#[test]
fn an_underscore_in_the_host_name_is_taken_whoever_reads_it() {
    for (path, content) in each_way("ds=nocloud;s=/seed;h=a_b") {
        let files = [(path, content.as_str()), ("seed/user-data", SCRIPT), ("seed/meta-data", META)];
        let (machine, code, said) = network(&files);
        assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "a_b\n"), "{path}: {said}");
        assert!(!said.contains("warning: "), "{path}: {said}");
    }
}

#[test]
fn a_bad_field_costs_only_itself_and_is_told_whoever_reads_it() {
    for (path, content) in each_way("ds=nocloud;s=/seed;h=a'b") {
        let files = [(path, content.as_str()), ("seed/user-data", SCRIPT), ("seed/meta-data", META)];
        let (machine, code, said) = network(&files);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{path}: {said}");
        assert_eq!((instance(&machine).as_str(), machine.read("etc/hostname").as_str()), ("i-1", "web\n"));
        let told = said.lines().filter(|line| line.contains("warning: ") && line.contains("not a host name"));
        assert_eq!(told.count(), 1, "{path}: {said}");
    }
}

#[test]
fn an_unknown_field_is_told_and_is_no_meta_data() {
    let line = ("proc/cmdline", "ds=nocloud;s=/seed;zone=1\n");
    let (machine, code, said) = network(&[line, ("seed/user-data", SCRIPT), ("seed/meta-data", META)]);
    assert_eq!((code, script(&machine).as_str(), instance(&machine).as_str()), (0, SCRIPT, "i-1"), "{said}");
    assert_eq!(said.matches("unknown field `zone`").count(), 1, "{said}");
    assert!(!machine.read("run/cloud-init/instance-data.json").contains("zone\": \"1"));
}

#[test]
fn what_the_initramfs_refused_is_told_and_a_refused_place_is_a_source_that_is_silent() {
    for (place, code, instances) in [("", 0, 1), ("SEED_FROM=\"\"\n", 1, 0)] {
        let hand_off = format!("SOURCE=nocloud\n{place}INSTANCE_ID=own\nREFUSED=\"ds=x: why\"\n");
        let (machine, status, said) = network(&[("run/lifeboat/seed", &hand_off)]);
        let found = (status, machine.list("var/lib/cloud/instances").len());
        assert_eq!((found, said.matches("ds=x: why").count()), ((code, instances), 1), "{said}");
    }
}

#[test]
fn vendor_data_that_is_refused_or_missing_is_nobodys_trouble_and_a_broken_server_is() {
    for (status, code) in [(403, 0), (404, 0), (401, 2)] {
        let server = Server::new(move |path, _| match path {
            "/user-data" => Reply::Ok(SCRIPT.into()),
            "/meta-data" => Reply::Ok(META.into()),
            _ => Reply::Status(status),
        });
        let machine = Machine::with_seed(&server.hand_off());
        let (well, said) = machine.boot();
        assert!(well && script(&machine) == SCRIPT, "{said}");
        let (told, text) = machine.agent(&["status"]);
        assert_eq!(told, code, "{status}: {said}{text}");
    }
}

#[test]
fn firmware_names_a_seed_as_the_command_line_does() {
    let server = Server::with_seed(SCRIPT, META);
    let value = format!("ds=nocloud;s={};h=firmware", server.url("/"));
    let serial = format!("{DMI}/product_serial");
    for file in
        [(serial.as_str(), value.clone()), ("sys/firmware/dmi/entries/11-0/raw", smbios(&["x", &value]))]
    {
        let (machine, code, said) = network(&[(file.0, &file.1)]);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
        assert_eq!(machine.read("etc/hostname"), "firmware\n");
    }
    let (machine, _, said) = network(&[(&serial, "ds=other;s=http://127.0.0.1:9/\n")]);
    assert_eq!(machine.list("var/lib/cloud/instances").len(), 0, "{said}");
}

#[test]
fn meta_data_may_say_where_the_rest_is() {
    let server = Server::with_seed(SCRIPT, "instance-id: far\nlocal-hostname: far\n");
    let meta = format!("instance-id: near\nseedfrom: {}\n", server.url("/"));
    let (machine, code, said) = network(&[("var/lib/cloud/seed/nocloud/meta-data", &meta)]);
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    assert_eq!((instance(&machine).as_str(), machine.read("etc/hostname").as_str()), ("near", "far\n"));
}

#[test]
fn datasource_list_and_the_command_line_say_which_are_asked() {
    let seed = ("var/lib/cloud/seed/nocloud/user-data", SCRIPT);
    let list = |names: &str| format!("datasource_list: {names}\n");
    let (machine, _, said) = network(&[seed, ("etc/cloud/cloud.cfg", &list("[Ec2, OpenStack]"))]);
    assert_eq!(machine.list("var/lib/cloud/instances").len(), 0, "{said}");
    let (machine, _, said) = network(&[seed, ("etc/cloud/cloud.cfg", &list("[NoCloud, None]"))]);
    assert_eq!(script(&machine), SCRIPT, "{said}");
    let hand_off = ("run/lifeboat/seed", "SOURCE=nocloud\nINSTANCE_ID=handed-over\n");
    let (machine, _, said) = network(&[hand_off, ("etc/cloud/cloud.cfg", &list("[Ec2, OpenStack]"))]);
    assert_eq!(instance(&machine), "handed-over", "{said}");
    let (machine, _, said) = network(&[seed, ("proc/cmdline", "ci.ds=OVF\n")]);
    assert_eq!(machine.list("var/lib/cloud/instances").len(), 0, "{said}");
}

#[test]
fn where_none_is_all_that_is_left_the_systems_configuration_is_carried_out() {
    let config = |list: &str| format!("{list}\nhostname: own\nruncmd: [ls]\n");
    let run =
        |list: &str, line: &str| network(&[("etc/cloud/cloud.cfg", &config(list)), ("proc/cmdline", line)]);
    for (list, line) in [
        ("datasource_list: [None]", ""),
        ("datasource_list: [NoCloud, None]", ""),
        ("datasource_list: [NoCloud, Ec2, None]", "ro ds=None"),
        ("", "ci.ds=none"),
    ] {
        let (machine, code, said) = run(list, line);
        assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "own\n"), "{list} {line}: {said}");
        assert_eq!(instance(&machine), "iid-datasource-none");
        assert_eq!(machine.agent(&["config"]).0, 0);
        assert_eq!(machine.mode("var/lib/cloud/instances/iid-datasource-none/scripts/runcmd"), 0o700);
        // The same again, and a machine that was another instance before is none.
        assert_eq!(machine.agent(&["network"]).0, 0);
        assert_eq!(instance(&machine), "iid-datasource-none");
        machine.write("var/lib/cloud/data/instance-id", "i-1\n");
        let (_, said) = machine.agent(&["network"]);
        assert_eq!(instance(&machine), "i-1", "{said}");
    }
    for list in [
        "datasource_list: [NoCloud, Ec2, None]",
        "datasource_list: [NoCloud]",
        "datasource_list: [None, NoCloud]",
        "",
    ] {
        let (machine, code, said) = run(list, "ro quiet");
        assert_eq!((code, machine.read("etc/hostname").as_str()), (0, ""), "{list}: {said}");
        assert_eq!(machine.list("var/lib/cloud/instances").len(), 0, "{list}: {said}");
    }
}

#[test]
fn configuration_that_stands_alone_is_a_source_but_not_of_another_instance() {
    let server = Server::new(|path, _| match path {
        "/config" => Reply::Ok(b"#cloud-config\nhostname: alone\n".to_vec()),
        _ => Reply::Status(404),
    });
    let line = format!("cloud-config-url={}\n", server.url("/config"));
    let (machine, code, said) = network(&[("proc/cmdline", &line)]);
    assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "alone\n"), "{said}");
    assert_eq!(instance(&machine), "iid-datasource-none");

    let machine = Machine::new();
    machine.write("var/lib/cloud/seed/nocloud/meta-data", META);
    machine.write("proc/cmdline", &line);
    assert_eq!(machine.agent(&["network"]).0, 0);
    std::fs::remove_dir_all(machine.path("var/lib/cloud/seed")).unwrap();
    let (_, said) = machine.agent(&["network"]);
    assert_eq!(instance(&machine), "i-1", "{said}");
}

#[test]
fn the_command_line_gives_the_id_and_the_configuration_the_place() {
    let config =
        "datasource_list: [NoCloud, None]\ndatasource: {NoCloud: {seedfrom: 'file:///boot/firmware'}}\n";
    let files = [
        ("proc/cmdline", "root=/dev/vda ds=nocloud;i=rpi-1\n"),
        ("etc/cloud/cloud.cfg.d/99.cfg", config),
        ("boot/firmware/meta-data", "instance-id: rpi-1\n"),
        ("boot/firmware/user-data", SCRIPT),
    ];
    let (machine, code, said) = network(&files);
    assert_eq!(
        (code, script(&machine).as_str(), instance(&machine).as_str()),
        (0, SCRIPT, "rpi-1"),
        "{said}"
    );
    assert!(!said.contains("warning: "), "{said}");
}

#[test]
fn user_data_of_a_place_that_is_gone_is_not_taken_from_its_instance() {
    let (user, meta) = ("var/lib/cloud/seed/nocloud/user-data", "var/lib/cloud/seed/nocloud/meta-data");
    let (machine, ..) = network(&[(user, SCRIPT), (meta, META)]);
    std::fs::remove_file(machine.path(user)).unwrap();
    let (_, said) = machine.agent(&["network"]);
    assert_eq!(script(&machine), SCRIPT, "{said}");
    assert!(said.contains("there is no user-data, and there was before"), "{said}");
    // Under another id it is another machine's seed.
    machine.write(meta, "instance-id: i-2\n");
    let (_, said) = machine.agent(&["network"]);
    assert_eq!((instance(&machine).as_str(), script(&machine).as_str()), ("i-2", ""), "{said}");
}

//! The sources of a seed: each is found by what shows it, and is not asked without.

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

/// What the kernel shows of SMBIOS strings.
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
    assert!(code == 0 && told.lines().all(|line| line.contains(" nothing: it is shown by ")), "{told}");
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

/// A metadata service as Amazon has it.
fn imds(request: &Request) -> Reply {
    const TREE: &[(&str, &str)] = &[
        ("", "ami-id\nancestor-ami-ids\ninstance-id\nlocal-hostname\npublic-keys/\niam/\nplacement/"),
        ("ami-id", "ami-3"),
        ("ancestor-ami-ids", "ami-1\nami-2"),
        ("instance-id", "i-0abc"),
        ("local-hostname", "ip-10-0-0-1.ec2.internal"),
        ("public-keys/", "0=me"),
        ("public-keys/0/openssh-key", "ssh-ed25519 AAAAec2 me\n"),
        ("iam/", "security-credentials/\ninfo"),
        ("iam/info", "{\"Code\": \"Success\"}"),
        ("placement/", "region\nmissing"),
        ("placement/region", "eu-north-1"),
    ];
    let Request { verb, path, .. } = request;
    if path == "/latest/api/token" {
        let timed = request.header("X-aws-ec2-metadata-token-ttl-seconds") == Some("21600");
        return if verb == "PUT" && timed { Reply::Ok(b"token-1".to_vec()) } else { Reply::Status(400) };
    }
    if request.header("X-aws-ec2-metadata-token") != Some("token-1") {
        return Reply::Status(401);
    }
    if path == "/2021-03-23/user-data" {
        return Reply::Ok(SCRIPT.into());
    }
    let Some(name) = path.strip_prefix("/2021-03-23/meta-data/") else { return Reply::Status(404) };
    match TREE.iter().find(|(known, _)| *known == name) {
        Some((_, content)) => Reply::Ok(content.as_bytes().to_vec()),
        None => Reply::Status(404),
    }
}

/// The files of a machine of Amazon's whose service is at a URL.
fn amazon(url: &str, more: &str) -> Vec<(String, String)> {
    let config = format!("datasource: {{Ec2: {{metadata_urls: [{url}/]{more}}}}}\n");
    vec![(format!("{DMI}/sys_vendor"), "Amazon EC2\n".into()), ("etc/cloud/cloud.cfg".into(), config)]
}

fn network_of(files: &[(String, String)]) -> (Machine, i32, String) {
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    network(&files)
}

#[test]
fn ec2_is_asked_with_a_token_for_everything_but_credentials() {
    let server = Server::of_requests(imds);
    let (machine, code, said) = network_of(&amazon(&server.url(""), ""));
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    assert_eq!(
        (instance(&machine).as_str(), machine.read("etc/hostname").as_str()),
        ("i-0abc", "ip-10-0-0-1\n")
    );
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAec2 me\n");
    let kept = machine.read("var/lib/cloud/instances/i-0abc/meta-data.json");
    for part in [r#""ancestor-ami-ids":["ami-1","ami-2"]"#, r#""region":"eu-north-1""#, r#""Code":"Success""#]
    {
        assert!(kept.contains(part), "{kept}");
    }
    assert_eq!(server.asked("/latest/api/token"), 1);
    assert_eq!(server.asked("/2021-03-23/meta-data/iam/security-credentials/"), 0);
}

#[test]
fn ec2_is_not_asked_where_the_firmware_does_not_name_it() {
    let server = Server::of_requests(imds);
    let mut files = amazon(&server.url(""), "");
    for uuid in ["", "ec2a0000-0000-0000-0000-000000000000"] {
        files[0] = (format!("{DMI}/product_uuid"), uuid.into());
        let (machine, code, said) = network_of(&files);
        assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (0, 0), "{said}");
    }
    assert_eq!(server.asked("/latest/api/token"), 0);
    // A serial number that is the same is Amazon's, and so is Xen's uuid.
    files.push((format!("{DMI}/product_serial"), "ec2a0000-0000-0000-0000-000000000000".into()));
    assert_eq!(script(&network_of(&files).0), SCRIPT);
    files.truncate(2);
    files[0] = ("sys/hypervisor/uuid".into(), "ec2b0000-0000-0000-0000-000000000000\n".into());
    assert_eq!(script(&network_of(&files).0), SCRIPT);
}

#[test]
fn ec2_is_asked_where_the_owner_says_so() {
    let server = Server::of_requests(imds);
    let [_, config] = &amazon(&server.url(""), "")[..] else { return };
    let alone = format!("datasource_list: [Ec2, None]\n{}", config.1);
    assert_eq!(script(&network(&[("etc/cloud/cloud.cfg", &alone)]).0), SCRIPT);
    let (machine, _, said) = network(&[(&config.0, &config.1), ("proc/cmdline", "ro ds=ec2\n")]);
    assert_eq!(script(&machine), SCRIPT, "{said}");
    let before = server.asked("/latest/api/token");
    let two = format!("datasource_list: [NoCloud, Ec2]\n{}", config.1);
    assert_eq!(script(&network(&[("etc/cloud/cloud.cfg", &two)]).0), "");
    assert_eq!(server.asked("/latest/api/token"), before);
}

#[test]
fn a_service_gets_no_more_time_than_its_settings_say() {
    let server = Server::of_requests(|_| Reply::Status(503));
    let machine = Machine::new();
    for (path, content) in amazon(&server.url(""), ", max_wait: 1") {
        machine.write(&path, content);
    }
    let start = Instant::now();
    let (code, said) = machine.agent(&["network"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("until the time for it ran out: the server answers 503"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(10), "{said}");
}

#[test]
fn ec2_is_spoken_to_without_a_token_only_when_that_is_allowed() {
    let old = |request: &Request| match request.path.strip_prefix("/2009-04-04/") {
        Some("meta-data/") => Reply::Ok(b"instance-id".to_vec()),
        Some("meta-data/instance-id") => Reply::Ok(b"i-old".to_vec()),
        Some("user-data") => Reply::Ok(SCRIPT.into()),
        _ => Reply::Status(404),
    };
    let server = Server::of_requests(old);
    let (machine, code, said) = network_of(&amazon(&server.url(""), ""));
    assert_eq!((code, script(&machine).as_str()), (1, ""), "{said}");
    assert!(said.contains("it gives no token (404)") && said.contains("allow_imds_v1: true"), "{said}");
    let (machine, code, said) = network_of(&amazon(&server.url(""), ", allow_imds_v1: true"));
    assert_eq!(
        (code, script(&machine).as_str(), instance(&machine).as_str()),
        (0, SCRIPT, "i-old"),
        "{said}"
    );
    // A cloud that only speaks like it never had tokens.
    let mut files = amazon(&server.url(""), "");
    files[0] = (format!("{DMI}/product_serial"), "srv.brightbox.com".into());
    let (machine, code, said) = network_of(&files);
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
}

#[test]
fn ec2s_token_is_taken_to_no_other_server() {
    let other = Server::new(|_, _| Reply::Ok(b"i-evil".to_vec()));
    let url = other.url("/");
    let server = Server::of_requests(move |request| match request.verb.as_str() {
        "PUT" => imds(request),
        _ => Reply::Redirect(url.clone()),
    });
    let (machine, code, said) = network_of(&amazon(&server.url(""), ""));
    assert_eq!((code, machine.list("var/lib/cloud/instances").len(), other.asked("/")), (1, 0, 0), "{said}");
}

#[test]
fn the_next_address_is_asked_when_one_is_silent() {
    let server = Server::of_requests(imds);
    let config =
        format!("datasource: {{Ec2: {{metadata_urls: ['http://127.0.0.1:9', '{}']}}}}\n", server.url(""));
    let (machine, code, said) =
        network(&[(&format!("{DMI}/sys_vendor"), "Amazon EC2\n"), ("etc/cloud/cloud.cfg", &config)]);
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
}

const OPENSTACK: &str =
    r#"{"uuid": "u-1", "hostname": "nova.local", "public_keys": {"k": "ssh-ed25519 AAAAnova"}}"#;

#[test]
fn openstack_is_asked_where_the_firmware_names_it() {
    let server = Server::new(|path, _| match path {
        "/openstack" => Reply::Ok(b"2012-08-10\n2015-10-15\n2018-08-27\nlatest\n".to_vec()),
        "/openstack/2018-08-27/meta_data.json" => Reply::Ok(OPENSTACK.into()),
        "/openstack/2018-08-27/user_data" => Reply::Ok(SCRIPT.into()),
        "/openstack/2018-08-27/vendor_data.json" => {
            Reply::Ok(br##"{"cloud-init": "#cloud-config\n{}"}"##.to_vec())
        }
        _ => Reply::Status(404),
    });
    let config = format!("datasource: {{OpenStack: {{metadata_urls: ['{}']}}}}\n", server.url(""));
    let config = ("etc/cloud/cloud.cfg", config.as_str());
    for (file, value) in [("product_name", "OpenStack Nova"), ("chassis_asset_tag", "HUAWEICLOUD")] {
        let (machine, code, said) = network(&[(&format!("{DMI}/{file}"), value), config]);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
        assert_eq!((instance(&machine).as_str(), machine.read("etc/hostname").as_str()), ("u-1", "nova\n"));
        assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAnova\n");
        assert_eq!(machine.read("var/lib/cloud/instances/u-1/vendor-data.txt"), "#cloud-config\n{}");
    }
    let before = server.asked("/openstack");
    let (machine, code, said) = network(&[(&format!("{DMI}/product_name"), "KVM"), config]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (0, 0), "{said}");
    assert_eq!(server.asked("/openstack"), before);
}

#[test]
fn a_config_drives_files_are_read_from_the_seed_directory_too() {
    let directory = "var/lib/cloud/seed/config_drive/openstack/latest";
    let meta = format!("{directory}/meta_data.json");
    let (machine, code, said) = network(&[(&meta, OPENSTACK), (&format!("{directory}/user_data"), SCRIPT)]);
    assert_eq!((code, script(&machine).as_str(), instance(&machine).as_str()), (0, SCRIPT, "u-1"), "{said}");
    let (machine, code, said) = network(&[(&meta, "{}"), (&format!("{directory}/user_data"), SCRIPT)]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (1, 0), "{said}");
    assert!(said.contains("it has no uuid"), "{said}");
}

#[test]
fn an_ovf_environment_is_read_from_the_seed_directory_too() {
    let environment = |properties: &str| {
        format!(
            "<?xml version='1.0'?><Environment xmlns:oe='x'><PropertySection>{properties}</PropertySection></Environment>"
        )
    };
    let good = environment(
        "<Property oe:key='instance-id' oe:value='ovf-1'/><Property oe:key='hostname' oe:value='web'/>
         <Property oe:key='user-data' oe:value='IyEvYmluL3NoCmVjaG8gaGVsbG8K'/>",
    );
    let file = "var/lib/cloud/seed/ovf/ovf-env.xml";
    let (machine, code, said) = network(&[(file, &good)]);
    assert_eq!(
        (code, script(&machine).as_str(), instance(&machine).as_str()),
        (0, SCRIPT, "ovf-1"),
        "{said}"
    );
    let (machine, code, said) = network(&[(file, "<html>")]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (1, 0), "{said}");
    assert!(said.contains("it is no OVF environment"), "{said}");
}

#[test]
fn a_source_that_falls_silent_leaves_the_instance_as_it_was() {
    let machine = Machine::new();
    let place = "var/lib/cloud/seed/nocloud";
    let server = Server::of_requests(imds);
    for (path, content) in amazon(&server.url(""), "") {
        machine.write(&path, content);
    }
    assert!(machine.boot().0);
    assert_eq!(instance(&machine), "i-0abc");
    for (path, content) in amazon("http://127.0.0.1:9", "") {
        machine.write(&path, content);
    }
    let (well, said) = machine.boot();
    assert!(well && instance(&machine) == "i-0abc", "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert_eq!(code, 2);
    assert!(
        text.contains("warning: source ec2 (") && text.contains("going on with instance i-0abc"),
        "{text}"
    );
    // One that answers makes a new instance.
    machine.write(&format!("{place}/meta-data"), META);
    assert!(machine.boot().0);
    assert_eq!(instance(&machine), "i-1");
    // It is gone without a word: the same.
    std::fs::remove_dir_all(machine.path(place)).unwrap();
    std::fs::remove_file(machine.path(&format!("{DMI}/sys_vendor"))).unwrap();
    let (well, said) = machine.boot();
    assert!(well && instance(&machine) == "i-1", "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("its source (nocloud) is not there any more"), "{text}");
}

#[test]
fn while_its_own_source_is_silent_no_other_makes_another_machine_of_it() {
    let server = Server::with_seed(SCRIPT, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.write("var/lib/cloud/seed/nocloud/meta-data", "instance-id: other\n");
    assert!(machine.boot().0);
    let silent = ("run/lifeboat/seed", "SOURCE=nocloud\nSEED_FROM=/nowhere\n");
    machine.write(silent.0, silent.1);
    let (well, said) = machine.boot();
    assert!(well && instance(&machine) == "i-1", "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("nocloud_directory answers with instance other, but"), "{text}");
    // A new machine, and one that came from elsewhere, are what the next source says.
    let files = [silent, ("var/lib/cloud/seed/nocloud/meta-data", "instance-id: other\n")];
    assert_eq!(instance(&network(&files).0), "other");
    machine.write("var/lib/cloud/instances/i-1/lifeboat-source", "ec2\n");
    let (well, said) = machine.boot();
    assert!(well && instance(&machine) == "other", "{said}");
}

#[test]
fn a_command_line_that_names_no_place_is_silent_once_the_seed_is_gone() {
    let machine = Machine::new();
    machine.write("proc/cmdline", "ds=nocloud\n");
    machine.write("var/lib/cloud/seed/nocloud/meta-data", META);
    assert!(machine.boot().0);
    std::fs::remove_dir_all(machine.path("var/lib/cloud/seed")).unwrap();
    let (well, said) = machine.boot();
    assert!(well && instance(&machine) == "i-1", "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("it names no place"), "{text}");
    // As cloud-init kept it.
    machine.write(
        "var/lib/cloud/instances/i-1/datasource",
        "DataSourceNoCloudNet: DataSourceNoCloudNet [seed=/dev/sr0]\n",
    );
    assert!(machine.boot().0);
    assert_eq!(machine.read("run/cloud-init/cloud-id-nocloud"), "nocloud\n");
    assert_eq!(machine.list("run/cloud-init").iter().filter(|name| name.starts_with("cloud-id-")).count(), 1);
    // Under the id that was kept there is user-data; another is another machine.
    machine.write("proc/cmdline", "ds=nocloud;i=i-1\n");
    assert!(machine.boot().0 && machine.agent(&["status"]).0 == 2);
    machine.write("proc/cmdline", "ds=nocloud;i=i-2\n");
    let (well, said) = machine.boot();
    assert!(well && instance(&machine) == "i-2", "{said}");
}

#[test]
fn half_an_answer_makes_no_new_instance() {
    let machine = Machine::new();
    machine.write("var/lib/cloud/seed/nocloud/user-data", SCRIPT);
    machine.write("var/lib/cloud/seed/nocloud/meta-data", META);
    assert!(machine.boot().0);
    for broken in ["instance-id: [", "- a\n"] {
        machine.write("var/lib/cloud/seed/nocloud/meta-data", broken);
        let (_, said) = machine.boot();
        assert_eq!(instance(&machine), "i-1", "{said}");
        assert_eq!(machine.agent(&["status"]).0, 2);
    }
}

#[test]
fn a_silent_source_does_not_keep_the_next_from_answering() {
    let mut files = amazon("http://127.0.0.1:9", "");
    files.push(("run/lifeboat/seed".into(), "SOURCE=nocloud\nSEED_FROM=/nowhere\n".into()));
    files.push(("var/lib/cloud/seed/nocloud/meta-data".into(), META.into()));
    let (machine, code, said) = network_of(&files);
    assert_eq!((code, instance(&machine).as_str()), (0, "i-1"), "{said}");
    assert!(said.contains("warning: source hand_off (0.0 s): /nowhere"), "{said}");
    let (code, told) = machine.agent(&["sources", "--budget", "1"]);
    assert_eq!(code, 0);
    assert!(told.contains("error: /nowhere: neither user-data nor meta-data is there"), "{told}");
    assert!(told.contains("ec2") && told.contains("not asked: another has answered"), "{told}");
    assert_eq!(machine.read("var/lib/cloud/data/previous-instance-id"), "NO_PREVIOUS_INSTANCE_ID\n");
}

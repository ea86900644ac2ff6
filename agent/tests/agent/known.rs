//! The facts of the machine that templates and `query` know.

use crate::machine::Machine;
use crate::server::{Reply, Server};

const SEED: &str = "var/lib/cloud/seed/nocloud";
const OS_RELEASE: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";

/// A machine after a boot with a template for a script, and what the script says.
fn booted(template: &str) -> (Machine, String) {
    let machine = Machine::new();
    machine.write("etc/os-release", OS_RELEASE);
    machine.write("etc/hostname", "own\n");
    machine.write("etc/cloud/cloud.cfg", "system_info: {distro: debian}\npassword: secret\n");
    machine.write(&format!("{SEED}/meta-data"), "instance-id: i-1\nregion: r-1\n");
    machine.write(&format!("{SEED}/user-data"), format!("## template: jinja\n#!/bin/sh\n{template}\n"));
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    let script = machine.read("var/lib/cloud/instances/i-1/scripts/part-001");
    (machine, script.trim_start_matches("#!/bin/sh\n").trim_end().to_owned())
}

#[test]
fn templates_know_the_machine() {
    let kernel = rustix::system::uname();
    let [release, machine] =
        [kernel.release(), kernel.machine()].map(|text| text.to_str().unwrap().to_owned());
    let (_, script) = booted(
        "{{ v1.distro }} {{ distro }} {{ v1.distro_version }} {{ distro_release }} {{ v1.variant }}
{{ v1.kernel_release }} {{ machine }} {{ v1.system_platform }} {{ sys_info.uname[2] }}
{{ v1.platform }} {{ v1.cloud_name }} {{ v1.cloud_id }} {{ region }} {{ v1.availability_zone }}
{{ merged_cfg.system_info.distro }} {{ merged_system_cfg.password }} {{ ds.meta_data.region }}
{% if distro == 'debian' and v1.distro_version|int >= 12 %}new{% endif %}",
    );
    let lines: Vec<&str> = script.lines().collect();
    assert_eq!(lines[0], "debian debian 12 bookworm debian");
    assert_eq!(lines[1], format!("{release} {machine} Linux-{release}-{machine} {release}"));
    assert_eq!(lines[2], "nocloud unknown nocloud r-1 None");
    assert_eq!(lines[3..], ["debian secret r-1", "new"]);
}

#[test]
fn a_variable_that_nobody_has_keeps_its_name() {
    let (machine, script) = booted("{{ v1.distribution }} {{ v1.python_version }} {{ userdata }}");
    assert_eq!(script, "CI_MISSING_JINJA_VAR/distribution None CI_MISSING_JINJA_VAR/userdata");
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("`v1` has no `distribution` (there is: "), "{text}");
    assert!(text.contains("`userdata` is undefined (there is: ds, "), "{text}");
}

#[test]
fn query_knows_the_same_by_cloud_inits_names() {
    let (machine, _) = booted("");
    let query = |name: &str| machine.called("cloud-init", &["query", name]).1;
    for (name, value) in [
        ("v1.distro", "debian\n"),
        ("distro_release", "bookworm\n"),
        ("local_hostname", "own\n"),
        ("sys_info.variant", "debian\n"),
        ("v1.python_version", "null\n"),
        ("_beta_keys", "[\n \"subplatform\"\n]\n"),
        ("merged_cfg.password", "secret\n"),
        ("merged_system_cfg.system_info.distro", "debian\n"),
    ] {
        assert_eq!(query(name), value, "{name}");
    }
    let place = machine.path(SEED);
    assert_eq!(query("subplatform"), format!("seed-dir ({})\n", place.canonicalize().unwrap().display()));
    let keys = machine.called("cloud-init", &["query", "--list-keys"]).1;
    for key in
        ["distro", "merged_cfg", "merged_system_cfg", "sys_info", "system_platform", "userdata", "vendordata"]
    {
        assert!(keys.lines().any(|line| line == key), "{key}");
    }
    // Others may not see what a password may be in.
    let public = machine.read("run/cloud-init/instance-data.json");
    assert!(public.contains("bookworm") && !public.contains("secret"), "{public}");
    assert!(machine.read("run/cloud-init/instance-data-sensitive.json").contains("secret"));
}

#[test]
fn a_boot_without_its_source_knows_where_it_was() {
    let (machine, _) = booted("");
    let query = |name: &str| machine.called("cloud-init", &["query", name]).1;
    let before = query("subplatform");
    std::fs::remove_dir_all(machine.path("var/lib/cloud/seed")).unwrap();
    std::fs::remove_dir_all(machine.path("run/cloud-init")).unwrap();
    let (well, said) = machine.boot();
    assert!(well && said.contains("its source (nocloud) is not there any more"), "{said}");
    assert_eq!((query("subplatform"), query("v1.platform")), (before, "nocloud\n".into()));
}

#[test]
fn an_instance_that_cloud_init_kept_goes_on_under_its_id() {
    for (file, text, code) in [
        ("user-data.txt", "", 2),
        ("meta-data.json", "{\"instance-id\": \"i-0abc\", \"region\": \"r-1\"}", 2),
        ("meta-data.json", "[", 2),
    ] {
        let machine = Machine::new();
        machine.write("var/lib/cloud/data/instance-id", "i-0abc\n");
        machine
            .write("var/lib/cloud/instances/i-0abc/datasource", "DataSourceEc2Local: DataSourceEc2Local\n");
        machine.write(&format!("var/lib/cloud/instances/i-0abc/{file}"), text);
        let (well, said) = machine.boot();
        assert!(well && machine.agent(&["status"]).0 == code, "{said}");
        let query = |name: &str| machine.called("cloud-init", &["query", name]).1;
        for name in ["v1.instance_id", "ds.meta_data.instance-id"] {
            assert_eq!(query(name), "i-0abc\n", "{file} {text}: {name}");
        }
        assert_eq!(query("region"), if text.contains("r-1") { "r-1\n" } else { "null\n" });
    }
}

#[test]
fn a_machine_of_amazons_is_known_as_one() {
    let server = Server::new(|path, _| match path.strip_prefix("/2021-03-23/meta-data/") {
        Some("") => Reply::Ok(b"instance-id\nplacement/".to_vec()),
        Some("instance-id") => Reply::Ok(b"i-1".to_vec()),
        Some("placement/") => Reply::Ok(b"availability-zone".to_vec()),
        Some("placement/availability-zone") => Reply::Ok(b"cn-north-1a".to_vec()),
        None if path == "/latest/api/token" => Reply::Ok(b"token".to_vec()),
        _ => Reply::Status(404),
    });
    let machine = Machine::new();
    machine.write("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    let config = format!("datasource: {{Ec2: {{metadata_urls: [{}]}}}}\n", server.url(""));
    machine.write("etc/cloud/cloud.cfg", config);
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    let query = |name: &str| machine.called("cloud-init", &["query", name]).1;
    for (name, value) in [
        ("cloud_name", "aws"),
        ("cloud_id", "aws-china"),
        ("platform", "ec2"),
        ("region", "cn-north-1"),
        ("availability_zone", "cn-north-1a"),
        ("subplatform", &format!("metadata ({})", server.url(""))),
    ] {
        assert_eq!(query(name), format!("{value}\n"), "{name}");
    }
    assert_eq!(machine.read("run/cloud-init/cloud-id-aws-china"), "aws-china\n");
    assert_eq!(machine.called("cloud-id", &["--long"]).1, "aws-china\tcn-north-1\n");
}

#[test]
fn a_clouds_name_leads_out_of_no_directory() {
    let long = "x".repeat(300);
    for (name, file) in [
        ("../../../etc/evil", ".._.._.._etc_evil"),
        (&long, &"x".repeat(64)),
        ("'a\\0\u{fc}'", "a_0_"),
        ("''", "nocloud"),
    ] {
        let machine = Machine::new();
        machine.write(&format!("{SEED}/meta-data"), format!("{{instance-id: i-1, cloud-name: {name}}}\n"));
        let (well, said) = machine.boot();
        assert!(well, "{said}");
        assert_eq!(machine.read(&format!("run/cloud-init/cloud-id-{file}")), format!("{file}\n"));
        assert_eq!(machine.mode("etc/evil"), 0);
    }
}

//! Boots on a scratch root: what is there after the first, and what the next ones change.

use crate::machine::Machine;
use crate::server::{Reply, Server};
use expect_test::expect;

const META: &str = "instance-id: i-1\nlocal-hostname: meta\npublic-keys: [ssh-ed25519 AAAAmeta]\n";
const INSTANCE: &str = "var/lib/cloud/instances/i-1";

const CONFIG: &str = "#cloud-config
hostname: web-1.example.org
ssh_authorized_keys: [ssh-ed25519 AAAAtop]
users:
- {name: me, lock_passwd: false, ssh_authorized_keys: [ssh-ed25519 AAAAme]}
- name: other
write_files:
- {path: /etc/motd.d/hello, content: \"hello\\n\", permissions: '0640'}
- {path: /etc/../../../../outside, content: x}
- {path: /bad, content: 'a', encoding: base64}
- {path: /late, content: z, defer: true}
bootcmd: [echo boot]
runcmd: [[echo, \"it's\"]]
";

#[test]
fn a_cloud_config_is_carried_out() {
    let server = Server::with_seed(CONFIG, META);
    let machine = Machine::with_seed(&server.hand_off());
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    assert_eq!(machine.read("etc/hostname"), "web-1\n");
    assert_eq!(machine.read("home/me/.ssh/authorized_keys"), "ssh-ed25519 AAAAme\n");
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAmeta\nssh-ed25519 AAAAtop\n");
    assert_eq!(
        (machine.read("etc/motd.d/hello"), machine.mode("etc/motd.d/hello")),
        ("hello\n".into(), 0o640)
    );
    assert_eq!(machine.read("outside"), "x");
    assert_eq!(machine.read("late"), "z");
    assert_eq!(machine.read(&format!("{INSTANCE}/scripts/runcmd")), "#!/bin/sh\n'echo' 'it'\\''s'\n");
    assert!(said.contains("not on this root: run useradd other -m"), "{said}");
    assert!(said.contains("not on this root: run /bin/sh /run/cloud-init/bootcmd"), "{said}");
    assert!(said.contains(&format!("not on this root: run /{INSTANCE}/scripts/runcmd")), "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert_eq!(code, 2);
    expect![[r"
        status: done
        source: nocloud
        instance: i-1
        warning: write_files: entry 3: /bad: decode base64: the end is missing
    "]]
    .assert_eq(&text);
}

#[test]
fn the_directories_for_scripts_are_there_before_anybody_puts_one_into_them() {
    const SCRIPTS: [&str; 4] = ["per-boot", "per-instance", "per-once", "vendor"];
    let is_there =
        |machine: &Machine, name: &str| machine.path(&format!("var/lib/cloud/scripts/{name}")).is_dir();
    let server = Server::with_seed("#cloud-config\nruncmd: [ls]\n", META);
    let machine = Machine::with_seed(&server.hand_off());
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    assert!(SCRIPTS.iter().all(|name| is_there(&machine, name)), "{said}");
    // A machine without a seed is left as it is.
    let machine = Machine::new();
    machine.boot();
    assert!(!SCRIPTS.iter().any(|name| is_there(&machine, name)));
}

#[test]
fn nothing_of_it_is_done_without_a_seed() {
    let machine = Machine::new();
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    for path in ["etc/hostname", "var/lib/cloud/instances", "var/lib/cloud/instance", "root/.ssh"] {
        assert_eq!(machine.mode(path), 0, "{path}");
    }
    let (code, text) = machine.agent(&["status"]);
    assert_eq!((code, text.as_str()), (0, "status: done\n"));
}

#[test]
fn files_are_where_cloud_init_has_them_with_their_modes() {
    let server = Server::with_seed("#!/bin/sh\nexit 0\n", META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.boot();
    for (path, mode) in [
        ("var/lib/cloud/data/user-data.raw", 0o600),
        ("var/lib/cloud/data/user-data.txt", 0o600),
        ("var/lib/cloud/data/instance-id", 0o644),
        ("var/lib/cloud/data/status.json", 0o644),
        ("var/lib/cloud/instance/user-data.txt", 0o600),
        ("var/lib/cloud/instances/i-1/cloud-config.txt", 0o600),
        ("var/lib/cloud/instances/i-1/scripts/part-001", 0o700),
        ("var/lib/cloud/instances/i-1/sem/config_scripts_user", 0o644),
        ("var/lib/cloud/instances/i-1/boot-finished", 0o644),
    ] {
        // The link's target is absolute, so it leads out of a scratch root.
        let path = path.replace("cloud/instance/", "cloud/instances/i-1/");
        assert_eq!(machine.mode(&path), mode, "{path}");
    }
    let link = std::fs::read_link(machine.path("var/lib/cloud/instance")).unwrap();
    assert_eq!(link.to_str().unwrap(), "/var/lib/cloud/instances/i-1");
    assert!(machine.read("run/cloud-init/result.json").contains("\"errors\":[]"));
}

#[test]
fn a_second_boot_repeats_bootcmd_and_nothing_else() {
    let server = Server::with_seed(CONFIG, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.boot();
    machine.write("etc/hostname", "changed\n");
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    assert!(said.contains("bootcmd: run /bin/sh"), "{said}");
    assert!(!said.contains("useradd") && !said.contains("scripts/runcmd"), "{said}");
    assert_eq!(machine.read("etc/hostname"), "changed\n");
}

#[test]
fn another_instance_id_starts_over() {
    let server = Server::with_seed(CONFIG, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.boot();
    machine.write("etc/hostname", "changed\n");
    machine.write("run/lifeboat/seed", server.hand_off() + "INSTANCE_ID=i-2\n");
    machine.boot();
    assert_eq!(machine.read("etc/hostname"), "web-1\n");
    assert_eq!(machine.read("var/lib/cloud/data/instance-id"), "i-2\n");
    assert_eq!(machine.read("var/lib/cloud/data/previous-instance-id"), "i-1\n");
}

#[test]
fn the_kernel_command_line_wins_over_meta_data() {
    let server = Server::with_seed("#!/bin/sh\n", META);
    let machine = Machine::with_seed(&(server.hand_off() + "LOCAL_HOSTNAME=line\nINSTANCE_ID=i-line\n"));
    let (_, said) = machine.agent(&["local"]);
    assert!(said.contains("set the host name to line"), "{said}");
    assert_eq!(machine.mode("etc/hostname"), 0);
    machine.boot();
    assert_eq!(machine.read("etc/hostname"), "line\n");
    assert_eq!(machine.read("var/lib/cloud/data/instance-id"), "i-line\n");
}

#[test]
fn without_an_instance_id_it_is_nocloud() {
    let server = Server::with_seed("#!/bin/sh\n", "local-hostname: x\n");
    let machine = Machine::with_seed(&server.hand_off());
    machine.boot();
    assert_eq!(machine.read("var/lib/cloud/data/instance-id"), "nocloud\n");
}

#[test]
fn a_silent_source_leaves_the_kept_instance_as_it_was() {
    let server = Server::with_seed(CONFIG, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.boot();
    machine.write("run/lifeboat/seed", "SOURCE=nocloud\nSEED_FROM=/nowhere\n");
    let (well, said) = machine.boot();
    assert!(well && said.contains("bootcmd: run"), "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("going on with instance i-1 as it was kept"), "{text}");
    assert_eq!(machine.read("var/lib/cloud/data/instance-id"), "i-1\n");
}

#[test]
fn the_systems_configuration_yields_to_the_users() {
    let system = "#cloud-config\nhostname: system\nwrite_files: [{path: /from-system, content: s}]\n";
    let server = Server::new(move |path, _| match path {
        "/user-data" => Reply::Ok(b"#cloud-config\nhostname: user\n".to_vec()),
        "/meta-data" => Reply::Ok(META.into()),
        "/system" => Reply::Ok(system.into()),
        "/html" => Reply::Ok(b"<html>".to_vec()),
        _ => Reply::Status(404),
    });
    let good = format!("{}CLOUD_CONFIG_URL={}\n", server.hand_off(), server.url("/system"));
    let machine = Machine::with_seed(&good);
    assert!(machine.boot().0);
    assert_eq!((machine.read("etc/hostname"), machine.read("from-system")), ("user\n".into(), "s".into()));
    assert_eq!(machine.mode("etc/cloud/cloud.cfg.d/91_kernel_cmdline_url.cfg"), 0o600);

    let bad = format!("{}CLOUD_CONFIG_URL={}\n", server.hand_off(), server.url("/html"));
    let machine = Machine::with_seed(&bad);
    let (well, said) = machine.boot();
    assert!(well && said.contains("does not begin with `#cloud-config`"), "{said}");
    assert_eq!((machine.read("etc/hostname"), machine.read("from-system")), ("user\n".into(), String::new()));
}

#[test]
fn bad_user_data_costs_only_itself() {
    let server = Server::with_seed("#cloud-config\nhostname: [a\n", META);
    let machine = Machine::with_seed(&server.hand_off());
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    assert!(
        said.contains("user-data: part-001 is dropped: read the cloud-config: line 3, column 1"),
        "{said}"
    );
    assert_eq!(machine.read("etc/hostname"), "meta\n");
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAmeta\n");
    assert_eq!(machine.agent(&["status"]).0, 2);
}

#[test]
fn a_failing_handler_costs_only_itself() {
    let config = "#cloud-config\nhostname: 'not a name'\nwrite_files: [{path: /a, content: a}]\n";
    let server = Server::with_seed(config, META);
    let machine = Machine::with_seed(&server.hand_off());
    let (well, said) = machine.boot();
    assert!(!well && said.contains("error: hostname: `not a name` is no host name"), "{said}");
    assert_eq!(machine.read("a"), "a");
    assert_eq!(machine.agent(&["status"]).0, 1);
}

#[test]
fn a_rescue_boot_lets_people_in_and_leaves_the_rest_out() {
    let server = Server::with_seed(CONFIG, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.write("run/lifeboat/rescue", "BOOTED=rescue\nDEVICE=/dev/vdb\nTYPE=ext4\n");
    machine.write("var/lib/cloud/scripts/per-boot/each", "#!/bin/sh\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(machine.path("var/lib/cloud/scripts/per-boot/each"), executable).unwrap();
    for boot in ["first", "second"] {
        machine.write("etc/hostname", "volume\n");
        machine.write("home/me/.ssh/authorized_keys", "");
        let (well, said) = machine.boot();
        assert!(well, "{said}");
        // Also in the second, for the volume may have served another machine under the same instance-id.
        assert_eq!(machine.read("etc/hostname"), "web-1\n", "{boot}");
        assert_eq!(machine.read("home/me/.ssh/authorized_keys"), "ssh-ed25519 AAAAme\n", "{boot}");
        for (path, what) in
            [("etc/motd.d/hello", "write_files"), ("late", "write_files"), ("bad", "write_files")]
        {
            assert_eq!(machine.mode(path), 0, "{boot}: {path}");
            assert!(said.contains(&format!("{what}: left out in a rescue boot: ")), "{said}");
        }
        assert!(!said.contains("not on this root: run /"), "{said}");
        for left_out in [
            "bootcmd: left out in a rescue boot: run",
            "left out in a rescue boot: run /var/lib/cloud/scripts/per-boot/each",
        ] {
            assert!(said.contains(left_out), "{said}");
        }
        let (_, text) = machine.agent(&["status"]);
        assert!(text.contains("\nboot: rescue ("), "{text}");
    }
    assert_eq!(machine.mode(&format!("{INSTANCE}/scripts/runcmd")), 0);

    // The same volume as a machine's own root: now everything is done.
    machine.write("run/lifeboat/rescue", "BOOTED=own-root\nREASON=none\n");
    let (well, said) = machine.boot();
    assert!(well && !said.contains("left out"), "{said}");
    assert_eq!(machine.read("late"), "z");
    assert!(said.contains(&format!("not on this root: run /{INSTANCE}/scripts/runcmd")), "{said}");
    assert!(!machine.agent(&["status"]).1.contains("\nboot: rescue ("));
}

/// The one instance of a machine after a boot with this meta-data and one without news; what the second said.
fn twice(meta_data: &str) -> (Machine, String, String) {
    let server = Server::with_seed(CONFIG, meta_data);
    let machine = Machine::with_seed(&server.hand_off());
    let (well, said) = machine.boot();
    assert!(well && said.contains("/scripts/runcmd"), "{said}");
    assert_eq!(machine.read("home/me/.ssh/authorized_keys"), "ssh-ed25519 AAAAme\n", "{said}");
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    let mut instances = machine.list("var/lib/cloud/instances");
    assert_eq!(instances.len(), 1, "{instances:?}");
    (machine, instances.remove(0), said)
}

#[test]
fn white_space_around_an_instance_id_is_no_part_of_it() {
    for meta_data in
        ["instance-id: |\n  i-1\n", "{\"instance-id\": \"i-1\\n\"}", "instance-id: ' i-1 '\n", META]
    {
        let (machine, name, said) = twice(meta_data);
        assert_eq!(
            (name.as_str(), machine.read("var/lib/cloud/data/instance-id").as_str()),
            ("i-1", "i-1\n")
        );
        assert!(!said.contains("/scripts/runcmd"), "{said}");
    }
    assert_eq!(twice("instance-id: a b\n").1, "a b");
}

#[test]
fn an_instance_id_that_is_no_name_costs_nobody_their_keys() {
    let long = "x".repeat(300);
    let (_, name, said) = twice(&format!("instance-id: {long}1\n"));
    assert!(!said.contains("/scripts/runcmd"), "{said}");
    assert_ne!(twice(&format!("instance-id: {long}2\n")).1, name);
    for (id, name) in [("a\\0b", "a_b"), ("a/b", "a_b"), ("..", ".._"), (".", "._")] {
        let (_, found, said) = twice(&format!("{{\"instance-id\": \"{id}\"}}").replace("\\0", "\\u0000"));
        assert_eq!(found, name);
        assert!(!said.contains("/scripts/runcmd"), "{said}");
    }
}

#[test]
fn the_first_stage_of_a_boot_forgets_the_last_boot() {
    let config = "#cloud-config\nhostname: 'not a name'\n";
    let server = Server::with_seed(config, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.boot();
    assert_eq!(machine.agent(&["status"]).0, 1);
    // Where /var is on the network there is no local stage; /run is empty then.
    std::fs::remove_dir_all(machine.path("run/cloud-init")).unwrap();
    assert_eq!(machine.agent(&["network", "--budget", "5"]).0, 0);
    assert_eq!(machine.agent(&["status"]), (0, "status: running\nsource: nocloud\ninstance: i-1\n".into()));
    assert_eq!(machine.mode("var/lib/cloud/data/result.json"), 0);
    assert_eq!(machine.agent(&["final"]).0, 0);
    assert!(machine.agent(&["status"]).1.starts_with("status: done\n"));
    // The stages after it forget nothing.
    machine.write("run/lifeboat/seed", "SOURCE=nocloud\nSEED_FROM=/nowhere\n");
    std::fs::remove_dir_all(machine.path("run/cloud-init")).unwrap();
    machine.agent(&["network", "--budget", "5"]);
    machine.agent(&["final"]);
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("going on with instance i-1 as it was kept"), "{text}");
}

#[test]
fn an_include_that_cannot_be_kept_counts_all_the_same() {
    let part = Server::new(|_, _| Reply::Ok(b"#cloud-config\nhostname: included\n".to_vec()));
    let (url, other) = (part.url("/part"), part.url("/other"));
    let server = Server::with_seed(&format!("#include-once\n{url}\n{other}\n"), META);
    for (in_the_way, code) in [("data/urlcache", 2), ("data/other", 0)] {
        let machine = Machine::with_seed(&server.hand_off());
        machine.write(&format!("{INSTANCE}/{in_the_way}"), "");
        let (well, said) = machine.boot();
        assert!(well && machine.read("etc/hostname") == "included\n", "{said}");
        let told = format!("warning: include {url} is fetched again next time: make the directory ");
        assert_eq!(said.contains(&told), code == 2, "{said}");
        assert_eq!(machine.agent(&["status"]).0, code, "{said}");
        // One that is kept is not asked for again, and one that is not is.
        let before = part.asked("/part");
        assert!(machine.boot().0);
        assert_eq!(part.asked("/part") - before, usize::from(code == 2));
        assert_eq!(machine.list(&format!("{INSTANCE}/data/urlcache")).len(), if code == 2 { 0 } else { 2 });
    }
}

#[test]
fn keys_that_nothing_carries_out_are_named_wherever_somebody_looks() {
    let config =
        "#cloud-config\nhostname: a\nfan: {config: x}\nlxd: {init: {storage_backend: dir}}\nubuntu_pro: {}\n";
    let told = "user-data: nothing carries out the keys fan, lxd";
    let server = Server::with_seed(config, META);
    let machine = Machine::with_seed(&server.hand_off());
    machine.write("etc/cloud/cloud.cfg", "wireguard: {interfaces: []}\ndisable_root: true\n");
    machine.write("config", config);
    let (well, said) = machine.boot();
    assert!(well && said.contains(told), "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains(told), "{text}");
    assert!(text.contains("etc/cloud/cloud.cfg: nothing carries out the key wireguard\n"), "{text}");
    let path = machine.path("config");
    let (_, plan) = machine.agent(&["plan", path.to_str().unwrap()]);
    assert!(plan.contains(told), "{plan}");
    let (code, text) = machine.agent(&["validate", path.to_str().unwrap()]);
    assert!(code == 0 && text.contains("fan: nothing carries out this key"), "{text}");
    assert!(!text.contains("ubuntu_pro:") && text.contains("not all of it has an effect"), "{text}");
    // The next boot says so, too.
    machine.boot();
    assert_eq!(machine.agent(&["status"]).0, 2);
}

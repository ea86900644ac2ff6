//! The first boot after cloud-init's package was exchanged for the agent's: the instance goes on, and nothing is run twice.

use crate::work::Live;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

const INSTANCE: &str = "var/lib/cloud/instances/i-1";

const USER_DATA: &str = "#cloud-config-archive
- |
  #cloud-config
  hostname: taken
  users: [{name: ann, lock_passwd: false, ssh_authorized_keys: [ssh-ed25519 AAAA ann@home]}]
  chpasswd: {expire: false, users: [{name: ann, password: secret, type: text}]}
  write_files:
  - {path: /etc/now.conf, content: again}
  - {path: /etc/later.conf, content: again, defer: true}
  timezone: Europe/Berlin
  bootcmd: ['echo bootcmd >>/ran']
  runcmd: ['echo runcmd >>/ran']
  phone_home: {url: 'http://127.0.0.1:9/', tries: 1}
- '#!/bin/sh

  echo script >>/ran'
";

/// The names of semaphores that cloud-init 26.2 left on Debian, recorded from a run. Those for timezone and `phone_home`
/// were added: their keys were not in that run's user-data.
const SEMAPHORES: &str = "config_apt_configure config_byobu config_install_hotplug config_keys_to_console
    config_locale config_reset_rmc config_runcmd config_scripts_per_instance config_scripts_user
    config_scripts_vendor config_seed_random config_set_hostname config_set_passwords config_ssh
    config_ssh_authkey_fingerprints config_ssh_import_id config_users_groups config_write_files
    config_write_files_deferred consume_data config_timezone config_phone_home";

/// A machine that cloud-init set up, with these semaphores.
fn set_up(semaphores: &str) -> Live {
    let live = Live::new(USER_DATA);
    let instance = |name: &str, text: &str| live.write(&format!("{INSTANCE}/{name}"), text);
    for name in semaphores.split_whitespace() {
        instance(&format!("sem/{name}"), "48: 1796098560.7042222\n");
    }
    live.write("var/lib/cloud/sem/config_scripts_per_once.once", "48: 1796098560.7042222\n");
    instance("boot-finished", "9.00 - Tue, 01 Dec 2026 04:00:00 +0000 - v. 26.2\n");
    instance(
        "cloud-config.txt",
        "#cloud-config\n\n# from 1 files\n# part-001\n\n---\nhostname: taken\n...\n",
    );
    instance("datasource", "DataSourceNoCloud: DataSourceNoCloud [seed=/seed]\n");
    instance("obj.pkl", "\u{1}pickle");
    instance("user-data.txt", USER_DATA);
    instance(
        "user-data.txt.i",
        "Content-Type: multipart/mixed; boundary=\"==\"\nMIME-Version: 1.0\n\n--==--\n",
    );
    for name in ["vendor-data.txt", "vendor-data2.txt"] {
        instance(name, "");
    }
    instance("scripts/runcmd", "#!/bin/sh\necho runcmd >>/ran\n");
    instance("scripts/part-002", "#!/bin/sh\necho script >>/ran\n");
    let scripts = [format!("{INSTANCE}/scripts/runcmd"), format!("{INSTANCE}/scripts/part-002")];
    for (place, word) in [("per-boot", "boot"), ("per-instance", "instance"), ("per-once", "once")] {
        let path = format!("var/lib/cloud/scripts/{place}/script");
        live.write(&path, &format!("#!/bin/sh\necho {word} >>/ran\n"));
        fs::set_permissions(live.path(&path), fs::Permissions::from_mode(0o700)).unwrap();
    }
    for path in scripts {
        fs::set_permissions(live.path(&path), fs::Permissions::from_mode(0o700)).unwrap();
    }
    symlink("/var/lib/cloud/instances/i-1", live.path("var/lib/cloud/instance")).unwrap();
    let data = |name: &str, text: &str| live.write(&format!("var/lib/cloud/data/{name}"), text);
    data("instance-id", "i-1\n");
    data("previous-instance-id", "NO_PREVIOUS_INSTANCE_ID\n");
    data("previous-datasource", "DataSourceNoCloud: DataSourceNoCloud [seed=/seed]\n");
    data("previous-hostname", "taken");
    data("python-version", "3.13");
    data("set-hostname", "{\n \"fqdn\": \"taken\",\n \"hostname\": \"taken\"\n}\n");
    let status = "{\"v1\": {\"datasource\": \"DataSourceNoCloud [seed=/seed]\", \"stage\": null}}";
    for name in ["status.json", "result.json"] {
        data(name, status);
    }
    live.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n");
    live.write("etc/group", "root:x:0:\nann:x:1000:\n");
    live.write("etc/hostname", "taken\n");
    live.write("etc/ssh/ssh_host_ed25519_key", "the key\n");
    live.write("home/ann/.ssh/authorized_keys", "ssh-ed25519 AAAA changed-since\n");
    for name in
        ["useradd", "usermod", "groupadd", "passwd", "chpasswd", "ssh-keygen", "systemctl", "hostname"]
    {
        live.program(name, "");
    }
    live
}

/// The changes that a boot makes where it works.
const TOUCHED: [&str; 5] = [
    "etc/ssh/ssh_host_ed25519_key",
    "home/ann/.ssh/authorized_keys",
    "etc/now.conf",
    "etc/later.conf",
    "etc/localtime",
];

fn boot(live: &Live) -> String {
    live.stage("local") + &live.boot() + &live.late()
}

#[test]
fn a_machine_that_cloud_init_set_up_goes_on_and_nothing_is_run_twice() {
    let live = set_up(SEMAPHORES);
    for number in 1..=2 {
        let said = boot(&live);
        // On each boot: the commands for that, and its scripts.
        assert_eq!(live.read("ran"), "bootcmd\nboot\n".repeat(number), "{said}");
        assert_eq!(live.read("called"), "", "{said}");
        let expected = ["the key\n", "ssh-ed25519 AAAA changed-since\n", "", "", ""];
        assert_eq!(TOUCHED.map(|path| live.read(path)), expected, "{said}");
        assert!(!said.contains("warning: ") && !said.contains("changed"), "{said}");
        assert_eq!(live.read("var/lib/cloud/data/instance-id"), "i-1\n");
        assert_eq!(live.read("var/lib/cloud/instance/user-data.txt"), "");
        let target = fs::read_link(live.path("var/lib/cloud/instance")).unwrap();
        assert_eq!(target.to_str(), Some("/var/lib/cloud/instances/i-1"));
        assert_eq!(live.read(&format!("{INSTANCE}/user-data.txt")), USER_DATA);
    }
    // Another instance has all of it.
    live.write("seed/meta-data", "instance-id: i-2\n");
    live.call("network --budget 2");
    live.call("config");
    live.call("final");
    let ran = live.read("ran");
    assert!(["runcmd\n", "script\n", "instance\n"].iter().all(|word| ran.contains(word)), "{ran}");
    assert!(!ran.contains("once") && live.read("called").contains("chpasswd"), "{ran}");
    assert_eq!(live.read("etc/later.conf"), "again");
}

#[test]
fn where_cloud_init_was_cut_off_the_rest_is_done() {
    let live = set_up("config_users_groups config_ssh consume_data");
    live.call("local");
    let said = live.boot();
    assert_eq!(
        (live.read("etc/now.conf").as_str(), live.read("ran").as_str()),
        ("again", "bootcmd\n"),
        "{said}"
    );
    assert!(!live.read("called").contains("useradd"), "{}", live.read("called"));
    live.call("config");
    live.call("final");
    let ran = live.read("ran");
    assert!(ran.contains("runcmd\n") && ran.contains("script\n") && !ran.contains("once"), "{ran}");
}

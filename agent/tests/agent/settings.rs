//! Settings of the system, and what is done at the end of a boot, in a mount namespace in which a scratch root is `/`.

use crate::server::{Reply, Server};
use crate::work::Live;
use std::sync::{Arc, Mutex};

/// A Debian whose user-data is this.
fn debian(user_data: &str) -> Live {
    let live = Live::new(&format!("#cloud-config\n{user_data}"));
    live.write("etc/os-release", "ID=debian\n");
    live.write("seed/meta-data", "{instance-id: i-1, local-hostname: meta.example.org}\n");
    live
}

#[test]
fn the_end_of_a_boot_is_told_posted_and_then_the_machine_goes_off() {
    let posted = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&posted);
    let server = Server::of_requests(move |request| {
        let mut log = log.lock().unwrap();
        let kind = request.header("content-type").unwrap_or_default().to_owned();
        log.push(format!("{} {} {kind} {}", request.verb, request.path, request.body));
        if log.len() == 1 { Reply::Status(500) } else { Reply::Status(201) }
    });
    let live = debian(&format!(
        "phone_home: {{url: '{}/$INSTANCE_ID', post: [instance_id, fqdn, pub_key_ed25519], tries: 2}}
ssh_deletekeys: false
ssh_genkeytypes: []
final_message: up at $TIMESTAMP by $version from $datasource
power_state: {{mode: poweroff, message: Good night, condition: test -e /var/lib/cloud/data/result.json}}
",
        server.url("")
    ));
    live.write("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AA+A root@a\n");
    live.program("shutdown", "cp /var/lib/cloud/data/status.json /status");
    live.boot();
    let said = live.late();
    let form = "application/x-www-form-urlencoded instance_id=i-1&fqdn=meta.example.org&pub_key_ed25519=ssh-ed25519+AA%2BA+root%40a%0A";
    let expected = format!("POST /i-1 {form}");
    assert_eq!(*posted.lock().unwrap(), [expected.clone(), expected], "{said}");
    let told = "by 0.1.0 from DataSourceNoCloud [seed=cmdline,/seed]";
    assert!(said.contains(told) && live.read("var/log/cloud-init-output.log").contains(told), "{said}");
    assert_eq!(live.read("called"), "/programs/shutdown -P now Good night\n", "{said}");
    // It goes off when all is recorded.
    assert!(live.read("status").contains(r#""stage":null"#), "{}", live.read("status"));
    // And once per instance, while the message is for each boot.
    live.boot();
    let said = live.late();
    assert!(said.contains("finished at") || said.contains(told), "{said}");
    assert_eq!((live.read("called").lines().count(), posted.lock().unwrap().len()), (1, 2), "{said}");
}

#[test]
fn a_machine_stays_on_where_nothing_or_no_more_is_asked_for() {
    let on = "power_state: {mode: poweroff, condition: ";
    for (config, told) in [
        ("hostname: a\n".to_owned(), "Cloud-init v. 0.1.0 finished at "),
        (format!("{on}false}}\n"), ""),
        (format!("{on}[test, -e, /nothing]}}\n"), "power_state: its condition is not met"),
        (format!("{on}exit 3}}\n"), "power_state: left out, for its condition ended with 3"),
        (format!("{on}[/nowhere/program]}}\n"), "error: power_state: its condition: start /nowhere/program"),
    ] {
        let live = debian(&config);
        live.program("shutdown", "");
        live.boot();
        let said = live.stage("config") + &live.call("final").1;
        assert!(said.contains(told), "{config}{said}");
        assert_eq!(live.read("called"), "", "{said}");
    }
    // A rescue boot is somebody's who looks for a fault.
    let live = debian("{power_state: {mode: poweroff}, phone_home: {url: 'http://127.0.0.1:9/'}}\n");
    live.program("shutdown", "");
    live.write("run/lifeboat/rescue", "BOOTED=rescue\nDEVICE=/dev/vdb\nTYPE=ext4\n");
    live.boot();
    let said = live.late();
    assert!(
        said.contains("power_state: left out in a rescue boot: once the boot is recorded, run"),
        "{said}"
    );
    assert_eq!(live.read("called"), "");
}

#[test]
fn what_the_users_scripts_write_is_in_a_log_of_its_own_too() {
    let live =
        debian("runcmd: [[echo, from-runcmd], 'echo from-error >&2; (sleep 1; echo from-daemon) &']\n");
    live.write("var/lib/cloud/scripts/per-boot/other", "#!/bin/sh\necho from-other\n");
    live.make_executable("var/lib/cloud/scripts/per-boot/other");
    live.boot();
    let said = live.late();
    // A daemon that a script leaves writes on.
    let log = (0..50)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            live.read("var/log/user_data.log")
        })
        .find(|log| log.contains("from-daemon"))
        .unwrap_or_default();
    assert_eq!(log, "from-runcmd\nfrom-error\nfrom-daemon\n", "{said}");
    let all = live.read("var/log/cloud-init-output.log");
    for line in ["from-runcmd\n", "from-error\n", "from-other\n", "finished at"] {
        assert!(all.contains(line), "{all}");
    }
    let live = debian("runcmd: ['echo out; echo error >&2']\noutput: {all: ['>> /out', '>> /error']}\n");
    live.boot();
    live.late();
    assert!(live.read("out").starts_with("out\n") && live.read("error") == "error\n");
    assert_eq!(live.read("var/log/user_data.log").lines().count(), 2);
    // Without scripts there is no such file.
    let live = debian("hostname: a\n");
    live.boot();
    live.late();
    assert!(!live.path("var/log/user_data.log").exists());
}

#[test]
fn a_files_content_may_be_elsewhere() {
    let server = Server::of_requests(|request| match (request.path.as_str(), request.header("x-token")) {
        ("/with", Some("secret")) => Reply::Ok(b"fetched".to_vec()),
        ("/plain", None) => Reply::Ok(b"plain".to_vec()),
        _ => Reply::Status(404),
    });
    let live = debian(&format!(
        "write_files:
- {{path: /with, permissions: '0640', source: {{uri: '{0}/with', headers: {{X-Token: secret}}}}}}
- {{path: /plain, content: other, source: {{uri: '{0}/plain'}}}}
- {{path: /local, source: {{uri: 'file:///etc/os-release'}}}}
- {{path: /instead, content: aW5zdGVhZA==, encoding: b64, source: {{uri: '{0}/missing'}}}}
- {{path: /missing, source: {{uri: '{0}/missing'}}}}
- {{path: /empty, content: '', source: {{}}}}
",
        server.url("")
    ));
    let (_, said) = live.call("network --budget 2");
    for (path, content) in [
        ("with", "fetched"),
        ("plain", "plain"),
        ("local", "ID=debian\n"),
        ("instead", "instead"),
        ("missing", ""),
        ("empty", ""),
    ] {
        assert_eq!(live.read(path), content, "{path}: {said}");
    }
    assert!(!live.path("missing").exists() && live.path("empty").exists());
    assert!(
        said.contains("warning: /instead: there is nothing at") && said.contains("error: write_files: fetch"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn settings_are_files_and_their_services_are_told() {
    let live = debian(
        "ntp: {servers: [time.example]}
keyboard: {layout: de}
rsyslog: {remotes: {central: '@@log.example:514'}, check_exe: logd}
random_seed: {file: /seed-file, data: c2VlZA==, encoding: b64}
locale: C.UTF-8
manage_etc_hosts: localhost
disable_ec2_metadata: true
ssh: {emit_keys_to_console: false}
",
    );
    live.write("etc/hosts", "127.0.0.1 localhost\n");
    for name in ["systemctl", "ip", "setupcon", "locale-gen", "apt-get"] {
        live.program(name, "");
    }
    let said = live.boot() + &live.late();
    for (path, content) in [
        ("seed-file", "seed"),
        ("etc/default/locale", "LANG=C.UTF-8\n"),
        (
            "etc/rsyslog.d/20-cloud-config.conf",
            "# begin remotes\n*.* @@log.example:514 # central\n# end remotes\n",
        ),
        ("etc/hosts", "127.0.0.1 localhost\n127.0.1.1\tmeta.example.org\tmeta\n"),
    ] {
        assert_eq!(live.read(path), content, "{path}: {said}");
    }
    assert!(live.read("etc/default/keyboard").contains("XKBLAYOUT=\"de\"\n"));
    assert!(said.contains("rsyslog: there is no logd that would read it"), "{said}");
    assert!(!said.contains("c2VlZA") && !said.contains("nothing carries out"), "{said}");
    // Once per instance.
    live.write("etc/default/locale", "");
    live.boot();
    live.late();
    assert_eq!((live.read("etc/default/locale"), live.read("seed-file")), (String::new(), "seed".into()));
}

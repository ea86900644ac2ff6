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

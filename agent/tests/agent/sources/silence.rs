//! Sources that answered once and do not now.

use super::services::{amazon, imds, network_of};
use super::*;

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
    let other = "sys/firmware/qemu_fw_cfg/by_name/opt/io.cloud-init/cloud-init/meta-data/raw";
    let machine = Machine::with_seed(&server.hand_off());
    machine.write(other, "instance-id: other\n");
    assert!(machine.boot().0);
    let silent = ("run/lifeboat/seed", "SOURCE=nocloud\nSEED_FROM=/nowhere\n");
    machine.write(silent.0, silent.1);
    let (well, said) = machine.boot();
    assert!(well && instance(&machine) == "i-1", "{said}");
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("qemu_fw_cfg answers with instance other, but"), "{text}");
    // A new machine, and one that came from elsewhere, are what the next source says.
    let files = [silent, (other, "instance-id: other\n")];
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
    for broken in ["instance-id: [", "- a\n", "", "# nothing\n", "{}\n"] {
        machine.write("var/lib/cloud/seed/nocloud/meta-data", broken);
        let (_, said) = machine.boot();
        assert_eq!(instance(&machine), "i-1", "{said}");
        assert_eq!(machine.agent(&["status"]).0, 2);
    }
    // Of an instance without an id, or with one from elsewhere, it is the whole answer.
    for (line, id) in [("ds=nocloud", "nocloud"), ("ds=nocloud;i=i-2", "i-2")] {
        let machine = Machine::new();
        machine.write("proc/cmdline", line);
        machine.write("var/lib/cloud/seed/nocloud/user-data", SCRIPT);
        machine.write("var/lib/cloud/seed/nocloud/meta-data", "");
        for _ in 0..2 {
            let (_, said) = machine.boot();
            assert_eq!((instance(&machine).as_str(), machine.agent(&["status"]).0), (id, 0), "{said}");
        }
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

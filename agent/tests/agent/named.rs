//! A machine that was told of a seed and has none is not simply without one.

use crate::machine::Machine;
use crate::server::Server;

const SCRIPT: &str = "#!/bin/sh\necho hello\n";
const META: &str = "instance-id: i-1\nlocal-hostname: web\n";
const LINE: &str = "proc/cmdline";
const SERIAL: &str = "sys/class/dmi/id/product_serial";
const CONFIG: &str = "etc/cloud/cloud.cfg";
const FW_CFG: &str = "sys/firmware/qemu_fw_cfg/by_name/opt/io.cloud-init/cloud-init/odd/raw";

/// Boots as systemd does: the units run only if the generator links them. The status and what it says.
fn status(files: &[(&str, &str)]) -> (i32, String) {
    let machine = Machine::new();
    machine.make("run/systemd/system");
    machine.make("var/lib");
    for (path, content) in files {
        machine.write(path, content);
    }
    let out = tempfile::tempdir().unwrap();
    let (code, said) = machine.agent(&["generator", out.path().to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    if out.path().join("multi-user.target.wants/lifeboat-agent.service").symlink_metadata().is_ok() {
        machine.boot();
    }
    machine.agent(&["status"])
}

#[test]
fn a_source_that_was_named_in_vain_is_told_and_the_status_is_2() {
    for (path, content, told) in [
        (LINE, "ro ds=nocluod;s=http://127.0.0.1:9/\n", "names the source `nocluod`"),
        (LINE, "ro 'ds=nocloud;s=http://127.0.0.1:9/'\n", "is no parameter (write ds=…, without quotes)"),
        (LINE, "ro ds=ConfigDrive\n", "names ConfigDrive, and nothing of it was found"),
        (LINE, "ro ds=nocloud\n", "it names no place to fetch from"),
        (SERIAL, "ds=nocloud\n", "it names no place to fetch from"),
        (SERIAL, "ds=nocluod;s=http://127.0.0.1:9/\n", "names the source `nocluod`"),
        (CONFIG, "datasource_list: [NoCloud, None]\n", "datasource_list names NoCloud, and nothing"),
        (CONFIG, "datasource_list: [Azure, None]\n", "the agent does not have it"),
        (CONFIG, "datasource_list: [NoCluod]\n", "names the source `NoCluod`"),
        (
            "var/lib/cloud/seed/nocloud/userdata",
            "x",
            "seed/nocloud is there and holds neither user-data nor meta-data",
        ),
        (FW_CFG, "x", "source qemu_fw_cfg: nothing, although"),
    ] {
        let (code, text) = status(&[(path, content)]);
        assert_eq!(code, 2, "{content}: {text}");
        assert!(text.contains("warning: ") && text.contains(told), "{content}: {text}");
    }
}

#[test]
fn a_machine_that_nobody_told_of_a_seed_is_fine_without_one() {
    for (path, content) in [
        (LINE, "ro quiet\n"),
        (SERIAL, "VM-1234\n"),
        (CONFIG, "datasource_list: [NoCloud, Ec2, None]\n"),
        (CONFIG, "datasource_list: [None]\n"),
    ] {
        let (code, text) = status(&[(path, content)]);
        assert!(code == 0 && !text.contains("warning"), "{content}: {text}");
    }
}

#[test]
fn where_a_seed_was_found_nothing_else_is_told_but_a_name_that_nobody_has() {
    let seed =
        [("var/lib/cloud/seed/nocloud/user-data", SCRIPT), ("var/lib/cloud/seed/nocloud/meta-data", META)];
    for (path, content, code) in [
        (LINE, "ro quiet\n", 0),
        (LINE, "ro ds=nocloud\n", 0),
        (CONFIG, "datasource_list: [NoCloud, None]\n", 0),
        (CONFIG, "datasource_list: [NoCluod, NoCloud, None]\n", 0),
        (LINE, "ro ds=nocluod\n", 2),
    ] {
        let (status, text) = status(&[seed[0], seed[1], (path, content)]);
        assert!(status == code && text.contains("instance: i-1"), "{content}: {text}");
    }
}

#[test]
fn the_backslash_of_grub_is_no_part_of_the_seed() {
    let server = Server::with_seed(SCRIPT, META);
    let (code, text) = status(&[(LINE, &format!("ro quiet ds=nocloud\\;s={}\n", server.url("/")))]);
    assert!(code == 0 && text.contains("instance: i-1"), "{text}");
}

#[test]
fn a_hand_off_that_is_damaged_is_not_believed() {
    let garbage = "\0\u{1}garbage\nINSTANCE_ID=odd\n";
    let server = Server::with_seed(SCRIPT, META);
    let line = format!("ro ds=nocloud;s={}\n", server.url("/"));
    let (code, text) = status(&[("run/lifeboat/seed", garbage), (LINE, &line)]);
    assert!(code == 0 && text.contains("instance: i-1"), "{text}");
    for text in [garbage, "", "SOURCE=\"\"\nLOCAL_HOSTNAME=\"\"\n", "SOURCE=../../x\nINSTANCE_ID=odd\n"] {
        let (code, text) = status(&[("run/lifeboat/seed", text), (LINE, "ro\n")]);
        assert!(code == 1 && text.contains("/run/lifeboat/seed: it is damaged"), "{text}");
        assert!(!text.contains("instance: "), "{text}");
    }
}

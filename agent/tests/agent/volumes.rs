//! Seeds on volumes, by their label. To have a block device takes root and a loop device: where they are not,
//! the tests say so and show nothing (the VM tests have real disks).

use crate::machine::Machine;
use std::fs;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = "#!/bin/sh\necho hello\n";

/// An image as a block device, for as long as the value lives.
struct Device(String);

impl Device {
    fn of(image: &Path) -> Option<Self> {
        let output = Command::new("losetup").args(["--find", "--show"]).arg(image).output().ok()?;
        let device = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !device.is_empty()).then_some(Self(device))
    }

    /// Makes the same device at a path below a machine's root, with udev's link to it where there is udev.
    fn appear(&self, machine: &Machine, link: Option<&str>) -> bool {
        use std::os::unix::fs::{MetadataExt, symlink};
        let number = fs::metadata(&self.0).unwrap().rdev();
        machine.make("dev");
        machine.make("sys/class/block/vdb");
        let (major, minor) = (rustix::fs::major(number).to_string(), rustix::fs::minor(number).to_string());
        let made =
            Command::new("mknod").arg(machine.path("dev/vdb")).args(["b", &major, &minor]).status().unwrap();
        if let Some(link) = link {
            machine.make("dev/disk/by-label");
            symlink("../../vdb", machine.path("dev/disk/by-label").join(link)).unwrap();
        }
        made.success()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        Command::new("losetup").args(["--detach", &self.0]).status().unwrap();
    }
}

/// A machine with udev and an ext4 volume that holds these files and links.
fn machine(label: &str, files: &[(&str, &str)], links: &[(&str, &str)]) -> Option<(Machine, Device)> {
    let volume = volume(&["-q", "-t", "ext4"], files, links)?;
    volume.1.appear(&volume.0, Some(label)).then_some(volume)
}

/// A machine, and an ext4 volume that is not in it yet.
fn volume(options: &[&str], files: &[(&str, &str)], links: &[(&str, &str)]) -> Option<(Machine, Device)> {
    if !rustix::process::geteuid().is_root() {
        not_shown("only root can make a block device");
        return None;
    }
    let machine = Machine::new();
    machine.make("source");
    for (path, content) in files {
        machine.write(&format!("source/{path}"), content);
    }
    for (path, target) in links {
        std::os::unix::fs::symlink(target, machine.path("source").join(path)).unwrap();
    }
    let image = machine.path("image");
    let mut make = Command::new("mke2fs");
    make.args(options).arg("-d").arg(machine.path("source")).arg(&image).arg("2M");
    assert!(make.status().unwrap().success());
    let Some(device) = Device::of(&image) else {
        not_shown("there is no loop device");
        return None;
    };
    Some((machine, device))
}

#[expect(clippy::print_stderr, reason = "a test that shows nothing has to say so")]
fn not_shown(reason: &str) {
    eprintln!("not shown: {reason}");
}

#[test]
fn a_volume_labelled_cidata_is_read_and_not_written_to() {
    for label in ["cidata", "CIDATA"] {
        let files = [("user-data", SCRIPT), ("meta-data", "instance-id: i-1\n")];
        let Some((machine, _device)) = machine(label, &files, &[]) else { return };
        let before = fs::read(machine.path("image")).unwrap();
        let (code, said) = machine.agent(&["network"]);
        let script = machine.read("var/lib/cloud/instances/i-1/scripts/part-001");
        assert_eq!((code, script.as_str()), (0, SCRIPT), "{said}");
        assert!(fs::read(machine.path("image")).unwrap() == before, "the volume was written to");
        assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains("vdb"));
    }
}

#[test]
fn without_udev_the_label_is_read_from_the_volume_itself() {
    for (label, expected) in [("CIDATA", SCRIPT), ("DATA", "")] {
        let files = [("user-data", SCRIPT), ("meta-data", "instance-id: i-1\n")];
        let Some((machine, device)) = volume(&["-q", "-t", "ext4", "-L", label], &files, &[]) else { return };
        if !device.appear(&machine, None) {
            return;
        }
        let (code, said) = machine.agent(&["network"]);
        let script = machine.read("var/lib/cloud/instances/i-1/scripts/part-001");
        assert_eq!((code, script.as_str()), (0, expected), "{said}");
    }
}

#[test]
fn a_volumes_links_stay_inside_it() {
    let Some((machine, _device)) =
        machine("cidata", &[("meta-data", "instance-id: i-1\n")], &[("user-data", "/own")])
    else {
        return;
    };
    machine.write("own", SCRIPT);
    let (code, said) = machine.agent(&["network"]);
    assert_eq!((code, machine.list("var/lib/cloud/instances/i-1/scripts").len()), (0, 0), "{said}");
    assert!(said.contains("there is no user-data"), "{said}");
}

#[test]
fn a_config_drive_is_read() {
    let meta = r#"{"uuid": "u-1"}"#;
    let files = [("openstack/latest/meta_data.json", meta), ("openstack/latest/user_data", SCRIPT)];
    let Some((machine, _device)) = machine("config-2", &files, &[]) else { return };
    let (code, said) = machine.agent(&["network"]);
    let script = machine.read("var/lib/cloud/instances/u-1/scripts/part-001");
    assert_eq!((code, script.as_str()), (0, SCRIPT), "{said}");
}

#[test]
fn an_ovf_transport_is_read() {
    let xml = "<Environment><Property key='instance-id' value='o-1'/></Environment>";
    let Some((machine, _device)) = machine("OVF\\x20ENV", &[("ovf-env.xml", xml)], &[]) else { return };
    let (code, said) = machine.agent(&["network"]);
    assert_eq!((code, machine.read("var/lib/cloud/data/instance-id").as_str()), (0, "o-1\n"), "{said}");
}

#[test]
fn another_label_is_nobodys_seed_and_an_empty_volume_none() {
    let files = [("user-data", SCRIPT)];
    let Some((other, _device)) = machine("data", &files, &[]) else { return };
    let (code, said) = other.agent(&["network"]);
    assert_eq!((code, other.list("var/lib/cloud/instances").len()), (0, 0), "{said}");
    let Some((empty, _device)) = machine("cidata", &[], &[]) else { return };
    let (code, said) = empty.agent(&["network"]);
    assert_eq!((code, empty.list("var/lib/cloud/instances").len()), (0, 0), "{said}");
    assert!(said.contains("cidata: neither user-data nor meta-data is there"), "{said}");
}

#[test]
fn a_volume_that_cannot_be_read_is_told() {
    let machine = Machine::new();
    machine.write("dev/disk/by-label/cidata", "no device");
    let (code, said) = machine.agent(&["network"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("dev/disk/by-label/cidata: it is no block device"), "{said}");
}

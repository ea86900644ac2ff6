//! `lifeboat rescue` where no volume can be mounted: what is read, refused and told. Volumes that can be are
//! in tests/vm.

use crate::scratch::Scratch;
use std::process::Command;

const LOOK: &str = "cat /run/lifeboat/rescue; ls -A /conf /run";

/// A device whose content is an ext4 file system; a regular file, which can be probed but not mounted.
fn with_volume(label: &str) -> Scratch {
    let scratch = Scratch::new().file("sys/class/block/vdz/size", "4096").file("dev/vdz", "");
    let status = Command::new("/sbin/mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-L", label])
        .arg(scratch.path("dev/vdz"))
        .arg("2048k")
        .status()
        .unwrap();
    assert!(status.success());
    scratch
}

#[test]
fn without_a_rescue_volume_the_own_root_is_booted() {
    let ran = with_volume("own").run("rescue premount", LOOK);
    assert_eq!(ran.status, 0, "{}", ran.said);
    assert_eq!(
        ran.seen,
        "BOOTED=own-root\nREASON=\"no volume is labelled RESCUE or UEC-rescue\"\nLOOKED_AT=vdz\n\
         /conf:\n\n/run:\nlifeboat\n"
    );
}

#[test]
fn a_volume_that_cannot_be_mounted_is_refused_with_its_reason() {
    let ran = with_volume("RESCUE").run("rescue premount", LOOK);
    assert_eq!(ran.status, 0, "{}", ran.said);
    assert!(ran.said.contains("/dev/vdz (ext4, label RESCUE) is ignored: "), "{}", ran.said);
    assert!(ran.seen.starts_with("BOOTED=own-root\n"), "{}", ran.seen);
    assert!(ran.seen.ends_with("/conf:\n\n/run:\nlifeboat\n"), "{}", ran.seen);
}

#[test]
fn a_device_that_cannot_be_read_is_told_and_passed_over() {
    let ran = Scratch::new().file("sys/class/block/vdy/size", "8").run("rescue premount", LOOK);
    assert_eq!(ran.status, 0, "{}", ran.said);
    assert!(ran.said.contains("probe /dev/vdy: open: No such file or directory"), "{}", ran.said);
}

#[test]
fn empty_and_held_devices_are_not_looked_at() {
    let ran = Scratch::new()
        .file("sys/class/block/sr0/size", "0")
        .file("sys/class/block/ram0/size", "8")
        .file("sys/class/block/vdy/size", "8")
        .file("sys/class/block/vdy/holders/dm-0", "")
        .run("rescue premount", "grep LOOKED /run/lifeboat/rescue");
    assert_eq!(ran.seen, "LOOKED_AT=\"\"\n", "{}", ran.said);
}

#[test]
fn the_switch_leaves_no_trace() {
    for stage in ["premount", "bottom"] {
        let ran = with_volume("RESCUE")
            .cmdline("lifeboat.rescue=off")
            .run(&format!("rescue {stage}"), "ls -A /conf /run");
        assert_eq!((ran.status, ran.seen.as_str()), (0, "/conf:\n\n/run:\n"));
        assert!(ran.said.contains("skipped: lifeboat.rescue=off"), "{}", ran.said);
    }
}

#[test]
fn the_later_stage_looks_at_new_devices_only() {
    let told = "mkdir run/lifeboat; echo LOOKED_AT=vdz >run/lifeboat/rescue";
    let ran = with_volume("RESCUE").before(told).run("rescue bottom", "true");
    assert!(ran.said.contains("skipped: no rescue volume appeared since the first look"), "{}", ran.said);
    let ran = with_volume("RESCUE").run("rescue bottom", "true");
    assert!(ran.said.contains("skipped: /dev/vdz (ext4, label RESCUE) is ignored: "), "{}", ran.said);
}

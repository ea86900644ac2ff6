//! `rescue` on scratch roots: what it says, and with which exit status.

use crate::machine::Machine;

const RESCUE: &str = "BOOTED=rescue\nREASON=\"a rescue volume was attached when the machine started\"\n\
                      DEVICE=/dev/no-rescue\nTYPE=ext4\nLABEL=RESCUE\nUUID=b\n\
                      ORIGINAL_ROOT=/dev/no-original\nORIGINAL_TYPE=xfs\nORIGINAL_LABEL=\"cloud img\"\nORIGINAL_UUID=a\n";

fn rescued(original: &str) -> Machine {
    let machine = Machine::new();
    let record = RESCUE.split("ORIGINAL_ROOT").next().unwrap();
    let record = if original.is_empty() { RESCUE.to_owned() } else { format!("{record}{original}\n") };
    machine.write("run/lifeboat/rescue", record);
    machine
}

#[test]
fn status_tells_what_was_booted_and_why() {
    let (code, text) = rescued("").agent(&["rescue", "status"]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "booted: rescue volume /dev/no-rescue (ext4, label RESCUE, UUID b)\n",
        "why: a rescue volume was attached when the machine started\n",
        "original root: /dev/no-original (xfs, label cloud img, UUID a), which is not there any more\n",
        "mounted: no\nfinished: no\nnext boot: this rescue volume again",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[test]
fn finish_makes_the_marker_and_tells_what_comes_next() {
    let machine = rescued("");
    let (code, said) = machine.agent(&["rescue", "finish"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("next boot: the machine's own root, /dev/no-original (xfs"), "{said}");
    assert_eq!(machine.mode("finished"), 0o644);
    assert!(machine.agent(&["rescue", "status"]).1.contains("finished: yes, /finished is there\n"));
    assert!(machine.agent(&["rescue", "finish"]).1.contains("finished already: /finished is there\n"));
}

#[test]
fn finish_says_what_to_do_where_it_cannot() {
    let machine = rescued("");
    machine.write("proc/self/mountinfo", "25 1 254:16 / / ro - ext4 /dev/no-rescue ro\n");
    let (code, said) = machine.agent(&["rescue", "finish"]);
    assert!(code == 1 && said.contains("`mount -o remount,rw /` first, or detach the volume"), "{said}");
    assert_eq!(machine.mode("finished"), 0);
}

#[test]
fn a_root_that_cannot_be_mounted_is_an_error_with_a_way_out() {
    for (original, expected) in [
        ("", "/dev/no-original, the original root, is not there any more: attach it again"),
        ("ORIGINAL_ROOT=/dev/mapper/vg-root", "root=/dev/mapper/vg-root, is on no device that is attached"),
        ("ORIGINAL=", "names no original root (root=): mount it by hand"),
    ] {
        let (code, said) = rescued(original).agent(&["rescue", "mount"]);
        assert!(code == 1 && said.contains(expected), "{original}: {code} {said}");
    }
}

#[test]
fn a_root_that_was_not_found_may_be_inside_something_that_is_locked() {
    let machine = rescued("ORIGINAL_ROOT=/dev/mapper/vg-root");
    machine.write("run/udev/data/b254:2", "E:ID_FS_TYPE=crypto_LUKS\n");
    machine.write("sys/dev/block/254:2/uevent", "MAJOR=254\nMINOR=2\nDEVNAME=vda2\n");
    let (_, said) = machine.agent(&["rescue", "mount"]);
    assert!(said.contains("inside /dev/vda2 (crypto_LUKS): `cryptsetup open /dev/vda2 NAME`"), "{said}");
}

#[test]
fn nothing_is_done_where_there_is_nothing_to_rescue() {
    for record in [None, Some("BOOTED=own-root\nREASON=\"no volume is labelled RESCUE\"\n")] {
        let machine = Machine::new();
        if let Some(record) = record {
            machine.write("run/lifeboat/rescue", record);
        }
        for words in [["rescue", "status"], ["rescue", "mount"], ["rescue", "umount"], ["rescue", "finish"]] {
            let (code, said) = machine.agent(&words);
            assert!(code == 3 && said.contains("this is no rescue boot"), "{words:?}: {code} {said}");
        }
        assert_eq!(machine.mode("finished"), 0);
    }
}

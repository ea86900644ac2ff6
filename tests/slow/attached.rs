//! `lifeboat rescue wait` while devices are attached, read late, or assembled; and a journey that never ends.

use crate::scratch::Scratch;

const SIGALRM_FROM_SHELL: i32 = 128 + 14;

#[test]
fn a_device_that_could_not_be_read_is_tried_again_and_told_once() {
    let scratch = Scratch::new().file("sys/class/block/vdy/size", "8").cmdline("lifeboat.rescue=wait:2");
    let give_up = "rescue wait 'No root device specified.'";
    let ran = scratch.run(give_up, "grep ^UNREAD= /run/lifeboat/rescue");
    assert_eq!(ran.said.matches("probe /dev/vdy: open").count(), 1, "{}", ran.said);
    assert_eq!(ran.seen, "UNREAD=vdy\n");
    // Its node comes late, and it is a volume: here one that cannot be mounted.
    let late = Scratch::new()
        .volume("vdz", "RESCUE", "random")
        .cmdline("lifeboat.rescue=wait:3")
        .before("mv dev/vdz late; (sleep 1; mv late dev/vdz) &");
    let ran = late.run(give_up, "true");
    assert!(ran.said.contains("/dev/vdz (ext4, label RESCUE) is ignored: "), "{}", ran.said);
}

#[test]
fn a_missing_root_that_may_be_inside_what_appeared_is_looked_for_by_init() {
    let gone = "rescue wait 'ALERT!  UUID=gone does not exist.  Dropping to a shell!'";
    let wait = |appears: &str| {
        Scratch::new()
            .cmdline("lifeboat.rescue=wait:3")
            .before("ROOT=UUID=gone; export ROOT")
            .before(&format!("printf '{appears}' >dev/vdl; truncate --size 2M dev/vdl"))
            .before("(sleep 1; mkdir sys/class/block/vdl; echo 4096 >sys/class/block/vdl/size) &")
            .run(gone, "grep -s ^lifeboat_go_on= /conf/param.conf; grep -c WAITED_UNTIL /run/lifeboat/rescue")
    };
    let locked = wait("LUKS\\272\\276\\000\\001");
    assert_eq!(locked.status, 0, "{}", locked.said);
    assert!(locked.said.contains("/dev/vdl (crypto_LUKS) appeared"), "{}", locked.said);
    assert_eq!(locked.seen, "lifeboat_go_on='local_block \"$ROOT\"'\n1\n");
    let empty = wait("");
    assert_eq!((empty.status, empty.seen.as_str()), (1, "1\n"), "{}", empty.said);
}

#[test]
fn a_journey_that_is_stuck_ends_by_itself() {
    // Opening a pipe that nobody writes to never returns.
    let ran = Scratch::new().before("mkfifo pipe; mount --bind pipe proc/cmdline").run("seed", "ls -A /run");
    assert_eq!((ran.status, ran.seen.as_str()), (SIGALRM_FROM_SHELL, ""), "{}", ran.said);
}

//! `lifeboat rescue` where no volume can be mounted: what is read, refused and told. Volumes that can be are
//! in tests/vm.

use crate::scratch::Scratch;

/// Shows the decision, and if init was steered.
const LOOK: &str = "cat /run/lifeboat/rescue; grep ^ROOT= /conf/param.conf || echo not steered";

fn with_volume(label: &str) -> Scratch {
    Scratch::new().volume("vdz", label, "random")
}

#[test]
fn without_a_rescue_volume_the_own_root_is_booted() {
    let ran = with_volume("own").run("rescue premount", LOOK);
    assert_eq!(ran.status, 0, "{}", ran.said);
    assert_eq!(
        ran.seen,
        "BOOTED=own-root\nREASON=\"no volume is labelled RESCUE, UEC-rescue, RESCUE_VOL\"\nLOOKED_AT=vdz\n\
         not steered\n"
    );
}

#[test]
fn a_volume_that_cannot_be_mounted_is_refused_with_its_reason() {
    let ran = with_volume("RESCUE").run("rescue premount", LOOK);
    assert_eq!(ran.status, 0, "{}", ran.said);
    assert!(ran.said.contains("/dev/vdz (ext4, label RESCUE) is ignored: "), "{}", ran.said);
    assert!(ran.seen.starts_with("BOOTED=own-root\n"), "{}", ran.seen);
    assert!(ran.seen.ends_with("\nnot steered\n"), "{}", ran.seen);
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
        .file("sys/class/block/sdx/size", "0")
        .file("sys/class/block/fd0/size", "8")
        .file("sys/class/block/ram0/size", "8")
        .file("sys/class/block/vdy/size", "8")
        .file("sys/class/block/vdy/holders/dm-0", "")
        .run("rescue premount", "grep -E 'LOOKED|UNREAD' /run/lifeboat/rescue");
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
    let told = "mkdir run/lifeboat; echo 'LOOKED_AT=\"vdz sdx\"' >run/lifeboat/rescue";
    let ran = with_volume("RESCUE").before(told).run("rescue bottom", "true");
    assert!(ran.said.contains("skipped: no rescue volume appeared since the first look"), "{}", ran.said);
    let ran = with_volume("RESCUE").run("rescue bottom", "true");
    assert!(ran.said.contains("skipped: /dev/vdz (ext4, label RESCUE) is ignored: "), "{}", ran.said);
}

#[test]
fn what_cannot_be_read_while_init_waits_is_told_once() {
    let scratch = Scratch::new().file("sys/class/block/vdy/size", "8").cmdline("root=UUID=gone");
    let scratch = scratch.before("ROOT=UUID=gone; export ROOT");
    let block = "rescue block UUID=gone";
    let ran = scratch.run(block, &format!("ROOT=UUID=gone /lifeboat {block}"));
    assert!(ran.said.contains("probe /dev/vdy: open: No such file or directory"), "{}", ran.said);
    assert_eq!(ran.seen, "");
}

#[test]
fn a_device_that_is_attached_again_under_its_old_name_is_new() {
    let seen = |before: &str| {
        let told = format!("mkdir run/lifeboat; echo LOOKED_AT=vdz >run/lifeboat/rescue; {before}");
        let scratch = with_volume("RESCUE").cmdline("root=UUID=gone").before(&told);
        scratch.run("rescue block UUID=gone", "ROOT=UUID=gone /lifeboat rescue block UUID=gone").said
    };
    assert_eq!(seen("ROOT=UUID=gone; export ROOT"), "");
    let detached = "ROOT=UUID=gone; export ROOT; mv sys/class/block/vdz away
                    chroot . /lifeboat rescue block UUID=gone; mv away sys/class/block/vdz";
    assert!(seen(detached).contains("/dev/vdz (ext4, label RESCUE) is ignored: "), "{}", seen(detached));
}

#[test]
fn a_wait_for_something_else_than_the_root_is_left_alone() {
    let wait = |missing: &str| {
        let scratch = with_volume("RESCUE").before("ROOT=UUID=gone; export ROOT");
        scratch.run(&format!("rescue block {missing}"), "ls /run")
    };
    assert_eq!((wait("UUID=usr").said.as_str(), wait("UUID=usr").seen.as_str()), ("", ""));
    assert_eq!(wait("UUID=gone").seen, "lifeboat\n");
}

#[test]
fn what_a_killed_look_left_is_undone() {
    let ran = with_volume("own")
        .before("mkdir -p run/lifeboat/look; mount -t tmpfs stale run/lifeboat/look")
        .before("echo DEVICE=/dev/vdz >run/lifeboat/protected")
        .run("rescue bottom", "grep -c stale /proc/self/mountinfo; ls /run/lifeboat");
    assert_eq!(ran.status, 0, "{}", ran.said);
    assert_eq!(ran.seen, "0\nlook\n");
}

/// A rescue volume that is mounted as the root. What is on record of it, and what happens before the program runs.
fn mounted(record: &str, before: &str, arguments: &str) -> crate::scratch::Ran {
    with_volume("RESCUE")
        .before(&format!("mount -t tmpfs /dev/vdz root; mkdir root/etc; printf '{FSTAB}' >root/etc/fstab"))
        .before("echo Tiny >root/etc/issue; mkdir root/bin; : >root/bin/init")
        .before(&format!("mkdir run/lifeboat; printf '{record}' >run/lifeboat/rescue"))
        .before(before)
        .run(
            arguments,
            "cat /root/etc/fstab /root/etc/issue; umount /root/etc/fstab; cat /root/etc/fstab
             cat /run/lifeboat/shown/etc/fstab || umount /root/etc/issue && umount /root && echo unmounted",
        )
}

const FSTAB: &str = "/dev/vdz / ext4 defaults 0 1\nLABEL=own /mnt ext4 defaults 0 2\n";
const RESCUED: &str = "BOOTED=rescue\nDEVICE=/dev/vdz\nORIGINAL_ROOT=/dev/vda\n";

#[test]
fn init_is_shown_another_fstab_and_nothing_is_mounted_on_the_root() {
    let ran = mounted(RESCUED, "true", "rescue mounted");
    let said = "the fstab of /dev/vdz (ext4, label RESCUE) leads to no other disk";
    assert!(ran.said.contains(said), "{}", ran.said);
    for text in ["/root/etc/fstab: not mounted", "\n/dev/vdz / ext4 defaults 0 1\n", "\n#LABEL=own /mnt "] {
        assert!(ran.seen.contains(text), "{text}: {}", ran.seen);
    }
    assert!(ran.seen.starts_with(&format!("{FSTAB}Tiny\n")), "{}", ran.seen);
    // init went elsewhere, or was never steered; or it is only asked what would be done.
    for (arguments, record) in [
        ("rescue mounted", "BOOTED=rescue\nDEVICE=/dev/vdy\n"),
        ("rescue mounted", "BOOTED=own-root\n"),
        ("rescue mounted --dry-run", RESCUED),
    ] {
        let ran = mounted(record, "true", arguments);
        assert_eq!(ran.status, 0, "{}", ran.said);
        assert!(ran.seen.contains("shown/etc/fstab: No such file"), "{arguments}, {record}: {}", ran.seen);
    }
}

#[test]
fn the_files_of_a_rescue_volume_are_covered_in_the_end_whatever_was_made_of_it() {
    let overlay = "mkdir run/lower run/up; mount --move root run/lower
         mount -t tmpfs made run/up; mkdir run/up/u run/up/w
         mount -t overlay -o lowerdir=run/lower,upperdir=run/up/u,workdir=run/up/w made root";
    let copy = "mkdir run/copy; mount -t tmpfs made run/copy; cp -a root/etc root/bin run/copy/
         umount root; mount --move run/copy root";
    let arrived = "echo DEVICE=/dev/vdz >run/lifeboat/arrived";
    for before in ["true".into(), format!("{arrived}; {overlay}"), format!("{arrived}; {copy}")] {
        let ran = mounted(RESCUED, &before, "rescue last");
        assert_eq!((ran.status, ran.said.as_str()), (0, ""), "{before}");
        for text in
            ["\n/dev/vdz / ext4 defaults 0 1\n", "\n#LABEL=own /mnt ", "Tiny\n", "RESCUE SYSTEM", "/dev/vda"]
        {
            assert!(ran.seen.contains(text), "{before}: {text}: {}", ran.seen);
        }
        assert!(ran.seen.contains(FSTAB) && ran.seen.ends_with("\nunmounted\n"), "{before}: {}", ran.seen);
    }
    for (arguments, record, before) in [
        ("rescue last", "BOOTED=rescue\nDEVICE=/dev/vdy\n", "true"),
        ("rescue last", "BOOTED=rescue\nDEVICE=/dev/vdy\n", arrived),
        ("rescue last", "BOOTED=own-root\n", arrived),
        ("rescue last --dry-run", RESCUED, arrived),
    ] {
        let ran = mounted(record, before, arguments);
        assert_eq!((ran.status, ran.said.as_str()), (0, ""), "{record}");
        assert!(ran.seen.starts_with(&format!("{FSTAB}Tiny\numount: ")), "{record}: {}", ran.seen);
    }
}

/// udev's script has moved /dev into the root by then, and left a link.
#[test]
fn where_dev_has_become_a_link_the_volumes_devices_are_still_its_own() {
    let fstab = "printf '/dev/vdz / ext4 defaults 0 1\n/dev/vdz /again ext4 ro 0 0\n/dev/name /link ext4 ro 0 0\n/dev/vdx /x ext4 ro 0 0\n' >root/etc/fstab";
    let moved = "ln -s vdz dev/name; mv dev moved; ln -s moved dev";
    let ran = mounted(RESCUED, &format!("{fstab}; {moved}"), "rescue last");
    for line in ["\n/dev/vdz /again ", "\n/dev/vdz /link ", "\n#/dev/vdx /x "] {
        assert!(ran.seen.contains(line), "{line}: {}", ran.seen);
    }
}

/// The reason for a volume that cannot be mounted here: it is no device.
#[test]
fn a_rescue_volume_that_cannot_be_put_back_leaves_the_root_as_it_is() {
    let hidden = "echo DEVICE=/dev/vdz >run/lifeboat/arrived; rm root/bin/init";
    let moved =
        "mkdir run/lower; mount --move root run/lower; mount -t tmpfs made root; cp -a run/lower/etc root";
    let ran = mounted(RESCUED, &format!("{hidden}; {moved}"), "rescue last");
    assert!(ran.status == 1 && ran.said.contains("mount /dev/vdz as ext4"), "{}", ran.said);
    assert!(ran.seen.contains("RESCUE SYSTEM") && ran.seen.ends_with("unmounted\n"), "{}", ran.seen);
}

#[test]
fn once_its_usr_is_mounted_a_rescue_volume_that_cannot_be_started_is_said_to_be_such() {
    let asked = |record: &str, make: &str| {
        with_volume("RESCUE")
            .before(&format!("mount -t tmpfs /dev/vdz root; mkdir root/bin; {make}"))
            .before(&format!("mkdir run/lifeboat; printf '{record}' >run/lifeboat/rescue"))
            .run("rescue mounted /usr", "true")
    };
    let steered = "BOOTED=rescue\nDEVICE=/dev/vdz\n";
    let none = "/dev/vdz (ext4, label RESCUE) cannot be started: it holds no init (";
    let script =
        |interpreter: &str| format!("printf '#!{interpreter}\n' >root/bin/init; chmod +x root/bin/init");
    for (record, make, said) in [
        (steered, "true".to_owned(), none),
        (
            steered,
            script("/bin/none"),
            "cannot be started: its /bin/init needs /bin/none, which is not there",
        ),
        (steered, "touch root/bin/sh".to_owned(), none),
        (
            steered,
            "touch root/bin/sh; chmod +x root/bin/sh".to_owned(),
            "cannot be started: its /bin/sh is neither a program nor a script",
        ),
        (steered, "echo '#!sh' >root/bin/sh; chmod +x root/bin/sh".to_owned(), ""),
        (steered, script("/bin/init"), ""),
        ("BOOTED=rescue\nDEVICE=/dev/vdy\n", "true".to_owned(), ""),
        ("BOOTED=own-root\n", "true".to_owned(), ""),
    ] {
        let ran = asked(record, &make);
        assert_eq!(ran.status, 0, "{}", ran.said);
        assert_eq!(ran.said.ends_with("-\n"), !said.is_empty(), "{record}, {make}: {}", ran.said);
        assert!(ran.said.contains(said) && ran.said.is_empty() == said.is_empty(), "{make}: {}", ran.said);
    }
}

#[test]
fn after_ten_seconds_an_ignored_volume_is_the_root_where_nothing_else_is() {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c0a";
    let look = "grep -s \") echo '/dev/\" /conf/param.conf; cat /run/lifeboat/missed | cut -d= -f1
                grep -E '^(BOOTED|WAITED|IGNORED)' /run/lifeboat/rescue";
    let (waits, adopts) = ("SINCE\n", "SINCE\nBOOTED=own-root\nWAITED_UNTIL=0\n");
    let block = |root: &str, since: &str, other: Option<&str>| {
        let told =
            "mkdir run/lifeboat; printf 'BOOTED=own-root\nLOOKED_AT=vdz\nIGNORED=vdz\n' >run/lifeboat/rescue";
        let mut scratch = Scratch::new().volume("vdz", "RESCUE", UUID).before(told).before(since);
        if let Some(uuid) = other {
            scratch = scratch.volume("vdy", "own", uuid);
        }
        scratch.before(&format!("ROOT={root}; export ROOT")).run(&format!("rescue block {root}"), look)
    };
    let long_ago = "echo SINCE=0 >run/lifeboat/missed";
    for root in [format!("UUID={UUID}"), format!("/dev/disk/by-uuid/{UUID}")] {
        let ran = block(&root, long_ago, None);
        let said =
            format!("root={root} is on ignored volumes alone: /dev/vdz (ext4, label RESCUE) is booted");
        assert!(ran.said.contains(&said), "{}", ran.said);
        assert_eq!(ran.seen, format!("\t'{root}') echo '/dev/vdz' ;;\n{adopts}"), "{}", ran.said);
        // Not yet, not where another has it, and not for what it does not have.
        let early = block(&root, "true", None);
        assert!(early.seen.starts_with(waits) && early.said.is_empty(), "{}{}", early.said, early.seen);
        let other = block(&root, long_ago, Some(UUID));
        assert!(other.seen.starts_with(waits), "{}{}", other.said, other.seen);
    }
    let gone = block("UUID=gone", long_ago, None);
    assert!(gone.seen.starts_with(waits) && gone.said.is_empty(), "{}{}", gone.said, gone.seen);
}

#[test]
fn init_calls_us_after_all_other_scripts_and_what_the_file_said_stays() {
    let look = "cat /conf/param.conf; mount() { :; }; run_scripts() { echo \"runs $1\"; }
         . /conf/param.conf; mount -n -o move /run /root/run; mount again; echo $X";
    let ran = Scratch::new().file("conf/param.conf", "X=kept").run("later", look);
    assert_eq!((ran.status, ran.said.as_str()), (0, ""));
    assert!(ran.seen.starts_with("X=kept\n# lifeboat: begin\nmount() {\n"), "{}", ran.seen);
    assert_eq!(ran.seen.matches("runs /scripts/lifeboat-last\n").count(), 1, "{}", ran.seen);
    assert!(ran.seen.ends_with("kept\n"), "{}", ran.seen);
    let ran = Scratch::new().run("--dry-run later", "ls -A /conf");
    assert_eq!((ran.status, ran.seen.as_str()), (0, ""), "{}", ran.said);
}

#[test]
fn init_asks_before_it_gives_up_unless_the_journey_is_off() {
    let look = "grep -c '^panic()' /conf/param.conf; ls -A /conf";
    let ran = with_volume("own").run("rescue premount", look);
    assert_eq!(ran.seen, "1\nparam.conf\n", "{}", ran.said);
    for cmdline in ["lifeboat.rescue=off", "lifeboat.rescue=wait:5,off", "lifeboat=off"] {
        let ran = with_volume("own").cmdline(cmdline).run("rescue premount", "ls -A /conf");
        assert_eq!(ran.seen, "", "{}", ran.said);
    }
}

#[test]
fn what_is_baked_in_holds_against_the_command_line() {
    let ran = with_volume("RESCUE")
        .file("etc/default/lifeboat", "# set by the builder\nLIFEBOAT_RESCUE='off'\n")
        .cmdline("lifeboat.rescue=LABEL=RESCUE")
        .run("rescue premount", "ls -A /conf");
    assert_eq!((ran.status, ran.seen.as_str()), (0, ""));
    assert!(ran.said.contains("skipped: `off` is in LIFEBOAT_RESCUE= of the initramfs"), "{}", ran.said);
}

#[test]
fn a_bad_setting_is_said_and_not_used() {
    let ran = with_volume("own").cmdline("lifeboat.rescue=wiat:5").run("rescue premount", "true");
    assert_eq!(ran.status, 0);
    assert!(
        ran.said.contains("`wiat:5` in lifeboat.rescue= on the kernel command line is not understood"),
        "{}",
        ran.said
    );
}

#[test]
fn a_volume_that_is_not_the_required_one_is_refused_unopened() {
    let ran = with_volume("RESCUE")
        .file("etc/default/lifeboat", "LIFEBOAT_RESCUE=require=UUID=1-2-3\n")
        .run("rescue premount", LOOK);
    assert!(ran.said.contains("is ignored: only UUID=1-2-3 is accepted"), "{}", ran.said);
    assert!(ran.seen.ends_with("\nnot steered\n"), "{}", ran.seen);
}

#[test]
fn what_init_says_of_something_else_is_left_to_it() {
    let ran = with_volume("own").run("rescue wait 'Spawning shell within the initramfs'", "ls -A /run");
    assert_eq!((ran.status, ran.seen.as_str()), (1, ""), "{}", ran.said);
}

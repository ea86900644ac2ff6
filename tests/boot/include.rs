//! `lifeboat include` on a made-up kernel, an initramfs that is being built and a /boot.

use crate::scratch::{Ran, Scratch};

const RELEASE: &str = "6.1.0-made";
const INCLUDE: &str = "include 6.1.0-made /build";

/// The content of the initramfs's tree, and of the folders above it.
const TREE: &str = "cd /build/lib/modules/6.1.0-made; find . | LC_ALL=C sort";

const FILES: &str = "cd /build/lib/modules/6.1.0-made; find . -type f | LC_ALL=C sort";

/// The tree as initramfs-tools has put it together: `/lib` is a link, and one module is there.
const BEFORE: &str = ".\n./kernel\n./kernel/lib\n./kernel/lib/crc.ko\n";

fn scratch(setting: &str) -> Scratch {
    let source = format!("lib/modules/{RELEASE}");
    let index =
        "kernel/fs/xfs.ko.xz: kernel/lib/crc.ko\nkernel/net/a-b.ko:\nkernel/lib/crc.ko:\nextra/own.ko:\n";
    Scratch::new()
        .file(format!("{source}/modules.dep"), index)
        .file(format!("{source}/kernel/fs/xfs.ko.xz"), "module xfs")
        .file(format!("{source}/kernel/net/a-b.ko"), "module a-b")
        .file(format!("{source}/kernel/lib/crc.ko"), "module crc")
        .file("opt/own.ko", "module own")
        .file("etc/default/lifeboat", setting)
        .file(format!("build/usr/lib/modules/{RELEASE}/kernel/lib/crc.ko"), "module crc")
        .before(&format!("mkdir boot {source}/extra; ln -s /opt/own.ko {source}/extra/own.ko"))
        .before("ln -s usr/lib build/lib")
}

fn adds_nothing(ran: &Ran, said: &str) {
    assert_eq!((ran.status, ran.seen.as_str()), (0, BEFORE), "{}", ran.said);
    assert_eq!(ran.said.lines().count(), 1, "{}", ran.said);
    assert!(ran.said.starts_with("lifeboat: include: ") && ran.said.contains(said), "{}", ran.said);
}

#[test]
fn all_modules_are_added_with_those_that_are_links_or_compressed() {
    let ran = scratch("LIFEBOAT_INCLUDE=all\n")
        .run(INCLUDE, &format!("{FILES}; cat kernel/fs/xfs.ko.xz extra/own.ko; stat -c ' %a' extra/own.ko"));
    assert_eq!((ran.status, ran.said.as_str()), (0, "lifeboat: include: adds 3 modules, 1 MiB\n"));
    let files =
        "./extra/own.ko\n./kernel/fs/xfs.ko.xz\n./kernel/lib/crc.ko\n./kernel/net/a-b.ko\n".to_owned();
    assert_eq!(ran.seen, files + "module xfsmodule own 644\n");
}

#[test]
fn without_a_setting_or_with_most_nothing_is_added_or_said() {
    for setting in ["", "LIFEBOAT_INCLUDE=most\n", "#LIFEBOAT_INCLUDE=all\n"] {
        let ran = scratch(setting).run(INCLUDE, TREE);
        assert_eq!((ran.status, ran.said.as_str(), ran.seen.as_str()), (0, "", BEFORE));
    }
}

#[test]
fn listed_modules_come_with_what_they_need_and_unknown_words_are_passed_over() {
    let scratch = scratch("LIFEBOAT_INCLUDE='list:a_b,nowhere,fs/'\n").before("rm build/usr/lib/*/*/*/*/*");
    let ran = scratch.run(INCLUDE, FILES);
    assert_eq!(ran.status, 0);
    assert!(ran.said.contains("`nowhere` is skipped: this kernel has no such module"), "{}", ran.said);
    assert!(ran.said.ends_with("lifeboat: include: adds 3 modules, 1 MiB\n"), "{}", ran.said);
    assert_eq!(ran.seen, "./kernel/fs/xfs.ko.xz\n./kernel/lib/crc.ko\n./kernel/net/a-b.ko\n");
}

#[test]
fn the_settings_are_parsed_and_not_run() {
    let ran = scratch("touch /build/run\nLIFEBOAT_INCLUDE=\"$(touch /build/run)\"\n").run(INCLUDE, TREE);
    adds_nothing(
        &ran,
        "`$(touch /build/run)` in LIFEBOAT_INCLUDE= of /etc/default/lifeboat is not understood",
    );
}

#[test]
fn where_boot_has_no_room_they_are_left_out() {
    let with = |free: &str| {
        scratch("LIFEBOAT_INCLUDE=all\n")
            .before(&format!("mount -t tmpfs -o size={free} boot boot"))
            .run(INCLUDE, &format!("{TREE}; cd /; umount /boot"))
    };
    assert_eq!(with("9m").said, "lifeboat: include: adds 3 modules, 1 MiB\n");
    let said =
        "left out, the initramfs is built without them: adds 3 modules, 1 MiB; /boot has 5 MiB free of";
    adds_nothing(&with("5m"), said);
}

#[test]
fn where_it_is_built_there_is_no_room_they_are_left_out() {
    let scratch = scratch("LIFEBOAT_INCLUDE=all\n")
        .before("mount -t tmpfs -o size=7m build boot; cp -a build/. boot/; mount --move boot build");
    let ran = scratch.run(INCLUDE, &format!("{TREE}; cd /; umount /build"));
    adds_nothing(&ran, "the directory in which it is built (TMPDIR, /var/tmp) has");
}

#[test]
fn after_an_error_midway_nothing_is_added_and_the_build_goes_on() {
    // Reading the first page of a process fails: nothing is mapped there. Its size says that there is a file.
    let bad = format!("lib/modules/{RELEASE}/kernel/net/a-b.ko");
    let ran = scratch("LIFEBOAT_INCLUDE=all\n")
        .before(&format!("mount --bind /proc/$$/mem {bad}"))
        .run(INCLUDE, &format!("{TREE}; cd /; umount /{bad}"));
    adds_nothing(&ran, "no modules are added: copy /lib/modules/6.1.0-made/kernel/net/a-b.ko: ");
}

#[test]
fn a_kernel_without_an_index_or_a_directory_adds_nothing() {
    let scratch = scratch("LIFEBOAT_INCLUDE=all\n").before(&format!("rm lib/modules/{RELEASE}/modules.dep"));
    adds_nothing(
        &scratch.run(INCLUDE, TREE),
        "no modules are added: read /lib/modules/6.1.0-made/modules.dep",
    );
    for (arguments, said) in [
        ("include ../6.1.0-made /build", "is no kernel release"),
        ("include 5.10 /build", "/build holds no lib/modules/5.10"),
        ("include 6.1.0-made /nowhere", "open /nowhere"),
    ] {
        adds_nothing(&self::scratch("LIFEBOAT_INCLUDE=all\n").run(arguments, TREE), said);
    }
}

#[test]
fn a_dry_run_tells_and_adds_nothing() {
    let ran = scratch("LIFEBOAT_INCLUDE=all\n").run(&format!("--dry-run {INCLUDE}"), TREE);
    adds_nothing(&ran, "adds 3 modules, 1 MiB");
}

#[test]
fn neither_proc_nor_the_kernels_log_is_needed() {
    let ran =
        scratch("LIFEBOAT_INCLUDE=all\n").before("umount -R proc; mount --bind run proc").run(INCLUDE, TREE);
    assert_eq!((ran.status, ran.said.as_str()), (0, "lifeboat: include: adds 3 modules, 1 MiB\n"));
}

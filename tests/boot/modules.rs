//! `lifeboat modules` on scratch roots.

use crate::scratch::{Scratch, release};
use std::fs;
use std::os::unix::fs::symlink;

const MOUNTS: &str = "grep ' /root/' /proc/self/mountinfo || echo none";

#[test]
fn a_root_without_the_kernels_modules_gets_them_on_a_tmpfs() {
    let scratch = Scratch::new().tree("", &release()).tree("root/", "5.10.0-other");
    let ran = scratch.run(
        "modules",
        "stat -c %a /root/lib/modules; stat -f -c %T /root/lib/modules
         diff -r /lib/modules/$(uname -r) /root/lib/modules/$(uname -r) && echo same
         ls /root/lib/modules/5.10.0-other/kernel
         cat /run/lifeboat/modules; ls /run/lifeboat",
    );
    assert_eq!(ran.status, 0, "{}", ran.said);
    let release = release();
    assert!(
        ran.said.contains(&format!(
            "lifeboat: modules: exported 3 files (1 MiB) for {release} (copy, cover), beside 5.10.0-other"
        )),
        "{}",
        ran.said
    );
    assert_eq!(
        ran.seen,
        format!(
            "755\ntmpfs\nsame\na.ko\nb.ko\n\
             RELEASE={release}\nLAYOUT=cover\nPLACE=/lib/modules\nWAY=copy\nFILES=3\nBYTES=28672\nmodules\n"
        )
    );
    // Nothing of it is on the disk.
    let left: Vec<_> = fs::read_dir(scratch.path("root/lib/modules")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn the_tmpfs_is_limited_and_carries_no_setuid_files_or_devices() {
    let ran = Scratch::new().tree("", &release()).run("modules", MOUNTS);
    assert!(ran.seen.contains(" /root/lib/modules rw,nosuid,nodev,noatime"), "{}", ran.seen);
    assert!(ran.seen.contains(" - tmpfs lifeboat rw,size="), "{}", ran.seen);
}

#[test]
fn a_write_beside_the_exported_tree_reaches_the_disk() {
    let scratch = Scratch::new().tree("", &release()).tree("root/", "5.10.0-other");
    scratch.run("modules", "touch /root/lib/modules/5.10.0-other/new");
    assert!(scratch.path("root/lib/modules/5.10.0-other/new").try_exists().unwrap());
}

#[test]
fn a_root_that_has_the_modules_is_left_alone() {
    let ran = Scratch::new().tree("", &release()).tree("root/", &release()).run("modules", MOUNTS);
    assert_eq!((ran.status, ran.seen.as_str()), (0, "none\n"));
    assert!(ran.said.contains("skipped: the root already has modules for"), "{}", ran.said);
}

#[test]
fn a_broken_tree_of_the_same_release_is_kept_under_another_name() {
    let scratch = Scratch::new()
        .tree("", &release())
        .file(format!("root/lib/modules/{}/modules.dep", release()), "kernel/gone.ko:\n");
    let ran = scratch.run(
        "modules",
        "cat /root/lib/modules/$(uname -r).lifeboat-moved/modules.dep /root/lib/modules/$(uname -r)/kernel/a.ko",
    );
    assert_eq!(ran.seen, "kernel/gone.ko:\nmodule a");
}

#[test]
fn what_leads_to_the_headers_is_seen_in_the_export() {
    for way in ["bind", "copy"] {
        let scratch = Scratch::new()
            .tree("", &release())
            .file(format!("root/lib/modules/{}/modules.alias", release()), "theirs")
            .sparing()
            .cmdline(&format!("lifeboat.modules={way}"));
        for (name, target) in [("build", "/usr/src/headers"), ("modules.dep", "theirs")] {
            symlink(target, scratch.path(format!("root/lib/modules/{}/{name}", release()))).unwrap();
        }
        let ran = scratch.run(
            "modules",
            "cd /root/lib/modules/$(uname -r); readlink build; readlink modules.dep; ls modules.alias kernel",
        );
        assert!(ran.seen.starts_with("/usr/src/headers\n"), "{way}: {}", ran.said);
        assert!(!ran.seen.contains("theirs") && ran.seen.contains("a.ko"), "{way}: {}", ran.seen);
    }
}

#[test]
fn links_and_files_of_the_root_stay_visible() {
    let scratch = Scratch::new().tree("", &release()).file("root/lib/modules/note", "a file");
    symlink("5.10.0-other", scratch.path("root/lib/modules/current")).unwrap();
    let ran = scratch.run("modules", "cat /root/lib/modules/note; readlink /root/lib/modules/current");
    assert_eq!(ran.seen, "a file5.10.0-other\n");
}

#[test]
fn an_absolute_lib_link_is_followed_inside_the_root() {
    let scratch = Scratch::new().tree("", &release());
    fs::create_dir_all(scratch.path("root/usr/lib/modules")).unwrap();
    fs::remove_dir_all(scratch.path("root/lib")).unwrap();
    symlink("/usr/lib", scratch.path("root/lib")).unwrap();
    let ran = scratch.run("modules", "ls /root/usr/lib/modules");
    assert_eq!(ran.seen, format!("{}\n", release()), "{}", ran.said);
}

#[test]
fn a_link_that_leads_out_of_the_root_is_not_followed() {
    let scratch = Scratch::new().tree("", &release());
    fs::create_dir_all(scratch.path("outside/modules")).unwrap();
    fs::remove_dir_all(scratch.path("root/lib")).unwrap();
    symlink("../outside", scratch.path("root/lib")).unwrap();
    let ran = scratch.run("modules", "ls /outside/modules; grep -c outside /proc/self/mountinfo");
    assert_eq!((ran.status, ran.seen.as_str()), (1, "0\n"), "{}", ran.said);
    assert!(ran.said.contains("mkdir -p /lib/modules"), "{}", ran.said);
}

#[test]
fn a_read_only_root_gets_them_too() {
    let ran = Scratch::new()
        .tree("", &release())
        .before("mount -o remount,bind,ro root")
        .run("modules", "cat /root/lib/modules/$(uname -r)/kernel/a.ko");
    assert_eq!(ran.seen, "module a", "{}", ran.said);
}

#[test]
fn each_switch_leaves_the_root_as_it_is() {
    for parameter in ["lifeboat.modules=off", "lifeboat=off"] {
        let ran = Scratch::new().tree("", &release()).cmdline(parameter).run("modules", MOUNTS);
        assert_eq!((ran.status, ran.seen.as_str()), (0, "none\n"));
        assert!(
            ran.said.contains(&format!("skipped: {parameter} is on the kernel command line")),
            "{}",
            ran.said
        );
    }
}

#[test]
fn an_initramfs_without_modules_exports_nothing() {
    let ran = Scratch::new().run("modules", MOUNTS);
    assert_eq!((ran.status, ran.seen.as_str()), (0, "none\n"));
    assert!(ran.said.contains("skipped: the initramfs holds no modules"), "{}", ran.said);
}

#[test]
fn a_module_that_cannot_be_read_leaves_the_root_as_it_was() {
    let bad = format!("lib/modules/{}/kernel/c.ko", release());
    let ran = Scratch::new()
        .tree("", &release())
        .file(&bad, "")
        // Reading the first page of a process fails: nothing is mapped there.
        .before(&format!("mount --bind /proc/$$/mem {bad}"))
        .run(
            "modules",
            &format!(
                "{MOUNTS}; grep /run/lifeboat /proc/self/mountinfo; ls -A /run/lifeboat /root/lib/modules"
            ),
        );
    assert_eq!(ran.status, 1);
    assert!(ran.said.contains(&bad) && ran.said.contains("Input/output error"), "{}", ran.said);
    assert_eq!(ran.seen, "none\n/root/lib/modules:\n\n/run/lifeboat:\n");
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let ran = Scratch::new().tree("", &release()).run("--dry-run modules", &format!("{MOUNTS}; ls /run"));
    assert_eq!((ran.status, ran.seen.as_str()), (0, "none\n"));
    assert!(ran.said.starts_with("modules: exported 3 files"), "{}", ran.said);
}

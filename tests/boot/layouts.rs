//! `lifeboat modules`: where in a root modules are shown, and how they get there.

use crate::scratch::{Ran, Scratch, release};
use crate::trees::{LAYOUTS, Layout, TREES, Trees};
use std::fs;
use std::os::unix::fs::symlink;

/// Shows the mounts below the root, each with its type.
const MOUNTS: &str =
    "sed -n 's/^[^/]* [^ ]* \\(\\/root\\/[^ ]*\\) .* - \\([^ ]*\\) .*/\\1 \\2/p' /proc/self/mountinfo";

fn export(layout: &Layout, way: &str, look: &str) -> Ran {
    let scratch = (layout.root)(Scratch::new().tree("", &release())).sparing();
    scratch.cmdline(&format!("root=LABEL=own lifeboat.modules={way}")).run("modules", look)
}

#[test]
fn each_layout_shows_the_whole_tree_by_either_way() {
    for layout in &LAYOUTS {
        for way in ["bind", "copy"] {
            let ran = export(
                layout,
                way,
                "cd /root/lib/modules/$(uname -r) && cat modules.dep kernel/a.ko kernel/b.ko && ls kernel
                 touch new && echo written",
            );
            let name = layout.name;
            assert_eq!(ran.status, 0, "{name}, {way}: {}", ran.said);
            assert!(ran.said.contains(&format!("({way}, {name})")), "{name}, {way}: {}", ran.said);
            assert_eq!(
                ran.seen, "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\nmodule amodule ba.ko\nb.ko\nwritten\n",
                "{name}, {way}"
            );
        }
    }
}

#[test]
fn each_layout_has_its_mounts_and_no_others() {
    for layout in &LAYOUTS {
        for (way, kind) in [("bind", "DISK"), ("copy", "tmpfs")] {
            let ran = export(layout, way, &format!("stat -f -c %T / ; {MOUNTS}"));
            let (_, mounts) = ran.seen.split_once('\n').unwrap();
            let release = release();
            let bind =
                if way == "bind" { format!("/root/lib/modules/{release} DISK\n") } else { String::new() };
            let expected =
                layout.mounts.replace("BIND", &bind).replace("WAY", kind).replace("RELEASE", &release);
            let disk = mounts
                .lines()
                .map(|line| match line.split_once(' ') {
                    Some((point, "tmpfs" | "overlay")) if point != "/root/lib" => line.to_owned(),
                    Some(("/root/lib", kind)) => format!("/root/lib {kind}"),
                    Some((point, _)) => format!("{point} DISK"),
                    None => line.to_owned(),
                })
                .collect::<Vec<_>>()
                .join("\n");
            assert_eq!(disk + "\n", expected, "{}, {way}: {}", layout.name, ran.seen);
        }
    }
}

#[test]
fn a_bound_tree_is_covered_in_the_initramfs_and_linked_from_its_place() {
    let ran = export(
        &LAYOUTS[0],
        "auto",
        "ls -A /lifeboat-modules; stat -f -c %T /lifeboat-modules; readlink /lib/modules/$(uname -r)
         cat /lib/modules/$(uname -r)/kernel/a.ko; grep -E 'WAY|LAYOUT|PLACE' /run/lifeboat/modules; ls /run/lifeboat
         grep ' /root/lib/modules/' /proc/self/mountinfo | cut -d ' ' -f 6",
    );
    let release = release();
    assert_eq!(
        ran.seen,
        format!(
            "tmpfs\n/root/lib/modules/{release}\nmodule aLAYOUT=mount\nPLACE=/lib/modules\nWAY=bind\nmodules\n\
             rw,nosuid,nodev,relatime\n"
        ),
        "{}",
        ran.said
    );
}

#[test]
fn nothing_of_an_overlay_reaches_the_disk_and_the_rest_of_lib_is_seen() {
    let scratch = (LAYOUTS[2].root)(Scratch::new().tree("", &release())).sparing();
    let ran = scratch.run("modules", "cat /root/lib/note; touch /root/lib/x 2>/dev/null || echo read-only");
    assert_eq!(ran.seen, "a noteread-only\n", "{}", ran.said);
    let left: Vec<_> =
        fs::read_dir(scratch.path("root/lib")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["note"]);
}

#[test]
fn an_absolute_lib_link_is_overlaid_inside_the_root() {
    let scratch = Scratch::new().tree("", &release()).sparing();
    fs::remove_dir_all(scratch.path("root/lib")).unwrap();
    symlink("/usr/lib", scratch.path("root/lib")).unwrap();
    let scratch = scratch.file("root/usr/lib/note", "a note").file("root/usr/bin/lifeboat-agent", "");
    let ran = scratch.run(
        "modules",
        "cat /root/usr/lib/modules/$(uname -r)/kernel/a.ko; grep PLACE /run/lifeboat/modules",
    );
    assert_eq!(ran.seen, "module aPLACE=/usr/lib/modules\n", "{}", ran.said);
}

#[test]
fn a_lib_that_will_be_written_to_is_not_covered() {
    let scratch = Scratch::new().tree("", &release()).sparing();
    fs::remove_dir(scratch.path("root/lib/modules")).unwrap();
    let ran = scratch.run("modules", &format!("{MOUNTS}; ls /lib/modules/$(uname -r)/kernel"));
    assert_eq!((ran.status, ran.seen.as_str()), (1, "a.ko\nb.ko\n"), "{}", ran.said);
    assert!(ran.said.contains("mkdir -p /lib/modules"), "{}", ran.said);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_left_as_it_is() {
    let scratch = Scratch::new().tree("", &release()).sparing();
    fs::remove_dir(scratch.path("root/lib/modules")).unwrap();
    for make in [
        |scratch: &Scratch| fs::write(scratch.path("root/lib/modules"), "a file").unwrap(),
        |scratch: &Scratch| symlink("nowhere", scratch.path("root/lib/modules")).unwrap(),
    ] {
        make(&scratch);
        let ran = scratch.run("modules", &format!("{MOUNTS}; ls /lib/modules/$(uname -r)/kernel"));
        assert_eq!((ran.status, ran.seen.as_str()), (1, "a.ko\nb.ko\n"), "{}", ran.said);
        assert!(ran.said.contains("mkdir -p /lib/modules"), "{}", ran.said);
        fs::remove_file(scratch.path("root/lib/modules")).unwrap();
    }
}

#[test]
fn where_it_is_not_known_what_leaves_the_initramfs_files_are_copied() {
    for (program, way) in [
        ("exec chroot", "copy"),
        ("nuking initramfs contents", "bind"),
        ("switch_root from util-linux 2.38", "bind"),
    ] {
        let scratch = Scratch::new().tree("", &release()).file("sbin/run-init", program);
        let ran = scratch.run("modules", "true");
        assert!(ran.said.contains(&format!("({way}, cover)")), "{program}: {}", ran.said);
    }
    let busybox = Scratch::new().tree("", &release()).file("sbin/busybox", "BusyBox");
    symlink("busybox", busybox.path("sbin/run-init")).unwrap();
    let ran = busybox.run("modules", "true");
    assert!(ran.said.contains("(bind, cover)"), "{}", ran.said);
}

#[test]
fn a_tree_that_cannot_be_taken_away_is_copied_unless_that_is_forbidden() {
    let scratch = |line: &str| {
        let tree = format!("lib/modules/{}", release());
        let scratch = Scratch::new().tree("", &release()).sparing().cmdline(line);
        scratch.before(&format!("mount --bind {tree} {tree}"))
    };
    let ran = scratch("ro").run("modules", "cat /root/lib/modules/$(uname -r)/kernel/a.ko");
    assert_eq!(ran.seen, "module a", "{}", ran.said);
    assert!(ran.said.contains("copying instead"), "{}", ran.said);
    let ran = scratch("lifeboat.modules=bind")
        .run("modules", &format!("{MOUNTS}; ls -A /run/lifeboat /root/lib/modules"));
    assert_eq!(
        (ran.status, ran.seen.as_str()),
        (1, "/root/lib/modules:\n\n/run/lifeboat:\n"),
        "{}",
        ran.said
    );
}

#[test]
fn a_root_with_a_policy_has_its_modules_copied_and_the_mounts_listed() {
    let scratch = |mode: &str, file_system: &str| {
        Scratch::new()
            .tree("", &release())
            .sparing()
            .file("filesystems", &format!("nodev\ttmpfs\nnodev\t{file_system}\n"))
            .before("mount --bind filesystems proc/filesystems")
            .file("root/etc/selinux/config", &format!("SELINUX={mode}\nSELINUXTYPE=default\n"))
            .file("root/etc/selinux/default/policy/policy.33", "")
            .cmdline("lifeboat.modules=bind")
    };
    let look = "cat /run/systemd/relabel-extra.d/*.relabel";
    let ran = scratch("enforcing", "selinuxfs").run("modules", look);
    assert!(ran.said.contains("(copy, cover)"), "{}", ran.said);
    assert_eq!(ran.seen, "/lib/modules\n");
    // The policy is not loaded, or cannot be.
    for ran in [
        scratch("disabled", "selinuxfs").run("modules", look),
        scratch("enforcing", "securityfs").run("modules", look),
    ] {
        assert!(ran.said.contains("(bind, cover)"), "{}", ran.said);
        assert!(ran.seen.contains("No such file"), "{}", ran.seen);
    }
}

#[test]
fn the_settings_of_the_root_are_heeded_by_rank() {
    let release = release();
    let own = |value: &str| format!("# why\nLIFEBOAT_MODULES={value}\n");
    let ec2 = |value: &str| format!("EC2_EXPORT_MODULES_FROM_INITRAMFS={value}\n");
    for (line, lifeboat, spec, said) in [
        ("ro", own("off"), ec2("1"), "skipped: `off` is LIFEBOAT_MODULES= of the root's".to_owned()),
        ("ro", String::new(), ec2("0"), "skipped: `off` is EC2_EXPORT_MODULES_FROM_INITRAMFS=".to_owned()),
        ("ro", String::new(), ec2("1"), format!("(shown as {release}.ec2-init-moved)")),
        ("ro", own("force"), ec2("0"), format!("(shown as {release}.lifeboat-moved)")),
        ("ro", String::new(), String::new(), "skipped: the root already has modules".to_owned()),
        ("lifeboat.modules=auto", own("force"), String::new(), "skipped: the root already has".to_owned()),
        ("lifeboat.modules=force,copy", own("off"), String::new(), "(copy, cover)".to_owned()),
        ("lifeboat.modules=of", own("off"), String::new(), "`of` in lifeboat.modules=".to_owned()),
    ] {
        let ran = Scratch::new()
            .tree("", &release)
            .tree("root/", &release)
            .sparing()
            .file("root/etc/default/lifeboat", &lifeboat)
            .file("root/etc/default/ec2-init", &spec)
            .cmdline(line)
            .run("modules", "true");
        assert!(ran.said.contains(&said), "{line}, {lifeboat}, {spec}: {}", ran.said);
    }
}

#[test]
fn what_fails_late_leaves_the_root_and_the_initramfs_their_modules() {
    for layout in &LAYOUTS {
        for way in ["bind", "copy"] {
            let scratch = (layout.root)(Scratch::new().tree("", &release())).sparing();
            // In the place of the state file.
            let scratch = scratch.before("mkdir -p run/lifeboat/modules/something");
            let ran = scratch.cmdline(&format!("lifeboat.modules={way}")).run("modules", TREES);
            let (name, trees) = (layout.name, Trees::of(&ran));
            assert!(
                ran.status == 1 && trees.untouched && trees.own,
                "{name}, {way}: {}{}",
                ran.said,
                ran.seen
            );
        }
    }
}

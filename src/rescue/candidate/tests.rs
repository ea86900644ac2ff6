//! Volumes in folders, and what is said of each.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn verdict(make: impl FnOnce(&std::path::Path)) -> Verdict {
    among(&[], make)
}

/// The verdict on a volume on vdb1, where these are there too.
fn among(others: &[Volume], make: impl FnOnce(&std::path::Path)) -> Verdict {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("dev")).unwrap();
    make(directory.path());
    let root = Root::open(directory.path()).unwrap();
    let all = || Ok([&[on("vdb1", "vdb", "u")], others].concat());
    judge(&root, &on("vdb1", "vdb", "u"), all, &Kernel::running()).unwrap()
}

fn on(name: &str, disk: &str, uuid: &str) -> Volume {
    Volume {
        device: volume::node(name),
        kind: "ext4".into(),
        uuid: Some(uuid.into()),
        disk: disk.into(),
        ..Volume::default()
    }
}

/// Makes a file that may be executed, and of which nothing is known that speaks against it.
fn program(path: std::path::PathBuf) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "#!init\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_root_with_an_init_is_fit() {
    assert_eq!(
        verdict(|root| {
            symlink("usr/sbin", root.join("sbin")).unwrap();
            program(root.join("usr/sbin/init"));
        }),
        Verdict::Fit
    );
}

#[test]
fn a_root_without_a_directory_for_the_devices_is_not() {
    let without = |instead: fn(&std::path::Path)| {
        verdict(|root| {
            program(root.join("sbin/init"));
            fs::remove_dir(root.join("dev")).unwrap();
            instead(root);
        })
    };
    let unfit = Verdict::Unrunnable(Unrunnable::WithoutDev);
    assert_eq!(without(|_| ()), unfit);
    assert_eq!(without(|root| fs::write(root.join("dev"), "").unwrap()), unfit);
    assert_eq!(without(|root| symlink("/nowhere", root.join("dev")).unwrap()), unfit);
    assert_eq!(without(|root| fs::create_dir(root.join("dev")).unwrap()), Verdict::Fit);
}

#[test]
fn each_marker_of_any_kind_finishes_it() {
    for marker in MARKERS {
        let file = |root: &std::path::Path| {
            fs::create_dir_all(root.join(marker).parent().unwrap()).unwrap();
            fs::write(root.join(marker), "").unwrap();
        };
        assert_eq!(verdict(file), Verdict::Finished(marker));
        let directory = |root: &std::path::Path| fs::create_dir_all(root.join(marker)).unwrap();
        assert_eq!(verdict(directory), Verdict::Finished(marker));
    }
    assert_eq!(
        verdict(|root| symlink("nowhere", root.join("finished")).unwrap()),
        Verdict::Finished("finished")
    );
}

#[test]
fn a_marker_behind_an_absolute_link_is_looked_for_inside_the_volume() {
    assert_eq!(
        verdict(|root| {
            fs::create_dir_all(root.join("config")).unwrap();
            fs::write(root.join("config/rescuevol-ignore"), "").unwrap();
            symlink("/config", root.join("etc")).unwrap();
        }),
        Verdict::Finished("etc/rescuevol-ignore")
    );
}

#[test]
fn an_init_that_nobody_may_execute_is_none() {
    let kept = |name: &str| {
        verdict(|root| {
            fs::create_dir_all(root.join("sbin/init")).unwrap();
            fs::create_dir(root.join("bin")).unwrap();
            fs::write(root.join("bin/init"), "").unwrap();
            program(root.join(name));
        })
    };
    assert_eq!(kept("bin/sh"), Verdict::Fit);
    assert_eq!(kept("bin/bash"), Verdict::NoInit(Looked::InAll));
}

#[test]
fn a_usr_of_its_own_is_looked_for_before_the_volume_is_booted() {
    let machine = [on("vdb2", "vdb", "own-usr"), on("vda2", "vda", "other-usr")];
    let locked = [Volume { kind: "LVM2_member".into(), ..on("vdb3", "vdb", "pv") }];
    let no_usr = |source: &str| Verdict::NoUsr(source.to_owned());
    // The source for /usr; true if /sbin is a link into it; the other files there; the result.
    for (source, merged, others, expected) in [
        ("UUID=own-usr", true, &machine[..], Verdict::Fit),
        ("/dev/disk/by-uuid/own-usr", true, &machine, Verdict::Fit),
        ("UUID=own-usr", false, &machine, Verdict::Fit),
        // On another disk alone: without it there is no init, or the entry is left out.
        ("UUID=other-usr", true, &machine, no_usr("UUID=other-usr")),
        ("UUID=other-usr", false, &machine, Verdict::Fit),
        ("/dev/vda2", true, &machine, no_usr("/dev/vda2")),
        // Nowhere: init would wait for it, and give up.
        ("UUID=gone", true, &machine, no_usr("UUID=gone")),
        ("UUID=gone", false, &machine, no_usr("UUID=gone")),
        ("LABEL=gone", true, &[], no_usr("LABEL=gone")),
        ("/dev/vdb7", true, &machine, no_usr("/dev/vdb7")),
        ("/dev/mapper/vg-usr", true, &machine, no_usr("/dev/mapper/vg-usr")),
        // It may be inside something on its disk, or is no device.
        ("/dev/mapper/vg-usr", true, &locked, Verdict::Fit),
        ("UUID=gone", true, &locked, Verdict::Fit),
        ("server:/usr", true, &machine, Verdict::Fit),
    ] {
        let seen = among(others, |root| {
            if merged {
                symlink("usr/sbin", root.join("sbin")).unwrap();
            } else {
                program(root.join("sbin/init"));
            }
            fs::create_dir(root.join("etc")).unwrap();
            let fstab = format!("UUID=u / ext4 defaults 0 1\n{source}\t/usr/ ext4 ro\n");
            fs::write(root.join("etc/fstab"), fstab).unwrap();
        });
        assert_eq!(seen, expected, "{source}, merged: {merged}, {others:?}");
    }
}

#[test]
fn an_fstab_without_a_usr_brings_no_init() {
    let with = |fstab: &'static str| {
        verdict(move |root| {
            symlink("usr/sbin", root.join("sbin")).unwrap();
            fs::create_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc/fstab"), fstab).unwrap();
        })
    };
    assert_eq!(
        with("UUID=u / ext4\n#UUID=v /usr ext4\nUUID=w /usr/local ext4\n"),
        Verdict::NoInit(Looked::InAll)
    );
    assert_eq!(with(""), Verdict::NoInit(Looked::InAll));
}

#[test]
fn in_a_btrfs_an_installers_subvolume_is_looked_into_and_the_default_one_named() {
    let volume = Volume { kind: "btrfs".into(), ..on("vdb", "vdb", "u") };
    let judged = |make: &dyn Fn(&std::path::Path)| {
        let directory = tempfile::tempdir().unwrap();
        for name in SUBVOLUMES {
            fs::create_dir_all(directory.path().join(name).join("dev")).unwrap();
        }
        fs::create_dir(directory.path().join("dev")).unwrap();
        make(directory.path());
        let root = Root::open(directory.path()).unwrap();
        let judge = |root: &Root| judge(root, &volume, || Ok(Vec::new()), &Kernel::running());
        let entered = SUBVOLUMES.map(|name| (name, root.enter(name).unwrap().unwrap()));
        judge_subvolumes(judge(&root).unwrap(), &entered, judge).unwrap()
    };
    let none = Verdict::NoInit(Looked::InDefaultSubvolume);
    assert_eq!(
        none.to_string(),
        "it holds no init in its default subvolume (/sbin/init, /etc/init, /bin/init, /bin/sh; \
         `btrfs subvolume set-default` chooses another)"
    );
    assert_eq!(judged(&|_| {}), (none.clone(), None));
    for name in SUBVOLUMES {
        assert_eq!(
            judged(&|root| program(root.join(name).join("sbin/init"))),
            (Verdict::Fit, Some(name)),
            "{name}"
        );
        let finished = judged(&|root| {
            program(root.join(name).join("sbin/init"));
            fs::write(root.join(name).join("finished"), "").unwrap();
        });
        assert_eq!(finished, (Verdict::Finished("finished"), Some(name)), "{name}");
    }
    // The default one comes first, then the first in this order; no other name counts.
    let both = judged(&|root| {
        program(root.join("sbin/init"));
        program(root.join("@rootfs/sbin/init"));
    });
    assert_eq!(both, (Verdict::Fit, None));
    let two =
        judged(&|root| ["@", "@rootfs"].iter().for_each(|name| program(root.join(name).join("bin/sh"))));
    assert_eq!(two, (Verdict::Fit, Some("@rootfs")));
    assert_eq!(judged(&|root| program(root.join("@snapshot/sbin/init"))), (none, None));
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("@rootfs")).unwrap();
    assert!(subvolumes(&Root::open(directory.path()).unwrap()).unwrap().is_empty(), "it is a directory");
}

#[test]
fn data_with_an_fstab_in_it_is_not_booted() {
    assert_eq!(
        verdict(|root| {
            fs::create_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc/fstab"), "UUID=u /usr ext4 defaults 0 2\n").unwrap();
        }),
        Verdict::NoInit(Looked::InAll)
    );
}

#[test]
fn data_without_an_init_is_not_booted() {
    assert_eq!(
        verdict(|root| fs::write(root.join("backup.tar"), "").unwrap()),
        Verdict::NoInit(Looked::InAll)
    );
}

#[test]
fn an_init_that_is_outside_the_volume_does_not_count() {
    assert_eq!(
        verdict(|root| {
            fs::create_dir(root.join("sbin")).unwrap();
            symlink("/proc/self/exe", root.join("sbin/init")).unwrap();
        }),
        Verdict::NoInit(Looked::InAll)
    );
}

#[test]
fn only_the_volume_that_is_required_is_not_refused() {
    let volume = Volume {
        device: "/dev/vdb1".into(),
        kind: "ext4".into(),
        label: Some(b"RESCUE".to_vec()),
        uuid: Some("own".into()),
        partition: volume::PartitionNames { uuid: Some("own-part".into()), label: Some("own-name".into()) },
        ..Volume::default()
    };
    for (baked, command_line, accepted) in [
        ("", "", None),
        ("require=UUID=own", "", None),
        ("require=UUID=OWN", "", None),
        ("require=UUID=other", "", Some("UUID=other")),
        ("require=UUID=own-part", "", Some("UUID=own-part")),
        ("require=PARTUUID=own-part", "", None),
        ("require=PARTUUID=own", "", Some("PARTUUID=own")),
        ("require=PARTUUID=other,override", "require=PARTUUID=own-part", None),
        ("require=PARTUUID=other", "require=PARTUUID=own-part", Some("PARTUUID=other")),
        // Naming a volume does not let it in.
        ("require=UUID=other", "UUID=own,LABEL=RESCUE,/dev/vdb1", Some("UUID=other")),
    ] {
        let settings = RescueSettings::from(Some(command_line), Some(baked));
        let expected = accepted.map(|selector| Verdict::Refused(selector.to_owned()));
        assert_eq!(refused(&volume, &settings), expected, "{baked} {command_line}");
    }
}

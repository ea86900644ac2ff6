//! `lifeboat modules` on disks of each kind that have no directory for modules: where it is made, and where an overlay
//! stands in for it.

use crate::scratch::{Ran, Scratch, release};

/// A root's disk, and the export that it leads to.
struct Disk {
    name: &'static str,
    /// Options of its mount.
    options: &'static str,
    /// init's fsck ended well.
    checked: bool,
    /// /lib is a link to /usr/lib.
    merged: bool,
    /// Shell commands that run before.
    before: &'static str,
    /// The layout of the export, without the agent and with it.
    layouts: [Option<&'static str>; 2],
}

const STEERED: &str = "mkdir run/lifeboat; printf 'BOOTED=rescue\\nDEVICE=/dev/vdz\\n' >run/lifeboat/rescue";
const FAILED: &str = "mkdir run/lifeboat; printf 'BOOTED=own-root\\nFAILED=/dev/vdy\\n' >run/lifeboat/rescue";

const MADE: [Option<&str>; 2] = [Some("cover"), Some("cover")];
const NOT_MADE: [Option<&str>; 2] = [None, Some("overlay")];

const DISKS: &[Disk] = &[
    Disk { name: "ro", options: "ro", checked: true, merged: false, before: "true", layouts: MADE },
    Disk {
        name: "ro, merged",
        options: "ro,noatime",
        checked: true,
        merged: true,
        before: "true",
        layouts: MADE,
    },
    Disk { name: "rw", options: "rw", checked: true, merged: false, before: "true", layouts: MADE },
    Disk {
        name: "rw, merged",
        options: "rw,nodev",
        checked: true,
        merged: true,
        before: "true",
        layouts: MADE,
    },
    Disk {
        name: "rw, unchecked",
        options: "rw",
        checked: false,
        merged: false,
        before: "true",
        layouts: MADE,
    },
    Disk {
        name: "ro, unchecked",
        options: "ro",
        checked: false,
        merged: false,
        before: "true",
        layouts: NOT_MADE,
    },
    Disk {
        name: "a rescue volume",
        options: "rw",
        checked: true,
        merged: false,
        before: STEERED,
        layouts: NOT_MADE,
    },
    Disk {
        name: "a volume failed",
        options: "ro",
        checked: true,
        merged: false,
        before: FAILED,
        layouts: NOT_MADE,
    },
    Disk {
        name: "full",
        options: "ro,nr_inodes=12",
        checked: true,
        merged: false,
        before:
            "mount -o remount,rw root; (i=0; while : >root/lib/$i; do i=$((i + 1)); done) 2>/dev/null || true
             mount -o remount,ro root",
        layouts: NOT_MADE,
    },
];

impl Disk {
    fn boot(&self, agent: bool, before: &str, look: &str) -> Ran {
        let lib = if self.merged { "usr/lib" } else { "lib" };
        let link = if self.merged { "ln -s /usr/lib root/lib" } else { "true" };
        let options = self.options.replace("ro", "rw");
        Scratch::new()
            .tree("", &release())
            .sparing()
            .cmdline("root=LABEL=own")
            .before(&format!(
                "mount -t tmpfs -o {options} /dev/vdz root; mkdir -p root/usr/bin root/{lib}; {link}"
            ))
            .before(if agent { ": >root/usr/bin/lifeboat-agent" } else { "true" })
            .before(&before.replace("LIB", lib))
            .before(if self.options.starts_with("ro") { "mount -o remount,ro root" } else { "true" })
            .before("mkdir -p run/initramfs")
            .before(if self.checked { ": >run/initramfs/fsck-root" } else { "true" })
            .before(self.before)
            .through("env ROOT=/dev/vdz")
            .run(
                "modules",
                &format!(
                    "{}; grep ' /root ' /proc/self/mountinfo | cut -d ' ' -f 6-",
                    look.replace("LIB", lib)
                ),
            )
    }
}

/// On two boots in turn: the second finds the directory.
#[test]
fn the_directory_is_made_on_a_disk_that_may_be_written_to() {
    let look = "cat /root/LIB/modules/$(uname -r)/kernel/a.ko; ls /root/LIB
         touch /root/x 2>/dev/null && echo writable";
    for disk in DISKS {
        for (agent, layout) in [false, true].into_iter().zip(disk.layouts) {
            let name = format!("{}, agent: {agent}", disk.name);
            let ran = disk.boot(agent, "true", look);
            let made = ran.said.contains("on the directory /lib/modules, which was made for them");
            assert_eq!(made, layout == Some("cover"), "{name}: {}", ran.said);
            match layout {
                Some(layout) => {
                    assert!(ran.said.contains(&format!("(bind, {layout})")), "{name}: {}", ran.said);
                    assert!(ran.seen.starts_with("module a"), "{name}: {}", ran.seen);
                }
                None => assert!(ran.said.contains("mkdir -p /lib/modules"), "{name}: {}", ran.said),
            }
            let writable = disk.options.starts_with("rw");
            assert_eq!(ran.seen.contains("writable"), writable, "{name}: {}", ran.seen);
            let kept = if disk.options.contains("nodev") { "nodev" } else { "time" };
            let mount = ran.seen.lines().last().unwrap();
            let access = if writable { "rw" } else { "ro" };
            assert!(mount.starts_with(access) && mount.contains(kept), "{name}: {mount}");
            assert_eq!(mount.contains("noatime"), disk.options.contains("noatime"), "{name}: {mount}");

            let again = disk.boot(agent, "mkdir root/LIB/modules", look);
            assert!(again.said.contains("(bind, cover)"), "{name}: {}", again.said);
            assert!(!again.said.contains("made for them"), "{name}: {}", again.said);
        }
    }
}

/// The disks that are to stay as they are: where the machine's own settings say that it is read-only.
#[test]
fn no_directory_is_made_where_the_root_is_to_stay_read_only() {
    const NONE: &str = "";
    for (fstab, flags, named, made) in [
        (NONE, NONE, "/dev/vdz", true),
        ("/dev/vdz / tmpfs defaults 0 1", NONE, "/dev/vdz", true),
        ("/dev/vdz / tmpfs rw,errors=remount-ro 0 1", NONE, "/dev/vdz", true),
        ("/dev/vdz / tmpfs ro,rw 0 1", NONE, "/dev/vdz", true),
        ("/dev/vdz / tmpfs", NONE, "/dev/vdz", true),
        ("/dev/vdy /srv tmpfs ro 0 0\n", NONE, "/dev/vdz", true),
        ("/dev/vdy /usr tmpfs ro 0 0\n", NONE, "/dev/vdz", true),
        ("#/dev/vdz / tmpfs ro 0 0\n", NONE, "/dev/vdz", true),
        ("/dev/vdz / tmpfs ro 0 1", NONE, "/dev/vdz", false),
        ("LABEL=any\t//\ttmpfs\tnoatime,ro\t0 1\n", NONE, "/dev/vdz", false),
        ("/dev/vdz \\057 tmpfs defaults,ro 0 1\n", NONE, "/dev/vdz", false),
        ("/dev/vdz / tmpfs rw,ro 0 1\n", NONE, "/dev/vdz", false),
        ("/dev/vdz / tmpfs ro=recursive 0 1\n", NONE, "/dev/vdz", false),
        ("/dev/vdz / tmpfs noload 0 1\n", NONE, "/dev/vdz", false),
        (NONE, "-o noatime", "/dev/vdz", true),
        (NONE, "-o noatime,ro", "/dev/vdz", false),
        (NONE, "-o noload", "/dev/vdz", false),
        (NONE, "-o norecovery,noatime", "/dev/vdz", false),
        (NONE, "-o rescue=nologreplay", "/dev/vdz", false),
        // init checked another device than the one that is the root in the end.
        (NONE, NONE, "/dev/vdy", false),
        (NONE, NONE, NONE, false),
    ] {
        let name = format!("{fstab:?} {flags:?} {named:?}");
        let ran = Scratch::new()
            .tree("", &release())
            .sparing()
            .before("mount -t tmpfs -o rw /dev/vdz root; mkdir -p root/lib root/etc run/initramfs")
            .before(&format!("printf '%s' '{fstab}' >root/etc/fstab; : >run/initramfs/fsck-root"))
            .before("mount -o remount,ro root")
            .through(&format!("env ROOT={named} ROOTFLAGS='{flags}'"))
            .run("modules", "ls /root/lib; grep ' /root ' /proc/self/mountinfo | cut -d ' ' -f 6,11-");
        assert_eq!(ran.said.contains("which was made for them"), made, "{name}: {}", ran.said);
        assert_eq!(ran.seen.starts_with("modules"), made, "{name}: {}", ran.seen);
        assert!(ran.seen.contains("\nro,") || ran.seen.starts_with("ro,"), "{name}: {}", ran.seen);
    }
}

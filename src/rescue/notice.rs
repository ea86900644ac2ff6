//! Tells whoever reads the console or logs in that this is a rescue system, and how to leave it.

use super::decision::OriginalRoot;
use crate::files;
use crate::kmsg::escape;
use crate::root::Root;
use crate::volume::{Nature, Volume};
use anyhow::{Context, Result};
use std::path::Path;

/// Shown by `pam_motd` after a login.
const MOTD: &str = "/run/motd.d/lifeboat";

const COMMANDS: &str =
    "lifeboat-agent rescue mount\nTo repair it:\n    lifeboat-agent rescue mount --rw --chroot";

const CLOUD_INIT: &str = "\ncloud-init is on this volume and acts in this boot. To keep it from that in the next:\n    \
                          touch /etc/cloud/cloud-init.disabled";

/// The software on the rescue volume that changes what its users have to know.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tenants {
    /// lifeboat's own agent.
    agent: bool,
    /// cloud-init, not switched off.
    cloud_init: bool,
}

impl Tenants {
    /// Looks into the mounted volume.
    pub(crate) fn of(root: &Root) -> Result<Self> {
        let (agent, cloud_init) =
            (root.identity("usr/bin/lifeboat-agent")?, root.identity("usr/bin/cloud-init")?);
        // The agent has a link of that name.
        let cloud_init = cloud_init.is_some_and(|_| cloud_init != agent);
        Ok(Self {
            agent: agent.is_some(),
            cloud_init: cloud_init && !root.holds("etc/cloud/cloud-init.disabled")?,
        })
    }
}

/// Writes the notice to where the rescue system's own programs show it; nothing of lifeboat need be in it.
pub(crate) fn write(rescue: &Volume, original: &OriginalRoot, tenants: Tenants) -> Result<()> {
    if let Some(directory) = Path::new(MOTD).parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    files::write(MOTD, text(rescue, original, tenants).as_bytes(), 0o644)
}

/// The text that agetty shows above its prompt: the rescue system's own, and the notice with its backslashes escaped.
/// (agetty reads /run/issue.d only where there is no /etc/issue.)
pub(crate) fn issue(own: &[u8], rescue: &Volume, original: &OriginalRoot, tenants: Tenants) -> Vec<u8> {
    [own, text(rescue, original, tenants).replace('\\', "\\\\").as_bytes()].concat()
}

/// Takes the notice back.
pub(crate) fn forget() -> Result<()> {
    files::remove(MOTD)
}

// Put together from pieces: each format string costs the boot program more than they do.
pub(super) fn text(rescue: &Volume, original: &OriginalRoot, tenants: Tenants) -> String {
    let mut text = String::from("\n*** RESCUE SYSTEM ***\nlifeboat started this machine from ");
    text.push_str(&rescue.to_string());
    text.push_str(",\nnot from its own root.\n");
    match original {
        OriginalRoot::Volume(volume) => {
            text.push_str("The original root is ");
            text.push_str(if volume.is_member() { "inside " } else { "" });
            text.push_str(&volume.to_string());
            text.push_str(
                ". To look at it:
    ",
            );
            if tenants.agent && !volume.is_member() {
                text.push_str(COMMANDS);
            } else {
                look_at(volume, &mut text);
            }
        }
        OriginalRoot::Named(name) => {
            text.push_str("The original root is root=");
            text.push_str(&escape(name.as_bytes()));
            text.push_str("; no such device was found.");
        }
        OriginalRoot::Unknown => text.push_str("The kernel command line names no original root (no root=)."),
    }
    if tenants.cloud_init {
        text.push_str(CLOUD_INIT);
    }
    if rescue.nature() == Nature::ReadOnly {
        text.push_str("\nThis volume is read-only. To leave, detach it and reboot.\n\n");
        return text;
    }
    text.push_str("\nTo leave, and boot from the original root even while this volume is attached:\n    ");
    text.push_str(if tenants.agent { "lifeboat-agent rescue finish" } else { "touch /finished" });
    text.push_str(" && reboot\n\n");
    text
}

fn look_at(volume: &Volume, text: &mut String) {
    let (before, after) = match volume.kind.as_str() {
        "crypto_LUKS" => ("cryptsetup open ", " original && mount -o ro /dev/mapper/original /mnt"),
        "LVM2_member" => ("vgchange --activate y && pvs -o +lv_path ", ""),
        _ if volume.is_member() => ("mdadm --assemble --scan --readonly; mdadm --examine ", ""),
        _ => ("mount -o ro", " /mnt"),
    };
    text.push_str(before);
    if let Some(known) = volume.file_system() {
        // Nothing on the broken disk changes: no journal is replayed.
        for piece in
            [if known.untouched.is_empty() { "" } else { "," }, known.untouched.to_str().unwrap_or("")]
        {
            text.push_str(piece);
        }
        text.push(' ');
    }
    text.push_str(&volume.device.to_string_lossy());
    text.push_str(after);
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn volume(device: &str, kind: &str, label: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: kind.into(),
            label: Some(label.as_bytes().to_vec()),
            ..Volume::default()
        }
    }

    #[test]
    fn the_admin_is_told_where_they_are_and_how_to_leave() {
        let original = OriginalRoot::Volume(volume("/dev/vda1", "xfs", "cloudimg-rootfs"));
        expect![[r"

            *** RESCUE SYSTEM ***
            lifeboat started this machine from /dev/vdb (ext4, label RESCUE),
            not from its own root.
            The original root is /dev/vda1 (xfs, label cloudimg-rootfs). To look at it:
                mount -o ro,norecovery,nouuid /dev/vda1 /mnt
            To leave, and boot from the original root even while this volume is attached:
                touch /finished && reboot

        "]]
        .assert_eq(&text(&volume("/dev/vdb", "ext4", "RESCUE"), &original, Tenants::default()));
    }

    #[test]
    fn the_admin_is_told_how_to_look_into_what_is_locked() {
        let volume = |device, kind| Volume { label: None, ..volume(device, kind, "") };
        let text = text(
            &volume("/dev/vdb", "ext4"),
            &OriginalRoot::Volume(volume("/dev/vda3", "crypto_LUKS")),
            Tenants { agent: true, cloud_init: false },
        );
        assert!(
            text.contains(
                "The original root is inside /dev/vda3 (crypto_LUKS). To look at it:\n    \
                 cryptsetup open /dev/vda3 original && mount -o ro /dev/mapper/original /mnt\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn the_own_issue_stays_above_the_notice_and_nothing_in_it_is_special() {
        let rescue = volume("/dev/vdb", "ext4", "RES\u{1}");
        let text = issue(b"Debian \\n \\l\n", &rescue, &OriginalRoot::Unknown, Tenants::default());
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("Debian \\n \\l\n\n*** RESCUE SYSTEM ***\n"), "{text}");
        assert!(text.contains("label RES\\\\u{1})"), "{text}");
    }

    #[test]
    fn nobody_is_told_to_write_on_a_medium_that_cannot_be_written() {
        let text = text(&volume("/dev/sr0", "iso9660", "RESCUE"), &OriginalRoot::Unknown, Tenants::default());
        assert!(text.ends_with("\nThis volume is read-only. To leave, detach it and reboot.\n\n"), "{text}");
    }

    #[test]
    fn a_missing_original_root_is_said_to_be_missing() {
        let original = OriginalRoot::Named("LABEL=a\x1bb".into());
        let text = text(&volume("/dev/vdb", "ext4", "RESCUE"), &original, Tenants::default());
        assert!(text.contains("root=LABEL=a\\u{1b}b; no such device was found"), "{text}");
    }

    #[test]
    fn the_original_root_is_mounted_so_that_nothing_on_it_changes() {
        for (kind, options) in
            [("ext4", "ro,noload,errors=continue"), ("vfat", "ro"), ("btrfs", "ro,rescue=nologreplay")]
        {
            let original = OriginalRoot::Volume(volume("/dev/vda1", kind, "own"));
            let text = text(&volume("/dev/vdb", "ext4", "RESCUE"), &original, Tenants::default());
            assert!(text.contains(&format!("    mount -o {options} /dev/vda1 /mnt\n")), "{text}");
        }
    }

    #[test]
    fn the_agents_commands_are_named_where_it_is_installed() {
        let original = OriginalRoot::Volume(volume("/dev/vda1", "xfs", "own"));
        let tenants = Tenants { agent: true, cloud_init: false };
        let text = text(&volume("/dev/vdb", "ext4", "RESCUE"), &original, tenants);
        let commands = ["mount", "mount --rw --chroot", "finish && reboot"];
        for line in commands.map(|command| format!("lifeboat-agent rescue {command}")) {
            assert!(text.contains(&format!("\n    {line}\n")), "{text}");
        }
        assert!(!text.contains("touch"), "{text}");
    }

    #[test]
    fn cloud_init_is_told_of_only_where_it_will_act() {
        let directory = tempfile::tempdir().unwrap();
        let told = || {
            let tenants = Tenants::of(&Root::open(directory.path()).unwrap()).unwrap();
            let rescue = volume("/dev/vdb", "ext4", "RESCUE");
            text(&rescue, &OriginalRoot::Unknown, tenants)
                .contains("\n    touch /etc/cloud/cloud-init.disabled\n")
        };
        assert!(!told());
        for path in ["usr/bin", "etc/cloud"] {
            std::fs::create_dir_all(directory.path().join(path)).unwrap();
        }
        let (program, agent) =
            ["cloud-init", "lifeboat-agent"].map(|name| directory.path().join("usr/bin").join(name)).into();
        std::fs::write(&agent, "").unwrap();
        std::os::unix::fs::symlink("lifeboat-agent", &program).unwrap();
        assert!(!told(), "the agent has a link of that name");
        std::fs::remove_file(&program).unwrap();
        std::fs::write(&program, "").unwrap();
        assert!(told());
        std::fs::write(directory.path().join("etc/cloud/cloud-init.disabled"), "").unwrap();
        assert!(!told());
    }
}

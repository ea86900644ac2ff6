//! Tells whoever reads the console or logs in that this is a rescue system, and how to leave it.

use super::decision::Original;
use crate::kmsg::escape;
use crate::state::{remove_if_there, write_whole};
use crate::volume::Volume;
use anyhow::{Context, Result};
use std::path::Path;

/// Shown by `pam_motd` after a login.
const MOTD: &str = "/run/motd.d/lifeboat";

/// Writes the notice to where the rescue system's own programs show it; nothing of lifeboat need be in it.
pub(crate) fn write(rescue: &Volume, original: &Original) -> Result<()> {
    let path = Path::new(MOTD);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    write_whole(path, text(rescue, original).as_bytes(), 0o644)
}

/// What agetty shows above its prompt: the rescue system's own text and the notice, in which a backslash would
/// be special. (agetty reads /run/issue.d only where there is no /etc/issue.)
pub(crate) fn issue(own: &[u8], rescue: &Volume, original: &Original) -> Vec<u8> {
    [own, text(rescue, original).replace('\\', "\\\\").as_bytes()].concat()
}

/// Takes the notice back.
pub(crate) fn forget() -> Result<()> {
    remove_if_there(Path::new(MOTD))
}

pub(super) fn text(rescue: &Volume, original: &Original) -> String {
    let original = match original {
        Original::Volume(volume) => {
            let (before, after) = how_to_look_at(volume);
            let place = if volume.is_member() { "inside " } else { "" };
            let device = volume.device.display();
            format!("The original root is {place}{volume}. To look at it:\n    {before}{device}{after}\n")
        }
        Original::Named(name) => {
            format!("The original root is root={}; no such device was found.\n", escape(name.as_bytes()))
        }
        Original::Unknown => String::from("The kernel command line names no original root (no root=).\n"),
    };
    format!(
        "\n*** RESCUE SYSTEM ***\n\
         lifeboat started this machine from {rescue},\n\
         not from its own root.\n\
         {original}\
         To leave, and boot from the original root even while this volume is attached:\n    \
         touch /finished && reboot\n\n"
    )
}

/// What stands before and after the device.
fn how_to_look_at(volume: &Volume) -> (&'static str, &'static str) {
    match volume.kind.as_str() {
        "xfs" => ("mount -o ro,norecovery,nouuid ", " /mnt"),
        "crypto_LUKS" => ("cryptsetup open ", " original && mount -o ro /dev/mapper/original /mnt"),
        "LVM2_member" => ("vgchange --activate y && pvs -o +lv_path ", ""),
        _ if volume.is_member() => ("mdadm --assemble --scan --readonly; mdadm --examine ", ""),
        _ => ("mount -o ro ", " /mnt"),
    }
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
        let original = Original::Volume(volume("/dev/vda1", "xfs", "cloudimg-rootfs"));
        expect![[r"

            *** RESCUE SYSTEM ***
            lifeboat started this machine from /dev/vdb (ext4, label RESCUE),
            not from its own root.
            The original root is /dev/vda1 (xfs, label cloudimg-rootfs). To look at it:
                mount -o ro,norecovery,nouuid /dev/vda1 /mnt
            To leave, and boot from the original root even while this volume is attached:
                touch /finished && reboot

        "]]
        .assert_eq(&text(&volume("/dev/vdb", "ext4", "RESCUE"), &original));
    }

    #[test]
    fn the_admin_is_told_how_to_look_into_what_is_locked() {
        let volume = |device, kind| Volume { label: None, ..volume(device, kind, "") };
        let text = text(&volume("/dev/vdb", "ext4"), &Original::Volume(volume("/dev/vda3", "crypto_LUKS")));
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
        let text = String::from_utf8(issue(b"Debian \\n \\l\n", &rescue, &Original::Unknown)).unwrap();
        assert!(text.starts_with("Debian \\n \\l\n\n*** RESCUE SYSTEM ***\n"), "{text}");
        assert!(text.contains("label RES\\\\u{1})"), "{text}");
    }

    #[test]
    fn a_missing_original_root_is_said_to_be_missing() {
        let text = text(&volume("/dev/vdb", "ext4", "RESCUE"), &Original::Named("LABEL=a\x1bb".into()));
        assert!(text.contains("root=LABEL=a\\u{1b}b; no such device was found"), "{text}");
    }
}

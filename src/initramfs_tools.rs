//! The only file that knows initramfs-tools: what its init exports to stage scripts, and how it is steered.
//!
//! After each stage script init sources /conf/param.conf into its own shell, so that what is assigned there
//! takes the place of what the kernel command line said.

use crate::state;
use crate::volume::{self, Volume};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const PARAM_CONF: &str = "/conf/param.conf";

/// Where the root is mounted, or will be.
pub(crate) fn root_mount_point() -> PathBuf {
    std::env::var_os("rootmnt").filter(|path| !path.is_empty()).unwrap_or_else(|| "/root".into()).into()
}

/// The root that init would mount: a device's path, `LABEL=…`, `UUID=…`, or whatever else was given.
pub(crate) fn own_root() -> Option<String> {
    std::env::var("ROOT").ok().filter(|root| !root.is_empty())
}

/// Makes init mount this volume as the root.
pub(crate) fn steer(volume: &Volume) -> Result<()> {
    let path = Path::new(PARAM_CONF);
    let existing = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        other => other.with_context(|| format!("read {PARAM_CONF}"))?,
    };
    let name = volume.device.strip_prefix("/dev").unwrap_or(&volume.device).to_string_lossy();
    let writable = if volume::is_read_only(&name.replace('/', "!")) { "y" } else { "n" };
    state::write_whole(path, &render(&existing, volume, writable), 0o644)
}

/// Nothing of the own root may leak into the rescue boot, so every variable that was set for it is set anew.
fn render(existing: &str, volume: &Volume, read_only: &str) -> String {
    let device = volume.device.to_string_lossy();
    let assignments: [(&str, &str); 11] = [
        ("BOOT", "local"),
        ("ROOT", &device),
        ("ROOTFSTYPE", &volume.kind),
        ("ROOTFLAGS", ""),
        ("UBIMTD", ""),
        // Writable, so that /finished can be touched whatever the volume's fstab says of `/`.
        ("readonly", read_only),
        ("init", "/sbin/init"),
        // By now local-premount/resume looks at `resume` alone; `noresume` would come too late.
        ("resume", ""),
        ("resume_offset", ""),
        // The stages are skipped: they unlock, assemble and wait for the own root's devices.
        ("local_top_used", "yes"),
        ("local_premount_used", "yes"),
    ];
    let mut text = existing.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str("# lifeboat: boot from the rescue volume\n");
    for (name, value) in assignments {
        // Writing to a String cannot fail.
        writeln!(text, "{name}={}", quote(value)).unwrap_or_default();
    }
    text
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn rescue() -> Volume {
        Volume {
            device: "/dev/vdb1".into(),
            kind: "ext4".into(),
            label: Some(b"RESCUE'; reboot".to_vec()),
            uuid: None,
        }
    }

    #[test]
    fn everything_that_was_set_for_the_own_root_is_set_anew() {
        expect![[r"
            # lifeboat: boot from the rescue volume
            BOOT='local'
            ROOT='/dev/vdb1'
            ROOTFSTYPE='ext4'
            ROOTFLAGS=''
            UBIMTD=''
            readonly='n'
            init='/sbin/init'
            resume=''
            resume_offset=''
            local_top_used='yes'
            local_premount_used='yes'
        "]]
        .assert_eq(&render("", &rescue(), "n"));
    }

    #[test]
    fn what_other_scripts_left_stays() {
        let text = render("IP=dhcp", &rescue(), "n");
        assert!(text.starts_with("IP=dhcp\n# lifeboat"), "{text}");
    }

    #[test]
    fn a_quote_in_a_value_ends_nothing() {
        assert_eq!(quote("a'; reboot; '"), r"'a'\''; reboot; '\'''");
    }
}

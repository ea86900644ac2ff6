//! The mark of a finished rescue volume, which decides about the next boot; `finish` sets it.

use super::devices::Device;
use super::facts::RescueFacts;
use super::mounts::{self, Access};
use super::record::Original;
use crate::root::Root;
use anyhow::{Result, bail};
use lifeboat_common::rescue_volume::MARKERS;

/// The marker that is on the rescue volume.
pub(crate) fn marker(root: &Root) -> Result<Option<&'static str>> {
    for marker in MARKERS {
        if root.has_entry(marker)? {
            return Ok(Some(marker));
        }
    }
    Ok(None)
}

/// Fails when a marker on `/` would not be on the rescue volume, or cannot be made.
pub(crate) fn check_markable(facts: &RescueFacts) -> Result<()> {
    let device = &facts.record.volume.device;
    let detach = "or detach the volume before you reboot";
    match mounts::at("/", &facts.mounts) {
        Some(mount) if !facts.rescue.is_of(mount) => {
            bail!("/ is {} and not {device}: mount that, and make `finished` on it, {detach}", mount.kind)
        }
        Some(mount) if mount.access == Access::ReadOnly => {
            bail!("{device} is mounted read-only: `mount -o remount,rw /` first, {detach}")
        }
        _ => Ok(()),
    }
}

/// Makes the first of the markers, so that it is on the disk even if the machine is reset now.
pub(crate) fn mark(root: &Root) -> Result<()> {
    let [marker, ..] = MARKERS;
    root.write(marker, b"", 0o644)?;
    root.sync(&[""])
}

/// The next boot in words.
pub(crate) fn boot(facts: &RescueFacts, marker: Option<&str>) -> String {
    let Some(marker) = marker else {
        return format!("this rescue volume again ({})", "`lifeboat-agent rescue finish` ends that");
    };
    let volume = &facts.record.volume.device;
    let other = facts.devices.iter().find(|device| device.is_rescue_volume() && device.node() != volume);
    if let Some(other) = other {
        let label = other.label.as_deref().unwrap_or_default();
        return format!("{} (label {label}), unless that is finished too or holds no init", other.node());
    }
    let otherwise = "otherwise the machine waits for a rescue volume";
    match (&facts.original, &facts.record.original) {
        (Ok(original), _) => {
            format!("the machine's own root, {original}, if it can be mounted and holds an init; {otherwise}")
        }
        (Err(_), Original::Missing(name)) => {
            let is_copy = |device: &Device| device.node() == volume && device.is_named(name);
            let otherwise = if facts.devices.iter().any(is_copy) {
                "otherwise the machine waits for that, and then boots this volume as its own root"
            } else {
                otherwise
            };
            format!("the machine's own root, root={name}, if it appears: it is missing now; {otherwise}")
        }
        (Err(_), _) => {
            format!("whatever init finds without root= (/{marker} is on the rescue volume); {otherwise}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rescue::devices::testing::labelled;
    use crate::rescue::facts::testing::facts;
    use crate::rescue::mounts::testing::mount;

    fn refusal(source: &str, kind: &str, access: Access) -> String {
        let mut facts = facts("ext4");
        facts.mounts = vec![mount(source, "/", kind, access)];
        check_markable(&facts).map_or_else(|error| format!("{error:#}"), |()| String::new())
    }

    #[test]
    fn a_marker_is_made_where_the_initramfs_looks_for_it() {
        assert_eq!(refusal("/dev/vdb", "ext4", Access::Writable), "");
        assert_eq!(
            refusal("/dev/vdb", "ext4", Access::ReadOnly),
            "/dev/vdb is mounted read-only: `mount -o remount,rw /` first, or detach the volume before you reboot"
        );
        assert_eq!(
            refusal("overlay", "overlay", Access::Writable),
            "/ is overlay and not /dev/vdb: mount that, and make `finished` on it, or detach the volume before you reboot"
        );
    }

    #[test]
    fn each_marker_counts() {
        for name in MARKERS {
            let directory = tempfile::tempdir().unwrap();
            let root = Root::open(directory.path()).unwrap();
            assert_eq!(marker(&root).unwrap(), None);
            root.make_directory(name).unwrap();
            assert_eq!(marker(&root).unwrap(), Some(name));
        }
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join("DONE")).unwrap();
        assert_eq!(marker(&Root::open(directory.path()).unwrap()).unwrap(), Some("DONE"));
    }

    #[test]
    fn the_next_boot_is_told() {
        let mut facts = facts("ext4");
        assert!(boot(&facts, None).starts_with("this rescue volume again"));
        let own = boot(&facts, Some("finished"));
        assert!(
            own.starts_with("the machine's own root, /dev/vda (ext4, UUID a), if it can be mounted"),
            "{own}"
        );
        facts.original = Err("gone".into());
        facts.record.original = Original::Missing("LABEL=x".into());
        facts.devices = vec![labelled("/dev/vdb", "x")];
        assert!(boot(&facts, Some("finished")).ends_with("then boots this volume as its own root"));
        facts.record.original = Original::Missing("UUID=x".into());
        assert!(boot(&facts, Some("finished")).ends_with("waits for a rescue volume"));
        assert!(boot(&facts, Some("finished")).contains("root=UUID=x, if it appears: it is missing now"));
        facts.record.original = Original::Unnamed;
        assert!(boot(&facts, Some("finished")).starts_with("whatever init finds without root="));
    }

    #[test]
    fn another_rescue_volume_comes_next() {
        let mut facts = facts("ext4");
        facts.devices = vec![labelled("/dev/vdb", "RESCUE"), labelled("/dev/vdc", "data")];
        assert!(boot(&facts, Some("finished")).starts_with("the machine's own root"));
        facts.devices.push(labelled("/dev/vdd", "UEC-rescue"));
        assert!(boot(&facts, Some("finished")).starts_with("/dev/vdd (label UEC-rescue), unless"));
    }
}

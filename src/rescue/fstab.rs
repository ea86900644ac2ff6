//! The rescue system's fstab, made safe: a volume that was copied from the broken machine's image names by UUID
//! and label what is on the broken disk too.

use super::settings::Selector;
use crate::kmsg::escape;
use crate::volume::Volume;
use std::fmt::Write as _;

/// What stands above a generated fstab.
const HEAD: &str = "# Made by lifeboat for this rescue boot; the file on the volume is unchanged.\n";

/// An fstab in which nothing leads to another disk than the rescue volume's own: `/` is the device that is
/// mounted, entries that would resolve to another disk go to the own disk's partition of that identity, and
/// what has none there is commented out.
pub(super) fn rewrite(fstab: &str, rescue: &Volume, volumes: &[Volume]) -> String {
    let mut text = String::from(HEAD);
    for line in fstab.lines() {
        let (note, line) = match entry(line) {
            Some((source, point)) => rewrite_entry(line, source, point, rescue, volumes),
            None => (None, line.to_owned()),
        };
        if let Some(note) = note {
            // Writing to a String cannot fail.
            writeln!(text, "# lifeboat: {note}").unwrap_or_default();
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The first two fields of an entry.
fn entry(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.split_whitespace();
    let source = fields.next().filter(|source| !source.starts_with('#'))?;
    Some((source, fields.next()?))
}

fn rewrite_entry(
    line: &str,
    source: &str,
    point: &str,
    rescue: &Volume,
    volumes: &[Volume],
) -> (Option<String>, String) {
    let from = escape(source.as_bytes());
    let moved_to = |volume: &Volume| {
        let device = volume.device.display().to_string();
        let changed = line.replacen(source, &device, 1);
        if device == source { (None, changed) } else { (Some(format!("was {from}")), changed) }
    };
    if point == "/" {
        return moved_to(rescue);
    }
    let Some(selector) = Selector::parse(source) else { return (None, line.to_owned()) };
    let named = || volumes.iter().filter(|volume| selector.names(volume));
    // A device's name says nothing about what is on it: the disks may have been in another order.
    match named().find(|volume| volume.disk == rescue.disk) {
        Some(own) => moved_to(own),
        None if named().next().is_some() => {
            (Some(format!("{from} is on another disk than {}", rescue.device.display())), format!("#{line}"))
        }
        None => (None, line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn volume(device: &str, disk: &str, label: &str, uuid: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(label.as_bytes().to_vec()),
            uuid: Some(uuid.into()),
            disk: disk.into(),
            ..Volume::default()
        }
    }

    fn machine() -> Vec<Volume> {
        vec![
            volume("/dev/vda1", "vda", "cloudimg-rootfs", "root"),
            volume("/dev/vda2", "vda", "BOOT", "boot"),
            volume("/dev/vda3", "vda", "home", "home"),
            volume("/dev/vdb1", "vdb", "RESCUE", "root"),
            volume("/dev/vdb2", "vdb", "BOOT", "boot"),
        ]
    }

    #[test]
    fn nothing_leads_to_the_broken_disk() {
        let machine = machine();
        let fstab = "\
# <file system> <mount point>
LABEL=cloudimg-rootfs\t/\text4\tdiscard,errors=remount-ro 0 1
UUID=boot /boot ext4 defaults 0 2
LABEL=home /home ext4 defaults 0 2
tmpfs /tmp tmpfs defaults 0 0
UUID=nowhere none swap sw 0 0
";
        expect![[r"
            # Made by lifeboat for this rescue boot; the file on the volume is unchanged.
            # <file system> <mount point>
            # lifeboat: was LABEL=cloudimg-rootfs
            /dev/vdb1	/	ext4	discard,errors=remount-ro 0 1
            # lifeboat: was UUID=boot
            /dev/vdb2 /boot ext4 defaults 0 2
            # lifeboat: LABEL=home is on another disk than /dev/vdb1
            #LABEL=home /home ext4 defaults 0 2
            tmpfs /tmp tmpfs defaults 0 0
            UUID=nowhere none swap sw 0 0
        "]]
        .assert_eq(&rewrite(fstab, &machine[3], &machine));
    }

    #[test]
    fn what_names_the_rescue_disk_already_stays() {
        let machine = machine();
        let fstab = "/dev/vdb1 / ext4 defaults 0 1\n/dev/vdb2 /boot ext4 defaults 0 2\n";
        assert_eq!(rewrite(fstab, &machine[3], &machine), format!("{HEAD}{fstab}"));
    }

    #[test]
    fn a_device_that_is_the_broken_disks_here_is_not_mounted() {
        let machine = machine();
        let text = rewrite("/dev/vda2 /boot ext4 defaults 0 2\n", &machine[3], &machine);
        assert!(text.ends_with("\n#/dev/vda2 /boot ext4 defaults 0 2\n"), "{text}");
    }

    #[test]
    fn lines_that_are_no_entries_are_kept_as_they_are() {
        let machine = machine();
        let fstab = "\n   # UUID=boot /boot\nUUID=boot\n";
        assert_eq!(rewrite(fstab, &machine[3], &machine), format!("{HEAD}{fstab}"));
    }
}

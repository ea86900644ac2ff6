//! The rescue system's fstab, made safe: a volume that was copied from the broken machine's image names by UUID
//! and label what is on the broken disk too.

use super::settings::Selector;
use crate::kmsg::escape;
use crate::volume::Volume;

/// What stands above a generated fstab.
const HEAD: &str = "# Made by lifeboat for this rescue boot; the file on the volume is unchanged.\n";

/// An fstab in which nothing leads to another disk than the rescue volume's own: `/` is the device that is
/// mounted, entries that would resolve to another disk go to the own disk's partition of that identity, and what
/// has none there is commented out. So is what is not found: it may be inside an array, or of a type that is not
/// known here, and `noauto` would not keep a unit that needs the directory from mounting it.
pub(super) fn rewrite(fstab: &[u8], rescue: &Volume, volumes: &[Volume]) -> Vec<u8> {
    let mut text = HEAD.as_bytes().to_vec();
    // Some readers end a line at a NUL, others pass it over.
    let fstab: Vec<u8> = fstab.iter().copied().filter(|byte| *byte != 0).collect();
    for line in fstab.split_inclusive(|byte| *byte == b'\n') {
        match FstabEntry::parse(line)
            .and_then(|entry| entry.change(rescue, volumes).map(|change| (entry, change)))
        {
            Some((entry, FstabChange::Source { device, note })) => {
                text.extend_from_slice(note.as_bytes());
                text.extend_from_slice(entry.before);
                text.extend_from_slice(device.as_bytes());
                text.extend_from_slice(entry.after);
            }
            Some((_, FstabChange::Comment { note })) => {
                text.extend_from_slice(note.as_bytes());
                text.push(b'#');
                text.extend_from_slice(line);
            }
            None => text.extend_from_slice(line),
        }
    }
    text
}

/// Whether an fstab has an entry for /usr, which init mounts before it looks for the root's init.
pub(super) fn has_usr(fstab: &[u8]) -> bool {
    fstab.split(|byte| *byte == b'\n').filter_map(FstabEntry::parse).any(|entry| entry.is_at(&[b"usr"]))
}

/// A line that is an entry, as libmount and init read it: fields apart by blanks, with octal escapes in them.
struct FstabEntry<'a> {
    before: &'a [u8],
    after: &'a [u8],
    source: String,
    point: Vec<u8>,
    options: Vec<u8>,
}

/// What becomes of an entry.
enum FstabChange {
    Source { device: String, note: String },
    Comment { note: String },
}

impl<'a> FstabEntry<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let start = line.iter().position(|byte| !is_blank(*byte))?;
        let (before, rest) = line.split_at_checked(start)?;
        let end = rest.iter().position(|byte| is_blank(*byte))?;
        let (source, after) = rest.split_at_checked(end)?;
        let mut fields = after.split(|byte| is_blank(*byte)).filter(|field| !field.is_empty());
        let point = fields.next()?;
        let source = String::from_utf8_lossy(&unescape(source)).into_owned();
        (!source.starts_with('#')).then(|| Self {
            before,
            after,
            source,
            point: unescape(point),
            options: unescape(fields.nth(1).unwrap_or_default()),
        })
    }

    /// Whether it is mounted at the path of these names.
    fn is_at(&self, path: &[&[u8]]) -> bool {
        let names = self.point.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        self.point.starts_with(b"/") && names.eq(path.iter().copied())
    }

    /// Whether nothing but a person's own command uses it.
    fn is_for_later(&self) -> bool {
        let used = |option: &[u8]| option == b"auto" || option.windows(8).any(|part| part == b"systemd.");
        let mut options = self.options.split(|byte| *byte == b',');
        options.clone().any(|option| option == b"noauto") && !options.any(used)
    }

    /// `None`: it can stay as it is.
    fn change(&self, rescue: &Volume, volumes: &[Volume]) -> Option<FstabChange> {
        let from = escape(self.source.as_bytes());
        let moved_to = |volume: &Volume| {
            let device = volume.device.display().to_string();
            (device != self.source)
                .then(|| FstabChange::Source { device, note: format!("# lifeboat: was {from}\n") })
        };
        if self.is_at(&[]) {
            return moved_to(rescue);
        }
        let selector = Selector::parse(&self.source)?;
        let named = || volumes.iter().filter(|volume| selector.names(volume));
        // A device's name says nothing about what is on it: the disks may have been in another order.
        if let Some(own) = named().find(|volume| volume.disk == rescue.disk) {
            return moved_to(own);
        }
        let why = match named().next() {
            Some(_) => "is",
            // Nothing would start without the last.
            None if self.is_for_later() || self.is_at(&[b"usr"]) => return None,
            None => "was not found, and may be",
        };
        let device = rescue.device.display();
        Some(FstabChange::Comment {
            note: format!("# lifeboat: {from} {why} on another disk than {device}\n"),
        })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// `\040` is a blank, and so on.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = |byte: &u8| matches!(byte, b'0'..=b'7').then(|| u32::from(byte - b'0'));
        let code = match (first, after) {
            (b'\\', [a, b, c, ..]) => octal(a).zip(octal(b)).zip(octal(c)),
            _ => None,
        };
        let code = code.and_then(|((a, b), c)| u8::try_from(a * 64 + b * 8 + c).ok());
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
        plain.push(code.unwrap_or(*first));
    }
    plain
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

    fn rewrite(fstab: &str, rescue: &Volume, volumes: &[Volume]) -> String {
        String::from_utf8(super::rewrite(fstab.as_bytes(), rescue, volumes)).unwrap()
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
/dev/cdrom /media iso9660 ro,noauto 0 0
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
            # lifeboat: UUID=nowhere was not found, and may be on another disk than /dev/vdb1
            #UUID=nowhere none swap sw 0 0
            /dev/cdrom /media iso9660 ro,noauto 0 0
        "]]
        .assert_eq(&rewrite(fstab, &machine[3], &machine));
    }

    #[test]
    fn what_is_not_found_is_used_by_nobody_until_somebody_asks() {
        let machine = machine();
        for line in [
            "/dev/mapper/vg-var /var ext4 defaults 0 2",
            "LABEL=late /data f2fs nofail,discard",
            "UUID=late /data",
            "LABEL=swap none swap",
            "UUID=late /data ext4 noauto,x-systemd.automount 0 2",
            "UUID=late /data ext4 noauto,comment=systemd.automo\\165nt 0 2",
            "UUID=late /data ext4 noauto,auto 0 2",
        ] {
            let text = rewrite(&format!("{line}\n"), &machine[3], &machine);
            assert!(text.ends_with(&format!(" than /dev/vdb1\n#{line}\n")), "{text}");
        }
        for line in [
            "LABEL=late /data ext4 defaults,noauto 0 2",
            "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0",
            "server:/export /srv nfs defaults,_netdev 0 0",
            "//server/share /mnt cifs guest 0 0",
            "none /tmp tmpfs",
            "/srv/data /export none bind 0 0",
            "/dev/vdb2 /boot ext4 defaults 0 2",
            "/dev/mapper/vg-usr /usr ext4 defaults 0 2",
        ] {
            assert_eq!(rewrite(line, &machine[3], &machine), format!("{HEAD}{line}"));
        }
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

    #[test]
    fn an_entry_is_what_its_escapes_stand_for() {
        let machine = machine();
        for line in ["LABEL=h\\157me /home", "UUID=\\150ome\t/home", "LABEL=ho\0me /home"] {
            let text = rewrite(&format!("{line} ext4 defaults 0 2\n"), &machine[3], &machine);
            assert!(text.contains("\n#"), "{text}");
        }
        for point in ["\\057", "//", "/./"] {
            let text = rewrite(&format!("LABEL=x {point} ext4\n"), &machine[3], &machine);
            assert!(text.ends_with(&format!("\n/dev/vdb1 {point} ext4\n")), "{text}");
        }
    }

    #[test]
    fn what_is_no_blank_for_others_is_none_here() {
        let machine = machine();
        let fstab = "LABEL=home\u{a0} /mnt ext4 noauto\nLABEL=home\u{b} /mnt ext4 noauto\n";
        assert_eq!(rewrite(fstab, &machine[3], &machine), format!("{HEAD}{fstab}"));
    }

    #[test]
    fn an_entry_that_is_not_touched_keeps_its_bytes() {
        let machine = machine();
        let fstab = b"x=\xf6 /mnt/\xf6 ext4 defaults\r\n\xff\n";
        assert_eq!(super::rewrite(fstab, &machine[3], &machine), [HEAD.as_bytes(), fstab].concat());
    }
}

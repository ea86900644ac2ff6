//! The rescue system's fstab, made safe: a volume that was copied from the broken machine's image names by UUID
//! and label what is on the broken disk too.

use super::settings::Selector;
use crate::kmsg::escape;
use crate::volume::Volume;

/// What stands above a generated fstab.
const HEAD: &str = "# Made by lifeboat for this rescue boot; the file on the volume is unchanged.\n";

/// An fstab in which nothing leads to another disk than the rescue volume's own: `/` is the device that is
/// mounted, entries that would resolve to another disk go to the own disk's partition of that identity, what
/// has none there is commented out, and what is nowhere is not waited for.
pub(super) fn rewrite(fstab: &[u8], rescue: &Volume, volumes: &[Volume]) -> Vec<u8> {
    let mut text = HEAD.as_bytes().to_vec();
    // Some readers end a line at a NUL, others pass it over.
    let fstab: Vec<u8> = fstab.iter().copied().filter(|byte| *byte != 0).collect();
    for line in fstab.split_inclusive(|byte| *byte == b'\n') {
        match Entry::parse(line).and_then(|entry| entry.change(rescue, volumes).map(|change| (entry, change)))
        {
            Some((entry, Change::Source { device, note })) => {
                text.extend_from_slice(note.as_bytes());
                text.extend_from_slice(entry.before);
                text.extend_from_slice(device.as_bytes());
                text.extend_from_slice(entry.after);
            }
            Some((_, Change::Comment { note })) => {
                text.extend_from_slice(note.as_bytes());
                text.push(b'#');
                text.extend_from_slice(line);
            }
            Some((_, Change::NotWaitedFor { options_end, note })) => {
                let (before, after) = line.split_at_checked(options_end).unwrap_or((line, b""));
                text.extend_from_slice(note.as_bytes());
                text.extend_from_slice(before);
                text.extend_from_slice(b",nofail");
                text.extend_from_slice(after);
            }
            None => text.extend_from_slice(line),
        }
    }
    text
}

/// Whether an fstab has an entry for /usr, which init mounts before it looks for the root's init.
pub(super) fn has_usr(fstab: &[u8]) -> bool {
    fstab.split(|byte| *byte == b'\n').filter_map(Entry::parse).any(|entry| entry.is_at(&[b"usr"]))
}

/// A line that is an entry, as libmount and init read it: fields apart by blanks, with octal escapes in them.
struct Entry<'a> {
    before: &'a [u8],
    after: &'a [u8],
    source: String,
    point: Vec<u8>,
    /// Where an option can be added; `None` where the boot does not wait for the entry anyway.
    options_end: Option<usize>,
}

/// What becomes of an entry.
enum Change {
    Source { device: String, note: String },
    Comment { note: String },
    NotWaitedFor { options_end: usize, note: String },
}

impl<'a> Entry<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let start = line.iter().position(|byte| !is_blank(*byte))?;
        let (before, rest) = line.split_at_checked(start)?;
        let end = rest.iter().position(|byte| is_blank(*byte))?;
        let (source, after) = rest.split_at_checked(end)?;
        let point = after.split(|byte| is_blank(*byte)).find(|field| !field.is_empty())?;
        let source = String::from_utf8_lossy(&unescape(source)).into_owned();
        (!source.starts_with('#')).then(|| Self {
            before,
            after,
            source,
            point: unescape(point),
            options_end: options_end(line),
        })
    }

    /// Whether it is mounted at the path of these names.
    fn is_at(&self, path: &[&[u8]]) -> bool {
        let names = self.point.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        self.point.starts_with(b"/") && names.eq(path.iter().copied())
    }

    /// `None`: it can stay as it is.
    fn change(&self, rescue: &Volume, volumes: &[Volume]) -> Option<Change> {
        let from = escape(self.source.as_bytes());
        let moved_to = |volume: &Volume| {
            let device = volume.device.display().to_string();
            (device != self.source)
                .then(|| Change::Source { device, note: format!("# lifeboat: was {from}\n") })
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
        if named().next().is_none() {
            let options_end = self.options_end?;
            let note = format!("# lifeboat: {from} was not found; it is not waited for\n");
            return Some(Change::NotWaitedFor { options_end, note });
        }
        let device = rescue.device.display();
        Some(Change::Comment { note: format!("# lifeboat: {from} is on another disk than {device}\n") })
    }
}

fn options_end(line: &[u8]) -> Option<usize> {
    let (mut end, mut field): (usize, &[u8]) = (0, b"");
    for _ in 0..4 {
        let rest = line.get(end..)?;
        let start = rest.iter().position(|byte| !is_blank(*byte))?;
        let rest = rest.get(start..)?;
        let length = rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
        field = rest.get(..length)?;
        end += start + length;
    }
    let waits = |option: &[u8]| option != b"nofail" && option != b"noauto";
    field.split(|byte| *byte == b',').all(waits).then_some(end)
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
            # lifeboat: UUID=nowhere was not found; it is not waited for
            UUID=nowhere none swap sw,nofail 0 0
            /dev/cdrom /media iso9660 ro,noauto 0 0
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
        let fstab = "LABEL=home\u{a0} /mnt ext4\nLABEL=home\u{b} /mnt ext4\n";
        assert_eq!(rewrite(fstab, &machine[3], &machine), format!("{HEAD}{fstab}"));
    }

    #[test]
    fn an_entry_that_is_not_touched_keeps_its_bytes() {
        let machine = machine();
        let fstab = b"x=\xf6 /mnt/\xf6 ext4 defaults\r\n\xff\n";
        assert_eq!(super::rewrite(fstab, &machine[3], &machine), [HEAD.as_bytes(), fstab].concat());
    }
}

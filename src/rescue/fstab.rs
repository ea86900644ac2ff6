//! The rescue system's fstab, made safe: a volume that was copied from the broken machine's image names by UUID
//! and label what is on the broken disk too.

use super::selector::Selector;
use crate::kmsg::escape;
use crate::volume::Volume;

/// What stands above a generated fstab.
const HEAD: &str = "# Made by lifeboat for this rescue boot; the file on the volume is unchanged.\n";

/// Whether the root holds an init without what its fstab mounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WithoutUsr {
    /// It does: /usr can be left out.
    Starts,
    /// Its init is in its /usr.
    HasNoInit,
}

/// What the fstab's devices are on.
struct Disk<'a> {
    rescue: &'a Volume,
    volumes: &'a [Volume],
    /// What `/` is named by, without its partition's number: so the disk was called when the fstab was written.
    stem: Option<String>,
    without_usr: WithoutUsr,
}

/// An fstab in which nothing leads to another disk than the rescue volume's own: `/` is the device that is
/// mounted, entries that would resolve to another disk go to the own disk's partition of that identity, and what
/// has none there is commented out. So is what is not found: it may be inside an array, or of a type that is not
/// known here, and `noauto` would not keep a unit that needs the directory from mounting it. A /usr stays where nothing
/// would start without it.
pub(super) fn rewrite(fstab: &[u8], rescue: &Volume, volumes: &[Volume], without_usr: WithoutUsr) -> Vec<u8> {
    let mut text = HEAD.as_bytes().to_vec();
    // Some readers end a line at a NUL, others pass it over.
    let fstab: Vec<u8> = fstab.iter().copied().filter(|byte| *byte != 0).collect();
    let disk = Disk { rescue, volumes, stem: stem(&fstab, rescue), without_usr };
    for line in fstab.split_inclusive(|byte| *byte == b'\n') {
        match FstabEntry::parse(line).and_then(|entry| entry.change(&disk).map(|change| (entry, change))) {
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

/// Whether an fstab has an entry for /usr.
pub(super) fn has_usr(fstab: &[u8]) -> bool {
    entries(fstab).any(|entry| entry.is_at(&[b"usr"]))
}

/// Where the /usr of a volume is, which init mounts before it looks for the root's init.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Usr {
    /// On the root itself: the fstab has no entry for it.
    InRoot,
    /// On the volume's disk.
    OnDisk,
    /// On another disk alone: what names it.
    Elsewhere(String),
    /// Nowhere: what names it.
    Missing(String),
    /// It cannot be said: it may be inside something on the volume's disk, or no device.
    Unknown,
}

/// Looks for the /usr of a volume among all that is there.
pub(super) fn usr(fstab: &[u8], rescue: &Volume, volumes: &[Volume]) -> Usr {
    let fstab: Vec<u8> = fstab.iter().copied().filter(|byte| *byte != 0).collect();
    let Some(entry) = entries(&fstab).find(|entry| entry.is_at(&[b"usr"])) else { return Usr::InRoot };
    let disk = Disk { rescue, volumes, stem: stem(&fstab, rescue), without_usr: WithoutUsr::HasNoInit };
    let Some(selector) = Selector::parse(&entry.source) else { return Usr::Unknown };
    let source = escape(entry.source.as_bytes());
    if disk.find(&entry.source, &selector).is_some() {
        Usr::OnDisk
    } else if volumes.iter().any(|volume| selector.names(volume)) {
        Usr::Elsewhere(source)
    } else if volumes.iter().any(|volume| volume.disk == rescue.disk && volume.is_member()) {
        Usr::Unknown
    } else {
        Usr::Missing(source)
    }
}

fn entries(fstab: &[u8]) -> impl Iterator<Item = FstabEntry<'_>> {
    fstab.split_inclusive(|byte| *byte == b'\n').filter_map(FstabEntry::parse)
}

/// `/dev/vda`, where `/` is on `/dev/vda1` and the rescue volume on the first partition of some disk.
fn stem(fstab: &[u8], rescue: &Volume) -> Option<String> {
    let root = entries(fstab).find(|entry| entry.is_at(&[]))?;
    let Selector::Device(_) = Selector::parse(&root.source)? else { return None };
    let number = partition_number(rescue)?;
    let stem = root.source.strip_suffix(number.to_string().as_str())?;
    (!stem.ends_with(|c: char| c.is_ascii_digit())).then(|| stem.to_owned())
}

/// Which partition of its disk it is.
fn partition_number(volume: &Volume) -> Option<u32> {
    let name = crate::volume::name_of(&volume.device);
    name.strip_prefix(&volume.disk)?.trim_start_matches('p').parse().ok()
}

impl Disk<'_> {
    /// The volume on the own disk that an entry means.
    fn find(&self, source: &str, selector: &Selector) -> Option<&Volume> {
        let own = || self.volumes.iter().filter(|volume| volume.disk == self.rescue.disk);
        // Only a partition's number is true of a copy too.
        let number = self.stem.as_ref().and_then(|stem| source.strip_prefix(stem)?.parse().ok());
        match number {
            Some(number) => own().find(|volume| partition_number(volume) == Some(number)),
            // A device's name says nothing about what is on it: the disks may have been in another order.
            None => own().find(|volume| selector.names(volume)),
        }
    }
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
    fn change(&self, disk: &Disk) -> Option<FstabChange> {
        let from = escape(self.source.as_bytes());
        let moved_to = |volume: &Volume| {
            let device = volume.device.display().to_string();
            (device != self.source)
                .then(|| FstabChange::Source { device, note: format!("# lifeboat: was {from}\n") })
        };
        if self.is_at(&[]) {
            return moved_to(disk.rescue);
        }
        let selector = Selector::parse(&self.source)?;
        if let Some(own) = disk.find(&self.source, &selector) {
            return moved_to(own);
        }
        let is_there = disk.volumes.iter().any(|volume| selector.names(volume));
        let is_usr = self.is_at(&[b"usr"]);
        if is_usr && (disk.without_usr == WithoutUsr::HasNoInit || !is_there)
            || !is_there && self.is_for_later()
        {
            return None;
        }
        let why = if is_there { "is" } else { "was not found, and may be" };
        let device = disk.rescue.device.display();
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
        let text = super::rewrite(fstab.as_bytes(), rescue, volumes, WithoutUsr::Starts);
        String::from_utf8(text).unwrap()
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
        let text = super::rewrite(fstab, &machine[3], &machine, WithoutUsr::Starts);
        assert_eq!(text, [HEAD.as_bytes(), fstab].concat());
    }

    /// The machine, its disks with partitions that have a table's names as well.
    fn named() -> Vec<Volume> {
        let mut volumes = machine();
        for (volume, number) in volumes.iter_mut().zip([1, 2, 3, 1, 2]) {
            let (uuid, label) = (format!("part-{number}"), format!("My part/{number}"));
            volume.partition = crate::volume::PartitionNames { uuid: Some(uuid), label: Some(label) };
            if number == 2 {
                volume.label = Some(b"BOOT disk".to_vec());
            }
        }
        volumes
    }

    #[test]
    fn a_link_means_what_it_names_whichever_disk_it_leads_to() {
        let machine = named();
        for source in [
            "UUID=boot",
            "UUID=\"boot\"",
            "UUID='BOOT'",
            "LABEL=BOOT\\040disk",
            "LABEL=\"BOOT\\040disk\"",
            "PARTUUID=part-2",
            "PARTLABEL=My\\040part/2",
            "/dev/disk/by-uuid/boot",
            "/dev//disk/by-uuid/boot",
            "/dev/disk/by-label/BOOT\\x20disk",
            "/dev/disk/by-label/BOOT\\134x20disk",
            "/dev/disk/by-partuuid/part-2",
            "/dev/disk/by-partlabel/My\\x20part\\x2f2",
            "/dev/disk/by-partlabel/My\\134x20part\\134x2f2",
        ] {
            let text = rewrite(&format!("{source} /boot ext4 defaults 0 2\n"), &machine[3], &machine);
            assert!(text.ends_with("\n/dev/vdb2 /boot ext4 defaults 0 2\n"), "{source}: {text}");
            let own = rewrite(&format!("{source} /boot ext4 defaults 0 2\n"), &machine[0], &machine);
            assert!(own.ends_with("\n/dev/vda2 /boot ext4 defaults 0 2\n"), "{source}: {own}");
        }
        // What only the other disk has, or nothing, is named by a link too.
        for (source, why) in [
            ("/dev/disk/by-uuid/home", "is"),
            ("/dev/disk/by-partuuid/part-3", "is"),
            ("/dev/disk/by-uuid/nowhere", "was not found, and may be"),
            ("/dev/disk/by-label/BOOT_disk", "was not found, and may be"),
            ("/dev/disk/by-id/virtio-own-part2", "was not found, and may be"),
            ("/dev/disk/by-path/pci-0000:00:04.0-part2", "was not found, and may be"),
            ("ID=virtio-own-part2", "was not found, and may be"),
        ] {
            let text = rewrite(&format!("{source} /boot ext4 defaults 0 2\n"), &machine[3], &machine);
            assert!(text.contains(&format!("{source} {why} on another disk than /dev/vdb1\n#")), "{text}");
        }
    }

    #[test]
    fn partitions_that_are_numbered_as_the_root_is_are_the_own_ones() {
        let machine = machine();
        for (root, boot) in [
            ("/dev/vda1", "/dev/vda2"),
            ("/dev/vdb1", "/dev/vdb2"),
            ("/dev/nvme0n1p1", "/dev/nvme0n1p2"),
            ("/dev/disk/by-id/virtio-own-part1", "/dev/disk/by-id/virtio-own-part2"),
            ("/dev/disk/by-path/pci-0-part1", "/dev/disk/by-path/pci-0-part2"),
            ("ID=virtio-own-part1", "ID=virtio-own-part2"),
        ] {
            let fstab = format!("{boot} /boot ext4 defaults 0 2\n{root} / ext4 defaults 0 1\n");
            let text = rewrite(&fstab, &machine[3], &machine);
            assert!(text.contains("\n/dev/vdb2 /boot ") || boot == "/dev/vdb2", "{boot}: {text}");
            assert!(text.contains("\n/dev/vdb1 / "), "{root}: {text}");
        }
        // Another number of the root's, another disk, or a partition that is not there.
        for (root, other) in [
            ("/dev/vda2", "/dev/vda3"),
            ("/dev/vda11", "/dev/vda12"),
            ("UUID=root", "/dev/vda2"),
            ("/dev/vda1", "/dev/vda3"),
            ("/dev/vda1", "/dev/vdc2"),
        ] {
            let fstab = format!("{root} / ext4 defaults 0 1\n{other} /srv ext4 defaults 0 2\n");
            let text = rewrite(&fstab, &machine[3], &machine);
            assert!(
                text.ends_with(&format!("\n#{other} /srv ext4 defaults 0 2\n")),
                "{root}, {other}: {text}"
            );
        }
    }

    #[test]
    fn a_usr_is_left_out_only_where_an_init_is_left() {
        let machine = machine();
        for (source, without_usr, is_left) in [
            ("UUID=home", WithoutUsr::Starts, false),
            ("UUID=home", WithoutUsr::HasNoInit, true),
            ("/dev/disk/by-uuid/home", WithoutUsr::HasNoInit, true),
            ("/dev/vda3", WithoutUsr::Starts, false),
            ("/dev/vda3", WithoutUsr::HasNoInit, true),
            ("UUID=nowhere", WithoutUsr::Starts, true),
            ("UUID=nowhere", WithoutUsr::HasNoInit, true),
        ] {
            let line = format!("{source} /usr ext4 ro 0 0\n");
            let text = super::rewrite(line.as_bytes(), &machine[3], &machine, without_usr);
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text == format!("{HEAD}{line}"), is_left, "{source} {without_usr:?}: {text}");
            assert_eq!(text.ends_with(&format!("\n#{line}")), !is_left, "{source} {without_usr:?}: {text}");
        }
    }

    #[test]
    fn a_usr_is_where_its_entry_says() {
        let machine = machine();
        let locked = Volume { kind: "crypto_LUKS".into(), ..volume("/dev/vdb3", "vdb", "", "locked") };
        let inside = [machine.clone(), vec![locked]].concat();
        let (other, none) =
            (|name: &str| Usr::Elsewhere(name.into()), |name: &str| Usr::Missing(name.into()));
        for (entry, volumes, expected) in [
            ("", &machine, Usr::InRoot),
            ("#UUID=boot /usr ext4", &machine, Usr::InRoot),
            ("UUID=boot /usr/local ext4", &machine, Usr::InRoot),
            ("UUID=boot /usr ext4", &machine, Usr::OnDisk),
            ("UUID=root /usr btrfs subvol=@usr", &machine, Usr::OnDisk),
            ("/dev/disk/by-uuid/boot /usr ext4", &machine, Usr::OnDisk),
            ("LABEL=BOOT \\057usr ext4", &machine, Usr::OnDisk),
            ("/dev/vda1 / ext4\n/dev/vda2 /usr ext4", &machine, Usr::OnDisk),
            ("/dev/vda2 /usr ext4", &machine, other("/dev/vda2")),
            ("UUID=home /usr ext4", &machine, other("UUID=home")),
            ("UUID=home /usr ext4", &inside, other("UUID=home")),
            ("UUID=nowhere /usr ext4", &machine, none("UUID=nowhere")),
            ("/dev/mapper/vg-usr /usr ext4", &machine, none("/dev/mapper/vg-usr")),
            ("/dev/mapper/vg-usr /usr ext4", &inside, Usr::Unknown),
            ("server:/usr /usr nfs", &machine, Usr::Unknown),
            ("/srv/usr /usr none bind", &machine, Usr::Unknown),
        ] {
            assert_eq!(usr(entry.as_bytes(), &machine[3], volumes), expected, "{entry}");
        }
    }
}

//! Fstabs of a volume beside the machine that it was copied from.

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
        assert_eq!(rewrite(line, &machine[3], &machine), format!("{HEAD}{line}\n"));
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
    // A device that only the other disk has, or none has, is named by a link too.
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
        assert!(text.ends_with(&format!("\n#{other} /srv ext4 defaults 0 2\n")), "{root}, {other}: {text}");
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

/// It compares the mount point as it is written, and passes over a last line that has no end.
#[test]
fn inits_own_reader_finds_each_usr_that_was_found_here() {
    let machine = machine();
    for (line, shown) in [
        ("UUID=boot /usr ext4 ro 0 0\n", "/dev/vdb2 /usr ext4 ro 0 0\n"),
        ("UUID=boot /usr ext4 ro 0 0", "/dev/vdb2 /usr ext4 ro 0 0\n"),
        ("UUID=boot /usr/ ext4 ro 0 0", "/dev/vdb2 /usr ext4 ro 0 0\n"),
        ("UUID=boot\t/usr/\text4\n", "/dev/vdb2\t/usr\text4\n"),
        ("UUID=boot //usr ext4\n", "/dev/vdb2 /usr ext4\n"),
        ("UUID=boot /./usr/. ext4\n", "/dev/vdb2 /usr ext4\n"),
        ("UUID=boot \\057us\\162 ext4\n", "/dev/vdb2 /usr ext4\n"),
        ("UUID=boot /usr", "/dev/vdb2 /usr\n"),
        ("/dev/vdb2 /usr/ ext4\n", "/dev/vdb2 /usr ext4\n"),
        ("UUID=nowhere /usr/ ext4 ro 0 0", "UUID=nowhere /usr ext4 ro 0 0\n"),
        // A mount point that is not /usr keeps its spelling.
        ("UUID=boot /boot/ ext4", "/dev/vdb2 /boot/ ext4\n"),
        ("UUID=boot /usr/local/ ext4", "/dev/vdb2 /usr/local/ ext4\n"),
        ("UUID=boot /usr\r\n", "/dev/vdb2 /usr\r\n"),
        ("UUID=boot usr ext4", "/dev/vdb2 usr ext4\n"),
        ("# the end", "# the end\n"),
        ("", ""),
    ] {
        let text = rewrite(line, &machine[3], &machine);
        let text = text.strip_prefix(HEAD).unwrap();
        let text = text.strip_prefix("# lifeboat: was UUID=boot\n").unwrap_or(text);
        assert_eq!(text, shown, "{line:?}");
    }
}

#[test]
fn a_usr_is_where_its_entry_says() {
    let machine = machine();
    let locked = Volume { kind: "crypto_LUKS".into(), ..volume("/dev/vdb3", "vdb", "", "locked") };
    let inside = [machine.clone(), vec![locked]].concat();
    let (other, none) = (|name: &str| Usr::Elsewhere(name.into()), |name: &str| Usr::Missing(name.into()));
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

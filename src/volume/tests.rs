//! Superblocks that are read, on images that are made here.

use super::*;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

#[expect(clippy::disallowed_methods, reason = "the test makes its images with mke2fs")]
fn image(label: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let status = std::process::Command::new("/sbin/mke2fs")
        // Without checksums, so that a test can change the label in place.
        .args([
            "-q",
            "-t",
            "ext4",
            "-O",
            "^metadata_csum",
            "-L",
            label,
            "-U",
            "6f1e2b1c-0f63-4c7e-9a53-0d2f4a4c1a11",
        ])
        .arg(&path)
        .arg("2048k")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    (directory, path)
}

#[test]
fn type_label_and_uuid_are_read_from_the_superblock() {
    let (_directory, path) = image("RESCUE");
    let volume = probe(&path).unwrap().unwrap();
    assert_eq!(volume.kind, "ext4");
    assert_eq!(volume.label.as_deref(), Some(&b"RESCUE"[..]));
    assert_eq!(volume.uuid.as_deref(), Some("6f1e2b1c-0f63-4c7e-9a53-0d2f4a4c1a11"));
    assert_eq!(volume.file_system().unwrap().untouched, c"noload,errors=continue");
}

#[test]
fn a_label_that_is_no_utf8_is_kept_and_printed_escaped() {
    use std::os::unix::fs::FileExt;
    let (_directory, path) = image("RESCUE");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // The label stands 120 bytes into the superblock, which begins at byte 1024.
    file.write_all_at(b"RES\xff\n", 1024 + 120).unwrap();
    let volume = probe(&path).unwrap().unwrap();
    assert_eq!(volume.label.as_deref(), Some(&b"RES\xff\nE"[..]));
    assert_eq!(volume.printable_label().unwrap(), "RES\\xff\\nE");
}

#[test]
fn an_empty_device_holds_no_volume() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    fs::write(&path, vec![0; 1 << 20]).unwrap();
    assert_eq!(probe(&path).unwrap(), None);
    assert!(probe(&directory.path().join("missing")).is_err());
}

#[test]
fn only_copies_of_one_device_of_a_btrfs_are_taken_for_each_other() {
    let device = |device: &str, kind: &str, uuid: &str, part: &str| Volume {
        device: device.into(),
        kind: kind.into(),
        uuid: Some(uuid.into()),
        device_uuid: Some(part.into()),
        ..Volume::default()
    };
    let own = device("/dev/vda", "btrfs", "u", "a");
    assert!(own.is_taken_for(&device("/dev/vdb", "btrfs", "u", "a")));
    assert!(!own.is_taken_for(&own));
    assert!(!own.is_taken_for(&device("/dev/vdb", "btrfs", "u", "b")), "a device of the same file system");
    assert!(!own.is_taken_for(&device("/dev/vdb", "btrfs", "v", "a")), "another file system");
    let xfs = device("/dev/vda", "xfs", "u", "a");
    assert!(!xfs.is_taken_for(&device("/dev/vdb", "xfs", "u", "a")), "xfs looks at the device alone");
}

#[test]
fn partitions_are_ordered_by_number_and_disks_by_letters() {
    let mut names = ["vda10", "vdaa", "vdb", "vda2", "vda"];
    names.sort_unstable_by(|a, b| natural_order(a, b));
    assert_eq!(names, ["vda", "vda2", "vda10", "vdb", "vdaa"]);
}
/// Writes over an image, and probes it.
fn probe_with(path: &Path, bytes: &[u8], at: u64) -> Volume {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
    probe(path).unwrap().unwrap()
}

#[test]
fn a_labelled_file_system_inside_a_locked_volume_is_not_seen() {
    let (_directory, path) = image("RESCUE");
    let mut header = b"LUKS\xba\xbe\x00\x01".to_vec();
    header.resize(592, 0);
    let volume = probe_with(&path, &header, 0);
    assert_eq!((volume.kind.as_str(), volume.label.as_deref()), ("crypto_LUKS", None));
    assert!(volume.file_system().is_none());
}

#[test]
fn a_labelled_file_system_inside_a_member_of_an_array_is_not_seen() {
    let (_directory, path) = image("RESCUE");
    // Metadata 1.0, at the end of the device: the file system begins where the device does.
    let at = (2048_u64 << 10) - 8192;
    let mut superblock = [0_u8; 256];
    superblock[..8].copy_from_slice(b"\xfc\x4e\x2b\xa9\x01\x00\x00\x00");
    superblock[32..44].copy_from_slice(b"machine:root");
    superblock[144..152].copy_from_slice(&(at / 512).to_le_bytes());
    let volume = probe_with(&path, &superblock, at);
    assert_eq!(volume.kind, "linux_raid_member");
    assert!(volume.file_system().is_none());
}

#[test]
fn a_labelled_file_system_inside_a_physical_volume_is_not_seen() {
    let (_directory, path) = image("RESCUE");
    let mut label = [0_u8; 512];
    label[..8].copy_from_slice(b"LABELONE");
    label[8..16].copy_from_slice(&1_u64.to_le_bytes());
    label[20..24].copy_from_slice(&32_u32.to_le_bytes());
    label[24..32].copy_from_slice(b"LVM2 001");
    label[32..64].copy_from_slice(b"abcdefghijklmnopqrstuvwxyz012345");
    let checksum = lvm2_checksum(&label[20..]);
    label[16..20].copy_from_slice(&checksum.to_le_bytes());
    let volume = probe_with(&path, &label, 512);
    assert_eq!(volume.kind, "LVM2_member");
    assert!(volume.file_system().is_none());
}

fn lvm2_checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0xf597_a6cf, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}

fn glance(path: &Path, labels: &[&str]) -> glance::Sight {
    glance::look(&File::open(path).unwrap(), labels).unwrap()
}

#[test]
fn labels_are_seen_at_a_glance_and_others_are_not() {
    let seen = |label: &str| {
        let (_directory, path) = image(label);
        glance(&path, &["RESCUE", "UEC-rescue"])
    };
    assert_eq!(seen("RESCUE"), glance::Sight::Candidate);
    assert_eq!(seen("UEC-rescue"), glance::Sight::Candidate);
    assert_eq!(seen("own"), glance::Sight::Other);
    assert_eq!(seen("a RESCUE"), glance::Sight::Other);
}

/// The first 2 MiB.
fn beginning(path: &Path) -> Vec<u8> {
    let mut bytes = vec![0; 2 << 20];
    File::open(path).unwrap().read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test makes its images with mkfs.vfat")]
fn the_label_of_a_vfat_is_seen_in_capitals_or_not() {
    for (kind, mib) in [("12", 4), ("16", 20), ("32", 34)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        let seen = |label: &str| {
            File::create(&path).unwrap().set_len(mib << 20).unwrap();
            let made = std::process::Command::new("/sbin/mkfs.vfat")
                .args(["-F", kind, "-n", label])
                .arg(&path)
                .output()
                .unwrap();
            assert!(made.status.success(), "{made:?}");
            glance(&path, &["UEC-rescue"])
        };
        assert_eq!(seen("EFI"), glance::Sight::Other, "FAT{kind}");
        assert_eq!(seen("UEC-RESCUE"), glance::Sight::Candidate, "FAT{kind}");

        // Its entry in the root directory, after the boot sector's own and where there is one that one's copy. All of
        // that is at the beginning, and an entry has 32 bytes.
        let image = beginning(&path);
        let last_entry = |image: &[u8], label: &[u8]| {
            image.chunks(32).rposition(|entry| entry.starts_with(label)).unwrap() * 32
        };
        let entry = last_entry(&image, b"UEC-RESCUE");
        let changed = |start: usize, bytes: &[u8]| {
            let file = File::options().write(true).open(&path).unwrap();
            file.write_all_at(bytes, start as u64).unwrap();
            let seen = glance(&path, &["UEC-rescue"]);
            file.write_all_at(&image[start..start + bytes.len()], start as u64).unwrap();
            seen
        };
        assert_eq!(changed(entry, b"\xe5"), glance::Sight::Candidate, "FAT{kind}: in the boot sector alone");
        let boot = image[..512].windows(10).position(|bytes| bytes == b"UEC-RESCUE").unwrap();
        assert_eq!(
            changed(boot, b"NO NAME   "),
            glance::Sight::Candidate,
            "FAT{kind}: in the directory alone"
        );

        // FAT32's directory goes on elsewhere.
        assert_eq!(seen("EFI"), glance::Sight::Other, "FAT{kind}");
        let entry = last_entry(&beginning(&path), b"EFI       ");
        File::options().write(true).open(&path).unwrap().write_all_at(&[b'x'; 512], entry as u64).unwrap();
        let expected = if kind == "32" { glance::Sight::Candidate } else { glance::Sight::Other };
        assert_eq!(glance(&path, &["UEC-rescue"]), expected, "FAT{kind}: a full directory");
    }
}

#[test]
fn what_can_have_its_label_elsewhere_may_hold_any() {
    let seen = |size: usize, offset: usize, bytes: &[u8]| {
        let mut image = vec![0; size];
        image[offset..offset + bytes.len()].copy_from_slice(bytes);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        fs::write(&path, image).unwrap();
        glance(&path, &["RESCUE"])
    };
    let size = glance::READ[2].end;
    assert_eq!(seen(size, (32 << 10) + 1, b"CD001"), glance::Sight::Candidate);
    assert_eq!(seen(size - 4096, 0, b"what ends early"), glance::Sight::Candidate);
    assert_eq!(seen(size, 510, &[0x55, 0xaa]), glance::Sight::Other, "a partition table");
    assert_eq!(seen(size, 11, &[0, 2]), glance::Sight::Other, "no vfat after all");
    assert_eq!(seen(0, 0, b""), glance::Sight::Nothing);
}

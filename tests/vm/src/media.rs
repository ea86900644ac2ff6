//! The kinds of a rescue volume: its file system, its partition table, its bus; copies that only their disks tell
//! apart; and what is ignored stays as it is, to the last bit.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::disk::{Bus, Disk};
use lifeboat_qemu::guest::{
    Damage, FileSystem, Initramfs, MBR_PARTITION_UUID, PARTITION_LABEL, PARTITION_UUID, Platform, Table, Tiny,
};
use lifeboat_qemu::run::program;
use lifeboat_qemu::scratch::Scratch;
use lifeboat_qemu::vm::Vm;

use crate::lab::{guests, machine, must_hold, must_not_say, must_say, root, volume};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("ext2_on_an_ata_disk_is_booted", || {
        boots(&Medium { bus: Bus::Ata, ..on(FileSystem::Ext2, "/dev/sda") })
    }),
    full("ext4_on_a_sata_disk_is_booted", || {
        boots(&Medium { bus: Bus::Sata, debian: Some("trixie"), ..on(FileSystem::Ext4, "/dev/sda") })
    }),
    full("ext3_in_an_mbr_partition_of_a_scsi_disk_is_booted", || {
        let medium = on(FileSystem::Ext3, "/dev/sda2");
        boots(&Medium { bus: Bus::Scsi, table: Table::Mbr, ..medium })
    }),
    full("xfs_in_a_gpt_partition_of_an_nvme_disk_is_booted", || {
        let medium = on(FileSystem::Xfs, "/dev/nvme0n1p2");
        boots(&Medium { bus: Bus::Nvme, table: Table::Gpt, ..medium })
    }),
    full("btrfs_is_booted", || boots(&on(FileSystem::Btrfs, "/dev/vdb"))),
    full("vfat_is_booted_by_a_label_in_capitals", || {
        boots(&Medium { label: "UEC-RESCUE", ..on(FileSystem::Vfat, "/dev/vdb") })
    }),
    full("a_cd_is_booted_and_is_read_only", || {
        boots(&Medium { bus: Bus::Cd, access: "ro", ..on(FileSystem::Iso9660, "/dev/sr0") })
    }),
    full("an_empty_cd_drive_is_passed_over_in_silence", empty_drive),
    full("a_cd_that_is_inserted_while_waiting_is_booted", inserted),
    full("squashfs_is_booted_by_partition_label_and_is_read_only", || {
        let parameter = format!("lifeboat.rescue=PARTLABEL={PARTITION_LABEL}");
        let medium =
            Medium { label: "", parameter, table: Table::Gpt, ..on(FileSystem::Squashfs, "/dev/vdb2") };
        boots(&Medium { access: "ro", ..medium })
    }),
    full("a_volume_is_booted_by_its_id_in_a_gpt", || by_partition_uuid(Table::Gpt, PARTITION_UUID)),
    full("a_volume_is_booted_by_its_id_in_an_mbr", || by_partition_uuid(Table::Mbr, MBR_PARTITION_UUID)),
    full("volumes_that_are_ignored_stay_as_they_are", ignored),
    full("a_volume_that_is_refused_stays_as_it_is", refused),
    full("copies_on_virtio_are_told_apart_by_serial_number", || copies(Bus::Virtio)),
    full("copies_on_scsi_are_told_apart_by_serial_number", || copies(Bus::Scsi)),
    full("copies_on_nvme_are_told_apart_by_serial_number", || copies(Bus::Nvme)),
    full("a_copy_of_a_mounted_xfs_is_pivoted_to", xfs_copy),
    full("a_copy_of_a_btrfs_is_refused_with_the_way_out", btrfs_copy),
    full("a_copy_of_a_btrfs_that_is_gone_is_booted", btrfs_alone),
    full("a_root_that_fsck_gives_up_on_is_saved_at_once", unrepairable),
    full("a_root_that_fsck_repairs_is_booted", repairable),
];

/// A rescue volume, and where it must be booted from.
struct Medium {
    label: &'static str,
    file_system: FileSystem,
    table: Table,
    bus: Bus,
    parameter: String,
    device: &'static str,
    access: &'static str,
    /// The Debian whose kernel has the driver, where the usual one has not.
    debian: Option<&'static str>,
}

fn on(file_system: FileSystem, device: &'static str) -> Medium {
    Medium {
        label: "RESCUE",
        file_system,
        table: Table::None,
        bus: Bus::Virtio,
        parameter: String::new(),
        device,
        access: "rw",
        debian: None,
    }
}

fn boots(medium: &Medium) -> Result<()> {
    let disk = volume(medium.label).on(medium.file_system).partitioned(medium.table);
    let mut machine = machine()?.disk(root()).disk_on(medium.bus, "medium", disk);
    if let Some(suite) = medium.debian {
        machine = machine.platform(&Platform::new(suite));
    }
    let mut vm = machine.parameter(&medium.parameter).boot()?;
    vm.wait_for_login("rescue")?;
    let kind = format!("{:?}", medium.file_system).to_lowercase();
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &[&format!("{} / {kind} {}", medium.device, medium.access)])?;
    let state = vm.read("cat /run/lifeboat/rescue")?;
    must_hold(&state, &["BOOTED=rescue\n", &format!("\nDEVICE={}\n", medium.device)])?;
    // The modules of the kernel that runs are exported over whatever it is.
    must_hold(&mounts, &[" /lib/modules tmpfs "])?;
    match medium.access {
        "ro" => must_say(&vm, "is read-only"),
        _ => vm.read("touch /finished && test -e /finished").map(drop),
    }
}

fn by_partition_uuid(table: Table, uuid: &str) -> Result<()> {
    let parameter = format!("lifeboat.rescue=PARTUUID={uuid}");
    boots(&Medium { label: "data", parameter, table, ..on(FileSystem::Ext4, "/dev/vdb2") })
}

const DRIVE: &str = "drive";

fn empty_drive() -> Result<()> {
    let mut vm = machine()?.disk(root()).disk_on(Bus::Cd, DRIVE, Disk::Nothing).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "[sr0]")?;
    must_be_silent_about_the_drive(&vm)?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["\nLOOKED_AT=vda"])
}

/// By then all devices were looked at, by those stages too that a boot that goes well has not.
fn inserted() -> Result<()> {
    let mut vm = machine()?.disk(volume("other")).disk_on(Bus::Cd, DRIVE, Disk::Nothing).boot()?;
    vm.wait_for("lifeboat: rescue: waiting ")?;
    must_say(&vm, "[sr0]")?;
    must_be_silent_about_the_drive(&vm)?;
    vm.insert(DRIVE, volume("RESCUE").on(FileSystem::Iso9660))?;
    vm.wait_for_login("rescue")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/sr0 / iso9660 ro"])
}

/// Neither we nor the kernel, which would complain of each read.
fn must_be_silent_about_the_drive(vm: &Vm) -> Result<()> {
    let console = vm.console.text();
    let about = |line: &&str| line.contains("sr0") && (line.contains("lifeboat") || line.contains("error"));
    let said: Vec<&str> = console.lines().filter(about).collect();
    ensure!(said.is_empty(), "it is said of the drive:\n{}", said.join("\n"));
    Ok(())
}

/// An image that is made before the machine, so that it can be looked at before and after.
struct Made {
    image: PathBuf,
    _scratch: Scratch,
}

impl Made {
    fn of(tiny: &Tiny) -> Result<Self> {
        let scratch = Scratch::new()?;
        let image = guests()?.make(tiny, scratch.path())?;
        Ok(Self { image, _scratch: scratch })
    }

    fn disk(&self) -> Disk {
        Disk::Kept(self.image.clone())
    }

    /// The very same file system on another disk, but for the label.
    fn copy(&self, label: &str) -> Result<Self> {
        let scratch = Scratch::new()?;
        let image = scratch.path().join("copy");
        program("cp").arg("--sparse=always").args([&self.image, &image]).run()?;
        program("btrfs").args(["filesystem", "label"]).arg(&image).arg(label).run()?;
        Ok(Self { image, _scratch: scratch })
    }
}

fn sum(image: &Path) -> Result<String> {
    let line = program("sha256sum").arg(image).run()?;
    Ok(line.split_whitespace().next().context("read what sha256sum writes")?.to_owned())
}

/// Boots the own root beside these volumes, none of which may change.
fn boots_the_own_root_beside(volumes: &[Tiny], parameter: &str) -> Result<Vm> {
    let made = volumes.iter().map(Made::of).collect::<Result<Vec<_>>>()?;
    let mut before = Vec::new();
    let mut machine = machine()?.disk(root()).parameter(parameter);
    for made in &made {
        before.push(sum(&made.image)?);
        machine = machine.disk(made.disk());
    }
    let mut vm = machine.boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n"])?;
    // What the guest still holds back is written now.
    vm.read("sync")?;
    for (number, (made, before)) in made.iter().zip(before).enumerate() {
        ensure!(sum(&made.image)? == before, "volume {number} has changed:\n{}", vm.console.text());
    }
    Ok(vm)
}

fn finished(file_system: FileSystem) -> Tiny {
    volume("RESCUE").on(file_system).file("finished", "")
}

fn ignored() -> Result<()> {
    let volumes = [
        finished(FileSystem::Ext4).damage(Damage::Unreplayed),
        finished(FileSystem::Ext3),
        finished(FileSystem::Xfs),
        finished(FileSystem::Btrfs),
        finished(FileSystem::Vfat),
        volume("RESCUE").without("bin/init").without("bin/sh").damage(Damage::Unreplayed),
        // Not even looked into.
        volume("").on(FileSystem::Btrfs),
        volume("rescue").on(FileSystem::Xfs).partitioned(Table::Mbr),
        // Its partition's name is no label.
        volume("").partitioned(Table::Gpt),
        volume("RESCUE").damage(Damage::Member),
    ];
    let mut vm = boots_the_own_root_beside(&volumes, "")?;
    let state = vm.read("cat /run/lifeboat/rescue")?;
    for (kind, device) in ["ext4", "ext3", "xfs", "btrfs", "vfat"].into_iter().zip('b'..) {
        must_hold(
            &state,
            &[&format!("/dev/vd{device} ({kind}, label RESCUE) is ignored: it holds /finished")],
        )?;
    }
    must_hold(&state, &["/dev/vdg (ext4, label RESCUE) is ignored: it holds no init"])?;
    ensure!(
        !["/dev/vdh", "/dev/vdi", "/dev/vdk", "UNREAD"].iter().any(|other| state.contains(other)),
        "the state says:\n{state}"
    );
    Ok(())
}

fn refused() -> Result<()> {
    let volumes = [volume("RESCUE").damage(Damage::Unreplayed)];
    let other = "lifeboat.rescue=require=UUID=0f7a1d52-3c1e-4f55-9d0b-000000000000";
    let vm = boots_the_own_root_beside(&volumes, other)?;
    must_say(&vm, "only UUID=0f7a1d52-3c1e-4f55-9d0b-000000000000 is accepted")
}

fn copies(bus: Bus) -> Result<()> {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0a13";
    let copy = |host_name| Tiny::new("RESCUE", host_name).uuid(UUID);
    let (first, second) = (("a-serial", copy("first")), ("b-serial", copy("second")));
    for order in [[&first, &second], [&second, &first]] {
        let machine = machine()?.only_in_qemu("its disks have no serial numbers");
        let mut machine = machine.disk(root());
        for (serial, copy) in order {
            machine = machine.disk_on(bus, serial, copy.clone());
        }
        let mut vm = machine.boot()?;
        vm.wait_for_login("first")?;
        must_say(&vm, "has the same label and UUID and comes first by serial number")?;
    }
    Ok(())
}

fn xfs_copy() -> Result<()> {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0a14";
    // xfs has no label of more than twelve characters.
    let own = Tiny::new("own", "own").uuid(UUID).on(FileSystem::Xfs);
    let machine = machine()?.initramfs(Initramfs::Faulty).disk(own).parameter("root=LABEL=own");
    let machine = machine.parameter("test.hold=local-bottom");
    let mut vm = machine.boot()?;
    vm.wait_for("test: waiting for a second disk")?;
    vm.attach(volume("RESCUE").uuid(UUID).on(FileSystem::Xfs))?;
    vm.wait_for_login("rescue")?;
    must_say(&vm, "/dev/vdb (xfs, label RESCUE) is chosen: its label is that of a rescue volume")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / xfs rw"])
}

fn btrfs_copy() -> Result<()> {
    let own = Made::of(&root().on(FileSystem::Btrfs))?;
    let copy = own.copy("RESCUE")?;
    let uuid = program("blkid").args(["-p", "-o", "value", "-s", "UUID"]).arg(&own.image).run()?;
    for (disks, device) in [([&own, &copy], "/dev/vda"), ([&copy, &own], "/dev/vdb")] {
        let mut machine = machine()?.parameter(&format!("root=UUID={}", uuid.trim()));
        for made in disks {
            machine = machine.disk(Disk::Image(made.image.clone()));
        }
        let mut vm = machine.boot()?;
        vm.wait_for_login("own")?;
        let state = vm.read("cat /run/lifeboat/rescue")?;
        must_hold(&state, &["BOOTED=own-root\n", "its btrfs has the UUIDs of", "btrfstune -u"])?;
        must_hold(&vm.read("cat /proc/mounts")?, &[&format!("{device} / btrfs ")])?;
    }
    Ok(())
}

fn btrfs_alone() -> Result<()> {
    let copy = Made::of(&root().on(FileSystem::Btrfs))?.copy("RESCUE")?;
    let mut vm = machine()?.disk(root().damage(Damage::Superblock)).disk(copy.disk()).boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / btrfs rw"])?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=rescue\n"])
}

fn unrepairable() -> Result<()> {
    // Attached while the boot is held would be too late: init mounts right after fsck.
    let machine = machine()?.initramfs(Initramfs::Faulty).disk(root().damage(Damage::Unrepairable));
    let mut vm = machine.parameter("lifeboat.rescue=wait:60").boot()?;
    vm.wait_for("requires a manual fsck")?;
    vm.wait_for("attach a volume labelled")?;
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")?;
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &["/dev/vdb / ext4 rw"])?;
    ensure!(!mounts.contains("/dev/vda"), "the broken root is mounted:\n{mounts}");
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=rescue\n", "\nORIGINAL_ROOT=/dev/vda\n"])
}

fn repairable() -> Result<()> {
    let machine = machine()?.initramfs(Initramfs::Faulty).disk(root().damage(Damage::Repairable));
    let mut vm = machine.boot()?;
    vm.wait_for_login("own")?;
    must_not_say(&vm, "attach a volume labelled")?;
    ensure!(vm.run("cat /etc/damaged")?.status != 0, "fsck has not repaired the root");
    Ok(())
}

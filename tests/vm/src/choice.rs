//! Several candidates, settings, and volumes that have the identity of the broken root.

use anyhow::{Result, ensure};
use lifeboat_qemu::disk::Bus;
use lifeboat_qemu::guest::{Table, Tiny};

use crate::lab::{debian, machine, must_hold, must_say, root, volume};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("the_label_that_comes_first_wins_in_either_order", label_order),
    full("a_volume_that_is_named_wins_in_either_order", named),
    full("a_copy_of_the_root_leads_its_fstab_to_its_own_disk", copy),
    full("a_finished_copy_does_not_take_the_roots_place_in_either_order", finished_copy),
    full("the_links_of_a_finished_nvme_disk_give_way_in_the_booted_system", finished_nvme),
    full("data_without_an_init_is_passed_over", no_init),
];

/// Boots with two volumes in both orders; the one that calls itself `first` must be booted each time.
fn in_either_order(first: impl Fn() -> Tiny, second: impl Fn() -> Tiny, parameter: &str) -> Result<()> {
    for swapped in [false, true] {
        let (a, b) = if swapped { (second(), first()) } else { (first(), second()) };
        let mut vm = machine()?.disk(root()).disk(a).disk(b).parameter(parameter).boot()?;
        vm.wait_for_login("first")?;
        // The other is told with the reason why it lost.
        must_say(&vm, " is not used: ")?;
    }
    Ok(())
}

fn label_order() -> Result<()> {
    in_either_order(|| Tiny::new("RESCUE", "first"), || Tiny::new("UEC-rescue", "second"), "")
}

fn named() -> Result<()> {
    in_either_order(
        || Tiny::new("fixer", "first"),
        || Tiny::new("RESCUE", "second"),
        "lifeboat.rescue=LABEL=fixer,wait:5",
    )
}

fn copy() -> Result<()> {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0a11";
    let fstab = format!("UUID={UUID} / ext4 defaults 0 1\nLABEL=lifeboat-root /mnt ext4 defaults 0 2\n");
    let copy = volume("RESCUE").uuid(UUID).file("etc/fstab", &fstab).file("etc/issue", "Tiny\n");
    let mut vm =
        machine()?.disk(root().uuid(UUID)).disk(copy).parameter(&format!("root=UUID={UUID}")).boot()?;
    vm.wait_for_login("rescue")?;
    let seen = vm.read("cat /etc/fstab")?;
    must_hold(
        &seen,
        &["\n/dev/vdb / ext4 defaults 0 1\n", "\n#LABEL=lifeboat-root /mnt ", "is on another disk"],
    )?;
    must_hold(&vm.read("cat /etc/issue")?, &["Tiny\n", "RESCUE SYSTEM", "/dev/vda", "touch /finished"])?;
    // The volume itself is unchanged.
    let below = vm.read("umount /etc/fstab; cat /etc/fstab")?;
    ensure!(below == fstab.trim_end(), "the volume's own fstab is now:\n{below}");
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["ORIGINAL_ROOT=/dev/vda\n"])
}

fn finished_copy() -> Result<()> {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0a12";
    for swapped in [false, true] {
        let (own, copy) = (root().uuid(UUID), volume("RESCUE").uuid(UUID).file("finished", ""));
        let (a, b, link) = if swapped { (copy, own, "../../vdb") } else { (own, copy, "../../vda") };
        let mut vm = machine()?.disk(a).disk(b).parameter(&format!("root=UUID={UUID}")).boot()?;
        vm.wait_for_login("own")?;
        must_say(
            &vm,
            &format!("root=UUID={UUID} is /dev/{}, not the ignored copy", link.trim_start_matches("../")),
        )?;
        let seen = vm.read(&format!("readlink /dev/disk/by-uuid/{UUID}"))?;
        ensure!(seen == link, "the link by UUID leads to {seen}");
    }
    Ok(())
}

/// A disk whose directory in sysfs is in none that is named `block`.
fn finished_nvme() -> Result<()> {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0a15";
    let copy = volume("RESCUE").uuid(UUID).file("finished", "").partitioned(Table::Gpt);
    let machine = machine()?.disk(debian()?).disk(volume("data").uuid(UUID));
    let mut vm = machine.disk_on(Bus::Nvme, "copy", copy).boot()?;
    vm.wait_for_login("own")?;
    // Of links that have equal claims, the last one that udev comes to has it.
    vm.read("udevadm trigger --settle /dev/vdb; udevadm trigger --settle /dev/nvme0n1p2")?;
    let seen = vm.read(&format!("readlink /dev/disk/by-uuid/{UUID}"))?;
    ensure!(seen == "../../vdb", "the link by UUID leads to {seen}");
    must_hold(&vm.read("readlink /dev/disk/by-label/RESCUE")?, &["nvme0n1p2"])
}

fn no_init() -> Result<()> {
    let data = volume("RESCUE").without("bin/init").without("bin/sh");
    let mut vm = machine()?.disk(root()).disk(data).boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", "holds no init"])
}

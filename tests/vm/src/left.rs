//! Leaving the initramfs by busybox's run-init, after each stage that does something. Klibc's, which all other tests
//! have, is the stricter one.

use anyhow::Result;
use lifeboat_qemu::guest::{Initramfs, RunInit};
use lifeboat_qemu::vm::Machine;

use crate::cover::Covers::Left;
use crate::cover::Stage::{Block, Bottom, Modules, Mounted, Premount, Resolve, Seed, Wait};
use crate::lab::{machine, must_hold, root, volume};
use crate::tier::{Test, gate};
use crate::{copy, failure};

pub(crate) const TESTS: &[Test] = &[
    gate(
        "a_steered_root_with_a_seed",
        &[
            Left(Premount, RunInit::Busybox),
            Left(Mounted, RunInit::Busybox),
            Left(Modules, RunInit::Busybox),
            Left(Seed, RunInit::Busybox),
        ],
        steered,
    ),
    gate("a_volume_attached_while_init_waits", &[Left(Block, RunInit::Busybox)], || {
        failure::saved_while_init_waits(busybox()?)
    }),
    gate("a_volume_attached_after_init_gave_up", &[Left(Wait, RunInit::Busybox)], waited),
    gate("a_root_that_was_pivoted_to", &[Left(Bottom, RunInit::Busybox)], pivoted),
    gate("an_usr_that_was_resolved", &[Left(Resolve, RunInit::Busybox)], || {
        copy::must_have_its_own_usr(busybox()?, [copy::own_with_usr, copy::finished_with_usr], "vda")
    }),
];

fn busybox() -> Result<Machine> {
    Ok(machine()?.initramfs(Initramfs::Busybox))
}

fn steered() -> Result<()> {
    let fstab = "LABEL=lifeboat-root / ext4 defaults 0 1\n";
    let machine = busybox()?.disk(root()).disk(volume("RESCUE").file("etc/fstab", fstab));
    let mut vm = machine.parameter("ds=nocloud;s=http://10.0.2.2/").boot()?;
    vm.wait_for_login("rescue")?;
    must_hold(&vm.read("cat /run/lifeboat/seed")?, &["SOURCE=nocloud\n"])?;
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &["/dev/vdb / ext4 rw", " /etc/fstab ", " /lib/modules tmpfs "])
}

fn waited() -> Result<()> {
    let mut vm = busybox()?.disk(failure::broken()).boot()?;
    vm.wait_for(failure::WAITING)?;
    // Other than klibc's initramfs in the tests, this one holds fsck.
    failure::attach_and_be_saved(&mut vm, "/dev/vda", "fsck could not repair the root")
}

fn pivoted() -> Result<()> {
    let mut vm = busybox()?.disk(root().without("bin/init").without("bin/sh")).boot()?;
    vm.wait_for(failure::WAITING)?;
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / ext4 rw", " /lib/modules tmpfs "])
}

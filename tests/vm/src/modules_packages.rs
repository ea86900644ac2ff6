//! Kernel packages that are installed and removed on Debian while the running kernel's modules are exported.

use anyhow::{Result, ensure};
use lifeboat_qemu::vm::{Machine, Vm};

use crate::cover::Ability;
use crate::cover::Covers::Agent;
use crate::lab::{debian, guests, machine, must_hold, must_say};
use crate::tier::{Test, full, gate, soak};

pub(crate) const TESTS: &[Test] = &[
    full("another_kernels_are_on_the_disk_and_go_with_their_package", another),
    full("the_directory_that_is_made_for_them_is_used_from_then_on", directory),
    gate("those_that_went_into_a_cover_are_carried_over", &[Agent(Ability::Settle)], carried_over),
    full("the_running_kernels_are_put_on_the_disk_and_used", running),
    full("the_running_kernels_are_removed_from_the_disk_and_not_from_the_export", removed),
    soak("those_that_went_into_a_cover_are_lost_without_the_agent", lost),
];

/// A module that is in the initramfs, and not loaded by a boot.
pub(crate) const MODULE: &str = "xfs";

/// The release of a kernel that is never booted.
const OTHER: &str = "9.9.9-test";

/// Leaves the cover where the initramfs put it.
pub(crate) const NO_UNIT: &str = "systemd.mask=lifeboat-agent-modules.service";

/// All files of the exported tree.
const FILES: &str = "find /lib/modules/$(uname -r)/ -type f | wc -l";

fn another() -> Result<()> {
    let mut vm = boot(machine()?)?;
    must_be_settled(&mut vm)?;
    vm.read(&format!("make-kernel-package {OTHER} hooks"))?;
    vm.read(&format!("dpkg -i /root/{OTHER}.deb"))?;
    must_be_settled(&mut vm)?;

    reboot(&mut vm)?;
    must_be_settled(&mut vm)?;
    vm.read(&format!("test -s /lib/modules/{OTHER}/kernel/{MODULE}.ko"))?;
    vm.read(&format!("dpkg --purge linux-image-{OTHER}"))?;

    reboot(&mut vm)?;
    ensure!(vm.run(&format!("ls -d /lib/modules/{OTHER}"))?.status != 0, "its tree is there");
    must_be_settled(&mut vm)
}

fn directory() -> Result<()> {
    let mut vm = boot(machine()?)?;
    must_be_exported_by(&mut vm, "cover")?;
    reboot(&mut vm)?;
    must_be_exported_by(&mut vm, "mount")?;
    vm.read("umount --lazy /usr/lib/modules/$(uname -r) && rm -r /usr/lib/modules")?;
    reboot(&mut vm)?;
    must_be_exported_by(&mut vm, "overlay")?;
    ensure!(!vm.read("cat /proc/mounts")?.contains("overlay"), "the overlay is there");
    vm.read("touch /usr/lib/new && rm /usr/lib/new")?;
    reboot(&mut vm)?;
    must_be_exported_by(&mut vm, "mount")
}

fn must_be_exported_by(vm: &mut Vm, layout: &str) -> Result<()> {
    must_hold(&vm.read("dmesg | grep 'lifeboat: modules: exported'")?, &[&format!("(bind, {layout})")])?;
    must_be_settled(vm)
}

fn carried_over() -> Result<()> {
    let mut vm = boot(machine()?.parameter(NO_UNIT))?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/usr/lib/modules tmpfs"])?;
    vm.read(&format!("make-kernel-package {OTHER}"))?;
    // No hook is called before it is unpacked: the trigger comes afterwards.
    let said = vm.read(&format!("dpkg -i /root/{OTHER}.deb 2>&1"))?;
    must_hold(&said, &[&format!("carried over to the disk: {OTHER}")])?;
    must_be_settled(&mut vm)?;

    reboot(&mut vm)?;
    vm.read(&format!("test -s /lib/modules/{OTHER}/kernel/{MODULE}.ko")).map(drop)
}

fn lost() -> Result<()> {
    let mut vm = boot(machine()?.parameter(NO_UNIT))?;
    vm.read("dpkg --purge lifeboat-agent")?;
    vm.read(&format!("make-kernel-package {OTHER} hooks"))?;
    vm.read(&format!("dpkg -i /root/{OTHER}.deb && test -s /lib/modules/{OTHER}/kernel/{MODULE}.ko"))?;

    reboot(&mut vm)?;
    ensure!(vm.run(&format!("ls -d /lib/modules/{OTHER}"))?.status != 0, "its tree is there");
    Ok(())
}

fn running() -> Result<()> {
    let release = guests()?.external_release()?;
    let mut vm = boot(machine()?)?;
    vm.read(&format!("make-kernel-package {release} hooks"))?;
    let said = vm.read(&format!("dpkg -i /root/{release}.deb 2>&1"))?;
    must_hold(
        &said,
        &["is at /run/lifeboat/aside until `lifeboat-agent modules settle`", "a fresh install"],
    )?;
    must_hold(&said, &[&format!("the disk's /usr/lib/modules/{release} is used from now on")])?;
    let mounts = vm.read("cat /proc/mounts")?;
    ensure!(!mounts.contains("lib/modules") && !mounts.contains("aside"), "still mounted:\n{mounts}");
    vm.read(&format!("modprobe {MODULE} && grep -w {MODULE} /proc/modules"))?;

    reboot(&mut vm)?;
    must_say(&vm, "lifeboat: modules: skipped: the root already has modules for")?;
    vm.read(&format!("modprobe {MODULE}")).map(drop)
}

fn removed() -> Result<()> {
    let release = guests()?.external_release()?;
    let mut vm = boot(machine()?)?;
    let exported = vm.read(FILES)?;
    vm.read(&format!("make-kernel-package {release} hooks"))?;
    vm.read(&format!("dpkg -i /root/{release}.deb 2>&1"))?;
    // A tree that cannot be used is exported over.
    vm.read(&format!("rm /lib/modules/{release}/kernel/{MODULE}.ko"))?;

    reboot(&mut vm)?;
    must_be_settled(&mut vm)?;
    vm.read(&format!("test -e /run/lifeboat/moved/modules.order && test {exported} = $({FILES})"))?;
    let said = vm.read(&format!("dpkg --purge linux-image-{release} 2>&1"))?;
    must_hold(&said, &[&format!("the exported /usr/lib/modules/{release} is back")])?;
    must_be_settled(&mut vm)?;
    let left = vm.read(FILES)?;
    ensure!(left == exported, "{left} of {exported} files are left");
    vm.read(&format!("modprobe {MODULE} && ! grep lifeboat/moved /proc/mounts"))?;
    // A second mount of the disk shows what is below the first.
    let disk = vm.read(&format!("mount --bind / /mnt && ls -A /mnt/usr/lib/modules/{release}"))?;
    ensure!(disk.is_empty(), "on the disk are:\n{disk}");
    Ok(())
}

fn boot(machine: Machine) -> Result<Vm> {
    let mut vm = machine.disk(debian()?).reboots().boot()?;
    vm.wait_for_login("own")?;
    Ok(vm)
}

pub(crate) fn reboot(vm: &mut Vm) -> Result<()> {
    vm.reboot()?;
    vm.wait_for_login("own")
}

/// The export is mounted at its own directory alone, and the tools that are used on it work.
pub(crate) fn must_be_settled(vm: &mut Vm) -> Result<()> {
    let release = guests()?.external_release()?;
    let mounts = vm.read("grep lib/modules /proc/mounts")?;
    must_hold(&mounts, &[&format!(" /usr/lib/modules/{release} ")])?;
    ensure!(!mounts.contains(" /usr/lib/modules "), "there is a cover:\n{mounts}");
    vm.read(&format!("depmod -a && modinfo {MODULE} && modprobe {MODULE} && modprobe fs-{MODULE}"))?;
    vm.read(&format!("modprobe -r {MODULE}")).map(drop)
}

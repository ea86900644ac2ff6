//! Debian's own packages while the running kernel's modules are exported: kernels, headers and DKMS.

use std::time::Duration;

use anyhow::{Result, ensure};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::Workshop;
use lifeboat_qemu::vm::{Machine, Vm};

use crate::lab::{guests, machine, must_hold, must_say};
use crate::modules_packages::{MODULE, NO_UNIT, must_be_settled, reboot};
use crate::tier::{Test, full, soak};

pub(crate) const TESTS: &[Test] = &[
    full("a_kernel_is_on_the_disk_and_goes_with_its_package", kernel),
    full("a_module_that_dkms_builds_is_on_the_disk_and_goes_with_it", dkms),
    full("have_the_labels_of_the_policy_that_the_kernel_runs", labelled),
    soak("a_kernel_that_went_into_a_cover_is_lost_without_the_agent", kernel_lost),
    soak("a_module_that_dkms_builds_is_used_and_lost_without_the_agent", dkms_lost),
];

/// Under emulation a kernel's package, or a module, takes minutes.
const PATIENCE: Duration = Duration::from_mins(8);

const APT: &str = "DEBIAN_FRONTEND=noninteractive apt-get --yes";

/// A second mount of the disk shows what is below the export.
const SHOW_DISK: &str = "mount --bind / /mnt";

fn kernel() -> Result<()> {
    let workshop = workshop()?;
    let release = workshop.other_release()?;
    let tree = format!("/lib/modules/{release}");
    let mut vm = boot(machine()?, &workshop)?;
    // There is a policy, and the kernel does not run it.
    must_say(&vm, "(bind, cover)")?;
    let said = install(&mut vm, "linux-image")?;
    must_hold(&said, &[&format!("update-initramfs: Generating /boot/initrd.img-{release}")])?;
    must_be_settled(&mut vm)?;

    reboot(&mut vm)?;
    must_hold(&vm.read(&format!("df --output=source {tree}/kernel"))?, &["/dev/vda"])?;
    vm.read(&format!(
        "! dpkg --verify linux-image-{release} | grep lib/modules && test -s {tree}/modules.dep"
    ))?;
    vm.read(&format!("modinfo -k {release} {MODULE} && test -s /boot/initrd.img-{release}"))?;
    vm.read(&format!("{APT} remove linux-image-{release} 2>&1"))?;
    must_be_settled(&mut vm)?;

    reboot(&mut vm)?;
    ensure!(vm.run(&format!("ls -d {tree}/kernel"))?.status != 0, "its modules are there");
    ensure!(vm.run(&format!("ls /boot | grep {release}"))?.status != 0, "it is in /boot");
    // What its package made itself stays until then.
    vm.read(&format!("{APT} purge linux-image-{release} 2>&1"))?;
    ensure!(vm.run(&format!("ls -d {tree}"))?.status != 0, "its directory is there");
    must_be_settled(&mut vm)
}

fn kernel_lost() -> Result<()> {
    let workshop = workshop()?;
    let tree = format!("/lib/modules/{}/kernel", workshop.other_release()?);
    let mut vm = boot(machine()?.parameter(NO_UNIT), &workshop)?;
    vm.read("dpkg --purge lifeboat-agent")?;
    // All that is lost is there by then.
    vm.read(&format!("dpkg --unpack /var/packages/linux-image-*.deb && test -e {tree}"))?;

    reboot(&mut vm)?;
    ensure!(vm.run(&format!("ls -d {tree}"))?.status != 0, "its modules are there");
    Ok(())
}

fn dkms() -> Result<()> {
    let mut vm = boot(machine()?, &workshop()?)?;
    must_be_settled(&mut vm)?;
    install(&mut vm, "linux-headers")?;
    must_build(&mut vm)?;
    vm.read(SHOW_DISK)?;
    vm.read("test -s /mnt/lib/modules/$(uname -r)/updates/dkms/greeting.ko")?;
    vm.read("readlink -e /mnt/lib/modules/$(uname -r)/build")?;

    reboot(&mut vm)?;
    must_be_settled(&mut vm)?;
    must_be_used(&mut vm)?;
    let status = vm.read("dkms status 2>&1")?;
    ensure!(status.ends_with(": installed"), "DKMS says: {status}");
    // What it would be built with again.
    vm.read("readlink -e /lib/modules/$(uname -r)/build/Makefile")?;
    vm.read("modprobe -r greeting && dkms remove greeting/1.0 --all 2>&1")?;
    ensure!(vm.run("modprobe greeting")?.status != 0, "it is there");
    vm.read(SHOW_DISK)?;
    let left = vm.read("find /mnt/lib/modules/$(uname -r)/ -name '*.ko*'")?;
    ensure!(left.is_empty(), "on the disk are:\n{left}");
    must_be_settled(&mut vm)
}

fn dkms_lost() -> Result<()> {
    let mut vm = boot(machine()?.parameter(NO_UNIT), &workshop()?)?;
    vm.read("dpkg --purge lifeboat-agent")?;
    install(&mut vm, "linux-headers")?;
    must_build(&mut vm)?;

    reboot(&mut vm)?;
    ensure!(vm.run("modprobe greeting")?.status != 0, "it is there");
    ensure!(vm.run("ls /lib/modules/$(uname -r)/build")?.status != 0, "the headers are found");
    // DKMS would not build it again.
    must_hold(&vm.read("dkms status 2>&1")?, &["installed"])
}

fn labelled() -> Result<()> {
    let mut vm = boot(machine()?.parameter("security=selinux selinux=1 enforcing=0"), &workshop()?)?;
    must_say(&vm, "(copy, cover)")?;
    let find = "find /lib/modules/$(uname -r) -type f";
    let wrong = vm.read(&format!("{find} ! -context 'system_u:object_r:modules_*_t:s0' | wc -l"))?;
    let right = vm.read(&format!("{find} -context 'system_u:object_r:modules_*_t:s0' | wc -l"))?;
    ensure!(wrong == "0" && right.parse::<u32>()? > 100, "{right} files have labels, {wrong} have not");
    // What they would have otherwise.
    let other = vm.read("mount -t tmpfs none /mnt && touch /mnt/file && stat -c %C /mnt/file")?;
    must_hold(&other, &[":tmpfs_t:"])?;
    vm.read(&format!("modprobe {MODULE} && grep -w {MODULE} /proc/modules")).map(drop)
}

fn workshop() -> Result<Workshop> {
    Workshop::build(&guests()?)
}

fn boot(machine: Machine, workshop: &Workshop) -> Result<Vm> {
    let machine = machine.only_in_qemu("the disk holds Debian").disk(Disk::Image(workshop.root()));
    let mut vm = machine.reboots().boot()?;
    vm.patience = PATIENCE;
    vm.wait_for_login("own")?;
    Ok(vm)
}

/// The output of apt and of the package's scripts.
fn install(vm: &mut Vm, name: &str) -> Result<String> {
    vm.read(&format!("{APT} install /var/packages/{name}-*.deb 2>&1"))
}

fn must_build(vm: &mut Vm) -> Result<()> {
    vm.read("dkms install greeting/1.0 2>&1 || { cat /var/lib/dkms/greeting/1.0/build/make.log; exit 1; }")?;
    must_be_used(vm)
}

fn must_be_used(vm: &mut Vm) -> Result<()> {
    must_hold(&vm.read("modinfo -n greeting")?, &["/updates/dkms/greeting.ko"])?;
    must_hold(&vm.read("modprobe greeting && dmesg | grep greeting:")?, &["greeting: hello"])
}

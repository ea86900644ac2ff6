//! The modules of a kernel that the root knows nothing of.

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::{Initramfs, Modules, RunInit};
use lifeboat_qemu::vm::Vm;

use crate::cover::Covers::{By, Left, Stage};
use crate::cover::Outcome::Done;
use crate::cover::{Generator, Journey, Stage as stage};
use crate::lab::{machine, must_hold, must_not_say, must_say, root};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    gate(
        "are_exported_beside_the_roots_other_trees",
        &[
            Stage(stage::Modules, Done),
            Left(stage::Modules, RunInit::Klibc),
            By(Journey::Modules, Generator::Bookworm),
        ],
        exported,
    ),
    full("are_exported_through_an_absolute_link", absolute_link),
    full("are_not_exported_without_lifeboat", || not_exported(Initramfs::Without, "")),
    full("are_not_exported_when_switched_off", || not_exported(Initramfs::Lifeboat, "lifeboat.modules=off")),
    full("are_not_exported_when_all_is_switched_off", || not_exported(Initramfs::Lifeboat, "lifeboat=off")),
    full("are_not_exported_over_a_usable_tree", usable),
];

/// A module that is in each vehicle's initramfs, and not loaded by a boot.
const MODULE: &str = "udf";

fn exported() -> Result<()> {
    let mut vm = machine()?.disk(root().modules(Modules::Foreign)).boot()?;
    vm.wait_for_login("own")?;
    must_be_exported(&mut vm)?;
    must_hold(
        &vm.read("ls /lib/modules; cat /proc/mounts")?,
        &["5.0.0-foreign", " /lib/modules/5.0.0-foreign ext4 "],
    )?;
    vm.read("test -e /lib/modules/5.0.0-foreign/modules.dep").map(drop)
}

fn absolute_link() -> Result<()> {
    let mut vm = machine()?.disk(root().modules(Modules::AbsoluteLink)).boot()?;
    vm.wait_for_login("own")?;
    must_be_exported(&mut vm)
}

fn must_be_exported(vm: &mut Vm) -> Result<()> {
    let release = vm.guests().external_release()?;
    let expected = vm.guests().external_module_files()?;
    must_say(vm, &format!("lifeboat: modules: exported the modules for {release} (bind, cover)"))?;
    let files = vm.read(&format!("find /lib/modules/{release}/ -type f | wc -l"))?;
    ensure!(files == expected, "{files} files are exported, the initramfs has {expected}");

    let mount = vm.read("grep lib/modules' tmpfs' /proc/mounts")?;
    must_hold(&mount, &["mode=755"])?;
    let number = |text: &str| text.trim().parse::<u64>();
    let limit = number(&vm.read("df -k /lib/modules/ | tail -n 1 | awk '{ print $2 }'")?)?;
    let used = number(&vm.read("df -k /lib/modules/ | tail -n 1 | awk '{ print $3 }'")?)?;
    let memory = number(&vm.read("awk '/^MemTotal/ { print $2 }' /proc/meminfo")?)?;
    ensure!(used == 0, "{used} KiB were copied");
    ensure!(limit.abs_diff(memory / 2) < 64, "the tmpfs may have {limit} of {memory} KiB");
    ensure!(vm.read("stat -Lc %a /lib/modules")? == "755", "/lib/modules has another mode");
    must_hold(
        &vm.read("cat /run/lifeboat/modules; stat -c %a /run/lifeboat/modules")?,
        &[&release, "\n644"],
    )?;

    vm.read(&format!("modprobe {MODULE} && grep -w {MODULE} /proc/modules")).map(drop)
}

fn not_exported(initramfs: Initramfs, parameter: &str) -> Result<()> {
    let mut vm = machine()?.initramfs(initramfs).disk(root()).parameter(parameter).boot()?;
    vm.wait_for_login("own")?;
    must_not_say(&vm, "lifeboat: modules: exported")?;
    let mounts = vm.read("cat /proc/mounts")?;
    ensure!(!mounts.contains("lib/modules"), "something is mounted:\n{mounts}");
    ensure!(vm.run(&format!("modprobe {MODULE}"))?.status != 0, "the module is there all the same");
    Ok(())
}

fn usable() -> Result<()> {
    let mut vm = machine()?.disk(root().modules(Modules::Usable)).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "lifeboat: modules: skipped: the root already has modules for")?;
    let mounts = vm.read("cat /proc/mounts")?;
    ensure!(!mounts.contains("lib/modules"), "something is mounted:\n{mounts}");
    vm.read(&format!("modprobe {MODULE}")).map(drop)
}

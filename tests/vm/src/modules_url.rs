//! The running kernel's modules from the network.

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::Initramfs;
use lifeboat_qemu::scratch::Scratch;
use lifeboat_qemu::seed_server::SeedServer;
use lifeboat_qemu::vm::Vm;

use crate::lab::{debian, guests, machine, must_hold, must_say};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("are_used_at_once_and_on_the_next_boot", || fetched(Initramfs::Without)),
    full("are_put_below_an_export", || fetched(Initramfs::Lifeboat)),
];

/// A module that is in the tarball alone.
const MODULE: &str = "dummy";

/// With an initramfs that exports nothing, and with one whose modules are fewer than those on the network.
fn fetched(initramfs: Initramfs) -> Result<()> {
    let folder = Scratch::new()?;
    let digest = guests()?.pack_modules(folder.path())?;
    let server = SeedServer::of_folder(folder.path())?;
    let url = format!("lifeboat.modules-url={}{{release}}.tar.gz#sha256={digest}", server.url());
    let mut vm = machine()?.initramfs(initramfs).disk(debian()?).parameter(&url).reboots().boot()?;
    vm.wait_for_login("own")?;
    must_hold(&log(&mut vm)?, &["lifeboat-agent: modules: fetched http", " are there for "])?;
    if initramfs == Initramfs::Without {
        must_be_usable(&mut vm)?;
    }

    let asked_for = server.asked_for().len();
    vm.reboot()?;
    vm.wait_for_login("own")?;
    if initramfs == Initramfs::Lifeboat {
        must_say(&vm, "lifeboat: modules: skipped: the root already has modules for")?;
    }
    must_hold(&log(&mut vm)?, &["lifeboat-agent: modules: nothing to fetch: those of"])?;
    ensure!(server.asked_for().len() == asked_for, "it was fetched again");
    must_be_usable(&mut vm)
}

/// The agent's output in this boot, once it has ended.
fn log(vm: &mut Vm) -> Result<String> {
    // Its exit status tells of units that have nothing to do with us.
    vm.run("systemctl is-system-running --wait")?;
    vm.read("journalctl --boot --no-pager --unit lifeboat-agent-modules-fetch.service")
}

fn must_be_usable(vm: &mut Vm) -> Result<()> {
    vm.read(&format!("modprobe {MODULE} && grep -w {MODULE} /proc/modules && modinfo -n {MODULE}"))?;
    ensure!(
        vm.read("ls -A /lib/modules | grep -c lifeboat || :")? == "0",
        "something is left in /lib/modules"
    );
    Ok(())
}

//! Each guest boots, with each kernel; Debian's is the boot in which nothing is to be done.

use anyhow::{Result, ensure};
use lifeboat_qemu::args::Kernel;

use crate::Test;
use crate::lab::{debian, machine, must_not_say, must_say, root};

pub(crate) const TESTS: &[Test] = &[
    ("the_tiny_guest_boots_with_the_own_kernel", tiny_own),
    ("debian_with_its_own_kernel_is_left_alone", debian_own),
];

fn tiny_own() -> Result<()> {
    let mut vm = machine()?.kernel(Kernel::Own).disk(root()).boot()?;
    vm.wait_for_login("own")?;
    ensure!(vm.read("cat /etc/hostname")? == "own", "another root");
    ensure!(vm.run("exit 3")?.status == 3, "an exit status is lost");
    Ok(())
}

fn debian_own() -> Result<()> {
    let mut vm = machine()?.kernel(Kernel::Own).disk(debian()?).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "lifeboat: modules: skipped: the root already has modules for")?;
    must_say(&vm, "lifeboat: rescue: skipped: no volume is labelled RESCUE, UEC-rescue, RESCUE_VOL")?;
    must_say(&vm, "lifeboat: seed: skipped: no seed")?;
    must_not_say(&vm, "lifeboat-agent")?;
    ensure!(!vm.read("cat /proc/mounts")?.contains("/lib/modules"), "something is mounted at /lib/modules");
    let lines = vm.read("ls -1 /run/lifeboat")?;
    ensure!(lines == "init\nrescue", "/run/lifeboat holds:\n{lines}");
    Ok(())
}

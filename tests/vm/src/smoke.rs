//! Each guest boots, with each kernel; Debian's is the boot in which nothing is to be done.

use anyhow::{Result, ensure};
use lifeboat_qemu::args::Kernel;

use crate::cover::Ability;
use crate::cover::Covers::{Agent, Stage};
use crate::cover::Outcome::{Off, Skipped};
use crate::cover::Stage::{Bottom, Modules, Premount, Seed};
use crate::lab::{debian, machine, must_not_say, must_say, root, volume};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    full("the_tiny_guest_boots_with_the_own_kernel", tiny_own),
    gate(
        "debian_with_its_own_kernel_is_left_alone",
        &[
            Stage(Premount, Skipped),
            Stage(Bottom, Skipped),
            Stage(Modules, Skipped),
            Stage(Seed, Skipped),
            Agent(Ability::Unseeded),
        ],
        debian_own,
    ),
    gate(
        "switched_off_no_journey_does_anything",
        &[Stage(Premount, Off), Stage(Modules, Off), Stage(Seed, Off)],
        switched_off,
    ),
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
    let units = vm.read("systemctl list-units --all 'lifeboat-agent*'")?;
    ensure!(units.contains("0 loaded units"), "the agent has units:\n{units}");
    let lines = vm.read("ls -1 /run/lifeboat")?;
    ensure!(lines == "init\nrescue", "/run/lifeboat holds:\n{lines}");
    Ok(())
}

/// With all that they would act on.
fn switched_off() -> Result<()> {
    let machine = machine()?.disk(root()).disk(volume("RESCUE"));
    let mut vm = machine.parameter("lifeboat=off ds=nocloud;s=http://10.0.2.2/").boot()?;
    vm.wait_for_login("own")?;
    ensure!(!vm.read("cat /proc/mounts")?.contains("lib/modules"), "something is mounted at /lib/modules");
    ensure!(vm.run("ls /run/lifeboat/seed")?.status != 0, "there is a hand-off");
    Ok(())
}

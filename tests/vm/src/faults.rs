//! A lifeboat that breaks does not stop a boot, whichever call it breaks in.

use anyhow::Result;
use lifeboat_qemu::guest::Initramfs;
use lifeboat_qemu::vm::Machine;

use crate::copy;
use crate::cover::Covers::Stage;
use crate::cover::Outcome::Failed;
use crate::cover::Stage::{Block, Bottom, Last, Modules, Mounted, Premount, Resolve, Seed, Wait};
use crate::lab::{machine, must_hold, must_not_say, must_say, root, volume};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    gate(
        "all_calls_of_a_boot_abort",
        &[Stage(Premount, Failed), Stage(Bottom, Failed), Stage(Modules, Failed), Stage(Seed, Failed)],
        || {
            boots_with(
                "rescue-premount:abort test.fault=rescue-bottom:abort test.fault=modules:abort test.fault=seed:abort",
                "seed aborts",
            )
        },
    ),
    gate("rescue_mounted_aborts", &[Stage(Mounted, Failed), Stage(Last, Failed)], mounted),
    gate("rescue_resolve_aborts", &[Stage(Resolve, Failed)], resolve),
    gate("rescue_block_aborts", &[Stage(Block, Failed)], block),
    gate("rescue_wait_aborts", &[Stage(Wait, Failed)], wait),
    full("rescue_premount_aborts", || boots_with("rescue-premount:abort", "rescue-premount aborts")),
    full("rescue_premount_hangs", || boots_with("rescue-premount:hang", "rescue-premount hangs")),
    full("rescue_bottom_aborts", || boots_with("rescue-bottom:abort", "rescue-bottom aborts")),
    full("rescue_bottom_hangs", || boots_with("rescue-bottom:hang", "rescue-bottom hangs")),
    full("modules_aborts", || boots_with("modules:abort", "modules aborts")),
    full("modules_hangs", || boots_with("modules:hang", "modules hangs")),
    full("later_aborts", || boots_with("later:abort", "later aborts")),
    full("rescue_last_aborts", || boots_with("rescue-last:abort", "rescue-last aborts")),
    full("rescue_last_hangs", || boots_with("rescue-last:hang", "rescue-last hangs")),
    full("seed_aborts", || boots_with("seed:abort", "seed aborts")),
    full("seed_hangs", || boots_with("seed:hang", "seed hangs")),
    full("the_binary_is_missing", || boots_with("missing", "lifeboat is missing")),
];

fn boots_with(fault: &str, seen: &str) -> Result<()> {
    let mut vm = faulty(fault)?.disk(root()).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, &format!("test: {seen}"))
}

fn faulty(fault: &str) -> Result<Machine> {
    Ok(machine()?.initramfs(Initramfs::Faulty).parameter(&format!("test.fault={fault}")))
}

/// The volume is booted with its own fstab.
fn mounted() -> Result<()> {
    let fstab = "LABEL=lifeboat-root / ext4 defaults 0 1\n";
    let volume = volume("RESCUE").file("etc/fstab", fstab);
    let faulty = faulty("rescue-mounted:abort test.fault=rescue-last:abort")?;
    let mut vm = faulty.disk(root()).disk(volume).boot()?;
    vm.wait_for_login("rescue")?;
    must_say(&vm, "test: rescue-mounted aborts")?;
    must_say(&vm, "test: rescue-last aborts")?;
    must_hold(&vm.read("cat /etc/fstab")?, &[fstab.trim_end()])
}

/// init takes the first /usr that has the UUID, as it would without lifeboat.
fn resolve() -> Result<()> {
    let machine = faulty("rescue-resolve:abort")?.disk(copy::own_with_usr()).disk(copy::finished_with_usr());
    let mut vm = machine.parameter(&copy::root_by_uuid()).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "test: rescue-resolve aborts")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vda1 / ext4 ", " /usr ext4 "])
}

/// init finds the missing root by itself.
fn block() -> Result<()> {
    let mut vm = faulty("rescue-block:abort")?.inits_own_wait().disk(volume("other")).boot()?;
    vm.wait_for("test: rescue-block aborts")?;
    vm.attach(root())?;
    vm.wait_for_login("own")
}

/// init's own `panic()` has its way, as it would without lifeboat.
fn wait() -> Result<()> {
    let mut vm = faulty("rescue-wait:abort")?.disk(volume("other")).boot()?;
    vm.wait_out("test: rescue-wait aborts")?;
    vm.wait_for("Rebooting automatically due to panic= boot argument")?;
    must_not_say(&vm, "lifeboat: rescue: waiting ")
}

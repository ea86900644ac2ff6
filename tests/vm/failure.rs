//! Roots that are missing or cannot be mounted: a rescue volume saves the machine, and without one it does in
//! the end what it would have done.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::guest::{Damage, Tiny};
use lifeboat_qemu::vm::Vm;

use crate::Test;
use crate::lab::{machine, must_hold, must_not_say, must_say, root, volume};

pub(crate) const TESTS: &[Test] = &[
    ("a_volume_that_is_there_saves_a_root_that_cannot_be_mounted", saved_at_once),
    ("a_volume_attached_while_waiting_is_booted_with_panic_negative", || saved_later("panic=-1")),
    ("a_volume_attached_while_waiting_is_booted_with_panic_positive", || saved_later("panic=10")),
    ("a_volume_attached_while_waiting_is_booted_without_panic", || saved_later("panic=")),
    ("a_volume_attached_while_init_waits_for_a_missing_root_is_booted", saved_while_init_waits),
    ("a_volume_attached_after_init_gave_up_on_a_missing_root_is_booted", saved_after_init_waited),
    ("a_volume_saves_a_machine_without_root_parameter", saved_without_root_parameter),
    ("a_volume_saves_a_machine_whose_root_holds_no_init", saved_without_init),
    ("a_missing_root_that_appears_is_booted", root_appears),
    ("a_root_whose_uuid_is_written_in_capitals_is_booted", capitals),
    ("another_disk_ends_no_wait", other_disk),
    ("without_a_volume_panic_reboots_after_the_wait", reboots),
    ("without_a_volume_and_without_panic_there_is_a_shell", || ends_in_a_shell("lifeboat.rescue=wait:2")),
    ("enter_ends_the_wait_where_a_shell_is_allowed", enter),
    ("no_key_ends_the_wait_where_panic_forbids_a_shell", no_key),
    ("switched_off_nothing_is_waited_for", || not_waited("lifeboat.rescue=off")),
    ("a_wait_of_zero_is_none", || not_waited("lifeboat.rescue=wait:0")),
    ("break_still_gives_a_shell", breaks),
    ("a_boot_that_goes_well_waits_for_nothing", goes_well),
    ("a_volume_that_cannot_be_mounted_gives_way_to_the_own_root", volume_fails),
    ("a_copy_that_cannot_be_mounted_gives_way_to_the_own_root", copy_fails),
];

const WAITING: &str = "lifeboat: rescue: waiting ";

fn broken() -> Tiny {
    root().damage(Damage::Groups)
}

fn saved_at_once() -> Result<()> {
    let mut vm = machine()?.disk(broken()).disk(volume("RESCUE")).boot()?;
    vm.wait_for_login("rescue")?;
    must_not_say(&vm, WAITING)?;
    // Nobody tried to mount the broken one.
    must_not_say(&vm, "(vda)")
}

fn saved_later(panic: &str) -> Result<()> {
    let mut vm = machine()?.disk(broken()).parameter(panic).boot()?;
    vm.wait_for(WAITING)?;
    must_say(&vm, "this machine's root cannot be used: Failed to mount /dev/vda as root file system.")?;
    must_say(&vm, "attach a volume labelled RESCUE, UEC-rescue, RESCUE_VOL: it is booted at once")?;
    attach_and_be_saved(&mut vm, "/dev/vda")
}

/// The volume is booted within two seconds, as the kernel's clock has it, and without a reboot.
fn attach_and_be_saved(vm: &mut Vm, original: &str) -> Result<()> {
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")?;
    let console = vm.console.text();
    let appeared = time_of(&console, ": [vd", 1)?;
    let booted = time_of(&console, "lifeboat: rescue: ", 0)?;
    ensure!(booted - appeared < 2.0, "it took from {appeared} s to {booted} s:\n{console}");
    let wanted = [
        "BOOTED=rescue\n",
        "REASON=\"the root is missing or could not be mounted\"\n",
        &format!("ORIGINAL_ROOT={original}\n"),
    ];
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &wanted)?;
    must_hold(&vm.read("cat /proc/mounts")?, &[" / ext4 rw", " /lib/modules tmpfs "])
}

/// The kernel's time of the line on which a rescue volume is booted (`skip` 0), or of the last line but `skip`
/// that holds a text.
fn time_of(console: &str, text: &str, skip: usize) -> Result<f64> {
    let line = if skip == 0 {
        console.lines().find(|line| {
            line.contains(text) && (line.contains(": booting from ") || line.contains(" takes the place of "))
        })
    } else {
        console.lines().rfind(|line| line.contains(text))
    };
    let line = line.with_context(|| format!("`{text}` is not on the console:\n{console}"))?;
    let (_, stamp) = line.split_once("[ ").context("find the kernel's time")?;
    let (seconds, _) = stamp.split_once(']').context("find the kernel's time")?;
    seconds.trim().parse().with_context(|| format!("read the time of: {line}"))
}

fn saved_while_init_waits() -> Result<()> {
    let mut vm = machine()?.disk(root()).parameter("root=LABEL=gone").boot()?;
    vm.wait_for("Waiting for root file system")?;
    attach_and_be_saved(&mut vm, "LABEL=gone")
}

fn saved_after_init_waited() -> Result<()> {
    let mut vm = machine()?.disk(root()).parameter("root=UUID=gone").boot()?;
    vm.wait_for(WAITING)?;
    must_say(&vm, "or the disk with UUID=gone: it is booted at once")?;
    attach_and_be_saved(&mut vm, "UUID=gone")
}

fn saved_without_root_parameter() -> Result<()> {
    let mut vm = machine()?.disk(root()).parameter("root=").boot()?;
    vm.wait_for(WAITING)?;
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")
}

fn saved_without_init() -> Result<()> {
    let no_init = root().without("bin/init").without("bin/sh");
    let mut vm = machine()?.disk(no_init).boot()?;
    vm.wait_for(WAITING)?;
    must_say(&vm, "/dev/vda holds no init")?;
    attach_and_be_saved(&mut vm, "/dev/vda")?;
    let mounts = vm.read("cat /proc/mounts")?;
    ensure!(!mounts.contains("/dev/vda"), "the original root is still mounted:\n{mounts}");
    Ok(())
}

fn root_appears() -> Result<()> {
    let mut vm = machine()?.disk(volume("other")).boot()?;
    vm.wait_for(WAITING)?;
    vm.attach(root())?;
    vm.wait_for_login("own")?;
    must_say(&vm, "is the root that was missing; going on with it")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n"])
}

/// init does not find it, and we do: without going round for ever.
fn capitals() -> Result<()> {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0abc";
    let parameter = format!("root=UUID={}", UUID.to_uppercase());
    let mut vm = machine()?.disk(root().uuid(UUID)).parameter(&parameter).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "is the root that was missing; going on with it")?;
    must_not_say(&vm, WAITING)
}

fn other_disk() -> Result<()> {
    let mut vm = machine()?.disk(broken()).parameter("lifeboat.rescue=wait:8").boot()?;
    vm.wait_for(WAITING)?;
    vm.attach(volume("other"))?;
    vm.wait_for("reboot: Restarting system")?;
    must_say(&vm, "no rescue volume was attached within 8 s")
}

fn reboots() -> Result<()> {
    let mut vm = machine()?.disk(broken()).parameter("lifeboat.rescue=wait:2").boot()?;
    vm.wait_for("no rescue volume was attached within 2 s")?;
    // What init's own panic() says, and does.
    vm.wait_for("Failed to mount /dev/vda as root file system.")?;
    vm.wait_for("Rebooting automatically due to panic= boot argument")?;
    vm.wait_for("reboot: Restarting system")
}

fn ends_in_a_shell(parameter: &str) -> Result<()> {
    let mut vm = machine()?.disk(broken()).parameter("panic=").parameter(parameter).boot()?;
    vm.wait_for("(initramfs)")
}

fn enter() -> Result<()> {
    let mut vm = machine()?.disk(broken()).parameter("panic=").boot()?;
    vm.wait_for("after that a shell (now: press Enter)")?;
    let pressed = Instant::now();
    vm.type_line("")?;
    vm.wait_for("(initramfs)")?;
    must_say(&vm, "lifeboat: rescue: Enter was pressed")?;
    ensure!(pressed.elapsed().as_secs() < 60, "the wait went on");
    Ok(())
}

fn no_key() -> Result<()> {
    let mut vm = machine()?.disk(broken()).parameter("lifeboat.rescue=wait:5").boot()?;
    vm.wait_for("after that what panic= says")?;
    vm.type_line("")?;
    vm.wait_for("no rescue volume was attached within 5 s")?;
    vm.wait_for("reboot: Restarting system")?;
    must_not_say(&vm, "(initramfs)")
}

fn not_waited(parameter: &str) -> Result<()> {
    let mut vm = machine()?.disk(broken()).parameter(parameter).boot()?;
    vm.wait_for("reboot: Restarting system")?;
    must_not_say(&vm, WAITING)
}

/// And when it is left, the boot goes on as it would have.
fn breaks() -> Result<()> {
    // Alone too: init's functions after the first shell are not those before it.
    for stages in ["mountroot", "top,modules,premount,mount,mountroot,bottom,init"] {
        let mut vm = machine()?.disk(root()).parameter(&format!("panic= break={stages}")).boot()?;
        for _ in stages.split(',') {
            vm.wait_for("(initramfs)")?;
            vm.type_line("exit")?;
        }
        vm.wait_for_login("own")?;
        must_not_say(&vm, WAITING)?;
    }
    Ok(())
}

fn goes_well() -> Result<()> {
    let mut vm = machine()?.disk(root()).boot()?;
    vm.wait_for_login("own")?;
    must_not_say(&vm, WAITING)
}

fn volume_fails() -> Result<()> {
    let mut vm = machine()?.disk(root()).disk(volume("RESCUE").damage(Damage::Journal)).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "/dev/vdb could not be booted from: Failed to mount /dev/vdb as root file system.")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", "\nFAILED=/dev/vdb"])?;
    ensure!(vm.run("ls /run/motd.d/lifeboat")?.status != 0, "the admin is told lies");
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vda / ext4 ro"])
}

/// Whatever the order of the disks: what `root=` says is true of both.
fn copy_fails() -> Result<()> {
    const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0abd";
    let copy = volume("RESCUE").uuid(UUID).damage(Damage::Journal);
    for (disks, own) in [([root().uuid(UUID), copy.clone()], "vda"), ([copy, root().uuid(UUID)], "vdb")] {
        let mut machine = machine()?.parameter(&format!("root=UUID={UUID}"));
        for disk in disks {
            machine = machine.disk(disk);
        }
        let mut vm = machine.boot()?;
        vm.wait_for_login("own")?;
        must_say(&vm, "going on with the machine's own root")?;
        must_hold(&vm.read("cat /proc/mounts")?, &[&format!("/dev/{own} / ext4 ro")])?;
    }
    Ok(())
}

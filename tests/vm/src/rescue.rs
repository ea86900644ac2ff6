//! Rescue volumes: which are booted, when, and what the system on them is told.

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::{Initramfs, RunInit, Tiny};
use lifeboat_qemu::vm::Vm;

use crate::cover::Covers::{By, Left, Stage};
use crate::cover::Outcome::{Done, Ignored};
use crate::cover::Stage::{Bottom, Mounted, Premount};
use crate::cover::{Generator, Journey};
use crate::lab::{debian, debian_stranger, machine, must_hold, must_not_say, must_say, root, volume};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    full("a_volume_labelled_rescue_is_booted", || booted("RESCUE")),
    full("a_volume_labelled_uec_rescue_is_booted", || booted("UEC-rescue")),
    full("a_volume_with_another_label_is_not_booted", || not_booted(volume("rescue"), "")),
    full("a_finished_volume_is_not_booted", || not_booted(volume("RESCUE").file("finished", ""), "")),
    full("a_volume_is_not_booted_when_switched_off", || not_booted(volume("RESCUE"), "lifeboat.rescue=off")),
    full("a_volume_is_not_booted_when_all_is_switched_off", || not_booted(volume("RESCUE"), "lifeboat=off")),
    gate(
        "nothing_of_a_broken_root_leaks_into_the_rescue_boot",
        &[
            Stage(Premount, Done),
            Left(Premount, RunInit::Klibc),
            Stage(Mounted, Done),
            Left(Mounted, RunInit::Klibc),
            By(Journey::Rescue, Generator::Bookworm),
        ],
        no_leaks,
    ),
    full("the_broken_root_does_not_boot_without_the_volume", broken),
    full("the_own_roots_scripts_run_without_a_volume", own_scripts),
    gate(
        "a_volume_attached_late_is_pivoted_to",
        &[Stage(Bottom, Done), Left(Bottom, RunInit::Klibc)],
        attached_late,
    ),
    full("another_disk_attached_late_is_left_alone", other_attached_late),
    gate("a_volume_that_is_finished_gives_way_on_reboot", &[Stage(Premount, Ignored)], finished),
    full("a_debian_that_knows_nothing_of_lifeboat_becomes_a_rescue_system", stranger),
    full("cloud_init_on_the_volume_is_told_of", || cloud_init(volume("RESCUE"), "acts in this boot")),
    full("cloud_init_that_is_switched_off_is_not_told_of", || {
        cloud_init(volume("RESCUE").file("etc/cloud/cloud-init.disabled", ""), "")
    }),
];

/// The faults of the broken root that the kernel command line can state.
const BROKEN: &str = "rootflags=no-such-flag rootfstype=xfs init=/no-such-init resume=/dev/vda";

fn booted(label: &str) -> Result<()> {
    let mut vm = machine()?.disk(root()).disk(volume(label)).boot()?;
    vm.wait_for_login("rescue")?;
    must_be_rescued(&mut vm, label, "a rescue volume was attached when the machine started")
}

fn must_be_rescued(vm: &mut Vm, label: &str, reason: &str) -> Result<()> {
    let state = vm.read("cat /run/lifeboat/rescue; stat -c %a /run/lifeboat/rescue")?;
    let (label, reason) = (format!("\nLABEL={label}\n"), format!("REASON=\"{reason}\"\n"));
    let own = ["\nORIGINAL_ROOT=/dev/vda\nORIGINAL_TYPE=ext4\nORIGINAL_LABEL=lifeboat-root\nORIGINAL_UUID="];
    must_hold(
        &state,
        &["BOOTED=rescue\n", &reason, "\nDEVICE=/dev/vdb\n", &label, "\nTYPE=ext4\n", "\nUUID="],
    )?;
    must_hold(&state, &own)?;
    must_hold(&state, &["\n644"])?;
    must_say(vm, "lifeboat: rescue: ")?;
    must_hold(&vm.read("cat /run/motd.d/lifeboat")?, &TOLD)?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / ext4 "])?;
    // Modules are exported into whatever root was chosen; on Debian /lib is a link.
    must_hold(&vm.read("cat /proc/mounts")?, &["lib/modules tmpfs "])
}

fn not_booted(volume: Tiny, parameter: &str) -> Result<()> {
    let mut vm = machine()?.disk(root()).disk(volume).parameter(parameter).boot()?;
    vm.wait_for_login("own")?;
    let state = vm.run("cat /run/lifeboat/rescue")?.text;
    ensure!(!state.contains("BOOTED=rescue"), "the state says:\n{state}");
    ensure!(
        vm.run("ls /run/motd.d/lifeboat /run/issue.d/lifeboat.issue")?.status != 0,
        "the admin is told lies"
    );
    Ok(())
}

fn no_leaks() -> Result<()> {
    let machine = machine()?.initramfs(Initramfs::Faulty).disk(root()).disk(volume("RESCUE"));
    let mut vm = machine.parameter(BROKEN).boot()?;
    vm.wait_for_login("rescue")?;
    for script in ["local-top", "local-premount"] {
        must_not_say(&vm, &format!("test: {script} ran"))?;
    }
    must_be_rescued(&mut vm, "RESCUE", "a rescue volume was attached when the machine started")
}

fn broken() -> Result<()> {
    let mut vm = machine()?.initramfs(Initramfs::Faulty).disk(root()).parameter(BROKEN).boot()?;
    vm.wait_for("test: local-top ran")?;
    vm.wait_for("Failed to mount")
}

fn own_scripts() -> Result<()> {
    let mut vm = machine()?.initramfs(Initramfs::Faulty).disk(root()).disk(volume("other")).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "test: local-top ran")?;
    must_say(&vm, "test: local-premount ran")
}

fn attached_late() -> Result<()> {
    let mut vm = held()?;
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")?;
    must_be_rescued(&mut vm, "RESCUE", "a rescue volume appeared after the root was mounted")?;
    let mounts = vm.read("cat /proc/mounts")?;
    ensure!(!mounts.contains("/dev/vda"), "the original root is still mounted:\n{mounts}");
    Ok(())
}

fn other_attached_late() -> Result<()> {
    let mut vm = held()?;
    vm.attach(volume("other"))?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n"])
}

/// A guest that is held in local-bottom, its own root mounted, until a second disk is attached.
fn held() -> Result<Vm> {
    let machine = machine()?.initramfs(Initramfs::Faulty).disk(root());
    let mut vm = machine.parameter("test.hold=local-bottom").boot()?;
    vm.wait_for("test: waiting for a second disk")?;
    Ok(vm)
}

fn finished() -> Result<()> {
    let mut vm = machine()?.disk(root()).disk(volume("RESCUE")).reboots().boot()?;
    vm.wait_for_login("rescue")?;
    vm.read("touch /finished")?;
    vm.reboot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", "/finished"])
}

/// The text that an admin reads at login, where lifeboat is not on the volume.
const TOLD: [&str; 4] = [
    "*** RESCUE SYSTEM ***",
    "/dev/vdb (ext4, label",
    "mount -o ro,noload,errors=continue /dev/vda /mnt",
    "touch /finished && reboot",
];

fn stranger() -> Result<()> {
    let mut vm = machine()?.disk(debian()?).disk(debian_stranger()?).reboots().boot()?;
    vm.wait_for_login("stranger")?;
    ensure!(vm.run("dpkg --status lifeboat lifeboat-agent")?.status != 0, "lifeboat is installed");
    // The kernel's log says it, the console shows the issue above its prompt, and the message of the day
    // comes after the login.
    must_say(&vm, "lifeboat: rescue: ")?;
    must_hold(&vm.console.text().replace("lifeboat: ", "").replace('\r', ""), &TOLD)?;
    must_hold(&vm.log_in()?, &TOLD)?;
    must_be_rescued(&mut vm, "RESCUE", "a rescue volume was attached when the machine started")?;
    // The running kernel is not the volume's own, and all the same its modules are there.
    vm.read("modprobe xfs && grep ^xfs /proc/modules")?;
    vm.read("touch /finished")?;
    vm.reboot()?;
    vm.wait_for_login("own")?;
    let shown = vm.log_in()?;
    ensure!(!shown.contains("/finished"), "the admin of the own root is shown:\n{shown}");
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", "/finished"])
}

fn cloud_init(volume: Tiny, told: &str) -> Result<()> {
    let mut vm = machine()?.disk(root()).disk(volume.file("usr/bin/cloud-init", "")).boot()?;
    vm.wait_for_login("rescue")?;
    let shown = vm.read("cat /run/motd.d/lifeboat")?;
    if told.is_empty() {
        ensure!(!shown.contains("cloud-init"), "the admin is shown:\n{shown}");
        return Ok(());
    }
    must_hold(&shown, &[told, "touch /etc/cloud/cloud-init.disabled"])
}

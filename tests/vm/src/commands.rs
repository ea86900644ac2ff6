//! `lifeboat-agent rescue` in a rescue system: a machine is looked at, repaired and left.

use anyhow::{Result, ensure};
use lifeboat_qemu::vm::Vm;

use crate::cover::Ability;
use crate::cover::Covers::Agent;
use crate::lab::{debian_rescue, machine, must_hold, root};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    full("the_original_root_is_looked_at_and_not_one_byte_of_it_changes", look),
    gate(
        "a_broken_root_is_repaired_and_booted_once_the_volume_is_finished",
        &[Agent(Ability::Repair)],
        repair,
    ),
];

/// Its init is a script, and what is to run it is missing.
const BROKEN: &str = "bin/sh";

fn rescued() -> Result<Vm> {
    let own = root().without(BROKEN).file("etc/resolv.conf", "nameserver 192.0.2.1\n");
    let mut vm = machine()?.disk(own).disk(debian_rescue()?).reboots().boot()?;
    vm.wait_for_login("rescue")?;
    Ok(vm)
}

fn look() -> Result<()> {
    let mut vm = rescued()?;
    let told = vm.log_in()?;
    must_hold(
        &told,
        &["lifeboat-agent rescue mount --rw --chroot", "lifeboat-agent rescue finish && reboot"],
    )?;
    let status = vm.read("lifeboat-agent rescue status")?;
    must_hold(
        &status,
        &[
            "booted: rescue volume /dev/vdb (ext4, label RESCUE, UUID ",
            "\nwhy: a rescue volume was attached when the machine started\n",
            "\noriginal root: /dev/vda (ext4, label lifeboat-root, UUID ",
            "\nmounted: no\nfinished: no\nnext boot: this rescue volume again",
        ],
    )?;
    let before = vm.read("sha256sum /dev/vda")?;
    vm.read("lifeboat-agent rescue mount")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vda /run/lifeboat/original ext4 ro,"])?;
    ensure!(vm.read("cat /run/lifeboat/original/etc/hostname")? == "own", "another root is mounted");
    must_hold(
        &vm.read("lifeboat-agent rescue status")?,
        &["mounted: at /run/lifeboat/original, read-only\n"],
    )?;
    ensure!(vm.run("touch /run/lifeboat/original/x")?.status != 0, "it can be written to");
    let again = vm.run("lifeboat-agent rescue mount --rw")?;
    ensure!(again.status == 1, "mounted twice: {again:?}");
    must_hold(&again.text, &["read-only: `lifeboat-agent rescue umount` first"])?;
    let busy = vm.run("cd /run/lifeboat/original && lifeboat-agent rescue umount")?;
    ensure!(busy.status == 1, "unmounted under a process: {busy:?}");
    must_hold(&busy.text, &["/run/lifeboat/original is in use by ", " (sh)"])?;
    vm.read("lifeboat-agent rescue umount")?;
    // Its own directory, and nothing else, is left on the table of mounts.
    ensure!(!vm.read("cat /proc/mounts; ls /run/lifeboat")?.contains("original"), "something is left");
    let after = vm.read("blockdev --flushbufs /dev/vda; sha256sum /dev/vda")?;
    ensure!(before == after, "the disk has changed");
    vm.read("lifeboat-agent rescue mount /mnt && test -e /mnt/etc/hostname && lifeboat-agent rescue umount")?;
    ensure!(vm.run("lifeboat-agent rescue umount")?.status == 0, "nothing to unmount is an error");
    // Nobody but root.
    let other = vm.run("setpriv --reuid 65534 --clear-groups lifeboat-agent rescue mount")?;
    ensure!(other.status == 1, "not as root: {other:?}");
    must_hold(&other.text, &["only root may do that"])
}

fn repair() -> Result<()> {
    let mut vm = rescued()?;
    vm.read("printf 'nameserver 192.0.2.9\\n' >/etc/resolv.conf")?;
    let inside = "ln -s busybox /bin/sh; cat /etc/resolv.conf; stat -c %F /dev/vdb; ls /proc/1/comm; \
                  ls /lib/modules/$(uname -r)/modules.dep; exit 5";
    let entered =
        vm.run(&format!("lifeboat-agent rescue mount --rw --chroot -- /bin/busybox sh -c '{inside}'"))?;
    ensure!(entered.status == 5, "the command's exit status: {entered:?}");
    must_hold(
        &entered.text,
        &["nameserver 192.0.2.9\n", "block special file\n", "/proc/1/comm\n", "/modules.dep\n"],
    )?;
    // Entered again, nothing is mounted twice, and now there is a shell.
    let entered = vm.run("lifeboat-agent rescue mount --rw --chroot </dev/null")?;
    ensure!(entered.status == 0, "a shell: {entered:?}");
    let dev = vm.read("grep -c ' /run/lifeboat/original/dev ' /proc/mounts")?;
    ensure!(dev == "1", "/dev is mounted {dev} times");
    vm.read("lifeboat-agent rescue umount")?;
    ensure!(!vm.read("cat /proc/mounts")?.contains("original"), "something is left");
    vm.read("test -e /dev/pts/ptmx && test -e /sys/kernel && test -e /run/lifeboat/rescue")?;
    vm.read("lifeboat-agent rescue mount")?;
    let left = vm.run("ls /run/lifeboat/original/lib/modules/$(uname -r)")?;
    ensure!(left.status != 0, "a directory for modules is left: {left:?}");
    ensure!(
        vm.read("cat /run/lifeboat/original/etc/resolv.conf")? == "nameserver 192.0.2.1",
        "its resolv.conf is another"
    );

    // Repaired, but not finished: the rescue volume is booted again.
    vm.reboot()?;
    vm.wait_for_login("rescue")?;
    let finished = vm.read("lifeboat-agent rescue finish")?;
    must_hold(&finished, &["next boot: the machine's own root, /dev/vda (ext4, label lifeboat-root, "])?;
    must_hold(&vm.read("lifeboat-agent rescue status")?, &["finished: yes, /finished is there\n"])?;
    vm.reboot()?;
    vm.wait_for_login("own")
}

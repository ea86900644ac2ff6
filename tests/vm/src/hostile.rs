//! Volumes that are hostile or damaged: what they hold reaches neither a shell nor a line of the log as it is,
//! and mounting them to look into them neither ends nor delays a boot.

use std::fs::File;

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::damage::{FILE_SYSTEMS, HEAD, IMAGES, heads, write_sparse};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::Tiny;
use lifeboat_qemu::packages;
use lifeboat_qemu::vm::Vm;

use crate::lab::{machine, must_hold, must_not_say, must_say, root, say};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("a_hostile_label_is_escaped_and_executed_by_nobody", labels),
    full("an_fstab_that_is_a_pipe_holds_nothing_up", pipe),
    full("a_damaged_volume_that_asks_for_a_kernel_panic_gets_none", no_panic),
    full("a_thousand_damaged_volumes_neither_end_nor_delay_a_boot", thousand),
];

fn labels() -> Result<()> {
    const BOOTED: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b01";
    const IGNORED: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b02";
    let booted = Tiny::new(b"R\nE\x1b[2J$(reboot)", "rescue").uuid(BOOTED).file("etc/issue", "Tiny\n");
    let ignored = Tiny::new(b"\xff'\"`reboot`;\\\n\xc2\x9b", "ignored").uuid(IGNORED).file("finished", "");
    let mut vm = machine()?
        .disk(root())
        .disk(booted)
        .disk(ignored)
        .parameter(&format!("lifeboat.rescue=UUID={IGNORED},UUID={BOOTED}"))
        .boot()?;
    vm.wait_for_login("rescue")?;
    let shown = r"booting from /dev/vdb (ext4, label R\nE\u{1b}[2J$(reboot)) in place of /dev/vda";
    must_say(&vm, shown)?;
    must_not_say(&vm, "\u{1b}[2J$")?;
    // The kernel shows what is no ASCII, and the backslash, in its own way.
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &[r#"LABEL="R\\nE\\u{1b}[2J\$(reboot)""#])?;
    let sourced = vm.read(r#". /run/lifeboat/rescue; echo "$LABEL""#)?;
    ensure!(sourced == r"R\nE\u{1b}[2J$(reboot)", "a shell reads {sourced}");
    must_hold(&vm.read("cat /etc/issue")?, &[r"label R\\nE\\u{1b}[2J$(reboot))"])?;
    must_say(&vm, r#"/dev/vdc (ext4, label \xff'"`reboot`;\\n\u{9b}) is ignored: it holds /finished"#)
}

/// Nobody writes to it; who opened it to read would wait.
fn pipe() -> Result<()> {
    let volume = Tiny::new("RESCUE", "rescue").pipe("etc/fstab");
    let mut vm = machine()?.disk(root()).disk(volume).boot()?;
    vm.wait_for_login("rescue")?;
    must_say(&vm, "/root/etc/fstab: it is no regular file")
}

/// Its root directory is damaged, and its superblock says `errors=panic`.
fn no_panic() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("image");
    let make = "mke2fs -q -F -t ext4 -L RESCUE -e panic";
    lifeboat_qemu::run::program("sh")
        .args([
            "-c",
            &format!("{make} \"$1\" 4M && debugfs -w -R 'set_inode_field <2> links_count 0' \"$1\""),
        ])
        .arg("sh")
        .arg(&image)
        .run()?;
    let mut vm = machine()?.disk(root()).disk(Disk::Image(image)).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "/dev/vdb (ext4, label RESCUE) is ignored: ")
}

/// Puts the next damaged head onto each disk, looks for a rescue volume as a boot does, and says how long that
/// took in hundredths of a second; what takes long does so every time, so the best of three counts. A number
/// below zero: the volumes as they are.
const LOOK: &str = r#"
uptime() { read -r seconds rest </proc/uptime; now=${seconds%.*}${seconds#*.}; }
look_at() {
    place=$1
    for disk in vdb vdc vdd vde; do
        [ "$1" -lt 0 ] || /bin/busybox dd if=/dev/vdf of=/dev/$disk bs=1M skip="$place" count=1 conv=notrunc,fsync 2>/dev/null
        place=$((place + IMAGES))
    done
    best=100000
    for try in 1 2 3; do
        uptime; before=$now
        lifeboat rescue premount
        status=$?
        uptime
        [ $((now - before)) -ge "$best" ] || best=$((now - before))
        if [ "$status" -ne 0 ] || [ "$best" -lt 60 ]; then break; fi
    done
    echo "$1 $status $best"
}
"#;

fn thousand() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let all = folder.path().join("heads");
    let file = File::create(&all)?;
    file.set_len((FILE_SYSTEMS.len() * IMAGES) as u64 * HEAD)?;
    let program = packages::binary("lifeboat");
    let mut machine = machine()?.disk(root().program(&program).file("conf/empty", "").file("look", &look()));
    let mut start = 0;
    for system in &FILE_SYSTEMS {
        let image = folder.path().join(system.name);
        system.make(&image)?;
        for head in heads(system, &image)? {
            write_sparse(&head, &file, start)?;
            start += HEAD;
        }
        machine = machine.disk(Disk::Image(image));
    }
    let mut vm = machine.disk(Disk::Image(all)).parameter("loglevel=5 log_buf_len=4M").boot()?;
    vm.wait_for_login("own")?;
    vm.read("mount -t tmpfs tmpfs /conf")?;
    look_at_all(&mut vm)
}

fn look() -> String {
    format!("IMAGES={IMAGES}\n{LOOK}")
}

fn look_at_all(vm: &mut Vm) -> Result<()> {
    let tainted = vm.read("cat /proc/sys/kernel/tainted")?;
    let whole = vm.read(". /look; look_at -1000")?;
    let (_, undamaged) = row(&whole)?;
    // Each of them could be looked into: the kernel has what that takes.
    let reason = vm.read("cat /run/lifeboat/rescue")?;
    for (disk, system) in ["vdb", "vdc", "vdd", "vde"].iter().zip(&FILE_SYSTEMS) {
        let ignored = format!("/dev/{disk} ({}, label RESCUE) is ignored: it holds no init", system.name);
        must_hold(&reason, &[&ignored])?;
    }
    let mut slowest = 0;
    for first in (0..IMAGES).step_by(25) {
        let rows = vm.read(&format!(
            ". /look; for n in $(/bin/busybox seq {first} {}); do look_at $n; done",
            first + 24
        ))?;
        ensure!(rows.lines().count() == 25, "{rows}");
        for line in rows.lines() {
            let (status, hundredths) = row(line)?;
            ensure!(status == 0, "lifeboat ended with {status} on the images {line}");
            ensure!(
                hundredths <= undamaged + 100,
                "{hundredths} hundredths of a second instead of {undamaged} on the images {line}"
            );
            slowest = slowest.max(hundredths);
        }
    }
    say(&format!("looking into four volumes: {undamaged}0 ms undamaged, {slowest}0 ms at most damaged"));
    // Bits of it say that the kernel warned or died.
    let after = vm.read("cat /proc/sys/kernel/tainted")?;
    ensure!(after == tainted, "the kernel is tainted, {after}, after {tainted}:\n{}", vm.console.text());
    must_not_say(vm, "blocked for more than")
}

/// Exit status and hundredths of a second.
fn row(line: &str) -> Result<(u32, u32)> {
    let mut words = line.split(' ').skip(1).map(str::parse);
    let mut next =
        || words.next().with_context(|| format!("read `{line}`"))?.with_context(|| line.to_owned());
    Ok((next()?, next()?))
}

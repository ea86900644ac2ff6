//! Modules in roots of other kinds, and in a guest with little memory.

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::disk::{Bus, Disk};
use lifeboat_qemu::export::{Content, Exporter};
use lifeboat_qemu::guest::{Damage, FileSystem, Initramfs, Modules, Platform, RunInit, Tiny};
use lifeboat_qemu::run::find;
use lifeboat_qemu::scratch::Scratch;
use lifeboat_qemu::vm::Vm;
use lifeboat_qemu::workspace;

use crate::lab::{guests, machine, must_hold, must_not_say, must_say, root, volume};
use crate::tier::{Test, full, soak};

pub(crate) const TESTS: &[Test] = &[
    full("are_seen_through_an_overlay_that_was_put_on_the_root", overlayroot),
    full("are_in_an_usr_of_its_own", separate_usr),
    full("are_in_a_squashfs_without_the_directory", squashfs),
    full("are_in_a_disk_that_cannot_be_written_to_without_the_directory", read_only_disk),
    full("are_in_a_subvolume_of_a_btrfs", subvolume),
    full("a_root_that_will_be_written_to_is_not_overlaid", writable_without_the_directory),
    full("the_directory_is_made_on_a_read_only_root_and_is_there_at_the_next_boot", || {
        made("ro", Agent::None, FileSystem::Ext4)
    }),
    full("the_directory_is_made_on_a_read_only_xfs", || made("ro", Agent::None, FileSystem::Xfs)),
    full("the_directory_is_made_on_a_read_only_btrfs", || made("ro", Agent::None, FileSystem::Btrfs)),
    full("the_directory_is_made_on_a_writable_root_and_is_there_at_the_next_boot", || {
        made("rw", Agent::None, FileSystem::Ext4)
    }),
    full("the_directory_is_made_on_an_usr_of_its_own", made_on_usr),
    full("the_directory_is_made_where_the_agent_is_too", || made("ro", Agent::There, FileSystem::Ext4)),
    full("no_directory_is_made_where_the_fstab_or_the_command_line_keeps_the_root_read_only", || {
        let fstab = "LABEL=lifeboat-root / ext4 defaults,ro 0 1\n";
        not_made(root().file("etc/fstab", fstab), "own", "ro", "its fstab keeps it read-only")?;
        not_made(root(), "own", "ro rootflags=noload", "rootflags= keeps it read-only")
    }),
    full("no_directory_is_made_on_a_dirty_root_that_was_not_checked", || {
        not_made(
            root().damage(Damage::Unreplayed),
            "own",
            "fastboot",
            "no fsck has found its file system good",
        )
    }),
    full("no_directory_is_made_on_a_writable_root_with_errors_that_was_not_checked", || {
        not_made(
            root().damage(Damage::Repairable),
            "own",
            "rw fastboot",
            "no fsck has found its file system good",
        )
    }),
    full("no_directory_is_made_on_a_rescue_volume", || {
        not_made(volume("RESCUE"), "rescue", "rw", "it is a rescue volume")
    }),
    full("a_read_only_root_stays_so", read_only),
    full("packed_as_debian_13_packs_them_are_used", packed),
    full("are_bound_where_busybox_leaves_the_initramfs", busybox),
    full("are_copied_where_memory_holds_them_once", || little_memory(Exporter::Copy)),
    full("are_bound_where_memory_holds_them_once", || little_memory(Exporter::Bind)),
    soak("would_need_more_memory_by_the_specifications_recipe", || little_memory(Exporter::Recipe)),
];

/// A module that is in each vehicle's initramfs, and not loaded by a boot.
const MODULE: &str = "udf";

const OVERLAYROOT: &str = "overlayroot=tmpfs:recurse=0";

fn overlayroot() -> Result<()> {
    // Its script needs more tools than klibc has.
    let platform = Platform::new("bookworm").run_init(RunInit::Busybox).package("overlayroot");
    let machine = machine()?.platform(&platform).parameter(OVERLAYROOT);
    let root = root().modules(Modules::Foreign).file("etc/fstab", "LABEL=lifeboat-root / ext4 ro 0 0\n");
    let mut vm = machine.disk(root).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "configuring overlayroot")?;
    must_hold(&vm.read("cat /proc/mounts")?, &[" / overlay rw"])?;
    must_be_exported(&mut vm, "cover")?;
    vm.read("test -e /lib/modules/5.0.0-foreign/modules.dep").map(drop)
}

fn separate_usr() -> Result<()> {
    // On the volume, what will be below /usr.
    let programs = workspace().join("qemu/guest/debian/usr/local");
    let usr = Tiny::new("usr", "usr").modules(Modules::Foreign).tree(&programs, "local");
    let root = root().modules(Modules::AbsoluteLink).file("etc/fstab", "LABEL=usr /usr ext4 defaults 0 0\n");
    let mut vm = machine()?.disk(root).disk(usr).boot()?;
    vm.wait_for_login("own")?;
    must_hold(
        &vm.read("cat /proc/mounts")?,
        &["/dev/vdb /usr ext4", " /usr/lib/modules/5.0.0-foreign ext4"],
    )?;
    must_be_exported(&mut vm, "cover")
}

fn squashfs() -> Result<()> {
    let root = root().on(FileSystem::Squashfs).modules(Modules::Missing);
    let mut vm = machine()?.disk(root).parameter("root=/dev/vda").boot()?;
    vm.wait_for_login("own")?;
    must_be_exported(&mut vm, "overlay")
}

/// Named by a link, for that is then what is mounted.
fn read_only_disk() -> Result<()> {
    let machine = machine()?.disk_on(Bus::ReadOnly, "", root().modules(Modules::Missing));
    let mut vm = machine.parameter("root=/dev/disk/by-label/lifeboat-root").boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/self/mountinfo")?, &[" /dev/disk/by-label/lifeboat-root ro"])?;
    must_be_exported(&mut vm, "overlay")
}

fn subvolume() -> Result<()> {
    let scratch = Scratch::new()?;
    let btrfs = find("btrfs").context("find btrfs")?;
    let root = root().on(FileSystem::Btrfs).modules(Modules::Foreign).program(&btrfs);
    let image = guests()?.make(&root, scratch.path())?;
    let machine = || Ok::<_, anyhow::Error>(machine()?.disk(Disk::Kept(image.clone())));
    let mut vm = machine()?.boot()?;
    vm.wait_for_login("own")?;
    must_be_exported(&mut vm, "cover")?;
    vm.read("mount -o remount,rw / && btrfs subvolume snapshot / /@ && echo sub > /@/etc/hostname && sync")?;
    drop(vm);
    let mut vm = machine()?.parameter("rootflags=subvol=@").boot()?;
    vm.wait_for_login("sub")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vda / btrfs ", ",subvol=/@ "])?;
    must_be_exported(&mut vm, "cover")?;
    vm.read("test -e /lib/modules/5.0.0-foreign/modules.dep").map(drop)
}

fn writable_without_the_directory() -> Result<()> {
    let mut vm = machine()?.disk(root().modules(Modules::Missing)).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "mkdir -p /lib/modules")?;
    must_not_say(&vm, "modules: exported")?;
    let mounts = vm.read("cat /proc/mounts")?;
    ensure!(!mounts.contains(" /lib"), "something is mounted:\n{mounts}");
    vm.read("mount -o remount,rw / && mkdir /lib/modules").map(drop)
}

/// The agent's presence in the root.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agent {
    None,
    There,
}

const MADE: &str = ", on the directory /lib/modules, which was made for them";

/// On two boots of one disk. This initramfs holds fsck.
fn made(parameter: &str, agent: Agent, file_system: FileSystem) -> Result<()> {
    let kind = match file_system {
        FileSystem::Xfs => "xfs",
        FileSystem::Btrfs => "btrfs",
        _ => "ext4",
    };
    let scratch = Scratch::new()?;
    // A label that xfs has room for.
    let root = Tiny::new("own-root", "own").modules(Modules::Missing).on(file_system);
    let root = if agent == Agent::There { root.file("usr/bin/lifeboat-agent", "") } else { root };
    let image = guests()?.make(&root, scratch.path())?;
    let boot = || {
        let parameters = format!("root=LABEL=own-root {parameter}");
        let machine = machine()?.initramfs(Initramfs::Faulty).parameter(&parameters);
        let mut vm = machine.disk(Disk::Kept(image.clone())).boot()?;
        vm.wait_for_login("own")?;
        must_be_exported(&mut vm, "cover")?;
        must_hold(&vm.read("cat /proc/mounts")?, &[&format!("/dev/vda / {kind} {parameter},")])?;
        // The guest is killed. What it has not written yet would be made once more.
        vm.read("sync")?;
        Ok::<_, anyhow::Error>(vm)
    };
    must_say(&boot()?, MADE)?;
    must_not_say(&boot()?, MADE)
}

/// By whatever name the fstab has it; init has checked it, and /dev has moved since.
fn made_on_usr() -> Result<()> {
    let programs = workspace().join("qemu/guest/debian/usr/local");
    for named in ["LABEL=usr", "/dev/vdb"] {
        let usr = Tiny::new("usr", "usr").modules(Modules::Missing).tree(&programs, "local");
        let fstab = format!("{named} /usr ext4 defaults 0 2\n");
        let root = root().modules(Modules::AbsoluteLink).file("etc/fstab", &fstab);
        let machine = machine()?.initramfs(Initramfs::Faulty).parameter("ro");
        let mut vm = machine.disk(root).disk(usr).boot()?;
        vm.wait_for_login("own")?;
        must_say(&vm, MADE)?;
        must_be_exported(&mut vm, "cover")?;
        must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb /usr ext4 "])?;
    }
    Ok(())
}

fn not_made(root: Tiny, booted: &str, parameters: &str, reason: &str) -> Result<()> {
    let machine = machine()?.initramfs(Initramfs::Faulty).parameter(parameters);
    let mut vm = machine.disk(root.modules(Modules::Missing)).boot()?;
    vm.wait_for_login(booted)?;
    must_say(&vm, &format!("and none is made: {reason}"))?;
    let found = vm.run("ls -d /lib/modules")?;
    ensure!(found.status != 0, "there is a directory: {}", found.text);
    Ok(())
}

fn read_only() -> Result<()> {
    let mut vm = machine()?.parameter("ro").disk(root().modules(Modules::Foreign)).boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vda / ext4 ro,"])?;
    must_be_exported(&mut vm, "cover")
}

fn packed() -> Result<()> {
    let platform = Platform::new("trixie").script("cp -R -T /lib/modules /output/modules");
    let tree = platform.output(&crate::lab::guests()?, "modules")?;
    let mut vm = machine()?.platform(&platform).disk(root().tree(&tree, "lib/modules")).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "lifeboat: modules: skipped: the root already has modules for")?;
    let mounts = vm.read("cat /proc/mounts")?;
    ensure!(!mounts.contains("lib/modules"), "something is mounted:\n{mounts}");
    vm.read("ls /lib/modules/*/kernel/fs/xfs/xfs.ko.xz").map(drop)
}

fn busybox() -> Result<()> {
    let platform = Platform::new("bookworm").run_init(RunInit::Busybox);
    let mut vm = machine()?.platform(&platform).disk(root().modules(Modules::Foreign)).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "(bind, cover)")?;
    must_be_exported(&mut vm, "cover")
}

/// The kernel's whole tree takes 92 MiB, the system itself about as much.
fn little_memory(exporter: Exporter) -> Result<()> {
    let machine = machine()?.platform(&exporter.platform(Content::All)).parameter(exporter.parameter());
    let mut vm = machine.megabytes(256).disk(root().modules(Modules::Foreign)).boot()?;
    if exporter == Exporter::Recipe {
        return vm.wait_for("Out of memory");
    }
    vm.wait_for_login("own")?;
    must_be_exported(&mut vm, "cover")
}

pub(crate) fn must_be_exported(vm: &mut Vm, layout: &str) -> Result<()> {
    must_say(vm, &format!(", {layout})"))?;
    let whole = vm.read("find /lib/modules/$(uname -r)/kernel -name '*.ko*' -size +0 | wc -l")?;
    let indexed = vm.read("cat /lib/modules/$(uname -r)/modules.dep | wc -l")?;
    ensure!(whole == indexed && whole.parse::<u32>()? > 100, "{whole} of {indexed} modules are there");
    vm.read(&format!("modprobe {MODULE} && grep -w {MODULE} /proc/modules")).map(drop)
}

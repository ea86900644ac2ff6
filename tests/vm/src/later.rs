//! A script of init-bottom that comes after lifeboat's makes another root of the one that is mounted, or unmounts it.

use anyhow::Result;
use lifeboat_qemu::guest::Tiny;
use lifeboat_qemu::vm::{Machine, Vm};

use crate::failure;
use crate::lab::{machine, must_hold, must_not_say, must_say, root, volume};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("an_overlay_on_the_own_root_shows_the_modules", overlaid),
    full("an_overlay_on_a_rescue_volume_shows_the_modules_and_the_fstab", overlaid_rescue),
    full("an_init_that_comes_with_an_overlay_is_not_waited_for", || made("")),
    full("an_init_that_comes_with_an_overlay_is_booted_when_switched_off", || made("lifeboat=off")),
    full("a_root_that_is_copied_to_memory_has_the_modules", to_memory),
    full("a_rescue_volume_that_is_copied_to_memory_stays_one", rescue_to_memory),
    full("where_no_init_comes_a_volume_is_waited_for_in_the_end", no_init),
    full("a_rescue_volume_that_an_empty_root_hides_is_put_back", hidden_rescue),
    full("a_rescue_volume_that_is_moved_away_is_put_back_with_the_devices", || {
        for left in ["", BARE, FOLDER] {
            let script = format!("mkdir -p /run/moved\nmount -n -o move $rootmnt /run/moved\n{left}");
            let mut vm = scripted(machine()?, &script).disk(root()).disk(with_fstab()).boot()?;
            vm.wait_for_login("rescue")?;
            must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / ext4 rw", " /dev devtmpfs "])?;
            must_have_modules(&mut vm)?;
        }
        Ok(())
    }),
    full("a_root_that_is_made_of_an_image_hides_no_rescue_volume", || {
        let mut vm = scripted(machine()?, APPLIANCE).disk(image()).boot()?;
        vm.wait_for_login("own")?;
        must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n"])
    }),
    full("the_own_root_can_be_unmounted", || unmounted(machine()?.disk(root()), "own").map(drop)),
    full("a_rescue_volume_can_be_unmounted", || {
        let mut vm = unmounted(machine()?.disk(root()).disk(with_fstab()), "rescue")?;
        must_hold(&vm.read("cat /etc/fstab")?, &["# lifeboat: LABEL=data was not found"])
    }),
];

/// The beginning of each of the scripts.
const SCRIPT: &str = "#!/bin/sh\nmodprobe overlay\nmkdir -p /run/made\n";

/// The root becomes the lower layer of an overlay.
const OVERLAY: &str = "\
mount -t tmpfs -o mode=0755 made /run/made
mkdir /run/made/lower /run/made/upper /run/made/work
mount -n -o move $rootmnt /run/made/lower
mount -t overlay -o lowerdir=/run/made/lower,upperdir=/run/made/upper,workdir=/run/made/work made $rootmnt
";

/// The init comes with the overlay: the volume itself holds none.
const INIT: &str = "\
cat $rootmnt/made/init >$rootmnt/bin/init
$rootmnt/bin/busybox chmod 755 $rootmnt/bin/init
ln -s busybox $rootmnt/bin/sh
";

/// The root is copied to memory, and unmounted.
const MEMORY: &str = "\
mount -t tmpfs -o mode=0755 made /run/made
$rootmnt/bin/busybox cp -a $rootmnt/. /run/made/
umount $rootmnt
mount -n -o move /run/made $rootmnt
";

/// The root is made of an image that lies in what is mounted, and is empty where there is none.
const APPLIANCE: &str = "\
mount -t tmpfs -o mode=0755 made /run/made
mkdir /run/made/disk
mount -n -o move $rootmnt /run/made/disk
mount -t tmpfs -o mode=0755 made $rootmnt
mkdir $rootmnt/dev $rootmnt/proc $rootmnt/sys $rootmnt/run
if [ -e /run/made/disk/made/init ]; then
	/run/made/disk/bin/busybox cp -a /run/made/disk/. $rootmnt
	cat $rootmnt/made/init >$rootmnt/bin/init
	$rootmnt/bin/busybox chmod 755 $rootmnt/bin/init
	ln -s busybox $rootmnt/bin/sh
fi
";

/// Where udev's script cannot move /dev.
const BARE: &str = "mount -t tmpfs -o mode=0755 made $rootmnt\n";

/// Where it moves /dev, and the volume then hides it.
const FOLDER: &str = "mkdir -p $rootmnt/dev\n";

const UNMOUNT: &str = "\
umount $rootmnt && echo 'test: unmounted' >/dev/kmsg
mount -r -t ext4 $ROOT $rootmnt
";

fn scripted(machine: Machine, text: &str) -> Machine {
    machine.bottom("makes-root", &format!("{SCRIPT}{text}"))
}

fn must_have_modules(vm: &mut Vm) -> Result<()> {
    must_say(vm, "lifeboat: modules: exported ")?;
    vm.read("test -e /lib/modules/$(uname -r)/modules.dep").map(drop)
}

/// A volume whose fstab names another disk.
fn with_fstab() -> Tiny {
    volume("RESCUE").file("etc/fstab", "LABEL=data /srv ext4 defaults 0 2\n")
}

fn overlaid() -> Result<()> {
    let mut vm = scripted(machine()?, OVERLAY).disk(root()).boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["made / overlay rw"])?;
    must_have_modules(&mut vm)
}

fn overlaid_rescue() -> Result<()> {
    let mut vm = scripted(machine()?, OVERLAY).disk(root()).disk(with_fstab()).boot()?;
    vm.wait_for_login("rescue")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["made / overlay rw", " /etc/fstab "])?;
    must_hold(&vm.read("cat /etc/fstab")?, &["# lifeboat: LABEL=data was not found"])?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=rescue\n"])?;
    must_have_modules(&mut vm)
}

/// An image of a root without its init.
fn image() -> Tiny {
    let init = include_str!("../../../qemu/guest/tiny/sbin/init");
    root().without("bin/init").without("bin/sh").file("made/init", init)
}

fn made(parameter: &str) -> Result<()> {
    let mut vm =
        scripted(machine()?.parameter(parameter), &format!("{OVERLAY}{INIT}")).disk(image()).boot()?;
    vm.wait_for_login("own")?;
    must_not_say(&vm, "holds no init")?;
    must_not_say(&vm, failure::WAITING)
}

fn to_memory() -> Result<()> {
    let mut vm = scripted(machine()?, MEMORY).disk(root()).boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["made / tmpfs rw"])?;
    must_have_modules(&mut vm)
}

fn rescue_to_memory() -> Result<()> {
    let mut vm = scripted(machine()?, MEMORY).disk(root()).disk(with_fstab()).boot()?;
    vm.wait_for_login("rescue")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["made / tmpfs rw", " /etc/fstab "])?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=rescue\n"])?;
    must_not_say(&vm, "to which init was steered")
}

fn hidden_rescue() -> Result<()> {
    let mut vm = scripted(machine()?, APPLIANCE).disk(image()).disk(with_fstab()).boot()?;
    vm.wait_for_login("rescue")?;
    must_say(&vm, "was hidden")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / ext4 rw", " /etc/fstab ", " /dev devtmpfs "])?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=rescue\n", "DEVICE=/dev/vdb\n"])?;
    must_have_modules(&mut vm)
}

/// udev has ended by then, and its script has moved /dev.
fn no_init() -> Result<()> {
    let mut vm = scripted(machine()?, OVERLAY).disk(image()).boot()?;
    vm.wait_for(failure::WAITING)?;
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["the root holds no init"])?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / ext4 rw", " /dev devtmpfs "])?;
    must_have_modules(&mut vm)
}

fn unmounted(machine: Machine, booted: &str) -> Result<Vm> {
    let mut vm = scripted(machine, UNMOUNT).boot()?;
    vm.wait_for_login(booted)?;
    must_say(&vm, "test: unmounted")?;
    must_have_modules(&mut vm)?;
    Ok(vm)
}

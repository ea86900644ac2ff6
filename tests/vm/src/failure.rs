//! Roots that are missing or cannot be used: a rescue volume saves the machine, and without one it does in the
//! end what it would have done.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::{Damage, Initramfs, RunInit, Tiny};
use lifeboat_qemu::partitioned::Partition;
use lifeboat_qemu::vm::{Machine, Vm};

use crate::copy;
use crate::cover::Covers::{self, Left, Stage};
use crate::cover::Outcome::{Done, GaveBack, Ignored, Skipped};
use crate::cover::Stage::{Block, Wait};
use crate::lab::{machine, must_hold, must_not_say, must_say, root, swap, volume};
use crate::tier::{OfProduct, Test, Tier, full, gate};

/// `tests/slow/waits.rs` shows each event of a wait; here init acts on it.
pub(crate) const TESTS: &[Test] = &[
    gate(
        "a_volume_attached_while_init_waits_for_a_missing_root_is_booted",
        &[Stage(Block, Done), Left(Block, RunInit::Klibc)],
        || saved_while_init_waits(machine()?),
    ),
    gate(
        "a_finished_volume_attached_while_init_waits_is_passed_over",
        &[Stage(Block, Ignored)],
        finished_while_init_waits,
    ),
    full("a_missing_root_that_appears_is_booted", root_appears),
    full("a_missing_root_that_appears_after_another_disk_is_booted", root_appears_second),
    full("a_missing_root_that_appears_while_init_waits_is_booted", root_appears_while_init_waits),
    full("a_root_whose_uuid_is_written_in_capitals_is_booted", capitals),
    full("it_is_waited_once_in_a_boot", waits_once),
    full("enter_ends_the_wait_where_a_shell_is_allowed", || enter(Typed::OnTheFirst)),
    full("enter_on_a_console_that_init_does_not_use_ends_the_wait_too", || enter(Typed::OnTheSecond)),
    full("break_still_gives_a_shell", breaks),
    full("a_boot_that_goes_well_waits_for_nothing", goes_well),
    gate("a_volume_that_cannot_be_mounted_gives_way_to_the_own_root", &[Stage(Wait, GaveBack)], volume_fails),
    full("a_copy_that_cannot_be_mounted_gives_way_to_the_own_root", copy_fails),
    full("a_volume_that_could_not_start_is_not_chosen", not_chosen),
    full("a_volume_whose_usr_is_missing_gives_way_to_the_own_root", usr_is_missing),
    full("a_volume_whose_usr_cannot_be_mounted_gives_way_to_the_own_root", usr_cannot_be_mounted),
    full("a_copy_without_an_init_in_its_usr_gives_way_to_the_own_root", no_init_in_usr),
];

/// A fault of a root. To add a failure: a line in `FAILURES`.
#[derive(Clone, Copy)]
struct Failure {
    name: &'static str,
    machine: fn() -> Result<Machine>,
    /// The message about it.
    said: &'static str,
    /// The original root, as the rescue system is told it.
    original: &'static str,
    /// And of why it was not used.
    why: &'static str,
}

const FAILURES: &[Failure] = &[
    Failure {
        name: "whose_file_system_is_damaged",
        machine: || Ok(machine()?.disk(broken())),
        said: "Failed to mount /dev/vda as root file system.",
        original: "/dev/vda",
        why: "the root cannot be mounted",
    },
    Failure {
        name: "whose_superblock_is_destroyed",
        machine: || Ok(machine()?.disk(root().damage(Damage::Superblock)).parameter("root=/dev/vda")),
        said: "ALERT!  /dev/vda does not exist.",
        original: "/dev/vda",
        why: "root=/dev/vda is missing, or ",
    },
    Failure {
        name: "whose_file_system_is_unknown",
        machine: || {
            let swap = Partition::Swap { label: "s", uuid: "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0d01" };
            Ok(machine()?.disk(Disk::Partitioned(vec![swap])).parameter("root=/dev/vda1"))
        },
        said: "Failed to mount /dev/vda1 as root file system.",
        original: "/dev/vda1",
        why: "the root cannot be mounted",
    },
    Failure {
        name: "that_is_missing",
        machine: || Ok(machine()?.disk(volume("other"))),
        said: "ALERT!  LABEL=lifeboat-root does not exist.",
        original: "LABEL=lifeboat-root",
        why: "root=LABEL=lifeboat-root is missing, or ",
    },
    Failure {
        name: "that_is_named_wrongly",
        machine: || Ok(machine()?.disk(root()).parameter("root=/dev/vda7")),
        said: "ALERT!  /dev/vda7 does not exist.",
        original: "/dev/vda7",
        why: "root=/dev/vda7 is missing, or ",
    },
    Failure {
        name: "that_is_not_named",
        machine: || Ok(machine()?.disk(root()).parameter("root=")),
        said: "No root device specified.",
        original: "",
        why: "there is no root= on ",
    },
    Failure {
        name: "that_holds_no_init",
        machine: || Ok(machine()?.disk(root().without("bin/init").without("bin/sh"))),
        said: "/dev/vda holds no init",
        original: "/dev/vda",
        why: "the root holds no init",
    },
];

const PANICS: [&str; 3] = ["panic=-1", "panic=10", "panic="];

/// When the rescue volume is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    AtOnce,
    WhileWaiting,
    Never,
}

const MOMENTS: [Moment; 3] = [Moment::AtOnce, Moment::WhileWaiting, Moment::Never];

/// A failure, a setting of `panic=`, and when the rescue volume is there.
pub(crate) struct Case {
    number: usize,
    failure: Failure,
    panic: &'static str,
    moment: Moment,
}

/// All of them: too many for each run of the tests.
pub(crate) fn product() -> impl Iterator<Item = Case> {
    let each = FAILURES.iter().flat_map(|failure| {
        let panics = PANICS.into_iter();
        panics.flat_map(move |panic| MOMENTS.map(|moment| (*failure, panic, moment)))
    });
    each.enumerate().map(|(number, (failure, panic, moment))| Case { number, failure, panic, moment })
}

impl OfProduct for Case {
    // Each failure at each moment is in a full run, with the settings of `panic=` in turn.
    fn tier(&self) -> Tier {
        let (panics, moments) = (PANICS.len(), MOMENTS.len());
        let turn = self.number / (panics * moments) + self.number / moments + self.number % moments;
        match self.covers() {
            [] if turn.is_multiple_of(panics) => Tier::Full,
            [] => Tier::Soak,
            _ => Tier::Gate,
        }
    }

    fn covers(&self) -> &'static [Covers] {
        match (self.failure.name, self.panic, self.moment) {
            ("whose_file_system_is_damaged", "panic=-1", Moment::WhileWaiting) => {
                &[Stage(Wait, Done), Left(Wait, RunInit::Klibc)]
            }
            ("that_is_missing", "panic=-1", Moment::Never) => &[Stage(Wait, Skipped)],
            _ => &[],
        }
    }

    fn name(&self) -> String {
        let what = match self.moment {
            Moment::AtOnce => "is_saved_at_once",
            Moment::WhileWaiting => "is_saved_while_waiting",
            Moment::Never => "ends_as_ever",
        };
        let panic = match self.panic {
            "panic=" => "without_panic".to_owned(),
            panic => format!("with_{}", panic.replace("=-", "_minus_").replace('=', "_")),
        };
        format!("a_root_{}_{what}_{panic}", self.failure.name)
    }

    fn run(&self) -> Result<()> {
        let machine = (self.failure.machine)()?.parameter(self.panic);
        match self.moment {
            Moment::AtOnce => {
                let mut vm = machine.disk(volume("RESCUE")).boot()?;
                vm.wait_for_login("rescue")?;
                must_not_say(&vm, WAITING)?;
                // Nobody tried to mount the broken one.
                must_not_say(&vm, "(vda")
            }
            Moment::WhileWaiting => {
                let mut vm = machine.boot()?;
                vm.wait_for(WAITING)?;
                must_say(&vm, &format!("this machine's root cannot be used: {}", self.failure.said))?;
                must_say(&vm, "attach a volume labelled RESCUE, UEC-rescue, RESCUE_VOL")?;
                attach_and_be_saved(&mut vm, self.failure.original, self.failure.why)
            }
            Moment::Never => {
                let mut vm = machine.parameter("lifeboat.rescue=wait:2").boot()?;
                vm.wait_for(WAITING)?;
                if self.panic == "panic=" {
                    return vm.wait_for("(initramfs)");
                }
                // What init's own panic() says, and does.
                vm.wait_out("Rebooting automatically due to panic= boot argument")?;
                vm.wait_for("reboot: Restarting system")?;
                must_not_say(&vm, "(initramfs)")
            }
        }
    }
}

pub(crate) const WAITING: &str = "lifeboat: rescue: waiting ";

pub(crate) fn broken() -> Tiny {
    root().damage(Damage::Groups)
}

/// The volume is booted without a reboot.
pub(crate) fn attach_and_be_saved(vm: &mut Vm, original: &str, why: &str) -> Result<()> {
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")?;
    tell_how_quick(vm, &["rescue: booting from ", " takes the place of "])?;
    let wanted = ["BOOTED=rescue\n", &format!("REASON=\"{why}"), &format!("ORIGINAL_ROOT={original}\n")];
    let state = vm.read("cat /run/lifeboat/rescue")?;
    let wanted = wanted.iter().filter(|line| **line != "ORIGINAL_ROOT=\n").copied().collect::<Vec<_>>();
    must_hold(&state, &wanted)?;
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &[" / ext4 rw", " /lib/modules tmpfs "])?;
    ensure!(mounts.matches("/dev/vd").count() == 1, "the original root is still mounted:\n{mounts}");
    Ok(())
}

/// From the last disk's appearance to one of these lines, by the kernel's clock.
fn tell_how_quick(vm: &Vm, said: &[&str]) -> Result<()> {
    let console = vm.console.text();
    let time = |line: Option<&str>| -> Result<f64> {
        let line = line.with_context(|| format!("find the lines on the console:\n{console}"))?;
        let (_, stamp) = line.split_once("[ ").context("find the kernel's time")?;
        let (seconds, _) = stamp.split_once(']').context("find the kernel's time")?;
        seconds.trim().parse().with_context(|| format!("read the time of: {line}"))
    };
    let appeared = time(console.lines().rfind(|line| line.contains(": [vd")))?;
    let ours = |line: &&str| said.iter().any(|text| line.contains(text));
    let booted = time(console.lines().find(ours))?;
    ensure!(booted >= appeared, "it was booted before it appeared:\n{console}");
    // A figure and no limit: a busy machine delays a guest.
    crate::lab::say(&format!("from {appeared} s to {booted} s by the guest's clock"));
    Ok(())
}

pub(crate) fn saved_while_init_waits(machine: Machine) -> Result<()> {
    let mut vm = machine.inits_own_wait().disk(root()).parameter("root=LABEL=gone").boot()?;
    vm.wait_for("Waiting for root file system")?;
    attach_and_be_saved(&mut vm, "LABEL=gone", "root=LABEL=gone is missing, or ")?;
    must_say(&vm, "/dev/vdb (ext4, label RESCUE) is chosen: its label is that of a rescue volume")
}

fn finished_while_init_waits() -> Result<()> {
    let mut vm = machine()?.inits_own_wait().disk(volume("other")).boot()?;
    vm.wait_for("Waiting for root file system")?;
    vm.attach(volume("RESCUE").file("finished", ""))?;
    vm.wait_for("/dev/vdb (ext4, label RESCUE) is ignored: it holds /finished")?;
    vm.attach(root())?;
    vm.wait_for_login("own")?;
    must_not_say(&vm, WAITING)
}

fn root_appears() -> Result<()> {
    let mut vm = machine()?.disk(volume("other")).boot()?;
    vm.wait_for(WAITING)?;
    must_say(&vm, "or the disk with LABEL=lifeboat-root: it is booted at once")?;
    vm.attach(root())?;
    vm.wait_for_login("own")?;
    tell_how_quick(&vm, &["is the root that was missing; going on with it"])?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n"])
}

/// By init itself: lifeboat is not in its way.
fn root_appears_while_init_waits() -> Result<()> {
    let mut vm = machine()?.inits_own_wait().disk(volume("other")).boot()?;
    vm.wait_for("Waiting for root file system")?;
    vm.attach(root())?;
    vm.wait_for_login("own")?;
    must_not_say(&vm, WAITING)?;
    tell_how_quick(&vm, &["EXT4-fs (vdb): mounted"])
}

/// init does not find it, and we do.
const CAPITALS: &str = "root=UUID=0F7A1D52-3C1E-4F55-9D0B-5B8C2F7F0ABC";
const IN_SMALL: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0abc";

/// Without going round for ever.
fn capitals() -> Result<()> {
    let mut vm = machine()?.disk(root().uuid(IN_SMALL)).parameter(CAPITALS).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "is the root that was missing; going on with it")?;
    must_not_say(&vm, WAITING)
}

/// init looks in between, for the root could be inside the first, and gives up for the second time.
fn root_appears_second() -> Result<()> {
    let mut vm = machine()?.disk(volume("other")).parameter(CAPITALS).boot()?;
    vm.wait_for(WAITING)?;
    vm.attach(swap())?;
    vm.wait_for(&format!("looking for {CAPITALS} again"))?;
    vm.attach(root().uuid(IN_SMALL))?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdc / ext4 "])
}

fn waits_once() -> Result<()> {
    let mut vm = machine()?.disk(root()).parameter("root=/dev/vdz panic= lifeboat.rescue=wait:2").boot()?;
    for _ in 0..2 {
        vm.wait_for("ALERT!  /dev/vdz does not exist.  Dropping to a shell!")?;
        vm.wait_for("(initramfs)")?;
        vm.type_line("exit")?;
    }
    let console = vm.console.text();
    ensure!(console.matches(WAITING).count() == 1, "it was waited more than once:\n{console}");
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Typed {
    OnTheFirst,
    OnTheSecond,
}

fn enter(typed: Typed) -> Result<()> {
    let mut vm =
        machine()?.initramfs(Initramfs::Faulty).disk(broken()).parameter("panic=").second_console().boot()?;
    vm.wait_for("after that a shell (now: press Enter)")?;
    let second = vm.second.as_mut().context("have a second console")?;
    let until = Instant::now() + Duration::from_mins(1);
    for line in [
        "this machine's root cannot be used: ",
        "attach a volume labelled RESCUE, UEC-rescue, RESCUE_VOL: it is booted at once",
        "after that a shell (now: press Enter)",
    ] {
        second.wait_for(line, until)?;
    }
    if typed == Typed::OnTheSecond {
        second.send("\n")?;
    } else {
        vm.type_line("")?;
    }
    vm.wait_for("lifeboat: rescue: Enter was pressed")?;
    vm.wait_for("(initramfs)")
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

/// The own root boots at once.
fn not_chosen() -> Result<()> {
    let usr = "UUID=0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0abe";
    let fstab = format!("{usr} /usr ext4 ro 0 0\n");
    // The header of a program for arm.
    let arm = "\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0".to_owned() + &"\0".repeat(32);
    for (volume, why) in [
        (
            volume("RESCUE").file("etc/fstab", &fstab),
            format!("its /usr, {usr} in its fstab, is not on its disk"),
        ),
        (
            volume("RESCUE").file("bin/init", &arm),
            "its /sbin/init is for arm, which this kernel (".to_owned(),
        ),
        (volume("RESCUE").file("bin/init", "#!/no/such\n"), "its /sbin/init needs /no/such".to_owned()),
        // A damaged copy looks like this.
        (
            volume("RESCUE").file("bin/init", ""),
            "its /sbin/init is neither a program nor a script".to_owned(),
        ),
        (volume("RESCUE").without("dev"), "it has no directory /dev".to_owned()),
    ] {
        let mut vm = machine()?.disk(root()).disk(volume).boot()?;
        vm.wait_for_login("own")?;
        must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", &why])?;
        must_not_say(&vm, WAITING)?;
    }
    Ok(())
}

/// Boots with an own root that has a /usr of its own, and with a volume that fails once it is mounted.
fn must_give_way(volume: Disk, why: &str) -> Result<()> {
    let machine = machine()?.disk(copy::own_with_usr()).disk(volume);
    let mut vm = machine.parameter(&copy::root_by_uuid()).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, &format!("/dev/vdb1 could not be booted from: {why}"))?;
    must_say(&vm, "going on with the machine's own root")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", "\nFAILED=/dev/vdb1"])?;
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &["/dev/vda1 / ext4 ro", "/dev/vda2 /usr ext4 "])?;
    ensure!(!mounts.contains("/dev/vdb"), "something of the volume is mounted:\n{mounts}");
    ensure!(!vm.read("cat /etc/fstab")?.contains("lifeboat"), "the own root's fstab is covered");
    ensure!(vm.run("ls /run/motd.d/lifeboat")?.status != 0, "the admin is told lies");
    Ok(())
}

/// It could have been inside of something on its disk.
fn usr_is_missing() -> Result<()> {
    let fstab = "UUID=0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0abe /usr ext4 ro 0 0\n";
    let volume = Disk::Partitioned(vec![
        Partition::Tiny(volume("RESCUE").file("etc/fstab", fstab)),
        Partition::Tiny(root().damage(Damage::Member)),
    ]);
    must_give_way(volume, "ALERT!  UUID=0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0abe does not exist.")
}

fn usr_cannot_be_mounted() -> Result<()> {
    let volume = volume("RESCUE").file("etc/fstab", "/srv/usr /usr none bind 0 0\n");
    must_give_way(Disk::Partitioned(vec![Partition::Tiny(volume)]), "Failed to mount ")
}

fn no_init_in_usr() -> Result<()> {
    must_give_way(copy::without_init_in_usr(), "The rescue volume cannot be started.")
}

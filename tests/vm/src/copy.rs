//! A copy of the machine's whole disk beside it, with the same identities: Debian, all of whose fstab must lead
//! to one disk.

use anyhow::{Result, ensure};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::{Damage, Initramfs, RunInit, Tiny};
use lifeboat_qemu::partitioned::{Partition, partuuid};
use lifeboat_qemu::vm::{Machine, Vm};

use crate::cover::Covers::{Left, Stage};
use crate::cover::Outcome::{Done, LastResort};
use crate::cover::Stage::{Resolve, Wait};
use crate::lab::{machine, must_hold, must_not_say, must_say, root, volume};
use crate::tier::{Test, full, gate, soak};

pub(crate) const TESTS: &[Test] = &[
    full("that_is_finished_lends_no_partition_when_it_comes_second", || finished(own, copy)),
    full("that_is_finished_lends_no_partition_when_it_comes_first", || finished(copy, own)),
    full("that_is_active_uses_its_own_partitions", active),
    full("that_names_devices_by_links_has_its_own_usr", by_links),
    full("that_spells_its_usr_as_init_does_not_has_it", || {
        for entry in ["/usr/ ext4 defaults 0 0\n", "//usr ext4 defaults 0 0", "/usr ext4 defaults 0 0"] {
            let copy = with_entry(&format!("UUID={USR} {entry}"), volume("RESCUE"));
            must_rescue_with_its_usr(own_with_usr(), copy, "vdb")?;
        }
        Ok(())
    }),
    full("that_is_one_of_three_does_not_lead_to_the_third", || {
        let third = || with_usr(Tiny::new("other", "own"));
        let disks: [[fn() -> Disk; 3]; 2] =
            [[third, finished_with_usr, own_with_usr], [own_with_usr, finished_with_usr, third]];
        for [first, second, last] in disks {
            let mut vm =
                machine()?.disk(first()).disk(second()).disk(last()).parameter(&root_by_uuid()).boot()?;
            vm.wait_for_login("own")?;
            let mounts = vm.read("cat /proc/mounts")?;
            let [root, usr] = ["/", "/usr"].map(|point| source(&mounts, point).trim_end_matches(['1', '2']));
            ensure!(root == usr && !root.is_empty(), "the root and its /usr are on two disks:\n{mounts}");
        }
        Ok(())
    }),
    full("that_is_not_fit_is_not_taken_for_the_own_root", || {
        let unfit = || volume("RESCUE").uuid(ROOT).file("bin/init", "");
        let own = || root().uuid(ROOT);
        // Its /usr is found on the other disk alone.
        let elsewhere = || {
            with_entry(
                "/dev/vda2 /usr ext4 defaults 0 0\n",
                volume("RESCUE").without("bin/init").without("bin/sh"),
            )
        };
        for (first, second, name) in [
            (Disk::Tiny(own()), Disk::Tiny(unfit()), "vda"),
            (unfit().into(), own().into(), "vdb"),
            (own_with_usr(), elsewhere(), "vda1"),
        ] {
            let mut vm = two(first, second)?.boot()?;
            vm.wait_for_login("own")?;
            must_hold(&vm.read("cat /proc/mounts")?, &[&format!("/dev/{name} / ext4 ro")])?;
        }
        Ok(())
    }),
    full("that_is_the_only_root_is_no_rescue", own_root_with_the_label),
    gate(
        "that_is_finished_lends_no_usr_when_it_comes_second",
        &[Stage(Resolve, Done), Left(Resolve, RunInit::Klibc)],
        || usr([own_with_usr, finished_with_usr], "vda"),
    ),
    full("that_is_finished_lends_no_usr_when_it_comes_first", || {
        usr([finished_with_usr, own_with_usr], "vdb")
    }),
    full("that_is_finished_is_not_the_root_that_is_missing", || missing_root("")),
    full("that_is_refused_is_not_the_root_that_is_missing", || missing_root(REQUIRE)),
    gate("that_is_finished_and_the_only_root_is_booted_in_the_end", &[Stage(Wait, LastResort)], || {
        only_root("")
    }),
    full("that_is_refused_and_the_only_root_is_booted_in_the_end", || only_root(REQUIRE)),
    full("that_is_finished_and_the_only_root_is_booted_while_init_waits", only_root_within_inits_wait),
    full("that_is_finished_and_appears_is_not_the_root_that_was_missing", finished_appears),
    full("that_failed_gives_its_links_away", || failed([own_with_usr, failing_with_usr], "vda")),
    full("that_failed_and_comes_first_gives_its_links_away", || {
        failed([failing_with_usr, own_with_usr], "vdb")
    }),
    soak("that_is_there_without_lifeboat_is_taken_for_the_own_disk", without_lifeboat),
];

const ROOT: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b01";
const BOOT: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b02";
const SWAP: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b03";
const ESP: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b04";
/// On the machine's own disk only.
const HOME: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b05";

/// Each kind of link below /dev/disk is used.
fn fstab() -> String {
    let esp = partuuid(4);
    format!(
        "UUID={ROOT} / ext4 defaults 0 1\n\
         UUID={BOOT} /boot ext4 defaults 0 2\n\
         PARTUUID={esp} /boot/efi ext4 defaults 0 2\n\
         LABEL=swapped none swap sw 0 0\n\
         UUID={HOME} /home ext4 defaults 0 2\n"
    )
}

fn disk(label: &'static str, files: Vec<(&'static str, String)>) -> Vec<Partition> {
    vec![
        Partition::Debian { label, uuid: ROOT, files },
        Partition::Ext4 { uuid: BOOT },
        Partition::Swap { label: "swapped", uuid: SWAP },
        Partition::Ext4 { uuid: ESP },
    ]
}

fn own() -> Disk {
    let mut partitions = disk("lifeboat-root", vec![("etc/fstab", fstab())]);
    partitions.push(Partition::Ext4 { uuid: HOME });
    Disk::Partitioned(partitions)
}

fn copy() -> Disk {
    let mut files = files_of_the_copy();
    files.push(("finished", String::new()));
    Disk::Partitioned(disk("RESCUE", files))
}

fn files_of_the_copy() -> Vec<(&'static str, String)> {
    vec![("etc/fstab", fstab()), ("etc/hostname", "rescue\n".to_owned())]
}

fn two(first: Disk, second: Disk) -> Result<Machine> {
    Ok(machine()?.disk(first).disk(second).parameter(&format!("root=UUID={ROOT}")))
}

fn finished(first: fn() -> Disk, second: fn() -> Disk) -> Result<()> {
    let mut vm = two(first(), second())?.parameter(&format!("resume=UUID={SWAP}")).boot()?;
    vm.wait_for_login("own")?;
    // Only the own disk has a fifth partition.
    let own = vm.read(&format!("readlink -f /dev/disk/by-uuid/{HOME}"))?;
    let own = own.trim_end_matches('5');
    must_say(&vm, &format!("root=UUID={ROOT} is {own}1, not the ignored copy"))?;
    must_say(&vm, &format!("resume=UUID={SWAP} is {own}3, not the ignored copy"))?;
    vm.read(&format!("grep -x \"$(cat /sys/class/block/$(basename {own}3)/dev)\" /sys/power/resume"))?;
    must_be_on(&mut vm, own)?;
    must_hold(&vm.read("cat /proc/mounts")?, &[&format!("{own}5 /home ext4 ")])?;
    for (link, number) in [
        (format!("by-uuid/{ROOT}"), 1),
        (format!("by-uuid/{BOOT}"), 2),
        (format!("by-uuid/{SWAP}"), 3),
        ("by-label/swapped".to_owned(), 3),
        (format!("by-partuuid/{}", partuuid(4)), 4),
    ] {
        let leads_to = vm.read(&format!("readlink -f /dev/disk/{link}"))?;
        ensure!(leads_to == format!("{own}{number}"), "{link} leads to {leads_to}, the own disk is {own}");
    }
    Ok(())
}

/// All that the fstab names is on this disk.
fn must_be_on(vm: &mut Vm, disk: &str) -> Result<()> {
    // What the boot waits for is there at the login; swap is not waited for by it.
    vm.run("systemctl is-system-running --wait")?;
    let mounts = vm.read("cat /proc/mounts")?;
    let wanted =
        [(1, "/"), (2, "/boot"), (4, "/boot/efi")].map(|(n, point)| format!("{disk}{n} {point} ext4 rw"));
    must_hold(&mounts, &wanted.each_ref().map(String::as_str))?;
    must_hold(&vm.read("cat /proc/swaps")?, &[&format!("{disk}3 ")])
}

fn without_lifeboat() -> Result<()> {
    let mut misled = 0;
    for (first, second) in [(own(), copy()), (copy(), own())] {
        let mut vm = two(first, second)?.initramfs(Initramfs::Without).boot()?;
        vm.wait_for(" login:")?;
        if !vm.console.text().contains("\nown login:") || must_be_on(&mut vm, "/dev/vda").is_err() {
            misled += 1;
        }
    }
    ensure!(misled > 0, "both orders of the disks led to the own disk");
    Ok(())
}

fn active() -> Result<()> {
    let mut files = files_of_the_copy();
    let fstab = format!("{}LABEL=late /data ext4 defaults 0 2\n", fstab());
    files.push(("etc/fstab", fstab.clone()));
    let mut vm = two(own(), Disk::Partitioned(disk("RESCUE", files)))?.parameter("ro").boot()?;
    vm.wait_for_login("rescue")?;
    // As an array or an LVM of the original disk is there only once the rescue system has put it together.
    vm.attach(volume("late"))?;
    vm.read("udevadm wait --timeout=60 /dev/disk/by-label/late")?;
    must_be_on(&mut vm, "/dev/vdb")?;
    let mounts = vm.read("cat /proc/mounts")?;
    for other in ["/dev/vda", "/dev/vdc"] {
        ensure!(!mounts.contains(other), "something of another disk is mounted:\n{mounts}");
    }
    vm.read("touch /finished && rm /finished")?;
    let shown = vm.read("cat /etc/fstab")?;
    must_hold(&shown, &[&format!("#UUID={HOME} /home "), "#LABEL=late /data "])?;
    let below = vm.read("umount /etc/fstab; cat /etc/fstab")?;
    ensure!(below == fstab.trim_end(), "the volume's own fstab is now:\n{below}");
    let failed = vm.read("systemctl --failed --no-legend")?;
    ensure!(failed.is_empty(), "these units failed:\n{failed}");
    Ok(())
}

const USR: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b07";
const REQUIRE: &str = "require=UUID=0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b08";

/// A tiny guest's disk with a partition for /usr, which init mounts.
fn with_usr(tiny: Tiny) -> Disk {
    with_usr_at(&format!("UUID={USR}"), tiny)
}

/// The same, where the fstab has another name for /usr.
fn with_usr_at(usr: &str, tiny: Tiny) -> Disk {
    with_entry(&format!("{usr} /usr ext4 defaults 0 0\n"), tiny)
}

/// The same, with this entry for /usr.
fn with_entry(usr: &str, tiny: Tiny) -> Disk {
    // The harness's shell is below /usr and would be covered.
    let init = "#!/bin/sh\nexec </dev/ttyS0 >/dev/ttyS0 2>&1\n/bin/sh /bin/test-shell &\n\
                echo\necho \"$(cat /etc/hostname) login: \"\nwhile :; do sleep 1000; done\n";
    let shell = "exec </dev/ttyS1 >/dev/ttyS1 2>&1\nstty raw -echo\nwhile read -r number command; do\n\
                 sh -c \"$command\" </dev/null\necho \"<<$number $?>>\"\ndone\n";
    let fstab = format!("UUID={ROOT} / ext4 defaults 0 0\n{usr}");
    let tiny = tiny.uuid(ROOT).file("etc/fstab", &fstab).file("bin/test-shell", shell).file("bin/init", init);
    Disk::Partitioned(vec![Partition::Tiny(tiny), Partition::Ext4 { uuid: USR }])
}

pub(crate) fn own_with_usr() -> Disk {
    with_usr(root())
}

pub(crate) fn finished_with_usr() -> Disk {
    with_usr(volume("RESCUE").folder("finished"))
}

fn failing_with_usr() -> Disk {
    with_usr(volume("RESCUE").damage(Damage::Journal))
}

/// A copy that is mounted, and whose init is nowhere: not even in its /usr.
pub(crate) fn without_init_in_usr() -> Disk {
    with_usr(volume("RESCUE").without("bin/init").without("bin/sh"))
}

/// Whichever of the two disks udev saw last has the links.
fn by_links() -> Result<()> {
    let links = [format!("/dev/disk/by-uuid/{USR}"), format!("/dev/disk/by-partuuid/{}", partuuid(2))];
    for link in links {
        for swapped in [false, true] {
            let copy = with_usr_at(&link, volume("RESCUE"));
            let (first, second) = if swapped { (copy, own_with_usr()) } else { (own_with_usr(), copy) };
            must_rescue_with_its_usr(first, second, if swapped { "vda" } else { "vdb" })?;
        }
    }
    Ok(())
}

fn must_rescue_with_its_usr(first: Disk, second: Disk, name: &str) -> Result<()> {
    let mut vm = two(first, second)?.boot()?;
    vm.wait_for_login("rescue")?;
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &[&format!("/dev/{name}1 / ext4 "), &format!("/dev/{name}2 /usr ext4 ")])?;
    must_not_say(&vm, "init takes one of them")
}

/// The source that is mounted there.
fn source<'a>(mounts: &'a str, point: &str) -> &'a str {
    let of =
        |line: &'a str| line.split_once(' ').filter(|(_, rest)| rest.starts_with(&format!("{point} ext4 ")));
    mounts.lines().filter_map(of).map(|(source, _)| source).next_back().unwrap_or_default()
}

/// The `root=` that finds all of these disks' roots.
pub(crate) fn root_by_uuid() -> String {
    format!("root=UUID={ROOT}")
}

/// The own disk's /usr is mounted, whichever init would find first.
fn usr(disks: [fn() -> Disk; 2], own: &str) -> Result<()> {
    // It says which calls there were.
    let machine = machine()?.initramfs(Initramfs::Faulty);
    must_have_its_own_usr(machine, disks, own)
}

/// Boots with a copy beside the own disk; both have a root and a /usr of the same UUIDs.
pub(crate) fn must_have_its_own_usr(machine: Machine, disks: [fn() -> Disk; 2], own: &str) -> Result<()> {
    let [first, second] = disks;
    let mut vm = machine.disk(first()).disk(second()).parameter(&root_by_uuid()).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "test: rescue-resolve called")?;
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &[&format!("/dev/{own}1 / ext4 "), &format!("/dev/{own}2 /usr ext4 ")])
}

/// A copy that is ignored: finished, where no setting refuses it.
fn ignored(settings: &str) -> Tiny {
    let copy = volume("RESCUE").uuid(ROOT);
    if settings.is_empty() { copy.folder("finished") } else { copy }
}

/// Nothing but a copy that is ignored is there: the own disk may come a little later.
fn missing_root(settings: &str) -> Result<()> {
    let parameters = format!("root=UUID={ROOT} lifeboat.rescue={settings}");
    let mut vm = machine()?.disk(ignored(settings)).parameter(&parameters).inits_own_wait().boot()?;
    vm.wait_for("Waiting for root file system")?;
    vm.attach(root().uuid(ROOT))?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdb / ext4 "])?;
    must_not_say(&vm, "\nrescue login:")
}

/// A machine's own root may have been a rescue volume before, or have the label of one.
fn only_root(settings: &str) -> Result<()> {
    let parameters = format!("root=UUID={ROOT} lifeboat.rescue={settings}");
    must_be_the_root(machine()?.disk(ignored(settings)).parameter(&parameters))
}

fn only_root_within_inits_wait() -> Result<()> {
    must_be_the_root(machine()?.disk(ignored("")).parameter(&root_by_uuid()).inits_own_wait())
}

fn must_be_the_root(machine: Machine) -> Result<()> {
    let mut vm = machine.boot()?;
    vm.wait_out("is booted as the machine's own root (give it another label")?;
    vm.wait_for_login("rescue")?;
    must_not_say(&vm, "lifeboat: rescue: waiting ")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n"])?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vda / ext4 ro"])
}

/// Stands for an instance that is launched from a rescue volume's own image: it keeps its options and its fstab.
fn own_root_with_the_label() -> Result<()> {
    let fstab = "LABEL=RESCUE / ext4 defaults 0 1\nLABEL=data /srv ext4 defaults 0 2\n";
    for named in [format!("UUID={ROOT}"), "LABEL=RESCUE".into(), format!("/dev/disk/by-uuid/{ROOT}")] {
        let own = volume("RESCUE").uuid(ROOT).file("etc/fstab", fstab);
        let parameters = format!("root={named} ro rootflags=noatime");
        let mut vm = machine()?.disk(own).disk(volume("data")).parameter(&parameters).boot()?;
        vm.wait_for_login("rescue")?;
        must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", "already"])?;
        must_hold(&vm.read("cat /proc/mounts")?, &[" / ext4 ro,noatime"])?;
        must_hold(&vm.read("cat /etc/fstab")?, &["\nLABEL=data /srv "])?;
    }
    Ok(())
}

/// It is not taken for the missing root, and the own disk is when it appears too.
fn finished_appears() -> Result<()> {
    let mut vm = machine()?.disk(volume("other")).parameter(&format!("root=UUID={ROOT}")).boot()?;
    vm.wait_for("lifeboat: rescue: waiting ")?;
    vm.attach(finished_with_usr())?;
    vm.wait_for("/dev/vdb1 (ext4, label RESCUE) is ignored: it holds /finished")?;
    vm.attach(own_with_usr())?;
    vm.wait_for_login("own")?;
    must_say(&vm, "/dev/vdc1 (ext4, label lifeboat-root) is the root that was missing")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vdc1 / ext4 ", "/dev/vdc2 /usr ext4 "])?;
    links_lead_to(&mut vm, "vdc")
}

fn failed(disks: [fn() -> Disk; 2], own: &str) -> Result<()> {
    let [first, second] = disks;
    let mut vm = two(first(), second())?.boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "going on with the machine's own root")?;
    let mounts = vm.read("cat /proc/mounts")?;
    must_hold(&mounts, &[&format!("/dev/{own}1 / ext4 "), &format!("/dev/{own}2 /usr ext4 ")])?;
    links_lead_to(&mut vm, own)
}

/// The links as the initramfs's udev leaves them, and as the booted system's is told to make them.
fn links_lead_to(vm: &mut Vm, own: &str) -> Result<()> {
    for (link, number) in [
        (format!("by-uuid/{ROOT}"), 1),
        (format!("by-uuid/{USR}"), 2),
        (format!("by-partuuid/{}", partuuid(2)), 2),
    ] {
        let leads_to = vm.read(&format!("readlink -f /dev/disk/{link}"))?;
        ensure!(leads_to == format!("/dev/{own}{number}"), "{link} leads to {leads_to}");
    }
    let rules = vm.read("cat /run/udev/rules.d/90-lifeboat.rules")?;
    must_hold(&rules, &["OPTIONS+=\"link_priority=-100\""])?;
    ensure!(!rules.contains(&format!("/{own}|")), "the own disk gives way:\n{rules}");
    Ok(())
}

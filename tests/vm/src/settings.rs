//! Settings that are baked into the initramfs: which volume is accepted, and who may say otherwise.

use anyhow::{Result, ensure};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::Tiny;
use lifeboat_qemu::partitioned::{Partition, partuuid};
use lifeboat_qemu::run::privileged;
use lifeboat_qemu::tree::Tree;

use crate::lab::{guests, machine, must_hold, must_say, root, volume};
use crate::tier::{Test, full};

/// `tests/boot/settings.rs` shows which settings hold; here init acts on them.
pub(crate) const TESTS: &[Test] = &[
    full("a_required_partuuid_lets_that_volume_in", || boots("require=PARTUUID={own-part}", "", "rescue")),
    full("a_required_partuuid_refuses_every_other_volume", || refuses("require=PARTUUID={other}", "")),
    full("a_volume_that_is_named_is_booted_whatever_its_label", || {
        booted(volume("fixer"), "LABEL=fixer", "", "rescue")
    }),
    full("a_required_volume_is_asked_for_and_no_other_ends_the_wait", waits_for_the_required),
    full("they_get_into_the_initramfs_by_the_hook", baked_by_the_hook),
];

/// The volume's, and one that no volume has.
const OWN: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c01";
const OTHER: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c02";

/// Boots with a volume labelled RESCUE on a partition; the system that comes up must have this host name.
fn boots(baked: &str, parameter: &str, host_name: &str) -> Result<()> {
    let volume = Disk::Partitioned(vec![Partition::Tiny(volume("RESCUE").uuid(OWN))]);
    booted(volume, baked, parameter, host_name)
}

fn booted(volume: impl Into<Disk>, baked: &str, parameter: &str, host_name: &str) -> Result<()> {
    let machine = machine()?.disk(root()).disk(volume).settings(&settings(baked));
    let mut vm = machine.parameter(&format!("lifeboat.rescue={}", fill(parameter))).boot()?;
    vm.wait_for_login(host_name)
}

fn refuses(baked: &str, parameter: &str) -> Result<()> {
    let volume = Disk::Partitioned(vec![Partition::Tiny(volume("RESCUE").uuid(OWN))]);
    let machine = machine()?.disk(root()).disk(volume).settings(&settings(baked));
    let mut vm = machine.parameter(&format!("lifeboat.rescue={}", fill(parameter))).boot()?;
    vm.wait_for_login("own")?;
    let reason =
        format!("only {} is accepted (require= in the settings)", fill(baked).replace("require=", ""));
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n", "/dev/vdb1", &reason])
}

fn settings(baked: &str) -> String {
    format!("LIFEBOAT_RESCUE={}\n", fill(baked))
}

fn fill(text: &str) -> String {
    text.replace("{own}", OWN).replace("{other}", OTHER).replace("{own-part}", &partuuid(1))
}

fn waits_for_the_required() -> Result<()> {
    let machine = machine()?.disk(Tiny::new("other", "other")).parameter("root=/dev/vdz");
    let mut vm = machine.settings(&settings("require=UUID={own},wait:20")).boot()?;
    vm.wait_for("lifeboat: rescue: waiting 20 s")?;
    must_say(&vm, &format!("only UUID={OWN} is accepted"))?;
    vm.attach(volume("RESCUE").uuid(OTHER))?;
    vm.wait_for(&format!("is ignored: only UUID={OWN} is accepted"))?;
    vm.attach(volume("RESCUE").uuid(OWN))?;
    vm.wait_for_login("rescue")
}

fn baked_by_the_hook() -> Result<()> {
    let guests = guests()?;
    let tree = Tree::unpack(guests.cache(), &guests.base_tar())?;
    tree.add(&guests.packages().lifeboat, "tmp/lifeboat.deb")?;
    tree.run("apt-get install --yes --no-install-recommends /tmp/lifeboat.deb")?;
    let file = tree.path().join("etc/default/lifeboat");
    privileged("tee").arg("--append").arg(file).input(settings("require=UUID={own}")).run()?;
    tree.run("update-initramfs -u")?;
    let baked = tree
        .run("unmkinitramfs /boot/initrd.img-* /tmp/x; cat $(find /tmp/x -path '*/etc/default/lifeboat')")?;
    ensure!(baked.ends_with(&settings("require=UUID={own}")), "the initramfs's settings are:\n{baked}");
    Ok(())
}

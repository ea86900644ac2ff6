//! Platforms whose initramfs holds more, or is of another make: cryptsetup's scripts, Debian 13.

use anyhow::Result;
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::Platform;
use lifeboat_qemu::vm::Machine;

use crate::cover::Covers::By;
use crate::cover::{Generator, Journey};
use crate::lab::{guests, machine, must_hold, must_not_say, must_say, root, volume};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    full("a_locked_root_is_not_asked_for_its_passphrase_beside_a_volume", locked_with_volume),
    full("a_locked_root_is_asked_for_its_passphrase_without_a_volume", || asked_for_passphrase(locked()?)),
    full("a_locked_root_is_asked_for_its_passphrase_when_switched_off", || {
        asked_for_passphrase(locked()?.disk(volume("RESCUE")).parameter("lifeboat.rescue=off"))
    }),
    full("debian_13_boots_its_own_root", debian_13_own),
    gate(
        "debian_13_boots_a_rescue_volume",
        &[
            By(Journey::Rescue, Generator::Trixie),
            By(Journey::Modules, Generator::Trixie),
            By(Journey::Seed, Generator::Trixie),
        ],
        debian_13_rescue,
    ),
    full("debian_13_boots_a_volume_attached_while_it_waits_for_its_root", debian_13_saved),
];

const LUKS: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0e01";

/// A machine whose root is on a LUKS volume: cryptsetup-initramfs unlocks it.
fn locked() -> Result<Machine> {
    // Nothing that is looked at here is inside; a key derivation of a moment is enough.
    let script = format!(
        "echo 'root UUID={LUKS} none luks,initramfs' >/etc/crypttab
         truncate -s 32M /output/locked.img
         echo passphrase | cryptsetup luksFormat --batch-mode --uuid {LUKS} --pbkdf pbkdf2 \
             --pbkdf-force-iterations 1000 /output/locked.img"
    );
    let platform = Platform::new("bookworm").package("cryptsetup-initramfs").script(&script);
    let disk = Disk::Image(platform.output(&guests()?, "locked.img")?);
    Ok(machine()?.platform(&platform).disk(disk).parameter("root=/dev/mapper/root"))
}

const PROMPT: &str = "Please unlock disk root";

fn asked_for_passphrase(machine: Machine) -> Result<()> {
    let mut vm = machine.boot()?;
    vm.wait_for(PROMPT)
}

fn locked_with_volume() -> Result<()> {
    let mut vm = locked()?.disk(volume("RESCUE").file("etc/issue", "Tiny\n")).boot()?;
    vm.wait_for_login("rescue")?;
    must_not_say(&vm, PROMPT)?;
    let wanted =
        ["ORIGINAL_ROOT=/dev/vda\n", "ORIGINAL_TYPE=crypto_LUKS\n", &format!("ORIGINAL_UUID={LUKS}\n")];
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &wanted)?;
    let told = vm.read("cat /run/motd.d/lifeboat /etc/issue")?;
    must_hold(&told, &["inside /dev/vda (crypto_LUKS)", "cryptsetup open /dev/vda original && mount"])
}

fn debian_13() -> Result<Machine> {
    Ok(machine()?.platform(&Platform::new("trixie")))
}

fn debian_13_own() -> Result<()> {
    let mut vm = debian_13()?.disk(root()).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, "lifeboat: modules: exported ")?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=own-root\n"])
}

fn debian_13_rescue() -> Result<()> {
    let fstab = "LABEL=lifeboat-root / ext4 defaults 0 1\n";
    let machine = debian_13()?.disk(root()).disk(volume("RESCUE").file("etc/fstab", fstab));
    let mut vm = machine.parameter("ds=nocloud;s=http://10.0.2.2/").boot()?;
    vm.wait_for_login("rescue")?;
    must_hold(
        &vm.read("cat /run/lifeboat/seed /proc/mounts")?,
        &["SOURCE=nocloud\n", " /lib/modules tmpfs "],
    )?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=rescue\n", "ORIGINAL_ROOT=/dev/vda\n"])?;
    must_hold(&vm.read("cat /etc/fstab")?, &["\n/dev/vdb / ext4 defaults 0 1"])
}

fn debian_13_saved() -> Result<()> {
    let mut vm = debian_13()?.disk(root()).parameter("root=LABEL=gone").boot()?;
    vm.wait_for("lifeboat: rescue: waiting ")?;
    vm.attach(volume("RESCUE"))?;
    vm.wait_for_login("rescue")
}

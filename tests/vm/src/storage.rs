//! Partitions and file systems that user-data asks for, looked at as their user would.

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::partitioned::Partition;
use lifeboat_qemu::seed_server::SeedServer;
use lifeboat_qemu::vm::Vm;

use crate::lab::{machine, must_hold};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] =
    &[full("a_root_grows_to_the_end_of_its_disk_unless_that_is_switched_off", grows)];

const ROOT: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b21";
const META_DATA: &str = "instance-id: i-1\n";
const USER_DATA: &str = "#cloud-config\nhostname: grown\n";

/// The disk has this much more than its table knows.
const MORE: u64 = 512;

/// `etc/growroot-disabled` is there on the first boot, and taken away for the second.
fn grows() -> Result<()> {
    let seed = SeedServer::new(&[("meta-data", META_DATA), ("user-data", USER_DATA)])?;
    let files = vec![
        ("etc/growroot-disabled", String::new()),
        ("etc/fstab", format!("UUID={ROOT} / ext4 defaults 0 1\n")),
    ];
    let root = Partition::Debian { label: "lifeboat-root", uuid: ROOT, files };
    let machine = machine()?.disk(Disk::Enlarged(vec![root], MORE));
    let mut vm = machine.parameter(&format!("ds=nocloud-net;s={}", seed.url())).reboots().boot()?;
    let before = sizes(&mut vm)?;
    ensure!(before.part + (MORE << 20) <= before.disk, "the partition has no room: {before:?}");
    vm.run("rm /etc/growroot-disabled")?;
    vm.reboot()?;
    let after = sizes(&mut vm)?;
    ensure!(after.disk == before.disk && after.disk - after.part < 4 << 20, "{before:?} became {after:?}");
    // Half a gigabyte more, but for what the file system keeps for itself.
    ensure!(after.root > before.root + (MORE << 20) * 9 / 10, "{before:?} became {after:?}");
    must_hold(&vm.read("lifeboat-agent status --long")?, &["growpart", "resizefs"])?;
    let kernel = vm.read("dmesg | grep -ci 'gpt.*\\(error\\|alternate\\|mismatch\\)' || true")?;
    vm.reboot()?;
    let later = sizes(&mut vm)?;
    ensure!((later.part, later.root) == (after.part, after.root), "{after:?} became {later:?}");
    let of_later = vm.read("dmesg | grep -ci 'gpt.*\\(error\\|alternate\\|mismatch\\)' || true")?;
    ensure!(of_later == "0", "the kernel complained {kernel} times, and {of_later} times afterwards");
    Ok(())
}

/// In bytes.
#[derive(Debug)]
struct Sizes {
    disk: u64,
    part: u64,
    root: u64,
}

fn sizes(vm: &mut Vm) -> Result<Sizes> {
    vm.wait_for_login("grown")?;
    vm.run("systemctl is-system-running --wait")?;
    must_hold(&vm.read("lifeboat-agent status")?, &["status: done"])?;
    let mut number = |command: &str| -> Result<u64> {
        let said = vm.read(command)?;
        said.trim().parse().with_context(|| format!("{command}: {said}"))
    };
    Ok(Sizes {
        disk: 512 * number("cat /sys/class/block/vda/size")?,
        part: 512 * number("cat /sys/class/block/vda1/size")?,
        root: number("stat --file-system --format=%b /")? * number("stat --file-system --format=%S /")?,
    })
}

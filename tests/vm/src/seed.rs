//! The seed on the kernel command line reaches the booted system.

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::{Initramfs, RunInit};

use crate::cover::Covers::{By, Left, Stage};
use crate::cover::Outcome::Done;
use crate::cover::{Generator, Journey, Stage as stage};
use crate::lab::{machine, root};
use crate::tier::{Test, full, gate};

/// `tests/boot/seed.rs` shows which seeds are handed over; here they reach the booted system.
pub(crate) const TESTS: &[Test] = &[
    gate(
        "nocloud_is_handed_over",
        &[
            Stage(stage::Seed, Done),
            Left(stage::Seed, RunInit::Klibc),
            By(Journey::Seed, Generator::Bookworm),
        ],
        || {
            handed_over(
                "ds=nocloud;s=http://10.0.2.2/;h=web-1;i=i-1",
                "SOURCE=nocloud\nSEED_FROM=http://10.0.2.2/\nLOCAL_HOSTNAME=web-1\nINSTANCE_ID=i-1",
            )
        },
    ),
    full("is_not_handed_over_without_lifeboat", || not_handed_over(Initramfs::Without, SEED)),
];

const SEED: &str = "ds=nocloud;s=http://10.0.2.2/";

fn handed_over(parameter: &str, expected: &str) -> Result<()> {
    let mut vm = machine()?.disk(root()).parameter(parameter).boot()?;
    vm.wait_for_login("own")?;
    let seed = vm.read("cat /run/lifeboat/seed; stat -c %a-%u-%g /run/lifeboat/seed")?;
    ensure!(seed == format!("{expected}\n600-0-0"), "the hand-off is:\n{seed}");
    Ok(())
}

fn not_handed_over(initramfs: Initramfs, parameters: &str) -> Result<()> {
    let mut vm = machine()?.initramfs(initramfs).disk(root()).parameter(parameters).boot()?;
    vm.wait_for_login("own")?;
    ensure!(vm.run("ls /run/lifeboat/seed")?.status != 0, "there is a hand-off");
    Ok(())
}

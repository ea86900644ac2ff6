//! The seed on the kernel command line reaches the booted system.

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::{Initramfs, RunInit};

use crate::cover::Covers::{By, Left, Stage};
use crate::cover::Outcome::Done;
use crate::cover::{Generator, Journey, Stage as stage};
use crate::lab::{machine, root};
use crate::tier::{Test, full, gate};

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
    full("nocloud_net_with_long_names_is_handed_over", || {
        handed_over(
            "ds=nocloud-net;seedfrom=http://10.0.2.2/%s;local-hostname=web-2;instance-id=i-2",
            "SOURCE=nocloud-net\nSEED_FROM=http://10.0.2.2/%s\nLOCAL_HOSTNAME=web-2\nINSTANCE_ID=i-2",
        )
    }),
    full("cloud_config_url_is_handed_over", || {
        handed_over(
            "cloud-config-url=http://10.0.2.2/config",
            "SOURCE=cloud-config-url\nCLOUD_CONFIG_URL=http://10.0.2.2/config",
        )
    }),
    full("lifeboat_seed_is_handed_over", || {
        handed_over(
            "lifeboat.seed=http://10.0.2.2/seed/",
            "SOURCE=lifeboat.seed\nSEED_FROM=http://10.0.2.2/seed/",
        )
    }),
    full("is_not_handed_over_without_lifeboat", || not_handed_over(Initramfs::Without, SEED)),
    full("is_not_handed_over_when_switched_off", || {
        not_handed_over(Initramfs::Lifeboat, &format!("{SEED} lifeboat.seed=off"))
    }),
    full("is_not_handed_over_when_it_is_malformed", || {
        not_handed_over(Initramfs::Lifeboat, "ds=nocloud;s=ftp://x/")
    }),
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

//! Leaving the initramfs with its modules in the root: each layout of mounts, by either way, with each run-init.
//! Klibc's panics the kernel where it cannot empty the initramfs, and whichever it is must not empty the modules.

use std::fs;

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::{Modules, Platform, RunInit};

use crate::lab::{guests, machine, must_hold, must_not_say, must_say, root};
use crate::tier::{OfProduct, Tier};

/// A module that is in the initramfs, and not loaded by a boot; it needs others.
const MODULE: &str = "btrfs";

#[derive(Clone, Copy, PartialEq, Eq)]
struct Layout {
    name: &'static str,
    modules: Modules,
    folder: Option<&'static str>,
    /// The mounts in the booted system, `RELEASE` standing for the kernel's; by a copy, and bound.
    copied: &'static [&'static str],
    bound: &'static [&'static str],
}

const LAYOUTS: [Layout; 3] = [
    Layout {
        name: "mount",
        modules: Modules::None,
        folder: Some("lib/modules/RELEASE"),
        copied: &["lifeboat /lib/modules/RELEASE tmpfs"],
        bound: &[" /lib/modules/RELEASE rootfs"],
    },
    Layout {
        name: "cover",
        modules: Modules::Foreign,
        folder: None,
        copied: &["lifeboat /lib/modules tmpfs", " /lib/modules/5.0.0-foreign ext4"],
        bound: &[
            "lifeboat /lib/modules tmpfs",
            " /lib/modules/RELEASE rootfs",
            " /lib/modules/5.0.0-foreign ext4",
        ],
    },
    Layout {
        name: "overlay",
        modules: Modules::Missing,
        folder: None,
        copied: &["lifeboat /lib overlay ro", "lifeboat /lib/modules tmpfs rw"],
        bound: &[
            "lifeboat /lib overlay ro",
            "lifeboat /lib/modules tmpfs rw",
            " /lib/modules/RELEASE rootfs",
        ],
    },
];

/// A layout, a way and a run-init.
pub(crate) struct Case {
    layout: Layout,
    way: &'static str,
    run_init: RunInit,
}

/// All of them: too many for each run of the tests.
pub(crate) fn product() -> impl Iterator<Item = Case> {
    LAYOUTS.into_iter().flat_map(|layout| {
        ["bind", "copy"].into_iter().flat_map(move |way| {
            [RunInit::Klibc, RunInit::Busybox].map(|run_init| Case { layout, way, run_init })
        })
    })
}

impl OfProduct for Case {
    fn name(&self) -> String {
        let run_init = format!("{:?}", self.run_init).to_lowercase();
        format!("{run_init}s_run_init_leaves_{}_by_{}_whole", self.layout.name, self.way)
    }

    fn tier(&self) -> Tier {
        if (self.layout.name == "cover") == (self.way == "copy") { Tier::Full } else { Tier::Soak }
    }

    fn run(&self) -> Result<()> {
        let guests = guests()?;
        let platform =
            Platform::new("bookworm").run_init(self.run_init).script("ls /lib/modules >/output/release");
        let release = fs::read_to_string(platform.output(&guests, "release")?)?.trim().to_owned();
        let parameter = format!("lifeboat.modules={}", self.way);
        // A lib that will be written to is overlaid only where the agent ends that.
        let mut disk = root().modules(self.layout.modules).file("usr/bin/lifeboat-agent", "");
        if let Some(folder) = self.layout.folder {
            disk = disk.folder(&folder.replace("RELEASE", &release));
        }
        let mut vm = machine()?.platform(&platform).parameter(&parameter).disk(disk).boot()?;
        vm.wait_for_login("own")?;
        must_not_say(&vm, "nuking initramfs contents")?;
        must_say(&vm, &format!("({}, {})", self.way, self.layout.name))?;

        let mounts = vm.read("cat /proc/mounts")?;
        for wanted in if self.way == "bind" { self.layout.bound } else { self.layout.copied } {
            must_hold(&mounts, &[&wanted.replace("RELEASE", &release)])?;
        }
        let whole = vm.read(&format!("find /lib/modules/{release}/kernel -name '*.ko' -size +0 | wc -l"))?;
        let indexed = vm.read(&format!("cat /lib/modules/{release}/modules.dep | wc -l"))?;
        ensure!(whole == indexed && whole.parse::<u32>()? > 100, "{whole} of {indexed} modules are there");
        vm.read(&format!("modprobe {MODULE} && grep -w {MODULE} /proc/modules"))?;
        // dpkg, depmod and DKMS write there.
        vm.read(&format!("touch /lib/modules/{release}/new && rm /lib/modules/{release}/new")).map(drop)
    }
}

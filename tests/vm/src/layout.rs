//! Leaving the initramfs: with each run-init, from each layout of mounts that a rescue boot leaves behind.
//! Klibc's run-init refuses to go, and the kernel panics, where something is still mounted below its root.

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::{Platform, RunInit};
use lifeboat_qemu::vm::{Machine, Vm};

use crate::lab::{machine, must_hold, root, volume};
use crate::tier::{OfProduct, Tier};

const UUID: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0e01";

/// The mounts when the initramfs is left, and the boot that led to them. To add one: a line in `LAYOUTS`.
#[derive(Clone, Copy)]
struct Layout {
    name: &'static str,
    boot: fn(Machine) -> Result<Vm>,
    /// The mounts that the booted system must have.
    mounts: &'static [&'static str],
    /// The mounts that it must not have.
    no_mounts: &'static [&'static str],
    /// The lines that must be in the state.
    state: &'static [&'static str],
}

const LAYOUTS: &[Layout] = &[
    Layout {
        name: "the_own_root",
        boot: |machine| booted(machine.disk(root()), "own"),
        mounts: &["/dev/vda / ext4 "],
        no_mounts: &["/dev/vdb"],
        state: &["BOOTED=own-root\n"],
    },
    Layout {
        name: "a_steered_root",
        boot: |machine| booted(machine.disk(root()).disk(volume("RESCUE")), "rescue"),
        mounts: &["/dev/vdb / ext4 "],
        no_mounts: &["/dev/vda"],
        state: &["BOOTED=rescue\n", "ORIGINAL_ROOT=/dev/vda\n"],
    },
    // `rescue bottom` finds the mounted root useless, and puts the volume in its place.
    Layout {
        name: "a_pivoted_root",
        boot: |machine| {
            let mut vm = machine.disk(root().without("bin/init").without("bin/sh")).boot()?;
            vm.wait_for("lifeboat: rescue: waiting ")?;
            vm.attach(volume("RESCUE"))?;
            vm.wait_for_login("rescue")?;
            Ok(vm)
        },
        mounts: &["/dev/vdb / ext4 "],
        no_mounts: &["/dev/vda"],
        state: &["BOOTED=rescue\n", "ORIGINAL_ROOT=/dev/vda\n"],
    },
    Layout {
        name: "a_covered_fstab",
        boot: |machine| {
            let fstab =
                format!("UUID={UUID} / ext4 defaults 0 1\nLABEL=lifeboat-root /mnt ext4 defaults 0 2\n");
            let copy = volume("RESCUE").uuid(UUID).file("etc/fstab", &fstab);
            booted(
                machine.disk(root().uuid(UUID)).disk(copy).parameter(&format!("root=UUID={UUID}")),
                "rescue",
            )
        },
        mounts: &["/dev/vdb / ext4 ", " /etc/fstab "],
        no_mounts: &["/dev/vda"],
        state: &["BOOTED=rescue\n", "ORIGINAL_ROOT=/dev/vda\n"],
    },
];

const RUN_INITS: [RunInit; 2] = [RunInit::Klibc, RunInit::Busybox];

const PANICS: [&str; 3] = ["panic=-1", "panic=10", "panic="];

/// A layout, a run-init and a setting of `panic=`.
pub(crate) struct Case {
    layout: Layout,
    run_init: RunInit,
    panic: &'static str,
}

/// All of them: too many for each run of the tests.
pub(crate) fn product() -> impl Iterator<Item = Case> {
    LAYOUTS.iter().flat_map(|layout| {
        let run_inits = RUN_INITS.into_iter();
        run_inits.flat_map(|run_init| PANICS.map(|panic| Case { layout: *layout, run_init, panic }))
    })
}

impl OfProduct for Case {
    fn name(&self) -> String {
        let Self { layout, run_init, panic } = self;
        let run_init = format!("{run_init:?}").to_lowercase();
        let panic = match *panic {
            "panic=" => "without_panic".to_owned(),
            panic => format!("with_{}", panic.replace("=-", "_minus_").replace('=', "_")),
        };
        format!("{run_init}s_run_init_leaves_for_{}_{panic}", layout.name)
    }

    fn tier(&self) -> Tier {
        if self.panic == "panic=-1" { Tier::Full } else { Tier::Soak }
    }

    // That the run-init is the one named, the making of the initramfs has seen to.
    fn run(&self) -> Result<()> {
        let platform = Platform::new("bookworm").run_init(self.run_init);
        let mut vm = (self.layout.boot)(machine()?.platform(&platform).parameter(self.panic))?;
        let mounts = vm.read("cat /proc/mounts")?;
        must_hold(&mounts, self.layout.mounts)?;
        for other in self.layout.no_mounts {
            ensure!(!mounts.contains(other), "{other} is mounted:\n{mounts}");
        }
        must_hold(&mounts, &[" /lib/modules tmpfs "])?;
        must_hold(&vm.read("cat /run/lifeboat/rescue")?, self.layout.state)
    }
}

fn booted(machine: Machine, host_name: &str) -> Result<Vm> {
    let mut vm = machine.boot()?;
    vm.wait_for_login(host_name)?;
    Ok(vm)
}

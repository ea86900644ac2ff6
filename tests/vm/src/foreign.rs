//! Volumes whose init is for another kind of machine.

use anyhow::{Context, Result};
use lifeboat_qemu::guest::{Platform, Tiny};
use lifeboat_qemu::scratch::Scratch;
use lifeboat_qemu::vm::Machine;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::lab::{machine, must_hold, must_say, root, volume};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("an_i386_volume_is_booted_by_a_kernel_for_amd64", || {
        let machine = machine()?.only_in_qemu("its kernel runs no i386");
        boot(machine, I386, "rescue", "its label is that of a rescue volume")
    }),
    full("an_i386_volume_is_refused_where_i386_is_switched_off", || {
        // The parameter is newer than bookworm's kernel.
        let platform = Platform::new("trixie");
        let machine = machine()?.platform(&platform).parameter("ia32_emulation=0");
        boot(machine, I386, "own", "its /sbin/init is for i386, which this kernel (x86_64) does not run")
    }),
    full("a_volume_for_another_machine_is_refused", || {
        boot(
            machine()?,
            AARCH64,
            "own",
            "its /sbin/init is for aarch64, which this kernel (x86_64) does not run",
        )
    }),
];

const I386: u8 = 3;
const AARCH64: u8 = 183;

/// A program of i386: `execve("/bin/sh", {"/bin/sh", "/bin/start"}, environment)`.
const PROGRAM: &[u8] =
    b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0\x54\x80\x04\x08\x34\0\0\0\
    \0\0\0\0\0\0\0\0\x34\0\x20\0\x01\0\0\0\0\0\0\0\
    \x01\0\0\0\0\0\0\0\0\x80\x04\x08\0\x80\x04\x08\x8c\0\0\0\x8c\0\0\0\x05\0\0\0\0\x10\0\0\
    \xbb\x6c\x80\x04\x08\xb9\x80\x80\x04\x08\x8b\x04\x24\x8d\x54\x84\x08\xb8\x0b\0\0\0\xcd\x80\
    /bin/sh\0/bin/start\0\0\x6c\x80\x04\x08\x74\x80\x04\x08\0\0\0\0";

/// A rescue volume whose init is for this kind of machine, by its number in ELF.
fn foreign(scratch: &Scratch, machine: u8) -> Result<Tiny> {
    let mut program = PROGRAM.to_vec();
    *program.get_mut(18).context("find the kind of machine")? = machine;
    let path = scratch.path().join("init");
    fs::write(&path, program)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    let start = include_str!("../../../qemu/guest/tiny/sbin/init");
    Ok(volume("RESCUE").file("bin/start", start).program(&path))
}

fn boot(machine: Machine, kind: u8, booted: &str, said: &str) -> Result<()> {
    let scratch = Scratch::new()?;
    let mut vm = machine.disk(root()).disk(foreign(&scratch, kind)?).boot()?;
    vm.wait_for_login(booted)?;
    must_say(&vm, said)?;
    let decision = if booted == "rescue" { "BOOTED=rescue\n" } else { "BOOTED=own-root\n" };
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &[decision])
}

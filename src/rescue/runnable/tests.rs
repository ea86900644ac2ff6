//! Kernels and programs, and which run which.

use super::*;
use Compatibility::{Lacks, MayRun};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// An ELF file's header, and the path of a loader where it has one.
fn elf(bits: u8, machine: u16, loader: Option<&str>) -> Vec<u8> {
    let mut file = vec![0u8; 256];
    let order = if cfg!(target_endian = "big") { 2 } else { 1 };
    file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', if bits == 64 { 2 } else { 1 }, order]);
    file[18..20].copy_from_slice(&machine.to_ne_bytes());
    let Some(loader) = loader else { return file };
    let length = u32::try_from(loader.len() + 1).unwrap();
    let mut put = |offset: usize, value: u32| file[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    // The second program header is the loader's; it is at 64 + 56, or at 52 + 32.
    let fields: &[(usize, u32)] = if bits == 64 {
        &[(32, 64), (54, 56), (56, 2), (120, 3), (128, 200), (152, length)]
    } else {
        &[(28, 52), (42, 32), (44, 2), (84, 3), (88, 200), (100, length)]
    };
    for (offset, value) in fields {
        put(*offset, *value);
    }
    file[200..200 + loader.len()].copy_from_slice(loader.as_bytes());
    file
}

fn kernel(machine: &str, i386: Compatibility, x32: Compatibility) -> Kernel {
    let x32: fn() -> Compatibility = if x32 == Lacks { || Lacks } else { || MayRun };
    Kernel { machine: machine.into(), i386, x32, arm: || MayRun }
}

/// The objection to a root with these files, the first being its init.
fn against(files: &[(&str, &[u8])], extent: Extent, kernel: &Kernel) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let root = Root::open(directory.path()).unwrap();
    let init = first_init(&root).unwrap().unwrap();
    obstacle(&root, init, extent, kernel).unwrap().map_or_else(String::new, |reason| reason.to_string())
}

#[test]
fn a_kernel_runs_programs_of_its_own_kind_and_in_doubt_others() {
    // The kernel's machine, the program's bits and machine, whether it is run.
    for (machine, i386, x32, bits, number, runs) in [
        ("x86_64", MayRun, MayRun, 64, 62, true),
        ("x86_64", MayRun, MayRun, 32, 3, true),
        ("x86_64", Lacks, MayRun, 32, 3, false),
        ("x86_64", MayRun, MayRun, 32, 62, true),
        ("x86_64", MayRun, Lacks, 32, 62, false),
        ("x86_64", Lacks, Lacks, 64, 62, true),
        ("x86_64", MayRun, MayRun, 64, 183, false),
        ("x86_64", MayRun, MayRun, 32, 40, false),
        ("x86_64", MayRun, MayRun, 64, 243, false),
        ("x86_64", MayRun, MayRun, 64, 22, false),
        ("x86_64", MayRun, MayRun, 64, 9999, false),
        ("i686", MayRun, MayRun, 32, 3, true),
        ("i686", MayRun, MayRun, 64, 62, false),
        ("i686", MayRun, MayRun, 32, 62, false),
        ("aarch64", MayRun, MayRun, 64, 183, true),
        ("aarch64", MayRun, MayRun, 32, 40, true),
        ("aarch64", MayRun, MayRun, 64, 62, false),
        ("armv7l", MayRun, MayRun, 32, 40, true),
        ("armv7l", MayRun, MayRun, 64, 183, false),
        ("riscv64", MayRun, MayRun, 64, 243, true),
        ("riscv64", MayRun, MayRun, 64, 183, false),
        ("ppc64le", MayRun, MayRun, 64, 21, true),
        ("s390x", MayRun, MayRun, 64, 22, true),
        ("loongarch64", MayRun, MayRun, 64, 258, true),
        ("a new one", MayRun, MayRun, 64, 62, true),
    ] {
        let init = elf(bits, number, None);
        let said = against(&[("sbin/init", &init)], Extent::Whole, &kernel(machine, i386, x32));
        assert_eq!(said.is_empty(), runs, "{machine}, {i386:?}, {x32:?}, {bits} {number}: {said}");
    }
}

#[test]
fn a_kernel_without_x32_lacks_its_system_call() {
    for (symbols, lacks) in [
        ("", false),
        ("0000 T _text\n", false),
        ("0000 T __x64_sys_rt_sigreturn\n0000 T __ia32_sys_rt_sigreturn\n", true),
        ("0000 T __x64_sys_rt_sigreturn\n0000 T __x64_compat_sys_x32_rt_sigreturn\n", false),
        ("0000 T sys_rt_sigreturn\n0000 T compat_sys_x32_rt_sigreturn\n", false),
    ] {
        assert_eq!(lacks_x32(symbols.as_bytes()), lacks, "{symbols}");
    }
}

#[test]
fn an_arm_program_of_32_bits_is_run_where_the_processor_has_them() {
    let init = elf(32, 40, None);
    for (machine, arm, runs) in [
        ("aarch64", (|| MayRun) as fn() -> Compatibility, true),
        ("aarch64", || Lacks, false),
        // Its own programs are asked about nowhere.
        ("armv7l", || Lacks, true),
        ("x86_64", || MayRun, false),
    ] {
        let kernel = Kernel { arm, ..kernel(machine, MayRun, MayRun) };
        let said = against(&[("sbin/init", &init)], Extent::Whole, &kernel);
        assert_eq!(said.is_empty(), runs, "{machine}: {said}");
    }
    assert!(cfg!(target_arch = "aarch64") || ffi::may_run_32_bits());
}

#[test]
fn i386_can_be_switched_off_since_linux_6_7() {
    for (release, line, off) in [
        ("6.7.0", "root=/dev/vda ia32_emulation=0", true),
        ("6.12.57+deb13-cloud-amd64", "ia32_emulation=off ro", true),
        ("7.0.0", "ia32_emulation=N", true),
        ("6.10.2", "ia32_emulation=false", true),
        ("6.7.0", "ia32_emulation=1 ia32_emulation=no", true),
        ("6.7.0", "ia32_emulation=0 ia32_emulation=on", false),
        ("6.7.0", "ia32_emulation=1", false),
        ("6.7.0", "ia32_emulation=y", false),
        ("6.7.0", "ia32_emulation=", false),
        ("6.7.0", "ia32_emulation=what", false),
        ("6.7.0", "ia32_emulation", false),
        ("6.7.0", "root=/dev/vda", false),
        // An older kernel does not know it.
        ("6.6.99", "ia32_emulation=0", false),
        ("6.1.0-50-cloud-amd64", "ia32_emulation=0", false),
        ("5.10.0", "ia32_emulation=0", false),
        ("strange", "ia32_emulation=0", false),
    ] {
        assert_eq!(i386_is_off(&CommandLine::parse(line), release), off, "{release}: {line}");
    }
}

#[test]
fn the_other_order_of_bytes_is_another_kind() {
    let mut init = elf(64, 21, None);
    init[5] = 3 - init[5];
    init.swap(18, 19);
    let said = against(&[("sbin/init", &init)], Extent::Whole, &kernel("ppc64le", MayRun, MayRun));
    assert_eq!(said, "its /sbin/init is for ppc64, which this kernel (ppc64le) does not run");
}

#[test]
fn what_is_no_program_that_is_known_is_left_to_the_kernel() {
    let mut strange = elf(64, 183, None);
    strange[4] = 7;
    for init in [strange.as_slice(), b"#!sh\n"] {
        let said = against(&[("sbin/init", init)], Extent::Whole, &kernel("x86_64", MayRun, MayRun));
        assert_eq!(said, "", "{init:?}");
    }
}

#[test]
fn what_no_kernel_starts_is_told() {
    let own = elf(64, 62, None);
    let short: &[u8] = b"\x7fELF\x02\x01";
    for text in
        [b"".as_slice(), b"hello", b"echo hello\n", b"\x7fEL", short, &own[..51], b"#!", b"#! \n/bin/sh"]
    {
        let kernel = kernel("x86_64", MayRun, MayRun);
        let neither = |name: &str| format!("its {name} is neither a program nor a script");
        assert_eq!(
            against(&[("sbin/init", text)], Extent::Whole, &kernel),
            neither("/sbin/init"),
            "{text:?}"
        );
        let interpreted = [("sbin/init", b"#!/bin/sh\n".as_slice()), ("bin/sh", text)];
        assert_eq!(against(&interpreted, Extent::WithoutUsr, &kernel), neither("/bin/sh"), "{text:?}");
    }
}

#[test]
fn what_loads_or_interprets_an_init_is_looked_at_too() {
    let (own, arm) = (elf(64, 62, None), elf(64, 183, None));
    let (loaded, loaded_32) = (elf(64, 62, Some("/lib64/ld.so")), elf(32, 3, Some("/lib/ld-linux.so.2")));
    let script = b"#! /bin/sh -e\nexec true\n".as_slice();
    let foreign = |name: &str| format!("its {name} is for aarch64, which this kernel (x86_64) does not run");
    let missing = |name: &str, what: &str| format!("its {name} needs {what}, which is not there");
    let nothing = String::new;
    for (files, whole, without_usr) in [
        (vec![("sbin/init", script), ("bin/sh", &own)], nothing(), nothing()),
        (vec![("sbin/init", script), ("bin/sh", &arm)], foreign("/bin/sh"), foreign("/bin/sh")),
        (vec![("sbin/init", script)], missing("/sbin/init", "/bin/sh"), nothing()),
        (
            vec![("sbin/init", script), ("bin/sh", b"#!/usr/bin/python3"), ("usr/bin/python3", &arm)],
            foreign("/usr/bin/python3"),
            foreign("/usr/bin/python3"),
        ),
        (vec![("sbin/init", b"#!/sbin/init\n")], nothing(), nothing()),
        (vec![("sbin/init", &loaded), ("lib64/ld.so", &own)], nothing(), nothing()),
        (vec![("sbin/init", &loaded)], missing("/sbin/init", "/lib64/ld.so"), nothing()),
        (vec![("sbin/init", &loaded_32)], missing("/sbin/init", "/lib/ld-linux.so.2"), nothing()),
        // The first that may be executed is what is taken.
        (vec![("bin/sh", &own), ("etc/init", &arm)], foreign("/etc/init"), foreign("/etc/init")),
    ] {
        let files: Vec<(&str, &[u8])> = files;
        let kernel = kernel("x86_64", MayRun, MayRun);
        assert_eq!(against(&files, Extent::Whole, &kernel), whole, "{files:?}");
        assert_eq!(against(&files, Extent::WithoutUsr, &kernel), without_usr, "{files:?}");
    }
}

#[test]
fn a_link_is_followed_inside_the_volume() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sbin")).unwrap();
    symlink("/lib/systemd/systemd", directory.path().join("sbin/init")).unwrap();
    fs::create_dir_all(directory.path().join("lib/systemd")).unwrap();
    let systemd = directory.path().join("lib/systemd/systemd");
    fs::write(&systemd, elf(64, 183, None)).unwrap();
    fs::set_permissions(&systemd, fs::Permissions::from_mode(0o755)).unwrap();
    let root = Root::open(directory.path()).unwrap();
    let kernel = kernel("x86_64", MayRun, MayRun);
    assert!(obstacle(&root, first_init(&root).unwrap().unwrap(), Extent::Whole, &kernel).unwrap().is_some());
}

#[test]
fn this_kernel_runs_this_program() {
    let program = fs::read("/proc/self/exe").unwrap();
    assert!(Kernel::running().runs(Header::parse(&program).unwrap()));
}

//! Whether this kernel can start a volume's init. In doubt it can.

use super::candidate::INITS;
use crate::root::Root;
use anyhow::Result;
use std::fmt;
use std::path::Path;

/// How much of a program is read: its header, and where its loader is named.
const HEAD: usize = 4096;

/// How many interpreters may follow one another; the kernel allows as many.
const LONGEST_CHAIN: usize = 5;

/// What a kernel runs, by its machine's name.
const RUNS: &[(&[&str], &[Kind])] = &[
    (&["x86_64"], &[(64, X86_64), (32, X86_64), (32, I386)]),
    (&["i386", "i486", "i586", "i686"], &[(32, I386)]),
    (&["aarch64", "aarch64_be"], &[(64, 183), (32, 40)]),
    (&["armv5tel", "armv6l", "armv7l", "armv7b", "armv8l", "armv8b"], &[(32, 40)]),
    (&["riscv64"], &[(64, 243), (32, 243)]),
    (&["riscv32"], &[(32, 243)]),
    (&["ppc64", "ppc64le"], &[(64, 21), (32, 20)]),
    (&["ppc"], &[(32, 20)]),
    (&["s390x"], &[(64, 22), (32, 22)]),
    (&["mips", "mips64"], &[(64, 8), (32, 8)]),
    (&["loongarch64"], &[(64, 258)]),
];

/// A program's bits, and its machine's number in ELF.
type Kind = (u8, u16);

const X86_64: u16 = 62;
const I386: u16 = 3;

/// The machines' names, for whoever has the wrong volume.
const NAMES: &[(u16, &str)] = &[
    (I386, "i386"),
    (X86_64, "x86_64"),
    (8, "mips"),
    (20, "ppc"),
    (21, "ppc64"),
    (22, "s390x"),
    (40, "arm"),
    (183, "aarch64"),
    (243, "riscv"),
    (258, "loongarch64"),
];

/// The kernel that is to start it.
pub(super) struct Kernel {
    machine: String,
    i386: Compatibility,
    /// Asked only where it matters: the list of the kernel's symbols is long.
    x32: fn() -> Compatibility,
}

/// Whether a kernel for `x86_64` runs programs of another kind as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compatibility {
    /// Nothing says that it does not.
    MayRun,
    /// It does not.
    Lacks,
}

impl Compatibility {
    fn lacking(lacks: bool) -> Self {
        if lacks { Self::Lacks } else { Self::MayRun }
    }
}

/// Whether a kernel with these symbols has no x32: it would have a system call more. Some kernels list none.
fn lacks_x32(symbols: &[u8]) -> bool {
    let has = |name: &[u8]| symbols.windows(name.len()).any(|part| part == name);
    has(b"_sys_rt_sigreturn") && !has(b"x32_rt_sigreturn")
}

impl Kernel {
    /// The one that is running.
    pub(super) fn running() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).ok();
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        // This setting is made with the support for i386 alone.
        let sees_settings = text("/proc/sys/kernel/ostype").is_some();
        let lacks_i386 = sees_settings && text("/proc/sys/abi/vsyscall32").is_none();
        Self { machine, i386: Compatibility::lacking(lacks_i386), x32: Self::x32 }
    }

    fn x32() -> Compatibility {
        let read = |path: &str| std::fs::read(path).unwrap_or_default();
        // Some of Debian's kernels have x32, and have it switched off.
        let is_off = read("/sys/module/syscall/parameters/x32").trim_ascii() == b"N";
        let symbols = read("/proc/kallsyms");
        Compatibility::lacking(is_off || lacks_x32(&symbols))
    }

    fn runs(&self, header: Header) -> bool {
        let Some((_, runs)) = RUNS.iter().find(|(names, _)| names.contains(&self.machine.as_str())) else {
            return true;
        };
        let lacks = match (header.bits, header.machine) {
            (32, I386) if self.machine == "x86_64" => self.i386 == Compatibility::Lacks,
            (32, X86_64) if self.machine == "x86_64" => (self.x32)() == Compatibility::Lacks,
            _ => false,
        };
        // lifeboat itself runs in this order of bytes.
        let order = header.is_big_endian == cfg!(target_endian = "big");
        order && !lacks && runs.contains(&(header.bits, header.machine))
    }
}

/// What an ELF file says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    bits: u8,
    is_big_endian: bool,
    machine: u16,
}

impl Header {
    /// `None`: it is no ELF file, or one of an unknown kind.
    fn parse(head: &[u8]) -> Option<Self> {
        let [0x7f, b'E', b'L', b'F', class, order, ..] = head else { return None };
        let bits = match class {
            1 => 32,
            2 => 64,
            _ => return None,
        };
        let is_big_endian = match order {
            1 => false,
            2 => true,
            _ => return None,
        };
        let machine = u16::try_from(number(head, 18, 2, is_big_endian)?).ok()?;
        Some(Self { bits, is_big_endian, machine })
    }

    /// The program that loads it, as a path.
    fn loader(self, head: &[u8]) -> Option<String> {
        const PT_INTERP: u64 = 3;
        let number = |offset, length| number(head, offset, length, self.is_big_endian);
        let at = |offset, length| usize::try_from(number(offset, length)?).ok();
        let wide = self.bits == 64;
        // Where the program headers are, how long one is, and how many.
        let (table, size, count) =
            if wide { (at(32, 8)?, at(54, 2)?, at(56, 2)?) } else { (at(28, 4)?, at(42, 2)?, at(44, 2)?) };
        let mut headers = (0..count.min(64)).map_while(|place| table.checked_add(place.checked_mul(size)?));
        let header = headers.find(|offset| number(*offset, 4) == Some(PT_INTERP))?;
        let (offset, length) = if wide {
            (at(header.checked_add(8)?, 8)?, at(header.checked_add(32)?, 8)?)
        } else {
            (at(header.checked_add(4)?, 4)?, at(header.checked_add(16)?, 4)?)
        };
        let path = head.get(offset..offset.checked_add(length)?)?;
        let path = path.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(path).into_owned())
    }
}

fn number(bytes: &[u8], offset: usize, length: usize, is_big_endian: bool) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(length)?)?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if is_big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
}

/// Why the kernel cannot start it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unrunnable {
    /// It, or what is to interpret it, is for another kind of machine.
    Foreign {
        /// The file.
        program: String,
        /// What that is for.
        machine: String,
        /// The kernel's machine.
        kernel: String,
    },
    /// What is to load or to interpret it is not there.
    WithoutInterpreter {
        /// The file.
        program: String,
        /// What it needs.
        interpreter: String,
    },
}

impl fmt::Display for Unrunnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign { program, machine, kernel } => {
                write!(f, "its {program} is for {machine}, which this kernel ({kernel}) does not run")
            }
            Self::WithoutInterpreter { program, interpreter } => {
                write!(f, "its {program} needs {interpreter}, which is not there")
            }
        }
    }
}

/// Whether what is mounted is all of the volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    /// It is.
    Whole,
    /// Its /usr is not mounted yet.
    WithoutUsr,
}

/// The init that initramfs-tools takes: the first that may be executed.
pub(super) fn first_init(root: &Root) -> Result<Option<&'static str>> {
    for init in INITS {
        if root.is_program(init)? {
            return Ok(Some(init));
        }
    }
    Ok(None)
}

/// Why the kernel cannot start this program of the root's; `None`: nothing is known that speaks against it.
pub(super) fn obstacle(
    root: &Root,
    program: &str,
    extent: Extent,
    kernel: &Kernel,
) -> Result<Option<Unrunnable>> {
    let shown = |path: &str| format!("/{}", crate::kmsg::escape(path.trim_start_matches('/').as_bytes()));
    let mut program = program.to_owned();
    for _ in 0..LONGEST_CHAIN {
        let Some(head) = root.head(program.trim_start_matches('/'), HEAD)? else { return Ok(None) };
        let next = if let Some(header) = Header::parse(&head) {
            if !kernel.runs(header) {
                let name = NAMES.iter().find(|(number, _)| *number == header.machine);
                let machine = match name {
                    Some((_, "x86_64")) if header.bits == 32 => "x32".to_owned(),
                    Some((_, name)) => (*name).to_owned(),
                    None => format!("machine {}", header.machine),
                };
                let kernel = kernel.machine.clone();
                return Ok(Some(Unrunnable::Foreign { program: shown(&program), machine, kernel }));
            }
            header.loader(&head)
        } else {
            interpreter(&head)
        };
        // A loader has none itself.
        let Some(next) = next.filter(|next| next.starts_with('/')) else { return Ok(None) };
        if !root.holds(next.trim_start_matches('/'))? {
            let missing =
                Unrunnable::WithoutInterpreter { program: shown(&program), interpreter: shown(&next) };
            return Ok(Some(missing).filter(|_| extent == Extent::Whole));
        }
        program = next;
    }
    Ok(None)
}

/// What a script's first line names.
fn interpreter(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | 0)).filter(|word| !word.is_empty());
    // The kernel takes a path as it is, and this one ends with what an editor of another system left.
    Some(String::from_utf8_lossy(words.next()?).into_owned()).filter(|path| Path::new(path).is_absolute())
}

#[cfg(test)]
mod tests {
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
        let mut put =
            |offset: usize, value: u32| file[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
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
        Kernel { machine: machine.into(), i386, x32 }
    }

    /// What speaks against a root with these files, the first being its init.
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
        let short: &[u8] = b"\x7fELF\x02\x01";
        for init in [b"".as_slice(), b"hello", &strange, short, b"#!", b"#! \n", b"#!sh\n"] {
            let said = against(&[("sbin/init", init)], Extent::Whole, &kernel("x86_64", MayRun, MayRun));
            assert_eq!(said, "", "{init:?}");
        }
    }

    #[test]
    fn what_loads_or_interprets_an_init_is_looked_at_too() {
        let (own, arm) = (elf(64, 62, None), elf(64, 183, None));
        let (loaded, loaded_32) = (elf(64, 62, Some("/lib64/ld.so")), elf(32, 3, Some("/lib/ld-linux.so.2")));
        let script = b"#! /bin/sh -e\nexec true\n".as_slice();
        let foreign =
            |name: &str| format!("its {name} is for aarch64, which this kernel (x86_64) does not run");
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
        assert!(
            obstacle(&root, first_init(&root).unwrap().unwrap(), Extent::Whole, &kernel).unwrap().is_some()
        );
    }

    #[test]
    fn this_kernel_runs_this_program() {
        let program = fs::read("/proc/self/exe").unwrap();
        assert!(Kernel::running().runs(Header::parse(&program).unwrap()));
    }
}

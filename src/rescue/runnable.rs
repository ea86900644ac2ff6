//! The check that this kernel can start a volume's init. In doubt it can.

use super::candidate::INITS;
use crate::ffi;
use crate::root::Root;
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::fmt;
use std::path::Path;

/// The number of bytes that are read of a program: its header, and the name of its loader.
const HEAD: usize = 4096;

/// The most interpreters that may follow one another; the kernel allows as many.
const LONGEST_CHAIN: usize = 5;

/// The kinds of programs that a kernel runs, by its machine's name.
const RUNS: &[(&[&str], &[Kind])] = &[
    (&["x86_64"], &[(64, X86_64), (32, X86_64), (32, I386)]),
    (&["i386", "i486", "i586", "i686"], &[(32, I386)]),
    (&["aarch64", "aarch64_be"], &[(64, 183), (32, ARM)]),
    (&["armv5tel", "armv6l", "armv7l", "armv7b", "armv8l", "armv8b"], &[(32, ARM)]),
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
const ARM: u16 = 40;

/// The machines' names, for whoever has the wrong volume.
const NAMES: &[(u16, &str)] = &[
    (I386, "i386"),
    (X86_64, "x86_64"),
    (8, "mips"),
    (20, "ppc"),
    (21, "ppc64"),
    (22, "s390x"),
    (ARM, "arm"),
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
    /// Programs of 32 bits on aarch64: some processors have none.
    arm: fn() -> Compatibility,
}

/// The ability of a kernel to run programs of another kind as well.
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

/// True if a kernel with these symbols has no x32: it would have a system call more. Some kernels list none.
fn lacks_x32(symbols: &[u8]) -> bool {
    let has = |name: &[u8]| symbols.windows(name.len()).any(|part| part == name);
    has(b"_sys_rt_sigreturn") && !has(b"x32_rt_sigreturn")
}

/// True if the command line switches off i386, in a kernel that knows the parameter. See `kstrtobool` in lib/kstrtox.c.
fn i386_is_off(line: &CommandLine, release: &str) -> bool {
    const FIRST: (u32, u32) = (6, 7);
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return false };
    // A value that makes no sense changes nothing.
    let means = |value: &str| match value.as_bytes() {
        [b'y' | b'Y' | b't' | b'T' | b'1', ..] | [b'o' | b'O', b'n' | b'N', ..] => Some(true),
        [b'n' | b'N' | b'f' | b'F' | b'0', ..] | [b'o' | b'O', b'f' | b'F', ..] => Some(false),
        _ => None,
    };
    (major, minor) >= FIRST && line.value("ia32_emulation").and_then(means) == Some(false)
}

impl Kernel {
    /// The one that is running.
    pub(super) fn running() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).ok();
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        // This setting is made with the support for i386 alone.
        let sees_settings = text("/proc/sys/kernel/ostype").is_some();
        let was_built_without = sees_settings && text("/proc/sys/abi/vsyscall32").is_none();
        let line = CommandLine::parse(&text("/proc/cmdline").unwrap_or_default());
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let lacks_i386 = was_built_without || i386_is_off(&line, &release);
        Self { machine, i386: Compatibility::lacking(lacks_i386), x32: Self::x32, arm: Self::arm }
    }

    fn arm() -> Compatibility {
        Compatibility::lacking(!ffi::may_run_32_bits())
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
            (32, ARM) if self.machine.starts_with("aarch64") => (self.arm)() == Compatibility::Lacks,
            _ => false,
        };
        // lifeboat itself runs in this order of bytes.
        let order = header.is_big_endian == cfg!(target_endian = "big");
        order && !lacks && runs.contains(&(header.bits, header.machine))
    }
}

/// The properties of an ELF file by its header.
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

/// The reason why the kernel cannot start it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unrunnable {
    /// It, or what is to interpret it, is for another kind of machine.
    Foreign {
        /// The file.
        program: String,
        /// The machine that the program is for.
        machine: String,
        /// The kernel's machine.
        kernel: String,
    },
    /// The file's loader or interpreter is not there.
    WithoutInterpreter {
        /// The file.
        program: String,
        /// The file that it needs.
        interpreter: String,
    },
    /// It is neither a program nor a script: an empty file, as a damage leaves it.
    NoProgram {
        /// The file.
        program: String,
    },
    /// There is no place for the devices, and init opens its console there.
    WithoutDev,
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
            Self::NoProgram { program } => write!(f, "its {program} is neither a program nor a script"),
            Self::WithoutDev => write!(f, "it has no directory /dev, and its init would have no console"),
        }
    }
}

/// The part of the volume that is mounted.
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

/// The reason why the kernel cannot start this program of the root's; `None`: nothing is known that speaks against it.
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
        if is_no_program(&head) {
            return Ok(Some(Unrunnable::NoProgram { program: shown(&program) }));
        }
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

/// True if no kernel starts it: it is no ELF file with a whole header, and no script that names an interpreter.
fn is_no_program(head: &[u8]) -> bool {
    const SHORTEST_HEADER: usize = 52;
    if head.starts_with(b"\x7fELF") {
        return head.len() < SHORTEST_HEADER;
    }
    first_line(head).is_none_or(|line| line.iter().all(|byte| matches!(byte, b' ' | b'\t' | 0)))
}

/// The text that follows the mark of a script in its first line.
fn first_line(head: &[u8]) -> Option<&[u8]> {
    head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()
}

/// The interpreter that a script's first line names.
fn interpreter(head: &[u8]) -> Option<String> {
    let mut words =
        first_line(head)?.split(|byte| matches!(byte, b' ' | b'\t' | 0)).filter(|word| !word.is_empty());
    // The kernel takes a path as it is, and this one ends with what an editor of another system left.
    Some(String::from_utf8_lossy(words.next()?).into_owned()).filter(|path| Path::new(path).is_absolute())
}

#[cfg(test)]
mod tests;

//! User-mode Linux, the second vehicle: the same tests on a kernel that is a process, in about half of QEMU's time.
//!
//! It has no buses, no firmware, no network and one console. A machine that needs one of these runs in QEMU, as all do
//! where the package cannot be had or does not work. It is asked for by `LIFEBOAT_VEHICLE=uml`.

mod control;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Clock, Consoles, Machine, OnReboot, Vm, turn};
use crate::args::Kernel;
use crate::console::Console;
use crate::disk::{Bus, Connected, Disk};
use crate::guest::{self, Guests, Initramfs, RunInit, Tiny};
use crate::partitioned::Partition;
use crate::phase;
use crate::run;
use crate::scratch::Scratch;
pub(super) use control::Control;

/// The environment variable that chooses the vehicle: `qemu`, or `uml` for each machine that can.
pub const VEHICLE: &str = "LIFEBOAT_VEHICLE";

/// The longest time that the first boot may take.
const FIRST_BOOT: Duration = Duration::from_mins(1);

/// Starts the kernel with the working directory's C library. The shell's line, which comes as standard output, becomes
/// the file descriptor 3, because the kernel itself writes to standard output too.
const START: &str = r#"LD_LIBRARY_PATH=. exec ./linux "$@" 3<&1 >&2"#;

/// The vehicle that machines are booted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vehicle {
    Qemu,
    Uml,
}

/// The guests of user-mode Linux, or nothing where it is not available.
static GUESTS: OnceLock<Option<Guests>> = OnceLock::new();

/// The guests to boot this machine with in user-mode Linux; nothing if it is to run in QEMU.
pub(super) fn guests(machine: &Machine) -> Result<Option<Guests>> {
    if vehicle(&std::env::var_os(VEHICLE).unwrap_or_default())? == Vehicle::Qemu {
        return Ok(None);
    }
    if let Some(reason) = machine.needs_qemu() {
        phase::say(&format!("user-mode-linux: not for this machine ({reason}): it runs in QEMU"));
        return Ok(None);
    }
    let prepare = || match prepare(&machine.guests) {
        Ok(guests) => Some(guests),
        Err(err) => {
            phase::say(&format!("user-mode-linux: not available ({err:#}): these tests run in QEMU"));
            None
        }
    };
    Ok(GUESTS.get_or_init(prepare).clone())
}

fn vehicle(name: &OsStr) -> Result<Vehicle> {
    match name.to_str() {
        Some("" | "qemu") => Ok(Vehicle::Qemu),
        Some("uml") => Ok(Vehicle::Uml),
        _ => bail!("{VEHICLE} is neither qemu nor uml: {}", name.display()),
    }
}

/// Builds what is missing, and boots once on each kernel of the host.
fn prepare(guests: &Guests) -> Result<Guests> {
    let guests = guests.in_uml()?;
    let uml = guests.uml().context("find user-mode Linux")?;
    let host = std::fs::read("/proc/version").context("read /proc/version")?;
    let inputs = [uml.kernel.as_os_str().as_encoded_bytes(), &host];
    guests.cache().entry("uml-works", &inputs, |_| {
        phase::say("trying user-mode Linux");
        let machine =
            Machine::new(&guests).initramfs(Initramfs::Without).disk(Tiny::new("lifeboat-root", "tried"));
        let mut vm = machine.boot_in_uml(guests.clone())?;
        vm.patience = FIRST_BOOT;
        vm.wait_for_login("tried")?;
        let release = vm.read("uname -r")?;
        ensure!(release == guests.external_release()?, "another kernel runs: {release}");
        Ok(())
    })?;
    Ok(guests)
}

impl Machine {
    /// Keeps it in QEMU, for this reason: what the test shows is not so in user-mode Linux.
    #[must_use]
    pub fn only_in_qemu(mut self, reason: &'static str) -> Self {
        self.only_in_qemu = Some(reason);
        self
    }

    /// Why it cannot run in user-mode Linux.
    fn needs_qemu(&self) -> Option<&'static str> {
        let network = |text: &String| text.split_whitespace().any(|word| word.starts_with("ip="));
        let reasons = [
            (self.only_in_qemu.is_some(), self.only_in_qemu.unwrap_or_default()),
            (self.platform.is_some(), "it boots a platform's own kernel"),
            (self.initramfs == Initramfs::Busybox, "its initramfs has busybox's tools"),
            (self.kernel != Kernel::External, "it boots Debian's own kernel"),
            (self.consoles == Consoles::Two, "it has a second console"),
            (self.clock == Clock::Instructions, "its clock counts instructions"),
            (self.parameters.iter().any(network), "it has a network"),
            (self.disks.iter().any(is_on_another_bus), "a disk is on another bus"),
            (self.disks.iter().any(|connected| self.is_debian(&connected.disk)), "a disk holds Debian"),
        ];
        reasons.into_iter().find_map(|(holds, reason)| holds.then_some(reason))
    }

    fn is_debian(&self, disk: &Disk) -> bool {
        let guests = &self.guests;
        match disk {
            Disk::Image(path) => {
                [guests.debian_root(), guests.debian_rescue(), guests.debian_stranger()].contains(path)
            }
            Disk::Partitioned(partitions) | Disk::Enlarged(partitions, _) => {
                partitions.iter().any(|partition| matches!(partition, Partition::Debian { .. }))
            }
            Disk::Kept(_) | Disk::Tiny(_) | Disk::Nothing => false,
        }
    }

    /// Starts it in user-mode Linux with these guests, when it is its turn.
    pub(super) fn boot_in_uml(self, guests: Guests) -> Result<Vm> {
        let turn = turn(guests.cache())?;
        let scratch = Scratch::new()?;
        let folder = scratch.path();
        let errors = folder.join("errors");
        let errors = File::create(&errors).with_context(|| format!("make {}", errors.display()))?;
        let pair = || UnixStream::pair().context("make a line to the guest");
        let ((console, guests_console), (shell, guests_shell)) = (pair()?, pair()?);
        let program = self.linux(&guests, folder)?;
        let running = program.attach(guests_console.into(), guests_shell.into(), errors)?;
        let input = console.try_clone().context("type on the console")?;
        let control = Control::new(folder, shell, u32::try_from(self.disks.len())?);
        Ok(Vm {
            running,
            console: Console::new(input, console),
            second: None,
            patience: super::PATIENCE,
            shell: None,
            qmp: None,
            uml: Some(control),
            attached: 0,
            scratch,
            guests,
            // There is no busybox in its initramfs.
            run_init: Some(RunInit::Klibc),
            suite: guest::SUITE.to_owned(),
            turn: Some(turn),
        })
    }

    fn linux(&self, guests: &Guests, folder: &Path) -> Result<run::Program> {
        let uml = guests.uml().context("find user-mode Linux")?;
        let (_, mut initramfs) = guests.kernel(self.kernel, self.initramfs);
        if !self.more.is_empty() {
            initramfs = guest::with_files(&initramfs, &self.more, folder)?;
        }
        // Killed with us, however we end.
        let mut program = run::program("setpriv")
            .args(["--pdeathsig", "KILL", "sh", "-c", START, "linux"])
            .directory(&uml.kernel)
            .arg(format!("mem={}M", self.megabytes))
            .arg(format!("uml_dir={}", folder.display()))
            .arg(format!("initrd={}", initramfs.display()))
            .args(["umid=machine", "con=null", "ssl0=fd:0", "ssl1=fd:3", "ssl=null"]);
        if self.on_reboot == OnReboot::End {
            program = program.arg("noreboot");
        }
        for (number, connected) in (0..).zip(&self.disks) {
            program = program.arg(disk(number, connected, guests, folder)?);
        }
        // Tests take times from the kernel's log, which this kernel writes without.
        program = program.arg("printk.time=1");
        Ok(program.args(self.parameters.iter().flat_map(|text| text.split_whitespace())))
    }
}

fn is_on_another_bus(connected: &Connected) -> bool {
    !matches!(connected.bus, Bus::Virtio | Bus::ReadOnly)
}

/// The word with which it is connected.
fn disk(number: u32, connected: &Connected, guests: &Guests, folder: &Path) -> Result<String> {
    let (image, _) = connected.disk.image(guests, &folder.join(format!("disk{number}")))?;
    let (letter, name) = (control::letter(number)?, file_name(&image)?);
    Ok(match (connected.bus, &connected.disk) {
        (Bus::ReadOnly, _) => format!("ubd{letter}r={name}"),
        // What is written goes into a file of its own.
        (_, Disk::Image(_)) => format!("ubd{letter}={}/written{number},{name}", folder.display()),
        _ => format!("ubd{letter}={name}"),
    })
}

/// In a word for the kernel, which takes these two characters for the end of a name.
fn file_name(image: &Path) -> Result<&str> {
    let name = image.to_str().context("name the image to user-mode Linux: its path is no UTF-8")?;
    ensure!(!name.contains([',', ':']), "name {name} to user-mode Linux: it holds a comma or a colon");
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::Platform;

    type Change = fn(Machine) -> Machine;

    fn needs_qemu(change: Change) -> Option<&'static str> {
        let machine = Machine::new(&Guests::of_no_files()).disk(Tiny::new("lifeboat-root", "own"));
        change(machine).needs_qemu()
    }

    #[test]
    fn tiny_guests_need_no_qemu() {
        let changes: [Change; 4] = [
            |machine| machine,
            |machine| machine.initramfs(Initramfs::Faulty).settings("off").parameter("panic=10").reboots(),
            |machine| machine.disk_on(Bus::ReadOnly, "", Tiny::new("RESCUE", "rescue")),
            |machine| machine.disk(Disk::Image("volume.img".into())),
        ];
        for change in changes {
            assert_eq!(needs_qemu(change), None);
        }
    }

    #[test]
    fn what_user_mode_linux_has_not_needs_qemu() {
        let debian = Partition::Debian { label: "RESCUE", uuid: "", files: Vec::new() };
        let machine = Machine::new(&Guests::of_no_files()).disk(Disk::Partitioned(vec![debian]));
        assert_eq!(machine.needs_qemu(), Some("a disk holds Debian"));
        let changes: [(Change, &str); 8] = [
            (|machine| machine.only_in_qemu("it looks at PCI"), "it looks at PCI"),
            (|machine| machine.platform(&Platform::new("trixie")), "it boots a platform's own kernel"),
            (|machine| machine.kernel(Kernel::Own), "it boots Debian's own kernel"),
            (Machine::second_console, "it has a second console"),
            (|machine| machine.clock(Clock::Instructions), "its clock counts instructions"),
            (|machine| machine.parameter("root=/dev/nfs ip=dhcp"), "it has a network"),
            (
                |machine| machine.disk_on(Bus::Nvme, "", Tiny::new("RESCUE", "rescue")),
                "a disk is on another bus",
            ),
            (|machine| machine.disk(Disk::Image(Guests::of_no_files().debian_root())), "a disk holds Debian"),
        ];
        for (change, reason) in changes {
            assert_eq!(needs_qemu(change), Some(reason));
        }
    }

    #[test]
    fn the_vehicle_is_qemu_unless_it_is_asked_for_otherwise() {
        assert_eq!(vehicle(OsStr::new("")).unwrap(), Vehicle::Qemu);
        assert_eq!(vehicle(OsStr::new("qemu")).unwrap(), Vehicle::Qemu);
        assert_eq!(vehicle(OsStr::new("uml")).unwrap(), Vehicle::Uml);
        assert!(vehicle(OsStr::new("UML")).is_err());
    }

    #[test]
    fn a_name_with_a_comma_or_a_colon_is_refused() {
        assert_eq!(file_name(Path::new("/tmp/disk0/image")).unwrap(), "/tmp/disk0/image");
        assert!(file_name(Path::new("/tmp/a,b")).is_err());
        assert!(file_name(Path::new("/tmp/a:b")).is_err());
    }
}

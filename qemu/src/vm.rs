//! A machine: what it is put together from, and the guest while it runs.

mod attach;
mod ended;
mod turn;
mod uml;

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::architecture::QEMU;
use crate::args::Kernel;
use crate::console::Console;
use crate::disk::{Bus, Connected, Disk};
use crate::guest::{self, Guests, Initramfs, MoreFile, PASSWORD, Platform, RunInit};
use crate::qmp::Qmp;
use crate::run::{self, Program, Running};
use crate::scratch::Scratch;
use crate::shell::{Output, Shell};
pub use ended::{Ended, ended};
use turn::turn;
pub use uml::VEHICLE;

/// The time until a start of a guest is tried again when too many run, or to connect to one that starts.
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// The time that any one thing is waited for.
const PATIENCE: Duration = Duration::from_mins(3);

/// A machine that is not running.
#[derive(Debug, Clone)]
pub struct Machine {
    guests: Guests,
    kernel: Kernel,
    initramfs: Initramfs,
    platform: Option<Platform>,
    more: Vec<MoreFile>,
    disks: Vec<Connected>,
    parameters: Vec<String>,
    megabytes: u32,
    consoles: Consoles,
    on_reboot: OnReboot,
    clock: Clock,
    only_in_qemu: Option<&'static str>,
}

/// The thing that the guest's clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time.
    Time,
    /// Instructions: each takes a nanosecond, whatever else the host does.
    Instructions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consoles {
    One,
    Two,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnReboot {
    /// A reboot that nobody asked for would hide what went wrong.
    End,
    Boot,
}

/// A running guest, killed when this is dropped.
#[derive(Debug)]
pub struct Vm {
    // Before what it uses: fields are dropped in this order.
    running: Running,
    /// The serial console.
    pub console: Console,
    /// The second console, where there is one.
    pub second: Option<Console>,
    /// The time that any one thing is waited for; some commands take longer under emulation.
    pub patience: Duration,
    shell: Option<Shell>,
    qmp: Option<Qmp>,
    uml: Option<uml::Control>,
    attached: u32,
    scratch: Scratch,
    guests: Guests,
    run_init: Option<RunInit>,
    suite: String,
    /// `None` while it only waits: another guest may run then.
    turn: Option<File>,
}

impl Machine {
    /// A machine without disks that boots the external kernel and looks for a root labelled `lifeboat-root`.
    pub fn new(guests: &Guests) -> Self {
        Self {
            guests: guests.clone(),
            kernel: Kernel::External,
            initramfs: Initramfs::Lifeboat,
            platform: None,
            more: Vec::new(),
            disks: Vec::new(),
            // The emulated timer may come too late for the kernel's check when the host is busy.
            parameters: ["no_timer_check", "console=ttyS0", "panic=-1", "root=LABEL=lifeboat-root"]
                .map(str::to_owned)
                .to_vec(),
            megabytes: 512,
            consoles: Consoles::One,
            on_reboot: OnReboot::End,
            clock: Clock::Time,
            only_in_qemu: None,
        }
    }

    /// Attaches a disk after those there are: /dev/vda, /dev/vdb and so on.
    #[must_use]
    pub fn disk(self, disk: impl Into<Disk>) -> Self {
        let serial = format!("disk{}", self.disks.len());
        self.disk_on(Bus::Virtio, &serial, disk)
    }

    /// Attaches a disk with this serial number to another bus.
    #[must_use]
    pub fn disk_on(mut self, bus: Bus, serial: &str, disk: impl Into<Disk>) -> Self {
        self.disks.push(Connected { disk: disk.into(), bus, serial: serial.to_owned() });
        self
    }

    /// Boots another kernel.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// Boots the external kernel with another initramfs.
    #[must_use]
    pub fn initramfs(mut self, initramfs: Initramfs) -> Self {
        self.initramfs = initramfs;
        self
    }

    /// Boots a platform's kernel and initramfs.
    #[must_use]
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.platform = Some(platform.clone());
        self
    }

    /// Bakes this into the initramfs as its /etc/default/lifeboat.
    #[must_use]
    pub fn settings(mut self, text: &str) -> Self {
        self.more.push(MoreFile {
            path: "etc/default/lifeboat".into(),
            content: text.to_owned(),
            mode: 0o644,
        });
        self
    }

    /// Puts a script into init-bottom that comes after lifeboat's and before udev's.
    #[must_use]
    pub fn bottom(mut self, name: &str, text: &str) -> Self {
        let folder = "scripts/init-bottom";
        let line =
            |name: &str| format!("/{folder}/{name} \"$@\"\n[ -e /conf/param.conf ] && . /conf/param.conf\n");
        let order = ["lifeboat", "lifeboat-later", name, "udev"].map(line).concat();
        self.more.push(MoreFile { path: format!("{folder}/{name}"), content: text.to_owned(), mode: 0o755 });
        self.more.push(MoreFile { path: format!("{folder}/ORDER"), content: order, mode: 0o644 });
        self
    }

    /// Makes init wait for a missing root as long as it does for people: 30 seconds instead of a few.
    #[must_use]
    pub fn inits_own_wait(self) -> Self {
        self.parameter("test.wait=30")
    }

    /// Adds to the kernel command line; of a parameter given twice the last one counts.
    #[must_use]
    pub fn parameter(mut self, text: &str) -> Self {
        self.parameters.push(text.to_owned());
        self
    }

    /// Gives it a second console, hvc0, which is not /dev/console: the kernel writes to one serial port only.
    /// Its driver is in the faulty initramfs.
    #[must_use]
    pub fn second_console(mut self) -> Self {
        self.consoles = Consoles::Two;
        // The last one named is /dev/console.
        self.parameters.extend(["console=hvc0", "console=ttyS0"].map(str::to_owned));
        self
    }

    /// Gives it this much memory.
    #[must_use]
    pub fn megabytes(mut self, megabytes: u32) -> Self {
        self.megabytes = megabytes;
        self
    }

    /// Makes the guest's clock count something else.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Lets the guest reboot.
    #[must_use]
    pub fn reboots(mut self) -> Self {
        self.on_reboot = OnReboot::Boot;
        self
    }

    /// Starts it, when it is its turn.
    pub fn boot(self) -> Result<Vm> {
        // Before its turn: what is tried there takes turns too.
        if let Some(guests) = uml::guests(&self)? {
            return self.boot_in_uml(guests);
        }
        let turn = turn(self.guests.cache())?;
        let scratch = Scratch::new()?;
        let errors = scratch.path().join("errors");
        let errors = File::create(&errors).with_context(|| format!("make {}", errors.display()))?;
        let folder = scratch.path();
        let consoles = self.consoles;
        let mut program = self
            .qemu(folder)?
            .args(["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"])
            .arg("-serial")
            .arg(format!("unix:{}/shell,server=on,wait=off", folder.display()))
            .arg("-qmp")
            .arg(format!("unix:{}/qmp,server=on,wait=off", folder.display()));
        if consoles == Consoles::Two {
            // Not before somebody listens: nothing is to be missed.
            let socket = format!("socket,id=second,path={}/second,server=on,wait=on", folder.display());
            let device = ["-device", "virtio-serial-pci", "-device", "virtconsole,chardev=second"];
            program = program.arg("-chardev").arg(socket).args(device);
        }
        let mut running = program.spawn(errors)?;
        let second = match consoles {
            Consoles::One => None,
            Consoles::Two => Some(connect(&folder.join("second"), &mut running)?),
        };
        let input = running.child.stdin.take().context("type on the console")?;
        let output = running.child.stdout.take().context("read the console")?;
        let console = Console::new(input, output);
        let (run_init, suite) = match &self.platform {
            Some(platform) => (platform.its_run_init(), platform.suite().to_owned()),
            None if self.initramfs == Initramfs::Busybox => (Some(RunInit::Busybox), guest::SUITE.to_owned()),
            // There is no busybox in the others.
            None => (Some(RunInit::Klibc), guest::SUITE.to_owned()),
        };
        Ok(Vm {
            running,
            console,
            second,
            patience: PATIENCE,
            shell: None,
            qmp: None,
            uml: None,
            attached: 0,
            scratch,
            guests: self.guests,
            run_init,
            suite,
            turn: Some(turn),
        })
    }

    /// Starts it with its console on our terminal, and waits for its end.
    pub fn boot_here(self) -> Result<ExitStatus> {
        let turn = turn(self.guests.cache())?;
        let scratch = Scratch::new()?;
        let ended = self.qemu(scratch.path())?.args(["-serial", "mon:stdio"]).interact();
        drop(turn);
        ended
    }

    /// The command line that starts it with its console on a terminal; tiny disks are made in the folder.
    pub fn command(&self, folder: &Path) -> Result<String> {
        let program = self.qemu(folder)?.args(["-serial", "mon:stdio"]);
        Ok(program.typed())
    }

    fn qemu(&self, folder: &Path) -> Result<Program> {
        let (kernel, mut initramfs) = match &self.platform {
            Some(platform) => platform.kernel(&self.guests)?,
            None => self.guests.kernel(self.kernel, self.initramfs),
        };
        if !self.more.is_empty() {
            initramfs = guest::with_files(&initramfs, &self.more, folder)?;
        }
        // Killed with us, however we end. Never with KVM: on many machines it opens, and the guest hangs.
        let mut program = run::program("setpriv")
            .args(["--pdeathsig", "KILL", QEMU, "-accel", "tcg", "-nodefaults"])
            .args(["-no-user-config", "-display", "none", "-m"])
            .arg(self.megabytes.to_string())
            .args(["-nic", "user,model=virtio-net-pci", "-device", "virtio-rng-pci", "-kernel"])
            .arg(kernel)
            .arg("-initrd")
            .arg(initramfs)
            .arg("-append")
            .arg(self.parameters.join(" "));
        if self.clock == Clock::Instructions {
            program = program.args(["-icount", "shift=0,sleep=off"]);
        }
        if self.on_reboot == OnReboot::End {
            program = program.arg("-no-reboot");
        }
        for (number, connected) in self.disks.iter().enumerate() {
            let (image, snapshot) =
                connected.disk.image(&self.guests, &folder.join(format!("disk{number}")))?;
            program = program.args(connected.words(number, &image, snapshot));
        }
        Ok(program)
    }
}

/// The console behind a socket that qemu is about to make.
fn connect(socket: &Path, running: &mut Running) -> Result<Console> {
    while running.child.try_wait().context("look after qemu")?.is_none() {
        if let Ok(stream) = UnixStream::connect(socket) {
            let output = stream.try_clone().context("read the second console")?;
            return Ok(Console::new(stream, output));
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
    bail!("connect to {}: qemu ended", socket.display())
}

impl Vm {
    /// Waits until this is on the console; the error holds all that is there.
    pub fn wait_for(&mut self, wanted: &str) -> Result<()> {
        let seen = self.console.wait_for(wanted, Instant::now() + self.patience);
        seen.map_err(|err| self.complained(err))
    }

    /// Waits for what comes when a time is over, and lets another guest run meanwhile.
    pub fn wait_out(&mut self, wanted: &str) -> Result<()> {
        self.turn = None;
        self.wait_for(wanted)?;
        self.turn = Some(turn(self.guests.cache())?);
        Ok(())
    }

    /// Waits for the login prompt of the guest with this host name.
    pub fn wait_for_login(&mut self, host_name: &str) -> Result<()> {
        self.shell = None;
        self.wait_for(&format!("\n{host_name} login:"))
    }

    /// Types on the console.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.console.send(&format!("{line}\n"))
    }

    /// Logs in as root on the console, and gives what is shown until the prompt.
    pub fn log_in(&mut self) -> Result<String> {
        let before = self.console.text().len();
        self.console.send("root\n")?;
        self.wait_for("Password:")?;
        self.console.send(&format!("{PASSWORD}\n"))?;
        self.wait_for(":~#")?;
        Ok(self.console.text().split_off(before))
    }

    /// Runs a command line as root in the guest.
    pub fn run(&mut self, command: &str) -> Result<Output> {
        let until = Instant::now() + self.patience;
        let output = self.shell(until).and_then(|shell| shell.run(command, until));
        output.map_err(|err| self.complained(anyhow!("{err:#}; the console:\n{}", self.console.text())))
    }

    /// Runs a command line that must succeed, and gives what it writes.
    pub fn read(&mut self, command: &str) -> Result<String> {
        let output = self.run(command)?;
        if output.status != 0 {
            bail!(
                "`{command}` in the guest ended with {}:\n{}\nthe console:\n{}",
                output.status,
                output.text,
                self.console.text()
            );
        }
        Ok(output.text.trim_end().to_owned())
    }

    /// Reboots the guest from within, and waits until it is down.
    pub fn reboot(&mut self) -> Result<()> {
        let until = Instant::now() + self.patience;
        // Busybox without its init knows only the second way. An answer may not come any more.
        self.shell(until)?.send("sync; systemctl reboot || reboot -f")?;
        self.wait_for("reboot: Restarting system")
    }

    /// Switches the guest off from within, and waits until it is down: what was written is on its disks.
    pub fn power_off(&mut self) -> Result<()> {
        let until = Instant::now() + self.patience;
        self.shell(until)?.send("sync; systemctl poweroff || poweroff -f")?;
        self.wait_for("reboot: Power down")
    }

    fn shell(&mut self, until: Instant) -> Result<&mut Shell> {
        let shell = match self.shell.take() {
            Some(shell) => shell,
            None => match &self.uml {
                Some(uml) => Shell::greet(uml.shell()?, until)?,
                None => Shell::connect(&self.scratch.path().join("shell"), until)?,
            },
        };
        Ok(self.shell.insert(shell))
    }

    /// The machine that it was made of; its external kernel is that of the vehicle.
    pub fn guests(&self) -> &Guests {
        &self.guests
    }

    /// Adds what the vehicle itself complained of.
    fn complained(&self, err: anyhow::Error) -> anyhow::Error {
        let text = std::fs::read_to_string(self.scratch.path().join("errors")).unwrap_or_default();
        let process = self.running.child.id();
        if text.is_empty() { err } else { err.context(format!("process {process} says:\n{text}")) }
    }
}

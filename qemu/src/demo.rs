//! `cargo vm demo`: a Debian guest goes through all three journeys.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::args::DemoArgs;
use crate::disk::Disk;
use crate::guest::Guests;
use crate::seed_server::SeedServer;
use crate::vm::{Machine, Vm};
use crate::{cache, phase, run, workspace};

/// A module that the initramfs has, and that no boot loads.
const MODULE: &str = "xfs";

const META_DATA: &str = "instance-id: demo-1\n";
const USER_DATA: &str = "#cloud-config
hostname: seeded
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdemodemodemodemodemodemodemodemodemodemodemo you@home
write_files:
  - path: /etc/demo.conf
    content: from the seed
runcmd:
  - echo a script ran on $(hostname) >/var/log/demo
";

/// The results, step by step.
#[derive(Debug, Default)]
struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    step: &'static str,
    seen: Result<String>,
    seconds: f64,
}

/// Runs all steps, shows the table, and fails when any step did.
pub fn run(args: &DemoArgs) -> Result<ExitCode> {
    let guests = Guests::build()?;
    let folder = workspace().join("target/demo");
    cache::remove_tree(&folder)?;
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let copy = |from: PathBuf, name: &str| -> Result<Disk> {
        let to = folder.join(name);
        run::program("cp").args(["--sparse=always", "--reflink=auto"]).args([&from, &to]).run()?;
        Ok(Disk::Kept(to))
    };
    let own = copy(guests.debian_root(), "own.img")?;
    let rescue = copy(guests.debian_rescue(), "rescue.img")?;

    let mut report = Report::default();
    let seed = SeedServer::new(&[("meta-data", META_DATA), ("user-data", USER_DATA)])?;
    let seeded =
        Machine::new(&guests).disk(own.clone()).parameter(&format!("ds=nocloud-net;s={}", seed.url()));
    let with_volume = Machine::new(&guests).disk(own).disk(rescue).reboots();
    // What a failed step leaves out is in the table; the second machine is independent of the first.
    let failed = [
        with_seed(&mut report, seeded, &guests).is_err(),
        on_a_volume(&mut report, with_volume.clone()).is_err(),
    ];

    phase::say(&format!("the demo is over\n\n{}", report.table()));
    if args.keep {
        phase::say(&format!(
            "the disks are in {}; to go on by hand (user root, password {}; ctrl-a x ends it):\n{}",
            folder.display(),
            crate::guest::PASSWORD,
            with_volume.command(&folder)?
        ));
    } else {
        cache::remove_tree(&folder)?;
    }
    Ok(if failed.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Modules and seed, on the machine's own root.
fn with_seed(report: &mut Report, machine: Machine, guests: &Guests) -> Result<(), Failed> {
    let release = guests.external_release();
    let mut vm = report.step("the platform's kernel boots", || {
        let mut vm = machine.boot()?;
        vm.wait_for_login("seeded")?;
        let running = vm.read("uname -r")?;
        ensure!(running == release?, "{running} runs");
        Ok((vm, running))
    })?;
    report.see("modules: exported to the root", || {
        vm.read("findmnt /usr/lib/modules/$(uname -r) >/dev/null && find /lib/modules/$(uname -r)/ -type f | wc -l")
            .map(|files| format!("{files} files at /lib/modules"))
    })?;
    report.see("modules: modprobe works", || {
        vm.read(&format!("modprobe {MODULE} && grep ^{MODULE} /proc/modules | cut -d' ' -f1,2,5"))
    })?;
    report.see("seed: host name", || said(&mut vm, "hostname", "seeded"))?;
    report.see("seed: key", || vm.read("grep -ho 'you@home' /home/debian/.ssh/authorized_keys"))?;
    report.see("seed: file", || said(&mut vm, "cat /etc/demo.conf", "from the seed"))?;
    report.see("seed: script", || {
        vm.run("systemctl is-system-running --wait")?;
        said(&mut vm, "cat /var/log/demo", "a script ran on seeded")
    })?;
    report.see("the machine is switched off", || vm.power_off().map(|()| "its disk is kept".into()))
}

/// Rescue, and back.
fn on_a_volume(report: &mut Report, machine: Machine) -> Result<(), Failed> {
    let mut vm = report.step("rescue: the volume is booted", || {
        let mut vm = machine.boot()?;
        vm.wait_for_login("rescue")?;
        let mounted = vm.read("grep ' / ' /proc/mounts")?;
        ensure!(mounted.starts_with("/dev/vdb "), "{mounted}");
        Ok((vm, "/dev/vdb is the root".into()))
    })?;
    report.see("rescue: the admin is told", || {
        let shown = vm.log_in()?;
        let lines = ["RESCUE", "original root"].map(|text| shown.lines().find(|line| line.contains(text)));
        let [Some(banner), Some(original)] = lines else { anyhow::bail!("at the login is shown:\n{shown}") };
        Ok(format!("{} {}", banner.trim(), original.trim()))
    })?;
    report.see("rescue: finished, reboot", || {
        vm.read("touch /finished")?;
        vm.reboot()?;
        Ok("/finished is on the volume".into())
    })?;
    report.see("rescue: back on the own root", || {
        vm.wait_for_login("seeded")?;
        let mounted = vm.read("grep ' / ' /proc/mounts && ls /dev/vdb")?;
        ensure!(mounted.starts_with("/dev/vda "), "{mounted}");
        let reason = vm.read("grep ^REASON= /run/lifeboat/rescue")?;
        Ok(reason.trim_start_matches("REASON=").trim_matches('"').to_owned())
    })
}

fn said(vm: &mut Vm, command: &str, expected: &str) -> Result<String> {
    let text = vm.read(command)?;
    ensure!(text == expected, "`{command}` says `{text}`, not `{expected}`");
    Ok(text)
}

/// A step failed; the report holds why.
#[derive(Debug)]
struct Failed;

impl Report {
    /// A step that gives something besides what was seen.
    fn step<T>(
        &mut self,
        step: &'static str,
        run: impl FnOnce() -> Result<(T, String)>,
    ) -> Result<T, Failed> {
        let start = Instant::now();
        let result = run();
        let (value, seen) = match result {
            Ok((value, seen)) => (Some(value), Ok(seen)),
            Err(err) => (None, Err(err)),
        };
        let seconds = start.elapsed().as_secs_f64();
        phase::say(&match &seen {
            Ok(seen) => format!("{step}: {seen}"),
            Err(err) => format!("{step}: FAILED: {err:#}"),
        });
        self.rows.push(Row { step, seen, seconds });
        value.ok_or(Failed)
    }

    fn see(&mut self, step: &'static str, run: impl FnOnce() -> Result<String>) -> Result<(), Failed> {
        self.step(step, || Ok(((), run()?)))
    }

    fn table(&self) -> String {
        let mut text = format!("{:<32} {:<70} {:>7}\n", "step", "seen", "seconds");
        for Row { step, seen, seconds } in &self.rows {
            let seen = match seen {
                Ok(seen) => first_line(seen),
                Err(err) => format!("FAILED: {}", first_line(&format!("{err:#}"))),
            };
            // Writing to a String cannot fail.
            writeln!(text, "{step:<32} {seen:<70} {seconds:>7.1}").unwrap_or_default();
        }
        let failed = self.rows.iter().filter(|row| row.seen.is_err()).count();
        writeln!(text, "\n{} steps, {failed} failed", self.rows.len()).unwrap_or_default();
        text
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(70).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_told_in_the_table() {
        let mut report = Report::default();
        assert!(report.see("works", || Ok("this\nand that".into())).is_ok());
        assert!(report.see("breaks", || anyhow::bail!("no such thing\nlong console")).is_err());
        let table = report.table();
        assert!(table.contains("works                            this   "), "{table}");
        assert!(table.contains("FAILED: no such thing   "), "{table}");
        assert!(table.ends_with("2 steps, 1 failed\n"), "{table}");
    }
}

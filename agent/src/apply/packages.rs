//! Packages, with the locks and the failures of apt.

use super::{Patience, run_and_quote};
use crate::plan::{PackageWork, Packages};
use crate::report::Report;
use crate::root::Root;
use anyhow::{Result, bail};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// The lists of packages are as new as this boot.
const UPDATED: &str = "run/cloud-init/packages-updated";

/// In the order in which apt takes them.
const LOCKS: [&str; 4] = [
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/lock",
    "var/cache/apt/archives/lock",
    "var/lib/apt/lists/lock",
];

/// Unattended upgrades of an old image may take their time at boot.
const LONGEST_WAIT: Duration = Duration::from_mins(30);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A name that apt does not know is the most frequent fault. It costs all others of the same call.
const UNKNOWN: &str = "Unable to locate package ";

/// Does the work. Packages that can be installed are, whatever others cost.
pub(super) fn carry_out(
    packages: &Packages,
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let call = |argv: &[String], report: &mut Report| call(argv, patience, root, report);
    match &packages.work {
        PackageWork::UpdateOnce if root.holds(UPDATED)? => Ok(()),
        PackageWork::UpdateOnce | PackageWork::Update => {
            root.remove(UPDATED)?;
            call(&packages.argv(), report)?;
            root.write(UPDATED, b"", 0o644)
        }
        PackageWork::Upgrade => call(&packages.argv(), report),
        PackageWork::Install(names) => install(packages, names, patience, root, report),
    }
}

fn install(
    packages: &Packages,
    names: &[String],
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let mut left = names.to_vec();
    let mut failed: Vec<String> = Vec::new();
    while !left.is_empty() {
        let Err(error) = call(&packages.installing(&left), patience, root, report) else { break };
        let said = format!("{error:#}");
        if left.len() == 1 {
            failed.extend(left.pop().map(|name| format!("{name} is not installed: {said}")));
            break;
        }
        let (unknown, known): (Vec<_>, Vec<_>) = left.into_iter().partition(|name| is_unknown(name, &said));
        if unknown.is_empty() {
            // One after another: what fails is known by its name, then.
            for name in known {
                if let Err(error) =
                    call(&packages.installing(std::slice::from_ref(&name)), patience, root, report)
                {
                    failed.push(format!("{name} is not installed: {error:#}"));
                }
            }
            break;
        }
        failed
            .extend(unknown.iter().map(|name| format!("{name} is not installed: apt knows no such package")));
        left = known;
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(())
}

/// True if apt said that it does not know this package.
fn is_unknown(name: &str, said: &str) -> bool {
    let name = name.split(['=', '/']).next().unwrap_or_default();
    said.split(UNKNOWN).skip(1).any(|rest| rest.split_whitespace().next() == Some(name))
}

/// Calls apt-get once nobody else does.
fn call(argv: &[String], patience: Patience, root: &Root, report: &mut Report) -> Result<()> {
    let end = Instant::now() + LONGEST_WAIT;
    loop {
        wait(end, root, report)?;
        let environment = [("DEBIAN_FRONTEND", "noninteractive"), ("LC_ALL", "C.UTF-8")];
        let called = run_and_quote(argv, None, &environment, patience, root, report, last_lines);
        // Somebody else may have been quicker.
        if called.is_err() && holder(root)?.is_some() && Instant::now() < end {
            continue;
        }
        return called;
    }
}

/// Waits until nobody holds a lock of apt's.
fn wait(end: Instant, root: &Root, report: &mut Report) -> Result<()> {
    let mut is_told = false;
    while let Some(lock) = holder(root)? {
        if Instant::now() >= end {
            bail!("gave up after {} minutes: another process holds /{lock}", LONGEST_WAIT.as_secs() / 60);
        }
        if !is_told {
            report.info(&format!("waiting: another process holds /{lock}"));
            is_told = true;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// The lock of apt's that another process holds.
fn holder(root: &Root) -> Result<Option<&'static str>> {
    for lock in LOCKS {
        if !root.holds(lock)? {
            continue;
        }
        // Closing it gives it back.
        match fcntl_lock(&root.open_log(lock, 0o640)?, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(Some(lock)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The last lines of apt's output, and errors before others.
fn last_lines(output: &str) -> Vec<&str> {
    const MOST_LINES: usize = 3;
    let lines: Vec<_> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_error = |line: &&&str| line.starts_with("E: ") || line.starts_with("dpkg: error");
    let errors: Vec<_> = lines.iter().filter(is_error).copied().collect();
    // The last error of a failed script's only says that dpkg had one.
    let lines = if errors.iter().any(|line| line.starts_with("E: Sub-process")) || errors.is_empty() {
        lines
    } else {
        errors
    };
    let skipped = lines.len().saturating_sub(MOST_LINES);
    lines.into_iter().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_unknown_where_apt_says_so() {
        let said = "it ended with exit status: 100; it said: E: Unable to locate package nosuch";
        assert!(is_unknown("nosuch", said) && is_unknown("nosuch=1", said));
        assert!(!is_unknown("no", said) && !is_unknown("tree", said));
        assert!(!is_unknown("tree", "E: Version '7' for 'tree' was not found"));
    }

    #[test]
    fn the_lines_that_name_the_fault_are_quoted() {
        for (output, quoted) in [
            (
                "Reading package lists...\nE: Unable to locate package a\n",
                &["E: Unable to locate package a"][..],
            ),
            (
                "Setting up b (1) ...\nboo\nErrors were encountered while processing:\n b\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n",
                &[
                    "Errors were encountered while processing:",
                    "b",
                    "E: Sub-process /usr/bin/dpkg returned an error code (1)",
                ],
            ),
            ("one\n\ntwo\n", &["one", "two"]),
            ("", &[]),
        ] {
            assert_eq!(last_lines(output), quoted);
        }
    }

    /// A root on which `apt-get` is a script.
    struct Machine {
        directory: tempfile::TempDir,
        root: Root,
    }

    impl Machine {
        fn new(script: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = Root::open(directory.path()).unwrap();
            root.write("apt-get", format!("#!/bin/sh\n{script}\n").as_bytes(), 0o755).unwrap();
            Self { directory, root }
        }

        fn carry_out(&self, work: PackageWork) -> (Result<(), String>, String) {
            let command = vec![self.directory.path().join("apt-get").display().to_string()];
            let packages = Packages { command, upgrade: "dist-upgrade".into(), work };
            let mut report = Report::default();
            let did = carry_out(&packages, Patience::Endless, &self.root, &mut report);
            let ran = self.root.read_text("ran").unwrap().unwrap_or_default();
            (did.map_err(|error| format!("{error:#}")), ran)
        }
    }

    const NOTE: &str = r#"echo "$@ $DEBIAN_FRONTEND" >>"${0%/*}/ran""#;

    fn install(names: &str) -> PackageWork {
        PackageWork::Install(names.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn lists_are_updated_once_a_boot_unless_sources_have_changed() {
        let machine = Machine::new(NOTE);
        let once = "update noninteractive\n";
        assert_eq!(machine.carry_out(PackageWork::UpdateOnce), (Ok(()), once.into()));
        assert_eq!(machine.carry_out(PackageWork::UpdateOnce), (Ok(()), once.into()));
        assert_eq!(machine.carry_out(PackageWork::Update), (Ok(()), once.repeat(2)));
        assert_eq!(machine.carry_out(PackageWork::UpdateOnce), (Ok(()), once.repeat(2)));
    }

    #[test]
    fn an_update_that_failed_is_tried_again() {
        let machine = Machine::new(&format!("{NOTE}; echo E: no network; exit 100"));
        for count in 1..3 {
            let (did, ran) = machine.carry_out(PackageWork::UpdateOnce);
            assert_eq!(
                did.unwrap_err(),
                "it ended with exit status: 100 (its output is in /var/log/cloud-init-output.log); it said: E: no network"
            );
            assert_eq!(ran, "update noninteractive\n".repeat(count));
        }
    }

    #[test]
    fn an_unknown_package_costs_only_itself() {
        let script = format!(
            r#"{NOTE}; case "$*" in *nosuch*) echo "E: Unable to locate package nosuch"; exit 100;; esac"#
        );
        let (did, ran) = Machine::new(&script).carry_out(install("a nosuch b"));
        assert_eq!(did.unwrap_err(), "nosuch is not installed: apt knows no such package");
        assert_eq!(ran, "install a nosuch b noninteractive\ninstall a b noninteractive\n");
    }

    #[test]
    fn a_package_that_fails_is_found_and_the_others_are_installed() {
        let script = format!(
            r#"{NOTE}; case "$*" in *bad*) echo "bad's script says no"; echo "E: Sub-process dpkg"; exit 100;; esac"#
        );
        let (did, ran) = Machine::new(&script).carry_out(install("a bad b"));
        let told = did.unwrap_err();
        assert_eq!(
            told,
            "bad is not installed: it ended with exit status: 100 (its output is in /var/log/cloud-init-output.log); it said: bad's script says no / E: Sub-process dpkg"
        );
        assert_eq!(ran.lines().count(), 4, "{ran}");
        let (did, ran) = Machine::new(&script).carry_out(install("a b"));
        assert_eq!((did, ran.lines().count()), (Ok(()), 1));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "another process has to hold the lock")]
    fn a_lock_of_another_process_is_waited_for() {
        let machine = Machine::new(NOTE);
        machine.root.write("var/lib/dpkg/lock-frontend", b"", 0o640).unwrap();
        assert_eq!(holder(&machine.root).unwrap(), None);
        let lock = machine.directory.path().join("var/lib/dpkg/lock-frontend");
        let mut other = std::process::Command::new("perl")
            .args(["-e", "use Fcntl; open F, '+<', shift; $l = pack('s s x![q] q q i x![q]', F_WRLCK, 0, 0, 0, 0); fcntl F, F_SETLK, $l or die; $| = 1; print qq(x); sleep 2"])
            .arg(&lock)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        assert_eq!(holder(&machine.root).unwrap(), Some("var/lib/dpkg/lock-frontend"));
        let begun = Instant::now();
        assert_eq!(machine.carry_out(install("a")).0, Ok(()));
        assert!(begun.elapsed() >= Duration::from_secs(1));
        other.wait().unwrap();
    }
}

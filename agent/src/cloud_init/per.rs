//! `cloud-init-per`: a command that is run once, once per instance, or always. Boothooks and bootcmd call it.

use crate::apply;
use crate::instance::{Instance, now};
use crate::layout;
use crate::report::{self, Report};
use crate::root::Root;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cloud-init-per [--root DIR] FREQUENCY NAME COMMAND [ARGUMENT]...
Runs a command, and records the run under the name.

FREQUENCY:
  once      never again on this machine, whatever its instance-id becomes
  instance  once for each instance-id
  always    each time
";

/// The parsed arguments.
#[derive(PartialEq, Eq, Debug)]
struct PerCall {
    root: String,
    frequency: PerFrequency,
    name: String,
    command: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PerFrequency {
    Once,
    Instance,
    Always,
}

const FREQUENCIES: [(&str, PerFrequency); 3] =
    [("once", PerFrequency::Once), ("instance", PerFrequency::Instance), ("always", PerFrequency::Always)];

/// Runs the command if it must run now. Returns its exit status.
pub(super) fn run(report: &mut Report) -> Result<ExitCode> {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if matches!(words.first().map(String::as_str), Some("-h" | "--help")) {
        report::print(USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let call = parse(words)?;
    let root = Root::open(Path::new(&call.root))?;
    let path = semaphore(&call, &root)?;
    if call.frequency != PerFrequency::Always && root.holds(&path)? {
        return Ok(ExitCode::SUCCESS);
    }
    if !root.is_live() {
        report.info(&format!("not on this root: run {}", call.command.join(" ")));
        return Ok(ExitCode::SUCCESS);
    }
    let code = attended(&call.command)?;
    root.write(&path, format!("{code}\t{}\n", now()).as_bytes(), 0o644)?;
    Ok(ExitCode::from(code))
}

/// A shell's exit statuses for a missing command, and for one that cannot be started.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// Runs a command as a shell would: a file without `#!` is a shell script.
fn attended(command: &[String]) -> Result<u8> {
    let is_shells = |error: &anyhow::Error| error.downcast_ref().is_some_and(is_no_program);
    let ran = match apply::attended(command) {
        Err(error) if is_shells(&error) => apply::attended(&[&["/bin/sh".to_owned()], command].concat()),
        ran => ran,
    };
    ran.or_else(|error| {
        let code = match error.downcast_ref::<std::io::Error>() {
            Some(reason) if reason.kind() == std::io::ErrorKind::NotFound => NOT_FOUND,
            Some(_) => NOT_STARTED,
            None => return Err(error),
        };
        report::complain(&format!("cloud-init-per: {error:#}\n"));
        Ok(code)
    })
}

fn is_no_program(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error())
}

fn parse(words: Vec<String>) -> Result<PerCall> {
    let mut words = words.into_iter().peekable();
    let mut root = "/".to_owned();
    if words.next_if(|word| word == "--root").is_some() {
        root = words.next().context("--root needs a directory")?;
    }
    let (Some(frequency), Some(name)) = (words.next(), words.next()) else { bail!("{USAGE}") };
    let command: Vec<_> = words.collect();
    if command.is_empty() {
        bail!("{USAGE}");
    }
    let known = FREQUENCIES.iter().find(|(word, _)| *word == frequency);
    let (_, frequency) =
        known.with_context(|| format!("`{frequency}` is no frequency: once, instance or always"))?;
    if name.contains('/') {
        bail!("a name cannot have a / in it: {name}");
    }
    Ok(PerCall { root, frequency: *frequency, name: name.replace('-', "_"), command })
}

/// The file that says that it was run.
fn semaphore(call: &PerCall, root: &Root) -> Result<String> {
    let name = &call.name;
    Ok(match call.frequency {
        PerFrequency::Once => format!("{}/bootper.{name}.once", layout::SEMAPHORES),
        PerFrequency::Always => format!("{}/bootper.{name}.always", layout::SEMAPHORES),
        PerFrequency::Instance => {
            let instance = Instance::current(root)?.context("there is no instance yet")?;
            instance.path(&format!("sem/bootper.{name}.instance"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<PerCall> {
        parse(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn what_follows_the_name_is_the_command() {
        let call = parsed("instance my-name sh -c --root").unwrap();
        assert_eq!(call.command, ["sh", "-c", "--root"]);
        assert_eq!(
            (call.frequency, call.name.as_str(), call.root.as_str()),
            (PerFrequency::Instance, "my_name", "/")
        );
        assert_eq!(parsed("--root /r once x true").unwrap().root, "/r");
    }

    #[test]
    fn anything_else_is_refused() {
        for line in ["", "once", "once name", "often name true", "once ../name true", "--root"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_instance_has_its_own_semaphores() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let path = |line: &str| semaphore(&parsed(line).unwrap(), &root);
        assert!(path("instance a true").is_err());
        Instance::new("i-1").enter(&root).unwrap();
        assert_eq!(path("instance a true").unwrap(), "var/lib/cloud/instances/i-1/sem/bootper.a.instance");
        assert_eq!(path("once a true").unwrap(), "var/lib/cloud/sem/bootper.a.once");
    }
}

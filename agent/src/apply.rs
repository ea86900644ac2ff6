//! Carries steps out. The only place that starts programs.

mod apt_key;
mod console;
mod conversation;
mod fetched_file;
mod final_message;
mod grow;
pub(crate) mod output;
mod packages;
mod phone_home;
mod power;
mod reboot;
mod said;
mod secrets;
mod swap;

pub(crate) use conversation::Conversation;
pub(crate) use power::change_power;

use crate::accounts::Accounts;
use crate::authorized_keys;
use crate::handlers::Stage;
use crate::layout::OUTPUT;
use crate::plan::{File, Placing, Step};
use crate::report::Report;
use crate::root::Root;
use crate::user_data;
use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Carries one step out. Its program has these variables, too. On a root that is not the running system's, it only
/// reports the step.
pub(crate) fn apply(
    step: &Step,
    environment: &[(&str, &str)],
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let mut carry_out = || match step {
        Step::Write(file) => write(file, root),
        Step::Fetch(fetched) => fetched_file::write(fetched, root, report),
        Step::Link { path, target } => root.link(path, target),
        Step::Directory(path) => root.make_directory(path),
        Step::Remove(path) => root.remove(path),
        Step::Authorize { user, keys } | Step::TurnAway { user, keys }
            if root.is_live() || Accounts::read(root)?.user(user).is_some() =>
        {
            authorized_keys::add(user, keys, root, report)
        }
        // Without having made the user, there is none whose keys they could be.
        _ if !root.is_live() => {
            report.info(&format!("not on this root: {step}"));
            Ok(())
        }
        Step::Authorize { .. } | Step::TurnAway { .. } => Ok(()),
        Step::Account { argv, input, .. } => change_account(argv, input.as_deref(), patience, root, report),
        Step::Run { argv, input } => {
            run(argv, input.as_deref().map(str::as_bytes), environment, patience, root, report)
        }
        Step::Grow(part) => grow::partition(part, root, report),
        Step::GrowFileSystem { point, device, .. } => grow::file_system(point, device, root, report),
        Step::Swap(file) => swap::make(file, root, report),
        Step::RandomPassword(user) => secrets::give_random_password(user, patience, root, report),
        Step::HostKey { kind, path } => secrets::make_host_key(kind, path, patience, root, report),
        Step::PublicKey { path } => secrets::write_public_key(path, root),
        Step::Seed { path, seed } => {
            let mut file = root.open_log(path.trim_start_matches('/'), 0o600)?;
            Ok(file.write_all(seed)?)
        }
        Step::Console { logged, text, .. } => {
            console::show(logged, text, report);
            Ok(())
        }
        Step::FinalMessage { template } => final_message::tell(template, root, report),
        Step::PhoneHome(call) => phone_home::post(call, root),
        Step::Power(change) => {
            report.power = Some(change.clone());
            Ok(())
        }
        Step::FetchKey { id, server, path } => apt_key::fetch(id, server, path, root),
        Step::Packages(work) => packages::carry_out(work, patience, root, report),
        Step::RebootIfRequired => reboot::if_required(root, report),
        Step::HostName(name) => Ok(rustix::system::sethostname(name.as_bytes())?),
    };
    carry_out().with_context(|| step.to_string())
}

/// Runs a program of the accounts' family. Whoever cannot log in cannot read its log either.
fn change_account(
    argv: &[String],
    input: Option<&str>,
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    run_and_quote(argv, input.map(str::as_bytes), &[], patience, root, report, first_lines)
}

/// Runs a program whose error holds what it said: those of its lines that `choose` picks.
fn run_and_quote(
    argv: &[String],
    input: Option<&[u8]>,
    environment: &[(&str, &str)],
    patience: Patience,
    root: &Root,
    report: &mut Report,
    choose: fn(&str) -> Vec<&str>,
) -> Result<()> {
    const LONGEST: usize = 200;
    let before = match root.locate(OUTPUT)? {
        Some(log) => usize::try_from(fs::fstat(&log)?.st_size).unwrap_or(usize::MAX),
        None => 0,
    };
    // It is read again, so it goes to our own log wherever others go.
    let outputs = std::mem::take(&mut report.outputs);
    let ran = run_silently(argv, input, environment, patience, root, report);
    report.outputs = outputs;
    ran.map_err(|error| {
        let log = root.read(OUTPUT).ok().flatten().unwrap_or_default();
        let output = String::from_utf8_lossy(log.get(before..).unwrap_or_default());
        let lines = choose(&output).into_iter().map(|line| line.chars().take(LONGEST).collect::<String>());
        match lines.collect::<Vec<_>>().join(" / ") {
            said if said.is_empty() => error,
            said => anyhow!("{error:#}; it said: {said}"),
        }
    })
}

/// The first lines of an output.
fn first_lines(output: &str) -> Vec<&str> {
    const MOST_LINES: usize = 3;
    output.lines().map(str::trim).filter(|line| !line.is_empty()).take(MOST_LINES).collect()
}

/// The time that a program may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// Logins wait for it.
    Until(Instant),
    /// Nothing waits for it.
    Endless,
}

/// A program that hangs while logins wait for the agent must not cost the keys that come after it.
const LIMIT: Duration = Duration::from_mins(2);

impl Patience {
    /// The patience with one program of a stage.
    pub(crate) fn of(stage: Stage) -> Self {
        match stage {
            Stage::Init => Self::Until(Instant::now() + LIMIT),
            Stage::Config | Stage::Final => Self::Endless,
        }
    }

    /// Half of the time until then, so that whoever comes next has some, too.
    pub(crate) fn half_until(end: Instant) -> Self {
        let now = Instant::now();
        Self::Until(now + end.saturating_duration_since(now) / 2)
    }

    /// True once the time is over.
    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Until(end) => Instant::now() >= end,
            Self::Endless => false,
        }
    }
}

/// Runs a program. Its output goes to the log, or where the configuration says. The error's first line holds nothing of the
/// output, for everybody may read it; the next lines are the last ones of the output.
pub(crate) fn run(
    argv: &[String],
    input: Option<&[u8]>,
    environment: &[(&str, &str)],
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    // The first program opens the places, and may empty a file.
    drop(output::places(root, report));
    let watched = said::Watched::now(&report.outputs, root);
    run_silently(argv, input, environment, patience, root, report).map_err(|error| {
        match watched.map(|watched| watched.quoted(root)) {
            Some(said) if !said.is_empty() => anyhow!("{error:#}{said}"),
            _ => error,
        }
    })
}

/// Puts the text of a user's program that failed into the log.
pub(crate) fn log_text(path: &str, outcome: &str, root: &Root) {
    said::log_text(path, outcome, root);
}

/// Runs a program, and tells no more than how it ended.
fn run_silently(
    argv: &[String],
    input: Option<&[u8]>,
    environment: &[(&str, &str)],
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let (program, arguments) = argv.split_first().context("nothing to run")?;
    let places = output::places(root, report);
    let place =
        places.as_ref().map(|_| format!(" (its output {})", report.outputs.place())).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").envs(environment.iter().copied());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    if let Some((out, error)) = places {
        command.stdout(out).stderr(error);
    }
    let mut child = command.spawn().map_err(|error| not_started(error, program))?;
    let writer = input.zip(child.stdin.take()).map(|(input, mut pipe)| {
        let input = input.to_vec();
        // A program that does not read must not be waited for here.
        std::thread::spawn(move || pipe.write_all(&input))
    });
    if let Patience::Until(end) = patience {
        let left = end.saturating_duration_since(Instant::now());
        if !ends_within(&child, left)? {
            // It is the user's: it may be a long installation, and half of one is worse than a late one.
            bail!("it runs on after {} s, process {}: logins are waiting", left.as_secs(), child.id());
        }
    }
    let status = child.wait()?;
    // A program that it started may have taken its input over, and not read it yet.
    let writer = writer.filter(std::thread::JoinHandle::is_finished);
    // One that has enough before the end of its input may well have done what it should.
    if let Some(Ok(Err(error))) = writer.map(std::thread::JoinHandle::join)
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(error).context("give it its input");
    }
    if !status.success() {
        bail!("it ended with {status}{place}");
    }
    Ok(())
}

/// The kernel's word for a script that it cannot start is a riddle.
fn not_started(error: std::io::Error, program: &str) -> anyhow::Error {
    let known = || user_data::cannot_start(&std::fs::read(program).ok()?);
    let hint = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOEXEC) => known().unwrap_or_else(|| "is it for this architecture?".into()),
        Some(Errno::NOENT) => known()
            .unwrap_or_else(|| "is the program, or the interpreter in its first line, installed?".into()),
        _ => return anyhow!("start it: {error}"),
    };
    anyhow!("start it: {error} ({hint})")
}

/// Runs a program that changes nothing but its arguments' files, and returns its output. `package` brings the program.
pub(crate) fn ask(argv: &[String], input: Option<std::fs::File>, package: &str) -> Result<String> {
    let (program, arguments) = argv.split_first().context("nothing to run")?;
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").env("LC_ALL", "C");
    command.stdin(input.map_or_else(Stdio::null, Stdio::from));
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow!("{program} is missing: install {package}"),
        _ => anyhow::Error::from(error).context(format!("start {program}")),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().last().unwrap_or_default().escape_debug().to_string();
        return Err(Ended { program: program.clone(), status: output.status, said }.into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program's failure.
#[derive(Debug)]
pub(crate) struct Ended {
    program: String,
    status: ExitStatus,
    said: String,
}

impl Ended {
    /// The last line that it said.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// True if the program exited by itself with this status.
    pub(crate) fn with(&self, code: i32) -> bool {
        self.status.code() == Some(code)
    }
}

impl std::error::Error for Ended {}

impl std::fmt::Display for Ended {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { program, status, said } = self;
        let colon = if said.is_empty() { "" } else { ": " };
        write!(out, "{program} ended with {status}{colon}{said}")
    }
}

/// Runs a program with the caller's terminal. Returns its exit status, or 128 plus the signal that killed it.
pub(crate) fn attended(argv: &[String]) -> Result<u8> {
    let (program, arguments) = argv.split_first().context("nothing to run")?;
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let status =
        Command::new(program).args(arguments).status().with_context(|| format!("start {program}"))?;
    let code = status.code().or_else(|| status.signal().map(|signal| signal + 128));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

/// Turns an exit status other than 0 into an error.
pub(crate) fn succeeded(code: u8) -> Result<()> {
    if code != 0 {
        bail!("it ended with {code}");
    }
    Ok(())
}

/// Replaces this process by a program, with the same terminal. Returns only if the program cannot be started.
pub(crate) fn become_program(argv: &[String]) -> std::io::Error {
    let Some((program, arguments)) = argv.split_first() else {
        return std::io::Error::other("nothing to run");
    };
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let mut command = Command::new(program);
    // Debian's bash shows the last one in its prompt.
    command.args(arguments).env("PATH", PATH).env("debian_chroot", "original").exec()
}

/// The search path of programs in another root. Ours may name directories that it does not have.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn ends_within(child: &Child, limit: Duration) -> Result<bool> {
    let pid = Pid::from_child(child);
    let fd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).context("watch it")?;
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut watched = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut watched, Some(&left.try_into()?)) {
            Err(Errno::INTR) => {}
            ended => return Ok(ended? > 0),
        }
    }
}

fn write(file: &File, root: &Root) -> Result<()> {
    let owner = match &file.owner {
        Some(owner) => Some(Accounts::read(root)?.owner(owner).or_else(|error| match owner.as_str() {
            // A root without /etc/passwd still has its root.
            "root:root" | "root" => Ok((0, 0)),
            _ => Err(error),
        })?),
        None => None,
    };
    // Whoever tries a root of their own out cannot give files away.
    let owner = owner.filter(|_| root.is_live() || rustix::process::geteuid().is_root());
    match file.placing {
        Placing::Replace => root.write_through(&file.path, &file.content, file.rights(owner)),
        Placing::Append => root.append(&file.path, &file.content, file.rights(owner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a program to wait for")]
    fn a_program_that_hangs_is_noticed() {
        let mut quick = Command::new("true").spawn().unwrap();
        assert!(ends_within(&quick, LIMIT).unwrap());
        quick.wait().unwrap();
        let mut slow = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(!ends_within(&slow, Duration::from_millis(50)).unwrap());
        slow.kill().unwrap();
        slow.wait().unwrap();
    }

    #[test]
    fn only_what_logins_wait_for_has_a_limit() {
        for (stage, is_limited) in [(Stage::Init, true), (Stage::Config, false), (Stage::Final, false)] {
            assert_eq!(Patience::of(stage) != Patience::Endless, is_limited, "{stage:?}");
        }
    }

    #[test]
    fn how_a_program_ended_is_told_apart() {
        let ended_with_1 = |script: &str| {
            let argv = ["sh", "-c", script].map(str::to_owned);
            let error = ask(&argv, None, "dash").unwrap_err();
            error.downcast_ref().is_some_and(|ended: &Ended| ended.with(1))
        };
        assert!(ended_with_1("echo No value found >&2; exit 1"));
        for script in ["exit 124", "kill -9 $$"] {
            assert!(!ended_with_1(script), "{script}");
        }
        assert!(
            ask(&["/nowhere/tool".to_owned()], None, "tools").unwrap_err().downcast_ref::<Ended>().is_none()
        );
    }

    #[test]
    fn nothing_runs_on_another_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let marker = directory.path().join("ran");
        let step = Step::run(&["touch", marker.to_str().unwrap()]);
        apply(&step, &[], Patience::Endless, &root, &mut Report::default()).unwrap();
        assert!(!marker.try_exists().unwrap());
    }
}

//! Where the output of programs goes: into the log, or where `output:` says. It names a file (`> FILE`, `>> FILE`) or a
//! program (`| COMMAND`), as in cloud-init.

use crate::accounts::Accounts;
use crate::layout::OUTPUT;
use crate::report::Report;
use crate::root::Root;
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result};
use rustix::fs::ftruncate;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A place for output.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
enum Sink {
    /// The agent's own log.
    #[default]
    Log,
    /// A file, which is emptied first.
    Replace(String),
    /// A file that is added to.
    Append(String),
    /// The shell command of a program that reads the output.
    Program(String),
}

/// The places for standard output and standard error. They are opened with the first program.
#[derive(Default, Debug)]
pub(crate) struct Outputs {
    out: Sink,
    /// `None`: the same as standard output.
    error: Option<Sink>,
    opened: Option<Opened>,
}

/// Open places.
#[derive(Debug)]
struct Opened {
    out: File,
    error: File,
    readers: Vec<Child>,
}

/// The time that a program has for reading the rest. Logins may be waiting, and a daemon may hold the pipe open.
const GRACE: Duration = Duration::from_millis(200);

/// The group whose members may read logs, as in cloud-init: output may hold what is nobody else's business.
const READERS: &str = "adm";

/// The stages by the names that they have in `output`.
pub(crate) const INIT: &str = "init";
pub(crate) const CONFIG: &str = "config";
pub(crate) const FINAL: &str = "final";

impl Outputs {
    /// Reads `output` for a stage. Values that cannot be understood are left out.
    pub(crate) fn of(config: &Mapping, stage: &str) -> Self {
        let stages = config.get("output").and_then(Value::as_map);
        let of_stage = stages.and_then(|stages| stages.get(stage).or_else(|| stages.get("all")));
        let (out, error) = match of_stage {
            Some(Value::Seq(both)) => (both.first(), both.get(1)),
            Some(Value::Map(both)) => (both.get("output"), both.get("error")),
            other => (other, None),
        };
        let sink = |value: Option<&Value>| value.and_then(Value::as_str).and_then(Sink::parse);
        // `&1` is the place of standard output.
        let error = sink(error.filter(|error| error.as_str().is_none_or(|text| text.trim() != "&1")));
        Self { out: sink(out).unwrap_or_default(), error, opened: None }
    }

    /// The same places, and a file that gets all of it as well. tee(1) does it, which outlives the agent as a daemon does
    /// that a script leaves. Without it, the places alone get the output.
    pub(crate) fn with_copy(path: &str, root: &Root, report: &mut Report) -> Option<Self> {
        let (out, error) = places(root, report)?;
        let Self { out: sink, error: other, .. } = &report.outputs;
        let is_one = other.as_ref().is_none_or(|other| other == sink);
        let mut copy = Self { out: sink.clone(), error: other.clone(), opened: None };
        let opened = || -> Result<Opened> {
            let group = if rustix::process::geteuid().is_root() {
                Accounts::read(root)?.group(READERS)
            } else {
                None
            };
            open_file(path, root, group)?;
            let mut readers = Vec::new();
            let out = tee(path, out, &mut readers)?;
            let error = if is_one { out.try_clone()? } else { tee(path, error, &mut readers)? };
            Ok(Opened { out, error, readers })
        };
        match opened() {
            Ok(opened) => {
                copy.opened = Some(opened);
                Some(copy)
            }
            Err(error) => {
                report.info(&format!("{error:#} (/{path} lacks the output of scripts)"));
                None
            }
        }
    }

    /// The place of standard output, in words.
    pub(crate) fn place(&self) -> String {
        match &self.out {
            Sink::Log => format!("is in /{OUTPUT}"),
            Sink::Replace(path) | Sink::Append(path) => format!("is in {path}"),
            Sink::Program(command) => format!("went to `{command}`"),
        }
    }

    /// The file that standard output ends up in, where that is known.
    pub(super) fn file(&self) -> Option<&str> {
        match &self.out {
            Sink::Log => Some(OUTPUT),
            Sink::Replace(path) | Sink::Append(path) => Some(path),
            Sink::Program(command) => {
                let words = command.strip_prefix("tee ")?.trim();
                let path = words.strip_prefix("-a ").unwrap_or(words).trim();
                let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
                (path.starts_with('/') && path.chars().all(is_plain)).then_some(path)
            }
        }
    }

    /// Opens the places, or finds them open: those for standard output and standard error.
    fn open(&mut self, root: &Root) -> Result<(File, File)> {
        let opened = if let Some(opened) = self.opened.take() {
            opened
        } else {
            let mut readers = Vec::new();
            let group = if rustix::process::geteuid().is_root() {
                Accounts::read(root)?.group(READERS)
            } else {
                None
            };
            let out = self.out.open(root, group, &mut readers)?;
            let error = match &self.error {
                Some(sink) if *sink != self.out => sink.open(root, group, &mut readers)?,
                _ => out.try_clone()?,
            };
            Opened { out, error, readers }
        };
        let both = (opened.out.try_clone()?, opened.error.try_clone()?);
        self.opened = Some(opened);
        Ok(both)
    }
}

/// A pipe to a program that writes to a file and to a place.
fn tee(path: &str, place: File, readers: &mut Vec<Child>) -> Result<File> {
    #[expect(clippy::disallowed_methods, reason = "apply is the one place")]
    let mut command = Command::new("tee");
    command.args(["-a", &format!("/{path}")]).current_dir("/").stdin(Stdio::piped()).stdout(place);
    // It may outlive the agent, whose standard error somebody may wait for.
    command.stderr(Stdio::null());
    let mut reader = command.spawn().context("start tee")?;
    let input = reader.stdin.take().context("output: no pipe")?;
    readers.push(reader);
    Ok(File::from(OwnedFd::from(input)))
}

impl Drop for Outputs {
    fn drop(&mut self) {
        let Some(Opened { out, error, readers }) = self.opened.take() else { return };
        drop((out, error));
        // A program that was left running may write on: its reader stays.
        for mut reader in readers {
            if super::ends_within(&reader, GRACE).unwrap_or(false) {
                reader.wait().map(drop).unwrap_or_default();
            }
        }
    }
}

impl Sink {
    /// cloud-init takes a bare word for a file that is added to.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let rest = |start: &str| text.strip_prefix(start).map(|rest| rest.trim().to_owned());
        let sink = if let Some(path) = rest(">>") {
            Self::Append(path)
        } else if let Some(path) = rest(">") {
            Self::Replace(path)
        } else if let Some(command) = rest("|") {
            Self::Program(command)
        } else {
            Self::Append(text.to_owned())
        };
        let (Self::Append(word) | Self::Replace(word) | Self::Program(word)) = &sink else { return None };
        (!word.is_empty()).then_some(sink)
    }

    fn open(&self, root: &Root, group: Option<u32>, readers: &mut Vec<Child>) -> Result<File> {
        match self {
            Self::Log => open_file(OUTPUT, root, group),
            Self::Append(path) => open_file(path, root, group),
            Self::Replace(path) => {
                let file = open_file(path, root, group)?;
                // A device cannot be emptied, and need not be.
                ftruncate(&file, 0).unwrap_or_default();
                Ok(file)
            }
            Self::Program(command) => {
                #[expect(clippy::disallowed_methods, reason = "apply is the one place")]
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("umask 037\n{command}")]).current_dir("/").stdin(Stdio::piped());
                if let Some(group) = group {
                    shell.gid(group);
                }
                let mut reader = shell.spawn().with_context(|| format!("output: start `{command}`"))?;
                let input = reader.stdin.take().context("output: no pipe")?;
                readers.push(reader);
                Ok(File::from(OwnedFd::from(input)))
            }
        }
    }
}

/// Opens a log. One that is made now belongs to the group that reads logs.
fn open_file(path: &str, root: &Root, group: Option<u32>) -> Result<File> {
    let path = path.trim_start_matches('/');
    let is_new = !root.holds(path)?;
    let file = root.open_log(path, 0o640)?;
    if is_new {
        fchown(&file, None, group)
            .with_context(|| format!("output: give {} to {READERS}", root.show(path)))?;
    }
    Ok(file)
}

/// The places for a program's output. If they cannot be opened, it goes to the agent's own standard error: users and
/// their keys matter more.
pub(super) fn places(root: &Root, report: &mut Report) -> Option<(File, File)> {
    let mut outputs = std::mem::take(&mut report.outputs);
    let opened = outputs.open(root);
    report.outputs = outputs;
    opened.map_err(|error| report.warn_once(format!("{error:#} (it will lack the output of programs)"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    fn of(text: &str, stage: &str) -> (Sink, Option<Sink>) {
        let outputs = Outputs::of(load(text).unwrap().as_map().unwrap(), stage);
        (outputs.out.clone(), outputs.error.clone())
    }

    #[test]
    fn the_file_behind_a_program_is_known_for_tee_alone() {
        for (text, file) in [
            ("{}", Some(OUTPUT)),
            ("output: {all: '| tee -a /var/log/x.log'}", Some("/var/log/x.log")),
            ("output: {all: '| tee /var/log/x.log'}", Some("/var/log/x.log")),
            ("output: {all: '>> /a'}", Some("/a")),
            ("output: {all: '| tee -a /a | logger'}", None),
            ("output: {all: '| logger'}", None),
        ] {
            let outputs = Outputs::of(load(text).unwrap().as_map().unwrap(), INIT);
            assert_eq!(outputs.file(), file, "{text}");
        }
    }

    #[test]
    fn output_says_where_output_goes() {
        let append = |path: &str| Sink::Append(path.into());
        let tee = Sink::Program("tee -a /var/log/x".into());
        for (text, stage, expected) in [
            ("{}", INIT, (Sink::Log, None)),
            ("output: {all: '| tee -a /var/log/x'}", INIT, (tee.clone(), None)),
            ("output: {all: '|tee -a /var/log/x'}", FINAL, (tee.clone(), None)),
            ("output: {all: '>> /a'}", FINAL, (append("/a"), None)),
            ("output: {all: '>/a'}", FINAL, (Sink::Replace("/a".into()), None)),
            ("output: {all: /a}", FINAL, (append("/a"), None)),
            ("output: {final: '>> /f', all: '>> /a'}", FINAL, (append("/f"), None)),
            ("output: {final: '>> /f', all: '>> /a'}", INIT, (append("/a"), None)),
            ("output: {init: '>> /i'}", FINAL, (Sink::Log, None)),
            ("output: {all: ['>> /a', '>> /e']}", INIT, (append("/a"), Some(append("/e")))),
            ("output: {all: {output: '>> /a', error: '&1'}}", INIT, (append("/a"), None)),
            ("output: {all: {error: '>> /e'}}", INIT, (Sink::Log, Some(append("/e")))),
            // A value that cannot be understood.
            ("output: {all: 5}", INIT, (Sink::Log, None)),
            ("output: '>> /a'", INIT, (Sink::Log, None)),
            ("output: {all: ''}", INIT, (Sink::Log, None)),
            ("output: {all: '| '}", INIT, (Sink::Log, None)),
        ] {
            assert_eq!(of(text, stage), expected, "{text} {stage}");
        }
    }

    #[test]
    fn output_arrives_where_it_is_to_go() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let written = |text: &str, path: &str| {
            let outputs = Outputs::of(load(text).unwrap().as_map().unwrap(), INIT);
            let mut report = Report { outputs, ..Report::default() };
            for word in ["one ", "two "] {
                let (mut out, mut error) = places(&root, &mut report).unwrap();
                out.write_all(word.as_bytes()).unwrap();
                error.write_all(b"e ").unwrap();
            }
            drop(report);
            root.read_text(path).unwrap().unwrap_or_default()
        };
        assert_eq!(written("{}", OUTPUT), "one e two e ");
        root.write("a", b"old ", 0o600).unwrap();
        assert_eq!(written("output: {all: '>> /a'}", "a"), "old one e two e ");
        assert_eq!(written("output: {all: '> /a'}", "a"), "one e two e ");
        assert_eq!(written("output: {all: ['> /a', '> /e']}", "e"), "e e ");
        let through = format!("output: {{all: '| tr a-z A-Z >{}'}}", directory.path().join("p").display());
        assert_eq!(written(&through, "p"), "ONE E TWO E ");
    }

    /// The modes are cloud-init 26.2's for its log and for the output of programs.
    #[test]
    fn who_reads_logs_reads_these_and_nobody_else_does() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("etc/group", b"root:x:0:\nadm:x:4:\n", 0o644).unwrap();
        std::fs::write(directory.path().join("old"), "").unwrap();
        let own = std::fs::metadata(directory.path().join("old")).unwrap();
        let tee = format!("output: {{all: '| tee -a {}/p'}}", directory.path().display());
        let readers = if rustix::process::geteuid().is_root() { 4 } else { own.gid() };
        for (text, path, mode, gid) in [
            ("{}", OUTPUT, 0o640, readers),
            ("output: {all: '>> /a'}", "a", 0o640, readers),
            ("output: {all: '> /b'}", "b", 0o640, readers),
            (tee.as_str(), "p", 0o640, readers),
            // A file that was there stays as it was.
            ("output: {all: '>> /old'}", "old", own.mode() & 0o777, own.gid()),
        ] {
            let outputs = Outputs::of(load(text).unwrap().as_map().unwrap(), INIT);
            let mut report = Report { outputs, ..Report::default() };
            places(&root, &mut report).unwrap().0.write_all(b"x").unwrap();
            drop(report);
            let made = std::fs::metadata(directory.path().join(path)).unwrap();
            assert_eq!((made.mode() & 0o777, made.gid()), (mode, gid), "{text}");
        }
    }
}

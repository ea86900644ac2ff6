//! The one place where programs are started.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

/// The number of a failed program's last lines that are shown.
const LAST_LINES: usize = 15;

/// A program to be run: arguments, environment, input, and what to do should it fail.
#[derive(Debug, Clone)]
pub struct Program {
    words: Vec<OsString>,
    set: Vec<(OsString, OsString)>,
    removed: Vec<OsString>,
    directory: Option<PathBuf>,
    input: Vec<u8>,
    advice: Option<String>,
    privileges: Privileges,
}

/// A long-living program, killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// The process itself: its id, pipes and end.
    pub child: Child,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Privileges {
    Own,
    Root,
}

/// A program that runs as whoever runs us.
pub fn program(name: impl AsRef<OsStr>) -> Program {
    Program {
        words: vec![name.as_ref().to_owned()],
        set: Vec::new(),
        removed: Vec::new(),
        directory: None,
        input: Vec::new(),
        advice: None,
        privileges: Privileges::Own,
    }
}

/// A program that runs as root: through sudo when we are not root.
pub fn privileged(name: impl AsRef<OsStr>) -> Program {
    Program { privileges: Privileges::Root, ..program(name) }
}

/// True if we are root.
pub fn is_root() -> bool {
    // The owner of our own /proc entry is our effective user.
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// The file that `name` is found at in $PATH or in the system folders that a plain user's $PATH may lack.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

impl Program {
    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, words: I) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.set.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Keeps an environment variable of ours from the program.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.removed.push(name.as_ref().to_owned());
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets what the program reads on its standard input; otherwise that is empty.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Sets what a person can do when the program fails.
    #[must_use]
    pub fn advice(mut self, text: impl Into<String>) -> Self {
        self.advice = Some(text.into());
        self
    }

    /// Runs it to its end and gives what it wrote on standard output.
    pub fn run(self) -> Result<String> {
        let mut child = self.start(Stdio::piped(), Stdio::piped(), Stdio::piped())?;
        let output = thread::scope(|scope| {
            let input = child.stdin.take();
            // A program may end before it has read all its input: that is no failure of ours.
            scope.spawn(|| input.map(|mut pipe| pipe.write_all(&self.input)));
            child.wait_with_output()
        })
        .with_context(|| format!("wait for `{self}`"))?;
        let said =
            if output.stderr.iter().all(u8::is_ascii_whitespace) { &output.stdout } else { &output.stderr };
        self.check(output.status, &String::from_utf8_lossy(said))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it to its end and hands over each line it writes, on standard output or error, as it comes.
    /// Its success is the caller's to judge.
    pub fn lines(self, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
        let (reader, writer) = std::io::pipe().context("make a pipe")?;
        let copy = writer.try_clone().context("copy a pipe")?;
        let mut child = self.start(Stdio::null(), writer.into(), copy.into())?;
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).with_context(|| format!("read from `{self}`"))? > 0 {
            each(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
            line.clear();
        }
        child.wait().with_context(|| format!("wait for `{self}`"))
    }

    /// Runs it to its end with our own standard input, output and error.
    pub fn interact(self) -> Result<ExitStatus> {
        let mut child = self.start(Stdio::inherit(), Stdio::inherit(), Stdio::inherit())?;
        child.wait().with_context(|| format!("wait for `{self}`"))
    }

    /// Starts it with pipes to its standard input and output; its errors go to `errors`.
    pub fn spawn(self, errors: File) -> Result<Running> {
        let child = self.start(Stdio::piped(), Stdio::piped(), errors.into())?;
        Ok(Running { child, name: self.to_string() })
    }

    /// Starts it with these as its standard input and output; its errors go to `errors`.
    pub fn attach(self, input: OwnedFd, output: OwnedFd, errors: File) -> Result<Running> {
        let child = self.start(input.into(), output.into(), errors.into())?;
        Ok(Running { child, name: self.to_string() })
    }

    /// The command line as a person would type it.
    pub fn typed(&self) -> String {
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_./,=:+%@".contains(character);
        let quote = |word: &OsString| match word.to_string_lossy() {
            word if !word.is_empty() && word.chars().all(plain) => word.into_owned(),
            word => format!("'{}'", word.replace('\'', r"'\''")),
        };
        self.words.iter().map(quote).collect::<Vec<_>>().join(" ")
    }

    fn start(&self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Child> {
        let mut words = self.prefix().into_iter().chain(self.words.iter().cloned());
        let first = words.next().context("run a program without a name")?;
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let mut command = Command::new(&first);
        command.args(words).envs(self.set.iter().map(|(name, value)| (name, value)));
        for name in &self.removed {
            command.env_remove(name);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().with_context(|| {
            let advice = self.advice.as_deref().unwrap_or("is it installed and in $PATH?");
            format!("start `{self}` ({advice})")
        })
    }

    /// The words before a privileged program: sudo, and `env`, because sudo drops the environment.
    fn prefix(&self) -> Vec<OsString> {
        if self.privileges == Privileges::Own || is_root() {
            return Vec::new();
        }
        let mut words: Vec<OsString> = vec!["sudo".into()];
        if !self.set.is_empty() {
            words.push("env".into());
            words.extend(self.set.iter().map(|(name, value)| {
                let mut word = name.clone();
                word.push("=");
                word.push(value);
                word
            }));
        }
        words
    }

    fn check(&self, status: ExitStatus, said: &str) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let advice = self.advice.as_deref().map(|text| format!("\n{text}")).unwrap_or_default();
        bail!("`{self}` ended with {status}; its last lines:\n{}{advice}", last_lines(said))
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        out.write_str(&words.join(" "))
    }
}

impl Running {
    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().with_context(|| format!("wait for `{}`", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already, and then all is well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The last lines of a program's output, indented.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(LAST_LINES);
    lines.iter().skip(skipped).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gives_what_it_wrote() {
        assert_eq!(program("cat").input("a line\n").run().unwrap(), "a line\n");
    }

    #[test]
    fn a_failure_names_the_command_its_last_lines_and_what_to_do() {
        let failing = program("sh").args(["-c", "seq 20; exit 3"]).advice("count to less");
        let text = failing.run().unwrap_err().to_string();
        assert!(text.starts_with("`sh -c seq 20; exit 3` ended with exit status: 3"), "{text}");
        assert!(!text.contains("    5\n") && text.contains("    6\n") && text.contains("    20\n"), "{text}");
        assert!(text.ends_with("count to less"), "{text}");
    }

    #[test]
    fn a_command_line_can_be_typed() {
        let typed = program("qemu").args(["-append", "ds=nocloud;s=x", "it's", "a.img"]).typed();
        assert_eq!(typed, r"qemu -append 'ds=nocloud;s=x' 'it'\''s' a.img");
    }

    #[test]
    fn a_missing_program_is_named() {
        let text = format!("{:#}", program("no-such-program").run().unwrap_err());
        assert!(text.starts_with("start `no-such-program`"), "{text}");
    }

    #[test]
    fn lines_come_in_order_from_output_and_error() {
        let mut seen = Vec::new();
        let both = program("sh").args(["-c", "echo one; echo two >&2; echo three"]);
        assert!(both.lines(|line| seen.push(line.to_owned())).unwrap().success());
        assert_eq!(seen, ["one", "two", "three"]);
    }

    #[test]
    fn a_dropped_program_is_killed() {
        let errors = File::options().write(true).open("/dev/null").unwrap();
        let running = program("sleep").arg("1000").spawn(errors).unwrap();
        let process = PathBuf::from(format!("/proc/{}", running.child.id()));
        assert!(process.is_dir());
        drop(running);
        assert!(!process.is_dir());
    }
}

//! A scratch root on which the agent is called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A machine that is a directory.
pub(crate) struct Machine {
    root: TempDir,
}

impl Machine {
    /// One with a user `me`, who is whoever runs the tests, and root.
    pub(crate) fn new() -> Self {
        let machine = Self { root: tempfile::tempdir().unwrap() };
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        machine.write(
            "etc/passwd",
            format!("root:x:{uid}:{gid}::/root:/bin/sh\nme:x:{uid}:{gid}::/home/me:/bin/sh\n"),
        );
        machine.write("etc/group", format!("root:x:{gid}:\nme:x:{gid}:\n"));
        machine.make("root");
        machine.make("home/me");
        machine
    }

    /// One whose kernel command line named a seed.
    pub(crate) fn with_seed(hand_off: &str) -> Self {
        let machine = Self::new();
        machine.write("run/lifeboat/seed", hand_off);
        machine
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn make(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A file's text; empty when it is not there.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read(self.path(path))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The names in a directory, sorted; none when it is not there.
    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A path's mode; 0 when it is not there.
    pub(crate) fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.path(path)).map_or(0, |data| data.permissions().mode() & 0o7777)
    }

    /// Calls the agent: exit status and everything that it said.
    pub(crate) fn agent(&self, words: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.command("lifeboat-agent", words).output().unwrap();
        let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (status.code().unwrap_or(-1), said)
    }

    /// Takes the seed in a directory apart, as a person asks for it: exit status, and what was wrong.
    pub(crate) fn process(&self, seed: &Path) -> (i32, String) {
        let (code, out, wrong) =
            self.called("lifeboat-agent", &["process", "--seed", seed.to_str().unwrap()]);
        assert_eq!(
            code == 0,
            out.starts_with("instance ") && out.contains(": written below "),
            "{out}{wrong}"
        );
        (code, wrong)
    }

    /// Calls the agent under another name: exit status, and what went to standard output and error.
    pub(crate) fn called(&self, name: &str, words: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(name, words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (status.code().unwrap_or(-1), text(&stdout), text(&stderr))
    }

    /// The agent, ready to be started under a name.
    pub(crate) fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat-agent"));
        let root = [std::ffi::OsStr::new("--root"), self.root.path().as_os_str()];
        // What follows is a command with words of its own.
        let (before, after) = if name == "cloud-init-per" { (Some(root), None) } else { (None, Some(root)) };
        command
            .arg0(name)
            .args(before.into_iter().flatten())
            .args(words)
            .args(after.into_iter().flatten())
            // No request may go to a proxy, whatever the environment says.
            .env("http_proxy", "http://127.0.0.1:9")
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("ALL_PROXY", "http://127.0.0.1:9")
            .env_remove("JOURNAL_STREAM");
        command
    }

    /// Calls the agent under strace with these options: what it said, and the trace, with a path behind each descriptor.
    pub(crate) fn traced(&self, words: &[&str], options: &[&str]) -> (Output, String) {
        let called = self.command("lifeboat-agent", words);
        let trace = tempfile::NamedTempFile::new().unwrap();
        let output = Command::new("strace")
            .args(["-f", "-y", "-o"])
            .arg(trace.path())
            .args(options)
            .arg(called.get_program())
            .args(called.get_args())
            .output()
            .unwrap();
        (output, fs::read_to_string(trace.path()).unwrap())
    }

    /// The three stages of a boot; whether all went well, and what they said.
    pub(crate) fn boot(&self) -> (bool, String) {
        let mut all = String::new();
        let mut well = true;
        for words in [&["local"][..], &["network", "--budget", "5"], &["config"], &["final"]] {
            let (code, said) = self.agent(words);
            well &= code == 0;
            all.push_str(&said);
        }
        (well, all)
    }
}

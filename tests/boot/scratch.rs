//! A scratch initramfs with a root mounted at /root in it.

use crate::namespace::namespace;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Mounted, not copied: a copy is busy while another test's child still has it open for writing.
const PROGRAM: &str = env!("CARGO_BIN_EXE_lifeboat");

/// A stand-in for an initramfs while a test runs.
pub(crate) struct Scratch {
    directory: tempfile::TempDir,
    cmdline: String,
    before: String,
    through: String,
}

/// The traces of a run of the program.
pub(crate) struct Ran {
    /// Its exit status.
    pub(crate) status: i32,
    /// Its output on both streams.
    pub(crate) said: String,
    /// The output of the test's own look at the result.
    pub(crate) seen: String,
}

/// The release that the program will see.
pub(crate) fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim().to_owned()
}

impl Scratch {
    /// An initramfs without modules, and a root with an init and an empty `lib/modules`.
    pub(crate) fn new() -> Self {
        let scratch = Self {
            directory: tempfile::tempdir().unwrap(),
            cmdline: String::from("root=LABEL=own ro"),
            before: String::new(),
            through: String::new(),
        };
        for directory in
            ["proc", "dev", "run", "conf", "usr", "lib", "sbin", "sys/class/block", "root/lib/modules"]
        {
            fs::create_dir_all(scratch.path(directory)).unwrap();
        }
        // The host's program finds its loader and libraries where it expects them.
        for link in ["lib64", "bin", "lib/x86_64-linux-gnu"] {
            symlink(format!("/usr/{link}"), scratch.path(link)).unwrap();
        }
        scratch.file("lifeboat", "").file("root/sbin/init", "")
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Writes a file and the directories above it.
    pub(crate) fn file(self, path: impl AsRef<Path>, content: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Makes a directory and those above it.
    pub(crate) fn directory(self, path: impl AsRef<Path>) -> Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    /// A tree of two modules for a release, below `where_` (empty: the initramfs).
    pub(crate) fn tree(self, where_: &str, release: &str) -> Self {
        let tree = format!("{where_}lib/modules/{release}");
        self.file(format!("{tree}/modules.dep"), "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n")
            .file(format!("{tree}/kernel/a.ko"), "module a")
            .file(format!("{tree}/kernel/b.ko"), "module b")
    }

    /// A device whose content is an ext4 file system; a regular file, which can be probed but not mounted.
    pub(crate) fn volume(self, name: &str, label: &str, uuid: &str) -> Self {
        let scratch =
            self.file(format!("sys/class/block/{name}/size"), "4096").file(format!("dev/{name}"), "");
        let status = Command::new("/sbin/mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-L", label, "-U", uuid])
            .arg(scratch.path(format!("dev/{name}")))
            .arg("2048k")
            .status()
            .unwrap();
        assert!(status.success());
        scratch
    }

    /// A program that leaves the initramfs and spares what a mount covers.
    pub(crate) fn sparing(self) -> Self {
        self.file("sbin/run-init", "nuking initramfs contents")
    }

    /// The kernel command line.
    pub(crate) fn cmdline(mut self, cmdline: &str) -> Self {
        cmdline.clone_into(&mut self.cmdline);
        self
    }

    /// A shell command to run in the namespace before the program, in the scratch directory.
    pub(crate) fn before(mut self, command: &str) -> Self {
        writeln!(self.before, "{command}").unwrap();
        self
    }

    /// A command, inside the initramfs, that starts the program.
    pub(crate) fn through(mut self, command: &str) -> Self {
        command.clone_into(&mut self.through);
        self
    }

    /// The mounts of an initramfs as an fstab: one process for all of them takes a tenth of a run's time.
    fn mounts(&self) -> String {
        let escaped = |path: &str| path.replace(' ', "\\040");
        let at = |path: &str| escaped(&self.path(path).display().to_string());
        let binds = [
            ("/proc".to_owned(), "proc", "rbind"),
            (at("cmdline"), "proc/cmdline", "bind"),
            ("/usr".to_owned(), "usr", "bind"),
            (at("root"), "root", "bind"),
            (escaped(PROGRAM), "lifeboat", "bind"),
        ];
        let lines = binds.map(|(from, to, how)| format!("{from} {} none {how}\n", at(to)));
        format!("{}run {} tmpfs defaults\n", lines.concat(), at("run"))
    }

    /// Runs `lifeboat ARGUMENTS`, then `look` as a shell command inside the initramfs.
    pub(crate) fn run(&self, arguments: &str, look: &str) -> Ran {
        fs::write(self.path("cmdline"), &self.cmdline).unwrap();
        fs::write(self.path("mounts"), self.mounts()).unwrap();
        let script = format!(
            r#"set -e; cd "$1"
            mount --all --fstab mounts
            {}
            set +e
            chroot . {} /lifeboat {arguments} >said 2>&1; echo $? >status
            chroot . /bin/sh -c "$2" >seen 2>&1
            {}"#,
            self.before,
            self.through,
            if namespace().contains(&"unchanged") {
                "umount --lazy --recursive proc usr run root lifeboat"
            } else {
                ""
            }
        );
        let output = Command::new("unshare")
            .args(namespace())
            .args(["sh", "-c", &script, "sh"])
            .arg(self.directory.path())
            .arg(look)
            .env("rootmnt", "/root")
            .output()
            .unwrap();
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        let status = read("status").trim().parse().unwrap_or_else(|_| {
            panic!("the namespace was not set up: {}", String::from_utf8_lossy(&output.stderr))
        });
        Ran { status, said: read("said"), seen: read("seen") }
    }
}

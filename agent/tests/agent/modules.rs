//! `modules` in a mount namespace: the real mounts of an export on a scratch root, which is the program's `/`.

mod faults;
mod fetched;

use crate::namespace::namespace;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

/// A root on which nothing is mounted yet.
struct Scratch {
    root: tempfile::TempDir,
    out: tempfile::TempDir,
    script: String,
}

/// The traces of a run.
struct Ran {
    /// The messages of all calls of the agent, each with its exit status at the end.
    said: String,
    /// The output of the commands in between.
    seen: String,
}

/// A tmpfs that hides the disk's trees, with the export and what the disk has in it.
const COVER: &str = "mount --bind lib/modules run/disk; mount -t tmpfs lifeboat lib/modules
    mkdir lib/modules/5.0 && mount --bind run/disk/5.0 lib/modules/5.0 && umount run/disk
    ln -s 5.0 lib/modules/current";
/// The export as a mount of its own, and as files in the cover.
const BIND: &str = "mkdir lib/modules/6.1; mount --bind export lib/modules/6.1";
const COPY: &str = "cp -R export lib/modules/6.1";
/// A kernel's tree that dpkg wrote where it found the cover.
const WRITTEN: &str = "mkdir -p lib/modules/7.0/kernel; echo seven >lib/modules/7.0/kernel/x.ko";

/// Where everything is: mount points, and what is in the directory.
const LOOK: &str = "cut -d' ' -f5 /proc/self/mountinfo | grep -e /modules -e /aside -e '^/lib$'
    cat /lib/modules/6.1/a.ko; ls /lib/modules | paste -sd' '";
const SETTLED: &str = "/lib/modules/6.1\nthe export\n5.0 6.1 7.0 current\n";

impl Scratch {
    /// One whose disk has a tree of another kernel, and whose initramfs exported 6.1 with this layout.
    fn new(layout: &str) -> Self {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let scratch = Self { root, out, script: String::new() };
        for directory in ["proc", "dev", "run", "usr", "lib/modules/5.0", "export", "upper"] {
            fs::create_dir_all(scratch.path(directory)).unwrap();
        }
        for link in ["lib64", "bin", "sbin", "lib/x86_64-linux-gnu"] {
            symlink(format!("/usr/{link}"), scratch.path(link)).unwrap();
        }
        symlink("5.0", scratch.path("lib/modules/current")).unwrap();
        fs::write(scratch.path("export/a.ko"), "the export\n").unwrap();
        fs::write(scratch.path("agent"), "").unwrap();
        scratch.then(concat!("mount --bind '", env!("CARGO_BIN_EXE_lifeboat-agent"), "' agent")).then(
            &format!("mkdir run/lifeboat run/disk; printf 'RELEASE=6.1\\n{layout}' >run/lifeboat/modules"),
        )
    }

    /// One with a cover, and a tree that was written into it.
    fn covered(export: &str) -> Self {
        Self::new("LAYOUT=cover\\n").then(COVER).then(export).then(WRITTEN)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A shell command in the scratch directory, whose output is not looked at.
    fn then(mut self, command: &str) -> Self {
        writeln!(self.script, "{command}").unwrap();
        self
    }

    /// A shell command inside the root, whose output is.
    fn look(self, command: &str) -> Self {
        let command = format!("chroot . /bin/sh -c '{}' >>$2/seen 2>&1 || :", command.replace('\'', "'\\''"));
        self.then(&command)
    }

    /// A call of the agent.
    fn agent(self, words: &str) -> Self {
        self.within("", words)
    }

    /// The same by another program.
    fn within(self, program: &str, words: &str) -> Self {
        self.then(&format!("code=0; chroot . {program} /agent modules {words} >>$2/said 2>&1 || code=$?"))
            .then("echo \"status $code\" >>$2/said")
    }

    fn run(&self) -> Ran {
        let script = format!(
            "set -e; mount --bind \"$1\" \"$1\"; cd \"$1\"; mount --rbind /proc proc; mount --bind /usr usr
             mount -t tmpfs run run; code=0; (set -e\n{}) || code=$?
             cd /; umount --lazy --recursive \"$1\"; exit $code",
            self.script
        );
        let paths = [self.root.path(), self.out.path()];
        let output =
            Command::new("unshare").args(namespace()).args(["sh", "-c", &script, "sh"]).args(paths).output();
        let output = output.unwrap();
        assert!(output.status.success(), "not set up: {}", String::from_utf8_lossy(&output.stderr));
        let read = |name: &str| fs::read_to_string(self.out.path().join(name)).unwrap_or_default();
        Ran { said: read("said"), seen: read("seen") }
    }

    /// A file on the disk, as it is when nothing is mounted there any more.
    fn on_disk(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path("lib/modules").join(path)).ok()
    }
}

#[test]
fn a_cover_goes_and_what_was_written_into_it_is_on_the_disk() {
    for export in [BIND, COPY] {
        let scratch = Scratch::covered(export)
            .agent("settle")
            .look(LOOK)
            .agent("settle")
            .look("touch /lib/modules/new");
        let ran = scratch.run();
        assert_eq!(ran.seen, SETTLED, "{}", ran.said);
        assert!(
            ran.said.contains("uncovered /lib/modules: only /lib/modules/6.1 is exported"),
            "{}",
            ran.said
        );
        assert!(ran.said.contains("; carried over to the disk: 7.0\nstatus 0\n"), "{}", ran.said);
        assert!(ran.said.ends_with(
            "nothing to do: the modules of 6.1 are at /lib/modules/6.1 alone already\nstatus 0\n"
        ));
        assert_eq!(scratch.on_disk("7.0/kernel/x.ko").as_deref(), Some("seven\n"));
        assert!(scratch.on_disk("new").is_some());
        assert_eq!(fs::read_dir(scratch.path("lib/modules/6.1")).unwrap().count(), 0);
    }
}

#[test]
fn without_settling_it_is_not_on_the_disk() {
    let scratch = Scratch::covered(BIND).look(LOOK);
    assert_eq!(
        scratch.run().seen,
        "/lib/modules\n/lib/modules/5.0\n/lib/modules/6.1\nthe export\n5.0 6.1 7.0 current\n"
    );
    assert_eq!(scratch.on_disk("7.0/kernel/x.ko"), None);
}

#[test]
fn an_overlay_above_the_cover_goes_with_it() {
    let scratch = Scratch::new("LAYOUT=overlay\\n");
    fs::remove_dir_all(scratch.path("lib/modules")).unwrap();
    let scratch = scratch
        .then("mount -t tmpfs up upper; mkdir -p upper/u/modules upper/w")
        .then(
            "mount -t overlay -o ro,lowerdir=lib,upperdir=upper/u,workdir=upper/w lifeboat lib; umount upper",
        )
        .then("mount -t tmpfs lifeboat lib/modules")
        .then(BIND)
        .agent("settle")
        .look(LOOK);
    let ran = scratch.run();
    assert_eq!(ran.seen, "/lib/modules/6.1\nthe export\n6.1\n", "{}", ran.said);
    assert!(
        ran.said.contains("uncovered /lib: only /lib/modules/6.1 is exported\nstatus 0\n"),
        "{}",
        ran.said
    );
    assert!(scratch.path("lib/modules/6.1").try_exists().unwrap());
}

/// The disk's own tree of the release, shown in the cover under another name.
fn exported_over(file: Option<&str>) -> Scratch {
    let scratch = Scratch::new("");
    fs::create_dir(scratch.path("lib/modules/6.1")).unwrap();
    if let Some(content) = file {
        fs::write(scratch.path("lib/modules/6.1/a.ko"), content).unwrap();
    }
    let moved =
        "mkdir lib/modules/6.1.lifeboat-moved && mount --bind run/disk/6.1 lib/modules/6.1.lifeboat-moved";
    scratch.then(&COVER.replace("&& umount", &format!("&& {moved} && umount"))).then(BIND)
}

#[test]
fn a_tree_that_was_exported_over_stays_visible_until_its_package_comes() {
    let shown = "cat /run/lifeboat/moved/a.ko; grep -c lifeboat/moved /proc/self/mountinfo";
    let scratch = exported_over(Some("broken\n"));
    let scratch = scratch.agent("settle").look(LOOK).look(shown).agent("aside 6.1").look(LOOK).look(shown);
    let ran = scratch.run();
    assert_eq!(
        ran.seen.replace("cat: /run/lifeboat/moved/a.ko: No such file or directory\n", ""),
        "/lib/modules/6.1\nthe export\n5.0 6.1 current\nbroken\n1\n\
         /run/lifeboat/aside\nbroken\n5.0 6.1 current\n0\n",
        "{}",
        ran.said
    );
}

/// The next boot's cover shows the disk's directory under this name.
#[test]
fn a_directory_that_the_export_is_mounted_on_leaves_no_other_on_the_disk() {
    for file in [Some("broken\n"), None] {
        let scratch = exported_over(file).agent("settle").look(LOOK).look("ls /run/lifeboat");
        let ran = scratch.run();
        let shown = if file.is_some() { "modules\nmoved\n" } else { "modules\n" };
        let shown = format!("aside\n{shown}");
        assert_eq!(
            ran.seen,
            format!("/lib/modules/6.1\nthe export\n5.0 6.1 current\n{shown}"),
            "{}",
            ran.said
        );
        assert!(!scratch.path("lib/modules/6.1.lifeboat-moved").try_exists().unwrap());
    }
}

#[test]
fn a_disk_that_cannot_be_written_to_keeps_its_cover_until_it_can() {
    let scratch = Scratch::covered(BIND)
        .then("mount -o remount,bind,ro .")
        .agent("settle")
        .agent("aside 6.1")
        .look(LOOK)
        .then("mount -o remount,bind,rw .")
        .agent("aside 7.1")
        .look(LOOK);
    let ran = scratch.run();
    let covered = "/lib/modules\n/lib/modules/5.0\n/lib/modules/6.1\nthe export\n5.0 6.1 7.0 current\n";
    assert_eq!(ran.seen, format!("{covered}{SETTLED}"), "{}", ran.said);
    let first = ran.said.lines().take(2).collect::<Vec<_>>();
    assert!(first[0].contains("/lib/modules is read-only on the disk, and its cover stays"), "{}", ran.said);
    assert_eq!(first[1], "status 0");
}

#[test]
fn somebody_elses_mount_in_the_cover_is_not_taken_away() {
    let foreign = "mount -t tmpfs foreign lib/modules/5.0";
    let ran = Scratch::covered(BIND).then(foreign).agent("settle").look("ls /lib/modules/7.0").run();
    assert!(ran.said.contains("something is mounted at /lib/modules/5.0, and the cover"), "{}", ran.said);
    assert_eq!(ran.seen, "kernel\n");
}

#[test]
fn the_running_kernels_package_finds_the_disk_and_the_export_comes_back_when_it_brings_nothing() {
    let ran = Scratch::covered(BIND)
        .agent("settle")
        .agent("aside 7.0")
        .look(LOOK)
        .look("touch /lib/modules/6.1/.fresh-install")
        .agent("aside 6.1")
        .agent("aside 6.1")
        .look("ls -A /lib/modules/6.1 /run/lifeboat/aside; rm -r /lib/modules/6.1")
        .agent("settle")
        .look(LOOK)
        .run();
    let aside = "/lib/modules/6.1:\n.fresh-install\n\n/run/lifeboat/aside:\na.ko\n";
    assert_eq!(ran.seen, format!("{SETTLED}{aside}{SETTLED}"), "{}", ran.said);
    assert_eq!(ran.said.matches("status 0").count(), 5, "{}", ran.said);
    assert!(
        ran.said.contains("the exported /lib/modules/6.1 is back: the disk has no complete one"),
        "{}",
        ran.said
    );
}

#[test]
fn the_tree_that_the_running_kernels_package_brings_is_used() {
    let install = "cd /lib/modules/6.1 && echo the disk >a.ko && echo a.ko: >modules.dep";
    let scratch = Scratch::covered(COPY).agent("aside 6.1").look(install).agent("settle").look(LOOK);
    let ran = scratch.run();
    assert_eq!(ran.seen, "the disk\n5.0 6.1 7.0 current\n", "{}", ran.said);
    assert!(
        ran.said.ends_with("the disk's /lib/modules/6.1 is used from now on\nstatus 0\n"),
        "{}",
        ran.said
    );
    assert_eq!(scratch.on_disk("6.1/a.ko").as_deref(), Some("the disk\n"));
}

#[test]
fn a_machine_without_an_export_is_left_alone_and_nothing_is_said() {
    let ran = Scratch::new("").then("rm run/lifeboat/modules").agent("settle").agent("aside 6.1").run();
    assert_eq!(ran.said, "status 0\nstatus 0\n");
}

/// Programs are started with it.
const NULL: &str = "touch dev/null && mount --bind /dev/null dev/null";

/// The files that were written beside the exported modules.
const BUILD: &str = "cd /lib/modules/6.1 && ln -s /usr/src/headers build &&
    mkdir -p updates/dkms && echo built >updates/dkms/x.ko";

#[test]
fn headers_links_and_modules_that_were_built_here_are_kept_on_the_disk() {
    for export in [BIND, COPY] {
        let scratch = Scratch::covered(export).agent("settle").look(BUILD);
        let ran = scratch.run();
        assert_eq!((ran.seen.as_str(), scratch.on_disk("6.1/updates/dkms/x.ko")), ("", None), "{}", ran.said);

        let scratch = Scratch::covered(export)
            .agent("settle")
            .look(BUILD)
            .agent("settle")
            .look("echo more >/lib/modules/6.1/updates/dkms/y.ko")
            .agent("settle");
        let ran = scratch.run();
        assert!(
            ran.said.contains("kept on the disk of /lib/modules/6.1: build, updates\nstatus 0"),
            "{}",
            ran.said
        );
        assert_eq!(ran.said.matches("kept on the disk").count(), 1, "{}", ran.said);
        assert_eq!(scratch.on_disk("6.1/updates/dkms/x.ko").as_deref(), Some("built\n"));
        assert_eq!(scratch.on_disk("6.1/updates/dkms/y.ko").as_deref(), Some("more\n"));
        let link = fs::read_link(scratch.path("lib/modules/6.1/build")).unwrap();
        assert_eq!(link, PathBuf::from("/usr/src/headers"));
    }
}

#[test]
fn modules_that_were_built_here_are_seen_in_the_next_boots_export() {
    let scratch = exported_over(None).then(NULL);
    fs::create_dir_all(scratch.path("lib/modules/6.1/updates")).unwrap();
    fs::write(scratch.path("lib/modules/6.1/updates/x.ko"), "built\n").unwrap();
    let look = "cat /lib/modules/6.1/updates/x.ko /lib/modules/6.1/a.ko; ls /lib/modules/6.1/modules.dep; \
                ls -A /run/lifeboat/disk";
    let ran = scratch.agent("settle").look(look).agent("aside 6.1").look("ls /lib/modules/6.1").run();
    assert_eq!(ran.seen, "built\nthe export\n/lib/modules/6.1/modules.dep\nupdates\n", "{}", ran.said);
}

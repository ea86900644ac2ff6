//! Boothooks and part handlers at work, in a mount namespace in which a scratch root is `/`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

/// A root with the host's programs, on which the agent is at home.
pub(crate) struct Live {
    root: tempfile::TempDir,
}

impl Live {
    pub(crate) fn new(user_data: &str) -> Self {
        let live = Self { root: tempfile::tempdir().unwrap() };
        for directory in ["proc", "dev", "usr", "tmp", "etc", "seed", "run/lifeboat"] {
            fs::create_dir_all(live.path(directory)).unwrap();
        }
        for link in ["lib64", "bin", "sbin", "lib"] {
            symlink(format!("/usr/{link}"), live.path(link)).unwrap();
        }
        live.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        live.write("etc/group", "root:x:0:\n");
        live.write("agent", "");
        live.write("seed/meta-data", "instance-id: i-1\n");
        live.write("seed/user-data", user_data);
        live.write("run/lifeboat/seed", "SOURCE=nocloud\nSEED_FROM=/seed\n");
        live
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program that comes before the host's of its name, and notes how it was called in `/called`.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let path = format!("programs/{name}");
        self.write(&path, &format!("#!/bin/sh\necho \"$0 $*\" >>/called\n{script}\n"));
        fs::set_permissions(self.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn make_executable(&self, path: &str) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// The stage with the network; what it said.
    pub(crate) fn boot(&self) -> String {
        self.stage("network --budget 2")
    }

    /// A stage that does well; what it said.
    pub(crate) fn stage(&self, words: &str) -> String {
        let (well, said) = self.call(words);
        assert!(well, "{said}");
        said
    }

    /// The two stages after that; what they said.
    pub(crate) fn late(&self) -> String {
        self.stage("config") + &self.stage("final")
    }

    /// A stage: whether it did well, and what it said.
    pub(crate) fn call(&self, words: &str) -> (bool, String) {
        self.agent(&words.split(' ').collect::<Vec<_>>(), "")
    }

    /// Calls the agent; whether it went well, and what it said. `$1` is the root to what is set up before.
    pub(crate) fn agent(&self, words: &[&str], set_up: &str) -> (bool, String) {
        self.unshared("-u", words, set_up)
    }

    /// The same, with a network of its own.
    pub(crate) fn with_network(&self, words: &[&str], set_up: &str) -> (bool, String) {
        self.unshared("-un", words, set_up)
    }

    fn unshared(&self, what: &str, words: &[&str], set_up: &str) -> (bool, String) {
        let script = format!(
            "set -e; mount --rbind /proc \"$1/proc\"; mount --bind /usr \"$1/usr\"
             mount --bind /dev \"$1/dev\"; mount --bind \"$2\" \"$1/agent\"
             {set_up}
             root=$1; shift 2; exec chroot \"$root\" /agent \"$@\""
        );
        let user = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
        let output = Command::new("unshare")
            .args([user, what, "sh", "-c", &script, "sh"])
            .args([self.root.path().as_os_str(), env!("CARGO_BIN_EXE_lifeboat-agent").as_ref()])
            .args(words)
            .env("PATH", "/programs:/usr/sbin:/usr/bin:/sbin:/bin")
            .env_remove("JOURNAL_STREAM")
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn archive(parts: &[(&str, &str)]) -> String {
    let mut text = String::from("#cloud-config-archive\n");
    for (content_type, content) in parts {
        let lines: String = content.lines().flat_map(|line| ["    ", line, "\n"]).collect();
        text.extend(["- type: ", content_type, "\n  content: |\n", &lines]);
    }
    text
}

#[test]
fn boothooks_run_on_each_boot_in_their_order() {
    let live = Live::new(&archive(&[
        ("text/cloud-boothook", "#!/bin/sh\necho one $INSTANCE_ID >>/ran"),
        ("text/cloud-boothook", "no program"),
        ("text/cloud-boothook", "#!/bin/sh\necho three >>/ran; exit 3"),
        ("text/x-shellscript", "#!/bin/sh\necho script >>/ran"),
    ]));
    let said = live.boot();
    assert_eq!(live.read("ran"), "one i-1\nthree\n");
    assert!(
        said.contains(
            "warning: run /var/lib/cloud/instances/i-1/boothooks/part-002: from line 8 of the user-data on: start it: "
        ),
        "{said}"
    );
    assert!(said.contains("boothooks/part-003: it ended with exit status: 3"), "{said}");
    // The source is silent: what was kept is run.
    live.write("run/lifeboat/seed", "SOURCE=nocloud\nSEED_FROM=/nowhere\n");
    live.boot();
    assert_eq!(live.read("ran"), "one i-1\nthree\none i-1\nthree\n");
    // In a rescue boot nothing is.
    live.write("run/lifeboat/rescue", "BOOTED=rescue\nDEVICE=/dev/vdb\nTYPE=ext4\n");
    let said = live.boot();
    assert!(
        said.contains("left out in a rescue boot: run /var/lib/cloud/instances/i-1/boothooks/part-001"),
        "{said}"
    );
    assert_eq!(live.read("ran").lines().count(), 4);
}

#[test]
fn what_a_boothook_configures_counts_for_all_that_comes_after_it() {
    let hook =
        "#!/bin/sh\nmkdir -p /etc/cloud/cloud.cfg.d\necho 'odd: of the hook' >/etc/cloud/cloud.cfg.d/99.cfg";
    let live = Live::new(&archive(&[("text/cloud-boothook", hook)]));
    live.boot();
    assert_eq!(live.read("etc/cloud/cloud.cfg.d/99.cfg"), "odd: of the hook\n");
    let config = live.read("run/cloud-init/combined-cloud-config.json");
    assert!(config.contains("of the hook"), "{config}");
    // Without it there is no such key.
    let other = Live::new(&archive(&[("text/cloud-boothook", "#!/bin/sh\n:")]));
    other.boot();
    let config = other.read("run/cloud-init/combined-cloud-config.json");
    assert!(config.starts_with('{') && !config.contains("of the hook"), "{config}");
}

const PROGRAM: &str = "#part-handler
#!/bin/sh
case $1 in
list-types) echo package/x text/y ;;
handle-part) echo \"$CTYPE $FILENAME $FREQUENCY $(cat)\" >>/ran ;;
esac";

const MODULE: &str = "#part-handler
seen = []
handler_version = 2
def list_types():
    print('not an answer')
    return ['text/z', 'text/bad']
def handle_part(data, ctype, filename, payload, frequency):
    if ctype == 'text/bad':
        raise ValueError('it is bad')
    seen.append(filename)
    open('/ran', 'a').write('%s %s %s %r %d\\n' % (ctype, filename, frequency, payload, len(seen)))
";

#[test]
fn handlers_get_the_parts_of_their_types() {
    let live = Live::new(&archive(&[
        ("text/y", "too early"),
        ("text/part-handler", PROGRAM),
        ("package/x", "for x"),
        ("text/y", "for y"),
        ("text/nobody", "for nobody"),
    ]));
    let said = live.boot();
    assert_eq!(
        live.read("ran"),
        "__begin__  once-per-instance \npackage/x part-003 once-per-instance for x\n\
         text/y part-004 once-per-instance for y\n__end__  once-per-instance \n"
    );
    assert!(said.contains("part-001 is dropped: nothing handles the type text/y"), "{said}");
    assert!(said.contains("part-005 is dropped: nothing handles the type text/nobody"), "{said}");
    // Once per instance.
    live.boot();
    assert_eq!(live.read("ran").lines().count(), 4);
}

#[test]
fn a_module_of_python_stays_for_all_its_parts() {
    assert!(std::path::Path::new("/usr/bin/python3").try_exists().unwrap(), "the package python3 is needed");
    let live = Live::new(&archive(&[
        ("text/part-handler", MODULE),
        ("text/z", "for z"),
        ("text/bad", "x"),
        ("text/z", "more"),
        ("text/part-handler", "#part-handler\nthis is no python"),
    ]));
    let said = live.boot();
    assert_eq!(
        live.read("ran"),
        "__begin__ None once-per-instance None 1\ntext/z part-002 once-per-instance 'for z\\n' 2\n\
         text/z part-004 once-per-instance 'more\\n' 3\n__end__ None once-per-instance None 4\n"
    );
    assert!(said.contains("part-handler-000.py: ValueError: it is bad"), "{said}");
    assert!(said.contains("handlers/part-handler-001.py: it ended without an answer"), "{said}");
    assert!(live.read("var/log/cloud-init-output.log").contains("not an answer"));
    live.boot();
    assert_eq!(live.read("ran").lines().count(), 4);
}

#[test]
fn a_handler_without_an_interpreter_costs_only_itself() {
    let live = Live::new(&archive(&[
        ("text/part-handler", "#part-handler\n#!/nowhere/sh\n"),
        ("text/part-handler", "#part-handler\n#!/bin/true\n"),
        ("text/cloud-config", "hostname: still"),
    ]));
    let said = live.boot();
    assert!(
        said.contains("warning: part handler /var/lib/cloud/instances/i-1/handlers/part-handler-000: start "),
        "{said}"
    );
    assert!(said.contains("part-handler-001: it has no types"), "{said}");
    assert_eq!(live.read("etc/hostname"), "still\n");
}

#[test]
fn what_a_boothook_has_run_once_per_instance_is_not_run_again() {
    let hook = "#cloud-boothook\n#!/bin/sh\n\
                /cloud-init-per instance my-thing sh -c 'echo once >> /ran; exit 3'\n\
                /cloud-init-per always other sh -c 'echo always >> /ran'\n";
    let live = Live::new(hook);
    symlink("/agent", live.path("cloud-init-per")).unwrap();
    live.boot();
    assert_eq!(live.read("ran"), "once\nalways\n");
    let noted = live.read("var/lib/cloud/instances/i-1/sem/bootper.my_thing.instance");
    assert!(noted.starts_with("3\t"), "{noted}");
    live.boot();
    assert_eq!(live.read("ran"), "once\nalways\nalways\n");
    live.write("seed/meta-data", "instance-id: i-2\n");
    live.boot();
    assert_eq!(live.read("ran"), "once\nalways\nalways\nonce\nalways\n");
}

#[test]
fn other_user_data_has_its_handlers_and_vendors_data_taken_over_and_not_called_again() {
    let handler = |word: &str| PROGRAM.replace(">>/ran", &format!(">>/ran-{word}"));
    let live = Live::new(&archive(&[("text/part-handler", &handler("old")), ("text/y", "old")]));
    live.write("seed/vendor-data", "#!/bin/sh\necho old\n");
    live.boot();
    assert_eq!(live.read("ran-old").lines().count(), 3);
    let vendors = "var/lib/cloud/instances/i-1/scripts/vendor/part-001";
    let kept = "var/lib/cloud/instances/i-1/handlers/part-handler-000";
    assert!(live.read(vendors).contains("echo old") && live.read(kept).contains("ran-old"));

    live.write("seed/user-data", &archive(&[("text/part-handler", &handler("new")), ("text/y", "new")]));
    live.write("seed/vendor-data", "#cloud-config\nbootcmd: ['echo new >>/vendor']\n");
    live.boot();
    assert!(live.read(kept).contains("ran-new"), "{}", live.read(kept));
    assert_eq!((live.read("ran-old").lines().count(), live.read("ran-new").as_str()), (3, ""));
    assert_eq!((live.read(vendors).as_str(), live.read("vendor").as_str()), ("", "new\n"));
    // As a new instance: it is called.
    live.write("etc/cloud/cloud.cfg.d/policy.cfg", "user_data_policy: reapply\n");
    live.write("seed/user-data", &archive(&[("text/part-handler", &handler("third")), ("text/y", "third")]));
    live.boot();
    assert_eq!(live.read("ran-third").lines().count(), 3);
    // What was kept goes on: neither is taken over.
    live.write("etc/cloud/cloud.cfg.d/policy.cfg", "user_data_policy: ignore\n");
    live.write("seed/user-data", &archive(&[("text/part-handler", &handler("fourth"))]));
    live.write("seed/vendor-data", "#!/bin/sh\necho fourth\n");
    live.boot();
    assert!(live.read(kept).contains("ran-third"), "{}", live.read(kept));
    assert_eq!(live.read(vendors), "");
}

#[test]
fn clean_reboots_when_it_is_asked_to_and_nothing_is_left() {
    const IN_THE_WAY: &str = "mount -t tmpfs tmpfs \"$1/var/lib/cloud/data\"";
    let live = Live::new("#!/bin/sh\n");
    live.program("shutdown", "");
    live.boot();
    let (well, said) = live.agent(&["clean"], "");
    assert!(well && live.read("called").is_empty(), "{said}");
    live.boot();
    let (well, said) = live.agent(&["clean", "--reboot"], IN_THE_WAY);
    assert!(!well && said.contains("not rebooting: something is left"), "{said}");
    assert_eq!(live.read("called"), "");
    live.boot();
    let (well, said) = live.agent(&["clean", "--reboot"], "");
    assert!(well, "{said}");
    assert_eq!(live.read("called"), "/programs/shutdown -r now\n");
    assert!(!live.path("var/lib/cloud/data").try_exists().unwrap());
}

#[test]
fn a_vendors_scripts_are_run_behind_the_prefix() {
    let vendor = "#!/bin/sh\necho vendor $WRAPPED >>/ran\n";
    let user = |prefix: &str| {
        format!(
            "#cloud-config-archive\n- '#!/bin/sh\n\n  echo user $WRAPPED >>/ran'\n- 'vendor_data: {{{prefix}}}'\n"
        )
    };
    for (prefix, ran) in [
        ("prefix: [/usr/bin/env, WRAPPED=yes]", "vendor yes\nuser\n"),
        ("prefix: /usr/bin/env", "vendor\nuser\n"),
        ("enabled: true", "vendor\nuser\n"),
        // The user's word counts, and what cannot be run in bounds is not run.
        ("enabled: false", "user\n"),
        ("prefix: {a: b}", "user\n"),
    ] {
        let live = Live::new(&user(prefix));
        live.write("seed/vendor-data", vendor);
        live.boot();
        let (well, said) = live.call("final");
        assert_eq!(live.read("ran"), ran, "{prefix}: {said}");
        assert_eq!(!well, prefix.contains("{a"), "{said}");
        assert_eq!(said.contains("its prefix is neither"), !well, "{said}");
    }
}

#[test]
fn scripts_of_one_name_run_in_the_order_of_their_parts() {
    let part = |name: &str, word: &str| {
        format!(
            "- {{type: text/x-shellscript, filename: {name}, content: \"#!/bin/sh\\necho {word} >>/ran\"}}\n"
        )
    };
    let twins: String = (1..=12).map(|number| part("a", &format!("twin-{number}"))).collect();
    let others: String = ["c-10", "c-2", "c", "b"].map(|name| part(name, name)).concat();
    let live = Live::new(&format!("#cloud-config-archive\n{others}{twins}"));
    live.boot();
    live.late();
    let expected: Vec<_> = (1..=12).map(|number| format!("twin-{number}")).collect();
    // Names that differ are in cloud-init's order.
    assert_eq!(live.read("ran").trim_end(), format!("{}\nb\nc\nc-10\nc-2", expected.join("\n")));
}

#[test]
fn a_script_by_the_name_of_runcmd_runs_beside_it() {
    let script =
        "- {type: text/x-shellscript, filename: runcmd, content: \"#!/bin/sh\\necho part >>/ran\"}\n";
    let odd = script.replace("runcmd", "x.lifeboat-new").replace("echo part", "echo odd");
    let odder = script.replace("runcmd", ".0.lifeboat-new").replace("echo part", "echo odder");
    let commands = "- 'runcmd: [echo commands >>/ran]'\n";
    for (parts, ran, names) in [
        (script.to_owned() + commands, "commands\npart\n", &["runcmd", "runcmd-2"][..]),
        (script.to_owned(), "part\n", &["runcmd"]),
        (commands.to_owned(), "commands\n", &["runcmd"]),
        (odd + &odder, "odder\nodd\n", &["_0.lifeboat-new", "x.lifeboat-new"]),
    ] {
        let live = Live::new(&format!("#cloud-config-archive\n{parts}"));
        for _ in 0..2 {
            let said = live.boot() + &live.late();
            assert_eq!(live.read("ran"), ran, "{said}");
        }
        let mut there: Vec<_> = fs::read_dir(live.path("var/lib/cloud/instances/i-1/scripts"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        assert_eq!(there, names);
    }
}

#[test]
fn per_notes_a_command_that_cannot_be_started_as_a_shell_does() {
    let hook = "#cloud-boothook\n#!/bin/sh
echo 'echo shell $1 >>/ran' >/plain; chmod 755 /plain; echo x >/data
for command in '/nowhere/x' nothing-by-that-name /data '/plain word' 'sh -c \"kill -9 \\$\\$\"' true; do
n=$((n + 1)); eval /cloud-init-per instance n-$n $command; echo $? >>/ran
done\n";
    let live = Live::new(hook);
    symlink("/agent", live.path("cloud-init-per")).unwrap();
    live.boot();
    let expected = ["127", "127", "126", "shell word", "0", "137", "0"];
    assert_eq!(live.read("ran").lines().collect::<Vec<_>>(), expected);
    let noted =
        |number: usize| live.read(&format!("var/lib/cloud/instances/i-1/sem/bootper.n_{number}.instance"));
    for (number, code) in ["127", "127", "126", "0", "137", "0"].into_iter().enumerate() {
        assert!(noted(number + 1).starts_with(&format!("{code}\t")), "{}", noted(number + 1));
    }
    // It was run, and is not run again.
    live.boot();
    assert_eq!(live.read("ran").lines().skip(expected.len()).collect::<Vec<_>>(), ["0"; 6]);
}

#[test]
fn what_can_be_run_is_run_and_the_rest_is_told() {
    const SCRIPTS: &str = "var/lib/cloud/scripts/per-boot";
    let live = Live::new("#cloud-config\n{}\n");
    for path in [&format!("{SCRIPTS}/plain"), &format!("{SCRIPTS}/whole"), "opt/tool"] {
        live.write(path, "#!/bin/sh\necho \"$0\" >>/ran\n");
    }
    for path in [&format!("{SCRIPTS}/whole"), "opt/tool"] {
        fs::set_permissions(live.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    live.write(&format!("{SCRIPTS}/folder/inner"), "");
    for (name, target) in [("link", "/opt/tool"), ("lost", "/nowhere"), ("other", "folder")] {
        symlink(target, live.path(&format!("{SCRIPTS}/{name}"))).unwrap();
    }
    live.boot();
    let said = live.late();
    assert_eq!(live.read("ran"), format!("/{SCRIPTS}/link\n/{SCRIPTS}/whole\n"), "{said}");
    for told in [
        format!("warning: /{SCRIPTS}/plain is not run: it is not executable (run chmod +x /{SCRIPTS}/plain)"),
        format!("warning: /{SCRIPTS}/lost is not run: it is a link that leads nowhere"),
    ] {
        assert!(said.contains(&told), "{said}");
    }
    assert!(!said.contains("folder") && !said.contains("other"), "{said}");
    // Where all can be run nothing is told.
    for name in ["plain", "lost"] {
        fs::remove_file(live.path(&format!("{SCRIPTS}/{name}"))).unwrap();
    }
    assert!(!live.late().contains("is not run"));
}

#[test]
fn programs_run_where_their_log_cannot_be_written() {
    let data = archive(&[
        ("text/cloud-boothook", "#!/bin/sh\necho hook >>/ran; echo said by hook >&2"),
        ("text/part-handler", PROGRAM),
        ("text/y", "y"),
        ("text/cloud-config", "bootcmd: ['echo bootcmd >>/ran']\nusers: [{name: new}]"),
        ("text/x-shellscript", "#!/bin/sh\necho script >>/ran"),
    ]);
    let live = Live::new(&data);
    for name in ["useradd", "passwd"] {
        live.program(name, "");
    }
    fs::create_dir_all(live.path("var/log/cloud-init-output.log")).unwrap();
    let said = live.boot();
    let ran = live.read("ran");
    for word in ["hook\n", "text/y part-003", "bootcmd\n"] {
        assert!(ran.contains(word), "{word}: {ran}{said}");
    }
    assert!(live.read("called").contains("useradd new"), "{said}");
    assert!(said.contains("\nsaid by hook\n"), "{said}");
    assert_eq!(said.matches("cloud-init-output.log").count(), 1, "{said}");
    let said = live.late();
    assert!(live.read("ran").ends_with("script\n"), "{said}");
    assert!(said.contains("warning: open /var/log/cloud-init-output.log: "), "{said}");
    // Where it can be, what they say is there and nowhere else.
    let live = Live::new(&data);
    for name in ["useradd", "passwd"] {
        live.program(name, "");
    }
    let said = live.boot();
    assert!(!said.contains("said by hook") && !said.contains("cloud-init-output.log"), "{said}");
    assert_eq!(live.read("var/log/cloud-init-output.log"), "said by hook\n");
}

#[test]
fn a_script_that_a_power_cut_ended_is_named_and_repeated_when_a_person_asks_for_it() {
    let cut = "#!/bin/sh\necho cut >>/ran\n[ -e /powered ] || { kill -9 $PPID; sleep 5; }\necho end >>/ran";
    let live = Live::new(&archive(&[
        ("text/x-shellscript", "#!/bin/sh\necho before >>/ran"),
        ("text/x-shellscript", cut),
        ("text/x-shellscript", "#!/bin/sh\necho behind >>/ran"),
    ]));
    live.boot();
    live.stage("config");
    assert!(!live.call("final").0);
    assert_eq!(live.read("ran"), "before\ncut\n");
    live.write("powered", "");
    live.stage("local");
    live.boot();
    let said = live.late();
    let scripts = "/var/lib/cloud/instances/i-1/scripts/part";
    let told = format!(
        "{scripts}-002 was interrupted on an earlier boot and is not run again; not run at all: {scripts}-003"
    );
    assert!(said.contains(&format!("warning: {told}")), "{said}");
    assert!(live.read("var/lib/cloud/data/status.json").contains(&told));
    assert_eq!(live.read("ran"), "before\ncut\n");
    live.stage("single --name scripts_user --frequency always");
    assert_eq!(live.read("ran"), "before\ncut\nbefore\ncut\nend\nbehind\n");
    // It is told once, and nothing was interrupted since.
    live.stage("local");
    live.boot();
    assert!(!live.late().contains("interrupted"));
    // Without a frequency it is done as often as at boot.
    live.stage("single --name scripts_user");
    assert_eq!(live.read("ran").lines().count(), 6);
    let (well, said) = live.call("single --name no_module");
    assert!(!well && said.contains("there is no module no_module"), "{said}");
}

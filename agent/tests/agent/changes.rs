//! The same instance with other user-data.

use crate::machine::Machine;
use crate::server::{Reply, Server};
use expect_test::expect;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const INSTANCE: &str = "var/lib/cloud/instances/i-1";
const SEED: &str = "var/lib/cloud/seed/nocloud";

const BEFORE: &str = "#cloud-config-archive
- \"#cloud-config\\nhostname: old\\nbootcmd: [echo old]\\nruncmd: [echo old]\\n\"
- \"#!/bin/sh\\necho old\\n\"
- \"#cloud-boothook\\n#!/bin/sh\\necho old\\n\"
- {type: text/x-shellscript-per-boot, content: \"#!/bin/sh\\necho old\\n\"}
- {filename: goes, content: \"#!/bin/sh\\n\"}
";

const AFTER: &str = "#cloud-config-archive
- \"#cloud-config\\nhostname: new\\nbootcmd: [echo new]\\nruncmd: [echo new]\\n\"
- \"#!/bin/sh\\necho new\\n\"
- \"#cloud-boothook\\n#!/bin/sh\\necho new\\n\"
- {type: text/x-shellscript-per-boot, content: \"#!/bin/sh\\necho new\\n\"}
- {filename: comes, content: \"#!/bin/sh\\ntrue\\n\"}
";

/// A machine that was booted with `BEFORE`, and has `AFTER` in its seed now.
fn changed(policy: &str) -> Machine {
    let machine = Machine::new();
    seed(&machine, "i-1", BEFORE);
    machine.write("etc/cloud/cloud.cfg.d/99.cfg", policy);
    let (well, said) = machine.boot();
    assert!(well && said.contains("scripts/goes") && said.contains("scripts/runcmd"), "{said}");
    seed(&machine, "i-1", AFTER);
    machine
}

fn seed(machine: &Machine, id: &str, user_data: &str) {
    machine.write(&format!("{SEED}/meta-data"), format!("instance-id: {id}\n"));
    machine.write(&format!("{SEED}/user-data"), user_data);
}

/// The lines of what is run.
fn run(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.contains("not on this root: run ")).collect()
}

#[test]
fn each_part_has_its_digest() {
    let machine = changed("");
    let record = machine.read(&format!("{INSTANCE}/parts.json"));
    assert_eq!(
        (record.matches("\"sha256\":\"").count(), machine.mode(&format!("{INSTANCE}/parts.json"))),
        (5, 0o600)
    );
}

#[test]
fn by_default_what_is_done_on_each_boot_is_refreshed_and_nothing_is_done_again() {
    let machine = changed("");
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    for (file, text) in [
        ("boothooks/part-003", "#!/bin/sh\necho new\n"),
        ("scripts/part-002", "#!/bin/sh\necho new\n"),
        ("scripts/runcmd", "#!/bin/sh\necho new\n"),
        ("scripts/comes", "#!/bin/sh\ntrue\n"),
    ] {
        assert_eq!(machine.read(&format!("{INSTANCE}/{file}")), text, "{file}");
    }
    assert!(machine.read(&format!("{INSTANCE}/cloud-config.txt")).contains("hostname: new"));
    assert_eq!(machine.read("run/cloud-init/bootcmd"), "#!/bin/sh\necho new\n");
    assert_eq!(machine.read("var/lib/cloud/scripts/per-boot/part-004"), "#!/bin/sh\necho new\n");
    assert_eq!(machine.mode(&format!("{INSTANCE}/scripts/goes")), 0);
    assert_eq!(machine.read("etc/hostname"), "new\n");
    let ran = run(&said).join("\n");
    for (script, is_run) in [
        ("boothooks/part-003", true),
        ("per-boot/part-004", true),
        ("bootcmd", true),
        ("scripts/comes", false),
    ] {
        assert_eq!(ran.contains(script), is_run, "{script}: {ran}");
    }
    assert!(!ran.contains("scripts/runcmd") && !ran.contains("scripts/part-002"), "{ran}");
    assert_eq!(machine.agent(&["status"]).0, 0);
    let (code, text) = machine.agent(&["diff"]);
    assert_eq!(code, 0);
    expect![[r"
        the user-data of instance i-1 has changed (policy: refresh)
        changed: part-001 (text/cloud-config): taken over
          hostname: changed (not done again)
          bootcmd: changed (done on each boot)
          runcmd: changed (stored, not run)
          - hostname: old
          - bootcmd: [echo old]
          - runcmd: [echo old]
          + hostname: new
          + bootcmd: [echo new]
          + runcmd: [echo new]
        changed: part-002 (text/x-shellscript): stored, not run
          - echo old
          + echo new
        changed: part-003 (text/cloud-boothook): run as it is now on each boot
          - echo old
          + echo new
        changed: part-004 (text/x-shellscript-per-boot): run as it is now on each boot
          - echo old
          + echo new
        new: comes (text/x-shellscript): stored, not run
          + #!/bin/sh
          + true
        gone: goes (text/x-shellscript): its file went with it
          - #!/bin/sh
    "]]
    .assert_eq(&text);
    // It stays so, and is not told anew on each boot.
    let (_, said) = machine.boot();
    assert!(!said.contains("has changed") && !said.contains("scripts/comes"), "{said}");
    assert_eq!(machine.agent(&["diff"]).1, text);
}

#[test]
fn the_same_user_data_is_no_change() {
    let machine = changed("");
    seed(&machine, "i-1", BEFORE);
    let (well, said) = machine.boot();
    assert!(well && !said.contains("has changed"), "{said}");
    assert_ne!(machine.mode(&format!("{INSTANCE}/scripts/goes")), 0);
    let (code, text) = machine.agent(&["diff"]);
    assert_eq!((code, text.as_str()), (0, "the user-data of instance i-1 is as it was when it was new\n"));
}

#[test]
fn a_change_that_is_taken_back_is_none() {
    let machine = changed("");
    assert!(machine.boot().0);
    seed(&machine, "i-1", BEFORE);
    assert!(machine.boot().0);
    assert!(machine.agent(&["diff"]).1.contains("as it was"), "{}", machine.agent(&["diff"]).1);
    assert_ne!(machine.mode(&format!("{INSTANCE}/scripts/goes")), 0);
    assert_eq!(machine.mode(&format!("{INSTANCE}/scripts/comes")), 0);
}

/// The kept data goes on, and the new data is seen by `diff` alone.
fn check_kept(machine: &Machine, said: &str) {
    assert!(run(said).join("\n").contains("boothooks/part-003"), "{said}");
    assert!(said.contains("bootcmd: run"), "{said}");
    assert_eq!(machine.read("run/cloud-init/bootcmd"), "#!/bin/sh\necho old\n");
    assert!(machine.read(&format!("{INSTANCE}/boothooks/part-003")).contains("echo old"));
    assert!(machine.read(&format!("{INSTANCE}/cloud-config.txt")).contains("hostname: old"));
    assert_ne!(machine.mode(&format!("{INSTANCE}/scripts/goes")), 0);
    assert_eq!(machine.mode(&format!("{INSTANCE}/scripts/comes")), 0);
    let (_, text) = machine.agent(&["diff"]);
    assert!(text.contains("\nnew: comes (text/x-shellscript): not taken\n"), "{text}");
    assert!(text.contains("\n  hostname: changed\n"), "{text}");
}

#[test]
fn to_ignore_it_is_to_go_on_with_what_was_kept() {
    let machine = changed("user_data_policy: ignore");
    for _ in 0..2 {
        let (well, said) = machine.boot();
        assert!(well, "{said}");
        check_kept(&machine, &said);
        assert_eq!(machine.agent(&["status"]).0, 0);
    }
    seed(&machine, "i-1", BEFORE);
    assert!(machine.boot().0);
    assert!(machine.agent(&["diff"]).1.contains("as it was"));
}

#[test]
fn to_refuse_it_is_to_go_on_and_be_loud() {
    let machine = changed("");
    machine.write("proc/cmdline", "ro lifeboat.user-data=refuse\n");
    for _ in 0..2 {
        let (well, said) = machine.boot();
        assert!(!well, "{said}");
        check_kept(&machine, &said);
        let (code, text) = machine.agent(&["status"]);
        assert!(code == 1 && text.contains("\nerror: the user-data of instance i-1 has changed"), "{text}");
    }
}

#[test]
fn the_kernel_command_line_says_what_becomes_of_it_whatever_the_configuration_says() {
    // Of each: whether the new text is kept, whether a new script is run, and whether the boot went well.
    for (word, other, is_taken, is_run, is_well) in [
        ("ignore", "reapply", false, false, true),
        ("refresh", "ignore", true, false, true),
        ("reapply", "refuse", true, true, true),
        ("refuse", "refresh", false, false, false),
    ] {
        let policy = format!("user_data_policy: {other}");
        let machine = changed(&policy);
        machine.write("proc/cmdline", format!("ro lifeboat.user-data={word} quiet\n"));
        let (well, said) = machine.boot();
        assert_eq!(well, is_well, "{word}: {said}");
        let kept = machine.read(&format!("{INSTANCE}/cloud-config.txt"));
        assert_eq!(kept.contains("hostname: new"), is_taken, "{word}: {kept}");
        assert_eq!(run(&said).join("\n").contains("scripts/comes"), is_run, "{word}: {said}");
        let (_, text) = machine.agent(&["diff"]);
        assert!(is_run || text.contains(&format!("(policy: {word})")), "{word}: {text}");
    }
    // A word that is none is told, and the configuration's counts.
    let machine = changed("user_data_policy: ignore");
    machine.write("proc/cmdline", "ro lifeboat.user-data=never\n");
    let (well, said) = machine.boot();
    assert!(well && said.contains("lifeboat.user-data: `never` is no policy"), "{said}");
    assert!(machine.read(&format!("{INSTANCE}/cloud-config.txt")).contains("hostname: old"));
}

#[test]
fn to_reapply_it_is_to_do_everything_again() {
    let machine = changed("user_data_policy: reapply");
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    let ran = run(&said).join("\n");
    for script in ["boothooks/part-003", "scripts/part-002", "scripts/runcmd", "scripts/comes"] {
        assert!(ran.contains(script), "{script}: {ran}");
    }
    assert!(!ran.contains("scripts/goes"), "{ran}");
    assert_eq!(machine.read("etc/hostname"), "new\n");
    assert!(machine.agent(&["diff"]).1.contains("as it was"));
    let (_, said) = machine.boot();
    assert!(!run(&said).join("\n").contains("scripts/comes"), "{said}");
}

#[test]
fn a_word_that_is_no_policy_is_told() {
    let machine = changed("user_data_policy: always");
    let (well, said) = machine.boot();
    assert!(well && said.contains("user_data_policy: `always` is no policy"), "{said}");
    assert_eq!(machine.agent(&["status"]).0, 2);
}

#[test]
fn another_instance_starts_over_whatever_the_policy_is() {
    let machine = changed("user_data_policy: refuse");
    seed(&machine, "i-2", AFTER);
    let (well, said) = machine.boot();
    assert!(well && run(&said).join("\n").contains("i-2/scripts/comes"), "{said}");
    assert_eq!(machine.read("etc/hostname"), "new\n");
    // Back again: nothing is done a second time.
    seed(&machine, "i-1", BEFORE);
    let (well, said) = machine.boot();
    assert!(well && !run(&said).join("\n").contains("i-1/scripts"), "{said}");
    assert_eq!(machine.read("var/lib/cloud/data/instance-id"), "i-1\n");
}

#[test]
fn an_include_that_is_away_for_a_boot_takes_nothing_with_it() {
    let away = Arc::new(AtomicBool::new(false));
    let is_away = Arc::clone(&away);
    let machine = Machine::new();
    let server = Server::new(move |path, _| match path {
        "/script" if is_away.load(Ordering::SeqCst) => Reply::Status(404),
        "/script" => Reply::Ok(b"#!/bin/sh\n".to_vec()),
        _ => Reply::Status(404),
    });
    let data = format!("#include\n{}\n", server.url("/script"));
    machine.write("etc/cloud/cloud.cfg.d/99.cfg", "user_data_policy: reapply");
    seed(&machine, "i-1", &data);
    let (well, said) = machine.boot();
    assert!(well && run(&said).join("\n").contains("scripts/part-001"), "{said}");
    away.store(true, Ordering::SeqCst);
    let (well, said) = machine.boot();
    assert!(well && run(&said).is_empty(), "{said}");
    assert_ne!(machine.mode(&format!("{INSTANCE}/scripts/part-001")), 0);
    let (code, text) = machine.agent(&["status"]);
    assert!(code == 2 && text.contains("as it was kept"), "{text}");
    away.store(false, Ordering::SeqCst);
    let (well, said) = machine.boot();
    assert!(well && run(&said).is_empty(), "{said}");
    assert_eq!(machine.agent(&["status"]).0, 0);
}

#[test]
fn reapply_uses_what_include_once_fetched() {
    let machine = Machine::new();
    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = Arc::clone(&asked);
    // As of an address that is good once.
    let server = Server::new(move |_, _| {
        if was_asked.swap(true, Ordering::SeqCst) {
            Reply::Status(404)
        } else {
            Reply::Ok(b"#!/bin/sh\n".to_vec())
        }
    });
    machine.write("etc/cloud/cloud.cfg.d/99.cfg", "user_data_policy: reapply");
    let data = |more: &str| format!("#include-once\n{}\n{more}", server.url("/script"));
    seed(&machine, "i-1", &data(""));
    assert!(run(&machine.boot().1).join("\n").contains("scripts/part-001"));
    machine.write("more", "#!/bin/sh\ntrue\n");
    seed(&machine, "i-1", &data("file:///more\n"));
    let (well, said) = machine.boot();
    let ran = run(&said).join("\n");
    assert!(well && ran.contains("scripts/part-001") && ran.contains("scripts/part-002"), "{said}");
}

#[test]
fn a_part_that_is_taken_out_goes_beside_one_that_was_always_bad() {
    let data =
        |first: &str| format!("#cloud-config-archive\n{first}- 5\n- \"#cloud-config\\nhostname: a\\n\"\n");
    let (hook, none) = ("- \"#cloud-boothook\\n#!/bin/sh\\n\"\n", "");
    for (policy, is_run) in [("refresh", false), ("ignore", true), ("refuse", true)] {
        let machine = Machine::new();
        machine.write("etc/cloud/cloud.cfg.d/99.cfg", format!("user_data_policy: {policy}"));
        seed(&machine, "i-1", &data(hook));
        let ran = |said: &str| run(said).join("\n").contains("boothooks/part-");
        let (_, said) = machine.boot();
        assert!(ran(&said), "{said}");
        // Nothing was changed.
        let (_, said) = machine.boot();
        assert!(ran(&said), "{said}");
        assert_eq!(machine.agent(&["diff"]).0, 0);
        seed(&machine, "i-1", &data(none));
        let (_, said) = machine.boot();
        assert_eq!(ran(&said), is_run, "{policy}: {said}");
        assert!(!said.contains("cannot be had whole now"), "{policy}: {said}");
        let (_, text) = machine.agent(&["diff"]);
        assert!(text.contains("part-001"), "{policy}: {text}");
    }
}

#[test]
fn there_is_no_difference_without_an_instance() {
    let (code, said) = Machine::new().agent(&["diff"]);
    assert!(code == 1 && said.contains("there is no instance yet"), "{said}");
}

/// Two includes of three can be had from the second boot on.
#[test]
fn an_include_that_comes_late_is_carried_out_and_nothing_else_again() {
    let there = Arc::new(AtomicBool::new(false));
    let is_there = Arc::clone(&there);
    let server = Server::new(move |path, _| match path {
        "/first" => Reply::Ok(b"#!/bin/sh\ntrue first\n".to_vec()),
        "/late" if is_there.load(Ordering::SeqCst) => Reply::Ok(b"#!/bin/sh\ntrue late\n".to_vec()),
        "/config" if is_there.load(Ordering::SeqCst) => {
            Reply::Ok(b"#cloud-config\nhostname: late\nruncmd: [id]\n".to_vec())
        }
        _ => Reply::Status(404),
    });
    let machine = Machine::new();
    let urls = ["/first", "/late", "/config"].map(|path| server.url(path)).join("\n");
    seed(&machine, "i-1", &format!("#include\n{urls}\n"));
    let (well, said) = machine.boot();
    assert!(well && run(&said).len() == 1 && run(&said)[0].contains("part-001"), "{said}");
    assert_eq!((machine.agent(&["status"]).0, machine.mode("etc/hostname")), (2, 0));
    // As long as it is away, nothing comes of it.
    assert!(run(&machine.boot().1).is_empty());

    there.store(true, Ordering::SeqCst);
    let (well, said) = machine.boot();
    assert!(well && said.contains("could not be had before are there now"), "{said}");
    let ran = run(&said).join("\n");
    assert!(ran.contains("scripts/part-002") && ran.contains("scripts/runcmd"), "{said}");
    assert!(!ran.contains("scripts/part-001"), "{said}");
    assert_eq!(machine.read("etc/hostname"), "late\n");
    assert_eq!(machine.agent(&["status"]).0, 0);

    machine.write("etc/hostname", "mine\n");
    let (well, said) = machine.boot();
    assert!(well && run(&said).is_empty(), "{said}");
    assert_eq!(machine.read("etc/hostname"), "mine\n");
}

/// cloud-init 26.2 takes each for good: it asks no second time, or takes what comes later for a change.
#[test]
fn an_include_that_holds_nothing_of_use_yet_is_carried_out_once_it_does() {
    const GOOD: &str = "#cloud-config\nhostname: late\nruncmd: [id]\n";
    let early: [&[u8]; 9] = [
        b"",
        b"\n\n",
        b"<html>log in here</html>\n",
        b"\n<!DOCTYPE html>\n<title>502</title>\n",
        b"#cloud-config\nruncmd: [\n",
        b"#cloud-config\n",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc",
        b"\0#\0c\0l\0o\0u\0d\0-\0c\0o\0n\0f\0i\0g\0\n",
        b"#cloudconfig\nhostname: late\n",
    ];
    for early in early {
        let machine = Machine::new();
        machine.write("inc", early);
        seed(&machine, "i-1", "#include\nfile:///inc\n");
        let (well, said) = machine.boot();
        assert!(well && run(&said).is_empty(), "{said}");
        // An empty one may be meant so.
        let is_blank = early.trim_ascii().is_empty();
        assert_eq!(machine.agent(&["status"]).0, if is_blank { 0 } else { 2 }, "{early:?}");
        let config = machine.read("var/lib/cloud/instances/i-1/cloud-config.txt");
        let is_listed = config.contains("# Cloud-config part ignored SCHEMA_ERROR: part-001\n");
        assert_eq!(is_listed, early.starts_with(b"#cloud-config\n"), "{early:?}: {config}");
        machine.write("inc", GOOD);
        let (well, said) = machine.boot();
        assert!(well && said.contains("could not be had before are there now"), "{early:?}: {said}");
        assert_eq!((run(&said).len(), machine.read("etc/hostname")), (1, "late\n".into()), "{said}");
        assert!(run(&machine.boot().1).is_empty());
        assert_eq!(machine.agent(&["status"]).0, 0);
    }
    // What was of use is changed by what comes in its place.
    let machine = Machine::new();
    machine.write("inc", "#cloud-config\nhostname: early\n");
    seed(&machine, "i-1", "#include\nfile:///inc\n");
    machine.boot();
    machine.write("inc", GOOD);
    let (_, said) = machine.boot();
    assert!(said.contains("has changed") && run(&said).is_empty(), "{said}");
}

/// The stage ends, or is cut off, before the scripts have run.
#[test]
fn an_include_that_comes_before_the_scripts_run_is_one_of_them() {
    let machine = Machine::new();
    machine.write("first", "#!/bin/sh\ntrue first\n");
    seed(&machine, "i-1", "#include\nfile:///first\nfile:///late\n");
    machine.agent(&["network"]);
    machine.write("late", "#!/bin/sh\ntrue late\n");
    let (well, said) = machine.boot();
    assert!(well && run(&said).len() == 2, "{said}");
    assert!(run(&machine.boot().1).is_empty());
}

#[test]
fn damaged_user_data_takes_nothing_from_its_instance() {
    const GOOD: &str = "#cloud-config\nhostname: own\nbootcmd: [echo hello]\n";
    let damaged: [&[u8]; 6] = [
        b"#cloud-config\nhostname: [own\n",
        b"#cloud-config\nhostname: own\nbootc",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc",
        b"<html>502 Bad Gateway</html>\n",
        b"\0\0\0\0\0\0\0\0",
        b"#cloud-config-archive\n- '#!/bin/sh'\n- '#cloud-config\n\n  a: ['\n",
    ];
    for policy in ["", "user_data_policy: reapply\n"] {
        let machine = Machine::new();
        machine.write("etc/cloud/cloud.cfg.d/99.cfg", policy);
        seed(&machine, "i-1", GOOD);
        assert!(machine.boot().0);
        let kept = machine.read(&format!("{INSTANCE}/cloud-config.txt"));
        for data in damaged {
            machine.write(&format!("{SEED}/user-data"), data);
            let (well, said) = machine.boot();
            assert!(well && said.contains("going on with instance i-1 as it was kept"), "{data:?}: {said}");
            assert_eq!(machine.read(&format!("{INSTANCE}/cloud-config.txt")), kept, "{data:?}: {said}");
            assert!(said.contains("bootcmd: run"), "{data:?}: {said}");
            assert_eq!(machine.agent(&["status"]).0, 2, "{data:?}: {said}");
        }
        // Another that is whole is taken, and under another id a damaged one is all that there is.
        seed(&machine, "i-1", "#cloud-config\nbootcmd: [echo other]\n");
        machine.boot();
        assert!(machine.read(&format!("{INSTANCE}/cloud-config.txt")).contains("echo other"));
        assert_eq!(machine.agent(&["status"]).0, 0);
        machine.write(&format!("{SEED}/meta-data"), "instance-id: i-2\n");
        machine.write(&format!("{SEED}/user-data"), damaged[0]);
        machine.boot();
        assert_eq!(machine.read("var/lib/cloud/data/instance-id"), "i-2\n");
        assert!(!machine.read("var/lib/cloud/instances/i-2/cloud-config.txt").contains("hostname"));
    }
}

/// The numbers of parts shift when one comes before them, and so do the names of their scripts.
#[test]
fn a_script_that_comes_late_and_first_is_run_and_no_other_again() {
    let machine = Machine::new();
    machine.write("seed-include", "");
    let mime = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n\
                --x\nContent-Type: text/x-include-url\n\nfile:///late\n\
                --x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\ntrue once\n--x--\n";
    seed(&machine, "i-1", mime);
    let (well, said) = machine.boot();
    assert!(well && run(&said).len() == 1, "{said}");
    machine.write("late", "#!/bin/sh\ntrue late\n");
    let (well, said) = machine.boot();
    assert!(well && run(&said).len() == 1 && run(&said)[0].contains("scripts/part-001"), "{said}");
    assert!(machine.read(&format!("{INSTANCE}/scripts/part-001")).contains("late"));
    assert!(run(&machine.boot().1).is_empty());
}

#[test]
fn a_late_include_of_the_vendor_is_carried_out_too() {
    let machine = Machine::new();
    seed(&machine, "i-1", "#!/bin/sh\ntrue\n");
    machine.write(&format!("{SEED}/vendor-data"), "#include\nfile:///late\n");
    assert_eq!(run(&machine.boot().1).len(), 1);
    machine.write("late", "#cloud-config\nhostname: late\nruncmd: [id]\n");
    let (well, said) = machine.boot();
    assert!(well && said.contains("parts of the vendor-data that could not be had"), "{said}");
    assert!(run(&said).len() == 1 && run(&said)[0].contains("scripts/runcmd"), "{said}");
    assert_eq!(machine.read("etc/hostname"), "late\n");
    assert!(run(&machine.boot().1).is_empty());
}

#[test]
fn what_comes_late_after_a_change_is_left_out_and_said_on_each_boot() {
    let told = "came late, after the user-data was changed";
    for at_once in [true, false] {
        let machine = Machine::new();
        seed(&machine, "i-1", "#include\nfile:///late\n");
        machine.boot();
        if at_once {
            machine.write("late", "#cloud-config\nwrite_files: [{path: /made}]\n");
        }
        machine.write("more", "#cloud-config\nfqdn: more.example\n");
        seed(&machine, "i-1", "#include\nfile:///late\nfile:///more\n");
        let (well, said) = machine.boot();
        assert!(well && said.contains(told) == at_once, "{said}");
        machine.write("late", "#cloud-config\nwrite_files: [{path: /made}]\n");
        for _ in 0..2 {
            let (well, said) = machine.boot();
            assert!(well && said.contains(told), "{said}");
            assert_eq!((machine.agent(&["status"]).0, machine.mode("made")), (2, 0));
        }
    }
}

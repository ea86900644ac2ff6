//! `lifeboat rescue wait` where no rescue volume can be mounted: the own root that appears, is all there is, or gets
//! its chance again; and what ends a wait.

use crate::scratch::{Ran, Scratch};

/// The own root's, and one that no volume has.
const OWN: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c0a";
const OTHER: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c02";

/// Where init finds what it missed; whether it finds ignored volumes; what is on record.
const LOOK: &str = "grep -s \") echo '/dev/\" /conf/param.conf; grep -sc resolve_device /conf/param.conf
                    grep -E '^(BOOTED|FAILED|IGNORED|WAITED)' /run/lifeboat/rescue | sed 's/=[1-9][0-9]*$/=LATER/'";

/// init misses its root, which is named so.
fn missing(root: &str, setting: &str) -> Scratch {
    Scratch::new().before(&format!("ROOT={root}; export ROOT")).cmdline(&format!("lifeboat.rescue={setting}"))
}

fn gives_up_on(root: &str) -> String {
    format!("rescue wait 'ALERT!  {root} does not exist.  Dropping to a shell!'")
}

/// Once what was attached is waited for: `vdz` comes after a second.
const LATE: &str = "mv sys/class/block/vdz late; (sleep 1; mv late sys/class/block/vdz) &";

fn must_say(ran: &Ran, texts: &[&str]) {
    for text in texts {
        assert!(ran.said.contains(text), "{text}: {}", ran.said);
    }
}

#[test]
fn a_missing_root_is_found_at_once_or_when_it_appears_in_any_spelling() {
    for late in ["", LATE] {
        for uuid in [OWN.to_owned(), OWN.to_uppercase()] {
            let root = format!("UUID={uuid}");
            let scratch = missing(&root, "wait:5").volume("vdz", "own", OWN).before(late);
            let ran = scratch.run(&gives_up_on(&root), LOOK);
            assert_eq!(ran.status, 0, "{}", ran.said);
            must_say(&ran, &["/dev/vdz (ext4, label own) is the root that was missing; going on with it"]);
            assert_eq!(ran.said.contains("waiting 5 s"), !late.is_empty(), "{}", ran.said);
            let found = format!("\t'{root}') echo '/dev/vdz' ;;\n");
            assert!(ran.seen.starts_with(&found), "{}", ran.seen);
            assert!(ran.seen.ends_with("\nBOOTED=own-root\nWAITED_UNTIL=0\n"), "{}", ran.seen);
        }
    }
}

#[test]
fn init_is_not_sent_to_the_same_root_again_and_again() {
    let root = format!("UUID={OWN}");
    let again = "mkdir run/lifeboat; echo WAITED_UNTIL=0 >run/lifeboat/rescue";
    let ran = missing(&root, "wait:5").volume("vdz", "own", OWN).before(again).run(&gives_up_on(&root), LOOK);
    assert_eq!(ran.status, 1, "{}", ran.said);
    assert_eq!(ran.said, "lifeboat: rescue: no rescue volume is attached\n");
    assert!(!ran.seen.contains("echo '/dev/vdz'"), "{}", ran.seen);
}

#[test]
fn another_disk_ends_no_wait() {
    let root = format!("UUID={OWN}");
    let ran =
        missing(&root, "wait:2").volume("vdz", "own", OTHER).before(LATE).run(&gives_up_on(&root), LOOK);
    assert_eq!((ran.status, ran.seen.as_str()), (1, "BOOTED=own-root\nWAITED_UNTIL=LATER\n"), "{}", ran.said);
    must_say(&ran, &["waiting 2 s", "no rescue volume was attached within 2 s"]);
}

#[test]
fn a_refused_volume_is_the_root_in_the_end_where_it_is_the_only_one() {
    let root = format!("UUID={OWN}");
    for wait in ["wait:1", "wait:0"] {
        let setting = format!("{wait},require=UUID={OTHER}");
        let scratch = missing(&root, &setting).volume("vdz", "RESCUE", OWN);
        // Ten seconds are over already.
        let scratch = scratch.before("mkdir run/lifeboat; echo SINCE=0 >run/lifeboat/missed");
        let ran = scratch.run(&gives_up_on(&root), LOOK);
        assert_eq!(ran.status, 0, "{}", ran.said);
        must_say(
            &ran,
            &["/dev/vdz (ext4, label RESCUE) is booted as the machine's own root (give it another label"],
        );
        assert!(ran.seen.contains(&format!("'{root}') echo '/dev/vdz' ;;\n")), "{}", ran.seen);
        assert!(ran.seen.ends_with("\nBOOTED=own-root\nWAITED_UNTIL=0\n"), "{}", ran.seen);
        // Not where the own disk appears, nor where something else is missing.
        let both = scratch.volume("vdy", "own", OWN).run(&gives_up_on(&root), LOOK);
        must_say(&both, &["/dev/vdy (ext4, label own) is the root that was missing"]);
        assert!(both.seen.contains("') echo '/dev/vdy' ;;\n"), "{}", both.seen);
        let named = format!("UUID={OTHER}");
        let ran = missing(&named, &setting).volume("vdz", "RESCUE", OWN).run(&gives_up_on(&named), LOOK);
        assert_eq!(ran.status, 1, "{}", ran.said);
    }
}

#[test]
fn after_a_failed_volume_the_own_root_is_gone_back_to_by_its_device() {
    let steered = format!(
        "mkdir run/lifeboat; printf 'BOOTED=rescue\\nDEVICE=/dev/vdz\\n' >run/lifeboat/rescue; echo ROOT=UUID={OWN} >run/lifeboat/init
         mkdir run/motd.d; echo booted >run/motd.d/lifeboat; ROOT=/dev/vdz; export ROOT"
    );
    let scratch = Scratch::new().volume("vdz", "RESCUE", OWN).before(&steered);
    let look = "grep -o '; ROOT=[^;]*' /conf/param.conf; grep -E 'BOOTED|REASON|FAILED' /run/lifeboat/rescue; ls /run/motd.d";
    let failed = "rescue wait 'Failed to mount /dev/vdz as root file system.'";
    let went_back = |root: &str| {
        format!(
            "; ROOT='\\''{root}'\\''\nBOOTED=own-root\nREASON=\"/dev/vdz could not be booted from\"\nFAILED=/dev/vdz\n"
        )
    };
    // The copy alone: it is not known which the own one is.
    let ran = scratch.run(failed, look);
    must_say(
        &ran,
        &[
            "/dev/vdz could not be booted from: Failed to mount /dev/vdz as root file system.",
            "going on with the machine's own root",
        ],
    );
    assert_eq!((ran.status, ran.seen), (0, went_back(&format!("UUID={OWN}"))), "{}", ran.said);
    let ran = scratch.volume("vdy", "own", OWN).run(failed, look);
    assert_eq!((ran.status, ran.seen), (0, went_back("/dev/vdy")), "{}", ran.said);
}

#[test]
fn enter_on_any_console_ends_the_wait_only_where_a_shell_is_allowed() {
    let root = format!("UUID={OWN}");
    let wait = |panic: &str, typed_on: &str| {
        let consoles = "ttyS8   -W- (EC p a) 4:72\nttyS9   -W- (E  p a) 4:73\n";
        missing(&root, "wait:3")
            .file("consoles", consoles)
            .before("mount --bind consoles proc/consoles; mkfifo dev/ttyS8 dev/ttyS9")
            .before(&format!(
                "panic={panic}; export panic; (sleep 1; timeout 5 sh -c 'echo >dev/{typed_on}') &"
            ))
            .run(&gives_up_on(&root), LOOK)
    };
    for console in ["ttyS8", "ttyS9"] {
        let ran = wait("", console);
        assert_eq!(ran.status, 1, "{}", ran.said);
        must_say(&ran, &["after that a shell (now: press Enter)", "lifeboat: rescue: Enter was pressed"]);
    }
    let ran = wait("-1", "ttyS8");
    assert_eq!(ran.status, 1, "{}", ran.said);
    must_say(&ran, &["after that what panic= says", "no rescue volume was attached within 3 s"]);
}

#[test]
fn nothing_is_waited_for_where_it_is_switched_off_or_the_wait_is_zero() {
    let root = format!("UUID={OWN}");
    for (setting, said, seen) in [
        ("off", "switched off\n", ""),
        ("wait:0", "no rescue volume is attached\n", ""),
        ("wait:1", "no rescue volume was attached within 1 s\n", "lifeboat\n"),
    ] {
        // `off` alone is the journey's switch, which never makes init ask; in a list it is a setting.
        let setting = if setting == "off" { "wait:9,off" } else { setting };
        let ran = missing(&root, setting).run(&gives_up_on(&root), "ls -A /run");
        assert_eq!((ran.status, ran.seen.as_str()), (1, seen), "{setting}: {}", ran.said);
        assert!(ran.said.ends_with(&format!("lifeboat: rescue: {said}")), "{setting}: {}", ran.said);
        assert_eq!(ran.said.contains("waiting "), setting == "wait:1", "{setting}: {}", ran.said);
    }
}

#[test]
fn the_required_volume_is_asked_for_and_no_other_ends_the_wait() {
    let wait = |required: &str| {
        let ran = Scratch::new()
            .file("etc/default/lifeboat", &format!("LIFEBOAT_RESCUE=require=UUID={required},wait:2\n"))
            .volume("vdz", "RESCUE", OWN)
            .before("mv sys/class/block/vdz late; (sleep 1; mv late sys/class/block/vdz) &")
            .run(
                "rescue wait 'Failed to mount /dev/vda as root file system.'",
                "grep -c ^resolve_device /conf/param.conf; true",
            );
        assert!(ran.said.contains(&format!(" (only UUID={} is accepted)", required)), "{}", ran.said);
        assert!(ran.said.contains("lifeboat: rescue: waiting 2 s"), "{}", ran.said);
        // Here the required one cannot be booted from either.
        assert_eq!(ran.status, 1, "{}", ran.said);
        assert!(ran.said.contains("no rescue volume was attached within 2 s"), "{}", ran.said);
        ran
    };
    let other = wait(OTHER);
    assert!(other.said.contains(&format!("is ignored: only UUID={OTHER} is accepted")), "{}", other.said);
    // init finds no such volume when it is made to look again.
    assert_eq!(other.seen, "1\n", "{}", other.said);
    let own = wait(OWN);
    assert!(own.said.contains("is ignored: make /dev/vdz read-only: "), "{}", own.said);
    assert_eq!(own.seen, "grep: /conf/param.conf: No such file or directory\n", "{}", own.said);
}

#[test]
fn a_root_that_cannot_be_mounted_is_waited_for_once() {
    let give_up = "rescue wait 'Failed to mount /dev/vdz as root file system.'";
    let scratch = Scratch::new().volume("vdz", "own", OWN).cmdline("lifeboat.rescue=wait:1");
    let ran = scratch
        .run(give_up, &format!("grep -c WAITED_UNTIL /run/lifeboat/rescue; /lifeboat {give_up}; echo $?"));
    assert_eq!(ran.status, 1);
    assert!(ran.said.contains("attach a volume labelled RESCUE, UEC-rescue, RESCUE_VOL"), "{}", ran.said);
    assert!(ran.said.contains("waiting 1 s"), "{}", ran.said);
    assert_eq!(ran.seen, "1\nlifeboat: rescue: no rescue volume is attached\n1\n");
}

#[test]
fn an_init_that_another_script_brings_is_not_waited_for() {
    let order = |names: [&str; 4]| -> String {
        names.map(|name| format!("/scripts/init-bottom/{name} \"$@\"\n")).concat()
    };
    let without_init = |names: [&str; 4], stage: &str, before: &str| {
        Scratch::new()
            .volume("vdz", "own", OWN)
            .cmdline("lifeboat.rescue=wait:1")
            .file("scripts/init-bottom/ORDER", &order(names))
            .before("mount -t tmpfs /dev/vdz root")
            .before(before)
            .run(&format!("rescue {stage}"), "true")
            .said
    };
    let followed = ["lifeboat", "lifeboat-later", "rootimage", "udev"];
    let alone = ["a", "lifeboat", "lifeboat-later", "udev"];
    let waits = "lifeboat: rescue: waiting 1 s";
    let said = without_init(alone, "bottom", "true");
    assert!(said.contains(waits), "{said}");
    assert_eq!(without_init(alone, "last", "true"), "");
    let said = without_init(followed, "bottom", "true");
    assert!(!said.contains(waits) && said.contains("skipped: no rescue volume appeared"), "{said}");
    let said = without_init(followed, "last", "true");
    assert!(said.contains(waits) && said.contains("/dev/vdz holds no init, and no rescue volume"), "{said}");
    assert_eq!(without_init(followed, "last", "mkdir root/sbin; : >root/sbin/init"), "");
}

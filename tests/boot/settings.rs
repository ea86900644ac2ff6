//! The precedence of settings: those that are baked into the initramfs, and those of the kernel command line. A
//! volume that the settings let in is looked into, and then ignored for a reason of this place: a regular file
//! cannot be mounted.

use crate::scratch::{Ran, Scratch};

/// The volume's, and one that no volume has.
const OWN: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c01";
const OTHER: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0c02";

/// The log line of a volume that was let in.
const LET_IN: &str = "is ignored: make /dev/vdz read-only: ";

fn with_volume(label: &str, baked: &str, parameter: &str) -> Scratch {
    Scratch::new()
        .file("etc/default/lifeboat", &format!("LIFEBOAT_RESCUE={}\n", fill(baked)))
        .volume("vdz", label, OWN)
        .cmdline(&format!("lifeboat.rescue={}", fill(parameter)))
}

fn fill(text: &str) -> String {
    text.replace("OWN", OWN).replace("OTHER", OTHER)
}

/// Boots with the volume there from the beginning.
fn premount(label: &str, baked: &str, parameter: &str) -> Ran {
    let look = "cat /run/lifeboat/rescue; grep ^ROOT= /conf/param.conf || echo not steered";
    let ran = with_volume(label, baked, parameter).run("rescue premount", look);
    assert_eq!(ran.status, 0, "{}", ran.said);
    ran
}

#[test]
fn only_the_required_volume_is_let_in() {
    for (baked, parameter, accepted) in [
        ("", "", None),
        ("require=UUID=OWN", "", None),
        ("require=UUID=OTHER", "", Some("UUID=OTHER")),
        ("require=PARTUUID=OTHER", "", Some("PARTUUID=OTHER")),
        ("", "require=UUID=OWN", None),
        ("", "require=UUID=OTHER", Some("UUID=OTHER")),
        // The command line undoes what is baked in only where `override` is baked in too.
        ("require=UUID=OTHER", "require=UUID=OWN,UUID=OWN,LABEL=RESCUE", Some("UUID=OTHER")),
        ("require=UUID=OTHER", "require=UUID=OWN,override", Some("UUID=OTHER")),
        ("require=UUID=OTHER,override", "require=UUID=OWN", None),
        ("require=UUID=OTHER,override", "UUID=OWN", None),
        ("require=UUID=OTHER,override", "wait:9", Some("UUID=OTHER")),
        ("require=UUID=OWN,override", "require=UUID=OTHER", Some("UUID=OTHER")),
        // A slip accepts nothing.
        ("require=LABEL=RESCUE", "", Some("LABEL=RESCUE, which names nothing,")),
    ] {
        let ran = premount("RESCUE", baked, parameter);
        let reason = match accepted {
            Some(name) => format!("is ignored: only {} is accepted (require= in the settings)", fill(name)),
            None => LET_IN.to_owned(),
        };
        // It is on record too, for the admin and for the stages to come.
        for text in [&ran.said, &ran.seen] {
            assert!(
                text.contains(&format!("/dev/vdz (ext4, label RESCUE) {reason}")),
                "{baked} {parameter}: {text}"
            );
        }
        assert!(ran.seen.starts_with("BOOTED=own-root\n"), "{}", ran.seen);
        assert!(ran.seen.ends_with("\nnot steered\n"), "{}", ran.seen);
    }
}

#[test]
fn off_holds_unless_override_is_baked_in_and_somebody_asks() {
    const OFF: &str = "skipped: `off` is in LIFEBOAT_RESCUE= of the initramfs's /etc/default/lifeboat";
    for (baked, parameter, off) in [
        ("off", "", Some(OFF)),
        ("off", "LABEL=RESCUE,wait:9,override", Some(OFF)),
        ("off,override", "", Some(OFF)),
        ("off,override", "LABEL=RESCUE", None),
        ("off,override", "wait:9", None),
        ("override", "off", Some("skipped: lifeboat.rescue=off is on the kernel command line")),
    ] {
        let scratch = with_volume("RESCUE", baked, parameter);
        let ran = scratch.run("rescue premount", "ls -A /conf; ls -A /run");
        assert_eq!(ran.status, 0, "{}", ran.said);
        assert!(ran.said.contains(off.unwrap_or(LET_IN)), "{baked} {parameter}: {}", ran.said);
        let seen = if off.is_some() { "" } else { "param.conf\nlifeboat\n" };
        assert_eq!(ran.seen, seen, "{baked} {parameter}");
    }
}

#[test]
fn a_volume_that_is_named_is_let_in_whatever_its_label() {
    for (baked, parameter, let_in) in [
        ("LABEL=fixer", "", true),
        ("UUID=OWN", "", true),
        ("", "LABEL=fixer", true),
        ("", "", false),
        ("LABEL=other", "", false),
        // What the command line names takes the place of what is baked in.
        ("LABEL=fixer", "LABEL=other", false),
    ] {
        let ran = premount("fixer", baked, parameter);
        let expected =
            if let_in { LET_IN } else { "skipped: no volume is labelled RESCUE, UEC-rescue, RESCUE_VOL" };
        assert!(ran.said.contains(expected), "{baked} {parameter}: {}", ran.said);
    }
}

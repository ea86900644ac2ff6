//! Files as the boot program writes them, and as nobody should.

use super::super::HOSTILE;
use super::*;

const BOOTED_FROM: &str = "BOOTED=rescue\nREASON=\"a rescue volume was attached\"\nDEVICE=/dev/vdb\nTYPE=ext4\n\
                           LABEL=RESCUE\nUUID=b\n";

fn full(text: &str) -> Rescue {
    let volume = || Volume {
        device: text.into(),
        kind: text.into(),
        label: Some(text.into()),
        uuid: Some(text.into()),
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Rescue {
        boot: Boot::Rescue(Record {
            reason: text.into(),
            volume: volume(),
            original: Original::Found(volume()),
        }),
        so_far: SoFar {
            looked_at: names(&["vda", "vda1"]),
            failed: names(&["/dev/vdb"]),
            ignored: names(&["vdc", "cciss!c0d0"]),
            unread: names(&["sr0"]),
            waited_until: Some(0),
        },
    }
}

fn original(lines: &str) -> Original {
    match Rescue::parse(&format!("{BOOTED_FROM}{lines}")).boot {
        Boot::Rescue(record) => record.original,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_again() {
    for text in HOSTILE.into_iter().chain(["/dev/vdb"]) {
        let found = full(text);
        let Boot::Rescue(record) = found.boot.clone() else { panic!("no rescue boot") };
        let with = |original| Rescue {
            boot: Boot::Rescue(Record { original, ..record.clone() }),
            so_far: SoFar::default(),
        };
        let own = Rescue { boot: Boot::OwnRoot { reason: text.into() }, ..found.clone() };
        let unknown = Rescue { boot: Boot::Unknown, ..found.clone() };
        let (missing, unnamed) = (with(Original::Missing(text.into())), with(Original::Unnamed));
        for rescue in [found, missing, unnamed, own, unknown] {
            assert_eq!(Rescue::parse(&rescue.render()), rescue);
        }
    }
}

#[test]
fn each_key_has_a_line_and_no_value_adds_one() {
    let keys = |rescue: &Rescue| -> Vec<String> {
        rescue.render().lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect()
    };
    let mut all = vec![BOOTED, REASON];
    all.extend(VOLUME);
    all.extend(ORIGINAL);
    all.extend([LOOKED_AT, FAILED, IGNORED, UNREAD, WAITED_UNTIL]);
    assert_eq!(keys(&full("a")), all);
    assert_eq!(keys(&full("a\nBOOTED=own-root\r\u{2028}")), all);
    assert_eq!(keys(&Rescue::default()), [LOOKED_AT]);
}

#[test]
fn characters_that_are_not_plain_become_question_marks() {
    assert_eq!(Rescue::parse(&full("a\nb\u{1b}\u{202e}").render()), full("a?b??"));
}

#[test]
fn a_name_with_white_space_is_not_taken_for_several() {
    let looked_at = ["vda", "a b", "", "vdb\u{a0}"].map(String::from).to_vec();
    let rescue = Rescue { so_far: SoFar { looked_at, ..SoFar::default() }, ..Rescue::default() };
    assert_eq!(Rescue::parse(&rescue.render()).so_far.looked_at, ["vda"]);
}

#[test]
fn a_rescue_boot_is_read_with_its_reason() {
    let Boot::Rescue(record) = Rescue::parse(BOOTED_FROM).boot else { panic!("no rescue boot") };
    assert_eq!(record.reason, "a rescue volume was attached");
    assert_eq!(record.volume.to_string(), "/dev/vdb (ext4, label RESCUE, UUID b)");
}

#[test]
fn the_original_root_is_found_missing_or_not_named() {
    let Original::Found(volume) = original("ORIGINAL_ROOT=/dev/vda1\nORIGINAL_TYPE=xfs\n") else {
        panic!("not found")
    };
    assert_eq!(volume.to_string(), "/dev/vda1 (xfs)");
    assert_eq!(original("ORIGINAL_ROOT=UUID=x\n"), Original::Missing("UUID=x".into()));
    assert_eq!(original(""), Original::Unnamed);
    assert_eq!(original("ORIGINAL_TYPE=xfs\n"), Original::Unnamed);
}

#[test]
fn any_other_boot_is_no_rescue_boot() {
    let boot = |text: &str| Rescue::parse(text).boot;
    assert_eq!(boot("BOOTED=own-root\nREASON=none\n"), Boot::OwnRoot { reason: "none".into() });
    for text in ["", "BOOTED=\n", "BOOTED=other\n", "DEVICE=/dev/vdb\n"] {
        assert_eq!(boot(text), Boot::Unknown);
    }
}

#[test]
fn what_happened_is_read_without_a_decision() {
    let so_far = Rescue::parse("LOOKED_AT=\"vdz sdx\"\nWAITED_UNTIL=soon\n").so_far;
    assert_eq!(so_far.looked_at, ["vdz", "sdx"]);
    assert_eq!(so_far.waited_until, Some(0));
    assert_eq!(Rescue::parse("WAITED_UNTIL=12\n").so_far.waited_until, Some(12));
    assert_eq!(Rescue::parse("").so_far, SoFar::default());
}

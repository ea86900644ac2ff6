//! The policy, case by case.

use super::*;
use crate::yaml::Value;

fn known(digests: &str) -> Vec<Known> {
    let one = |digest: char| Known {
        name: digest.into(),
        content_type: "text/cloud-config".into(),
        sha256: digest.into(),
    };
    digests.chars().map(one).collect()
}

fn decided(kept: &str, given: &str, blob: Blob, policy: Policy) -> Treatment {
    let kept = PartsRecord { parts: known(kept), ..PartsRecord::default() };
    treated(Some(&kept), given, blob, policy)
}

fn treated(kept: Option<&PartsRecord>, given: &str, blob: Blob, policy: Policy) -> Treatment {
    let given = known(given);
    let facts = Facts { kept, was_changed: false, given: &given, blob, is_lacking: false, policy };
    decide(&facts).treatment
}

#[test]
fn a_part_that_could_not_be_had_before_is_no_change_either() {
    let kept = |parts| PartsRecord { parts: known(parts), is_lacking: true, ..PartsRecord::default() };
    for (_, policy) in POLICIES {
        for (before, now) in [("", "a"), ("a", "ab"), ("b", "ab"), ("ac", "abc")] {
            for blob in [Blob::Same, Blob::Lacking] {
                let treatment = treated(Some(&kept(before)), now, blob, policy);
                assert_eq!(treatment, Treatment::Complete, "{before} {now} {blob:?}");
            }
            // Another text, and an include that holds more than it did: these are changes.
            assert_ne!(treated(Some(&kept(before)), now, Blob::Changed, policy), Treatment::Complete);
            assert_ne!(decided(before, now, Blob::Same, policy), Treatment::Complete);
        }
        for (before, now) in [("a", "b"), ("ab", "ac"), ("ab", "ba")] {
            let treatment = treated(Some(&kept(before)), now, Blob::Same, policy);
            assert_ne!(treatment, Treatment::Complete, "{before} {now}");
        }
    }
}

/// Each row: the record (lacking, left out), and two flags: user-data was changed since, and a part is missing now.
/// Then come the treatment of `b` behind `a`, and true if something is left out.
#[test]
fn what_comes_late_after_a_change_is_left_out_until_all_is_done_again() {
    use Policy::{Ignore, Reapply, Refresh};
    let (lacking, whole, left_out) = ((true, false), (false, false), (true, true));
    for (record, was_changed, is_lacking, policy, treatment, is_left_out) in [
        (lacking, false, false, Refresh, Treatment::Complete, false),
        (lacking, false, true, Refresh, Treatment::Complete, false),
        (lacking, true, false, Refresh, Treatment::Refresh, true),
        (lacking, true, true, Refresh, Treatment::Refresh, false),
        (lacking, true, false, Reapply, Treatment::Reapply, false),
        (lacking, true, false, Ignore, Treatment::Keep(Ignore), false),
        (whole, false, false, Refresh, Treatment::Refresh, false),
        (whole, true, false, Refresh, Treatment::Refresh, false),
        (left_out, true, true, Refresh, Treatment::Refresh, true),
        (left_out, true, false, Ignore, Treatment::Keep(Ignore), true),
        (left_out, true, false, Reapply, Treatment::Reapply, false),
    ] {
        let kept = PartsRecord {
            parts: known("a"),
            is_lacking: record.0,
            is_left_out: record.1,
            ..PartsRecord::default()
        };
        let given = known("ab");
        let facts =
            Facts { kept: Some(&kept), was_changed, given: &given, blob: Blob::Same, is_lacking, policy };
        let expected = Decision { treatment, is_left_out };
        assert_eq!(decide(&facts), expected, "{record:?} {was_changed} {is_lacking} {policy:?}");
    }
}

#[test]
fn what_has_changed_is_treated_as_the_policy_says() {
    for (policy, treatment) in [
        (Policy::Ignore, Treatment::Keep(Policy::Ignore)),
        (Policy::Refresh, Treatment::Refresh),
        (Policy::Reapply, Treatment::Reapply),
        (Policy::Refuse, Treatment::Keep(Policy::Refuse)),
    ] {
        for (kept, given) in [("a", "b"), ("a", "ab"), ("ab", "a"), ("ab", "ba"), ("a", ""), ("", "a")] {
            assert_eq!(decided(kept, given, Blob::Same, policy), treatment, "{kept} {given}");
        }
        // A new instance, one that an older version kept, and one whose data is the same.
        assert_eq!(treated(None, "a", Blob::Same, policy), Treatment::Take);
        assert_eq!(decided("ab", "ab", Blob::Same, policy), Treatment::Take);
    }
}

#[test]
fn a_part_that_cannot_be_had_is_no_change() {
    for (_, policy) in POLICIES {
        assert_eq!(decided("ab", "a", Blob::Lacking, policy), Treatment::Incomplete);
        // It could not be had the first time either.
        assert_eq!(decided("ab", "ab", Blob::Lacking, policy), Treatment::Take);
        assert_ne!(decided("ab", "ac", Blob::Lacking, policy), Treatment::Incomplete);
        assert_eq!(decided("ab", "ac", Blob::Damaged, policy), Treatment::Incomplete);
        assert_eq!(decided("ab", "", Blob::Damaged, policy), Treatment::Incomplete);
    }
}

#[test]
fn the_kernel_command_line_sets_the_policy_before_the_system() {
    for (line, system, policy, told) in [
        ("", "{}", Policy::Refresh, 0),
        ("", "{user_data_policy: refuse}", Policy::Refuse, 0),
        ("lifeboat.user-data=ignore", "{user_data_policy: refuse}", Policy::Ignore, 0),
        ("lifeboat.user-data=reapply", "{}", Policy::Reapply, 0),
        ("lifeboat.user-data=always", "{user_data_policy: refuse}", Policy::Refuse, 1),
        ("lifeboat.user-data=", "{user_data_policy: [ignore]}", Policy::Refresh, 2),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("proc/cmdline", line.as_bytes(), 0o644).unwrap();
        let Value::Map(system) = crate::yaml::load(system).unwrap() else { panic!("no mapping") };
        let mut report = Report::default();
        assert_eq!(Policy::read(&system, &root, &mut report), policy, "{line}");
        assert_eq!(report.warnings.len(), told, "{line}");
    }
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let instance = Instance::new("i");
    assert_eq!(PartsRecord::read(&instance, &root).unwrap(), None);
    let twins = Twins([("a-2".to_owned(), "a".to_owned())].into());
    let record = PartsRecord {
        parts: known("ab"),
        files: vec!["a/\u{fc} \"".into()],
        twins,
        policy: Some(Policy::Refuse),
        is_lacking: true,
        is_left_out: true,
        late: vec!["s".into()],
    };
    record.write(&instance, &root).unwrap();
    assert_eq!(PartsRecord::read(&instance, &root).unwrap(), Some(record));
}

fn made(files: &[&str]) -> Made {
    Made {
        files: files.iter().map(|path| (*path).to_owned()).collect(),
        twins: Twins::default(),
        is_lacking: false,
        late: None,
    }
}

#[test]
fn files_that_nothing_comes_of_any_more_go() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let instance = Instance::new("i");
    for path in ["a", "b", "c"] {
        root.write(path, b"", 0o600).unwrap();
    }
    taken(known("a"), made(&["a", "b"]), &instance, &root).unwrap();
    taken(known("a"), made(&["b"]), &instance, &root).unwrap();
    // A file that somebody else put there stays.
    assert_eq!(root.files("").unwrap(), ["b", "c"]);
}

#[test]
fn a_record_that_cannot_be_read_is_told_and_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let instance = Instance::new("i");
    root.write(&instance.path("parts.json"), b"{", 0o600).unwrap();
    let mut report = Report::default();
    let treat = |report: &mut Report| {
        treat(&Parts::default(), Blob::Same, &instance, &Mapping::default(), &root, report)
    };
    assert_eq!(treat(&mut report), Treatment::Take);
    assert_eq!(report.warnings.len(), 1);
    taken(Vec::new(), made(&[]), &instance, &root).unwrap();
    assert_eq!(treat(&mut report), Treatment::Take);
    assert_eq!((report.warnings.len(), report.errors.len()), (1, 0));
}

#[test]
fn to_do_everything_again_is_not_to_make_another_machine_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (root, instance) = (Root::open(directory.path()).unwrap(), Instance::new("i"));
    for semaphore in [handlers::HOST_KEYS, "config_ssh"] {
        instance.set_done(&root, semaphore, Frequency::Instance).unwrap();
    }
    reapply(&instance, &root).unwrap();
    assert!(instance.is_done(&root, handlers::HOST_KEYS, Frequency::Instance).unwrap());
    assert!(!instance.is_done(&root, "config_ssh", Frequency::Instance).unwrap());
    // Without host keys there is nothing to remember.
    root.remove_tree(&instance.path("sem")).unwrap();
    reapply(&instance, &root).unwrap();
    assert!(!instance.is_done(&root, handlers::HOST_KEYS, Frequency::Instance).unwrap());
}

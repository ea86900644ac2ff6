//! The status that a record gives.

use super::*;
use crate::record::{CONFIG, LOCAL, NETWORK, finish, start};
use crate::report::Report;
use expect_test::{Expect, expect};

fn scratch() -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

fn boot(reports: &[(&'static str, &[&str], &[&str])], root: &Root) {
    for (stage, warnings, errors) in reports {
        start(stage, root).unwrap();
        let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let report = Report { warnings: own(warnings), errors: own(errors), ..Report::default() };
        finish(stage, Some("DataSourceNoCloud [seed=/dev/vdb]"), &report, root).unwrap();
    }
}

fn check(reports: &[(&'static str, &[&str], &[&str])], code: u8, expected: Expect) {
    let (_directory, root) = scratch();
    boot(reports, &root);
    let status = Status::read(&root).unwrap();
    expected.assert_eq(&format!("{}({})\n", status.text(), status.extended()));
    assert_eq!(status.code(), code);
}

#[test]
fn the_worst_of_the_stages_is_the_status() {
    check(
        &[],
        0,
        expect![[r"
            status: not started
            (not started)
        "]],
    );
    check(
        &[(LOCAL, &[], &[]), (NETWORK, &[], &[])],
        0,
        expect![[r"
            status: running
            source: nocloud
            (running)
        "]],
    );
    check(
        &[(LOCAL, &[], &[]), (NETWORK, &["a \"bad\" part\n  1 | password: secret"], &[]), (FINAL, &[], &[])],
        2,
        expect![[r#"
            status: done
            source: nocloud
            warning: a "bad" part
            (degraded done)
        "#]],
    );
    check(
        &[(NETWORK, &["w"], &["e"]), (FINAL, &[], &[])],
        1,
        expect![[r"
            status: error
            source: nocloud
            error: e
            warning: w
            (error - done)
        "]],
    );
}

#[test]
fn a_stage_that_never_ended_is_an_error() {
    let (_directory, root) = scratch();
    start(NETWORK, &root).unwrap();
    assert_eq!(Status::read(&root).unwrap().text(), "status: running\nstage: init\n");
    start(FINAL, &root).unwrap();
    finish(FINAL, None, &Report::default(), &root).unwrap();
    let status = Status::read(&root).unwrap();
    assert_eq!(status.text(), "status: error\nerror: init was cut off before its end\n");
    assert_eq!((status.code(), status.progress), (1, Progress::Done));
}

#[test]
fn a_stage_whose_process_is_gone_is_not_waited_for() {
    let (_directory, root) = scratch();
    start(FINAL, &root).unwrap();
    assert_eq!(Status::read(&root).unwrap().progress, Progress::Running);
    // No process has this number: it is beyond what the kernel gives.
    root.write(layout::RUN_STAGE, b"2147483646\n", 0o644).unwrap();
    let status = wait(&root, &mut || panic!("it waits")).unwrap();
    assert_eq!(status.text(), "status: error\nerror: modules-final was cut off before its end\n");
    let (_directory, root) = scratch();
    start(NETWORK, &root).unwrap();
    root.remove(layout::RUN_STAGE).unwrap();
    let status = Status::read(&root).unwrap();
    // The last stage may still come.
    assert_eq!((status.word(), status.progress), ("error", Progress::Running));
}

#[test]
fn a_new_boot_forgets_the_last_one() {
    check(
        &[(NETWORK, &[], &["e"]), (LOCAL, &[], &[])],
        0,
        expect![[r"
            status: running
            source: nocloud
            (running)
        "]],
    );
}

#[test]
fn the_record_of_an_earlier_boot_counts_where_there_is_the_disk_alone() {
    let (directory, root) = scratch();
    boot(&[(LOCAL, &[], &[]), (FINAL, &[], &["e"])], &root);
    std::fs::remove_dir_all(directory.path().join("run")).unwrap();
    assert_eq!(Status::read(&root).unwrap().word(), "error");
}

#[test]
fn what_is_switched_off_is_not_waited_for() {
    let (_directory, root) = scratch();
    Switch::note(Position::Off, &root).unwrap();
    let status = wait(&root, &mut || panic!("it waits")).unwrap();
    assert_eq!((status.word(), status.code()), ("disabled", 0));
}

#[test]
fn programs_find_the_keys_that_cloud_init_has() {
    let (_directory, root) = scratch();
    boot(&[(LOCAL, &[], &[]), (NETWORK, &["w"], &[]), (CONFIG, &[], &[]), (FINAL, &[], &[])], &root);
    let value = Status::read(&root).unwrap().value();
    let keys: std::collections::BTreeSet<_> = value.iter().filter_map(|(key, _)| key.as_str()).collect();
    let expected = [
        "boot_status_code",
        "datasource",
        "detail",
        "errors",
        "extended_status",
        "init",
        "init-local",
        "last_update",
        "modules-config",
        "modules-final",
        "recoverable_errors",
        "stage",
        "status",
    ];
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), expected);
    for stage in ["init-local", "init", "modules-config", "modules-final"] {
        let entry = value.get(stage).unwrap().as_map().unwrap();
        for key in ["errors", "finished", "recoverable_errors", "start"] {
            assert!(entry.get(key).is_some_and(|value| *value != Value::Null), "{stage} {key}");
        }
    }
    assert_eq!(value.get("detail"), Some(&"DataSourceNoCloud [seed=/dev/vdb]".into()));
    assert_eq!(value.get("datasource"), Some(&"nocloud".into()));
}

//! Plans for a small kernel of five modules.

use super::*;

const MIB: u64 = 1 << 20;

fn module(path: &str, needs: &[&str]) -> ListedModule {
    let needs = needs.iter().map(|path| (*path).to_owned()).collect();
    ListedModule { path: path.into(), needs, bytes: Some(4 * MIB), held: false }
}

/// xfs needs crc; nf-log stands alone; the initramfs has crc.
fn facts(setting: IncludeSetting) -> IncludeFacts {
    let mut modules = vec![
        module("kernel/drivers/net/nf-log.ko", &[]),
        module("kernel/fs/nfs/nfs.ko", &["kernel/fs/nfs/sunrpc.ko", "kernel/lib/crc.ko"]),
        module("kernel/fs/nfs/sunrpc.ko", &[]),
        module("kernel/fs/xfs/xfs.ko", &["kernel/lib/crc.ko"]),
        module("kernel/lib/crc.ko", &[]),
    ];
    modules[4].held = true;
    let held = IncludeSize { bytes: 40 * MIB, packed: 20 * MIB, unpacked: 40 * MIB };
    let room = Room { boot: Some(400 * MIB), build: 400 * MIB, shared: SharedSpace::No };
    IncludeFacts { setting, modules, held, room }
}

fn list(words: &[&str]) -> IncludeSetting {
    IncludeSetting::List(words.iter().map(|word| (*word).to_owned()).collect())
}

fn added(facts: &IncludeFacts) -> Vec<&str> {
    let plan = plan(facts);
    assert_eq!((plan.complaints, plan.shortage), (vec![], None));
    plan.added.modules.into_iter().map(|module| module.path.as_str()).collect()
}

#[test]
fn most_adds_nothing() {
    assert!(added(&facts(IncludeSetting::Most)).is_empty());
}

#[test]
fn all_adds_what_is_not_there_and_says_how_much() {
    let facts = facts(IncludeSetting::All);
    assert_eq!(added(&facts).len(), 4);
    assert_eq!(plan(&facts).added.to_string(), "adds 4 modules, 16 MiB");
}

#[test]
fn a_listed_module_comes_with_what_it_needs_and_no_other() {
    assert_eq!(added(&facts(list(&["nfs"]))), ["kernel/fs/nfs/nfs.ko", "kernel/fs/nfs/sunrpc.ko"]);
    let facts = facts(list(&["xfs"]));
    assert_eq!(added(&facts), ["kernel/fs/xfs/xfs.ko"]);
    assert_eq!(plan(&facts).added.to_string(), "adds 1 module, 4 MiB");
}

#[test]
fn in_a_name_a_dash_equals_an_underscore() {
    for word in ["nf-log", "nf_log"] {
        assert_eq!(added(&facts(list(&[word]))), ["kernel/drivers/net/nf-log.ko"]);
    }
}

#[test]
fn a_directory_means_what_is_below_it_and_only_there() {
    assert_eq!(added(&facts(list(&["fs/nfs/"]))).len(), 2);
    for word in ["fs/nf/", "nfs/", "kernel/fs/", "/", "fs"] {
        let facts = facts(list(&[word]));
        let plan = plan(&facts);
        assert!(plan.added.modules.is_empty(), "{word}");
        assert!(plan.complaints[0].starts_with(&format!("`{word}` is skipped")), "{:?}", plan.complaints);
    }
}

#[test]
fn an_unknown_word_is_told_and_the_others_count() {
    let facts = facts(list(&["no\nsuch", "xfs", "fs/xfs/"]));
    let plan = plan(&facts);
    assert_eq!(plan.added.paths(), ["kernel/fs/xfs/xfs.ko"]);
    assert_eq!(plan.complaints.len(), 1);
    assert!(plan.complaints[0].starts_with("`no\\nsuch` is skipped"), "{:?}", plan.complaints);
}

#[test]
fn the_name_of_a_compressed_module_ends_before_its_suffix() {
    let mut facts = facts(list(&["nf_log"]));
    facts.modules[0].path = "kernel/drivers/net/nf-log.ko.xz".into();
    assert_eq!(added(&facts), ["kernel/drivers/net/nf-log.ko.xz"]);
}

#[test]
fn a_module_whose_need_is_missing_is_passed_over_and_its_other_needs_with_it() {
    let mut facts = facts(list(&["nfs", "xfs"]));
    facts.modules[2].bytes = None;
    let plan = plan(&facts);
    assert_eq!(plan.added.paths(), ["kernel/fs/xfs/xfs.ko"]);
    assert!(
        plan.complaints[0].starts_with("kernel/fs/nfs/nfs.ko and 0 more are skipped"),
        "{:?}",
        plan.complaints
    );
}

#[test]
fn a_need_that_the_index_does_not_list_is_missing() {
    let mut facts = facts(list(&["xfs"]));
    facts.modules.truncate(4);
    let plan = plan(&facts);
    assert!(plan.added.modules.is_empty());
    assert_eq!(plan.complaints.len(), 1);
}

#[test]
fn without_room_in_boot_they_are_left_out() {
    // 20 MiB of what is held, half of 16, and the reserve.
    let fitting = Room { boot: Some(36 * MIB), build: 400 * MIB, shared: SharedSpace::No };
    let mut facts = IncludeFacts { room: fitting, ..facts(IncludeSetting::All) };
    assert_eq!(plan(&facts).shortage, None);
    facts.room.boot = Some(36 * MIB - 1);
    let shortage = plan(&facts).shortage.unwrap();
    assert!(shortage.starts_with("/boot has 35 MiB free of about 36 MiB"), "{shortage}");
    facts.room.boot = None;
    assert_eq!(plan(&facts).shortage, None);
}

#[test]
fn compressed_modules_are_counted_whole_in_boot() {
    let mut facts = facts(IncludeSetting::All);
    facts.room.boot = Some(36 * MIB);
    facts.modules[0].path = "kernel/drivers/net/nf-log.ko.xz".into();
    assert!(plan(&facts).shortage.is_some());
}

#[test]
fn without_room_to_build_they_are_left_out() {
    // 40 MiB of what is held, 16 twice, and the reserve.
    let fitting = Room { boot: Some(400 * MIB), build: 80 * MIB, shared: SharedSpace::No };
    let mut facts = IncludeFacts { room: fitting, ..facts(IncludeSetting::All) };
    assert_eq!(plan(&facts).shortage, None);
    facts.room.build -= 1;
    let shortage = plan(&facts).shortage.unwrap();
    assert!(shortage.starts_with("the directory in which it is built"), "{shortage}");
    // On one file system both must fit.
    facts.room.build = 110 * MIB;
    assert_eq!(plan(&facts).shortage, None);
    facts.room.shared = SharedSpace::Yes;
    assert!(plan(&facts).shortage.is_some());
}

#[test]
fn adding_nothing_needs_no_room() {
    let none = Room { boot: Some(0), build: 0, shared: SharedSpace::Yes };
    assert_eq!(plan(&IncludeFacts { room: none, ..facts(list(&["crc"])) }).shortage, None);
}

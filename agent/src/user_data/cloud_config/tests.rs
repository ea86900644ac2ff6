//! Merges of configurations of several parts.

use super::*;
use expect_test::{Expect, expect};

/// Parts as `headers` and content.
fn part(number: usize, headers: &[(&str, &str)], content: &str) -> Part {
    super::super::part_for_tests(&format!("part-{number:03}"), headers, content)
}

fn check(texts: &[&str], expected: Expect) {
    let mut config = CloudConfig::default();
    let mut problems = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let part = part(number + 1, &[], text);
        let taken = if text.starts_with('[') { config.patch(&part) } else { config.add(&part) };
        problems.extend(taken.err().map(|rejected| rejected.to_string()));
    }
    expected.assert_eq(&(config.text() + &problems.join("\n")));
}

#[test]
fn a_later_part_replaces_keys() {
    check(
        &["#cloud-config\na: [1]\nb: x\nmerge_how: list()+dict()\n", "#cloud-config\na: [2]\n"],
        expect![[r"
            #cloud-config

            # from 2 files
            # part-001
            # part-002

            ---
            a:
                - 2
            b: x
            ...
        "]],
    );
}

#[test]
fn a_bad_part_is_named_with_its_place_and_costs_only_itself() {
    check(
        &["#cloud-config\n- a\n", "#cloud-config\na: [\n", "merge_how: frob()\na: 1", "a: 2\n"],
        expect![[r"
            #cloud-config

            # from 1 files
            # part-004

            # Cloud-config part ignored SCHEMA_ERROR: part-001
            # Cloud-config part ignored SCHEMA_ERROR: part-002
            # Cloud-config part ignored SCHEMA_ERROR: part-003
            ---
            a: 2
            ...
            part-001 is dropped: read the cloud-config: it is a list and no mapping of keys like hostname
            part-002 is dropped: read the cloud-config: line 3, column 1: did not find expected node content (while parsing a flow node)
            part-003 is dropped: there is no merger `frob` (there are dict, list and str)"]],
    );
    check(&[], expect![[""]]);
}

#[test]
fn a_patch_that_fails_changes_nothing() {
    check(
        &[
            "a: 1\n",
            r#"[{"op": "add", "path": "/b", "value": 2}]"#,
            r#"[{"op": "add", "path": "/c", "value": 3}, {"op": "remove", "path": "/nope"}]"#,
        ],
        expect![[r"
            #cloud-config

            # from 2 files
            # part-001
            # part-002

            # Cloud-config part ignored SCHEMA_ERROR: part-003
            ---
            a: 1
            b: 2
            ...
            part-003 is dropped: operation 2 of the JSON patch: there is no `/nope`"]],
    );
}

#[test]
fn the_content_says_first_how_it_is_merged_and_then_a_header() {
    for (headers, content, expected) in [
        (&[("Merge-Type", "list(append)+dict(recurse_list)")][..], "l: [2]", "{l: [1, 2]}"),
        (&[("X-Merge-Type", "list(append)+dict(recurse_list)")], "l: [2]", "{l: [1, 2]}"),
        (&[("Merge-Type", "dict()"), ("X-Merge-Type", "dict(replace)")], "l: [2]", "{l: [1]}"),
        (&[("Merge-Type", "list(append)+dict(recurse_list)")], "merge_type: dict()\nl: [2]", "{l: [1]}"),
        (&[("Merge-Type", "dict(recurse_list)")], "merge_how: list(append)\nl: [2]", "{l: [1, 2]}"),
        (&[], "l: [2]", "{l: [2]}"),
    ] {
        let mut config = CloudConfig::default();
        config.add(&part(1, &[], "l: [1]")).unwrap();
        config.add(&part(2, headers, content)).unwrap();
        let expected = yaml::load(expected).unwrap();
        assert_eq!(Value::Map(config.into_mapping()), expected, "{headers:?} {content}");
    }
}

#[test]
fn both_keys_of_merging_go_and_those_below_stay() {
    let mut config = CloudConfig::default();
    config.add(&part(1, &[], "merge_how: dict()\nmerge_type: x\nd: {merge_how: y}\n")).unwrap();
    assert_eq!(yaml::to_json(&Value::Map(config.into_mapping())), r#"{"d":{"merge_how":"y"}}"#);
}

#[test]
fn the_limit_counts_all_parts_together() {
    let mut config = CloudConfig::default();
    let many = |key: &str| format!("{key}: [{}]", "1,".repeat(200_000));
    config.add(&part(1, &[], &many("a"))).unwrap();
    let rejected = config.add(&part(2, &[], &many("b"))).unwrap_err();
    assert!(rejected.reason.contains("300000 values in all, with the parts before it"), "{rejected}");
    config.add(&part(3, &[], "c: 1")).unwrap();
    assert_eq!(config.into_mapping().len(), 2);
}

#[test]
fn a_place_is_told_in_numbers_too() {
    let rejected = CloudConfig::default().add(&part(1, &[], "#cloud-config\na: !x y\n")).unwrap_err();
    assert_eq!(rejected.place, Some((2, 4)));
    assert!(rejected.to_string().contains("2 | a: !x y"), "{rejected}");
}

#[test]
fn a_patch_may_put_another_value_in_the_place_of_the_whole() {
    let replaced = |value: &str, parts: &[&str]| {
        let patch = format!(r#"[{{"op": "replace", "path": "", "value": {value}}}]"#);
        let mut config = CloudConfig::default();
        config.patch(&part(1, &[], &patch)).unwrap();
        for (number, text) in parts.iter().enumerate() {
            config.add(&part(number + 2, &[], text)).unwrap();
        }
        config.text()
    };
    for value in ["[1]", "\"x\"", "null"] {
        assert!(replaced(value, &["a: 1\n"]).ends_with("\n---\na: 1\n...\n"), "{value}");
    }
    assert!(replaced("[1]", &[]).ends_with("\n---\n- 1\n...\n"));
    assert_eq!(replaced("null", &[]), "");
}

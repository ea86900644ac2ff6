//! JSON patches on YAML documents.

use super::*;
use crate::yaml;

const DOCUMENT: &str = r#"{a: 1, l: [x, y, z], d: {k: v, n: {m: 1}}, s: text, "a/b": 1, "m~n": 2, "": 3}"#;

fn patched(patch: &str) -> Result<Value> {
    let document = yaml::load(DOCUMENT).unwrap();
    Ok(Patch::parse(patch.as_bytes())?.apply(document, Allowance::default())?.0)
}

/// Checks one key of the patched configuration.
fn check(patch: &str, key: &str, expected: &str) {
    let patched = patched(patch).unwrap();
    let found = patched.as_map().unwrap().get(key).map(yaml::to_json);
    assert_eq!(found.unwrap_or_default(), expected, "{patch}");
}

#[test]
fn each_operation_does_its_work() {
    check(r#"[{"op": "add", "path": "/new", "value": [true, 1.5, {}]}]"#, "new", "[true,1.5,{}]");
    check(r#"[{"op": "add", "path": "/l/1", "value": 5}]"#, "l", r#"["x",5,"y","z"]"#);
    check(r#"[{"op": "add", "path": "/l/-", "value": 5}]"#, "l", r#"["x","y","z",5]"#);
    check(r#"[{"op": "add", "path": "/l/3", "value": 5}]"#, "l", r#"["x","y","z",5]"#);
    check(r#"[{"op": "remove", "path": "/l/0"}]"#, "l", r#"["y","z"]"#);
    check(r#"[{"op": "replace", "path": "/d/n/m", "value": 2}]"#, "d", r#"{"k":"v","n":{"m":2}}"#);
    check(r#"[{"op": "move", "from": "/s", "path": "/l/0"}]"#, "l", r#"["text","x","y","z"]"#);
    check(r#"[{"op": "move", "from": "/s", "path": "/s"}]"#, "s", r#""text""#);
    check(r#"[{"op": "copy", "from": "/d/n", "path": "/e"}]"#, "e", r#"{"m":1}"#);
    check(r#"[{"op": "test", "path": "/a", "value": 1.0}]"#, "a", "1");
    check(r#"[{"op": "replace", "path": "/m~0n", "value": 9}]"#, "m~n", "9");
    check(r#"[{"op": "replace", "path": "/a~1b", "value": 9}]"#, "a/b", "9");
    check(r#"[{"op": "replace", "path": "/", "value": 9}]"#, "", "9");
    check(r#"[{"op": "add", "path": "", "value": {"only": 2}}]"#, "only", "2");
}

#[test]
fn the_marker_is_no_json_and_may_be_left_out() {
    check(" \n#cloud-config-jsonp\n [ ] ", "a", "1");
    check("[]", "a", "1");
    patched("#Cloud-config-jsonp\n[]").unwrap_err();
    patched("#cloud-config-jsonp\n# comment\n[]").unwrap_err();
}

#[test]
fn what_cannot_be_done_says_which_operation_and_why() {
    for (patch, reason) in [
        (r#"[{"op": "add", "path": "/x", "value": 1}, {"op": "remove", "path": "/nope"}]"#, "operation 2"),
        (r#"[{"op": "replace", "path": "/nope", "value": 1}]"#, "there is no `/nope`"),
        (r#"[{"op": "add", "path": "/no/such", "value": 1}]"#, "there is no `/no/such`"),
        (r#"[{"op": "add", "path": "/l/4", "value": 1}]"#, "outside of the list"),
        (r#"[{"op": "add", "path": "/s/0", "value": 1}]"#, "takes nothing in"),
        (r#"[{"op": "add", "path": "/l/one", "value": 1}]"#, "`one` is no place"),
        (r#"[{"op": "add", "path": "a", "value": 1}]"#, "begin with `/`"),
        (r#"[{"op": "add", "path": "/~2", "value": 1}]"#, "neither `~0` nor `~1`"),
        (r#"[{"op": "add", "path": "/a"}]"#, "no `value`"),
        (r#"[{"op": "frob", "path": "/a"}]"#, "`frob`"),
        (r#"[{"op": "add", "op": "remove", "path": "/a"}]"#, "no text `op`"),
        (r#"[{"path": "/a"}]"#, "no text `op`"),
        (r#"[{"op": "test", "path": "/a", "value": 2}]"#, "not what the test expects"),
        (r#"[{"op": "test", "path": "/nope", "value": null}]"#, "there is no `/nope`"),
        (r#"[{"op": "move", "from": "/d", "path": "/d/k"}]"#, "below itself"),
        (r#"[{"op": "copy", "from": "", "path": "/d/k"}]"#, "whole document"),
        (r#"[{"op": "remove", "path": ""}]"#, "whole document"),
        (r#"{"op": "add"}"#, "no list of operations"),
        (r#"["add"]"#, "no mapping"),
        ("", "line 1, column 1"),
    ] {
        let message = format!("{:#}", patched(patch).unwrap_err());
        assert!(message.contains(reason), "{patch}: {message}");
    }
}

#[test]
fn copies_upon_copies_come_to_an_end() {
    let copy = r#"{"op": "copy", "from": "/d", "path": "/d/n/c"},{"op": "move", "from": "/d/n/c", "path": "/d/n/x"},"#;
    let patch = format!("[{}{}", copy.repeat(60), r#"{"op": "test", "path": "/a", "value": 1}]"#);
    let message = format!("{:#}", patched(&patch).unwrap_err());
    assert!(message.contains("deeper than 100") || message.contains("300000"), "{message}");
    let pair =
        r#"{"op": "copy", "from": "/l", "path": "/l/-"},{"op": "copy", "from": "/l", "path": "/l/0"},"#;
    let patch = format!("[{}{}", pair.repeat(30), r#"{"op": "test", "path": "/a", "value": 1}]"#);
    let message = format!("{:#}", patched(&patch).unwrap_err());
    assert!(message.contains("300000 values"), "{message}");
}

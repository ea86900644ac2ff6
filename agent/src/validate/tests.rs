//! User-data with what is wrong with it.

use super::*;
use expect_test::{Expect, expect};

fn check(data: &str, expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    root.write("etc/os-release", b"ID=debian\n", 0o644).unwrap();
    expected.assert_eq(&lines(Path::new("f"), &findings(data.as_bytes(), &root).unwrap()));
}

#[test]
fn all_errors_are_told_with_their_places() {
    check(
        "#cloud-config\nhostnam: a\nruncmd: ls\nwrite_files:\n- path: /a\n  content: x\n- content: y\n- {path: /b, encoding: rot13}\n",
        expect![[r"
            f:2:1: hostnam: there is no such key (is it hostname?)
            f:3:1: runcmd: it is a text and not a list
            f:7:3: write_files.1: it has no path
            f:8:3: write_files.2: /b: unknown encoding `rot13` (known: text/plain, base64, gzip, gz+base64)
        "]],
    );
}

#[test]
fn one_error_of_the_format_ends_its_part_and_no_other() {
    check(
        "#cloud-config-archive\n- \"#cloud-config\\na: [\\n\"\n- \"#cloud-config\\nbootcmd: 1\\n\"\n- {type: text/odd, content: x}\n- \"## template: jinja\\n#cloud-config\\n{% if %}\\n\"\n",
        expect![[r"
            f:3:1: part-001: read the cloud-config: line 3, column 1: did not find expected node content (while parsing a flow node)
            f:2:1: part-002: bootcmd: it is a number and not a list
            f: part-004: line 3: a value is missing before `%}`
              3 | {% if %}
            f: part-003: nothing handles the type text/odd
              1 | x
        "]],
    );
}

#[test]
fn what_is_right_is_told_too() {
    for good in [
        "#cloud-config\nhostname: a\nruncmd: [ls]\nusers: [default]\n",
        "#!/bin/sh\n",
        "#include\nhttp://example.com/\n",
        "",
    ] {
        check(
            good,
            expect![[r"
                f: nothing is wrong
            "]],
        );
    }
}

#[test]
fn what_begins_like_nothing_is_told() {
    check(
        "cloud-config\n",
        expect![[r"
            f: its first line is that of no known kind (a script begins with `#!`)
              1 | cloud-config
        "]],
    );
}

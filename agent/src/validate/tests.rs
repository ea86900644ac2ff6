//! User-data with what is wrong with it.

use super::*;
use expect_test::{Expect, expect};
use std::path::Path;

fn check(data: &str, expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    root.write("etc/os-release", b"ID=debian\n", 0o644).unwrap();
    expected.assert_eq(&finding::lines(
        Path::new("f"),
        &findings(data.as_bytes(), &TargetMachine::any(&root).unwrap()),
    ));
}

#[test]
fn all_errors_are_told_with_their_places() {
    check(
        "#cloud-config\nhostnam: a\nruncmd: ls\nwrite_files:\n- path: /a\n  content: x\n- content: y\n- {path: /b, encoding: rot13}\n",
        expect![[r"
            f:2:1: hostnam: there is no such key (is it hostname?)
              2 | hostnam: a
                | ^
            f:3:1: runcmd: it is a text and not a list
              3 | runcmd: ls
                | ^
            f:7:3: write_files.1: it has no path
              7 | - content: y
                |   ^
            f:8:3: write_files.2: /b: unknown encoding `rot13` (known: text/plain, base64, gzip, gz+base64)
              8 | - {path: /b, encoding: rot13}
                |   ^
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
              2 | bootcmd: 1
                | ^
            f: part-004: line 3: a value is missing before `%}`
              3 | {% if %}
            f: part-003: nothing handles the type text/odd
              1 | x
        "]],
    );
}

#[test]
fn what_is_nested_is_looked_at_with_all_that_is_wrong_in_it() {
    check(
        "#cloud-config\nusers:\n  - name: web\n    lock_paswd: true\n    shell: [/bin/sh]\n    lock-passwd: no\n  - gecos: nobody\n  - 5\n\
         write_files:\n- {path: a, content: x, apend: true, permissions: [6]}\n- 5\n- {content: y}\n\
         runcmd:\n- [ls, {a: b}]\n- ls\n- 7\nssh_authorized_keys: [k, {a: b}]\nvendor_data: {prefix: 5}\nmerge_how: frob()\n",
        expect![[r"
            f:3:5: warning: users.0: web: lock_passwd: there is no password that could be unlocked
              3 |   - name: web
                |     ^
            f:4:5: users.0.lock_paswd: there is no such key (is it lock_passwd?)
              4 |     lock_paswd: true
                |     ^
            f:5:5: users.0.shell: it is a list and not a text
              5 |     shell: [/bin/sh]
                |     ^
            f:6:5: warning: users.0.lock-passwd: it is deprecated: use lock_passwd
              6 |     lock-passwd: no
                |     ^
            f:7:5: users.1: it has no name, so it describes the default user
              7 |   - gecos: nobody
                |     ^
            f:8:5: users.2: `5` is no name for a user or a group
              8 |   - 5
                |     ^
            f:10:3: write_files.0: the path `a` is not absolute
              10 | - {path: a, content: x, apend: true, permissions: [6]}
                 |   ^
            f:10:25: write_files.0.apend: there is no such key (is it append?)
              10 | - {path: a, content: x, apend: true, permissions: [6]}
                 |                         ^
            f:10:38: write_files.0.permissions: it is a list and not a text or a number
              10 | - {path: a, content: x, apend: true, permissions: [6]}
                 |                                      ^
            f:11:3: write_files.1: it is a number and not a mapping
              11 | - 5
                 |   ^
            f:12:3: write_files.2: it has no path
              12 | - {content: y}
                 |   ^
            f:14:8: runcmd.0.1: it is a mapping and not a text or a number or a yes or no
              14 | - [ls, {a: b}]
                 |        ^
            f:16:3: runcmd.2: it is a number and not a text or a list
              16 | - 7
                 |   ^
            f:17:26: ssh_authorized_keys.1: it is a mapping and not a text
              17 | ssh_authorized_keys: [k, {a: b}]
                 |                          ^
            f:18:15: vendor_data.prefix: it is a number and not a text or a list
              18 | vendor_data: {prefix: 5}
                 |               ^
            f:19:1: merge_how: there is no merger `frob` (there are dict, list and str)
              19 | merge_how: frob()
                 | ^
        "]],
    );
}

#[test]
fn what_is_deprecated_is_a_warning_and_no_error() {
    check(
        "#cloud-config\nusers: [{name: a, ssh-authorized-keys: [k]}]\n",
        expect![[r"
        f:2:19: warning: users.0.ssh-authorized-keys: it is deprecated: use ssh_authorized_keys
          2 | users: [{name: a, ssh-authorized-keys: [k]}]
            |                   ^
        f: nothing is wrong
    "]],
    );
}

#[test]
fn a_patch_is_about_the_configurations_before_it() {
    let patch = |path: &str| {
        format!("- \"#cloud-config-jsonp\\n[{{op: remove, path: {path}}}]\\n\"\n")
            .replace("op:", "\\\"op\\\":")
            .replace("remove, path: ", "\\\"remove\\\", \\\"path\\\": ")
    };
    let of = |path: &str| {
        format!(
            "#cloud-config-archive\n- \"#cloud-config\\nhostname: a\\n\"\n{}",
            patch(&format!("\\\"{path}\\\""))
        )
    };
    check(
        &of("/hostname"),
        expect![[r"
        f: nothing is wrong
    "]],
    );
    check(
        &of("/fqdn"),
        expect![[r"
        f: part-002: operation 1 of the JSON patch: there is no `/fqdn`
    "]],
    );
}

#[test]
fn many_findings_have_an_end_and_a_terminal_is_safe_from_them() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    for (data, least) in [
        (format!("#cloud-config\nruncmd: [{}]\n", "5,".repeat(2_000)), 1000),
        (format!("#cloud-config\nwrite_files: [{}]\n", "{path: x},".repeat(2_000)), 1000),
        ((0..2_000).fold(String::from("#cloud-config\n"), |text, n| text + &format!("k{n}: \n")), 1000),
    ] {
        let found = findings(data.as_bytes(), &TargetMachine::any(&root).unwrap());
        assert_eq!(found.len(), least + 1);
        assert!(found.last().unwrap().message.contains("only the first 1000 findings"));
    }
    let few = format!("#cloud-config\nruncmd: [{}]\n", "5,".repeat(1000));
    assert!(
        !findings(few.as_bytes(), &TargetMachine::any(&root).unwrap())
            .last()
            .unwrap()
            .message
            .contains("more than")
    );
    let found =
        findings("#cloud-config\nhostnam: a # \u{9b}2J\n".as_bytes(), &TargetMachine::any(&root).unwrap());
    assert!(!finding::lines(Path::new("f"), &found).contains('\u{9b}'));
    let found = findings(
        "## template: jinja\n#cloud-config\n{% \u{1b}[2J %}\n".as_bytes(),
        &TargetMachine::any(&root).unwrap(),
    );
    assert!(!finding::lines(Path::new("f"), &found).contains('\u{1b}'));
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
            f: its first line is nearly that of a cloud-config (write `#cloud-config`)
              1 | cloud-config
        "]],
    );
}

#[test]
fn what_is_valid_and_has_no_effect_is_told_and_no_error() {
    check(
        "#cloud-config\npackages: [vim]\nruncmd: [ls]\npackage_update: false\nruncmd: [id]\n",
        expect![[r"
            f:2:1: warning: packages: there is no apt-get on this machine, and no other manager of packages is used
              2 | packages: [vim]
                | ^
            f:3:1: warning: runcmd: it stands again on line 5, and only the last counts
              3 | runcmd: [ls]
                | ^
            f: nothing is wrong, but not all of it has an effect
        "]],
    );
}

#[test]
fn a_script_that_the_kernel_cannot_start_is_told() {
    check(
        "#cloud-config-archive\n- {content: \"\\n#!/bin/sh\\n\"}\n- {type: text/x-shellscript, content: ls}\n- {content: \"#!/bin/sh\\n\"}\n",
        expect![[r"
            f: part-001: blanks or blank lines stand before its `#!`, so the kernel cannot start it
            f: part-002: it is a script and does not begin with `#!`, so the kernel cannot start it
        "]],
    );
}

#[test]
fn an_include_that_nobody_can_fetch_is_told_and_so_is_what_only_looks_like_a_pin() {
    check(
        "#include\ngopher://example.com/a\nhttp://example.com/#sha256=12\nhttps://example.com/b\n",
        expect![[r"
            f: only http, https, file and absolute paths can be included, and not gopher://example.com/a
            f: `#sha256=12` is no pin: a SHA-256 has 64 hexadecimal digits
        "]],
    );
    check(
        "#include\nhttp://example.com/#SHA256=12\n",
        expect![[r"
            f: warning: include http://example.com/: `#SHA256=12` pins nothing (write #sha256= and the 64 digits)
            f: nothing is wrong
        "]],
    );
}

#[test]
fn a_script_that_starts_something_else_than_is_meant_is_told() {
    check(
        r##"#cloud-config-archive
- "#!bash\nls\n"
- "#cloud-boothook\n#!/bin/sh\r\nls\r\n"
- "#!/bin/sh\r\nls\r\n"
"##,
        expect![[r"
            f: part-001: its first line names `bash`, and no path such as `#!/bin/sh`
            f: part-002: its first line ends with a carriage return, which the kernel takes for a part of the interpreter's name (save it with Unix line ends)
        "]],
    );
}

/// The table of cloud-init's schema and its messages at boot, 26.2.
#[test]
fn old_ways_to_write_users_are_deprecated() {
    let warned = |users: &str| {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let found =
            findings(format!("#cloud-config\n{users}\n").as_bytes(), &TargetMachine::any(&root).unwrap());
        found.iter().filter(|it| it.gravity == Gravity::Warning && it.message.contains("deprecated")).count()
    };
    for (users, count) in [
        ("users: 'a, b'", 1),
        ("users: a", 1),
        ("users: {a: yes}", 1),
        ("users: {a: {gecos: x}}", 1),
        ("user: a", 1),
        ("users: [{name: a, lock-passwd: no, primary-group: x}]", 2),
        ("users: [{name: a, uid: '5', sudo: false, groups: {x: ~}}]", 3),
        ("users: [{name: a, ssh-import-id: [x], ssh-redirect-user: no, hashed-passwd: x}]", 3),
        ("users: [a, [b, c], 'd,e', default]", 0),
        ("users: [{name: a, sudo: ~, uid: 5, groups: 'a, b'}]", 0),
        ("user: {name: a}", 0),
        ("groups: 'a,b'", 0),
        ("groups: {a: b}", 0),
    ] {
        assert_eq!(warned(users), count, "{users}");
    }
}

#[test]
fn the_machines_own_user_and_root_count() {
    let told = |own: &str, user_data: &str| {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("etc/cloud/cloud.cfg", own.as_bytes(), 0o644).unwrap();
        let target = TargetMachine::any(&root).unwrap();
        let found = findings(format!("#cloud-config\n{user_data}\n").as_bytes(), &target);
        found.into_iter().map(|it| it.message).collect::<Vec<_>>().join(" ")
    };
    for (own, user_data, problem) in [
        ("a: b", "users: [default]", "names no default user"),
        ("user: {name: pi}", "users: [default]", ""),
        ("user: {name: pi}", "users: []\nssh_import_id: [gh:a]", ""),
        ("a: b", "users: []\nssh_import_id: [gh:a]", "no default user"),
        ("system_info: {default_user: {name: pi}}", "users: [default]", ""),
    ] {
        let said = told(own, user_data);
        assert!(
            if problem.is_empty() { said.is_empty() } else { said.contains(problem) },
            "{own} {user_data}: {said}"
        );
    }
}

#[test]
fn what_only_looks_like_a_key_is_named() {
    check(
        "#cloud-config\nssh_authorized_keys: [ssh-rsa, ssh-rsa AAAA, \"-----BEGIN OPENSSH PRIVATE KEY-----\\nb3Bl\"]\n",
        expect![[r#"
            f:2:23: ssh_authorized_keys.0: it is the type of a key, and the key itself is missing behind it
              2 | ssh_authorized_keys: [ssh-rsa, ssh-rsa AAAA, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl"]
                |                       ^
            f:2:46: ssh_authorized_keys.2: it is a private key, and the public one belongs here (that of the file with .pub)
              2 | ssh_authorized_keys: [ssh-rsa, ssh-rsa AAAA, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl"]
                |                                              ^
        "#]],
    );
}

#[test]
fn a_script_in_write_files_that_the_kernel_cannot_start_is_told() {
    check(
        r##"#cloud-config
write_files:
- {path: /a, content: "#!/bin/sh\r\nls\r\n"}
- {path: /b, content: "#!/bin/sh\nls\n"}
- {path: /c, content: "a\r\nb\r\n"}
"##,
        expect![[r##"
            f:3:14: warning: write_files.0.content: its first line ends with a carriage return, which the kernel takes for a part of the interpreter's name (save it with Unix line ends)
              3 | - {path: /a, content: "#!/bin/sh\r\nls\r\n"}
                |              ^
            f: nothing is wrong, but not all of it has an effect
        "##]],
    );
}

//! The results of sorting parts.

use super::super::expand;
use super::super::include::{IncludeReach, Includes};
use super::*;
use crate::root::Root;
use crate::user_data::unknown;
use crate::yaml::Mapping;
use expect_test::{Expect, expect};
use std::fmt::Write as _;

fn check_on(upstart: Upstart, data: &str, expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let parts = expand([("user-data", data.as_bytes())], &Includes::new(&root, None, IncludeReach::Nothing))
        .for_all();
    let circumstances = Circumstances {
        instance: &Instance::new("i"),
        scripts: "scripts",
        unwanted: &["text/unwanted".to_owned()],
        variables: &Value::Map(Mapping::default()),
        upstart,
    };
    let sorted = sort(parts.all, &circumstances, &mut PartNames::default());
    let mut text = String::new();
    for file in &sorted.files {
        let content = String::from_utf8_lossy(&file.content);
        let path = file.path.replace("var/lib/cloud/", "");
        writeln!(text, "{path} {:04o} {content:?}", file.mode).unwrap();
    }
    for work in &sorted.work {
        match work {
            Work::Boothook(path) => writeln!(text, "run {path}").unwrap(),
            Work::Handler(handler) => writeln!(text, "{:?} {}", handler.language, handler.path).unwrap(),
            Work::Offer(part) => writeln!(text, "offer {} {}", part.content_type, unknown(part)).unwrap(),
        }
    }
    for dropped in parts.dropped.iter().chain(&sorted.dropped) {
        writeln!(text, "{dropped}").unwrap();
    }
    for told in &sorted.told {
        writeln!(text, "{told}").unwrap();
    }
    expected.assert_eq(&text);
}

fn check(data: &str, expected: Expect) {
    check_on(Upstart::Missing, data, expected);
}

#[test]
fn scripts_go_where_their_type_says() {
    check(
        "#cloud-config-archive\n- '#!/bin/sh'\n- {type: text/x-shellscript-per-boot, filename: a/b/c d, content: x}\n\
         - {type: text/x-shellscript-per-once, content: x}\n- {type: text/x-shellscript-per-instance, content: y}\n\
         - {type: text/unwanted, content: z}\n- {type: text/x-shellscript, filename: a/b, content: x}\n",
        expect![[r##"
            instances/i/scripts/part-001 0700 "#!/bin/sh"
            scripts/per-boot/cd 0700 "x"
            scripts/per-once/part-003 0700 "x"
            scripts/per-instance/part-004 0700 "y"
            instances/i/scripts/a_b 0700 "x"
        "##]],
    );
}

#[test]
fn a_boothook_loses_its_marker() {
    check(
        "#cloud-boothook\r\n\r\n#!/bin/sh\r\n",
        expect![[r##"
        instances/i/boothooks/part-001 0700 "#!/bin/sh\n"
        run var/lib/cloud/instances/i/boothooks/part-001
    "##]],
    );
    check(
        "#!/bin/sh\n#cloud-boothook\n",
        expect![[r##"
        instances/i/scripts/part-001 0700 "#!/bin/sh\n#cloud-boothook\n"
    "##]],
    );
}

#[test]
fn a_handler_is_python_or_a_program() {
    check(
        "#cloud-config-archive\n- \"#part-handler\\ndef list_types(): pass\"\n- \"#part-handler\\n\\n#!/bin/sh\\n\"\n\
         - \"#part-handler\\n#!/usr/bin/python3\\ndef handle_part(): pass\"\n- {type: package/x, content: y}\n\
         - {type: package/x}\n",
        expect![[r##"
            instances/i/handlers/part-handler-000.py 0600 "#part-handler\ndef list_types(): pass"
            instances/i/handlers/part-handler-001 0700 "#!/bin/sh\n"
            instances/i/handlers/part-handler-002.py 0600 "#part-handler\n#!/usr/bin/python3\ndef handle_part(): pass"
            Python var/lib/cloud/instances/i/handlers/part-handler-000.py
            Executable var/lib/cloud/instances/i/handlers/part-handler-001
            Python var/lib/cloud/instances/i/handlers/part-handler-002.py
            offer package/x user-data, entry 4 of the archive: part-004 is dropped: nothing handles the type package/x
              1 | y
        "##]],
    );
}

#[test]
fn upstart_has_its_jobs_where_it_is() {
    let jobs =
        "#cloud-config-archive\n- '#upstart-job'\n- {type: text/x-upstart, filename: b.conf, content: z}\n";
    check_on(
        Upstart::There,
        jobs,
        expect![[r##"
        etc/init/part-001.conf 0644 "#upstart-job"
        etc/init/b.conf 0644 "z"
    "##]],
    );
    check(
        jobs,
        expect![[r"
        user-data, entry 1 of the archive: part-001 is dropped: an upstart job, and this system has no upstart (/etc/init and initctl)
        user-data, entry 2 of the archive: b.conf is dropped: an upstart job, and this system has no upstart (/etc/init and initctl)
    "]],
    );
}

#[test]
fn two_parts_of_one_name_are_both_kept() {
    check(
        "#cloud-config-archive\n- {filename: a, content: '#!one'}\n- {filename: a, content: '#!two'}\n",
        expect![[r##"
            instances/i/scripts/a 0700 "#!one"
            instances/i/scripts/a-2 0700 "#!two"
        "##]],
    );
}

#[test]
fn what_is_no_kind_is_told_with_its_beginning() {
    check(
        "hello there\nsecond\n",
        expect![[r"
            offer text/x-not-multipart user-data: part-001 is dropped: its first line names no known kind (`#cloud-config`, `#!`, `#include` or another)
              1 | hello there
        "]],
    );
    check(
        "#cloud-config-archive\n- '#include http://x/'\n- {type: text/html, content: <p>}\n",
        expect![[r"
            offer text/html user-data, entry 2 of the archive: part-002 is dropped: nothing handles the type text/html
              1 | <p>
            user-data, entry 1 of the archive: part-001 is dropped: text/x-include-url is not expanded inside an archive
        "]],
    );
    check(
        "#include http://me:secret@x/\n",
        expect![[r"
        user-data: include http://x/ is dropped: it is not fetched here
    "]],
    );
    check("", expect![[""]]);
}

#[test]
fn a_template_is_what_it_makes_and_names_what_is_missing() {
    check(
        "#cloud-config-archive\n- {type: text/jinja2, content: \"## template: jinja\\n#!/bin/sh\\necho {{ nope }}\\n\"}\n\
         - {type: text/jinja2, content: \"## template: jinja\\n#cloud-config\\na: {{ '[' }}\\n\"}\n\
         - {type: text/jinja2, content: \"## template: jinja\\n#include\\n\"}\n\
         - {type: text/jinja2, content: \"## template: jinja\\n{{ a-b }}\"}\n\
         - {type: text/jinja2, content: \"#!/bin/sh\"}\n",
        expect![[r##"
            instances/i/scripts/part-001 0700 "#!/bin/sh\necho CI_MISSING_JINJA_VAR/nope\n"
            user-data, entry 2 of the archive, rendered: part-002 is dropped: read the cloud-config: line 3, column 1: did not find expected node content (while parsing a flow node)
            user-data, entry 3 of the archive: part-003 is dropped: the template makes no cloud-config, script or boothook
            user-data, entry 4 of the archive: part-004 is dropped: line 2: undefined variable `a-b`: a `-` subtracts (perhaps you mean `a_b`)
              2 | {{ a-b }}
            user-data, entry 5 of the archive: part-005 is dropped: the first line is not `## template: jinja`
            user-data, entry 1 of the archive: the template names what is not there: `nope` is undefined (there is: ds, sys_info, merged_system_cfg, v1 and the names in it)
        "##]],
    );
}

#[test]
fn types_of_the_first_specification_are_understood() {
    check(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: application/x-sh\n\n#!/bin/sh\nls\n\
         --B\nContent-Type: ubuntu-ec2-config\n\ninstall-packages: a b\n--B\nContent-Type: text/cloud-config\n\npackages: [c]\n\
         --B\nContent-Type: ubuntu-ec2-config; charset=us-ascii\n\n# more\ninstall-packages: d\n\
         --B\nContent-Type: ubuntu-ec2-config\n\ninstall-all: d\n--B--\n",
        expect![[r##"
            instances/i/boothooks/part-001 0700 "#!/bin/sh\nls"
            run var/lib/cloud/instances/i/boothooks/part-001
            user-data, MIME part 5: part-005 is dropped: it knows `install-packages: NAME…` alone
        "##]],
    );
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let data = b"#cloud-config-archive\n- {type: text/cloud-config, content: 'packages: [c]'}\n- {type: ubuntu-ec2-config, content: 'install-packages: a b'}\n";
    let parts =
        expand([("user-data", &data[..])], &Includes::new(&root, None, IncludeReach::Nothing)).for_all();
    let circumstances = Circumstances {
        instance: &Instance::new("i"),
        scripts: "scripts",
        unwanted: &[],
        variables: &Value::Map(Mapping::default()),
        upstart: Upstart::Missing,
    };
    let sorted = sort(parts.all, &circumstances, &mut PartNames::default());
    assert!(sorted.dropped.is_empty() && sorted.work.is_empty(), "{sorted:?}");
    assert_eq!(crate::yaml::to_json(&sorted.config.into_mapping().into()), r#"{"packages":["c","a","b"]}"#);
}

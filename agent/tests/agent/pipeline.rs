//! Boot, `plan` and `validate` see the same parts in the same data.

use crate::machine::Machine;
use std::collections::BTreeSet;

const SEED: &str = "var/lib/cloud/seed/nocloud";
const INSTANCE: &str = "var/lib/cloud/instances/i-1";

/// The beginnings of handlers' lines.
const HANDLERS: [&str; 4] = ["hostname: ", "runcmd: ", "ssh_authorized_keys: ", "write_files: "];

/// The findings in user-data.
#[derive(PartialEq, Eq, Debug, Default)]
struct Seen {
    /// The steps of handlers.
    steps: BTreeSet<String>,
    /// The paths of scripts and boothooks.
    scripts: BTreeSet<String>,
    /// The dropped parts with the reasons.
    dropped: BTreeSet<String>,
}

/// The results of a boot, `plan` and `validate` for user-data.
struct Three {
    machine: Machine,
    boot: Seen,
    plan: Seen,
    validate: String,
}

impl Three {
    fn of(user_data: &str, meta_data: &str) -> Self {
        let machine = Machine::new();
        machine.write(&format!("{SEED}/meta-data"), format!("instance-id: i-1\n{meta_data}"));
        machine.write(&format!("{SEED}/user-data"), user_data);
        let (_, said) = machine.boot();
        let boot = seen(&said, "warning: ", &["not on this root: run /"]);
        let file = machine.path(&format!("{SEED}/user-data"));
        let (_, planned) = machine.agent(&["plan", file.to_str().unwrap()]);
        let plan = seen(&planned, "problem: ", &["late: run /", "boothook: run /"]);
        let (_, validate) = machine.agent(&["validate", file.to_str().unwrap()]);
        Self { machine, boot, plan, validate }
    }
}

fn seen(text: &str, problem: &str, runs: &[&str]) -> Seen {
    let mut seen = Seen::default();
    for line in text.lines() {
        let line = line.trim_start_matches("lifeboat-agent: ");
        let run = runs.iter().find_map(|run| line.strip_prefix(run));
        if let Some(path) = run {
            seen.scripts.insert(path.trim_end_matches(" (on each boot)").to_owned());
        } else if let Some(problem) = line.strip_prefix(problem) {
            seen.dropped.insert(problem.to_owned());
        } else if HANDLERS.iter().any(|handler| line.starts_with(handler)) {
            seen.steps.insert(line.to_owned());
        }
    }
    seen
}

/// Parts of each kind. Each configuration has a key of its own that nobody knows: what has seen it says so.
const PARTS: &str = r###"#cloud-config-archive
- "#cloud-config\nodd_one: 1\nwrite_files: [{path: /etc/one, content: x}]\n"
- {filename: a.sh, content: "#!/bin/sh\n"}
- "#cloud-config\nodd_two: 1\nhostname: web\nmerge_how: 'list(append)+dict(recurse_list)'\nwrite_files: [{path: /etc/two, content: x}]\n"
- "## template: jinja\n#!/bin/sh\necho {{ 1 + 1 }}\n"
- {filename: runcmd, content: "#!/bin/sh\n"}
- {type: text/x-shellscript-per-boot, filename: b.sh, content: "#!/bin/sh\n"}
- "#cloud-boothook\n#!/bin/sh\n"
- "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/runcmd\", \"value\": [\"ls\"]}]\n"
"###;

#[test]
fn the_three_see_the_same_parts() {
    let Three { machine, boot, plan, validate } = Three::of(PARTS, "");
    assert_eq!(boot, plan);
    let odd = ["odd_one", "odd_two"].map(|key| format!("user-data: {key}: there is no such key"));
    assert_eq!(boot.dropped, odd.into());
    let (scripts, boothooks) = (format!("{INSTANCE}/scripts/"), format!("{INSTANCE}/boothooks/"));
    let expected = [
        format!("{scripts}a.sh"),
        format!("{scripts}part-004"),
        format!("{scripts}runcmd"),
        format!("{scripts}runcmd-2"),
        "var/lib/cloud/scripts/per-boot/b.sh".to_owned(),
        format!("{boothooks}part-007"),
    ];
    assert_eq!(boot.scripts, expected.into());
    let steps: Vec<_> = boot.steps.iter().map(String::as_str).collect();
    assert_eq!(steps.len(), 5, "{steps:?}");
    for step in ["/etc/one", "/etc/two", "web", "runcmd"] {
        assert!(steps.iter().any(|line| line.contains(step)), "{step}: {steps:?}");
    }
    let config = machine.read(&format!("{INSTANCE}/cloud-config.txt"));
    for key in ["odd_one", "odd_two"] {
        assert!(
            config.contains(key) && validate.contains(&format!("{key}: there is no such key")),
            "{validate}"
        );
    }
    assert_eq!(validate.matches("there is no such key").count(), 2, "{validate}");
}

#[test]
fn what_is_refused_is_refused_by_all_three() {
    for (part, reason) in [
        (r##""#cloud-config\na: [\n""##, "did not find expected node content"),
        (r##""#cloud-config\n- a\n""##, "it is a list and no mapping"),
        (r##""#cloud-config\nhostname: refused\nmerge_how: frob()\n""##, "frob"),
        (r##""#cloud-config-jsonp\n[{\"op\": \"remove\", \"path\": \"/none\"}]\n""##, "there is no `/none`"),
        (r###""## template: jinja\n#!/bin/sh\n{% if %}\n""###, "a value is missing"),
        (r###""## template: jinja\nnothing known\n""###, "the template makes no cloud-config"),
        ("{type: text/odd, content: refused}", "nothing handles the type text/odd"),
        (r##""#include\nhttp://127.0.0.1:9/\n""##, "text/x-include-url is not expanded inside an archive"),
        ("5", "it is neither a text nor a mapping"),
    ] {
        let data = format!(
            "#cloud-config-archive\n- \"#cloud-config\\nhostname: web\\n\"\n- {part}\n- {{filename: a.sh, content: \"#!/bin/sh\"}}\n"
        );
        let Three { machine, boot, plan, validate } = Three::of(&data, "");
        assert_eq!(boot, plan, "{part}");
        assert_eq!(boot.dropped.len(), 1, "{part}: {boot:?}");
        assert!(boot.dropped.iter().all(|dropped| dropped.contains(reason)), "{part}: {boot:?}");
        assert!(validate.contains(reason), "{part}: {validate}");
        // It costs only itself.
        assert_eq!(boot.scripts, [format!("{INSTANCE}/scripts/a.sh")].into(), "{part}");
        assert_eq!(machine.read("etc/hostname"), "web\n", "{part}");
    }
}

#[test]
fn a_part_for_another_machine_is_neither_taken_nor_planned() {
    let data = "#cloud-config-archive\n- {filename: a.sh, launch-index: 1, content: '#!/bin/sh'}\n\
                - {filename: b.sh, launch-index: 2, content: '#!/bin/sh'}\n";
    let (one, both) = (&["a.sh"][..], &["a.sh", "b.sh"][..]);
    for (meta_data, names) in [("launch-index: 1\n", one), ("", both)] {
        let Three { boot, plan, validate, .. } = Three::of(data, meta_data);
        let expected: BTreeSet<_> = names.iter().map(|name| format!("{INSTANCE}/scripts/{name}")).collect();
        assert_eq!((&boot.scripts, &boot), (&expected, &plan), "{meta_data}");
        assert!(validate.contains("nothing is wrong"), "{validate}");
    }
}

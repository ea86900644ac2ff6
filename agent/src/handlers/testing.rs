//! The tests' tools for handlers: a configuration in, the plan's words out.

use super::HandlerFacts;
use crate::accounts::Accounts;
use crate::machine::Paper;
use crate::meta_data;
use crate::plan::{HandlerPlan, Step};
use crate::yaml::{self, Value};
use expect_test::Expect;

type PlanFunction = fn(&HandlerFacts<'_>) -> anyhow::Result<HandlerPlan>;

pub(super) fn plan(handler: PlanFunction, config: &str, meta: &str) -> HandlerPlan {
    plan_on(&Paper(&[]), handler, config, meta)
}

/// The plan for a machine with these files.
pub(super) fn plan_on(machine: &Paper<'_>, handler: PlanFunction, config: &str, meta: &str) -> HandlerPlan {
    let Value::Map(config) = yaml::load(config).unwrap() else { panic!("no mapping") };
    let meta_data = meta_data::parse(meta.as_bytes()).unwrap();
    let accounts =
        Accounts::parse("root:x:0:0::/root:/bin/sh\nold:x:9:9::/home/old:/bin/sh\n", "adm:x:4:\nold:x:9:\n");
    let facts = HandlerFacts {
        config: &config,
        meta_data: &meta_data,
        accounts: &accounts,
        scripts: "s",
        is_rescue: false,
        machine,
    };
    handler(&facts).unwrap_or_else(|error| HandlerPlan {
        problems: vec![format!("{error:#}")],
        ..HandlerPlan::default()
    })
}

pub(super) fn check(handler: PlanFunction, config: &str, meta: &str, expected: Expect) {
    check_on(&[], handler, config, meta, expected);
}

/// The same on a machine with these files.
pub(super) fn check_on(
    files: &[(&str, &str)],
    handler: PlanFunction,
    config: &str,
    meta: &str,
    expected: Expect,
) {
    let plan = plan_on(&Paper(files), handler, config, meta);
    let steps = plan.steps.iter().map(|step| match step {
        Step::Write(file) => format!("{step}\n{}", String::from_utf8_lossy(&file.content)),
        Step::Authorize { keys, .. } | Step::TurnAway { keys, .. } => {
            format!("{step}: {}\n", keys.join(" | "))
        }
        _ => format!("{step}\n"),
    });
    let problems = plan.told().map(|problem| format!("problem: {problem}\n"));
    expected.assert_eq(&steps.chain(problems).collect::<String>());
}

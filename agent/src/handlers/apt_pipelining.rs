//! `apt_pipelining`: how many requests apt has under way to one server.

use super::HandlerFacts;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::{Result, bail};

const FILE: &str = "/etc/apt/apt.conf.d/90cloud-init-pipelining";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let value = match facts.config.get("apt_pipelining") {
        None | Some(Value::Null) => return Ok(plan),
        Some(Value::Bool(false)) => "0".to_owned(),
        Some(value) => value.scalar_text().unwrap_or_default().trim().to_lowercase(),
    };
    let depth = match value.as_str() {
        "none" | "unchanged" | "os" => return Ok(plan),
        "false" => "0",
        depth @ ("0" | "1" | "2" | "3" | "4" | "5") => depth,
        other => bail!("`{other}` is neither `os`, false nor a number from 0 to 5"),
    };
    let text =
        format!("// As apt_pipelining of the user-data says.\nAcquire::http::Pipeline-Depth \"{depth}\";\n");
    plan.push(Step::Write(File::new(FILE, text, 0o644)));
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_depth_is_written() {
        for (value, depth) in [("false", "0"), ("0", "0"), ("5", "5"), ("'3'", "3")] {
            let plan = super::super::testing::plan(plan, &format!("apt_pipelining: {value}"), "");
            let [Step::Write(file)] = plan.steps.as_slice() else { panic!("{value}") };
            assert!(
                String::from_utf8_lossy(&file.content).ends_with(&format!("Pipeline-Depth \"{depth}\";\n"))
            );
        }
    }

    #[test]
    fn the_systems_own_stays_and_anything_else_is_told() {
        for config in ["a: b", "apt_pipelining: os", "apt_pipelining: none", "apt_pipelining: Unchanged"] {
            check(plan, config, "", expect![[""]]);
        }
        check(
            plan,
            "apt_pipelining: 6",
            "",
            expect![[r"
                problem: `6` is neither `os`, false nor a number from 0 to 5
            "]],
        );
    }
}

//! `disable_ec2_metadata`: nobody on the machine reaches the platform's metadata any more.

use super::HandlerFacts;
use crate::plan::{HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::{Result, bail};

const ADDRESS: &str = "169.254.169.254";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    if !facts.config.get("disable_ec2_metadata").is_some_and(Value::is_on) {
        return Ok(plan);
    }
    if facts.machine.has_program("ip")? {
        plan.push(Step::run(&["ip", "route", "replace", "prohibit", ADDRESS]));
    } else if facts.machine.has_program("route")? {
        plan.push(Step::run(&["route", "add", "-host", ADDRESS, "reject"]));
    } else {
        bail!("there is neither ip nor route (install iproute2)");
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_address_leads_nowhere_if_that_is_wanted() {
        let on = "disable_ec2_metadata: true";
        check_on(
            &[("usr/sbin/ip", ""), ("sbin/route", "")],
            plan,
            on,
            "",
            expect![[r"
            run ip route replace prohibit 169.254.169.254
        "]],
        );
        check_on(
            &[("sbin/route", "")],
            plan,
            on,
            "",
            expect![[r"
            run route add -host 169.254.169.254 reject
        "]],
        );
        check_on(
            &[],
            plan,
            on,
            "",
            expect![[r"
            problem: there is neither ip nor route (install iproute2)
        "]],
        );
        for off in ["a: b", "disable_ec2_metadata: false"] {
            check_on(&[("usr/sbin/ip", "")], plan, off, "", expect![[""]]);
        }
    }
}

//! `timezone`: /etc/timezone and /etc/localtime.

use super::HandlerFacts;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::{Result, bail};

const ZONES: &str = "usr/share/zoneinfo";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let zone = facts.config.get("timezone").and_then(Value::scalar_text).unwrap_or_default();
    let zone = zone.trim();
    if zone.is_empty() {
        return Ok(plan);
    }
    let is_inside = !zone.split('/').any(|step| step.is_empty() || step == "." || step == "..");
    if !is_inside || !facts.machine.holds(&format!("{ZONES}/{zone}"))? {
        let hint =
            if facts.machine.holds(ZONES)? { "a name such as Europe/Berlin" } else { "install tzdata" };
        bail!("there is no time zone `{zone}` below /{ZONES} ({hint})");
    }
    plan.push(Step::Write(File::new("/etc/timezone", format!("{zone}\n"), 0o644)));
    plan.push(Step::Link { path: "/etc/localtime".into(), target: format!("/{ZONES}/{zone}") });
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_on};
    use super::*;
    use expect_test::expect;

    const ZONE: &[(&str, &str)] = &[("usr/share/zoneinfo/Europe/Berlin", "")];

    #[test]
    fn a_zone_is_written_and_linked() {
        check_on(
            ZONE,
            plan,
            "timezone: Europe/Berlin",
            "",
            expect![[r"
                write /etc/timezone (14 bytes, mode 0644)
                Europe/Berlin
                link /etc/localtime to /usr/share/zoneinfo/Europe/Berlin
            "]],
        );
    }

    #[test]
    fn a_zone_that_does_not_exist_changes_nothing() {
        let unknown = expect![[r"
            problem: there is no time zone `Europe/Atlantis` below /usr/share/zoneinfo (a name such as Europe/Berlin)
        "]];
        check_on(ZONE, plan, "timezone: Europe/Atlantis", "", unknown);
        let outside = expect![[r"
            problem: there is no time zone `../Europe/Berlin` below /usr/share/zoneinfo (a name such as Europe/Berlin)
        "]];
        check_on(ZONE, plan, "timezone: ../Europe/Berlin", "", outside);
        let none = expect![[r"
            problem: there is no time zone `UTC` below /usr/share/zoneinfo (install tzdata)
        "]];
        check(plan, "timezone: UTC", "", none);
    }

    #[test]
    fn without_a_zone_nothing_is_done() {
        for config in ["a: b", "timezone: ''", "timezone: null"] {
            check(plan, config, "", expect![[""]]);
        }
    }
}

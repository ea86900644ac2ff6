//! `hostname`, `fqdn`, and meta-data's `local-hostname`: the name of the machine, once per instance.

use super::HandlerFacts;
use super::host_names::{self, FILE};
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    if facts.config.get("preserve_hostname").is_some_and(Value::is_on) {
        return Ok(plan);
    }
    let Some(names) = host_names::given(facts)? else { return Ok(plan) };
    if may_write(facts)? {
        plan.push(Step::Write(File::new(&format!("/{FILE}"), format!("{}\n", names.chosen), 0o644)));
    }
    plan.push(Step::HostName(names.chosen));
    Ok(plan)
}

/// False if there is no /etc/hostname, and `create_hostname_file` forbids to make one.
pub(super) fn may_write(facts: &HandlerFacts<'_>) -> Result<bool> {
    let is_forbidden = facts.config.get("create_hostname_file").is_some_and(|value| !value.is_on());
    Ok(!is_forbidden || facts.machine.holds(FILE)?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_on};
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_name_is_written_and_set() {
        check(
            plan,
            "hostname: user.example.org",
            "local-hostname: meta",
            expect![[r"
                write /etc/hostname (5 bytes, mode 0644)
                user
                set the host name to user
            "]],
        );
        check(plan, "{hostname: user, preserve_hostname: true}", "local-hostname: meta", expect![[""]]);
        check(plan, "a: b", "", expect![[""]]);
    }

    #[test]
    fn a_file_is_not_made_where_none_is_wanted() {
        let config = "{hostname: user, create_hostname_file: false}";
        check(
            plan,
            config,
            "",
            expect![[r"
            set the host name to user
        "]],
        );
        check_on(
            &[("etc/hostname", "old\n")],
            plan,
            config,
            "",
            expect![[r"
            write /etc/hostname (5 bytes, mode 0644)
            user
            set the host name to user
        "]],
        );
    }
}

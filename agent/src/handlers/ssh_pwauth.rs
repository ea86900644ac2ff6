//! `ssh_pwauth`: sshd takes passwords, or does not.

use super::HandlerFacts;
use super::sshd_config::{self, Setting};
use crate::plan::{HandlerPlan, Step};
use anyhow::Result;

/// The value that leaves everything as it is.
const UNCHANGED: &str = "unchanged";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let Some(value) = facts.config.get("ssh_pwauth") else { return Ok(plan) };
    let value = match value.scalar_text().map(|text| text.to_lowercase()).as_deref() {
        None | Some("" | UNCHANGED) => return Ok(plan),
        Some("true" | "yes" | "on" | "1") => "yes",
        Some("false" | "no" | "off" | "0") => "no",
        Some(other) => {
            plan.problem(format!("`{other}` is neither a yes or no nor `{UNCHANGED}`"));
            return Ok(plan);
        }
    };
    let setting = Setting { name: "PasswordAuthentication", value };
    let Some(change) = sshd_config::change(&setting, facts.machine)? else { return Ok(plan) };
    plan.problems.extend(change.problem);
    plan.push(Step::Write(change.file));
    if facts.machine.holds(sshd_config::RUNNING)? {
        plan.push(Step::run(&sshd_config::RELOAD));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_on};
    use super::*;
    use expect_test::expect;

    const DEBIAN: (&str, &str) =
        ("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n");

    #[test]
    fn sshd_is_told_to_take_passwords_or_not() {
        check_on(
            &[DEBIAN],
            plan,
            "ssh_pwauth: true",
            "",
            expect![[r"
                write /etc/ssh/sshd_config.d/50-cloud-init.conf (27 bytes, mode 0600)
                PasswordAuthentication yes
            "]],
        );
        check_on(
            &[DEBIAN, ("run/sshd.pid", "1")],
            plan,
            "ssh_pwauth: 'no'",
            "",
            expect![[r"
                write /etc/ssh/sshd_config.d/50-cloud-init.conf (26 bytes, mode 0600)
                PasswordAuthentication no
                run systemctl --no-block try-reload-or-restart ssh.service
            "]],
        );
    }

    #[test]
    fn what_is_so_already_stays_and_what_is_no_answer_is_told() {
        let ours = ("etc/ssh/sshd_config.d/50-cloud-init.conf", "passwordauthentication yes\n");
        check_on(&[DEBIAN, ours], plan, "ssh_pwauth: yes", "", expect![[""]]);
        for config in ["a: b", "ssh_pwauth: unchanged", "ssh_pwauth: null"] {
            check_on(&[DEBIAN], plan, config, "", expect![[""]]);
        }
        check(
            plan,
            "ssh_pwauth: maybe",
            "",
            expect![[r"
                problem: `maybe` is neither a yes or no nor `unchanged`
            "]],
        );
        // There is no sshd.
        check(plan, "ssh_pwauth: yes", "", expect![[""]]);
    }
}

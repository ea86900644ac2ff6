//! `power_state`: the machine is turned off or restarts at the end of its first boot.

use super::HandlerFacts;
use crate::plan::{HandlerPlan, PowerChange, Step};
use crate::yaml::Value;
use anyhow::{Context, Result, bail};

/// The modes, and what shutdown calls them.
const MODES: [(&str, &str); 3] = [("halt", "-H"), ("poweroff", "-P"), ("reboot", "-r")];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let settings = match facts.config.get("power_state") {
        None | Some(Value::Null) => return Ok(plan),
        Some(Value::Map(settings)) => settings,
        Some(other) => bail!("it is {} and no mapping", other.kind()),
    };
    let mode = settings.get("mode").and_then(Value::as_str).unwrap_or_default();
    let (mode, option) = *MODES
        .iter()
        .find(|(known, _)| *known == mode)
        .with_context(|| format!("mode: `{}` is none of halt, poweroff and reboot", mode.escape_debug()))?;
    let delay = delay(settings.get("delay"))?;
    let condition = match settings.get("condition") {
        None | Some(Value::Null | Value::Bool(true)) => None,
        Some(Value::Bool(false)) => return Ok(plan),
        Some(Value::Str(command)) => Some(["/bin/sh", "-c", command].map(str::to_owned).to_vec()),
        Some(Value::Seq(words)) if !words.is_empty() => {
            let words = words.iter().map(Value::scalar_text).collect::<Option<Vec<_>>>();
            Some(words.context("condition: a word of the command is no text (put quotes around it)")?)
        }
        Some(other) => bail!("condition: it is {} and no switch, text or list of words", other.kind()),
    };
    if settings.get("timeout").is_some_and(|timeout| !is_number(timeout)) {
        plan.problem("timeout: it is no number of seconds");
    }
    let mut argv = vec!["shutdown".to_owned(), option.into(), delay];
    argv.extend(settings.get("message").and_then(Value::scalar_text).filter(|message| !message.is_empty()));
    if !facts.machine.has_program("shutdown")? && facts.machine.has_program("systemctl")? {
        if argv.get(2).is_some_and(|delay| delay != "now") {
            plan.problem("delay: it is now, for there is no shutdown (install systemd-sysv)");
        }
        argv = vec!["systemctl".into(), mode.into()];
    }
    plan.push(Step::Power(PowerChange { argv, condition }));
    Ok(plan)
}

/// `now`, or minutes.
fn delay(value: Option<&Value>) -> Result<String> {
    let text = match value {
        None | Some(Value::Null) => return Ok("now".into()),
        Some(value) => value.scalar_text().unwrap_or_default(),
    };
    if text == "now" {
        return Ok(text);
    }
    let Ok(minutes) = text.trim().trim_start_matches('+').parse::<u32>() else {
        bail!("delay: `{}` is neither now nor a number of minutes", text.escape_debug());
    };
    Ok(format!("+{minutes}"))
}

fn is_number(value: &Value) -> bool {
    value.scalar_text().is_some_and(|text| text.trim().parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const DEBIAN: &[(&str, &str)] = &[("usr/sbin/shutdown", ""), ("usr/bin/systemctl", "")];

    fn line(config: &str) -> String {
        let plan = super::super::testing::plan_on(&crate::machine::Paper(DEBIAN), plan, config, "");
        let steps = plan.steps.iter().map(ToString::to_string);
        steps
            .chain(plan.problems.iter().map(|problem| format!("problem: {problem}")))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// The calls are those of cloud-init 26.2's `shutdown_command` (read in its source).
    #[test]
    fn the_machine_is_turned_off_as_it_is_asked_for() {
        let once = "once the boot is recorded, run shutdown";
        for (config, call) in [
            ("{mode: poweroff}", "-P now"),
            ("{mode: reboot, delay: now}", "-r now"),
            ("{mode: halt, delay: 5}", "-H +5"),
            ("{mode: halt, delay: '+5', timeout: 10}", "-H +5"),
            (
                "{mode: poweroff, delay: '0030', message: Bye Bye, timeout: 30, condition: true}",
                "-P +30 'Bye Bye'",
            ),
            ("{mode: reboot, condition: test -f /a}", "-r now (if this succeeds: /bin/sh -c 'test -f /a')"),
            ("{mode: reboot, condition: [test, -f, /a b]}", "-r now (if this succeeds: test -f '/a b')"),
        ] {
            assert_eq!(line(&format!("power_state: {config}")), format!("{once} {call}"), "{config}");
        }
    }

    #[test]
    fn what_asks_for_nothing_changes_nothing() {
        for config in ["a: b", "power_state: null", "power_state: {mode: poweroff, condition: false}"] {
            assert_eq!(line(config), "", "{config}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told_and_the_machine_stays_on() {
        for (config, told) in [
            ("{}", "mode: `` is none of halt, poweroff and reboot"),
            ("{mode: sleep}", "mode: `sleep` is none of halt, poweroff and reboot"),
            ("{mode: halt, delay: soon}", "delay: `soon` is neither now nor a number of minutes"),
            (
                "{mode: halt, condition: {a: b}}",
                "condition: it is a mapping and no switch, text or list of words",
            ),
            (
                "{mode: halt, condition: [[a]]}",
                "condition: a word of the command is no text (put quotes around it)",
            ),
            ("poweroff", "it is a text and no mapping"),
        ] {
            assert_eq!(
                line(&format!("power_state: {config}")).split("; ").last(),
                Some(&*format!("problem: {told}"))
            );
        }
    }

    #[test]
    fn without_shutdown_systemd_is_asked() {
        let machine = &[("usr/bin/systemctl", "")];
        let config = "power_state: {mode: poweroff, delay: 3, timeout: soon}";
        check_on(
            machine,
            plan,
            config,
            "",
            expect![[r"
            once the boot is recorded, run systemctl poweroff
            problem: timeout: it is no number of seconds
            problem: delay: it is now, for there is no shutdown (install systemd-sysv)
        "]],
        );
    }
}

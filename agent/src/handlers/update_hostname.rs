//! The machine's name at each boot: it follows what gave it, unless a person has changed it meanwhile.

use super::HandlerFacts;
use super::host_names::{self, FILE};
use super::hostname::may_write;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;

/// The name that an earlier boot gave.
const PREVIOUS: &str = "var/lib/cloud/data/previous-hostname";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    if facts.config.get("preserve_hostname").is_some_and(Value::is_on) {
        return Ok(plan);
    }
    // The handler that sets it tells once what is no name.
    let Ok(Some(names)) = host_names::given(facts) else { return Ok(plan) };
    let (previous, own) = (host_names::in_file(PREVIOUS, facts)?, host_names::in_file(FILE, facts)?);
    if own.is_some() && previous.is_some() && own != previous {
        return Ok(plan);
    }
    let name = names.chosen;
    let write = |path: &str| Step::Write(File::new(&format!("/{path}"), format!("{name}\n"), 0o644));
    if previous.as_ref() != Some(&name) {
        plan.push(write(PREVIOUS));
    }
    let is_ours = own.is_some() && own == previous && own.as_ref() != Some(&name);
    if is_ours || own.is_none() && may_write(facts)? {
        plan.push(write(FILE));
        plan.push(Step::HostName(name));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const CONFIG: &str = "hostname: new";

    #[test]
    fn the_first_boot_notes_the_name() {
        check_on(
            &[("etc/hostname", "new\n")],
            plan,
            CONFIG,
            "",
            expect![[r"
            write /var/lib/cloud/data/previous-hostname (4 bytes, mode 0644)
            new
        "]],
        );
    }

    #[test]
    fn a_name_that_changed_where_it_comes_from_is_followed() {
        check_on(
            &[("etc/hostname", "old\n"), (PREVIOUS, "old\n")],
            plan,
            CONFIG,
            "",
            expect![[r"
            write /var/lib/cloud/data/previous-hostname (4 bytes, mode 0644)
            new
            write /etc/hostname (4 bytes, mode 0644)
            new
            set the host name to new
        "]],
        );
    }

    #[test]
    fn a_name_that_a_person_gave_stays() {
        check_on(&[("etc/hostname", "mine\n"), (PREVIOUS, "old\n")], plan, CONFIG, "", expect![[""]]);
        let kept = "{hostname: new, preserve_hostname: true}";
        check_on(&[("etc/hostname", "old\n"), (PREVIOUS, "old\n")], plan, kept, "", expect![[""]]);
    }

    #[test]
    fn a_name_that_is_as_it_was_costs_nothing() {
        check_on(&[("etc/hostname", "new\n"), (PREVIOUS, "new\n")], plan, CONFIG, "", expect![[""]]);
        check_on(&[("etc/hostname", "own\n")], plan, "a: b", "", expect![[""]]);
    }
}

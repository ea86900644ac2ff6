//! `runcmd`: commands once per instance, run among the scripts in the order of names.

use super::HandlerFacts;
use super::commands::shell_script;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

const KEY: &str = "runcmd";

/// The script, below the instance's directory.
pub(crate) const COMMANDS: &str = "scripts/runcmd";

/// True if there are commands in a configuration.
pub(crate) fn has_commands(config: &Mapping) -> bool {
    config.get(KEY).and_then(Value::as_seq).is_some_and(|commands| !commands.is_empty())
}

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let script = shell_script(facts.config, KEY, &mut plan)?;
    if !script.is_empty() {
        plan.push(Step::Write(File::new(&format!("/{}/runcmd", facts.scripts), script, 0o700)));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use expect_test::expect;

    #[test]
    fn commands_become_a_script() {
        check(
            plan,
            "runcmd: [[ls, -l, /], 'echo a; echo b']",
            "",
            expect![[r"
                write /s/runcmd (39 bytes, mode 0700)
                #!/bin/sh
                'ls' '-l' '/'
                echo a; echo b
            "]],
        );
        check(plan, "runcmd: []", "", expect![[""]]);
    }
}

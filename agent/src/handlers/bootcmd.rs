//! `bootcmd`: commands on each boot, before users and files are seen to.

use super::HandlerFacts;
use super::commands::shell_script;
use crate::layout::BOOTCMD;
use crate::plan::{File, HandlerPlan, Step};
use anyhow::Result;

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let script = shell_script(facts.config, "bootcmd", &mut plan)?;
    if !script.is_empty() {
        let path = format!("/{BOOTCMD}");
        plan.push(Step::Write(File::new(&path, script, 0o700)));
        // By name, for /run may forbid to execute files.
        plan.push(Step::run(&["/bin/sh", &path]));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use expect_test::expect;

    #[test]
    fn commands_become_a_script_and_a_bad_one_costs_only_itself() {
        check(
            plan,
            "bootcmd: [echo $HOME, [echo, \"it's\", 1], null, 5, {a: b}, [echo, null]]",
            "",
            expect![[r"
                write /run/cloud-init/bootcmd (42 bytes, mode 0700)
                #!/bin/sh
                echo $HOME
                'echo' 'it'\''s' '1'
                run /bin/sh /run/cloud-init/bootcmd
                problem: entry 4: it is a number and no command
                problem: entry 5: it is a mapping and no command (a `: ` makes a mapping of it: put quotes around it)
                problem: entry 6: a word of the command is no text (put quotes around it)
            "]],
        );
    }

    #[test]
    fn without_commands_nothing_is_done() {
        check(plan, "a: b", "", expect![[""]]);
        check(
            plan,
            "bootcmd: echo",
            "",
            expect![[r"
            problem: it is a text and no list
        "]],
        );
    }
}

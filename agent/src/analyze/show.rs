//! `analyze show`: the work of each stage in its order, with its start and its end, in cloud-init's format.

use super::{seconds, shown, shown_stage};
use crate::trace::{Kind, TraceEntry};
use std::fmt::Write as _;

/// The list.
pub(super) fn text(entries: &[TraceEntry]) -> String {
    let mut text = String::from(
        "-- Boot Record 01 --\n\
         The total time elapsed since completing an event is printed after the \"@\" character.\n\
         The time the event takes is printed after the \"+\" character.\n",
    );
    let mut stages: Vec<&str> = Vec::new();
    for entry in entries {
        if !stages.contains(&entry.stage.as_str()) {
            stages.push(&entry.stage);
        }
    }
    let first = entries.iter().map(|entry| entry.start).min().unwrap_or_default();
    let mut total = 0;
    for stage in stages {
        let name = shown_stage(stage);
        // Writing to a String cannot fail.
        writeln!(text, "\nStarting stage: {name}").unwrap_or_default();
        let of_stage = || entries.iter().filter(|entry| entry.stage == stage);
        for entry in of_stage().filter(|entry| entry.kind != Kind::Stage) {
            let end = seconds(entry.end().saturating_sub(first));
            write!(text, "|`->{} ({}) @{end}s +{}s", shown(entry), entry.result, seconds(entry.took))
                .unwrap_or_default();
            let reason = if entry.reason.is_empty() { "" } else { ": " };
            writeln!(text, "{reason}{}", entry.reason).unwrap_or_default();
        }
        match of_stage().find(|entry| entry.kind == Kind::Stage) {
            Some(whole) => {
                total += whole.took;
                writeln!(text, "Finished stage: ({name}) {} seconds", seconds(whole.took))
                    .unwrap_or_default();
            }
            None => writeln!(text, "Stage without an end: ({name})").unwrap_or_default(),
        }
    }
    writeln!(text, "\nTotal Time: {} seconds\n\n1 boot records analyzed", seconds(total)).unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::recorded;
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_stage_has_its_work_in_order() {
        expect![[r#"
            -- Boot Record 01 --
            The total time elapsed since completing an event is printed after the "@" character.
            The time the event takes is printed after the "+" character.

            Starting stage: init-local
            Finished stage: (init-local) 00.00600 seconds

            Starting stage: init-network
            |`->search-nocloud volume (found: /dev/vdb) @02.22500s +00.03100s
            |`->boothook-/var/lib/cloud/instances/i-1/boothooks/part-001 (done) @02.54000s +00.31000s
            |`->config-mounts (nothing to do) @02.54000s +00.00000s
            |`->config-users (done) @02.63600s +00.09500s
            Finished stage: (init-network) 00.45000 seconds

            Starting stage: modules-final
            |`->config-scripts_user (failed) @66.25400s +61.26300s: run <a> & "b": it ended with exit status: 1
            |`->script-/var/lib/cloud/instances/i-1/scripts/part-002 (done) @66.24100s +61.25000s
            |`->script-/var/lib/cloud/instances/i-1/scripts/runcmd (failed) @66.25300s +00.01200s: run <a> & "b": it ended with exit status: 1
            Finished stage: (modules-final) 61.27000 seconds

            Total Time: 61.72600 seconds

            1 boot records analyzed
        "#]].assert_eq(&text(&recorded()));
    }

    #[test]
    fn a_stage_that_has_not_ended_is_no_finished_one() {
        let mut entries = recorded();
        entries.retain(|entry| entry.kind != Kind::Stage);
        let text = text(&entries);
        assert!(text.contains("Stage without an end: (modules-final)"), "{text}");
        assert!(!text.contains("Finished stage"), "{text}");
    }
}

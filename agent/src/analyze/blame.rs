//! `analyze blame`: each piece of work, the longest first, in cloud-init's format.

use super::{seconds, shown, shown_stage};
use crate::trace::{Kind, TraceEntry};

/// The list.
pub(super) fn text(entries: &[TraceEntry]) -> String {
    let mut work: Vec<_> = entries.iter().filter(|entry| entry.kind != Kind::Stage).collect();
    // Those that took as long stay in their order.
    work.sort_by_key(|entry| std::cmp::Reverse(entry.took));
    let line = |entry: &TraceEntry| {
        format!("     {}s ({}/{})\n", seconds(entry.took), shown_stage(&entry.stage), shown(entry))
    };
    let lines: String = work.into_iter().map(line).collect();
    format!("-- Boot Record 01 --\n{lines}\n1 boot records analyzed\n")
}

#[cfg(test)]
mod tests {
    use super::super::testing::recorded;
    use super::*;
    use expect_test::expect;

    #[test]
    fn what_took_longest_is_first() {
        expect![[r"
            -- Boot Record 01 --
                 61.26300s (modules-final/config-scripts_user)
                 61.25000s (modules-final/script-/var/lib/cloud/instances/i-1/scripts/part-002)
                 00.31000s (init-network/boothook-/var/lib/cloud/instances/i-1/boothooks/part-001)
                 00.09500s (init-network/config-users)
                 00.03100s (init-network/search-nocloud volume)
                 00.01200s (modules-final/script-/var/lib/cloud/instances/i-1/scripts/runcmd)
                 00.00000s (init-network/config-mounts)

            1 boot records analyzed
        "]]
        .assert_eq(&text(&recorded()));
    }
}

//! `status`: what was booted and why, where the original root is, and what comes next.

use super::facts::RescueFacts;
use super::mounts::Access;
use super::next;
use super::record::{Boot, Original};
use std::fmt::Write as _;

/// In a rescue boot.
pub(crate) fn text(facts: &RescueFacts, marker: Option<&str>) -> String {
    let record = &facts.record;
    let original = match (&facts.original, &record.original) {
        (Ok(volume), _) if facts.identity.is_there() => volume.to_string(),
        (Ok(volume), _) => format!("{volume}, which is not there any more"),
        (Err(_), Original::Missing(name)) => format!("root={name}, which was not found"),
        (Err(_), _) => "unknown (no root= on the kernel command line)".into(),
    };
    let mut lines = vec![
        ("booted", format!("rescue volume {}", record.volume)),
        ("why", record.reason.clone()),
        ("original root", original),
    ];
    let mounted = facts.mounted();
    if mounted.is_empty() {
        lines.push(("mounted", "no".into()));
    }
    for mount in mounted {
        let how = match mount.access {
            Access::ReadOnly => "read-only",
            Access::Writable => "writable",
        };
        lines.push(("mounted", format!("at {}, {how}", mount.point)));
    }
    lines.push(("finished", marker.map_or("no".into(), |marker| format!("yes, /{marker} is there"))));
    lines.push(("next boot", next::boot(facts, marker)));
    let mut text = String::new();
    for (key, value) in lines {
        // Writing to a String cannot fail.
        writeln!(text, "{key}: {value}").unwrap_or_default();
    }
    text
}

/// In any other boot: what it is.
pub(crate) fn no_rescue(boot: &Boot) -> String {
    match boot {
        Boot::OwnRoot { reason } => {
            format!("this is no rescue boot: the machine's own root was booted, for {reason}")
        }
        _ => {
            "this is no rescue boot: lifeboat was not in the initramfs, or its `rescue` is off (there is no \
              /run/lifeboat/rescue)"
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rescue::facts::testing::facts;
    use crate::rescue::mounts::Identity;
    use crate::rescue::mounts::testing::mount;
    use expect_test::expect;

    #[test]
    fn all_that_an_admin_needs_is_said() {
        let mut facts = facts("ext4");
        expect![[r"
            booted: rescue volume /dev/vdb (ext4, UUID b)
            why: a rescue volume was attached when the machine started
            original root: /dev/vda (ext4, UUID a)
            mounted: no
            finished: no
            next boot: this rescue volume again (`lifeboat-agent rescue finish` ends that)
        "]]
        .assert_eq(&text(&facts, None));
        facts.mounts.push(mount("/dev/vda", "/mnt", "ext4", Access::ReadOnly));
        expect![[r"
            booted: rescue volume /dev/vdb (ext4, UUID b)
            why: a rescue volume was attached when the machine started
            original root: /dev/vda (ext4, UUID a)
            mounted: at /mnt, read-only
            finished: yes, /finished is there
            next boot: the machine's own root, /dev/vda (ext4, UUID a), if it can be mounted and holds an init; otherwise the machine waits for a rescue volume
        "]]
        .assert_eq(&text(&facts, Some("finished")));
    }

    #[test]
    fn a_root_that_is_not_there_is_said_to_be_missing() {
        let gone = RescueFacts { identity: Identity::default(), ..facts("ext4") };
        assert!(text(&gone, None).contains("(ext4, UUID a), which is not there any more\n"));
        let mut missing = RescueFacts { original: Err("x".into()), ..facts("ext4") };
        missing.record.original = Original::Missing("LABEL=x".into());
        assert!(text(&missing, None).contains("original root: root=LABEL=x, which was not found\n"));
        missing.record.original = Original::Unnamed;
        assert!(text(&missing, None).contains("original root: unknown (no root= "));
    }

    #[test]
    fn any_other_boot_is_told_with_its_reason() {
        let own = Boot::OwnRoot { reason: "no volume is labelled RESCUE".into() };
        assert!(
            no_rescue(&own).ends_with("the machine's own root was booted, for no volume is labelled RESCUE")
        );
        assert!(no_rescue(&Boot::Unknown).contains("there is no /run/lifeboat/rescue"));
    }
}

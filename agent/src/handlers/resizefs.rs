//! `resize_rootfs`: the root's file system grows to the end of its device, on each boot.

use super::HandlerFacts;
use super::growpart;
use crate::block::{disk_length, mounted_at, owns_its_disks, table};
use crate::plan::{HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;
use lifeboat_common::mounts::Access;

const ROOT: &str = "/";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let asked = facts.config.get("resize_rootfs").filter(|asked| **asked != Value::Null);
    // `noblock` is on: the kernel needs no time that anybody could wait for.
    let is_on = asked.is_none_or(|asked| asked.is_on() || asked.as_str() == Some("noblock"));
    if !is_on || !owns_its_disks(facts.machine)? {
        return Ok(plan);
    }
    let Some(root) = mounted_at(facts.machine, ROOT)? else { return Ok(plan) };
    let Some(superblock) = facts.machine.superblock(&root.device)? else {
        if asked.is_some() {
            plan.idle.push(format!("the root is {}, and nothing here grows that", root.kind));
        }
        return Ok(plan);
    };
    let length = disk_length(facts.machine, &root.device)?.unwrap_or_default();
    let has_room = length.saturating_sub(superblock.length) > table::SLACK;
    if !has_room && !growpart::grows(&root.device, facts)? {
        return Ok(plan);
    }
    if root.access == Access::ReadOnly {
        // Images with a root that stays read-only do not ask for it.
        if asked.is_some() {
            let size = superblock.length >> 20;
            plan.idle.push(format!("the root is read-only, so its file system stays at {size} MiB"));
        }
        return Ok(plan);
    }
    plan.push(Step::GrowFileSystem { point: ROOT.into(), device: root.device, kind: root.kind });
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const RW: (&str, &str) = ("proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/root rw\n");
    const NUMBER: (&str, &str) = ("sys/dev/block/8:1", "-> ../../devices/pci0/block/vda/vda1");
    /// 100 MiB.
    const SIZE: (&str, &str) = ("sys/class/block/vda1/size", "204800\n");
    const SMALL: (&str, &str) = ("ext4/vda1", "52428800");

    #[test]
    fn a_smaller_file_system_grows() {
        for config in ["a: b", "resize_rootfs: true", "resize_rootfs: noblock", "resize_rootfs: null"] {
            check_on(
                &[RW, NUMBER, SIZE, SMALL],
                plan,
                config,
                "",
                expect![[r"
                grow the ext4 on / to the end of /dev/vda1
            "]],
            );
        }
    }

    #[test]
    fn one_that_fills_its_device_or_is_not_to_grow_does_not() {
        let full = ("ext4/vda1", "104000000");
        check_on(&[RW, NUMBER, SIZE, full], plan, "a: b", "", expect![[""]]);
        check_on(&[RW, NUMBER, SIZE, SMALL], plan, "resize_rootfs: false", "", expect![[""]]);
        check_on(&[RW, NUMBER, SIZE, SMALL, ("run/systemd/container", "")], plan, "a: b", "", expect![[""]]);
        check_on(&[RW, NUMBER, SIZE], plan, "a: b", "", expect![[""]]);
        check_on(&[], plan, "a: b", "", expect![[""]]);
        check_on(
            &[RW, NUMBER, SIZE],
            plan,
            "resize_rootfs: true",
            "",
            expect![[r"
            problem: the root is ext4, and nothing here grows that
        "]],
        );
        let read_only = ("proc/self/mountinfo", "20 1 8:1 / / ro - ext4 /dev/root rw\n");
        check_on(&[read_only, NUMBER, SIZE, SMALL], plan, "a: b", "", expect![[""]]);
        check_on(
            &[read_only, NUMBER, SIZE, SMALL],
            plan,
            "resize_rootfs: true",
            "",
            expect![[r"
            problem: the root is read-only, so its file system stays at 50 MiB
        "]],
        );
    }

    #[test]
    fn it_grows_with_its_partition() {
        let part = [
            RW,
            NUMBER,
            SIZE,
            ("ext4/vda1", "104857600"),
            ("sys/class/block/vda1", "-> ../../devices/pci0/block/vda/vda1"),
            ("sys/class/block/vda/size", "409600"),
            ("sys/class/block/vda/vda1/partition", "1"),
            ("sys/class/block/vda/vda1/start", "2048"),
            ("sys/class/block/vda/vda1/size", "204800"),
        ];
        check_on(
            &part,
            plan,
            "a: b",
            "",
            expect![[r"
            grow the ext4 on / to the end of /dev/vda1
        "]],
        );
        check_on(&part, plan, "growpart: {mode: 'off'}", "", expect![[""]]);
    }
}

//! `growpart`: partitions grow to the end of their disk, on each boot. Without the key, the root's does.

use super::HandlerFacts;
use crate::block::{CLASS, Part, kernel_name, mounted_at, owns_its_disks, table};
use crate::machine::Machine;
use crate::plan::{HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// The image's word that nothing grows.
const DISABLED: &str = "etc/growroot-disabled";

/// Devices that are mapped on others: the beginning of the UUID, and why the device does not grow.
const MAPPED: [(&str, &str); 2] = [
    ("LVM-", "it is a volume of LVM: name its partition here, and call pvresize and lvextend in runcmd"),
    ("CRYPT-", "it is encrypted, and cryptsetup resize wants its key"),
];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let asked = match facts.config.get("growpart") {
        None | Some(Value::Null) => None,
        Some(Value::Map(asked)) => Some(asked),
        Some(other) => {
            plan.problem(format!("it is {} and no mapping", other.kind()));
            return Ok(plan);
        }
    };
    if !is_on(asked, &mut plan) || is_disabled(asked, facts)? {
        return Ok(plan);
    }
    for device in devices(asked, &mut plan) {
        match part(&device, facts.machine)? {
            Ok(part)
                if part.limit(facts.machine)?.saturating_sub(part.start + part.length) > table::SLACK =>
            {
                plan.push(Step::Grow(part));
            }
            // The root need not be on a partition: nobody asked.
            Err(told) if asked.is_some() => plan.idle.push(format!("{}: {told}", device.escape_debug())),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(plan)
}

fn is_on(asked: Option<&Mapping>, plan: &mut HandlerPlan) -> bool {
    match asked.and_then(|asked| asked.get("mode")) {
        None | Some(Value::Null) => true,
        Some(Value::Bool(false)) => false,
        Some(Value::Str(mode)) => match mode.as_str() {
            "auto" | "growpart" => true,
            "off" | "false" | "0" | "no" => false,
            "gpart" | "growfs" => {
                plan.problem(format!("mode: `{mode}` is for another system (auto grows partitions here)"));
                false
            }
            _ => {
                plan.problem(format!("mode: `{}` is neither auto nor off", mode.escape_debug()));
                false
            }
        },
        Some(other) => {
            plan.problem(format!("mode: it is {} and neither auto nor off", other.kind()));
            false
        }
    }
}

fn is_disabled(asked: Option<&Mapping>, facts: &HandlerFacts<'_>) -> Result<bool> {
    let ignored = asked.and_then(|asked| asked.get("ignore_growroot_disabled")).is_some_and(Value::is_on);
    Ok((!ignored && facts.machine.holds(DISABLED)?) || !owns_its_disks(facts.machine)?)
}

fn devices(asked: Option<&Mapping>, plan: &mut HandlerPlan) -> Vec<String> {
    match asked.and_then(|asked| asked.get("devices")) {
        None | Some(Value::Null) => vec!["/".to_owned()],
        Some(Value::Str(device)) => vec![device.clone()],
        Some(Value::Seq(given)) => {
            let mut texts = Vec::new();
            for (number, device) in given.iter().enumerate() {
                match device.as_str() {
                    Some(device) => texts.push(device.to_owned()),
                    None => plan.problem(format!(
                        "devices: entry {}: it is {} and no text",
                        number + 1,
                        device.kind()
                    )),
                }
            }
            texts
        }
        Some(other) => {
            plan.problem(format!("devices: it is {} and no list", other.kind()));
            Vec::new()
        }
    }
}

/// The partition of a device or a mount point, or why it is none that can grow.
fn part(device: &str, machine: &dyn Machine) -> Result<Result<Part, String>> {
    let name = if device.starts_with("/dev/") {
        match kernel_name(machine, device)? {
            Some(name) => name,
            None => return Ok(Err("there is no such device".into())),
        }
    } else {
        match mounted_at(machine, device)? {
            Some(mounted) => mounted.device,
            None => return Ok(Err("nothing with a device of its own is mounted there".into())),
        }
    };
    if let Some(uuid) = machine.text(&format!("{CLASS}/{name}/dm/uuid"))? {
        let why = MAPPED.iter().find(|(kind, _)| uuid.starts_with(kind));
        return Ok(Err(why.map_or("it is mapped on another device", |(_, why)| why).into()));
    }
    Ok(Part::read(machine, &name)?.ok_or_else(|| format!("/dev/{name} is no partition")))
}

/// True if the partition that a device is will grow. It has grown already where this handler ran before.
pub(super) fn grows(device: &str, facts: &HandlerFacts<'_>) -> Result<bool> {
    let grows = |step: &Step| matches!(step, Step::Grow(part) if part.name == device);
    Ok(plan(facts)?.steps.iter().any(grows))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const ROOT: (&str, &str) = ("proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/root rw\n");
    const NUMBER: (&str, &str) = ("sys/dev/block/8:1", "-> ../../devices/pci0/block/vda/vda1");

    /// A disk of 100 MiB; the root's partition begins at 1 MiB, and its size is in sectors.
    fn machine<'a>(size: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut files = vec![
            ROOT,
            NUMBER,
            ("sys/class/block/vda1", "-> ../../devices/pci0/block/vda/vda1"),
            ("sys/class/block/vda1/partition", "1\n"),
            ("sys/class/block/vda/size", "204800\n"),
            ("sys/class/block/vda/vda1/partition", "1\n"),
            ("sys/class/block/vda/vda1/start", "2048\n"),
            ("sys/class/block/vda/vda1/size", size),
        ];
        files.extend(more);
        files
    }

    #[test]
    fn the_roots_partition_grows_without_being_asked_for() {
        let grows = || {
            expect![[r"
            grow /dev/vda1, partition 1 of /dev/vda, from 49 MiB to the end of its room
        "]]
        };
        for config in [
            "a: b",
            "growpart: null",
            "growpart: {}",
            "growpart: {mode: auto, devices: [/]}",
            "growpart: {mode: growpart, devices: [/dev/vda1]}",
        ] {
            check_on(&machine("100352", &[]), plan, config, "", grows());
        }
        let before = ("sys/class/block/vda/vda14/start", "34\n");
        check_on(&machine("100352", &[before]), plan, "a: b", "", grows());
    }

    #[test]
    fn what_is_grown_or_has_no_room_or_is_not_to_grow_is_left_alone() {
        // 2 MiB short of the end.
        check_on(&machine("198656", &[]), plan, "a: b", "", expect![[""]]);
        let behind = ("sys/class/block/vda/vda2/start", "102400\n");
        check_on(&machine("100352", &[behind]), plan, "a: b", "", expect![[""]]);
        let disabled = ("etc/growroot-disabled", "");
        check_on(&machine("100352", &[disabled]), plan, "a: b", "", expect![[""]]);
        let container = ("run/systemd/container", "lxc");
        check_on(&machine("100352", &[container]), plan, "a: b", "", expect![[""]]);
        for config in ["{mode: off}", "{mode: 'off'}", "{mode: false}", "{devices: []}"] {
            check_on(&machine("100352", &[]), plan, &format!("growpart: {config}"), "", expect![[""]]);
        }
        check_on(&[], plan, "a: b", "", expect![[""]]);
        check_on(
            &machine("100352", &[disabled]),
            plan,
            "growpart: {ignore_growroot_disabled: true}",
            "",
            expect![[r"
                grow /dev/vda1, partition 1 of /dev/vda, from 49 MiB to the end of its room
            "]],
        );
    }

    #[test]
    fn what_cannot_grow_is_told_where_it_was_asked_for() {
        let mapped = |uuid| {
            [
                ROOT,
                ("sys/dev/block/8:1", "-> ../../devices/virtual/block/dm-0"),
                ("sys/class/block/dm-0/dm/uuid", uuid),
            ]
        };
        check_on(&mapped("LVM-abc\n"), plan, "a: b", "", expect![[""]]);
        let asked = "growpart: {mode: auto}";
        check_on(
            &mapped("LVM-abc\n"),
            plan,
            asked,
            "",
            expect![[r"
            problem: /: it is a volume of LVM: name its partition here, and call pvresize and lvextend in runcmd
        "]],
        );
        check_on(
            &mapped("CRYPT-LUKS2-a\n"),
            plan,
            asked,
            "",
            expect![[r"
            problem: /: it is encrypted, and cryptsetup resize wants its key
        "]],
        );
        check_on(
            &machine("100352", &[("sys/class/block/vdb/size", "8")]),
            plan,
            "growpart: {devices: [/dev/vdb, /dev/none, /srv, 5, /dev/vda1]}",
            "",
            expect![[r"
                grow /dev/vda1, partition 1 of /dev/vda, from 49 MiB to the end of its room
                problem: devices: entry 4: it is a number and no text
                problem: /dev/vdb: /dev/vdb is no partition
                problem: /dev/none: there is no such device
                problem: /srv: nothing with a device of its own is mounted there
            "]],
        );
        check_on(
            &machine("1", &[]),
            plan,
            "growpart: {mode: gpart}",
            "",
            expect![[r"
            problem: mode: `gpart` is for another system (auto grows partitions here)
        "]],
        );
        check_on(
            &machine("1", &[]),
            plan,
            "growpart: {mode: maybe}",
            "",
            expect![[r"
            problem: mode: `maybe` is neither auto nor off
        "]],
        );
        check_on(
            &machine("1", &[]),
            plan,
            "growpart: [a]",
            "",
            expect![[r"
            problem: it is a list and no mapping
        "]],
        );
    }
}

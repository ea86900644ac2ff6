//! `mounts`, `mount_default_fields` and `swap`: lines of /etc/fstab, swap files, and what is mounted at once.

mod fstab;
mod size;
mod swap;

use super::HandlerFacts;
use super::commands::list;
use crate::block::{Found, Names};
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;
use fstab::{Fstab, Line};
use lifeboat_common::mounts::{self, MOUNTINFO};

const FSTAB: &str = "etc/fstab";

/// The fields of a line where nobody says otherwise. `nofail`: a disk that is gone must not hold up the boot.
const DEFAULTS: [Option<&str>; 6] = [
    None,
    None,
    Some("auto"),
    Some("defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev"),
    Some("0"),
    Some("2"),
];

/// The entries that are made without being asked for, where the cloud has such a device.
const OF_CLOUD: [[Option<&str>; 6]; 2] = [
    [Some("ephemeral0"), Some("/mnt"), DEFAULTS[2], DEFAULTS[3], DEFAULTS[4], DEFAULTS[5]],
    [Some("swap"), Some("none"), Some("swap"), Some("sw"), Some("0"), Some("0")],
];

/// The columns' names in messages.
const COLUMNS: [&str; 6] = ["device", "mount point", "type", "options", "dump field", "check field"];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let names = Names::new(facts.config, facts.meta_data, facts.machine);
    let defaults = defaults(facts, &mut plan);
    let entries = list(facts.config, "mounts").unwrap_or_else(|error| {
        plan.problem(format!("mounts: {error}"));
        &[]
    });
    let mut lines = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        match asked(entry, &defaults, &names)? {
            Asked::Line(line) => lines.push(line),
            Asked::Nothing(told) => plan.idle.push(format!("mounts: entry {}: {told}", number + 1)),
            Asked::Bad(told) => plan.problem(format!("mounts: entry {}: {told}", number + 1)),
        }
    }
    let there = facts.machine.text(FSTAB)?.unwrap_or_default();
    let before = Fstab::read(&there);
    for line in OF_CLOUD {
        let [Some(name), ..] = line else { continue };
        if let Found::Device(device) = names.to_mount(name)?
            && !before.has_device(&device)
            && !lines.iter().any(|line| line.device == device)
        {
            let mut line = line.map(|field| field.map(str::to_owned));
            line[0] = Some(device);
            lines.extend(Line::new(line));
        }
    }
    let lines = without_revoked(lines);
    let swap = swap::plan(facts, &mut plan)?;
    let is_asked = !entries.is_empty() || !lines.is_empty();
    let after = before.with(is_asked.then_some(lines.as_slice()));
    let points: Vec<&str> = lines.iter().filter_map(Line::point).filter(|at| at.starts_with('/')).collect();
    let table = mounts::parse(&facts.machine.text(MOUNTINFO)?.unwrap_or_default());
    let is_changed = after != before.text();
    if is_changed {
        plan.push(Step::Write(File::new(&format!("/{FSTAB}"), after, 0o644)));
    }
    let missing = |point: &&&str| mounts::at(point.trim_end_matches('/'), &table).is_none();
    for point in points.iter().filter(missing) {
        plan.push(Step::Directory((*point).to_owned()));
    }
    if is_changed && facts.machine.has_program("systemctl")? {
        // Before anything is mounted: with the old table, systemd would unmount it again.
        plan.push(Step::run(&["systemctl", "daemon-reload"]));
    }
    if is_changed || points.iter().any(|point| missing(&point)) {
        plan.push(Step::run(&["mount", "-a"]));
    }
    if is_changed && lines.iter().any(|line| line.kind() == "swap") {
        plan.push(Step::run(&["swapon", "-a"]));
    }
    plan.steps.extend(swap);
    Ok(plan)
}

/// The result of reading an entry.
enum Asked {
    Line(Line),
    Nothing(String),
    Bad(String),
}

/// `mount_default_fields`, or the built-in ones.
fn defaults(facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Vec<Option<String>> {
    let own = || DEFAULTS.iter().map(|field| field.map(str::to_owned)).collect();
    match facts.config.get("mount_default_fields") {
        None | Some(Value::Null) => own(),
        Some(Value::Seq(fields)) if fields.len() == DEFAULTS.len() => {
            fields.iter().map(Value::scalar_text).collect()
        }
        Some(_) => {
            plan.problem("mount_default_fields: it is no list of six fields (the built-in ones are taken)");
            own()
        }
    }
}

fn asked(entry: &Value, defaults: &[Option<String>], names: &Names<'_>) -> Result<Asked> {
    let Value::Seq(given) = entry else {
        return Ok(Asked::Bad(format!("it is {} and no list of fields", entry.kind())));
    };
    let Some(name) = given.first().and_then(Value::scalar_text).filter(|name| !name.is_empty()) else {
        return Ok(Asked::Bad("it names no device".into()));
    };
    if given.len() > DEFAULTS.len() {
        return Ok(Asked::Bad(format!("it has {} fields, and a line of fstab has six", given.len())));
    }
    let mut fields = [const { None }; 6];
    let columns = fields.iter_mut().zip(COLUMNS).zip(defaults).enumerate();
    for (number, ((field, column), default)) in columns {
        *field = match given.get(number) {
            None | Some(Value::Null) => default.clone(),
            Some(value) => match value.scalar_text() {
                Some(text) => Some(text),
                None => return Ok(Asked::Bad(format!("its {column} is {} and no text", value.kind()))),
            },
        };
        let is_path = number < 2;
        let text = field.as_deref().unwrap_or_default();
        let is_bad = (field.is_some() && text.is_empty()) || (!is_path && text.contains(char::is_whitespace));
        if is_bad {
            return Ok(Asked::Bad(format!("its {column} `{}` is no field of fstab", text.escape_debug())));
        }
        if !is_path && field.is_none() {
            return Ok(Asked::Bad(format!("it has no {column}, and mount_default_fields has none")));
        }
    }
    fields[0] = Some(match names.to_mount(&name)? {
        Found::Device(path) => path,
        // A line with such a name could never be mounted.
        Found::Missing if fields[1].is_some() => {
            return Ok(Asked::Nothing(format!("this machine has no device `{}`", name.escape_debug())));
        }
        Found::Other | Found::Missing => name,
    });
    Ok(Line::new(fields).map_or_else(|| Asked::Bad("it names no device".into()), Asked::Line))
}

/// A line without a mount point takes back the lines of its device before it, and itself.
fn without_revoked(lines: Vec<Line>) -> Vec<Line> {
    let mut revoked: Vec<String> = Vec::new();
    let mut kept = Vec::new();
    for line in lines.into_iter().rev() {
        if line.point().is_none() {
            revoked.push(line.device);
        } else if !revoked.contains(&line.device) {
            kept.push(line);
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests;

//! `diff`: the changes of an instance's user-data since its first boot, and what was done about them.

use super::record::PartsRecord;
use super::{APPLIED, OFFERED, Policy, STORED};
use crate::handlers;
use crate::instance::{Frequency, Instance};
use crate::root::Root;
use crate::user_data::{self, Effect, Part};
use crate::yaml::Mapping;
use anyhow::{Context, Result};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

/// In words.
pub(crate) fn diff(root: &Root) -> Result<String> {
    let instance = Instance::current(root)?.context("there is no instance yet")?;
    let read = |name: &str| -> Result<Option<Vec<Part>>> {
        let stored = root.read(&instance.path(name))?;
        Ok(stored.map(|stored| user_data::from_mime(&stored, "user-data")))
    };
    let record = PartsRecord::read(&instance, root)?;
    let stored = read(STORED)?.unwrap_or_default();
    let (applied, offered) = (read(APPLIED)?, read(OFFERED)?);
    if applied.is_none() && offered.is_none() {
        return Ok(format!("the user-data of instance {} is as it was when it was new\n", instance.id));
    }
    let policy = record.and_then(|record| record.policy).unwrap_or(Policy::Refresh);
    let head = format!("the user-data of instance {} has changed (policy: {})\n", instance.id, policy.word());
    let taken = if offered.is_some() { Taken::No } else { Taken::Yes };
    let (before, after) = (applied.unwrap_or_else(|| stored.clone()), offered.unwrap_or(stored));
    Ok(head + &text(&compare(before, after), taken))
}

/// The state of changes: taken over or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    Yes,
    No,
}

/// One changed part.
#[derive(PartialEq, Eq, Debug)]
enum Change {
    New(Part),
    Gone(Part),
    Other(Part, Part),
}

/// Pairs parts by their digests, and the others by their names.
fn compare(before: Vec<Part>, after: Vec<Part>) -> Vec<Change> {
    let mut known: HashMap<String, usize> = HashMap::new();
    for part in &before {
        *known.entry(user_data::digest(part)).or_default() += 1;
    }
    // A part that is still there, perhaps elsewhere, is none of them; what is left of the digests is gone.
    let after: Vec<_> = after.into_iter().filter(|part| !take(&mut known, part)).collect();
    let mut by_name: HashMap<String, VecDeque<Part>> = HashMap::new();
    let mut order = Vec::new();
    for part in before.into_iter().filter(|part| take(&mut known, part)) {
        order.push(part.name.clone());
        by_name.entry(part.name.clone()).or_default().push_back(part);
    }
    let mut earlier = |name: &str| by_name.get_mut(name)?.pop_front();
    let mut changes: Vec<_> = after
        .into_iter()
        .map(|part| match earlier(&part.name) {
            Some(before) => Change::Other(before, part),
            None => Change::New(part),
        })
        .collect();
    changes.extend(order.iter().filter_map(|name| earlier(name)).map(Change::Gone));
    changes
}

/// Takes one off a digest's count. False if there was none.
fn take(known: &mut HashMap<String, usize>, part: &Part) -> bool {
    match known.get_mut(&user_data::digest(part)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    }
}

fn text(changes: &[Change], taken: Taken) -> String {
    let mut text = String::new();
    for change in changes {
        let (word, part) = match change {
            Change::New(part) => ("new", part),
            Change::Gone(part) => ("gone", part),
            Change::Other(_, part) => ("changed", part),
        };
        let became = match (change, taken) {
            (_, Taken::No) => "not taken",
            (Change::Gone(_), Taken::Yes) => "its file went with it",
            (_, Taken::Yes) => became(part),
        };
        // Writing to a String cannot fail.
        writeln!(
            text,
            "{word}: {} ({}): {became}",
            part.name.escape_debug(),
            part.content_type.escape_debug()
        )
        .unwrap_or_default();
        let (before, after) = match change {
            Change::New(part) => (None, Some(part)),
            Change::Gone(part) => (Some(part), None),
            Change::Other(before, after) => (Some(before), Some(after)),
        };
        if user_data::effect(part) == Effect::Configuration {
            keys(&mut text, before, after, taken);
        }
        lines(&mut text, before, after);
    }
    if changes.is_empty() {
        text.push_str("only the order of its parts has changed\n");
    }
    text
}

fn became(part: &Part) -> &'static str {
    match user_data::effect(part) {
        Effect::Configuration => "taken over",
        Effect::EachBoot => "run as it is now on each boot",
        Effect::Script => "stored, not run",
        Effect::Other => "taken over where it is used on each boot",
    }
}

/// The changed keys of a configuration.
fn keys(text: &mut String, before: Option<&Part>, after: Option<&Part>, taken: Taken) {
    let read = |part: Option<&Part>| -> Mapping {
        // A part that cannot be read is reported by `status`.
        part.and_then(|part| user_data::parse_config(&part.payload).ok()).unwrap_or_default()
    };
    let (before, after) = (read(before), read(after));
    let mut line = |key: &str, word: &str| {
        let became = match taken {
            Taken::No => "",
            Taken::Yes => done_again(key),
        };
        writeln!(text, "  {}: {word}{became}", key.escape_debug()).unwrap_or_default();
    };
    for (key, value) in after.iter() {
        let Some(name) = key.scalar_text() else { continue };
        match before.get_key(key) {
            None => line(&name, "new"),
            Some(old) if old != value => line(&name, "changed"),
            Some(_) => {}
        }
    }
    for (key, _) in before.iter().filter(|(key, _)| after.get_key(key).is_none()) {
        line(&key.scalar_text().unwrap_or_default(), "gone");
    }
}

/// The effect of a changed key.
fn done_again(key: &str) -> &'static str {
    let handler = handlers::of_key(key).next();
    match handler.map(|handler| handler.frequency) {
        _ if key == "runcmd" => " (stored, not run)",
        Some(Frequency::Boot) => " (done on each boot)",
        Some(Frequency::Instance | Frequency::Once) => " (not done again)",
        None => "",
    }
}

/// The changed lines: those between the equal lines at the beginning and at the end.
fn lines(text: &mut String, before: Option<&Part>, after: Option<&Part>) {
    let [before, after] = [before, after].map(|part| part.map(Part::text).unwrap_or_default());
    let (mut old, mut new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let same = |(one, other): &(&&str, &&str)| one == other;
    let start = old.iter().zip(&new).take_while(same).count();
    old.drain(..start);
    new.drain(..start);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    old.truncate(old.len() - end);
    new.truncate(new.len() - end);
    for (sign, lines) in [('-', old), ('+', new)] {
        for line in lines {
            writeln!(text, "  {sign} {}", line.escape_debug()).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn parts(archive: &str) -> Vec<Part> {
        let root = Root::open(std::path::Path::new("/")).unwrap();
        let includes = user_data::Includes::new(&root, None, user_data::IncludeReach::Nothing);
        let data = format!("#cloud-config-archive\n{archive}");
        user_data::expand([("user-data", data.as_bytes())], &includes).for_all().all
    }

    fn check(before: &str, after: &str, taken: Taken, expected: Expect) {
        expected.assert_eq(&text(&compare(parts(before), parts(after)), taken));
    }

    const CONFIG: &str = "- \"#cloud-config\\nhostname: a\\nruncmd: [x]\\n\"\n";

    #[test]
    fn each_part_says_what_became_of_it() {
        check(
            &format!("{CONFIG}- \"#!/bin/sh\\nold\\nend\\n\"\n- \"#cloud-boothook\\n#!/bin/sh\\n\"\n"),
            "- \"#cloud-config\\nhostname: b\\nbootcmd: [y]\\n\"\n- \"#!/bin/sh\\nnew\\nend\\n\"\n",
            Taken::Yes,
            expect![[r"
                changed: part-001 (text/cloud-config): taken over
                  hostname: changed (not done again)
                  bootcmd: new (done on each boot)
                  runcmd: gone (stored, not run)
                  - hostname: a
                  - runcmd: [x]
                  + hostname: b
                  + bootcmd: [y]
                changed: part-002 (text/x-shellscript): stored, not run
                  - old
                  + new
                gone: part-003 (text/cloud-boothook): its file went with it
                  - #cloud-boothook
                  - #!/bin/sh
            "]],
        );
    }

    #[test]
    fn a_part_that_only_moved_has_not_changed() {
        let script = "- \"#!/bin/sh\\n\"\n";
        check(
            &format!("{CONFIG}{script}"),
            &format!("{script}{CONFIG}"),
            Taken::Yes,
            expect![[r"
                only the order of its parts has changed
            "]],
        );
    }

    #[test]
    fn what_was_not_taken_says_nothing_of_what_became_of_it() {
        check(
            CONFIG,
            "- \"#cloud-config\\nhostname: b\\nruncmd: [x]\\n\"\n",
            Taken::No,
            expect![[r"
                changed: part-001 (text/cloud-config): not taken
                  hostname: changed
                  - hostname: a
                  + hostname: b
            "]],
        );
    }
}

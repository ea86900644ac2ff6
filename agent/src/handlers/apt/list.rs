//! The distribution's own sources.

use super::super::distribution;
use super::keys::{self, Trust};
use super::mirrors::Mirrors;
use super::one_source::is_deb822;
use crate::handlers::HandlerFacts;
use crate::plan::{File, HandlerPlan, Step};
use crate::template;
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result};

const LIST: &str = "etc/apt/sources.list";

/// Settings that have no effect where the image's sources stay.
const OF_LIST: [&str; 4] = ["primary", "security", "sources_list", "disable_suites"];

/// Replaces the distribution's sources, where that is asked for.
pub(super) fn plan(
    apt: &Mapping,
    mirrors: &Mirrors,
    names: &mut Mapping,
    facts: &HandlerFacts<'_>,
    plan: &mut HandlerPlan,
) -> Result<()> {
    let asked: Vec<_> =
        OF_LIST.into_iter().filter(|key| apt.get(key).is_some_and(|value| *value != Value::Null)).collect();
    let preserve = apt.get("preserve_sources_list");
    let distro = distribution::names(facts.machine)?.into_iter().next().unwrap_or_default();
    if apt.get("generate_mirrorlists").is_some_and(Value::is_on) {
        for (name, mirror) in [("", &mirrors.primary), ("-security", &mirrors.security)] {
            let path = format!("/etc/apt/mirrors/{distro}{name}.list");
            plan.push(Step::Write(File::new(&path, format!("{mirror}\n"), 0o644)));
        }
        return Ok(());
    }
    if preserve.is_some_and(Value::is_on) {
        // A mirror still has an effect through $MIRROR.
        let idle = asked.iter().filter(|key| ["sources_list", "disable_suites"].contains(key));
        for key in idle {
            plan.idle.push(format!("apt: {key}: preserve_sources_list keeps the sources as they are"));
        }
        return Ok(());
    }
    if asked.is_empty() && preserve.is_none() {
        return Ok(());
    }
    for kind in ["primary", "security"] {
        let entries = apt.get(kind).and_then(Value::as_seq).unwrap_or_default();
        for entry in entries.iter().filter_map(Value::as_map) {
            match keys::plan(entry, kind, Trust::ForAll) {
                Ok(Some((step, path))) => {
                    plan.push(step);
                    names.set(&format!("{kind}_key"), path.as_str());
                }
                Ok(None) => {}
                Err(error) => plan.problem(format!("apt: {kind}: {error:#}")),
            }
        }
    }
    let text = match apt.get("sources_list").and_then(Value::scalar_text).filter(|text| !text.is_empty()) {
        Some(own) => template::render(&own, names).context("apt: sources_list")?,
        None => of_distribution(&distro, mirrors, names, facts, plan)?,
    };
    let disabled = apt.get("disable_suites").and_then(Value::as_seq).unwrap_or_default();
    let disabled: Vec<String> = disabled
        .iter()
        .filter_map(Value::scalar_text)
        .map(|suite| full_name(&suite, &mirrors.codename))
        .collect();
    let deb822 = format!("etc/apt/sources.list.d/{distro}.sources");
    let (path, other) = if is_deb822(&text) { (deb822.as_str(), LIST) } else { (LIST, deb822.as_str()) };
    plan.push(Step::Write(File::new(&format!("/{path}"), without(&text, &disabled), 0o644)));
    // The image's own in the other format would bring its mirrors back.
    if facts.machine.holds(other)? {
        plan.push(Step::Remove(other.into()));
    }
    Ok(())
}

/// The text of the image's template, or ours where it has none.
fn of_distribution(
    distro: &str,
    mirrors: &Mirrors,
    names: &Mapping,
    facts: &HandlerFacts<'_>,
    plan: &mut HandlerPlan,
) -> Result<String> {
    for pattern in ["sources.list.NAME.deb822", "sources.list.NAME"] {
        let Some(text) = distribution::template(pattern, facts.machine)? else { continue };
        match template::render(&text, names) {
            Ok(text) => return Ok(text),
            Err(error) => plan.problem(format!("apt: the template {pattern}: {error:#}")),
        }
    }
    let key = |name: &str| names.get(name).and_then(Value::scalar_text);
    let keyring = format!("/usr/share/keyrings/{distro}-archive-keyring.gpg");
    let primary_key = key("primary_key").unwrap_or_else(|| keyring.clone());
    let security_key = key("security_key").or_else(|| key("primary_key")).unwrap_or(keyring);
    let components = if distro == "ubuntu" { "main restricted universe multiverse" } else { "main" };
    let Mirrors { primary, security, codename } = mirrors;
    Ok(format!(
        "Types: deb deb-src\nURIs: {primary}\nSuites: {codename} {codename}-updates {codename}-backports\n\
         Components: {components}\nSigned-By: {primary_key}\n\n\
         Types: deb deb-src\nURIs: {security}\nSuites: {codename}-security\n\
         Components: {components}\nSigned-By: {security_key}\n"
    ))
}

/// `updates` and the like stand for suites of the release.
fn full_name(suite: &str, codename: &str) -> String {
    match suite {
        "updates" | "backports" | "security" | "proposed" => format!("{codename}-{suite}"),
        "release" => codename.to_owned(),
        other => other.replace("${RELEASE}", codename).replace("$RELEASE", codename),
    }
}

/// The sources without some suites. In deb822, a stanza that has none left is switched off.
fn without(text: &str, disabled: &[String]) -> String {
    if disabled.is_empty() {
        return text.to_owned();
    }
    let is_deb822 = is_deb822(text);
    let lines = text.lines().map(|line| {
        if line.starts_with('#') {
            return format!("{line}\n");
        }
        if let (true, Some(suites)) = (is_deb822, line.strip_prefix("Suites:")) {
            let left: Vec<_> =
                suites.split_whitespace().filter(|suite| !disabled.iter().any(|off| off == suite)).collect();
            return match left.as_slice() {
                _ if left.len() == suites.split_whitespace().count() => format!("{line}\n"),
                [] => format!("Enabled: no\n{line}\n"),
                left => format!("# disable_suites made this of:{suites}\nSuites: {}\n", left.join(" ")),
            };
        }
        let of_line = if is_deb822 { None } else { super::signed_by::one_line(line) };
        match of_line {
            Some(entry) if entry.suites.iter().any(|suite| disabled.contains(suite)) => {
                format!("# suite disabled by disable_suites: {line}\n")
            }
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

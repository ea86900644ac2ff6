//! `apt`: settings, keys and sources.

mod keys;
mod list;
mod mirrors;
mod one_source;
mod settings;
mod signed_by;

pub(crate) use keys::dearmored;

use super::HandlerFacts;
use super::distribution;
use super::packages::tools;
use crate::plan::{File, HandlerPlan, PackageWork, Step};
use crate::yaml::{Mapping, Value};
use anyhow::{Result, bail};

const PROXIES: &str = "etc/apt/apt.conf.d/90cloud-init-aptproxy";
const CONF: &str = "etc/apt/apt.conf.d/94cloud-init-config";

/// The proxies by their keys. `proxy` is the first, as apt takes the last.
const PROXY_KEYS: [(&str, &str); 4] =
    [("proxy", "http"), ("http_proxy", "http"), ("ftp_proxy", "ftp"), ("https_proxy", "https")];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let apt = settings::read(facts.config, &mut plan)?;
    if apt.is_empty() {
        configure(&apt, facts, &mut plan)?;
        return Ok(plan);
    }
    if !facts.machine.holds("etc/apt")? && !facts.machine.has_program("apt-get")? {
        plan.idle.push(tools::NO_APT.into());
        return Ok(plan);
    }
    debconf(&apt, facts, &mut plan)?;
    configure(&apt, facts, &mut plan)?;
    fetch_gpg(&apt, facts, &mut plan)?;
    let mirrors = mirrors::Mirrors::choose(&apt, facts, &mut plan)?;
    let mut names = mirrors.names();
    list::plan(&apt, &mirrors, &mut names, facts, &mut plan)?;
    sources(&apt, &names, facts, &mut plan)?;
    Ok(plan)
}

/// Answers for debconf. A package that is installed has asked its questions already.
fn debconf(apt: &Mapping, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let mut sets = match apt.get("debconf_selections") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Map(sets)) => sets
            .iter()
            .map(|(name, text)| {
                (name.scalar_text().unwrap_or_default(), text.scalar_text().unwrap_or_default())
            })
            .collect::<Vec<_>>(),
        Some(other) => {
            plan.problem(format!("apt: debconf_selections: it is {} and no mapping", other.kind()));
            return Ok(());
        }
    };
    sets.sort();
    let texts: Vec<&str> = sets.iter().map(|(_, text)| text.trim_end_matches('\n')).collect();
    let text = texts.join("\n") + "\n";
    let mut named: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split([':', ' ', '\t']).next().filter(|name| !name.is_empty()))
        .collect();
    named.sort_unstable();
    named.dedup();
    for package in named {
        if facts.machine.holds(&format!("var/lib/dpkg/info/{package}.list"))? {
            plan.idle.push(format!(
                "apt: debconf_selections: {package} is installed already (dpkg-reconfigure takes the answers over)"
            ));
        }
    }
    plan.push(Step::Run { argv: vec!["debconf-set-selections".into()], input: Some(text) });
    Ok(())
}

/// Proxies and other settings. What an instance before this one had is taken away.
fn configure(apt: &Mapping, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let text = |key: &str| apt.get(key).and_then(Value::scalar_text).filter(|text| !text.trim().is_empty());
    let proxies: String = PROXY_KEYS
        .iter()
        .filter_map(|(key, scheme)| Some(format!("Acquire::{scheme}::Proxy \"{}\";\n", text(key)?)))
        .collect();
    for (path, content) in [(PROXIES, proxies), (CONF, text("conf").unwrap_or_default())] {
        if !content.is_empty() {
            plan.push(Step::Write(File::new(&format!("/{path}"), content, 0o644)));
        } else if facts.machine.holds(path)? {
            plan.push(Step::Remove(path.into()));
        }
    }
    Ok(())
}

/// gpg fetches keys by their id. It is not everywhere.
fn fetch_gpg(apt: &Mapping, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let of_mirrors = ["primary", "security"].into_iter().filter_map(|key| apt.get(key)?.as_seq()).flatten();
    let of_sources = apt.get("sources").and_then(Value::as_map).into_iter().flat_map(Mapping::iter);
    let mut entries = of_mirrors.chain(of_sources.map(|(_, entry)| entry)).filter_map(Value::as_map);
    if !entries.any(|entry| entry.get("keyid").is_some() && entry.get("key").is_none())
        || (facts.machine.has_program("gpg")? && facts.machine.has_program("dirmngr")?)
    {
        return Ok(());
    }
    if let Some(apt) = tools::apt(facts)? {
        apt.install(&["gnupg", "dirmngr"], plan);
    }
    Ok(())
}

/// The sources of others, each in a file of its own.
fn sources(apt: &Mapping, names: &Mapping, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let sources = match apt.get("sources") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Map(sources)) => sources,
        Some(other) => bail!("apt: sources: it is {} and no mapping", other.kind()),
    };
    let mut known = signed_by::Known::read(facts.machine)?;
    for (name, entry) in sources.iter() {
        let name = name.scalar_text().unwrap_or_default();
        let place = format!("apt: sources: {name}");
        match entry {
            Value::Map(entry) => {
                if let Err(error) = one_source::plan(&name, entry, names, &mut known, facts, plan) {
                    plan.problem(format!("{place}: {error:#}"));
                }
            }
            Value::Null => {}
            other => plan.problem(format!("{place}: it is {} and no mapping", other.kind())),
        }
    }
    if let Some(apt) = tools::apt(facts)? {
        plan.push(apt.step(PackageWork::Update));
    }
    Ok(())
}

/// The codename of the distribution's release.
fn codename(facts: &HandlerFacts<'_>) -> Result<String> {
    Ok(distribution::value("VERSION_CODENAME", facts.machine)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;

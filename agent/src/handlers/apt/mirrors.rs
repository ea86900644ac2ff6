//! Where the distribution's packages come from.

use super::super::{distribution, host_names};
use super::codename;
use crate::handlers::HandlerFacts;
use crate::plan::HandlerPlan;
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// The mirrors that were chosen.
pub(super) struct Mirrors {
    pub(super) primary: String,
    pub(super) security: String,
    pub(super) codename: String,
}

const UBUNTU: [&str; 2] = ["http://archive.ubuntu.com/ubuntu/", "http://security.ubuntu.com/ubuntu/"];
const UBUNTU_PORTS: [&str; 2] = ["http://ports.ubuntu.com/ubuntu-ports"; 2];
const DEBIAN: [&str; 2] = ["https://deb.debian.org/debian", "https://deb.debian.org/debian-security"];

impl Mirrors {
    /// Chooses them: as the user says, then as the image does, then the distribution's own.
    pub(super) fn choose(apt: &Mapping, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<Self> {
        let arch = architecture();
        let primary = of_kind(apt, "primary", arch, facts, plan)?;
        let security = of_kind(apt, "security", arch, facts, plan)?;
        let codename = codename(facts)?;
        if let Some(primary) = primary {
            let security = security.unwrap_or_else(|| primary.clone());
            return Ok(Self { primary, security, codename });
        }
        let [default, default_security] = of_image(arch, facts).unwrap_or(defaults(arch, facts)?);
        Ok(Self { primary: default, security: security.unwrap_or(default_security), codename })
    }

    /// The variables of templates.
    pub(super) fn names(&self) -> Mapping {
        let mut names = Mapping::default();
        for (name, value) in [
            ("RELEASE", &self.codename),
            ("codename", &self.codename),
            ("MIRROR", &self.primary),
            ("mirror", &self.primary),
            ("PRIMARY", &self.primary),
            ("primary", &self.primary),
            ("SECURITY", &self.security),
            ("security", &self.security),
        ] {
            names.set(name, value.as_str());
        }
        names
    }
}

/// Debian's name of the architecture.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "i386",
        "aarch64" => "arm64",
        "arm" => "armhf",
        "powerpc64" => "ppc64el",
        other => other,
    }
}

/// The mirror that the user chooses.
fn of_kind(
    apt: &Mapping,
    kind: &str,
    arch: &str,
    facts: &HandlerFacts<'_>,
    plan: &mut HandlerPlan,
) -> Result<Option<String>> {
    let entries = match apt.get(kind) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Seq(entries)) => entries,
        Some(other) => {
            plan.problem(format!("apt: {kind}: it is {} and no list", other.kind()));
            return Ok(None);
        }
    };
    let for_arch = |wanted: &str| {
        entries.iter().filter_map(Value::as_map).find(|entry| {
            let arches = entry.get("arches").and_then(Value::as_seq).unwrap_or_default();
            arches.iter().any(|arch| arch.as_str() == Some(wanted))
        })
    };
    let Some(entry) = for_arch(arch).or_else(|| for_arch("default")) else {
        plan.problem(format!("apt: {kind}: no entry has the arches {arch} or default"));
        return Ok(None);
    };
    if let Some(uri) = entry.get("uri").and_then(Value::scalar_text) {
        return Ok(Some(uri));
    }
    let search = entry.get("search").and_then(Value::as_seq).unwrap_or_default();
    let mut candidates: Vec<String> = search.iter().filter_map(Value::scalar_text).collect();
    if entry.get("search_dns").is_some_and(Value::is_on) {
        candidates.extend(in_dns(kind, facts)?);
    }
    for candidate in &candidates {
        if facts.machine.resolves(host(candidate))? {
            return Ok(Some(candidate.clone()));
        }
    }
    if !candidates.is_empty() {
        plan.idle.push(format!("apt: {kind}: no host of these is known: {}", candidates.join(", ")));
    }
    Ok(None)
}

/// The mirrors that a network may have under a known name.
fn in_dns(kind: &str, facts: &HandlerFacts<'_>) -> Result<Vec<String>> {
    let distro = distribution::names(facts.machine)?.into_iter().next().unwrap_or_default();
    let mirror = if kind == "primary" { "mirror" } else { "security-mirror" };
    let full = host_names::known(facts)?.map(|names| names.full).unwrap_or_default();
    let domain = full.split_once('.').map(|(_, domain)| format!(".{domain}"));
    let domains = domain.into_iter().chain([".localdomain".to_owned(), String::new()]);
    Ok(domains.map(|domain| format!("http://{distro}-{mirror}{domain}/{distro}")).collect())
}

/// The name or address in a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

/// The mirrors that the image falls back to.
fn of_image(arch: &str, facts: &HandlerFacts<'_>) -> Option<[String; 2]> {
    let info = facts.config.get("system_info")?.as_map()?;
    let entries = info.get("package_mirrors")?.as_seq()?;
    let for_arch = |wanted: &str| {
        entries.iter().filter_map(Value::as_map).find(|entry| {
            let arches = entry.get("arches").and_then(Value::as_seq).unwrap_or_default();
            arches.iter().any(|arch| arch.as_str() == Some(wanted))
        })
    };
    let failsafe = for_arch(arch).or_else(|| for_arch("default"))?.get("failsafe")?.as_map()?;
    let text = |key: &str| failsafe.get(key).and_then(Value::scalar_text);
    let primary = text("primary")?;
    Some([primary.clone(), text("security").unwrap_or(primary)])
}

fn defaults(arch: &str, facts: &HandlerFacts<'_>) -> Result<[String; 2]> {
    let own = distribution::names(facts.machine)?;
    let is_ubuntu = own.iter().any(|name| name == "ubuntu");
    let mirrors = match arch {
        "amd64" | "i386" if is_ubuntu => UBUNTU,
        _ if is_ubuntu => UBUNTU_PORTS,
        _ => DEBIAN,
    };
    Ok(mirrors.map(str::to_owned))
}

//! The machine's names: from its user, from meta-data, or those it has already.

use super::HandlerFacts;
use crate::yaml::Value;
use anyhow::{Result, bail};

/// The names of a machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HostNames {
    /// The name without its domain, unless the user gave another.
    pub(super) host: String,
    /// The name with its domain, as far as one is known.
    pub(super) full: String,
    /// The name that becomes the system's.
    pub(super) chosen: String,
}

/// Where the system keeps its name.
pub(super) const FILE: &str = "etc/hostname";

const HOSTS: &str = "etc/hosts";

/// The names that the user or meta-data gives; `None` where nobody does.
pub(super) fn given(facts: &HandlerFacts<'_>) -> Result<Option<HostNames>> {
    let text = |key: &str| facts.config.get(key).and_then(Value::scalar_text).filter(|text| !text.is_empty());
    let (fqdn, hostname) = (text("fqdn"), text("hostname"));
    let platform = of_platform(facts);
    let (host, full) = match (fqdn, hostname) {
        (Some(fqdn), Some(hostname)) => (hostname, fqdn),
        (Some(full), None) => (first_label(&full), full),
        (None, Some(full)) if full.find('.').is_some_and(|at| at > 0) => (first_label(&full), full),
        (None, Some(host)) => {
            check(&host)?;
            let full = match platform {
                // A domain of the platform's makes it a full name; without one, it is what it is.
                Some((_, full)) if full.contains('.') => full,
                _ => in_hosts(&host, facts)?.unwrap_or_else(|| host.clone()),
            };
            return Ok(Some(HostNames { chosen: host.clone(), host, full }));
        }
        (None, None) => match platform {
            Some(names) => names,
            None => return Ok(None),
        },
    };
    check(&host)?;
    check(&full)?;
    let is_long = facts.config.get("prefer_fqdn_over_hostname").is_some_and(Value::is_on);
    let chosen = if is_long { full.clone() } else { host.clone() };
    Ok(Some(HostNames { host, full, chosen }))
}

/// The same, or the names that the machine has.
pub(super) fn known(facts: &HandlerFacts<'_>) -> Result<Option<HostNames>> {
    if let Some(names) = given(facts)? {
        return Ok(Some(names));
    }
    let Some(own) = in_file(FILE, facts)? else { return Ok(None) };
    let full = in_hosts(&own, facts)?.unwrap_or_else(|| own.clone());
    Ok(Some(HostNames { host: first_label(&full), chosen: own, full }))
}

/// The names that meta-data gives: without and with its domain. An address is no name, and becomes one.
pub(super) fn of_platform(facts: &HandlerFacts<'_>) -> Option<(String, String)> {
    let name = facts.meta_data.host_name()?;
    let full = name.strip_suffix(".localdomain").unwrap_or(&name).to_owned();
    Some((first_label(&name), full))
}

/// The first name in a file that may have comments.
pub(super) fn in_file(path: &str, facts: &HandlerFacts<'_>) -> Result<Option<String>> {
    let text = facts.machine.text(path)?.unwrap_or_default();
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.find(|line| !line.is_empty()).map(str::to_owned))
}

/// The full name under which /etc/hosts has a host.
fn in_hosts(host: &str, facts: &HandlerFacts<'_>) -> Result<Option<String>> {
    let text = facts.machine.text(HOSTS)?.unwrap_or_default();
    let full = text.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace().skip(1);
        let full = words.next()?;
        (full.contains('.') && words.any(|word| word == host)).then_some(full)
    });
    Ok(full.map(str::to_owned))
}

fn first_label(name: &str) -> String {
    name.split('.').next().unwrap_or_default().to_owned()
}

fn check(name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        bail!("`{}` is no host name (letters, digits, `-`, `.` and `_`, at most 64)", name.escape_debug());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::machine::Paper;
    use crate::plan::HandlerPlan;

    /// The names as a plan's only problem: host, full and chosen.
    fn names(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
        let names = known(facts)?;
        let text = names.map(|names| format!("{} {} {}", names.host, names.full, names.chosen));
        Ok(HandlerPlan { problems: vec![text.unwrap_or_default()], ..HandlerPlan::default() })
    }

    fn check(files: &[(&str, &str)], config: &str, meta: &str, expected: &str) {
        let plan = testing::plan_on(&Paper(files), names, config, meta);
        assert_eq!(plan.problems, [expected], "{config} {meta}");
    }

    /// Names come as from cloud-init 26.2's `get_hostname_fqdn` (read in its source).
    #[test]
    fn names_come_from_the_user_then_meta_data_then_the_machine() {
        let meta = "local-hostname: meta.example.org";
        for (config, meta, expected) in [
            ("a: b", meta, "meta meta.example.org meta"),
            ("a: b", "local-hostname: 10.0.0.1", "ip-10-0-0-1 ip-10-0-0-1 ip-10-0-0-1"),
            ("a: b", "local-hostname: a.localdomain", "a a a"),
            ("hostname: user", meta, "user meta.example.org user"),
            ("hostname: user", "", "user user user"),
            ("hostname: user.example.org", meta, "user user.example.org user"),
            ("fqdn: u.example.org", meta, "u u.example.org u"),
            ("{fqdn: u.example.org, hostname: h}", meta, "h u.example.org h"),
            ("{fqdn: u.example.org, prefer_fqdn_over_hostname: yes}", "", "u u.example.org u.example.org"),
            ("prefer_fqdn_over_hostname: yes", meta, "meta meta.example.org meta.example.org"),
            ("{hostname: user, prefer_fqdn_over_hostname: yes}", meta, "user meta.example.org user"),
            ("{hostname: 12}", "", "12 12 12"),
            ("a: b", "", ""),
        ] {
            check(&[], config, meta, expected);
        }
        let hosts = ("etc/hosts", "127.0.0.1 localhost\n127.0.1.1\tuser.lan user # me\n");
        check(&[hosts], "hostname: user", "", "user user.lan user");
        check(&[hosts, ("etc/hostname", "# me\nuser\n")], "a: b", "", "user user.lan user");
        check(&[("etc/hostname", "own\n")], "a: b", "", "own own own");
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        for name in ["'a b'", "\"a\\n\"", "a/b"] {
            let plan = testing::plan(names, &format!("hostname: {name}"), "");
            assert!(plan.problems[0].contains("is no host name"), "{plan:?}");
        }
    }
}

//! `hostname`, `fqdn`, and meta-data's `local-hostname`.

use super::HandlerFacts;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::{Result, bail};

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let on = |key: &str| facts.config.get(key).is_some_and(Value::is_on);
    if on("preserve_hostname") {
        return Ok(plan);
    }
    let text = |key: &str| facts.config.get(key).and_then(Value::scalar_text).filter(|text| !text.is_empty());
    let (fqdn, given) = (text("fqdn"), text("hostname"));
    let long = fqdn.clone().or(given.clone()).or(facts.meta_data.hostname.clone());
    let Some(long) = long else { return Ok(plan) };
    let name = match (fqdn, given) {
        _ if on("prefer_fqdn_over_hostname") => long,
        (Some(_), Some(hostname)) => hostname,
        _ => long.split('.').next().unwrap_or_default().to_owned(),
    };
    check(&name)?;
    plan.push(Step::Write(File::new("/etc/hostname", format!("{name}\n"), 0o644)));
    plan.push(Step::HostName(name));
    Ok(plan)
}

fn check(name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        bail!("`{name}` is no host name (letters, digits, `-`, `.` and `_`, at most 64)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn named(config: &str, meta: &str) -> String {
        let plan = testing::plan(super::plan, config, meta);
        let name = plan.steps.iter().find_map(|step| match step {
            Step::HostName(name) => Some(name.clone()),
            _ => None,
        });
        name.or(plan.problems.first().cloned()).unwrap_or_default()
    }

    #[test]
    fn the_users_name_wins_over_meta_data() {
        let meta = "local-hostname: meta.example.org";
        for (config, name) in [
            ("a: b", "meta"),
            ("hostname: user", "user"),
            ("hostname: user.example.org", "user"),
            ("fqdn: user.example.org", "user"),
            ("{fqdn: long.example.org, hostname: short}", "short"),
            ("{fqdn: long.example.org, prefer_fqdn_over_hostname: yes}", "long.example.org"),
            ("{hostname: user, preserve_hostname: true}", ""),
            ("hostname: 12", "12"),
        ] {
            assert_eq!(named(config, meta), name, "{config}");
        }
        assert_eq!(named("a: b", ""), "");
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert!(named("hostname: 'a b'", "").contains("no host name"));
        assert!(named("hostname: \"a\\n\"", "").contains("no host name"));
    }
}

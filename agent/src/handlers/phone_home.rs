//! `phone_home`: what is known of the machine is posted to a server.

use super::HandlerFacts;
use super::host_names;
use crate::instance::NO_ID;
use crate::plan::{HandlerPlan, PhoneCall, Step};
use crate::template;
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};

/// The fields that are host keys, and their files.
const KEYS: [(&str, &str); 3] = [
    ("pub_key_rsa", "etc/ssh/ssh_host_rsa_key.pub"),
    ("pub_key_ecdsa", "etc/ssh/ssh_host_ecdsa_key.pub"),
    ("pub_key_ed25519", "etc/ssh/ssh_host_ed25519_key.pub"),
];

/// All fields, in the order of `post: all`.
const ALL: [&str; 6] = ["pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519", "instance_id", "hostname", "fqdn"];

/// For a field that is not there.
const MISSING: &str = "N/A";

const TRIES: u32 = 10;
const MOST_TRIES: u32 = 1000;

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let settings = match facts.config.get("phone_home") {
        None | Some(Value::Null) => return Ok(plan),
        Some(Value::Map(settings)) => settings,
        Some(other) => bail!("it is {} and no mapping", other.kind()),
    };
    let id = facts.meta_data.instance_id.as_deref().unwrap_or(NO_ID);
    let mut variables = Mapping::default();
    variables.set("INSTANCE_ID", id);
    let url = settings.get("url").and_then(Value::as_str).filter(|url| !url.is_empty());
    let url = template::render(url.context("url: it is missing")?, &variables).context("url")?;
    let tries = match settings.get("tries") {
        None | Some(Value::Null) => TRIES,
        Some(tries) => {
            let tries = tries.scalar_text().and_then(|text| text.trim().parse().ok());
            if tries.is_none() {
                plan.problem(format!("tries: it is no number, so it is {TRIES}"));
            }
            tries.unwrap_or(TRIES)
        }
    };
    let fields = fields(settings.get("post"), id, facts, &mut plan)?;
    plan.push(Step::PhoneHome(PhoneCall { url, fields, tries: tries.clamp(1, MOST_TRIES) }));
    Ok(plan)
}

fn fields(
    post: Option<&Value>,
    id: &str,
    facts: &HandlerFacts<'_>,
    plan: &mut HandlerPlan,
) -> Result<Vec<(String, String)>> {
    let names: Vec<String> = match post {
        None | Some(Value::Null) => ALL.map(str::to_owned).to_vec(),
        Some(Value::Str(all)) if all == "all" => ALL.map(str::to_owned).to_vec(),
        Some(Value::Seq(names)) => names.iter().filter_map(Value::scalar_text).collect(),
        Some(other) => bail!("post: it is {} and neither `all` nor a list", other.kind()),
    };
    let is_all = !matches!(post, Some(Value::Seq(_)));
    let (host, full) = platform_names(facts)?;
    let mut fields = Vec::new();
    for name in names {
        let value = match name.as_str() {
            "instance_id" => Some(id.to_owned()),
            "hostname" => Some(host.clone()),
            "fqdn" => Some(full.clone()),
            _ => match KEYS.iter().find(|(key, _)| *key == name) {
                Some((_, path)) => facts.machine.text(path)?,
                None => None,
            },
        };
        if value.is_none() && !is_all {
            let known = if ALL.contains(&name.as_str()) {
                "the machine has no such key"
            } else {
                "there is no such field"
            };
            plan.problem(format!("post: {}: {known} ({MISSING} is posted)", name.escape_debug()));
        }
        fields.push((name, value.unwrap_or_else(|| MISSING.into())));
    }
    Ok(fields)
}

/// The names that the platform gave, and otherwise the machine's own.
fn platform_names(facts: &HandlerFacts<'_>) -> Result<(String, String)> {
    if let Some(names) = host_names::of_platform(facts) {
        return Ok(names);
    }
    let names = host_names::known(facts)?;
    Ok(names.map_or_else(|| ("localhost".into(), "localhost".into()), |names| (names.host, names.full)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan_on;
    use super::*;
    use crate::machine::Paper;

    const MACHINE: &[(&str, &str)] =
        &[("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA root@a\n"), ("etc/hostname", "own\n")];
    const META: &str = "{instance-id: i-1, local-hostname: a.example.org}";

    fn call(config: &str, meta: &str) -> (PhoneCall, Vec<String>) {
        let plan = plan_on(&Paper(MACHINE), plan, config, meta);
        let [Step::PhoneHome(call)] = &plan.steps[..] else { panic!("{plan:?}") };
        (call.clone(), plan.problems)
    }

    /// The fields are posted as cloud-init 26.2 posts them (read in its source).
    #[test]
    fn all_fields_are_posted() {
        let (PhoneCall { url, fields, tries }, problems) =
            call("phone_home: {url: 'http://x/$INSTANCE_ID/', post: all}", META);
        assert_eq!((url.as_str(), tries, problems), ("http://x/i-1/", 10, vec![]));
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            fields,
            [
                "pub_key_rsa=N/A",
                "pub_key_ecdsa=N/A",
                "pub_key_ed25519=ssh-ed25519 AAAA root@a\n",
                "instance_id=i-1",
                "hostname=a",
                "fqdn=a.example.org"
            ]
        );
    }

    #[test]
    fn fields_are_posted_that_are_asked_for() {
        let config = "phone_home: {url: http://x, post: [hostname, pub_key_rsa, colour], tries: '3'}";
        let (call, problems) = call(config, "");
        assert_eq!(
            call.fields.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
            ["own", "N/A", "N/A"]
        );
        assert_eq!(call.tries, 3);
        assert_eq!(
            problems,
            [
                "post: pub_key_rsa: the machine has no such key (N/A is posted)",
                "post: colour: there is no such field (N/A is posted)"
            ]
        );
    }

    #[test]
    fn what_cannot_be_posted_is_told() {
        for (config, told) in [
            ("phone_home: {post: all}", "url: it is missing"),
            ("phone_home: {url: http://x/$ID}", "url: there is no variable `ID` (known: INSTANCE_ID)"),
            ("phone_home: {url: http://x, post: some}", "post: it is a text and neither `all` nor a list"),
            ("phone_home: http://x", "it is a text and no mapping"),
        ] {
            let plan = plan_on(&Paper(MACHINE), plan, config, META);
            assert_eq!((plan.steps.len(), &*plan.problems[0]), (0, told));
        }
        assert_eq!(plan_on(&Paper(MACHINE), plan, "a: b", META), HandlerPlan::default());
        assert_eq!(call("phone_home: {url: http://x, tries: many}", META).0.tries, 10);
    }
}

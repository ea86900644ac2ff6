//! `ssh_keys`, `ssh_deletekeys` and `ssh_genkeytypes`: the machine's own keys. Those of the image are on other machines
//! too, so each is replaced or removed before sshd starts.

use super::HandlerFacts;
use super::sshd_config;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

const FOLDER: &str = "etc/ssh";
const KEYGEN: &str = "ssh-keygen";
const FIPS: &str = "proc/sys/crypto/fips_enabled";

/// A type of host key.
struct Kind {
    name: &'static str,
    /// It takes seconds to make, and logins wait. It is made after sshd has started if there is another key.
    is_slow: bool,
    /// It may be used in FIPS mode.
    in_fips: bool,
}

/// The types that are made unless `ssh_genkeytypes` says otherwise.
const KINDS: &[Kind] = &[
    Kind { name: "rsa", is_slow: true, in_fips: true },
    Kind { name: "ecdsa", is_slow: false, in_fips: true },
    Kind { name: "ed25519", is_slow: false, in_fips: false },
];

const CERTIFICATE: &str = "-cert.pub";

/// The forms of a type's keys in `ssh_keys`: the end of the key, the end of the file, its mode.
const GIVEN: [(&str, &str, u32); 3] =
    [("_private", "", 0o600), ("_public", ".pub", 0o644), ("_certificate", CERTIFICATE, 0o644)];

/// The keys that sshd starts with.
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    if !facts.machine.holds(FOLDER)? {
        return Ok(plan);
    }
    // Whoever repairs a machine knows the rescue volume by its keys.
    let replaces = !facts.is_rescue && facts.config.get("ssh_deletekeys").is_none_or(Value::is_on);
    if let Some(given) = given(facts.config, &mut plan) {
        write_given(given, facts, &mut plan)?;
    } else {
        let wanted = wanted(facts, &mut plan)?;
        if !wanted.is_empty() && !facts.machine.has_program(KEYGEN)? {
            plan.problem(format!(
                "{KEYGEN} is missing, so the host keys stay as they are (install openssh-client)"
            ));
            return Ok(plan);
        }
        for kind in now(&wanted) {
            if replaces || !facts.machine.holds(&file(kind))? {
                plan.push(make(kind));
            }
        }
    }
    if replaces {
        remove_others(facts, &mut plan)?;
    }
    Ok(plan)
}

/// The keys that take long, while sshd runs already.
pub(super) fn plan_slow(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    // The first stage told what is wrong with the keys.
    let mut told = HandlerPlan::default();
    let is_given = given(facts.config, &mut told).is_some();
    if is_given || !facts.machine.holds(FOLDER)? || !facts.machine.has_program(KEYGEN)? {
        return Ok(plan);
    }
    let wanted = wanted(facts, &mut told)?;
    for kind in wanted.iter().filter(|kind| !now(&wanted).contains(kind)) {
        if !facts.machine.holds(&file(kind))? {
            plan.push(make(kind));
        }
    }
    if !plan.steps.is_empty() && facts.machine.holds(sshd_config::RUNNING)? {
        plan.push(Step::run(&sshd_config::RELOAD));
    }
    Ok(plan)
}

fn file(kind: &str) -> String {
    format!("{FOLDER}/ssh_host_{kind}_key")
}

fn make(kind: &str) -> Step {
    Step::HostKey { kind: kind.to_owned(), path: format!("/{}", file(kind)) }
}

/// The types to make.
fn wanted(facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<Vec<String>> {
    let mut wanted: Vec<String> = match facts.config.get("ssh_genkeytypes") {
        None | Some(Value::Null) => KINDS.iter().map(|kind| kind.name.to_owned()).collect(),
        Some(Value::Seq(kinds)) => kinds.iter().filter_map(Value::scalar_text).collect(),
        Some(other) => {
            plan.problem(format!("ssh_genkeytypes: it is {} and no list", other.kind()));
            KINDS.iter().map(|kind| kind.name.to_owned()).collect()
        }
    };
    wanted.retain(|name| {
        let is_known = KINDS.iter().any(|kind| kind.name == name);
        if !is_known {
            plan.problem(format!(
                "ssh_genkeytypes: `{}` is none of rsa, ecdsa, ed25519",
                name.escape_debug()
            ));
        }
        is_known
    });
    if facts.machine.text(FIPS)?.is_some_and(|text| text.trim() == "1") {
        wanted.retain(|name| KINDS.iter().any(|kind| kind.name == name && kind.in_fips));
    }
    Ok(wanted)
}

/// The types that are made before sshd starts: one at least.
fn now(wanted: &[String]) -> Vec<&String> {
    let is_slow = |name: &String| KINDS.iter().any(|kind| kind.name == name && kind.is_slow);
    let quick: Vec<_> = wanted.iter().filter(|name| !is_slow(name)).collect();
    if quick.is_empty() { wanted.iter().collect() } else { quick }
}

/// Removes what is not replaced: the image's keys, which other machines have too.
fn remove_others(facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let made: Vec<String> = plan
        .steps
        .iter()
        .flat_map(|step| match step {
            Step::HostKey { path, .. } => vec![path.clone(), format!("{path}.pub")],
            Step::PublicKey { path } => vec![format!("{path}.pub")],
            Step::Write(file) => vec![file.path.clone()],
            _ => Vec::new(),
        })
        .collect();
    let is_key = |name: &String| name.strip_prefix("ssh_host_").is_some_and(|rest| rest.contains("key"));
    let paths =
        facts.machine.names(FOLDER)?.into_iter().filter(is_key).map(|name| format!("/{FOLDER}/{name}"));
    plan.steps.extend(paths.filter(|path| !made.contains(path)).map(Step::Remove));
    Ok(())
}

/// The mapping in `ssh_keys`; `None` if it gives nothing.
fn given<'a>(config: &'a Mapping, plan: &mut HandlerPlan) -> Option<&'a Mapping> {
    match config.get("ssh_keys")? {
        Value::Map(keys) if !keys.is_empty() => Some(keys),
        Value::Null | Value::Map(_) => None,
        other => {
            plan.problem(format!("it is {} and no mapping", other.kind()));
            None
        }
    }
}

fn write_given(given: &Mapping, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let mut certificates = Vec::new();
    for (key, value) in given.iter() {
        let name = key.scalar_text().unwrap_or_default();
        let known = KINDS.iter().find_map(|kind| {
            let end = name.strip_prefix(kind.name)?;
            GIVEN.iter().find(|(known, ..)| *known == end).map(|(_, end, mode)| (kind.name, *end, *mode))
        });
        let Some((kind, end, mode)) = known else {
            plan.problem(format!(
                "`{}` is no host key (it is rsa, ecdsa or ed25519 with _private, _public or _certificate)",
                name.escape_debug()
            ));
            continue;
        };
        let Some(text) = value.as_str().filter(|text| !text.trim().is_empty()) else {
            plan.problem(format!("{name}: it is no key"));
            continue;
        };
        // ssh refuses a private key whose last line has no end.
        let path = format!("/{}{end}", file(kind));
        plan.push(Step::Write(File::new(&path, format!("{}\n", text.trim_end()), mode)));
        certificates.extend((end == CERTIFICATE).then(|| format!("HostCertificate {path}")));
    }
    let changed = sshd_config::add(&certificates, facts.machine)?;
    plan.steps.extend(changed.map(Step::Write));
    for kind in KINDS {
        let has = |end: &str| given.get(&format!("{}{end}", kind.name)).is_some();
        if has("_private") && !has("_public") {
            plan.push(Step::PublicKey { path: format!("/{}", file(kind.name)) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_on};
    use super::*;
    use expect_test::expect;

    const IMAGE: &[(&str, &str)] = &[
        ("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n"),
        ("etc/ssh/ssh_host_dsa_key", "old"),
        ("etc/ssh/ssh_host_ed25519_key", "old"),
        ("etc/ssh/ssh_host_ed25519_key.pub", "old"),
        ("etc/ssh/ssh_host_rsa_key", "old"),
        ("usr/bin/ssh-keygen", ""),
    ];

    #[test]
    fn an_images_keys_are_replaced_and_the_slow_one_is_made_later() {
        check_on(
            IMAGE,
            plan,
            "a: b",
            "",
            expect![[r"
                make an ecdsa host key: /etc/ssh/ssh_host_ecdsa_key
                make an ed25519 host key: /etc/ssh/ssh_host_ed25519_key
                remove /etc/ssh/ssh_host_dsa_key
                remove /etc/ssh/ssh_host_rsa_key
            "]],
        );
        let started = &[IMAGE[0], IMAGE[5], ("run/sshd.pid", "1")];
        check_on(
            started,
            plan_slow,
            "a: b",
            "",
            expect![[r"
                make an rsa host key: /etc/ssh/ssh_host_rsa_key
                run systemctl --no-block try-reload-or-restart ssh.service
            "]],
        );
        // A key that a script made in between stays.
        check_on(IMAGE, plan_slow, "a: b", "", expect![[""]]);
    }

    #[test]
    fn types_are_chosen_and_one_key_at_least_is_there_when_sshd_starts() {
        check_on(&IMAGE[5..], plan, "a: b", "", expect![[""]]);
        check_on(
            IMAGE,
            plan,
            "{ssh_genkeytypes: [rsa, sk], ssh_deletekeys: false}",
            "",
            expect![[r"
                problem: ssh_genkeytypes: `sk` is none of rsa, ecdsa, ed25519
            "]],
        );
        check_on(
            &[IMAGE[0], IMAGE[5]],
            plan,
            "{ssh_genkeytypes: [rsa]}",
            "",
            expect![[r"
                make an rsa host key: /etc/ssh/ssh_host_rsa_key
            "]],
        );
        check_on(&[IMAGE[0], IMAGE[5]], plan_slow, "{ssh_genkeytypes: [rsa]}", "", expect![[""]]);
        check_on(&[IMAGE[0], IMAGE[5]], plan_slow, "{ssh_genkeytypes: [ed25519]}", "", expect![[""]]);
        let fips = &[IMAGE[0], IMAGE[5], ("proc/sys/crypto/fips_enabled", "1\n")];
        check_on(
            fips,
            plan,
            "a: b",
            "",
            expect![[r"
                make an ecdsa host key: /etc/ssh/ssh_host_ecdsa_key
            "]],
        );
    }

    #[test]
    fn keys_that_are_given_are_written_with_their_certificate_and_public_key() {
        check_on(
            IMAGE,
            plan,
            "ssh_keys: {ed25519_private: \"k\\n\", ed25519_certificate: c, rsa_public: p, sk_private: x, ecdsa_private: ''}",
            "",
            expect![[r"
                write /etc/ssh/ssh_host_ed25519_key (2 bytes, mode 0600)
                k
                write /etc/ssh/ssh_host_ed25519_key-cert.pub (2 bytes, mode 0644)
                c
                write /etc/ssh/ssh_host_rsa_key.pub (2 bytes, mode 0644)
                p
                write /etc/ssh/sshd_config.d/50-cloud-init.conf (55 bytes, mode 0600)
                HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub
                write the public key of /etc/ssh/ssh_host_ecdsa_key
                write the public key of /etc/ssh/ssh_host_ed25519_key
                remove /etc/ssh/ssh_host_dsa_key
                remove /etc/ssh/ssh_host_rsa_key
                problem: `sk_private` is no host key (it is rsa, ecdsa or ed25519 with _private, _public or _certificate)
                problem: ecdsa_private: it is no key
            "]],
        );
        check_on(IMAGE, plan_slow, "ssh_keys: {rsa_private: k}", "", expect![[""]]);
    }

    #[test]
    fn without_the_programs_no_key_is_taken_away() {
        check_on(
            &IMAGE[..5],
            plan,
            "a: b",
            "",
            expect![[r"
                problem: ssh-keygen is missing, so the host keys stay as they are (install openssh-client)
            "]],
        );
        check(plan, "ssh_genkeytypes: [rsa]", "", expect![[""]]);
    }
}

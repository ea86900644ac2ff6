//! `ca_certs`: certificates that the machine trusts.

use super::HandlerFacts;
use super::distribution;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::{Result, bail};

const CONFIG: &str = "etc/ca-certificates.conf";
const PROGRAM: &str = "update-ca-certificates";
const BEGIN: &str = "-----BEGIN ";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let (new, old) = (facts.config.get("ca_certs"), facts.config.get("ca-certs"));
    if new.is_some() && old.is_some() {
        plan.problem("ca-certs: ca_certs is there too, and alone counts");
    }
    let settings = match new.or(old) {
        None | Some(Value::Null) => return Ok(plan),
        Some(Value::Map(settings)) => settings,
        Some(other) => bail!("it is {} and no mapping", other.kind()),
    };
    let removes = settings.get("remove_defaults").or_else(|| settings.get("remove-defaults"));
    let removes = removes.is_some_and(Value::is_on);
    let trusted = match settings.get("trusted") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Seq(trusted)) => trusted,
        Some(text @ Value::Str(_)) => std::slice::from_ref(text),
        Some(other) => bail!("trusted: it is {} and no list", other.kind()),
    };
    if !facts.machine.has_program(PROGRAM)? {
        plan.idle.push(format!("there is no {PROGRAM} on this machine (install ca-certificates)"));
        return Ok(plan);
    }
    if removes {
        if let Some(text) = facts.machine.text(CONFIG)? {
            plan.push(Step::Write(File::new(&format!("/{CONFIG}"), switched_off(&text), 0o644)));
        }
        if distribution::is_debian(facts.machine)? {
            let input = Some("ca-certificates ca-certificates/trust_new_crts select no\n".to_owned());
            plan.push(Step::Run { argv: vec!["debconf-set-selections".into(), "-".into()], input });
        }
    }
    let mut number = 0;
    for (entry, certificate) in trusted.iter().enumerate() {
        let text = certificate.scalar_text().unwrap_or_default();
        let found = certificates(&text);
        if found.is_empty() {
            plan.problem(format!("trusted: entry {}: it holds no certificate in PEM", entry + 1));
        }
        for certificate in found {
            number += 1;
            let path = format!("/usr/local/share/ca-certificates/cloud-init-ca-cert-{number}.crt");
            plan.push(Step::Write(File::new(&path, certificate, 0o644)));
        }
    }
    if number > 0 || removes {
        plan.push(Step::run(&[PROGRAM]));
    }
    Ok(plan)
}

/// The certificates of a text, for a file with several gets no link by its hash.
fn certificates(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with(BEGIN) && line.contains("CERTIFICATE") {
            found.push(String::new());
            is_inside = true;
        }
        if let (true, Some(last)) = (is_inside, found.last_mut()) {
            last.push_str(line);
            last.push('\n');
        }
        is_inside &= !line.starts_with("-----END ");
    }
    found
}

/// The list of certificates with none of them in use.
fn switched_off(text: &str) -> String {
    let lines = text.lines().map(|line| match line.chars().next() {
        None | Some('#' | '!') => format!("{line}\n"),
        Some(_) => format!("!{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_on};
    use super::*;
    use expect_test::expect;

    const FILES: &[(&str, &str)] = &[
        ("usr/sbin/update-ca-certificates", ""),
        ("etc/os-release", "ID=debian\n"),
        ("etc/ca-certificates.conf", "# a list\nmozilla/A.crt\n!mozilla/B.crt\n\n"),
    ];
    const TWO: &str = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n";

    #[test]
    fn each_certificate_has_its_file() {
        check_on(
            FILES,
            plan,
            &format!("ca_certs: {{trusted: [\"{TWO}a comment\\n{TWO}\", nothing]}}"),
            "",
            expect![[r"
                write /usr/local/share/ca-certificates/cloud-init-ca-cert-1.crt (59 bytes, mode 0644)
                -----BEGIN CERTIFICATE-----
                MIIB
                -----END CERTIFICATE-----
                write /usr/local/share/ca-certificates/cloud-init-ca-cert-2.crt (59 bytes, mode 0644)
                -----BEGIN CERTIFICATE-----
                MIIB
                -----END CERTIFICATE-----
                run update-ca-certificates
                problem: trusted: entry 2: it holds no certificate in PEM
            "]],
        );
    }

    #[test]
    fn the_distributions_own_are_switched_off() {
        for config in ["ca_certs: {remove_defaults: true}", "ca-certs: {remove-defaults: true}"] {
            check_on(
                FILES,
                plan,
                config,
                "",
                expect![[r"
                    write /etc/ca-certificates.conf (40 bytes, mode 0644)
                    # a list
                    !mozilla/A.crt
                    !mozilla/B.crt

                    run debconf-set-selections - (with input that is not shown)
                    run update-ca-certificates
                "]],
            );
        }
    }

    #[test]
    fn nothing_is_done_where_nothing_is_asked_or_possible() {
        for config in
            ["a: b", "ca_certs: ~", "ca_certs: {}", "ca_certs: {remove_defaults: false, trusted: []}"]
        {
            check_on(FILES, plan, config, "", expect![[""]]);
        }
        check(
            plan,
            "ca_certs: {remove_defaults: true}",
            "",
            expect![[r"
                problem: there is no update-ca-certificates on this machine (install ca-certificates)
            "]],
        );
    }
}

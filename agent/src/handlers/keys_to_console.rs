//! The machine's own ssh keys on the console, so that its first login can be trusted.

use super::HandlerFacts;
use super::public_keys::PublicKey;
use crate::people::words;
use crate::plan::{HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;

const KEYS: &str = "etc/ssh";
const RULE: &str = "#############################################################";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let ssh = facts.config.get("ssh").and_then(Value::as_map);
    if ssh.and_then(|ssh| ssh.get("emit_keys_to_console")).is_some_and(|emit| !emit.is_on()) {
        return Ok(plan);
    }
    let hidden = |key: &str| facts.config.get(key).map(words).unwrap_or_default();
    let (no_fingerprint, no_key) = (hidden("ssh_fp_console_blacklist"), hidden("ssh_key_console_blacklist"));
    let (mut logged, mut text) = (Vec::new(), String::new());
    for name in facts.machine.names(KEYS)? {
        if !(name.starts_with("ssh_host_") && name.ends_with("key.pub")) {
            continue;
        }
        let line = facts.machine.text(&format!("{KEYS}/{name}"))?.unwrap_or_default();
        let Some(key) = PublicKey::parse(&line) else { continue };
        if !no_fingerprint.contains(&key.kind) {
            logged.extend(key.fingerprint());
        }
        if !no_key.contains(&key.kind) {
            text.extend([line.trim_end(), "\n"]);
        }
    }
    if !logged.is_empty() {
        let around = |word: &str| format!("-----{word} SSH HOST KEY FINGERPRINTS-----");
        logged.splice(..0, [RULE.to_owned(), around("BEGIN")]);
        logged.extend([around("END"), RULE.to_owned()]);
    }
    if !text.is_empty() {
        text = format!("-----BEGIN SSH HOST KEY KEYS-----\n{text}-----END SSH HOST KEY KEYS-----\n");
    }
    if !logged.is_empty() || !text.is_empty() {
        plan.push(Step::Console { title: "the machine's ssh keys".into(), logged, text });
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan_on;
    use super::*;
    use crate::machine::Paper;
    use expect_test::{Expect, expect};

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpmUEL+h7eDVquAO5FnG+H12jSNxlXHE5fERtdLe9q5 a b\n";
    const MACHINE: &[(&str, &str)] = &[
        ("etc/ssh/ssh_host_ed25519_key.pub", KEY),
        ("etc/ssh/ssh_host_ed25519_key", "secret"),
        ("etc/ssh/other.pub", KEY),
    ];

    fn check(config: &str, expected: Expect) {
        let plan = plan_on(&Paper(MACHINE), plan, config, "");
        let shown = plan.steps.iter().map(|step| match step {
            Step::Console { logged, text, .. } => format!("{}\n{text}", logged.join("\n")),
            other => other.to_string(),
        });
        expected.assert_eq(&shown.collect::<String>());
    }

    /// Keys are written as by cloud-init's `write-ssh-key-fingerprints` (read in its source).
    #[test]
    fn keys_and_fingerprints_are_shown() {
        check(
            "a: b",
            expect![[r"
            #############################################################
            -----BEGIN SSH HOST KEY FINGERPRINTS-----
            256 SHA256:JB6dAPXtPvv1AoC+/DU4tfvrq++cNL6id85FW7LAtLk a b (ED25519)
            -----END SSH HOST KEY FINGERPRINTS-----
            #############################################################
            -----BEGIN SSH HOST KEY KEYS-----
            ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpmUEL+h7eDVquAO5FnG+H12jSNxlXHE5fERtdLe9q5 a b
            -----END SSH HOST KEY KEYS-----
        "]],
        );
        check(
            "ssh_key_console_blacklist: [ssh-dss, ssh-ed25519]",
            expect![[r"
            #############################################################
            -----BEGIN SSH HOST KEY FINGERPRINTS-----
            256 SHA256:JB6dAPXtPvv1AoC+/DU4tfvrq++cNL6id85FW7LAtLk a b (ED25519)
            -----END SSH HOST KEY FINGERPRINTS-----
            #############################################################
        "]],
        );
        check(
            "ssh_fp_console_blacklist: [ssh-ed25519]",
            expect![[r"

            -----BEGIN SSH HOST KEY KEYS-----
            ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpmUEL+h7eDVquAO5FnG+H12jSNxlXHE5fERtdLe9q5 a b
            -----END SSH HOST KEY KEYS-----
        "]],
        );
    }

    #[test]
    fn nothing_is_shown_where_nothing_is_wanted() {
        check("ssh: {emit_keys_to_console: false}", expect![[""]]);
        check(
            "{ssh_fp_console_blacklist: [ssh-ed25519], ssh_key_console_blacklist: [ssh-ed25519]}",
            expect![[""]],
        );
    }
}

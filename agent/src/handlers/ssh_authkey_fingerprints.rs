//! The keys with which people may log in, as fingerprints on the console.

use super::HandlerFacts;
use super::public_keys::PublicKey;
use crate::accounts::User;
use crate::authorized_keys;
use crate::people::People;
use crate::plan::{HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;

/// The text before each line.
const PREFIX: &str = "ci-info: ";

const USUAL: &str = "sha256";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    if facts.config.get("no_ssh_fingerprints").is_some_and(Value::is_on) {
        return Ok(plan);
    }
    let mut method = facts.config.get("authkey_hash").and_then(Value::scalar_text).unwrap_or_default();
    if method.is_empty() {
        method = USUAL.into();
    } else if !["sha256", "sha512"].contains(&method.to_lowercase().as_str()) {
        plan.problem(format!(
            "authkey_hash: `{}` is not handled, so {USUAL} is shown (known: sha256, sha512)",
            method.escape_debug()
        ));
        method = USUAL.into();
    }
    for person in People::read(facts.config).users {
        if person.is_on("no_create_home") || person.is_on("system") {
            continue;
        }
        let Some(user) = facts.accounts.user(&person.name) else { continue };
        let text = text(user, &method, facts)?;
        let title = format!("the keys with which {} may log in", person.name);
        plan.push(Step::Console { title, logged: Vec::new(), text });
    }
    Ok(plan)
}

fn text(user: &User, method: &str, facts: &HandlerFacts<'_>) -> Result<String> {
    let files = authorized_keys::files(user, facts.accounts, facts.machine)?;
    let (mut first, mut has_lines, mut rows) = (None, false, Vec::new());
    for path in &files {
        let Some(lines) = facts.machine.text(path)? else { continue };
        first.get_or_insert(path);
        has_lines |= !lines.trim().is_empty();
        rows.extend(lines.lines().filter_map(PublicKey::parse).map(|key| row(&key, method)));
    }
    let Some(path) = first.filter(|_| has_lines) else {
        return Ok(format!("{PREFIX}no authorized SSH keys fingerprints found for user {}.\n", user.name));
    };
    let head = ["Keytype".into(), format!("Fingerprint ({method})"), "Options".into(), "Comment".into()];
    let table = table(&head, &rows);
    let width = table.first().map_or(0, |line| line.chars().count());
    let title = format!("Authorized keys from {path} for user {}", user.name);
    let lines = std::iter::once(centred(&title, '+', width, 0)).chain(table);
    Ok(lines.flat_map(|line| [PREFIX.to_owned(), line, "\n".to_owned()]).collect())
}

fn row(key: &PublicKey, method: &str) -> [String; 4] {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let digest = key.digest(method).unwrap_or_default();
    [or_dash(&key.kind), or_dash(&digest), or_dash(&key.options), or_dash(&key.comment)]
}

fn table(head: &[String; 4], rows: &[[String; 4]]) -> Vec<String> {
    let mut widths = [0; 4];
    for row in std::iter::once(head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rule = widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("+");
    let rule = format!("+{rule}+");
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| centred(cell, ' ', width + 2, 1));
        format!("|{}|", cells.collect::<Vec<_>>().join("|"))
    };
    let mut lines = vec![rule.clone(), line(head), rule.clone()];
    lines.extend(rows.iter().map(line));
    lines.push(rule);
    lines
}

/// A text in the middle. Where the margin is odd, Python's `format` has more of it behind the text. Its `center` has
/// more before the text if the width is odd.
fn centred(text: &str, fill: char, width: usize, more_before: usize) -> String {
    let margin = width.saturating_sub(text.chars().count());
    let before = margin / 2 + (margin & width & 1 & more_before);
    let of = |count: usize| fill.to_string().repeat(count);
    format!("{}{text}{}", of(before), of(margin - before))
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan_on;
    use super::*;
    use crate::machine::Paper;
    use expect_test::{Expect, expect};

    const KEYS: &str = "# mine\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGfirstfirstfirstfirstfirstfirstfirstfirst ann@home\nno-pty ssh-rsa AAAAB3NzaC1yc2E=\n";

    fn check(config: &str, expected: Expect) {
        let files = &[("/home/old/.ssh/authorized_keys", KEYS)];
        let plan = plan_on(&Paper(files), plan, config, "");
        let shown = plan.steps.iter().map(|step| match step {
            Step::Console { text, .. } => text.clone(),
            other => other.to_string(),
        });
        let problems = plan.problems.iter().map(|problem| format!("problem: {problem}\n"));
        expected.assert_eq(&shown.chain(problems).collect::<String>());
    }

    #[test]
    fn keys_are_a_table() {
        check(
            "users: [old, nobody]",
            expect![[r"
            ci-info: +++++++++++++++++++++++++++++++++++Authorized keys from /home/old/.ssh/authorized_keys for user old+++++++++++++++++++++++++++++++++++
            ci-info: +-------------+-------------------------------------------------------------------------------------------------+---------+----------+
            ci-info: |   Keytype   |                                       Fingerprint (sha256)                                      | Options | Comment  |
            ci-info: +-------------+-------------------------------------------------------------------------------------------------+---------+----------+
            ci-info: | ssh-ed25519 |                                                ?                                                |    -    | ann@home |
            ci-info: |   ssh-rsa   | cc:15:11:24:2e:26:a5:0e:a3:fc:32:c8:0c:96:a4:4d:00:0d:98:63:f8:72:7f:4e:7e:d1:25:04:7e:56:06:b8 |  no-pty |    -     |
            ci-info: +-------------+-------------------------------------------------------------------------------------------------+---------+----------+
        "]],
        );
        check(
            "{users: [root], authkey_hash: md5}",
            expect![[r"
            ci-info: no authorized SSH keys fingerprints found for user root.
            problem: authkey_hash: `md5` is not handled, so sha256 is shown (known: sha256, sha512)
        "]],
        );
    }

    #[test]
    fn nothing_is_shown_where_nothing_is_wanted() {
        for config in
            ["{users: [old], no_ssh_fingerprints: true}", "users: [{name: old, system: true}]", "users: []"]
        {
            check(config, expect![[""]]);
        }
    }
}

//! `ssh_authorized_keys` at the top, and meta-data's public keys: for the default user, or for root.

use super::{HandlerFacts, users};
use crate::plan::{HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;

#[expect(clippy::unnecessary_wraps, reason = "a handler's plan may fail; this one's cannot")]
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let mut keys = facts.meta_data.public_keys.clone();
    if let Some(value) = facts.config.get("ssh_authorized_keys") {
        keys.extend(read(value, "", &mut plan));
    }
    if !keys.is_empty() {
        let user = users::default_user(facts.config).unwrap_or_else(|| "root".into());
        plan.push(Step::Authorize { user, keys });
    }
    Ok(plan)
}

/// Keys are a list or a text; one that is not a line of its own is dropped, and told with what stands before it.
pub(super) fn read(value: &Value, place: &str, plan: &mut HandlerPlan) -> Vec<String> {
    let texts: Vec<Option<String>> = match value {
        Value::Seq(items) => items.iter().map(Value::scalar_text).collect(),
        Value::Null => Vec::new(),
        other => vec![other.scalar_text()],
    };
    let mut keys = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        match text.as_deref().map(str::trim) {
            Some("") => {}
            Some(text) if !text.contains('\0') => {
                keys.extend(text.lines().map(|line| line.trim().to_owned()));
            }
            _ => plan.problem(format!("{place}entry {}: it is no key", number + 1)),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use expect_test::expect;

    #[test]
    fn keys_are_for_root_where_there_is_no_default_user() {
        check(
            plan,
            "ssh_authorized_keys: [ssh-ed25519 BBBB, {a: b}]",
            "public-keys: ssh-ed25519 AAAA",
            expect![[r"
                let root log in with 2 keys: ssh-ed25519 AAAA | ssh-ed25519 BBBB
                problem: entry 2: it is no key
            "]],
        );
        check(plan, "a: b", "", expect![[""]]);
    }

    #[test]
    fn keys_are_for_the_default_user_where_there_is_one() {
        check(
            plan,
            "{system_info: {default_user: {name: debian}}, ssh_authorized_keys: [k]}",
            "",
            expect![[r"
                let debian log in with 1 key: k
            "]],
        );
    }
}

//! `ssh_authorized_keys` at the top, and meta-data's public keys: for the default user. Root has them too, behind a
//! message that says who to log in as while `disable_root` is on.

use super::HandlerFacts;
use crate::people::{self, People};
use crate::plan::{HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// The user who is named to those who log in as root, where there is no default user.
const NOBODY: &str = "NONE";

#[expect(clippy::unnecessary_wraps, reason = "a handler's plan may fail; this one's cannot")]
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let takes_platforms = facts.config.get("allow_public_ssh_keys").is_none_or(Value::is_on);
    let mut keys = if takes_platforms { facts.meta_data.public_keys.clone() } else { Vec::new() };
    if let Some(value) = facts.config.get("ssh_authorized_keys") {
        keys.extend(read(value, "", &mut plan));
    }
    if keys.is_empty() {
        return Ok(plan);
    }
    let default = People::read(facts.config).default;
    if let Some(user) = &default {
        plan.push(Step::Authorize { user: user.clone(), keys: keys.clone() });
    }
    let root = "root".to_owned();
    plan.push(if root_is_disabled(facts.config) {
        let options = facts.config.get("disable_root_opts").and_then(Value::scalar_text);
        let options = options.filter(|options| !options.contains('\n'));
        let user = default.as_deref().unwrap_or(NOBODY);
        Step::TurnAway { keys: people::guarded(&keys, options.as_deref(), user, &root), user: root }
    } else {
        Step::Authorize { user: root, keys }
    });
    Ok(plan)
}

/// Root is disabled unless said otherwise. A system that knows no default user would be left with no login at all.
fn root_is_disabled(config: &Mapping) -> bool {
    config.get("disable_root").map_or_else(|| people::system_has_default(config), Value::is_on)
}

/// Keys are a list or a text; one that is not a line of its own is dropped, and told with what stands before it.
pub(super) fn read(value: &Value, place: &str, plan: &mut HandlerPlan) -> Vec<String> {
    let texts: Vec<Option<String>> = match value {
        Value::Seq(items) => items.iter().map(Value::scalar_text).collect(),
        Value::Map(keys) => keys.iter().map(|(_, key)| key.scalar_text()).collect(),
        Value::Null => Vec::new(),
        other => vec![other.scalar_text()],
    };
    let mut keys = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        match text.as_deref().map(str::trim) {
            Some("") => {}
            Some(text) if !text.contains('\0') => match text.lines().find_map(people::no_key) {
                None => keys.extend(text.lines().map(|line| line.trim().to_owned())),
                Some(reason) => plan.problem(format!("{place}entry {}: {reason}", number + 1)),
            },
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
            expect![[r#"
                let debian log in with 1 key: k
                turn away who logs in as root with 1 key: no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo 'Please login as the user \"debian\" rather than the user \"root\".';echo;sleep 10;exit 142" k
            "#]],
        );
    }

    #[test]
    fn root_is_turned_away_unless_said_otherwise() {
        const DEFAULT: &str = "system_info: {default_user: {name: old}}, ssh_authorized_keys: [ssh-rsa AAAA]";
        for (config, steps) in [
            ("", "old: ssh-rsa AAAA, root turned away: O=old/root ssh-rsa AAAA"),
            ("disable_root: yes", "old: ssh-rsa AAAA, root turned away: O=old/root ssh-rsa AAAA"),
            ("users: []", "root turned away: O=NONE/root ssh-rsa AAAA"),
            ("disable_root: no", "old: ssh-rsa AAAA, root: ssh-rsa AAAA"),
            ("disable_root: 'false'", "old: ssh-rsa AAAA, root: ssh-rsa AAAA"),
            ("disable_root: no, users: [bob]", "root: ssh-rsa AAAA"),
            ("user: bob", "bob: ssh-rsa AAAA, root turned away: O=bob/root ssh-rsa AAAA"),
        ] {
            let config = format!("{{{DEFAULT}, disable_root_opts: O=$USER/$DISABLE_USER, {config}}}");
            let made = super::super::testing::plan(plan, &config, "");
            let made: Vec<_> = made
                .steps
                .into_iter()
                .map(|step| match step {
                    Step::Authorize { user, keys } => format!("{user}: {}", keys.join(" | ")),
                    Step::TurnAway { user, keys } => format!("{user} turned away: {}", keys.join(" | ")),
                    other => other.to_string(),
                })
                .collect();
            assert_eq!(made.join(", "), steps, "{config}");
        }
    }

    #[test]
    fn the_platforms_keys_may_be_refused() {
        check(
            plan,
            "{ssh_authorized_keys: k, allow_public_ssh_keys: no}",
            "public-keys: ssh-ed25519 AAAA",
            expect![[r"
                let root log in with 1 key: k
            "]],
        );
    }
}

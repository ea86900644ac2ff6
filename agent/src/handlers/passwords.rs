//! `chpasswd` and `password`: the passwords of users, each with a call of its own, so that a bad one costs nobody else.

use super::HandlerFacts;
use crate::people::People;
use crate::plan::{AccountWork, HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// The words for a password that the agent is to make up.
const RANDOM: [&str; 2] = ["R", "RANDOM"];

/// The beginnings of hashes in `list`, which does not say what is one.
const HASHES: [&str; 6] = ["$1$", "$2a$", "$2y$", "$5$", "$6$", "$y$"];

/// A user's new password.
enum Password {
    Hash(String),
    Plain(String),
    Random,
}

#[expect(clippy::unnecessary_wraps, reason = "a handler's plan may fail; this one's cannot")]
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let wanted = wanted(facts.config, &mut plan);
    let settings = facts.config.get("chpasswd").and_then(Value::as_map);
    let expires = settings.and_then(|settings| settings.get("expire")).is_none_or(Value::is_on);
    for (user, password) in wanted {
        plan.push(set(&user, password));
        if expires {
            plan.push(change(&user, &["passwd", "--expire", &user], None));
        }
    }
    Ok(plan)
}

/// The users that get a password.
pub(super) fn users(config: &Mapping) -> Vec<String> {
    wanted(config, &mut HandlerPlan::default()).into_iter().map(|(user, _)| user).collect()
}

fn wanted(config: &Mapping, plan: &mut HandlerPlan) -> Vec<(String, Password)> {
    let mut wanted = Vec::new();
    match config.get("chpasswd") {
        None | Some(Value::Null) => {}
        Some(Value::Map(settings)) => {
            read_users(settings, &mut wanted, plan);
            read_list(settings, &mut wanted, plan);
        }
        Some(other) => plan.problem(format!("it is {} and no mapping", other.kind())),
    }
    let password = config.get("password").and_then(Value::scalar_text).filter(|text| !text.is_empty());
    if let (true, Some(password)) = (wanted.is_empty(), password) {
        match People::read(config).default {
            Some(user) => wanted.push((user, of_text(&password))),
            None => plan.problem("password: there is no default user whose password it could be"),
        }
    }
    wanted
}

fn read_users(settings: &Mapping, wanted: &mut Vec<(String, Password)>, plan: &mut HandlerPlan) {
    let users = match settings.get("users") {
        None | Some(Value::Null) => return,
        Some(Value::Seq(users)) => users,
        Some(other) => return plan.problem(format!("users: it is {} and no list", other.kind())),
    };
    for (number, user) in users.iter().enumerate() {
        match one(user) {
            Ok(user) => wanted.push(user),
            Err(problem) => plan.problem(format!("users: entry {}: {problem}", number + 1)),
        }
    }
}

fn one(user: &Value) -> Result<(String, Password), String> {
    let Value::Map(user) = user else { return Err(format!("it is {} and no mapping", user.kind())) };
    let text = |key: &str| user.get(key).and_then(Value::scalar_text).filter(|text| !text.is_empty());
    let name = text("name").ok_or("it has no `name`")?;
    let kind = text("type").unwrap_or_else(|| "hash".to_owned());
    let password = match (kind.as_str(), text("password")) {
        ("RANDOM", _) => Password::Random,
        ("hash", Some(hash)) => Password::Hash(hash),
        ("text", Some(text)) => Password::Plain(text),
        ("hash" | "text", None) => return Err(format!("{name}: it has no `password`")),
        (other, _) => return Err(format!("{name}: its type `{other}` is none of hash, text and RANDOM")),
    };
    checked(name, password)
}

/// The deprecated `list`: lines of `user:password`.
fn read_list(settings: &Mapping, wanted: &mut Vec<(String, Password)>, plan: &mut HandlerPlan) {
    let lines: Vec<String> = match settings.get("list") {
        None | Some(Value::Null) => return,
        Some(Value::Seq(lines)) => lines.iter().map(|line| line.scalar_text().unwrap_or_default()).collect(),
        Some(Value::Str(text)) => text.lines().map(str::to_owned).collect(),
        Some(other) => return plan.problem(format!("list: it is {} and no list", other.kind())),
    };
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read = match line.split_once(':') {
            Some((user, password)) => checked(user.to_owned(), of_text(password)),
            // It may be a password alone, so it is not shown.
            None => Err("it is no line of `user:password`".to_owned()),
        };
        match read {
            Ok(user) => wanted.push(user),
            Err(problem) => plan.problem(format!("list: entry {}: {problem}", number + 1)),
        }
    }
}

fn of_text(password: &str) -> Password {
    let is_hash = HASHES.iter().any(|begin| password.starts_with(begin))
        && password.matches('$').count() >= 3
        && !password.contains(':');
    match password {
        _ if RANDOM.contains(&password) => Password::Random,
        _ if is_hash => Password::Hash(password.to_owned()),
        _ => Password::Plain(password.to_owned()),
    }
}

/// chpasswd reads lines, and `:` ends a name.
fn checked(name: String, password: Password) -> Result<(String, Password), String> {
    let text = match &password {
        Password::Hash(text) | Password::Plain(text) => text.as_str(),
        Password::Random => "",
    };
    if name.is_empty() || name.starts_with('-') || name.contains([':', '\n']) {
        return Err(format!("`{}` is no user's name", name.escape_debug()));
    }
    if text.is_empty() && !matches!(password, Password::Random) {
        return Err(format!("{name}: its password is empty"));
    }
    if text.contains(['\n', '\0']) {
        return Err(format!("{name}: its password has more than one line"));
    }
    Ok((name, password))
}

fn set(user: &str, password: Password) -> Step {
    match password {
        Password::Random => Step::RandomPassword(user.to_owned()),
        Password::Hash(hash) => change(user, &["chpasswd", "-e"], Some(format!("{user}:{hash}\n"))),
        Password::Plain(text) => change(user, &["chpasswd"], Some(format!("{user}:{text}\n"))),
    }
}

fn change(user: &str, argv: &[&str], input: Option<String>) -> Step {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    Step::Account { name: user.to_owned(), work: AccountWork::Change, argv, input }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, plan as planned};
    use super::*;
    use expect_test::expect;

    /// The steps, with the input of programs.
    fn told(config: &str) -> String {
        let plan =
            planned(super::plan, &format!("{{system_info: {{default_user: {{name: old}}}}, {config}}}"), "");
        let steps = plan.steps.iter().map(|step| match step {
            Step::Account { argv, input, .. } => {
                format!("{} < {}", argv.join(" "), input.as_deref().unwrap_or("-").trim())
            }
            other => other.to_string(),
        });
        steps
            .chain(plan.problems.iter().map(|problem| format!("problem: {problem}")))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn each_form_of_a_password_is_set() {
        for (config, expected) in [
            ("password: secret", "chpasswd < old:secret\npasswd --expire old < -"),
            ("password: secret, chpasswd: {expire: false}", "chpasswd < old:secret"),
            ("password: 1234, chpasswd: {expire: no}", "chpasswd < old:1234"),
            ("password: $6$salt$hash, chpasswd: {expire: false}", "chpasswd -e < old:$6$salt$hash"),
            (
                "password: R, chpasswd: {expire: false}",
                "give old a random password, shown on the console alone",
            ),
            ("chpasswd: {expire: false, users: [{name: a, password: $6$s$h}]}", "chpasswd -e < a:$6$s$h"),
            ("chpasswd: {expire: false, users: [{name: a, password: b, type: text}]}", "chpasswd < a:b"),
            (
                "chpasswd: {expire: false, users: [{name: a, type: RANDOM}]}",
                "give a a random password, shown on the console alone",
            ),
            (
                "chpasswd: {expire: false, list: ['a:b:c', 'd:$5$s$h']}",
                "chpasswd < a:b:c\nchpasswd -e < d:$5$s$h",
            ),
            (
                "chpasswd: {expire: false, list: \"a:b\\n\\nc:RANDOM\\n\"}",
                "chpasswd < a:b\ngive c a random password, shown on the console alone",
            ),
            // `password` is for machines without `users` and `list`.
            ("password: x, chpasswd: {expire: false, list: ['a:b']}", "chpasswd < a:b"),
        ] {
            assert_eq!(told(config), expected, "{config}");
        }
    }

    #[test]
    fn a_bad_entry_costs_only_itself_and_no_password_is_shown() {
        for (config, expected) in [
            (
                "chpasswd: {expire: false, users: [{name: a}, {password: b}, 5, {name: c, password: s, type: md5}, {name: e, password: f, type: text}]}",
                "chpasswd < e:f\nproblem: users: entry 1: a: it has no `password`\nproblem: users: entry 2: it has no `name`\n\
                 problem: users: entry 3: it is a number and no mapping\nproblem: users: entry 4: c: its type `md5` is none of hash, text and RANDOM",
            ),
            (
                "chpasswd: {expire: false, list: [secret, 'a:b']}",
                "chpasswd < a:b\nproblem: list: entry 1: it is no line of `user:password`",
            ),
            (
                "chpasswd: {users: [{name: a, password: \"b\\nroot:c\", type: text}]}",
                "problem: users: entry 1: a: its password has more than one line",
            ),
            (
                "chpasswd: {users: [{name: -x, password: b}]}",
                "problem: users: entry 1: `-x` is no user's name",
            ),
            ("chpasswd: text", "problem: it is a text and no mapping"),
            (
                "users: [], password: x",
                "problem: password: there is no default user whose password it could be",
            ),
        ] {
            assert_eq!(told(config), expected, "{config}");
        }
        let shown = planned(super::plan, "chpasswd: {list: ['a:secret']}", "");
        assert!(shown.steps.iter().all(|step| !step.to_string().contains("secret")));
    }

    #[test]
    fn without_passwords_nothing_is_done() {
        for config in ["a: b", "chpasswd: {expire: true}", "password: ''", "chpasswd: null"] {
            check(plan, config, "", expect![[""]]);
        }
    }
}

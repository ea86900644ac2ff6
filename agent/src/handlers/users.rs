//! `users`: accounts with their groups, passwords, keys and sudo rules, made by useradd and its family.

use super::{HandlerFacts, ssh_authorized_keys};
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};

const SUDOERS: &str = "/etc/sudoers.d/90-cloud-init-users";

/// Keys whose text becomes an option of useradd.
const OPTIONS: &[(&str, &str)] = &[
    ("gecos", "--comment"),
    ("homedir", "--home-dir"),
    ("primary_group", "--gid"),
    ("uid", "--uid"),
    ("shell", "--shell"),
    ("expiredate", "--expiredate"),
    ("inactive", "--inactive"),
    ("selinux_user", "--selinux-user"),
];

/// Keys that, when on, become an option of useradd.
const SWITCHES: &[(&str, &str)] =
    &[("no_user_group", "--no-user-group"), ("system", "--system"), ("no_log_init", "--no-log-init")];

/// The name of the default user, where the system's configuration has one.
pub(super) fn default_user(config: &Mapping) -> Option<String> {
    default_entry(config)?.get("name").and_then(Value::scalar_text)
}

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let mut sudoers = String::new();
    for (number, entry) in entries(facts.config)?.iter().enumerate() {
        let place = format!("entry {}", number + 1);
        if let Err(error) = plan_entry(entry, facts, &mut plan, &mut sudoers) {
            plan.problem(format!("{place}: {error:#}"));
        }
    }
    if !sudoers.is_empty() {
        let text = format!("# Made by lifeboat-agent\n{sudoers}");
        plan.push(Step::Write(File::new(SUDOERS, text, 0o440)));
    }
    Ok(plan)
}

/// Without the key there is the default user; a text is names with commas between, and a mapping has a user under each
/// name.
fn entries(config: &Mapping) -> Result<Vec<Value>> {
    match config.get("users") {
        None | Some(Value::Null) => {
            Ok(default_entry(config).map(|_| Value::from("default")).into_iter().collect())
        }
        Some(Value::Seq(items)) => Ok(items.clone()),
        Some(Value::Str(text)) => Ok(vec![text.as_str().into()]),
        Some(Value::Map(users)) => Ok(users.iter().filter_map(|(name, user)| under(name, user)).collect()),
        Some(other) => bail!("it is {} and no list", other.kind()),
    }
}

/// The user under a name: one that is switched on or described.
fn under(name: &Value, user: &Value) -> Option<Value> {
    match user {
        Value::Map(user) => {
            let mut user = user.clone();
            user.set("name", name.clone());
            Some(user.into())
        }
        user => user.is_on().then(|| name.clone()),
    }
}

fn default_entry(config: &Mapping) -> Option<&Mapping> {
    config.get("system_info")?.as_map()?.get("default_user")?.as_map()
}

fn plan_entry(
    entry: &Value,
    facts: &HandlerFacts<'_>,
    plan: &mut HandlerPlan,
    sudoers: &mut String,
) -> Result<()> {
    match entry {
        Value::Str(name) if name == "default" => {
            let default = default_entry(facts.config)
                .context("`default`: this system's configuration names no default user, so none is made")?;
            plan_user(default, facts, plan, sudoers)
        }
        Value::Str(names) if names.contains(',') => names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .try_for_each(|name| plan_entry(&name.into(), facts, plan, sudoers)),
        Value::Str(name) => {
            let mut user = Mapping::default();
            user.set("name", name.as_str());
            plan_user(&user, facts, plan, sudoers)
        }
        Value::Seq(names) if names.iter().all(|name| name.as_str().is_some()) => {
            names.iter().try_for_each(|name| plan_entry(name, facts, plan, sudoers))
        }
        Value::Map(user) => plan_user(&with_underscores(user), facts, plan, sudoers),
        other => bail!("it is {} and no user", other.kind()),
    }
}

/// A `-` in a key is an old way to write `_`.
fn with_underscores(user: &Mapping) -> Mapping {
    let underscored =
        |key: &Value| key.as_str().map_or_else(|| key.clone(), |key| key.replace('-', "_").into());
    user.iter().map(|(key, value)| (underscored(key), value.clone())).collect()
}

fn plan_user(
    user: &Mapping,
    facts: &HandlerFacts<'_>,
    plan: &mut HandlerPlan,
    sudoers: &mut String,
) -> Result<()> {
    let name = user.get("name").and_then(Value::scalar_text).with_context(|| match user.get("snapuser") {
        Some(_) => "it has no name, and `snapuser` is not supported",
        None => "it has no name",
    })?;
    check_name(&name)?;
    let groups = groups(user, plan)?;
    if facts.accounts.user(&name).is_none() {
        for group in groups.iter().filter(|group| facts.accounts.group(group).is_none()) {
            let step = Step::run(&["groupadd", group]);
            // Two users may bring the same group.
            if !plan.steps.contains(&step) {
                plan.push(step);
            }
        }
        plan.push(useradd(&name, user, &groups));
    }
    plan_password(&name, user, plan);
    if let Some(value) = user.get("ssh_authorized_keys") {
        let keys = ssh_authorized_keys::read(value, &format!("{name}: ssh_authorized_keys, "), plan);
        if !keys.is_empty() {
            plan.push(Step::Authorize { user: name.clone(), keys });
        }
    }
    match user.get("sudo") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(value) => {
            let rules: Vec<Option<String>> = match value {
                Value::Seq(items) => items.iter().map(Value::scalar_text).collect(),
                other => vec![other.scalar_text()],
            };
            for rule in rules {
                match rule.filter(|rule| !rule.contains('\n')) {
                    Some(rule) => sudoers.extend([&name, " ", &rule, "\n"]),
                    None => plan.problem(format!("{name}: a sudo rule is no line of text")),
                }
            }
        }
    }
    Ok(())
}

fn useradd(name: &str, user: &Mapping, groups: &[String]) -> Step {
    let mut argv = vec!["useradd".to_owned(), name.to_owned()];
    for (key, option) in OPTIONS {
        if let Some(value) = user.get(key).and_then(Value::scalar_text) {
            argv.extend([(*option).to_owned(), value]);
        }
    }
    if !groups.is_empty() {
        argv.extend(["--groups".to_owned(), groups.join(",")]);
    }
    for (key, option) in SWITCHES {
        if user.get(key).is_some_and(Value::is_on) {
            argv.push((*option).to_owned());
        }
    }
    let homeless = ["no_create_home", "system"].iter().any(|key| user.get(key).is_some_and(Value::is_on));
    argv.push(if homeless { "-M" } else { "-m" }.to_owned());
    Step::Run { argv, input: None }
}

fn plan_password(name: &str, user: &Mapping, plan: &mut HandlerPlan) {
    let text = |key: &str| user.get(key).and_then(Value::scalar_text).filter(|text| !text.contains('\n'));
    if let Some(password) = text("plain_text_passwd") {
        plan.push(chpasswd(&["chpasswd"], name, &password));
    }
    if let Some(hash) = text("hashed_passwd").or_else(|| text("passwd")) {
        plan.push(chpasswd(&["chpasswd", "-e"], name, &hash));
    }
    // Locked unless said otherwise.
    if user.get("lock_passwd").is_none_or(Value::is_on) {
        plan.push(Step::run(&["passwd", "-l", name]));
    }
}

fn chpasswd(argv: &[&str], name: &str, password: &str) -> Step {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    Step::Run { argv, input: Some(format!("{name}:{password}\n")) }
}

fn groups(user: &Mapping, plan: &mut HandlerPlan) -> Result<Vec<String>> {
    let words: Vec<String> = match user.get("groups") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Str(text)) => text.split(',').map(|word| word.trim().to_owned()).collect(),
        Some(Value::Seq(items)) => items.iter().filter_map(Value::scalar_text).collect(),
        Some(Value::Map(mapping)) => mapping.iter().filter_map(|(key, _)| key.scalar_text()).collect(),
        Some(other) => bail!("groups: it is {} and no list", other.kind()),
    };
    let mut groups = Vec::new();
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        match check_name(&word) {
            Ok(()) => groups.push(word),
            Err(error) => plan.problem(format!("groups: {error:#}")),
        }
    }
    Ok(groups)
}

/// A name that a program would take for an option, or that is a line of its own, is no name.
fn check_name(name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-$@".contains(&byte) || byte >= 0x80;
    if name.is_empty() || name.starts_with('-') || name.len() > 256 || !name.bytes().all(good) {
        bail!("`{}` is no name for a user or a group", name.escape_debug());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, check};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_user_gets_groups_a_locked_password_keys_and_sudo() {
        check(
            plan,
            "users:
- name: web
  gecos: The Web
  groups: adm, www
  shell: /bin/bash
  sudo: ALL=(ALL) NOPASSWD:ALL
  ssh_authorized_keys: [ssh-ed25519 AAAA]
- {name: two, groups: [www], lock_passwd: false, plain_text_passwd: secret, system: true}
- plain
",
            "",
            expect![[r"
                run groupadd www
                run useradd web --comment 'The Web' --shell /bin/bash --groups adm,www -m
                run passwd -l web
                let web log in with 1 key: ssh-ed25519 AAAA
                run useradd two --groups www --system -M
                run chpasswd (with input that is not shown)
                run useradd plain -m
                run passwd -l plain
                write /etc/sudoers.d/90-cloud-init-users (52 bytes, mode 0440)
                # Made by lifeboat-agent
                web ALL=(ALL) NOPASSWD:ALL
            "]],
        );
    }

    #[test]
    fn users_and_their_keys_may_be_written_as_of_old() {
        let steps = |users: &str| testing::plan(plan, &format!("users: {users}"), "").steps;
        let made = steps("[{name: a, no_create_home: true, lock_passwd: false}, {name: b}]");
        assert_eq!(made.len(), 3);
        for users in [
            "[{name: a, no-create-home: true, lock-passwd: false}, b]",
            "{a: {no_create_home: true, lock_passwd: false}, b: yes, c: no}",
            "[{name: a, no_create_home: true, lock_passwd: false}, [b]]",
        ] {
            assert_eq!(steps(users), made, "{users}");
        }
        let two = expect![[r"
            run useradd a -m
            run passwd -l a
            run useradd b -m
            run passwd -l b
        "]];
        check(plan, "users: 'a, b'", "", two);
        check(
            plan,
            "users: [{name: c}, [5]]",
            "",
            expect![[r"
            run useradd c -m
            run passwd -l c
            problem: entry 2: it is a list and no user
        "]],
        );
    }

    #[test]
    fn a_user_who_is_there_is_not_made_again() {
        check(
            plan,
            "users: [{name: old, ssh_authorized_keys: [k], lock_passwd: no}]",
            "",
            expect![[r"
            let old log in with 1 key: k
        "]],
        );
    }

    #[test]
    fn a_bad_user_costs_only_itself() {
        check(
            plan,
            "users: [{name: -o}, 5, {gecos: x}, default, good]",
            "",
            expect![[r"
            run useradd good -m
            run passwd -l good
            problem: entry 1: `-o` is no name for a user or a group
            problem: entry 2: it is a number and no user
            problem: entry 3: it has no name
            problem: entry 4: `default`: this system's configuration names no default user, so none is made
        "]],
        );
        check(plan, "a: b", "", expect![[""]]);
    }

    #[test]
    fn the_default_user_is_the_systems() {
        check(
            plan,
            "system_info: {default_user: {name: debian, lock_passwd: true}}",
            "",
            expect![[r"
            run useradd debian -m
            run passwd -l debian
        "]],
        );
    }
}

//! `users`, `user` and `groups`: accounts with their groups, passwords, keys and sudo rules.

use super::{HandlerFacts, passwords, ssh_authorized_keys};
use crate::people::{self, People, Person, Plan};
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::Result;

const SUDOERS: &str = "/etc/sudoers.d/90-cloud-init-users";

/// With one of these there is no home directory.
const HOMELESS: [&str; 2] = ["no_create_home", "system"];

/// The keys whose data is kept in a home directory.
const AT_HOME: [&str; 3] = ["ssh_authorized_keys", "ssh_import_id", "ssh_redirect_user"];

#[expect(clippy::unnecessary_wraps, reason = "a handler's plan may fail; this one's cannot")]
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let people = People::read(facts.config);
    let mut plan = Plan::new(facts.accounts, passwords::users(facts.config));
    plan.made.problems.extend(people.problems);
    plan.made.idle.extend(people.idle);
    people.groups.iter().for_each(|group| plan.make_group(&group.name));
    let mut sudoers = String::new();
    for user in &people.users {
        match contradiction(user) {
            Some(problem) => plan.made.problem(user.problem(&format!("it is not made: {problem}"))),
            None => plan_user(user, people.default.as_deref(), facts, &mut plan, &mut sudoers),
        }
    }
    people.groups.iter().for_each(|group| plan.add_members(group));
    if !sudoers.is_empty() {
        let text = format!("# Made by lifeboat-agent\n{sudoers}");
        plan.made.push(Step::Write(File::new(SUDOERS, text, 0o440)));
    }
    Ok(plan.made)
}

/// Settings that cannot both be: as in cloud-init, the user is not made then.
fn contradiction(user: &Person) -> Option<String> {
    let is_wanted = |key: &&&str| {
        user.settings.get(key).is_some_and(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Seq(items) => !items.is_empty(),
            _ => true,
        })
    };
    let homeless = HOMELESS.iter().find(|key| user.is_on(key))?;
    let at_home = AT_HOME.iter().find(is_wanted)?;
    Some(format!("`{at_home}` needs a home directory, and with `{homeless}` there is none"))
}

fn plan_user(
    user: &Person,
    default: Option<&str>,
    facts: &HandlerFacts<'_>,
    plan: &mut Plan<'_>,
    sudoers: &mut String,
) {
    if user.settings.get("snapuser").is_some() {
        let told = people::NO_SNAP_USER;
        plan.made.problem(user.problem(&format!("{told} (take `snapuser` out for an ordinary one)")));
        return;
    }
    plan.make_user(user);
    plan.add_doas(user);
    add_sudo(user, &mut plan.made, sudoers);
    add_keys(user, &mut plan.made);
    redirect(user, default, facts, &mut plan.made);
}

fn add_sudo(user: &Person, plan: &mut HandlerPlan, sudoers: &mut String) {
    let rules: Vec<Option<String>> = match user.settings.get("sudo") {
        None | Some(Value::Null | Value::Bool(false)) => Vec::new(),
        Some(Value::Seq(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(Value::Str(rule)) => vec![Some(rule.clone())],
        Some(_) => vec![None],
    };
    for rule in rules {
        match rule.filter(|rule| !rule.contains('\n')) {
            Some(rule) if rule.is_empty() => {}
            Some(rule) => sudoers.extend([&user.name, " ", &rule, "\n"]),
            None => plan.problem(
                user.problem("a sudo rule is no line of text (it is like `ALL=(ALL) NOPASSWD:ALL`)"),
            ),
        }
    }
}

fn add_keys(user: &Person, plan: &mut HandlerPlan) {
    if let Some(value) = user.settings.get("ssh_authorized_keys") {
        let keys = ssh_authorized_keys::read(value, &user.problem("ssh_authorized_keys, "), plan);
        if !keys.is_empty() {
            plan.push(Step::Authorize { user: user.name.clone(), keys });
        }
    }
}

/// `ssh_redirect_user`: the platform's keys tell who uses them to log in as the default user.
fn redirect(user: &Person, default: Option<&str>, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) {
    let name = user.name.as_str();
    let problem = match user.settings.get("ssh_redirect_user") {
        None | Some(Value::Null | Value::Bool(false)) => return,
        Some(Value::Bool(true)) => None,
        Some(Value::Str(word)) if word == "default" => None,
        Some(_) => Some("it is neither a yes or no nor `default`"),
    };
    let has_keys =
        ["ssh_authorized_keys", "ssh_import_id"].iter().any(|key| user.settings.get(key).is_some());
    let keys = &facts.meta_data.public_keys;
    let problem = match (problem, default) {
        (Some(problem), _) => problem,
        _ if has_keys => "it cannot be given together with `ssh_authorized_keys` or `ssh_import_id`",
        (_, None) => "no default user is made to log in as",
        (_, Some(_)) if keys.is_empty() => "the platform gives no keys",
        (_, Some(default)) => {
            let keys = people::guarded(keys, None, default, name);
            plan.push(Step::TurnAway { user: name.to_owned(), keys });
            return;
        }
    };
    plan.problem(user.problem(&format!("ssh_redirect_user: {problem}")));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, check};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_password_that_comes_later_is_none_that_is_missing() {
        let idle = |chpasswd: &str| {
            let config = format!("{{users: [{{name: ann, lock_passwd: false}}], {chpasswd}}}");
            testing::plan(plan, &config, "").idle
        };
        assert_eq!(idle("chpasswd: {users: [{name: ann, type: RANDOM}]}"), [""; 0]);
        assert_eq!(idle("chpasswd: {list: ['ann:secret']}"), [""; 0]);
        let told = ["entry 1: ann: lock_passwd: there is no password that could be unlocked"];
        assert_eq!(idle("chpasswd: {list: ['bob:secret']}"), told);
    }

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
            "users: [{name: -o}, 5, default, good]",
            "",
            expect![[r"
                run useradd good -m
                run passwd -l good
                problem: entry 2: it is a number and no user
                problem: entry 3: `default`: this system's configuration names no default user, so none is made
                problem: entry 1: `-o` is no name for a user or a group
            "]],
        );
        check(plan, "a: b", "", expect![[""]]);
    }

    #[test]
    fn members_of_a_group_may_be_made_with_it() {
        check(
            plan,
            "{users: [{name: carol, primary_group: staff}], groups: [{ops: [carol, old, dan]}, adm]}",
            "",
            expect![[r"
                run groupadd ops
                run groupadd staff
                run useradd carol --gid staff -m
                run passwd -l carol
                run usermod -a -G ops carol
                run usermod -a -G ops old
                problem: groups: ops: there is no user `dan` who could be a member
            "]],
        );
    }

    #[test]
    fn groups_are_made_once_and_only_where_they_are_wanted() {
        for (users, steps) in [
            // The group of the user's own name is there, is wanted by name, or is made by useradd.
            ("{name: adm}", "useradd adm --gid adm -m"),
            ("{name: a, groups: [a, adm]}", "groupadd a, useradd a --gid a --groups adm -m"),
            (
                "{name: a, groups: [b]}, {name: b}",
                "groupadd b, useradd a --groups b -m, useradd b --gid b -m",
            ),
            ("{name: b}, {name: a, groups: [b]}", "useradd b -m, useradd a --groups b -m"),
            // Without a group of its own, none is in the way.
            ("{name: adm, no_user_group: yes}", "useradd adm --no-user-group -m"),
            (
                "{name: a, no_user_group: yes, groups: a}",
                "groupadd a, useradd a --groups a --no-user-group -m",
            ),
            ("{name: adm, primary_group: w}", "groupadd w, useradd adm --gid w -m"),
            (
                "{name: a, primary_group: w, groups: 'w, adm'}",
                "groupadd w, useradd a --gid w --groups adm -m",
            ),
            // A number is a group's that is there.
            ("{name: a, primary_group: '4', groups: ['9']}", "useradd a --gid 4 --groups 9 -m"),
            ("{name: a, create_groups: no, groups: adm}", "useradd a --groups adm -m"),
            ("{name: a, create_groups: no, groups: [a, adm]}", "useradd a --groups adm -m"),
            (
                "{name: a, groups: w}, {name: b, create_groups: no, groups: w, primary_group: a}",
                "groupadd w, useradd a --groups w -m, useradd b --gid a --groups w -m",
            ),
            (
                "{name: a, groups: [w, w, ' w ']}, {name: b, groups: w}",
                "groupadd w, useradd a --groups w -m, useradd b --groups w -m",
            ),
            ("{name: a, groups: {w: ~, adm: ~}}", "groupadd w, useradd a --groups w,adm -m"),
            ("{name: old, groups: [w]}", ""),
            ("{name: a, homedir: /srv/a, no_create_home: yes}", "useradd a --home-dir /srv/a -M"),
            (
                "{name: a, uid: 5, inactive: 3, expiredate: 2030-01-01, selinux_user: s}",
                "useradd a --uid 5 --expiredate 2030-01-01 --inactive 3 --selinux-user s -m",
            ),
        ] {
            let made = testing::plan(plan, &format!("users: [{users}]"), "");
            let made_steps: Vec<_> =
                made.steps.iter().map(|step| step.to_string().replace("run ", "")).collect();
            let made_steps: Vec<_> =
                made_steps.into_iter().filter(|step| !step.starts_with("passwd")).collect();
            assert_eq!((made_steps.join(", ").as_str(), made.problems), (steps, vec![]), "{users}");
        }
    }

    #[test]
    fn a_user_without_a_home_has_no_keys_and_is_not_made() {
        check(
            plan,
            "users: [{name: a, system: yes, ssh_authorized_keys: [k]}, {name: b, no_create_home: yes, ssh_redirect_user: yes}, \
             {name: c, system: yes, ssh_authorized_keys: []}]",
            "",
            expect![[r"
                run useradd c --system -M
                run passwd -l c
                problem: entry 1: a: it is not made: `ssh_authorized_keys` needs a home directory, and with `system` there is none
                problem: entry 2: b: it is not made: `ssh_redirect_user` needs a home directory, and with `no_create_home` there is none
            "]],
        );
    }

    #[test]
    fn keys_of_the_platform_redirect_to_the_default_user() {
        let config =
            |users: &str| format!("{{system_info: {{default_user: {{name: old}}}}, users: [{users}]}}");
        let meta = "public-keys: [ssh-rsa AAAA]";
        let redirected = |users: &str, meta: &str| {
            let plan = testing::plan(plan, &config(users), meta);
            let keys = plan.steps.into_iter().find_map(|step| match step {
                Step::TurnAway { user, keys } => Some(format!("{user}: {}", keys.join(" | "))),
                _ => None,
            });
            keys.or(plan.problems.first().cloned()).unwrap_or_default()
        };
        let told = redirected("default, {name: a, ssh_redirect_user: true}", meta);
        assert!(told.starts_with("a: no-port-forwarding"), "{told}");
        assert!(told.contains("as the user \\\"old\\\" rather than the user \\\"a\\\""), "{told}");
        for (users, meta, problem) in [
            (
                "default, {name: a, ssh_redirect_user: default}",
                "",
                "entry 2: a: ssh_redirect_user: the platform gives no keys",
            ),
            (
                "{name: a, ssh_redirect_user: yes}",
                meta,
                "entry 1: a: ssh_redirect_user: no default user is made to log in as",
            ),
            (
                "default, {name: a, ssh_redirect_user: root}",
                meta,
                "entry 2: a: ssh_redirect_user: it is neither a yes or no nor `default`",
            ),
            (
                "default, {name: a, ssh_redirect_user: yes, ssh_authorized_keys: [k]}",
                meta,
                "entry 2: a: ssh_redirect_user: it cannot be given together with `ssh_authorized_keys` or `ssh_import_id`",
            ),
            ("default, {name: a, ssh_redirect_user: no}", meta, ""),
        ] {
            assert_eq!(redirected(users, meta), problem, "{users}");
        }
    }

    /// cloud-init's useradd ends without a user at each of these.
    #[test]
    fn a_group_that_cannot_be_costs_only_itself() {
        let missing = "there is no group `w`, and `create_groups` is off";
        for (settings, step, problem) in [
            ("groups: [w, adm], create_groups: no", "--groups adm", format!("groups: {missing}")),
            ("primary_group: w, create_groups: no", "", format!("primary_group: {missing}")),
            (
                "primary_group: new grp",
                "",
                "primary_group: `new grp` is no name for a user or a group".into(),
            ),
            ("primary_group: -g", "", "primary_group: `-g` is no name for a user or a group".into()),
            ("primary_group: 4711", "", "primary_group: no group has the number 4711".into()),
            ("groups: 4711", "", "groups: no group has the number 4711".into()),
        ] {
            let made = testing::plan(plan, &format!("users: [{{name: a, {settings}}}]"), "");
            let options = if step.is_empty() { String::new() } else { format!("{step} ") };
            assert_eq!(made.steps[0].to_string(), format!("run useradd a {options}-m"), "{settings}");
            assert_eq!(made.problems, [format!("entry 1: a: {problem}")], "{settings}");
        }
    }

    #[test]
    fn doas_is_called_upon_and_snap_is_not() {
        check(
            plan,
            "users: [{name: a, snapuser: a@b}, {snapuser: c@d, known: true}, {snapuser: -x}, \
             {name: e, doas: [permit nopass e]}, {name: f, doas: [permit g]}]",
            "",
            expect![[r"
                run useradd e -m
                run passwd -l e
                append to /etc/doas.conf (16 bytes, mode 0440)
                permit nopass e
                run useradd f -m
                run passwd -l f
                problem: entry 2: it is not made: the agent makes no snap user (give it a `name`, and take `snapuser` out)
                problem: entry 3: it is not made: the agent makes no snap user (give it a `name`, and take `snapuser` out)
                problem: entry 1: a: it is not made: the agent makes no snap user (take `snapuser` out for an ordinary one)
                problem: entry 5: f: doas: a rule is no line like `permit f`, so none of this user's is written
            "]],
        );
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

    #[test]
    fn a_sudo_rule_that_is_no_text_is_left_out_and_told() {
        let plan = testing::plan(plan, "users: [{name: a, sudo: true}, {name: b, sudo: [5, ALL]}]", "");
        let written = plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(written.contains("90-cloud-init-users (31 bytes"), "{written}");
        assert_eq!(plan.problems.len(), 2, "{:?}", plan.problems);
    }
}

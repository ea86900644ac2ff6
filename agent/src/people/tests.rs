//! Configurations, and the tables that they come to. `SAME` was recorded from cloud-init 26.2's
//! `normalize_users_groups`, with `DEFAULT_USER` as the distribution's and `users: [default]` in cloud.cfg.

use super::*;
use crate::yaml::{self, to_json};
use expect_test::{Expect, expect};

const DEFAULT_USER: &str =
    "system_info: {default_user: {name: debian, groups: [adm, sudo], shell: /bin/bash}}";

/// The default user as it is without any word about it.
const PLAIN: &str = r#"{groups: "adm,sudo", shell: /bin/bash}"#;

/// A configuration, the users in their order, and the default user.
const SAME: &[(&str, &str, Option<&str>)] = &[
    ("a: b", "{debian: @}", Some("debian")),
    ("users: []", "{}", None),
    ("users: ~", "{}", None),
    ("users: no", "{}", None),
    ("users: 5", "{}", None),
    ("users: ''", "{}", None),
    ("users: default", "{debian: @}", Some("debian")),
    ("users: 'bob, default,carol'", "{bob: {}, carol: {}, debian: @}", Some("debian")),
    ("users: [{name: bob, ssh_authorized_keys: [k]}]", "{bob: {ssh_authorized_keys: [k]}}", None),
    (
        "users: [default, {name: debian, shell: /bin/zsh, groups: [docker], ssh_authorized_keys: [k]}]",
        "{debian: {shell: /bin/zsh, groups: 'adm,docker,sudo', ssh_authorized_keys: [k]}}",
        Some("debian"),
    ),
    (
        "users: [{name: debian, shell: /bin/zsh, groups: docker}, default]",
        "{debian: {shell: /bin/zsh, groups: 'adm,docker,sudo'}}",
        Some("debian"),
    ),
    ("users: [{name: debian, shell: /bin/zsh}]", "{debian: {shell: /bin/zsh}}", None),
    (
        "users: [{name: default, shell: /bin/zsh}, {name: debian, shell: /bin/sh, groups: {docker: ~}}]",
        "{debian: {shell: /bin/sh, groups: 'adm,docker,sudo'}}",
        Some("debian"),
    ),
    (
        "users: [{shell: /bin/zsh}, bob]",
        "{bob: {}, debian: {groups: 'adm,sudo', shell: /bin/zsh}}",
        Some("debian"),
    ),
    (
        "users: [{name: bob, shell: a}, {name: bob, shell: b, gecos: B}, bob]",
        "{bob: {shell: a, gecos: B}}",
        None,
    ),
    ("users: [{name: bob, groups: [a]}, {name: bob, groups: [b]}]", "{bob: {groups: a}}", None),
    ("users: [bob, {name: bob, shell: x}]", "{bob: {shell: x}}", None),
    ("users: [[default, bob], 'carol,dan']", "{bob: {}, carol: {}, dan: {}, debian: @}", Some("debian")),
    (
        "users: {bob: {shell: x}, default: yes, carol: no, dan: 'on', eve: 1}",
        "{bob: {shell: x}, dan: {}, eve: {}, debian: @}",
        Some("debian"),
    ),
    (
        "users: {default: {shell: /bin/zsh}}",
        "{debian: {groups: 'adm,sudo', shell: /bin/zsh}}",
        Some("debian"),
    ),
    ("users: [{name: bob, lock-passwd: false, ' shell ': x}]", "{bob: {lock_passwd: false, shell: x}}", None),
    ("{user: alice, users: [default]}", "{alice: @}", Some("alice")),
    ("{user: alice, users: []}", "{alice: @}", Some("alice")),
    ("user: alice", "{alice: @}", Some("alice")),
    ("{user: alice, users: [bob]}", "{bob: {}, alice: @}", Some("alice")),
    (
        "user: {name: alice, shell: /bin/zsh, groups: [adm, sudo, docker]}",
        "{alice: {groups: 'adm,docker,sudo', shell: /bin/zsh}}",
        Some("alice"),
    ),
    ("user: {shell: /bin/zsh}", "{debian: {groups: 'adm,sudo', shell: /bin/zsh}}", Some("debian")),
    ("{user: alice, users: {bob: yes}}", "{bob: {}, alice: @}", Some("alice")),
    ("{user: alice, users: bob}", "{bob: {}, alice: @}", Some("alice")),
    (
        "{user: alice, users: [default, {name: alice, shell: z, groups: [w]}]}",
        "{alice: {shell: z, groups: 'adm,sudo,w'}}",
        Some("alice"),
    ),
    ("{user: alice, users: [{name: debian, shell: z}]}", "{debian: {shell: z}, alice: @}", Some("alice")),
    ("user: [alice]", "{debian: @}", Some("debian")),
    ("{user: '', users: [bob]}", "{bob: {}}", None),
    ("users: [{name: default, name: bob}, {name: default}]", "{bob: {}, debian: @}", Some("debian")),
    (
        "users: [{name: default, sudo: false}]",
        "{debian: {groups: 'adm,sudo', sudo: false, shell: /bin/bash}}",
        Some("debian"),
    ),
];

fn read(config: &str) -> People {
    let mut all = yaml::load(config).unwrap().as_map().unwrap().clone();
    all = crate::system_config::over(all, yaml::load(DEFAULT_USER).unwrap().as_map().unwrap());
    People::read(&all)
}

/// Settings with the groups as one text, however they were written.
fn with_joined_groups(mut settings: Mapping) -> Mapping {
    if let Some(groups) = settings.get("groups").map(words) {
        settings.set("groups", groups.join(","));
    }
    settings
}

#[test]
fn one_table_of_users_is_made_as_in_cloud_init() {
    for (config, users, default) in SAME {
        let people = read(config);
        let wanted = yaml::load(&users.replace('@', PLAIN)).unwrap();
        let made: Mapping = people
            .users
            .iter()
            .map(|user| (user.name.as_str().into(), with_joined_groups(user.settings.clone()).into()))
            .collect();
        assert_eq!(yaml::Value::Map(made), wanted, "{config}");
        let names: Vec<_> = people.users.iter().map(|user| user.name.as_str()).collect();
        let wanted: Vec<_> =
            wanted.as_map().unwrap().iter().map(|(name, _)| name.as_str().unwrap().to_owned()).collect();
        assert_eq!(names, wanted, "{config}");
        assert_eq!(people.default.as_deref(), *default, "{config}");
    }
}

fn check(config: &str, expected: Expect) {
    let people = read(config);
    let users =
        people.users.iter().map(|user| format!("{} {}\n", user.name, to_json(&user.settings.clone().into())));
    let groups =
        people.groups.iter().map(|group| format!("group {}: {}\n", group.name, group.members.join(" ")));
    let problems = people.problems.iter().map(|problem| format!("problem: {problem}\n"));
    expected.assert_eq(&users.chain(groups).chain(problems).collect::<String>());
}

/// cloud-init refuses all of it, or makes what nobody meant.
#[test]
fn a_bad_entry_costs_only_itself() {
    check(
        "users: [5, ~, {name: ~, shell: x}, {name: [a]}, bob, {name: -o}, '7']",
        expect![[r"
        bob {}
        problem: entry 1: it is a number and no user
        problem: entry 2: it is nothing and no user
        problem: entry 3: it has no name
        problem: entry 4: it has no name
        problem: entry 6: `-o` is no name for a user or a group
        problem: entry 7: `7` is no name for a user or a group
    "]],
    );
    check(
        "{users: {bob: [a], carol: yes}, user: [x], groups: 5}",
        expect![[r"
        carol {}
        problem: user: it is a list and no name
        problem: bob: it is a list and no user
        problem: groups: it is a number and no group
    "]],
    );
    check(
        "{users: ~, groups: [5, {a: ~, b: 5, -c: x}, 'd, e']}",
        expect![[r"
        group a: 
        group d: 
        group e: 
        problem: it is nothing and no list, so no user is made
        problem: groups: entry 1: it is a number and no group
        problem: groups: entry 2: b: it is a number and no list of members
        problem: groups: entry 2: `-c` is no name for a user or a group
    "]],
    );
}

/// cloud-init says nothing of them.
#[test]
fn users_who_are_not_meant_as_they_are_written_are_told() {
    check(
        "users: {name: solo, groups: sudo, bob: no, eve: ''}",
        expect![[r"
            problem: name: `solo` is no yes or no, so no user of this name is made (is a `- ` missing?)
            problem: groups: `sudo` is no yes or no, so no user of this name is made (is a `- ` missing?)
        "]],
    );
    for (users, idle) in [("users: ''", 1), ("users: ' , '", 1), ("users: []", 0), ("users: bob", 0)] {
        assert_eq!(read(users).idle.len(), idle, "{users}");
    }
}

/// cloud-init forgets these groups of the default user, and makes the default user an account of snap's.
#[test]
fn what_is_said_of_the_default_user_is_joined_and_a_snap_user_is_another() {
    check(
        "users: [{name: default, groups: [docker]}]",
        expect![[r#"
        debian {"groups":["adm","docker","sudo"],"shell":"/bin/bash"}
    "#]],
    );
    check(
        "{user: {name: alice, groups: docker}, users: []}",
        expect![[r#"
            alice {"shell":"/bin/bash","groups":["adm","docker","sudo"]}
        "#]],
    );
    check(
        "users: [{snapuser: a@b, known: true}, bob]",
        expect![[r"
        bob {}
        problem: entry 1: it is not made: the agent makes no snap user (give it a `name`, and take `snapuser` out)
    "]],
    );
}

/// Recorded from cloud-init as well; it leaves the blanks in `a, b`, and takes a text of a list as one member.
#[test]
fn groups_are_names_lists_and_mappings() {
    for (config, groups) in [
        ("users: []\ngroups: [{ops: [carol, sys]}, cloudy]", "ops:carol,sys cloudy:"),
        ("users: []\ngroups: 'a, b'", "a: b:"),
        ("users: []\ngroups: {a: [x], b: y}", "a:x b:y"),
        ("users: []\ngroups: {a: 'x, y'}", "a:x,y"),
        ("users: []\ngroups: [{a: x}, {a: [y, x]}, a]", "a:x,y"),
        ("users: []\ngroups: [a, a]", "a:"),
        ("users: []\ngroups: ~", ""),
        ("users: []\ngroups: []", ""),
        ("users: []\ngroups: ''", ""),
        ("users: []\ngroups: {a: [b, {c: d}]}", "a:b,c"),
    ] {
        let people = read(config);
        let made: Vec<_> =
            people.groups.iter().map(|group| format!("{}:{}", group.name, group.members.join(","))).collect();
        assert_eq!((made.join(" "), people.problems), (groups.to_owned(), vec![]), "{config}");
    }
}

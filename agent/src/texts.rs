//! The keys of cloud-config and meta-data whose values are texts, whatever YAML 1.1 would make of them.

use crate::yaml::Texts;

const TEXT: Texts = Texts::SCALAR;

const TEXTS: Texts = Texts { scalar: true, items: Some(&TEXT), ..Texts::NONE };

/// The groups of a user, or the groups of the key: names, or names with what is about them.
const NAMES: Texts =
    Texts { scalar: true, keys: true, items: Some(&NAMED), others: Some(&TEXTS), ..Texts::NONE };

const NAMED: Texts = Texts { scalar: true, keys: true, others: Some(&TEXTS), ..Texts::NONE };

const USER_KEYS: &[(&str, &Texts)] = &[
    ("expiredate", &TEXT),
    ("gecos", &TEXT),
    ("groups", &NAMES),
    ("hashed_passwd", &TEXT),
    ("homedir", &TEXT),
    ("name", &TEXT),
    ("passwd", &TEXT),
    ("plain_text_passwd", &TEXT),
    ("primary_group", &TEXT),
    ("selinux_user", &TEXT),
    ("shell", &TEXT),
    ("snapuser", &TEXT),
    ("ssh_authorized_keys", &TEXTS),
    ("ssh_import_id", &TEXTS),
];

/// A switch is not a text: `users: {bob: no}` makes no bob.
const USER: Texts = Texts { under: USER_KEYS, ..Texts::NONE };

const USER_ENTRY: Texts = Texts { scalar: true, items: Some(&TEXT), under: USER_KEYS, ..Texts::NONE };

const USERS: Texts = Texts { keys: true, items: Some(&USER_ENTRY), others: Some(&USER), ..Texts::NONE };

const FILE: Texts = Texts {
    under: &[("content", &TEXT), ("encoding", &TEXT), ("owner", &TEXT), ("path", &TEXT)],
    ..Texts::NONE
};

/// A command's words are texts. A number alone is no command.
const COMMANDS: Texts = Texts { items: Some(&Texts { items: Some(&TEXT), ..Texts::NONE }), ..Texts::NONE };

/// The keys of a cloud-config, which are the system's too.
pub(crate) const CONFIG: Texts = Texts {
    under: &[
        ("bootcmd", &COMMANDS),
        ("disable_root_opts", &TEXT),
        ("fqdn", &TEXT),
        ("groups", &NAMES),
        ("hostname", &TEXT),
        ("runcmd", &COMMANDS),
        ("ssh_authorized_keys", &TEXTS),
        ("ssh_import_id", &TEXTS),
        ("system_info", &Texts { under: &[("default_user", &USER)], ..Texts::NONE }),
        ("user", &USER),
        ("users", &USERS),
        ("write_files", &Texts { items: Some(&FILE), ..Texts::NONE }),
    ],
    ..Texts::NONE
};

/// The keys of meta-data. An instance-id is what Python makes of it, for directories are called so.
pub(crate) const META_DATA: Texts = Texts { under: &[("local_hostname", &TEXT)], ..Texts::NONE };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{load, load_with, to_json};
    use expect_test::expect;

    /// Values where a text is wanted, which YAML 1.1 reads as something else, and one that it does not.
    const WRITTEN: &[&str] = &[
        "33:33",
        "1000",
        "0644",
        "0o17",
        "1:30:00",
        "1_000",
        "0x1F",
        "0b11",
        "1.10",
        "1e3",
        "190:20:30.15",
        "on",
        "No",
        "yes",
        "2030-01-01",
        ".inf",
        "text",
        "-5",
        "+1",
    ];

    /// Where it is written, with `@` for it.
    const PLACES: &[&str] = &[
        "write_files: [{path: /a, owner: @}]",
        "write_files: [{path: /a, content: @}]",
        "users: [{name: @}]",
        "users: [@, [@]]",
        "users: {@: {gecos: @, plain-text-passwd: @, passwd: @, hashed_passwd: @}}",
        "users: [{name: a, groups: @, primary_group: @, shell: @, homedir: @, expiredate: @}]",
        "users: [{name: a, groups: [@]}]",
        "users: [{name: a, ssh_authorized_keys: [@], ssh-authorized-keys: @}]",
        "user: {name: @}",
        "groups: [@, {@: [@]}]",
        "groups: {@: @}",
        "hostname: @",
        "fqdn: @",
        "ssh_authorized_keys: [@]",
        "runcmd: [[chmod, @, /a]]",
        "bootcmd: [[echo, @]]",
        "system_info: {default_user: {name: @}}",
    ];

    #[test]
    fn where_a_text_is_wanted_it_is_as_it_was_written() {
        for place in PLACES {
            for written in WRITTEN {
                let read = load_with(&place.replace('@', written), &CONFIG).unwrap();
                let quoted = load(&place.replace('@', &format!("'{written}'"))).unwrap();
                assert_eq!(to_json(&read), to_json(&quoted), "{place} {written}");
            }
        }
    }

    #[test]
    fn anything_else_is_what_yaml_makes_of_it() {
        for text in [
            "a: 33:33",
            "users: {bob: no, carol: 1}",
            "users: [{name: a, sudo: no, lock_passwd: off, uid: 0100, system: on}]",
            "write_files: [{path: /a, permissions: 0644, append: yes, content: !!int 5}]",
            "runcmd: [5, yes]",
            "user: no",
            "hostname: ~",
            "users: ~",
            "groups: {a: ~}",
        ] {
            assert_eq!(to_json(&load_with(text, &CONFIG).unwrap()), to_json(&load(text).unwrap()), "{text}");
        }
        let merged = load_with("x: &x {owner: 1:2}\nwrite_files: [{<<: *x, path: 5}]", &CONFIG).unwrap();
        expect![[r#"{"x":{"owner":62},"write_files":[{"owner":"1:2","path":"5"}]}"#]]
            .assert_eq(&to_json(&merged));
    }
}

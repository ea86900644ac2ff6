//! A user's password: what sets it, locks it and unlocks it, as cloud-init's `create_user` does.

use super::Person;
use crate::accounts::Password;
use crate::yaml::Value;

/// The user before its password is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// useradd makes it without a password.
    New,
    /// It is there already, with this password.
    There(Password),
}

/// A program and its input, which is never shown.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Call<'a> {
    pub(super) argv: Vec<&'a str>,
    pub(super) input: Option<String>,
}

/// The plan for a password.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct Planned<'a> {
    /// Calls of chpasswd and passwd.
    pub(super) calls: Vec<Call<'a>>,
    /// The settings that cannot be used, and why.
    pub(super) problems: Vec<String>,
    /// The settings that have no effect.
    pub(super) idle: Vec<String>,
}

/// The form in which a key gives a password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Hash,
    /// In cloud-init it is an option of useradd.
    HashOfNewUser,
}

/// The keys for a password. The last one that is given wins.
const KEYS: [(&str, Kind); 3] =
    [("passwd", Kind::HashOfNewUser), ("plain_text_passwd", Kind::Plain), ("hashed_passwd", Kind::Hash)];

/// Plans the calls for a user.
pub(super) fn plan(user: &Person, before: Before) -> Planned<'_> {
    let name = user.name.as_str();
    let mut planned = Planned::default();
    let mut password = match before {
        Before::New => Password::Barred,
        Before::There(password) => password,
    };
    let mut is_blank = false;
    for (key, kind) in KEYS {
        let Some(value) = user.settings.get(key) else { continue };
        if kind == Kind::HashOfNewUser && before != Before::New {
            continue;
        }
        let text = value.scalar_text().unwrap_or_default();
        let text = text.trim_end_matches('\n');
        if text.is_empty() {
            is_blank |= matches!(value, Value::Null | Value::Str(_));
        } else if text.contains('\n') {
            planned.problems.push(format!("{key}: it has more than one line"));
        } else if kind == Kind::Plain {
            password = Password::Set;
            planned.chpasswd(&["chpasswd"], name, text);
        } else if kind == Kind::HashOfNewUser && text.trim_matches('!').is_empty() {
            // useradd leaves it so, and chpasswd refuses `!!`.
        } else {
            password = Password::of_field(text);
            planned.chpasswd(&["chpasswd", "-e"], name, text);
            if !is_hash(text) {
                planned.idle.push(format!(
                    "{key}: it is no hash, so no password has it (mkpasswd makes one; plain_text_passwd takes the \
                     password itself)"
                ));
            }
        }
    }
    let has = |key: &str| user.settings.get(key).is_some();
    if before != Before::New && has("passwd") && !has("plain_text_passwd") && !has("hashed_passwd") {
        planned.idle.push("passwd: it is for new users, and this one is there (use hashed_passwd)".into());
    }
    // Locked unless said otherwise.
    if user.settings.get("lock_passwd").is_none_or(|value| !value.is_off()) {
        planned.passwd("-l", name);
        return planned;
    }
    match password {
        Password::Set => {}
        Password::Locked => planned.passwd("-u", name),
        Password::Barred | Password::Empty if is_blank => planned.passwd("-d", name),
        Password::Barred | Password::Empty => {
            if planned.problems.is_empty() && planned.idle.is_empty() && planned.calls.is_empty() {
                planned.idle.push("lock_passwd: there is no password that could be unlocked".into());
            }
        }
    }
    planned
}

impl<'a> Planned<'a> {
    fn chpasswd(&mut self, argv: &[&'a str], name: &str, text: &str) {
        self.calls.push(Call { argv: argv.to_vec(), input: Some(format!("{name}:{text}\n")) });
    }

    fn passwd(&mut self, option: &'a str, name: &'a str) {
        self.calls.push(Call { argv: vec!["passwd", option, name], input: None });
    }
}

/// False for what can be no password's hash: a password that stands where its hash belongs.
fn is_hash(text: &str) -> bool {
    let is_old = text.len() == 13
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/');
    is_old || text.starts_with(['$', '!', '*', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;

    const OLD: &str = "$6$abc$OLD";

    /// The field of a user in /etc/shadow after passwd and chpasswd, and `?` where something is told.
    fn field(before: Option<&str>, settings: &str) -> String {
        let settings = load(&format!("{{{settings}}}")).unwrap().as_map().unwrap().clone();
        let user = Person { name: "u".into(), entry: None, settings };
        let state = before.map_or(Before::New, |field| Before::There(Password::of_field(field)));
        let planned = plan(&user, state);
        let mut field = before.unwrap_or("!").to_owned();
        for Call { argv, input } in planned.calls {
            let input = input.and_then(|input| Some(input.split_once(':')?.1.trim_end().to_owned()));
            field = match (&argv[..], input) {
                (["chpasswd"], Some(_)) => "PLAIN".into(),
                (["chpasswd", "-e"], Some(hash)) => hash,
                (["passwd", "-l", "u"], None) if field.starts_with('!') => field,
                (["passwd", "-l", "u"], None) => format!("!{field}"),
                (["passwd", "-u", "u"], None) => field.strip_prefix('!').unwrap().to_owned(),
                (["passwd", "-d", "u"], None) => String::new(),
                other => panic!("{other:?}"),
            };
        }
        if planned.problems.is_empty() && planned.idle.is_empty() { field } else { format!("{field}?") }
    }

    /// The fields that a user may have before.
    const FIELDS: [Option<&str>; 7] =
        [None, Some(""), Some("!"), Some("!!"), Some("*"), Some(OLD), Some("!$6$abc$OLD")];

    /// Settings, and the fields after them. Recorded from runs of cloud-init 26.2 with Debian sid's passwd; `?` is
    /// where it warns.
    const SAME: &[(&str, [&str; 7])] = &[
        ("", ["!", "!", "!", "!!", "!*", "!$6$abc$OLD", "!$6$abc$OLD"]),
        ("lock_passwd: no", ["!?", "?", "!?", "!", "*", OLD, OLD]),
        ("lock_passwd: ~", ["!?", "?", "!?", "!", "*", OLD, OLD]),
        ("lock_passwd: no, passwd: $NEW", ["$NEW", "?", "!?", "!?", "*?", "$6$abc$OLD?", "$6$abc$OLD?"]),
        ("lock_passwd: no, plain_text_passwd: pl", ["PLAIN"; 7]),
        ("lock_passwd: no, hashed_passwd: $NEW", ["$NEW"; 7]),
        ("lock_passwd: no, plain_text_passwd: ''", ["", "", "", "!", "*", OLD, OLD]),
        ("lock_passwd: no, hashed_passwd: ''", ["", "", "", "!", "*", OLD, OLD]),
        ("lock_passwd: no, passwd: ''", ["", "?", "!?", "!?", "*?", "$6$abc$OLD?", "$6$abc$OLD?"]),
        ("hashed_passwd: $NEW", ["!$NEW"; 7]),
        ("passwd: $NEW", ["!$NEW", "!?", "!?", "!!?", "!*?", "!$6$abc$OLD?", "!$6$abc$OLD?"]),
        ("plain_text_passwd: pl, passwd: $NEW, lock_passwd: no", ["PLAIN"; 7]),
        ("plain_text_passwd: pl, hashed_passwd: $NEW, lock_passwd: no", ["$NEW"; 7]),
        ("plain_text_passwd: '', passwd: $NEW, lock_passwd: no", ["$NEW", "", "", "!", "*", OLD, OLD]),
        ("hashed_passwd: '!$NEW', lock_passwd: no", ["$NEW"; 7]),
        ("plain_text_passwd: pl", ["!PLAIN"; 7]),
        ("plain_text_passwd: 'pl\n\n'", ["!PLAIN"; 7]),
        ("passwd: '!$NEW', lock_passwd: no", ["$NEW", "?", "!?", "!?", "*?", "$6$abc$OLD?", "$6$abc$OLD?"]),
        ("passwd: '*', lock_passwd: no", ["*", "?", "!?", "!?", "*?", "$6$abc$OLD?", "$6$abc$OLD?"]),
        ("passwd: ''", ["!", "!?", "!?", "!!?", "!*?", "!$6$abc$OLD?", "!$6$abc$OLD?"]),
    ];

    #[test]
    fn passwords_are_set_locked_and_unlocked_as_in_cloud_init() {
        for (settings, after) in SAME {
            for (before, wanted) in FIELDS.iter().zip(after) {
                assert_eq!(field(*before, settings), *wanted, "{before:?} {settings}");
            }
        }
    }

    /// cloud-init says nothing of a password in the place of a hash. It empties the password where `passwd` is `!`, and
    /// locks it where `lock_passwd` is a text.
    #[test]
    fn what_is_no_hash_is_told_and_a_switch_may_be_a_word() {
        for (settings, wanted) in [
            ("passwd: hunter2", "!hunter2?"),
            ("passwd: hunter2, lock_passwd: no", "hunter2?"),
            ("passwd: abJnggxhB/yWI", "!abJnggxhB/yWI"),
            ("passwd: '!', lock_passwd: no", "!?"),
            ("passwd: '!!'", "!"),
            ("plain_text_passwd: \"a\\nb:c\"", "!?"),
            ("plain_text_passwd: [a], lock_passwd: no", "!?"),
            ("plain_text_passwd: 12, lock_passwd: 'False'", "PLAIN"),
            ("plain_text_passwd: 12, lock_passwd: maybe", "!PLAIN"),
        ] {
            assert_eq!(field(None, settings), wanted, "{settings}");
        }
    }
}

//! Values against the forms that they may have.

use super::forms::{Form, Key, Keys, Spelling};
use super::keys::nearest;
use crate::yaml::{Mapping, PathStep, Value};

/// A value that is not as it should be.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// The way to it.
    pub(super) steps: Vec<PathStep>,
    pub(super) kind: FaultKind,
    pub(super) message: String,
}

/// The consequence of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FaultKind {
    /// The value is none that could be used.
    Unusable,
    /// There is no such key: what is under it is passed over.
    Unknown,
    /// It is understood.
    Deprecated,
    /// It is valid, and has no effect.
    NoEffect,
}

/// More are not told, and no more than one beyond is looked for: each is looked up in the text.
pub(super) const MOST: usize = 1000;

/// The most characters of a value that a message quotes.
const LONGEST: usize = 40;

/// Adds what is wrong with a value to `found`.
pub(super) fn check(value: &Value, forms: &[Form], steps: &mut Vec<PathStep>, found: &mut Vec<Fault>) {
    if matches!(value, Value::Null | Value::Set(_)) || found.len() > MOST {
        return;
    }
    let mut nearest: Option<Vec<Fault>> = None;
    for form in forms {
        let Some(faults) = against(value, form, steps) else { continue };
        let count =
            |faults: &[Fault]| faults.iter().filter(|fault| fault.kind != FaultKind::Deprecated).count();
        if nearest.as_ref().is_none_or(|before| count(&faults) < count(before)) {
            nearest = Some(faults);
        }
    }
    match nearest {
        Some(faults) => found.extend(faults),
        None => found.push(Fault {
            steps: steps.clone(),
            kind: FaultKind::Unusable,
            message: not_one_of(value, forms),
        }),
    }
}

/// Lists the faults within a value; `None` when it has not this form.
fn against(value: &Value, form: &Form, steps: &mut Vec<PathStep>) -> Option<Vec<Fault>> {
    let mut found = Vec::new();
    match (form, value) {
        (Form::Any, _)
        | (Form::Text, Value::Str(_) | Value::Time(_) | Value::Binary(_))
        | (Form::Number, Value::Int(_) | Value::Float(_))
        | (Form::YesNo, Value::Bool(_)) => {}
        (Form::Word(words), Value::Str(text)) if words.contains(&text.as_str()) => {}
        (Form::List(forms), Value::Seq(items)) => {
            for (number, item) in items.iter().enumerate() {
                steps.push(PathStep::Entry(number));
                check(item, forms, steps, &mut found);
                steps.pop();
            }
        }
        (Form::Names(forms), Value::Map(mapping)) => {
            for (name, item) in mapping.iter() {
                steps.push(PathStep::Key(name.scalar_text().unwrap_or_default()));
                check(item, forms, steps, &mut found);
                steps.pop();
            }
        }
        (Form::Keys(keys), Value::Map(mapping)) => within(mapping, keys, steps, &mut found),
        (Form::Old(form, instead), _) => {
            found = against(value, form, steps)?;
            let message = format!("{} is deprecated here: use {instead}", shown(value));
            found.push(Fault { steps: steps.clone(), kind: FaultKind::Deprecated, message });
        }
        _ => return None,
    }
    Some(found)
}

fn within(mapping: &Mapping, keys: &Keys, steps: &mut Vec<PathStep>, found: &mut Vec<Fault>) {
    for (name, value) in mapping.iter() {
        if found.len() > MOST {
            return;
        }
        let name = name.scalar_text().unwrap_or_default();
        let (key, is_old) = entry(&name, keys);
        steps.push(PathStep::Key(name));
        let mut add = |kind, message| found.push(Fault { steps: steps.clone(), kind, message });
        if let Some((key, forms)) = key {
            if is_old {
                add(FaultKind::Deprecated, format!("it is deprecated: use {key}"));
            }
            check(value, forms, steps, found);
        } else if let Some(PathStep::Key(name)) = steps.last() {
            add(FaultKind::Unknown, unknown(name, keys.all.iter().map(|(name, _)| *name)));
        }
        steps.pop();
    }
    let is_there = |name: &str| {
        let mut others = mapping.iter().filter(|(_, value)| *value != Value::Null);
        others.any(|(key, _)| {
            key.as_str().is_some_and(|key| entry(key, keys).0.is_some_and(|(key, _)| *key == name))
        })
    };
    for group in keys.needs.iter().filter(|group| !group.iter().any(|name| is_there(name))) {
        let message = format!("it has no {}", group.first().unwrap_or(&""));
        found.push(Fault { steps: steps.clone(), kind: FaultKind::Unusable, message });
    }
}

/// The key of that name, and whether it is written as of old.
fn entry(name: &str, keys: &Keys) -> (Option<&'static Key>, bool) {
    let find = |name: &str| keys.all.iter().find(|(key, _)| *key == name);
    match find(name) {
        None if keys.spelling == Spelling::HyphensOfOld && name.contains('-') => {
            (find(&name.replace('-', "_")), true)
        }
        found => (found, false),
    }
}

/// The message for a key that nobody knows.
pub(super) fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let meant = nearest(name, known).map(|name| format!(" (is it {name}?)")).unwrap_or_default();
    format!("there is no such key{meant}")
}

fn not_one_of(value: &Value, forms: &[Form]) -> String {
    let words: Vec<String> = forms.iter().filter_map(described).collect();
    let value = if forms.iter().any(|form| matches!(form, Form::Word(_))) {
        shown(value)
    } else {
        value.kind().into()
    };
    format!("it is {value} and not {}", words.join(" or "))
}

/// Describes a form for a proposal; `None` for deprecated ones, which are not proposed.
fn described(form: &Form) -> Option<String> {
    let word = match form {
        Form::Any | Form::Old(..) => return None,
        Form::Text => "a text",
        Form::Number => "a number",
        Form::YesNo => "a yes or no",
        Form::List(_) => "a list",
        Form::Names(_) | Form::Keys(_) => "a mapping",
        Form::Word(words) => {
            return Some(words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "));
        }
    };
    Some(word.to_owned())
}

/// A text where there are few to choose from, and the kind of anything else.
fn shown(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text.chars().count() <= LONGEST => format!("`{}`", text.escape_debug()),
        _ => value.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::forms::top;
    use super::*;
    use crate::yaml;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let config = yaml::load(text).unwrap();
        let mut lines = String::new();
        for (key, value) in config.as_map().unwrap().iter() {
            let key = key.as_str().unwrap();
            let (_, forms) = top().find(|(name, _)| *name == key).unwrap();
            let mut found = Vec::new();
            super::check(value, forms, &mut vec![PathStep::Key(key.into())], &mut found);
            for Fault { steps, kind, message } in found {
                let steps = steps.iter().map(|step| match step {
                    PathStep::Key(name) => name.clone(),
                    PathStep::Entry(number) => number.to_string(),
                });
                lines.extend([steps.collect::<Vec<_>>().join("."), format!(" {kind:?}: {message}\n")]);
            }
        }
        expected.assert_eq(&lines);
    }

    #[test]
    fn each_form_takes_its_kinds_and_no_other() {
        check(
            "users:
- {name: a, gecos: [x], uid: no, sudo: {a: b}, groups: 5}
- {shell: /bin/sh}
- 5
- [b, 6]
write_files:
- {path: /a, content: {a: b}, append: 1, defer: 'yes', source: {url: x}}
- {path: ~}
- /b
runcmd: [[ls, {a: b}], 5, {a: b}]
manage_etc_hosts: never
vendor_data: {enabled: 2, prefix: {a: b}}
output: {all: 5, last: x, init: {out: x}}
merge_how: [{name: tuple, settings: [append, all]}, {name: list}, 5]
groups: {adm: {a: b}}
",
            expect![[r"
                users.0.gecos Unusable: it is a list and not a text
                users.0.uid Unusable: it is a yes or no and not a number
                users.0.sudo Unusable: it is a mapping and not a text or a list
                users.0.groups Unusable: it is a number and not a text or a list
                users.2 Unusable: it is a number and not a text or a list or a mapping
                users.3.1 Unusable: it is a number and not a text
                write_files.0.content Unusable: it is a mapping and not a text
                write_files.0.append Unusable: it is a number and not a yes or no
                write_files.0.defer Unusable: it is a text and not a yes or no
                write_files.0.source.url Unknown: there is no such key (is it uri?)
                write_files.1 Unusable: it has no path
                write_files.2 Unusable: it is a text and not a mapping
                runcmd.0.1 Unusable: it is a mapping and not a text or a number or a yes or no
                runcmd.1 Unusable: it is a number and not a text or a list
                runcmd.2 Unusable: it is a mapping and not a text or a list
                manage_etc_hosts Unusable: it is `never` and not a yes or no or `localhost`
                vendor_data.enabled Unusable: it is a number and not a yes or no
                vendor_data.prefix Unusable: it is a mapping and not a text or a list
                output.all Unusable: it is a number and not a text or a list or a mapping
                output.last Unknown: there is no such key
                output.init.out Unknown: there is no such key
                merge_how.0.name Unusable: it is `tuple` and not `dict` or `list` or `str`
                merge_how.0.settings.1 Unusable: it is `all` and not `allow_delete` or `append` or `no_replace` or `prepend` or `recurse_array` or `recurse_dict` or `recurse_list` or `recurse_str` or `replace`
                merge_how.1 Unusable: it has no settings
                merge_how.2 Unusable: it is a number and not a mapping or a list
                groups.adm Unusable: it is a mapping and not a text or a list
            "]],
        );
    }

    #[test]
    fn what_is_of_old_is_told_and_no_fault() {
        check(
            "users:
- {name: a, lock-passwd: true, ssh-authorized-keys: [k], uid: '5', sudo: false, groups: {adm: ~}}
manage_etc_hosts: template
vendor_data: {enabled: 'yes'}
system_info: {default_user: {name: x}}
",
            expect![[r"
                users.0.lock-passwd Deprecated: it is deprecated: use lock_passwd
                users.0.ssh-authorized-keys Deprecated: it is deprecated: use ssh_authorized_keys
                users.0.uid Deprecated: `5` is deprecated here: use a number
                users.0.sudo Deprecated: a yes or no is deprecated here: use a rule, or nothing
                users.0.groups Deprecated: a mapping is deprecated here: use a text or a list
                manage_etc_hosts Deprecated: `template` is deprecated here: use `true`
                vendor_data.enabled Deprecated: `yes` is deprecated here: use a yes or no
                system_info Deprecated: a mapping is deprecated here: use the system's own configuration
            "]],
        );
    }

    #[test]
    fn what_is_right_is_not_told() {
        check(
            "users: [default, {name: a, sudo: [x, y], groups: [b], passwd: x, uid: 5, expiredate: 2030-01-01}, [b, c]]
groups: [adm, {web: [a, b]}, {one: a}]
user: {shell: /bin/sh}
write_files: [{path: /a, permissions: 0644, content: !!binary aGkK, defer: yes, source: {uri: x, headers: {a: b}}}]
runcmd: [ls, [sleep, 5], ~]
bootcmd: ~
manage_etc_hosts: localhost
vendor_data: {enabled: no, prefix: [nice, 5]}
output: {all: '| tee x', init: [a, b], final: {output: a, error: b}}
merge_how: [{name: list, settings: [append]}, [dict, replace]]
cloud_init_modules: [write_files, [runcmd, always], {name: ssh, frequency: once}]
",
            expect![[""]],
        );
    }

    #[test]
    fn many_faults_have_an_end() {
        let text = format!("runcmd: [{}]", "5,".repeat(100_000));
        let config = yaml::load(&text).unwrap();
        let mut found = Vec::new();
        let (_, forms) = top().find(|(name, _)| *name == "runcmd").unwrap();
        super::check(config.as_map().unwrap().get("runcmd").unwrap(), forms, &mut Vec::new(), &mut found);
        assert_eq!(found.len(), MOST + 1);
    }
}

//! The keys at the top of a cloud-config. Those that are carried out have all that they hold, and those left to others
//! the kinds of values that they take.

use super::forms::Form::{self, Text, YesNo};
use super::forms::top;

const LIST: Form = Form::List(&[Form::Any]);
const MAPPING: Form = Form::Names(&[Form::Any]);

/// The keys that are left to others, sorted by the forms that they take.
const OTHERS: &[(&[Form], &[&str])] = &[
    (&[Text], &["byobu_by_default", "def_log_file", "ssh_svcname", "yum_repo_dir"]),
    (&[YesNo], &["manage_resolv_conf", "manual_cache_clean", "migrate"]),
    (&[LIST], &["log_cfgs", "unverified_modules"]),
    (&[LIST, Text], &["syslog_fix_perms"]),
    (
        &[MAPPING],
        &[
            "ansible",
            "apk_repos",
            "autoinstall",
            "chef",
            "datasource",
            "drivers",
            "fan",
            "grub-dpkg",
            "grub_dpkg",
            "landscape",
            "lxd",
            "mcollective",
            "network",
            "puppet",
            "reporting",
            "resolv_conf",
            "rh_subscription",
            "rpi",
            "salt_minion",
            "snap",
            "spacewalk",
            "ssh_publish_hostkeys",
            "ubuntu_advantage",
            "ubuntu_pro",
            "updates",
            "wireguard",
            "yum_repos",
            "zypper",
        ],
    ),
];

/// The forms that a key may hold; `None` when there is no such key.
pub(super) fn forms(key: &str) -> Option<&'static [Form]> {
    let own = top().find(|(name, _)| *name == key).map(|(_, forms)| *forms);
    own.or_else(|| OTHERS.iter().find(|(_, names)| names.contains(&key)).map(|(forms, _)| *forms))
}

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let others = OTHERS.iter().flat_map(|(_, names)| names.iter().copied());
    top().map(|(name, _)| *name).chain(others)
}

/// The name that one may have been meant to be.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let near = known.map(|known| (distance(name, known), known)).min()?;
    (near.0 <= 2 && near.0 * 2 < name.len()).then_some(near.1)
}

/// The number of characters that have to be changed, left out or put in.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, character) in one.chars().take(LONGEST).enumerate() {
        let mut next = vec![line + 1];
        for (pair, known) in row.windows(2).zip(&other) {
            let [diagonal, above] = *pair else { continue };
            let left = next.last().copied().unwrap_or_default();
            let changed = diagonal + usize::from(character != *known);
            next.push(changed.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// No key is longer.
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::super::check::{check, unknown};
    use super::*;
    use crate::handlers;
    use crate::yaml::load;

    fn check_key(key: &str, value: &str, problem: Option<&str>) {
        let mut found = Vec::new();
        check(&load(value).unwrap(), forms(key).unwrap(), &mut Vec::new(), &mut found);
        assert_eq!(found.first().map(|fault| fault.message.as_str()), problem, "{key}: {value}");
    }

    #[test]
    fn a_key_takes_its_kinds_and_no_other() {
        for (key, value) in [("packages", "[a, [b, c]]"), ("packages", "~"), ("locale", "yes")] {
            check_key(key, value, None);
        }
        check_key("packages", "ls", Some("it is a text and not a list"));
        check_key("package_update", "'yes'", Some("it is a text and not a yes or no"));
    }

    #[test]
    fn an_unknown_key_is_told_with_the_one_that_is_nearest() {
        for (key, told) in [
            ("runcmds", "there is no such key (is it runcmd?)"),
            ("write-files", "there is no such key (is it write_files?)"),
            ("mine", "there is no such key"),
            ("x", "there is no such key"),
            (&"y".repeat(100_000), "there is no such key"),
        ] {
            assert!(forms(key).is_none());
            assert_eq!(unknown(key, names()), told);
        }
    }

    #[test]
    fn no_key_stands_there_twice_and_none_of_a_handler_is_missing() {
        let mut names: Vec<_> = names().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for handler in handlers::ALL {
            for key in handler.keys {
                assert!(top().any(|(name, _)| name == key), "{key}");
            }
        }
    }
}

//! The keys of a cloud-config, and the kinds of values that they take.

use crate::yaml::Value;

/// A kind of value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Number,
    YesNo,
    List,
    Mapping,
}

use Kind::{List, Mapping, Number, Text, YesNo};

impl Kind {
    /// The kind of a value; `None` for what may stand anywhere.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null | Value::Set(_) => None,
            Value::Bool(_) => Some(YesNo),
            Value::Int(_) | Value::Float(_) => Some(Number),
            Value::Str(_) | Value::Time(_) | Value::Binary(_) => Some(Text),
            Value::Seq(_) => Some(List),
            Value::Map(_) => Some(Mapping),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Text => "a text",
            Number => "a number",
            YesNo => "a yes or no",
            List => "a list",
            Mapping => "a mapping",
        }
    }
}

/// Sorted by what they take.
const ALL: &[(&[Kind], &[&str])] = &[
    (
        &[Text],
        &[
            "authkey_hash",
            "byobu_by_default",
            "def_log_file",
            "disable_root_opts",
            "final_message",
            "fqdn",
            "hostname",
            "locale_configfile",
            "merge_type",
            "password",
            "ssh_svcname",
            "timezone",
            "yum_repo_dir",
        ],
    ),
    (&[Text, YesNo], &["locale", "manage_etc_hosts", "resize_rootfs", "ssh_pwauth"]),
    (&[Text, Number, YesNo], &["apt_pipelining"]),
    (&[Text, Mapping], &["output", "user"]),
    (&[Text, List], &["merge_how"]),
    (&[Text, List, Mapping], &["groups", "users"]),
    (&[Text, Number], &["launch-index"]),
    (
        &[YesNo],
        &[
            "allow_public_ssh_keys",
            "apt_reboot_if_required",
            "apt_update",
            "apt_upgrade",
            "create_hostname_file",
            "disable_ec2_metadata",
            "disable_root",
            "manage_resolv_conf",
            "manual_cache_clean",
            "migrate",
            "no_ssh_fingerprints",
            "package_reboot_if_required",
            "package_update",
            "package_upgrade",
            "prefer_fqdn_over_hostname",
            "preserve_hostname",
            "ssh_deletekeys",
            "ssh_quiet_keygen",
        ],
    ),
    (
        &[List],
        &[
            "bootcmd",
            "cloud_config_modules",
            "cloud_final_modules",
            "cloud_init_modules",
            "datasource_list",
            "fs_setup",
            "log_cfgs",
            "mount_default_fields",
            "mounts",
            "packages",
            "runcmd",
            "ssh_authorized_keys",
            "ssh_fp_console_blacklist",
            "ssh_genkeytypes",
            "ssh_import_id",
            "ssh_key_console_blacklist",
            "unverified_modules",
            "write_files",
        ],
    ),
    (&[List, Mapping], &["rsyslog"]),
    (&[List, Text], &["syslog_fix_perms"]),
    (
        &[Mapping],
        &[
            "ansible",
            "apk_repos",
            "apt",
            "autoinstall",
            "ca-certs",
            "ca_certs",
            "chef",
            "chpasswd",
            "datasource",
            "device_aliases",
            "disk_setup",
            "drivers",
            "fan",
            "growpart",
            "grub-dpkg",
            "grub_dpkg",
            "keyboard",
            "landscape",
            "lxd",
            "mcollective",
            "network",
            "ntp",
            "phone_home",
            "power_state",
            "puppet",
            "random_seed",
            "reporting",
            "resolv_conf",
            "rh_subscription",
            "rpi",
            "salt_minion",
            "snap",
            "spacewalk",
            "ssh",
            "ssh_keys",
            "ssh_publish_hostkeys",
            "swap",
            "system_info",
            "ubuntu_advantage",
            "ubuntu_pro",
            "updates",
            "vendor_data",
            "vendor_data2",
            "wireguard",
            "yum_repos",
            "zypper",
        ],
    ),
];

/// What is wrong with a key and its value.
pub(super) fn problem(key: &str, value: &Value) -> Option<String> {
    let Some((kinds, _)) = ALL.iter().find(|(_, names)| names.contains(&key)) else {
        let nearest = nearest(key).map(|name| format!(" (is it {name}?)")).unwrap_or_default();
        return Some(format!("there is no such key{nearest}"));
    };
    let kind = Kind::of(value)?;
    if kinds.contains(&kind) {
        return None;
    }
    let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
    Some(format!("it is {} and not {}", value.kind(), words.join(" or ")))
}

/// The key that one may have been meant to be.
fn nearest(key: &str) -> Option<&'static str> {
    let names = ALL.iter().flat_map(|(_, names)| names.iter().copied());
    let near = names.map(|name| (distance(key, name), name)).min()?;
    (near.0 <= 2 && near.0 * 2 < key.len()).then_some(near.1)
}

/// How many characters have to be changed, left out or put in.
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
    use super::*;
    use crate::handlers;
    use crate::yaml::load;

    fn check(key: &str, value: &str, problem: Option<&str>) {
        assert_eq!(super::problem(key, &load(value).unwrap()).as_deref(), problem, "{key}: {value}");
    }

    #[test]
    fn a_key_takes_its_kinds_and_no_other() {
        for (key, value) in
            [("runcmd", "[ls]"), ("runcmd", "~"), ("users", "a, b"), ("users", "[a]"), ("ssh_pwauth", "yes")]
        {
            check(key, value, None);
        }
        check("runcmd", "ls", Some("it is a text and not a list"));
        check("package_update", "'yes'", Some("it is a text and not a yes or no"));
        check("user", "[a]", Some("it is a list and not a text or a mapping"));
    }

    #[test]
    fn an_unknown_key_is_told_with_the_one_that_is_nearest() {
        check("runcmds", "[]", Some("there is no such key (is it runcmd?)"));
        check("write-files", "[]", Some("there is no such key (is it write_files?)"));
        check("mine", "[]", Some("there is no such key"));
        check("x", "[]", Some("there is no such key"));
        check(&"y".repeat(100_000), "[]", Some("there is no such key"));
    }

    #[test]
    fn no_key_stands_there_twice_and_none_of_a_handler_is_missing() {
        let mut names: Vec<_> = ALL.iter().flat_map(|(_, names)| names.iter()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for handler in handlers::ALL {
            assert!(names.contains(&&handler.name), "{}", handler.name);
        }
    }
}

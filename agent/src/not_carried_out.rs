//! Keys of a cloud-config that ask for something, and that nothing here carries out. They are named at boot, in
//! `status`, by `plan` and by `validate`: silence would look like success.

use crate::yaml::{Mapping, Value};
use crate::{handlers, validate};

/// The keys with an effect that no handler has. Some have one in the system's configuration alone, in cloud-init as
/// well.
const CARRIED_OUT: &[&str] = &[
    "allow_userdata",
    "cloud_config_modules",
    "cloud_final_modules",
    "cloud_init_modules",
    "datasource",
    "datasource_list",
    "launch-index",
    "merge_how",
    "merge_type",
    "output",
    "system_info",
    "user_data_policy",
    "vendor_data",
    "vendor_data2",
];

/// Keys that change how another key is carried out, or how cloud-init itself works. They ask for nothing by themselves.
const ADJUST: &[&str] = &[
    "def_log_file",
    "log_cfgs",
    "no_ssh_fingerprints",
    "ssh_fp_console_blacklist",
    "ssh_key_console_blacklist",
    "ssh_svcname",
    "syslog_fix_perms",
    "unverified_modules",
];

/// Parts of a mapping that ask for nothing where they stand alone.
const ALONE: &[(&str, &[&str])] = &[("ssh_publish_hostkeys", &["blacklist"])];

/// The keys of a configuration that ask for something, and that nothing carries out.
fn keys(config: &Mapping) -> impl Iterator<Item = String> {
    config.iter().filter_map(|(key, value)| {
        let key = key.scalar_text().unwrap_or_default();
        (is_key(&key, value) && validate::is_known_key(&key)).then_some(key)
    })
}

/// True for a key that asks for something, and that nothing carries out.
pub(crate) fn is_key(key: &str, value: &Value) -> bool {
    let is_carried_out = CARRIED_OUT.contains(&key) || handlers::of_key(key).next().is_some();
    !is_carried_out && !ADJUST.contains(&key) && asks(key, value)
}

/// True if a value asks for something.
fn asks(key: &str, value: &Value) -> bool {
    let alone = ALONE.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, names)| names);
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Str(text) => !text.is_empty(),
        Value::Seq(items) | Value::Set(items) => !items.is_empty(),
        Value::Map(mapping) => {
            mapping.iter().any(|(name, _)| !name.as_str().is_some_and(|name| alone.contains(&name)))
        }
        _ => true,
    }
}

/// The messages for a boot's log and `status`: keys that nothing carries out, and keys that do not exist. `whose` says
/// where they stand.
pub(crate) fn messages(whose: &str, config: &Mapping) -> Vec<String> {
    let told = message(whose, config);
    let unknown = validate::unknown_keys(config).into_iter().map(|unknown| format!("{whose}: {unknown}"));
    told.into_iter().chain(unknown).collect()
}

/// The message for keys that nothing carries out alone. The system's configuration may have keys of its own.
pub(crate) fn message(whose: &str, config: &Mapping) -> Option<String> {
    let keys: Vec<String> = keys(config).map(|key| key.escape_debug().to_string()).collect();
    let plural = if keys.len() == 1 { "" } else { "s" };
    (!keys.is_empty()).then(|| format!("{whose}: nothing carries out the key{plural} {}", keys.join(", ")))
}

/// The message for one key.
pub(crate) const ONE: &str = "nothing carries out this key";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;

    fn told(config: &str) -> Option<String> {
        messages("user-data", load(config).unwrap().as_map().unwrap()).into_iter().next()
    }

    #[test]
    fn a_key_that_does_not_exist_is_named_with_the_one_that_may_be_meant() {
        let all = |config: &str| messages("user-data", load(config).unwrap().as_map().unwrap());
        let eve = "user-data: users.1.ssh_authorised_keys: there is no such key (is it ssh_authorized_keys?)";
        assert_eq!(all("users: [{name: eve, ssh_authorised_keys: [k]}]"), [eve]);
        assert_eq!(
            all("write_file: [{path: /a}]"),
            ["user-data: write_file: there is no such key (is it write_files?)"]
        );
        assert_eq!(all("users: [{name: eve, ssh-authorized-keys: [k]}]"), [""; 0]);
    }

    #[test]
    fn what_asks_for_something_is_named() {
        for key in [
            "autoinstall: {version: 1}",
            "apk_repos: {preserve_repositories: true}",
            "byobu_by_default: enable",
            "drivers: {nvidia: {license-accepted: true}}",
            "fan: {config: x}",
            "landscape: {client: {account_name: a}}",
            "lxd: {init: {storage_backend: dir}}",
            "mcollective: {conf: {a: b}}",
            "reporting: {a: {type: log}}",
            "rh_subscription: {username: a}",
            "spacewalk: {server: a}",
            "ubuntu_pro: {token: a}",
            "wireguard: {interfaces: []}",
            "yum_repos: {a: {baseurl: b}}",
            "zypper: {repos: []}",
        ] {
            let name = key.split(':').next().unwrap();
            assert_eq!(told(key), Some(format!("user-data: nothing carries out the key {name}")), "{key}");
        }
        let two = told("{lxd: {init: {a: b}}, hostname: a, fan: {config: x}}");
        assert_eq!(two.as_deref(), Some("user-data: nothing carries out the keys lxd, fan"));
    }

    #[test]
    fn what_is_carried_out_or_asks_for_nothing_is_not() {
        for config in [
            "{hostname: a, users: [default], runcmd: [ls], write_files: [{path: /a}], bootcmd: [ls]}",
            "{byobu_by_default: '', lxd: {}, fan: null, spacewalk: false, ubuntu_pro: {}}",
            "timezone: UTC",
            "{chpasswd: {expire: false}, ssh_pwauth: false}",
            "apt: {preserve_sources_list: true}",
            "disable_root: true",
        ] {
            assert_eq!(told(config), None, "{config}");
        }
    }
}

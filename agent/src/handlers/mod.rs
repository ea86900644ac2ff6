//! The handlers for the keys of a cloud-config, a file each.
//!
//! To add one: a file here with a `plan` function, a line in `ALL` at its place in the order, and a case in
//! `agent/tests/`. A plan is made from facts alone and changes nothing. A problem with one entry leaves the other
//! entries in the plan. A problem begins with its key where the handler has several, and with `entry N: ` in a list.

mod apt;
mod apt_pipelining;
mod bootcmd;
mod ca_certs;
mod commands;
mod disable_ec2_metadata;
mod distribution;
mod final_message;
mod growpart;
mod handler;
mod host_names;
mod hostname;
mod install;
mod keyboard;
mod keys_to_console;
mod locale;
mod mounts;
mod ntp;
mod packages;
mod passwords;
mod phone_home;
mod power_state;
mod public_keys;
mod resizefs;
mod rsyslog;
mod runcmd;
mod seed_random;
mod ssh_authkey_fingerprints;
mod ssh_authorized_keys;
mod ssh_host_keys;
mod ssh_import_id;
mod ssh_pwauth;
mod sshd_config;
#[cfg(test)]
mod testing;
mod timezone;
mod update_etc_hosts;
mod update_hostname;
mod users;
mod write_files;

pub(crate) use apt::dearmored;
pub(crate) use commands::CommandList;
pub(crate) use handler::{Act, Handler, HandlerFacts, InRescue, ScriptPlace, Stage};
pub(crate) use runcmd::{COMMANDS, has_commands};

use crate::instance::Frequency;

/// The keys of the machine's name.
const HOST_NAME: &[&str] =
    &["hostname", "fqdn", "prefer_fqdn_over_hostname", "preserve_hostname", "create_hostname_file"];

/// Files here that several handlers share.
#[cfg(test)]
const SHARED: &[&str] = &[
    "commands",
    "distribution",
    "handler",
    "host_names",
    "install",
    "public_keys",
    "sshd_config",
    "testing",
];

/// The handlers in the order in which they run, which is that of cloud-init's modules.
pub(crate) const ALL: &[Handler] = &[
    Handler {
        name: "seed_random",
        keys: &["random_seed"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "seed_random",
        semaphore: "config_seed_random",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(seed_random::plan),
    },
    Handler {
        name: "bootcmd",
        keys: &["bootcmd"],
        stage: Stage::Init,
        frequency: Frequency::Boot,
        module: "bootcmd",
        semaphore: "config_bootcmd",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(bootcmd::plan),
    },
    Handler {
        name: "write_files",
        keys: &["write_files"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "write_files",
        semaphore: "config_write_files",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(write_files::plan),
    },
    Handler {
        name: "growpart",
        keys: &["growpart"],
        stage: Stage::Init,
        frequency: Frequency::Boot,
        module: "growpart",
        semaphore: "config_growpart",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(growpart::plan),
    },
    Handler {
        name: "resizefs",
        keys: &["resize_rootfs"],
        stage: Stage::Init,
        frequency: Frequency::Boot,
        module: "resizefs",
        semaphore: "config_resizefs",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(resizefs::plan),
    },
    Handler {
        name: "mounts",
        keys: &["mounts", "mount_default_fields", "swap", "device_aliases"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "mounts",
        semaphore: "config_mounts",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(mounts::plan),
    },
    Handler {
        name: "hostname",
        keys: HOST_NAME,
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "set_hostname",
        semaphore: "config_set_hostname",
        in_rescue: InRescue::Done,
        act: Act::Plan(hostname::plan),
    },
    Handler {
        name: "update_hostname",
        keys: HOST_NAME,
        stage: Stage::Init,
        frequency: Frequency::Boot,
        module: "update_hostname",
        semaphore: "config_update_hostname",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(update_hostname::plan),
    },
    Handler {
        name: "update_etc_hosts",
        keys: &["manage_etc_hosts"],
        stage: Stage::Init,
        frequency: Frequency::Boot,
        module: "update_etc_hosts",
        semaphore: "config_update_etc_hosts",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(update_etc_hosts::plan),
    },
    Handler {
        name: "ca_certs",
        keys: &["ca_certs", "ca-certs"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "ca_certs",
        semaphore: "config_ca_certs",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(ca_certs::plan),
    },
    Handler {
        name: "rsyslog",
        keys: &["rsyslog", "rsyslog_dir", "rsyslog_filename"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "rsyslog",
        semaphore: "config_rsyslog",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(rsyslog::plan),
    },
    Handler {
        name: "users",
        keys: &["users", "groups", "user"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "users_groups",
        semaphore: "config_users_groups",
        in_rescue: InRescue::Done,
        act: Act::Plan(users::plan),
    },
    Handler {
        name: "ssh_host_keys",
        keys: &["ssh_keys", "ssh_deletekeys", "ssh_genkeytypes", "ssh_quiet_keygen"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "ssh",
        semaphore: HOST_KEYS,
        in_rescue: InRescue::Done,
        act: Act::Plan(ssh_host_keys::plan),
    },
    Handler {
        name: "ssh_authorized_keys",
        keys: &[
            "ssh_authorized_keys",
            "allow_public_ssh_keys",
            "disable_root",
            "disable_root_opts",
            "user",
            "users",
        ],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "ssh",
        semaphore: "config_ssh",
        in_rescue: InRescue::Done,
        act: Act::Plan(ssh_authorized_keys::plan),
    },
    Handler {
        name: "ssh_pwauth",
        keys: &["ssh_pwauth"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "set_passwords",
        semaphore: "config_ssh_pwauth",
        in_rescue: InRescue::Done,
        act: Act::Plan(ssh_pwauth::plan),
    },
    Handler {
        name: "passwords",
        keys: &["chpasswd", "password"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        module: "set_passwords",
        semaphore: "config_set_passwords",
        in_rescue: InRescue::Done,
        act: Act::Plan(passwords::plan),
    },
    Handler {
        name: "ssh_import_id",
        keys: &["ssh_import_id", "users"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "ssh_import_id",
        semaphore: "config_ssh_import_id",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(ssh_import_id::plan),
    },
    Handler {
        name: "ssh_host_keys",
        keys: &["ssh_genkeytypes", "ssh_keys"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "ssh",
        semaphore: "config_ssh_slow_host_keys",
        in_rescue: InRescue::LeftOut,
        act: Act::Later(ssh_host_keys::plan_slow),
    },
    Handler {
        name: "keyboard",
        keys: &["keyboard"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "keyboard",
        semaphore: "config_keyboard",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(keyboard::plan),
    },
    Handler {
        name: "locale",
        keys: &["locale", "locale_configfile"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "locale",
        semaphore: "config_locale",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(locale::plan),
    },
    Handler {
        name: "apt_pipelining",
        keys: &["apt_pipelining"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "apt_pipelining",
        semaphore: "config_apt_pipelining",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(apt_pipelining::plan),
    },
    Handler {
        name: "apt",
        keys: &[
            "apt",
            "apt_sources",
            "apt_mirror",
            "apt_mirror_search",
            "apt_mirror_search_dns",
            "apt_proxy",
            "apt_http_proxy",
            "apt_ftp_proxy",
            "apt_https_proxy",
            "apt_preserve_sources_list",
            "apt_custom_sources_list",
            "add_apt_repo_match",
        ],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "apt_configure",
        semaphore: "config_apt_configure",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(apt::plan),
    },
    Handler {
        name: "ntp",
        keys: &["ntp"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "ntp",
        semaphore: "config_ntp",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(ntp::plan),
    },
    Handler {
        name: "timezone",
        keys: &["timezone"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "timezone",
        semaphore: "config_timezone",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(timezone::plan),
    },
    Handler {
        name: "disable_ec2_metadata",
        keys: &["disable_ec2_metadata"],
        stage: Stage::Config,
        frequency: Frequency::Boot,
        module: "disable_ec2_metadata",
        semaphore: "config_disable_ec2_metadata",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(disable_ec2_metadata::plan),
    },
    Handler {
        name: "runcmd",
        keys: &["runcmd"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        module: "runcmd",
        semaphore: "config_runcmd",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(runcmd::plan),
    },
    Handler {
        name: "packages",
        keys: &[
            "packages",
            "package_update",
            "package_upgrade",
            "package_reboot_if_required",
            "apt_update",
            "apt_upgrade",
            "apt_reboot_if_required",
        ],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        semaphore: "config_package_update_upgrade_install",
        module: "package_update_upgrade_install",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(packages::plan),
    },
    Handler {
        name: "write_files",
        keys: &["write_files"],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "write_files_deferred",
        semaphore: "config_write_files_deferred",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(write_files::plan_deferred),
    },
    Handler {
        name: "scripts_vendor",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "scripts_vendor",
        semaphore: "config_scripts_vendor",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Vendor),
    },
    Handler {
        name: "scripts_per_once",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Once,
        module: "scripts_per_once",
        semaphore: "config_scripts_per_once",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Shared("per-once")),
    },
    Handler {
        name: "scripts_per_boot",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Boot,
        module: "scripts_per_boot",
        semaphore: "config_scripts_per_boot",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Shared("per-boot")),
    },
    Handler {
        name: "scripts_per_instance",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "scripts_per_instance",
        semaphore: "config_scripts_per_instance",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Shared("per-instance")),
    },
    Handler {
        name: "scripts_user",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "scripts_user",
        semaphore: "config_scripts_user",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::User),
    },
    Handler {
        name: "ssh_authkey_fingerprints",
        keys: &["authkey_hash", "no_ssh_fingerprints"],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "ssh_authkey_fingerprints",
        semaphore: "config_ssh_authkey_fingerprints",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(ssh_authkey_fingerprints::plan),
    },
    Handler {
        name: "keys_to_console",
        keys: &["ssh", "ssh_fp_console_blacklist", "ssh_key_console_blacklist"],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "keys_to_console",
        semaphore: "config_keys_to_console",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(keys_to_console::plan),
    },
    Handler {
        name: "phone_home",
        keys: &["phone_home"],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "phone_home",
        semaphore: "config_phone_home",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(phone_home::plan),
    },
    Handler {
        name: "final_message",
        keys: &["final_message"],
        stage: Stage::Final,
        frequency: Frequency::Boot,
        module: "final_message",
        semaphore: "config_final_message",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(final_message::plan),
    },
    Handler {
        name: "power_state",
        keys: &["power_state"],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        module: "power_state_change",
        semaphore: "config_power_state_change",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(power_state::plan),
    },
];

/// The semaphore of the host keys.
pub(crate) const HOST_KEYS: &str = "config_ssh_host_keys";

/// The name of the handler that makes the script of commands.
pub(crate) const RUNCMD: &str = "runcmd";

/// The handlers that read a key.
pub(crate) fn of_key(key: &str) -> impl Iterator<Item = &'static Handler> {
    ALL.iter().filter(move |handler| handler.keys.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_the_table() {
        let plans = ALL.iter().filter(|handler| !matches!(handler.act, Act::Scripts(_)));
        let mut names: Vec<_> = plans.map(|handler| handler.name).chain(SHARED.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        crate::table::check("handlers", names.into_iter());
    }

    #[test]
    fn a_rescue_boot_lets_people_in_and_does_nothing_else() {
        let done = ALL.iter().filter(|handler| handler.in_rescue == InRescue::Done);
        let names: Vec<_> = done.map(|handler| handler.name).collect();
        assert_eq!(
            names,
            ["hostname", "users", "ssh_host_keys", "ssh_authorized_keys", "ssh_pwauth", "passwords"]
        );
    }

    #[test]
    fn no_two_handlers_share_a_semaphore_and_the_last_of_a_module_has_the_modules() {
        let mut names: Vec<_> = ALL.iter().map(|handler| handler.semaphore).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for handler in ALL.iter().filter(|handler| !matches!(handler.act, Act::Later(_))) {
            let same =
                |other: &&Handler| other.module == handler.module && !matches!(other.act, Act::Later(_));
            let last = ALL.iter().rfind(same).unwrap();
            assert_eq!(last.semaphore, format!("config_{}", last.module));
        }
    }
}

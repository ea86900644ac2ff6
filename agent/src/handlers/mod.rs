//! What is done for the keys of a cloud-config, a file each.
//!
//! To add one: a file here with a `plan` function, a line in `ALL` at its place in the order, and a case in
//! `agent/tests/`. A plan is made from facts alone and changes nothing. A problem with one entry leaves the other
//! entries in the plan. A problem begins with its key where the handler has several, and with `entry N: ` in a list.

mod bootcmd;
mod commands;
mod distribution;
mod host_names;
mod hostname;
mod mounts;
mod runcmd;
mod ssh_authorized_keys;
mod ssh_import_id;
#[cfg(test)]
mod testing;
mod timezone;
mod update_etc_hosts;
mod update_hostname;
mod users;
mod write_files;

pub(crate) use runcmd::{COMMANDS, has_commands};

use crate::accounts::Accounts;
use crate::instance::{Frequency, Instance};
use crate::layout::SCRIPTS;
use crate::machine::Machine;
use crate::meta_data::MetaData;
use crate::plan::HandlerPlan;
use crate::yaml::Mapping;
use anyhow::Result;

/// What a handler may know.
pub(crate) struct HandlerFacts<'a> {
    /// The user's configuration over the system's.
    pub(crate) config: &'a Mapping,
    /// The data of the instance.
    pub(crate) meta_data: &'a MetaData,
    /// The users and groups that exist.
    pub(crate) accounts: &'a Accounts,
    /// The directory of the instance's scripts.
    pub(crate) scripts: &'a str,
    /// The files of the machine.
    pub(crate) machine: &'a dyn Machine,
}

/// Does one thing that a configuration asks for.
pub(crate) struct Handler {
    /// Its name, which is its file's and begins its messages.
    pub(crate) name: &'static str,
    /// The keys that it reads. A late value of one of them lets it run again.
    pub(crate) keys: &'static [&'static str],
    /// When it runs, unless the image's lists of modules say otherwise.
    pub(crate) stage: Stage,
    /// How often.
    pub(crate) frequency: Frequency,
    /// The name of its semaphore, which is that of cloud-init's module.
    pub(crate) semaphore: &'static str,
    /// What becomes of it in a rescue boot.
    pub(crate) in_rescue: InRescue,
    /// What it does.
    pub(crate) act: Act,
}

/// What a handler does.
pub(crate) enum Act {
    /// Facts -> steps.
    Plan(fn(&HandlerFacts<'_>) -> Result<HandlerPlan>),
    /// It runs the scripts in a directory.
    Scripts(ScriptPlace),
}

/// A directory of scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScriptPlace {
    /// The vendor's, of this instance.
    Vendor,
    /// One that all instances share.
    Shared(&'static str),
    /// The user's, of this instance.
    User,
}

impl ScriptPlace {
    /// The directory.
    pub(crate) fn directory(self, instance: &Instance) -> String {
        match self {
            Self::Vendor => instance.path("scripts/vendor"),
            Self::Shared(name) => format!("{SCRIPTS}/{name}"),
            Self::User => instance.path("scripts"),
        }
    }
}

impl Handler {
    /// Its name in an image's lists of modules.
    pub(crate) fn module(&self) -> &'static str {
        self.semaphore.strip_prefix("config_").unwrap_or(self.semaphore)
    }
}

/// When a handler runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// With the network, before logins and before whatever waits for network-online.target.
    Init,
    /// While services start. Nothing waits for it.
    Config,
    /// With the system up.
    Final,
}

impl Stage {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 3] = [Self::Init, Self::Config, Self::Final];
}

/// What becomes of a handler when the machine was booted from a rescue volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InRescue {
    /// It lets the machine's people in, and is done in each rescue boot: the volume may have served another
    /// machine before.
    Done,
    /// It was written for the machine's own system, and may be what broke that.
    LeftOut,
}

/// The keys of the machine's name.
const HOST_NAME: &[&str] =
    &["hostname", "fqdn", "prefer_fqdn_over_hostname", "preserve_hostname", "create_hostname_file"];

/// Files here that several handlers share.
#[cfg(test)]
const SHARED: &[&str] = &["commands", "distribution", "host_names", "testing"];

/// The handlers in the order in which they run, which is that of cloud-init's modules.
pub(crate) const ALL: &[Handler] = &[
    Handler {
        name: "bootcmd",
        keys: &["bootcmd"],
        stage: Stage::Init,
        frequency: Frequency::Boot,
        semaphore: "config_bootcmd",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(bootcmd::plan),
    },
    Handler {
        name: "write_files",
        keys: &["write_files"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        semaphore: "config_write_files",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(write_files::plan),
    },
    Handler {
        name: "mounts",
        keys: &["mounts", "mount_default_fields", "swap", "device_aliases"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        semaphore: "config_mounts",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(mounts::plan),
    },
    Handler {
        name: "hostname",
        keys: HOST_NAME,
        stage: Stage::Init,
        frequency: Frequency::Instance,
        semaphore: "config_set_hostname",
        in_rescue: InRescue::Done,
        act: Act::Plan(hostname::plan),
    },
    Handler {
        name: "update_hostname",
        keys: HOST_NAME,
        stage: Stage::Init,
        frequency: Frequency::Boot,
        semaphore: "config_update_hostname",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(update_hostname::plan),
    },
    Handler {
        name: "update_etc_hosts",
        keys: &["manage_etc_hosts"],
        stage: Stage::Init,
        frequency: Frequency::Boot,
        semaphore: "config_update_etc_hosts",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(update_etc_hosts::plan),
    },
    Handler {
        name: "users",
        keys: &["users", "groups", "user"],
        stage: Stage::Init,
        frequency: Frequency::Instance,
        semaphore: "config_users_groups",
        in_rescue: InRescue::Done,
        act: Act::Plan(users::plan),
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
        semaphore: "config_ssh",
        in_rescue: InRescue::Done,
        act: Act::Plan(ssh_authorized_keys::plan),
    },
    Handler {
        name: "ssh_import_id",
        keys: &["ssh_import_id", "users"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        semaphore: "config_ssh_import_id",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(ssh_import_id::plan),
    },
    Handler {
        name: "timezone",
        keys: &["timezone"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        semaphore: "config_timezone",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(timezone::plan),
    },
    Handler {
        name: "runcmd",
        keys: &["runcmd"],
        stage: Stage::Config,
        frequency: Frequency::Instance,
        semaphore: "config_runcmd",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(runcmd::plan),
    },
    Handler {
        name: "write_files",
        keys: &["write_files"],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        semaphore: "config_write_files_deferred",
        in_rescue: InRescue::LeftOut,
        act: Act::Plan(write_files::plan_deferred),
    },
    Handler {
        name: "scripts_vendor",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        semaphore: "config_scripts_vendor",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Vendor),
    },
    Handler {
        name: "scripts_per_once",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Once,
        semaphore: "config_scripts_per_once",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Shared("per-once")),
    },
    Handler {
        name: "scripts_per_boot",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Boot,
        semaphore: "config_scripts_per_boot",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Shared("per-boot")),
    },
    Handler {
        name: "scripts_per_instance",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        semaphore: "config_scripts_per_instance",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::Shared("per-instance")),
    },
    Handler {
        name: "scripts_user",
        keys: &[],
        stage: Stage::Final,
        frequency: Frequency::Instance,
        semaphore: "config_scripts_user",
        in_rescue: InRescue::LeftOut,
        act: Act::Scripts(ScriptPlace::User),
    },
];

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
        let plans = ALL.iter().filter(|handler| matches!(handler.act, Act::Plan(_)));
        let mut names: Vec<_> = plans.map(|handler| handler.name).chain(SHARED.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        crate::table::check("handlers", names.into_iter());
    }

    #[test]
    fn a_rescue_boot_lets_people_in_and_does_nothing_else() {
        let done = ALL.iter().filter(|handler| handler.in_rescue == InRescue::Done);
        let names: Vec<_> = done.map(|handler| handler.name).collect();
        assert_eq!(names, ["hostname", "users", "ssh_authorized_keys"]);
    }

    #[test]
    fn no_two_handlers_share_a_semaphore() {
        let mut names: Vec<_> = ALL.iter().map(|handler| handler.semaphore).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}

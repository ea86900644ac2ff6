//! What is done for the keys of a cloud-config, a file each.
//!
//! To add one: a file here with a `plan` function, a line in `ALL` at its place in the order, and a case in
//! `agent/tests/`. A plan is made from facts alone and changes nothing; what is wrong with one entry is a
//! problem of the plan, and the other entries stay.

mod bootcmd;
mod hostname;
mod runcmd;
mod ssh_authorized_keys;
mod ssh_import_id;
mod users;
mod write_files;

pub(crate) use runcmd::{COMMANDS, has_commands};

use crate::accounts::Accounts;
use crate::instance::Frequency;
use crate::meta_data::MetaData;
use crate::plan::HandlerPlan;
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// What a handler may know.
pub(crate) struct HandlerFacts<'a> {
    /// The user's configuration over the system's.
    pub(crate) config: &'a Mapping,
    /// Who the machine is.
    pub(crate) meta_data: &'a MetaData,
    /// Who is there already.
    pub(crate) accounts: &'a Accounts,
    /// Where the instance's scripts are.
    pub(crate) scripts: &'a str,
}

/// Does one thing that a configuration asks for.
pub(crate) struct Handler {
    /// Its name, which is its file's and begins its messages.
    pub(crate) name: &'static str,
    /// When it runs.
    pub(crate) stage: Stage,
    /// How often.
    pub(crate) frequency: Frequency,
    /// What says that it is done; the name that cloud-init's module has.
    pub(crate) semaphore: &'static str,
    /// What becomes of it in a rescue boot.
    pub(crate) in_rescue: InRescue,
    /// Facts -> steps.
    pub(crate) plan: fn(&HandlerFacts<'_>) -> Result<HandlerPlan>,
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
    /// With the network, before logins.
    Network,
    /// With the system up, before the scripts.
    Final,
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

/// The handlers in the order in which they run, which is that of cloud-init's modules.
pub(crate) const ALL: &[Handler] = &[
    Handler {
        name: "bootcmd",
        stage: Stage::Network,
        frequency: Frequency::Boot,
        semaphore: "config_bootcmd",
        in_rescue: InRescue::LeftOut,
        plan: bootcmd::plan,
    },
    Handler {
        name: "write_files",
        stage: Stage::Network,
        frequency: Frequency::Instance,
        semaphore: "config_write_files",
        in_rescue: InRescue::LeftOut,
        plan: write_files::plan,
    },
    Handler {
        name: "hostname",
        stage: Stage::Network,
        frequency: Frequency::Instance,
        semaphore: "config_set_hostname",
        in_rescue: InRescue::Done,
        plan: hostname::plan,
    },
    Handler {
        name: "users",
        stage: Stage::Network,
        frequency: Frequency::Instance,
        semaphore: "config_users_groups",
        in_rescue: InRescue::Done,
        plan: users::plan,
    },
    Handler {
        name: "ssh_authorized_keys",
        stage: Stage::Network,
        frequency: Frequency::Instance,
        semaphore: "config_ssh",
        in_rescue: InRescue::Done,
        plan: ssh_authorized_keys::plan,
    },
    Handler {
        name: "runcmd",
        stage: Stage::Network,
        frequency: Frequency::Instance,
        semaphore: "config_runcmd",
        in_rescue: InRescue::LeftOut,
        plan: runcmd::plan,
    },
    Handler {
        name: "ssh_import_id",
        // It asks servers far away, and logins must not wait for them.
        stage: Stage::Final,
        frequency: Frequency::Instance,
        semaphore: "config_ssh_import_id",
        in_rescue: InRescue::LeftOut,
        plan: ssh_import_id::plan,
    },
    Handler {
        name: "write_files",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        semaphore: "config_write_files_deferred",
        in_rescue: InRescue::LeftOut,
        plan: write_files::plan_deferred,
    },
];

/// The keys that a handler reads beside the one of its name.
const READ_BY: &[(&str, &str)] = &[
    ("disable_root", "ssh_authorized_keys"),
    ("fqdn", "hostname"),
    ("groups", "users"),
    ("prefer_fqdn_over_hostname", "hostname"),
    ("preserve_hostname", "hostname"),
    ("user", "ssh_authorized_keys"),
    ("user", "users"),
    ("users", "ssh_authorized_keys"),
    ("users", "ssh_import_id"),
];

/// The name of the handler that makes the script of commands.
pub(crate) const RUNCMD: &str = "runcmd";

/// The handlers that read a key.
pub(crate) fn of_key(key: &str) -> impl Iterator<Item = &'static Handler> {
    let reads = move |handler: &&Handler| handler.name == key || READ_BY.contains(&(key, handler.name));
    ALL.iter().filter(reads)
}

/// The entries of a key that holds a list; none when it is not there.
fn list<'a>(config: &'a Mapping, key: &str) -> Result<&'a [Value]> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Seq(items)) => Ok(items),
        Some(other) => anyhow::bail!("it is {} and no list", other.kind()),
    }
}

/// Commands -> a shell script: a list's words are quoted, a text stands as it is.
fn shell_script(config: &Mapping, key: &str, plan: &mut HandlerPlan) -> Result<String> {
    let mut script = String::new();
    for (number, command) in list(config, key)?.iter().enumerate() {
        match command {
            Value::Null => {}
            Value::Str(text) => script.extend([text.as_str(), "\n"]),
            Value::Seq(words) => match words.iter().map(Value::scalar_text).collect::<Option<Vec<_>>>() {
                Some(words) => {
                    let quoted: Vec<_> =
                        words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
                    script.extend([quoted.join(" ").as_str(), "\n"]);
                }
                None => plan.problem(format!(
                    "entry {}: a word of the command is no text (put quotes around it)",
                    number + 1
                )),
            },
            other => {
                let hint = if matches!(other, Value::Map(_)) {
                    " (a `: ` makes a mapping of it: put quotes around it)"
                } else {
                    ""
                };
                plan.problem(format!("entry {}: it is {} and no command{hint}", number + 1, other.kind()));
            }
        }
    }
    Ok(if script.is_empty() { script } else { format!("#!/bin/sh\n{script}") })
}

#[cfg(test)]
mod testing {
    //! How handlers are tested: a configuration in, the plan's words out.

    use super::HandlerFacts;
    use crate::accounts::Accounts;
    use crate::meta_data;
    use crate::plan::{HandlerPlan, Step};
    use crate::yaml::{self, Value};
    use expect_test::Expect;

    pub(super) fn plan(
        handler: fn(&HandlerFacts<'_>) -> anyhow::Result<HandlerPlan>,
        config: &str,
        meta: &str,
    ) -> HandlerPlan {
        let Value::Map(config) = yaml::load(config).unwrap() else { panic!("no mapping") };
        let meta_data = meta_data::parse(meta.as_bytes()).unwrap();
        let accounts = Accounts::parse(
            "root:x:0:0::/root:/bin/sh\nold:x:9:9::/home/old:/bin/sh\n",
            "adm:x:4:\nold:x:9:\n",
        );
        let facts =
            HandlerFacts { config: &config, meta_data: &meta_data, accounts: &accounts, scripts: "s" };
        handler(&facts)
            .unwrap_or_else(|error| HandlerPlan { steps: vec![], problems: vec![format!("{error:#}")] })
    }

    pub(super) fn check(
        handler: fn(&HandlerFacts<'_>) -> anyhow::Result<HandlerPlan>,
        config: &str,
        meta: &str,
        expected: Expect,
    ) {
        let plan = plan(handler, config, meta);
        let steps = plan.steps.iter().map(|step| match step {
            Step::Write(file) => format!("{step}\n{}", String::from_utf8_lossy(&file.content)),
            Step::Authorize { keys, .. } | Step::TurnAway { keys, .. } => {
                format!("{step}: {}\n", keys.join(" | "))
            }
            _ => format!("{step}\n"),
        });
        let problems = plan.problems.iter().map(|problem| format!("problem: {problem}\n"));
        expected.assert_eq(&steps.chain(problems).collect::<String>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_the_table() {
        let mut names: Vec<_> = ALL.iter().map(|handler| handler.name).collect();
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

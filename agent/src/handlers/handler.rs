//! A handler: when it runs, how often, what it may know, and what it does.

use crate::accounts::Accounts;
use crate::instance::{Frequency, Instance};
use crate::layout::SCRIPTS;
use crate::machine::Machine;
use crate::meta_data::MetaData;
use crate::plan::HandlerPlan;
use crate::yaml::Mapping;
use anyhow::Result;

/// The facts that a handler may know.
pub(crate) struct HandlerFacts<'a> {
    /// The user's configuration over the system's.
    pub(crate) config: &'a Mapping,
    /// The data of the instance.
    pub(crate) meta_data: &'a MetaData,
    /// The users and groups that exist.
    pub(crate) accounts: &'a Accounts,
    /// The directory of the instance's scripts.
    pub(crate) scripts: &'a str,
    /// True in a boot from a rescue volume.
    pub(crate) is_rescue: bool,
    /// The files of the machine.
    pub(crate) machine: &'a dyn Machine,
}

/// Does one thing that a configuration asks for.
pub(crate) struct Handler {
    /// Its name, which is its file's and begins its messages.
    pub(crate) name: &'static str,
    /// The keys that it reads. A late value of one of them lets it run again.
    pub(crate) keys: &'static [&'static str],
    /// The stage in which it runs, unless the image's lists of modules say otherwise.
    pub(crate) stage: Stage,
    /// The frequency of its runs.
    pub(crate) frequency: Frequency,
    /// cloud-init's module, which is its name in an image's lists. A module may have several handlers.
    pub(crate) module: &'static str,
    /// The name of its semaphore: the last handler of a module has the one of cloud-init's module. The others count as
    /// done by that one too, because a machine that cloud-init set up has no other.
    pub(crate) semaphore: &'static str,
    /// The handler's treatment in a rescue boot.
    pub(crate) in_rescue: InRescue,
    /// The handler's act.
    pub(crate) act: Act,
}

/// The act of a handler.
pub(crate) enum Act {
    /// Facts -> steps.
    Plan(fn(&HandlerFacts<'_>) -> Result<HandlerPlan>),
    /// The same, but not before the config stage, whichever list names the module: it takes long.
    Later(fn(&HandlerFacts<'_>) -> Result<HandlerPlan>),
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
    /// The semaphores that say that it is done.
    pub(crate) fn semaphores(&self) -> Vec<String> {
        let own = self.semaphore.to_owned();
        match self.act {
            Act::Plan(_) => vec![own, format!("config_{}", self.module)],
            Act::Later(_) | Act::Scripts(_) => vec![own],
        }
    }
}

/// The stage in which a handler runs.
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

/// The treatment of a handler when the machine was booted from a rescue volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InRescue {
    /// It lets the machine's people in, and is done in each rescue boot: the volume may have served another
    /// machine before.
    Done,
    /// It was written for the machine's own system, and may be what broke that.
    LeftOut,
}

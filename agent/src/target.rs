//! The machine that user-data is planned or checked for: no source is asked, and nothing is fetched.

use crate::accounts::Accounts;
use crate::instance::{Instance, NO_ID};
use crate::instance_data::InstanceFacts;
use crate::meta_data::{self, MetaData};
use crate::root::Root;
use crate::system_config::SystemConfig;
use crate::system_info::SystemInfo;
use crate::user_data::{self, IncludeReach, Includes, Parts, Pipeline, Upstart};
use anyhow::Result;

/// The facts about the machine.
pub(crate) struct TargetMachine<'a> {
    /// Its files.
    pub(crate) root: &'a Root,
    /// The instance that the machine was last, or one without an id.
    pub(crate) instance: Instance,
    /// The meta-data of the instance.
    pub(crate) meta_data: MetaData,
    /// The users and groups.
    pub(crate) accounts: Accounts,
    /// The system's configuration.
    pub(crate) system: SystemConfig,
    info: SystemInfo,
}

impl<'a> TargetMachine<'a> {
    /// The machine as the instance that it was last.
    pub(crate) fn kept(root: &'a Root) -> Result<Self> {
        let mut target = Self::any(root)?;
        if let Some(kept) = root.read(&target.instance.path("meta-data.json"))? {
            target.meta_data = meta_data::parse(&kept)?;
            target.meta_data.beside = meta_data::read_beside(&target.instance, root)?;
        }
        Ok(target)
    }

    /// The machine as any instance: without meta-data, so that every part is for it.
    pub(crate) fn any(root: &'a Root) -> Result<Self> {
        Ok(Self {
            root,
            instance: Instance::current(root)?.unwrap_or_else(|| Instance::new(NO_ID)),
            meta_data: MetaData::default(),
            accounts: Accounts::read(root)?,
            system: SystemConfig::read(root),
            info: SystemInfo::read(root),
        })
    }

    /// The parts of blobs for this machine.
    pub(crate) fn parts<'b>(&self, blobs: impl IntoIterator<Item = (&'b str, &'b [u8])>) -> Parts {
        self.parts_and_problems(blobs).0
    }

    /// The parts, and what is to be said of includes beside.
    pub(crate) fn parts_and_problems<'b>(
        &self,
        blobs: impl IntoIterator<Item = (&'b str, &'b [u8])>,
    ) -> (Parts, Vec<String>) {
        let includes = Includes::new(self.root, None, IncludeReach::Nothing);
        let parts = user_data::expand(blobs, &includes).for_machine(&self.meta_data);
        (parts, includes.take_problems())
    }

    /// The pipeline that sorts them.
    pub(crate) fn pipeline(&self, upstart: Upstart) -> Pipeline<'_> {
        let known = InstanceFacts {
            meta_data: &self.meta_data,
            source: "nocloud",
            place: "",
            system: self.system.mapping(),
            info: &self.info,
        };
        Pipeline::new(&known, &self.instance, upstart)
    }
}

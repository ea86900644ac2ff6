//! The pipeline that boot, `plan` and `validate` share: blobs → the parts for this machine (`expand`) → what becomes of
//! them (`Pipeline::sort`). There is no other way to sort parts, so the three cannot differ.

use super::expand::Parts;
use super::names::{PartNames, Twins};
use super::sort::{Circumstances, Sorted, Upstart, sort};
use crate::instance::Instance;
use crate::instance_data::{self, InstanceFacts};
use crate::plan::File;
use crate::yaml::Value;

/// Where scripts go, and which types are left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    /// The directory for scripts, below the instance's.
    pub(crate) scripts: &'static str,
    /// The types that are left out.
    pub(crate) unwanted: &'a [String],
}

impl Destination<'_> {
    /// The destination of user-data.
    pub(crate) const USER: Self = Self { scripts: "scripts", unwanted: &[] };

    /// The destination of vendor-data.
    pub(crate) const VENDOR: Self = Self { scripts: "scripts/vendor", unwanted: &[] };
}

/// Sorts the parts of an instance; no two of them get the same file name.
#[derive(Debug)]
pub(crate) struct Pipeline<'a> {
    instance: &'a Instance,
    data: Value,
    variables: Value,
    upstart: Upstart,
    names: PartNames,
}

impl<'a> Pipeline<'a> {
    /// The pipeline of an instance. Templates may name what is known of it.
    pub(crate) fn new(known: &InstanceFacts<'_>, instance: &'a Instance, upstart: Upstart) -> Self {
        let data = instance_data::of(known);
        let variables = instance_data::variables(&data);
        Self { instance, data, variables, upstart, names: PartNames::default() }
    }

    /// The data of the instance.
    pub(crate) fn data(&self) -> &Value {
        &self.data
    }

    /// Sorts the parts. Parts that could not be had come first among the dropped ones.
    pub(crate) fn sort(&mut self, parts: Parts, destination: Destination<'_>) -> Sorted {
        let around = Circumstances {
            instance: self.instance,
            scripts: destination.scripts,
            unwanted: destination.unwanted,
            variables: &self.variables,
            upstart: self.upstart,
        };
        let mut sorted = sort(parts.all, &around, &mut self.names);
        for name in parts.dropped.iter().filter_map(|dropped| dropped.rejected.as_ref()) {
            sorted.config.reject(name);
        }
        sorted.dropped.splice(..0, parts.dropped);
        sorted
    }

    /// Gives the file with this path another one, for something else needs it. The new path, if there was such a file.
    pub(crate) fn make_room(&mut self, path: &str, files: &mut [File]) -> Option<String> {
        let file = files.iter_mut().find(|file| file.path == path)?;
        file.path = self.names.give_way(path);
        Some(file.path.clone())
    }

    /// The paths that were given a number.
    pub(crate) fn into_twins(self) -> Twins {
        self.names.into_twins()
    }
}

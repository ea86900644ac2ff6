//! The record of an instance's user-data: a digest for each part, and the files that came of them.

use super::Policy;
use crate::instance::Instance;
use crate::root::Root;
use crate::user_data::{self, Part, Twins};
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result};

/// Below the instance's directory.
const FILE: &str = "parts.json";

/// A part that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) content_type: String,
    /// Its digest.
    pub(crate) sha256: String,
}

impl Known {
    /// Takes down a part.
    pub(crate) fn of(part: &Part) -> Self {
        Self {
            name: part.name.clone(),
            content_type: part.content_type.clone(),
            sha256: user_data::digest(part),
        }
    }
}

/// The kept record of the parts.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct PartsRecord {
    /// The parts of the user-data that is kept, in their order.
    pub(crate) parts: Vec<Known>,
    /// The files that came of all data.
    pub(crate) files: Vec<String>,
    /// The files among them that are named after others.
    pub(crate) twins: Twins,
    /// The policy at the latest change.
    pub(crate) policy: Option<Policy>,
    /// True if some part could not be had.
    pub(crate) is_lacking: bool,
    /// True if a part came late and nothing of it was done, because the user-data had been changed before.
    pub(crate) is_left_out: bool,
    /// Scripts of late parts that have not run yet, although the others have.
    pub(crate) late: Vec<String>,
}

impl PartsRecord {
    /// Reads it; `None` where nothing is kept.
    pub(crate) fn read(instance: &Instance, root: &Root) -> Result<Option<Self>> {
        let path = instance.path(FILE);
        let Some(text) = root.read_text(&path)? else { return Ok(None) };
        let value = yaml::load(&text).with_context(|| format!("read {}", root.show(&path)))?;
        Ok(value.as_map().map(Self::from))
    }

    /// Removes it: the instance then has had no user-data.
    pub(super) fn remove(instance: &Instance, root: &Root) -> Result<()> {
        root.remove(&instance.path(FILE))
    }

    /// Writes it.
    pub(crate) fn write(&self, instance: &Instance, root: &Root) -> Result<()> {
        let mut all = Mapping::default();
        let parts = self.parts.iter().map(|part| {
            let mut entry = Mapping::default();
            entry.set("name", part.name.as_str());
            entry.set("type", part.content_type.as_str());
            entry.set("sha256", part.sha256.as_str());
            Value::Map(entry)
        });
        all.set("parts", Value::Seq(parts.collect()));
        all.set("files", Value::Seq(self.files.iter().map(|path| path.as_str().into()).collect()));
        let mut twins: Vec<_> = self.twins.0.iter().collect();
        twins.sort();
        let twins = twins.into_iter().map(|(path, wanted)| (path.as_str().into(), wanted.as_str().into()));
        all.set("twins", Value::Map(twins.collect()));
        if let Some(policy) = self.policy {
            all.set("policy", policy.word());
        }
        all.set("lacking", Value::Bool(self.is_lacking));
        all.set("left_out", Value::Bool(self.is_left_out));
        all.set("late", Value::Seq(self.late.iter().map(|path| path.as_str().into()).collect()));
        root.write(&instance.path(FILE), (yaml::to_json(&all.into()) + "\n").as_bytes(), 0o600)
    }
}

impl From<&Mapping> for PartsRecord {
    fn from(all: &Mapping) -> Self {
        let list = |key| all.get(key).and_then(Value::as_seq).unwrap_or_default();
        let part = |entry: &Value| {
            let text = |key| Some(entry.as_map()?.get(key)?.as_str()?.to_owned());
            Some(Known { name: text("name")?, content_type: text("type")?, sha256: text("sha256")? })
        };
        let texts = |key| list(key).iter().filter_map(|path| Some(path.as_str()?.to_owned())).collect();
        Self {
            parts: list("parts").iter().filter_map(part).collect(),
            files: texts("files"),
            twins: Twins(
                all.get("twins")
                    .and_then(Value::as_map)
                    .into_iter()
                    .flat_map(Mapping::iter)
                    .filter_map(|(path, wanted)| {
                        Some((path.as_str()?.to_owned(), wanted.as_str()?.to_owned()))
                    })
                    .collect(),
            ),
            policy: all.get("policy").and_then(Value::as_str).and_then(Policy::of),
            is_lacking: all.get("lacking") == Some(&Value::Bool(true)),
            is_left_out: all.get("left_out") == Some(&Value::Bool(true)),
            late: texts("late"),
        }
    }
}

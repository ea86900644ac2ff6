//! The configuration that cloud-config parts make together.

use super::merge::{self, Mergers};
use super::{Part, jsonp};
use crate::texts;
use crate::yaml::{self, Allowance, Mapping, Value};
use anyhow::{Context, Result, bail};
use std::fmt;

/// Where a part may say how it is merged, the first of them counts.
const HEADERS: [&str; 2] = ["Merge-Type", "X-Merge-Type"];

/// The configuration and where it came from.
#[derive(Debug)]
pub(crate) struct CloudConfig {
    /// A mapping, unless a JSON patch has put something else in its place.
    buffer: Value,
    allowance: Allowance,
    accepted: Vec<String>,
    rejected: Vec<String>,
}

/// The reason why a part is not in the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rejected {
    /// The part's name.
    pub(crate) part: String,
    /// The reason, and the line that it is about where there is one.
    pub(crate) reason: String,
    /// Line and column, both from 1.
    pub(crate) place: Option<(usize, usize)>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is dropped: {}", self.part.escape_debug(), self.reason)
    }
}

impl Default for CloudConfig {
    fn default() -> Self {
        Self {
            buffer: Value::Map(Mapping::default()),
            allowance: Allowance::default(),
            accepted: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

impl CloudConfig {
    /// Merges a cloud-config into what there is, as it or its headers say.
    pub(crate) fn add(&mut self, part: &Part) -> Result<(), Rejected> {
        let merged = self.merged(part);
        self.note(part, merged)
    }

    /// Applies a JSON patch to what there is.
    pub(crate) fn patch(&mut self, part: &Part) -> Result<(), Rejected> {
        let patched = jsonp::Patch::parse(&part.payload)
            .and_then(|patch| patch.apply(self.buffer.clone(), self.allowance.clone()));
        let patched = patched.map(|(buffer, allowance)| {
            self.buffer = buffer;
            self.allowance = allowance;
        });
        self.note(part, patched)
    }

    /// Lists a configuration that could not be read.
    pub(super) fn reject(&mut self, name: &str) {
        self.rejected.push(name.to_owned());
    }

    /// All that there is.
    #[cfg(any(test, feature = "hostile"))]
    pub(super) fn value(&self) -> &Value {
        &self.buffer
    }

    /// The merged configuration of all parts.
    pub(crate) fn into_mapping(self) -> Mapping {
        match self.buffer {
            Value::Map(mapping) => mapping,
            _ => Mapping::default(),
        }
    }

    /// The text of cloud-config.txt; empty when there was no part, not even a bad one.
    pub(crate) fn text(&self) -> String {
        let nothing = self.accepted.is_empty() && self.rejected.is_empty();
        if nothing || self.buffer == Value::Null {
            return String::new();
        }
        let mut text = format!("#cloud-config\n\n# from {} files\n", self.accepted.len());
        for name in &self.accepted {
            text.extend(["# ", name, "\n"]);
        }
        text.push('\n');
        for name in &self.rejected {
            text.extend(["# Cloud-config part ignored SCHEMA_ERROR: ", name, "\n"]);
        }
        let body = yaml::to_yaml(&self.buffer);
        let on_lines = match &self.buffer {
            Value::Map(mapping) => !mapping.is_empty(),
            Value::Seq(items) => !items.is_empty(),
            _ => false,
        };
        let space = if on_lines { "\n" } else { " " };
        text.extend(["---", space, &body, "...\n"]);
        text
    }

    fn merged(&mut self, part: &Part) -> Result<()> {
        let mut mapping = read(&part.payload)?;
        let mut mergers = Mergers::of_content(&mut mapping)?;
        let header = HEADERS.iter().filter_map(|name| part.headers.get(name)).find(|text| !text.is_empty());
        mergers.extend(Mergers::of_text(header.unwrap_or_default())?);
        let mergers = mergers.or_default();
        let added = Value::Map(mapping);
        let mut allowance = self.allowance.clone();
        allowance
            .take(&added, 0)
            .map_err(|problem| anyhow::anyhow!("{problem}, with the parts before it"))?;
        // A patch may have left nothing, not even an empty mapping.
        if self.buffer == Value::Null {
            self.buffer = Value::Map(Mapping::default());
        }
        mergers.check(&self.buffer, &added)?;
        let below = std::mem::replace(&mut self.buffer, Value::Null);
        self.buffer = mergers.merge(below, added);
        self.allowance = allowance;
        Ok(())
    }

    fn note(&mut self, part: &Part, outcome: Result<()>) -> Result<(), Rejected> {
        // The name stands on a line of its own.
        // YAML takes these for line ends, or refuses them.
        let is_odd = |character: char| {
            character.is_control() || "\u{2028}\u{2029}\u{fffe}\u{ffff}".contains(character)
        };
        let name = part.name.replace(is_odd, " ").trim().to_owned();
        match outcome {
            Ok(()) => {
                self.accepted.push(name);
                Ok(())
            }
            Err(error) => {
                self.rejected.push(name);
                let place = error.chain().find_map(|cause| cause.downcast_ref::<yaml::Error>()?.place());
                Err(Rejected { part: part.name.clone(), reason: format!("{error:#}"), place })
            }
        }
    }
}

/// Reads a configuration, which is a mapping, without what it says of merging.
pub(crate) fn parse(content: &[u8]) -> Result<Mapping> {
    let mut mapping = read(content)?;
    for key in merge::KEYS {
        mapping.remove(&key.into());
    }
    Ok(mapping)
}

/// Checks that the configuration's settings for merging can be understood.
pub(crate) fn check_merging(config: &Mapping) -> Result<()> {
    let said = merge::KEYS.iter().filter_map(|key| Some(((*key).into(), config.get(key)?.clone())));
    Mergers::of_content(&mut said.collect()).map(drop)
}

/// Reads a configuration, which is a mapping.
pub(crate) fn read(content: &[u8]) -> Result<Mapping> {
    let text = std::str::from_utf8(content).context("read the cloud-config: it is no UTF-8")?;
    match yaml::load_with(text, &texts::CONFIG).context("read the cloud-config")? {
        Value::Map(mapping) => Ok(mapping),
        Value::Null => bail!("read the cloud-config: there is nothing below the first line"),
        other => bail!("read the cloud-config: it is {} and no mapping of keys like hostname", other.kind()),
    }
}

#[cfg(test)]
mod tests;

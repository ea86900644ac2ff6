//! OVF's environment: ovf-env.xml on a volume that the hypervisor attaches, or in the seed directory.

use super::{Signal, SourceFacts};
use crate::codec;
use crate::fetch;
use crate::meta_data::MetaData;
use crate::ovf_environment;
use crate::report::Report;
use crate::root::Root;
use crate::seed::{self, Seed};
use crate::volume;
use crate::yaml::Mapping;
use anyhow::{Context, Result};

const LABELS: &[&str] = &["OVF ENV", "OVFENV", "OVF-ENV", "OVF-TRANSPORT", "OVF_TRANSPORT"];
const FILE: &str = "ovf-env.xml";
const DIRECTORY: &str = "var/lib/cloud/seed/ovf";

/// The instance-id where the environment gives none.
const ID: &str = "iid-dsovf";

/// Properties that are meta-data, and their names there.
const META_DATA: &[(&str, &str)] = &[
    ("instance-id", "instance-id"),
    ("local-hostname", "local-hostname"),
    ("hostname", "local-hostname"),
    ("public-keys", "public-keys"),
    ("seedfrom", "seedfrom"),
];

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let file = format!("{DIRECTORY}/{FILE}");
    let path = if facts.root.holds(&file)? { Some(file) } else { facts.volumes(LABELS)?.pop() };
    Ok(path.map(|path| Signal::in_machine(format!("{} is there", facts.root.show(&path)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    if let Some(seed) = from_directory(DIRECTORY, facts.root)? {
        return seed::completed(seed, facts, report).map(Some);
    }
    for path in facts.volumes(LABELS)? {
        if let Some(seed) = from_directory(".", &volume::open(&path, facts.root)?)? {
            return seed::completed(seed, facts, report).map(Some);
        }
    }
    Ok(None)
}

fn from_directory(directory: &str, files: &Root) -> Result<Option<Seed>> {
    let path = format!("{directory}/{FILE}");
    match files.read_at_most(&path, fetch::LARGEST)? {
        Some(xml) => from_environment(&xml, &files.show(&path)).map(Some),
        None => Ok(None),
    }
}

/// The seed in an environment.
pub(super) fn from_environment(xml: &[u8], place: &str) -> Result<Seed> {
    let xml = std::str::from_utf8(xml).with_context(|| format!("{place}: it is no UTF-8"))?;
    let properties = ovf_environment::properties(xml).with_context(|| place.to_owned())?;
    let mut seed = Seed { source: "ovf".into(), place: place.to_owned(), ..Seed::default() };
    let mut all = Mapping::default();
    all.set("instance-id", ID);
    for (key, value) in properties.iter().filter(|(_, value)| !value.is_empty()) {
        if key == "user-data" {
            // Some tools encode it, some do not.
            seed.user_data = codec::base64(value.as_bytes()).unwrap_or_else(|_| value.clone().into_bytes());
        }
        if let Some((_, name)) = META_DATA.iter().find(|(property, _)| property == key) {
            all.set(name, value.as_str());
        }
    }
    seed.meta_data = MetaData::from(all);
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_become_a_seed() {
        let xml = r#"<Environment><PropertySection>
            <Property oe:key="hostname" oe:value="h"/><Property oe:key="user-data" oe:value="IyEvYmluL3NoCg=="/>
            <Property oe:key="public-keys" oe:value="ssh-rsa A"/><Property oe:key="other" oe:value="x"/>
            </PropertySection></Environment>"#;
        let seed = from_environment(xml.as_bytes(), "here").unwrap();
        assert_eq!(seed.user_data, b"#!/bin/sh\n");
        assert_eq!(seed.meta_data.hostname.as_deref(), Some("h"));
        assert_eq!(seed.meta_data.instance_id.as_deref(), Some("iid-dsovf"));
        assert_eq!(seed.meta_data.public_keys, ["ssh-rsa A"]);
    }

    #[test]
    fn user_data_that_is_not_encoded_is_taken_as_it_is() {
        let xml = r##"<Environment><PropertySection><Property key="user-data" value="#!/bin/sh&#10;"/>
            </PropertySection></Environment>"##;
        assert_eq!(from_environment(xml.as_bytes(), "here").unwrap().user_data, b"#!/bin/sh\n");
        assert!(from_environment(b"\xff", "here").is_err());
    }
}

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
const FILES: [&str; 4] = ["ovf-env.xml", "ovf_env.xml", "OVF_ENV.XML", "OVF-ENV.XML"];
/// The second is cloud-init's own.
const DIRECTORIES: [&str; 2] = ["var/lib/cloud/seed/ovf", "var/lib/cloud/seed"];

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

/// Properties that cloud-init takes and nothing here carries out.
const NOT_TAKEN: [&str; 1] = ["password"];

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let path = match in_directories(facts.root)? {
        Some(path) => Some(path),
        None => facts.volumes(LABELS)?.pop(),
    };
    Ok(path.map(|path| Signal::in_machine(format!("{} is there", facts.root.show(&path)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    if let Some(path) = in_directories(facts.root)? {
        return from_file(&path, facts.root, facts, report).map(Some);
    }
    let mut broken = None;
    for path in facts.volumes(LABELS)? {
        let read = volume::open(&path, facts.root).and_then(|files| match file(".", &files)? {
            Some(path) => from_file(&path, &files, facts, report).map(Some),
            None => Ok(None),
        });
        match read {
            Ok(None) => {}
            Ok(Some(seed)) => {
                if let Some(error) = broken {
                    report.warn(format!("{error:#}"));
                }
                return Ok(Some(seed));
            }
            // Another one may be the machine's.
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    broken.map_or(Ok(None), Err)
}

fn in_directories(root: &Root) -> Result<Option<String>> {
    for directory in DIRECTORIES {
        if let Some(path) = file(directory, root)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn file(directory: &str, files: &Root) -> Result<Option<String>> {
    for name in FILES {
        let path = format!("{directory}/{name}");
        if files.holds(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn from_file(path: &str, files: &Root, facts: &SourceFacts<'_>, report: &mut Report) -> Result<Seed> {
    let place = files.show(path);
    let xml = files.read_at_most(path, fetch::LARGEST)?.with_context(|| format!("{place}: it is gone"))?;
    seed::completed(from_environment(&xml, &place, report)?, facts, report)
}

/// The seed in an environment.
pub(super) fn from_environment(xml: &[u8], place: &str, report: &mut Report) -> Result<Seed> {
    let xml = std::str::from_utf8(xml).with_context(|| format!("{place}: it is no UTF-8"))?;
    let mut problems = Vec::new();
    let properties = ovf_environment::properties(xml, &mut problems).with_context(|| place.to_owned())?;
    for problem in problems {
        report.warn(format!("{place}: {problem} (going on without it)"));
    }
    let mut seed = Seed { source: "ovf".into(), place: place.to_owned(), ..Seed::default() };
    let mut all = Mapping::default();
    all.set("instance-id", ID);
    for (key, value) in properties.iter().filter(|(_, value)| !value.is_empty()) {
        if key == "user-data" {
            // Some tools encode it, some do not.
            let data = codec::base64(value.as_bytes()).unwrap_or_else(|_| value.clone().into_bytes());
            seed.user_data = data.into();
        }
        if let Some((_, name)) = META_DATA.iter().find(|(property, _)| property == key) {
            all.set(name, value.as_str());
        }
        if NOT_TAKEN.contains(&key.as_str()) {
            report.warn(format!("{place}: the property `{key}` is not supported yet"));
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
        let seed = from_environment(xml.as_bytes(), "here", &mut Report::default()).unwrap();
        assert_eq!(seed.user_data.bytes(), b"#!/bin/sh\n");
        assert_eq!(seed.meta_data.hostname.as_deref(), Some("h"));
        assert_eq!(seed.meta_data.instance_id.as_deref(), Some("iid-dsovf"));
        assert_eq!(seed.meta_data.public_keys, ["ssh-rsa A"]);
    }

    #[test]
    fn user_data_that_is_not_encoded_is_taken_as_it_is() {
        let xml = r##"<Environment><PropertySection><Property key="user-data" value="#!/bin/sh&#10;"/>
            </PropertySection></Environment>"##;
        let read = |xml: &[u8]| from_environment(xml, "here", &mut Report::default());
        assert_eq!(read(xml.as_bytes()).unwrap().user_data.bytes(), b"#!/bin/sh\n");
        assert!(read(b"\xff").is_err());
    }
}

//! OVF's environment: ovf-env.xml on a volume that the hypervisor attaches, or in the seed directory.

use super::{Signal, SourceFacts};
use crate::codec;
use crate::fetch;
use crate::meta_data::{self, MetaData};
use crate::ovf_environment;
use crate::report::Report;
use crate::root::Root;
use crate::seed::{self, Seed};
use crate::system_config;
use crate::volume;
use crate::yaml::{self, Mapping, Value};
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

/// Properties that ask for something that nothing here carries out, and what the person can do now.
const NOT_CARRIED_OUT: [(&str, &str); 2] = [
    ("password", "give keys in `public-keys`, or a `passwd` of `users` in user-data"),
    ("network-config", "it is kept as meta-data; write the network's files in user-data"),
];

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
    let seed = seed::completed(from_environment(&xml, &place, report)?, facts, report)?;
    Ok(identified(seed))
}

/// Gives a machine an id to which neither its environment nor what that leads to gives one.
pub(super) fn identified(mut seed: Seed) -> Seed {
    if seed.meta_data.instance_id.is_none() {
        seed.meta_data.all.set("instance-id", ID);
        seed.meta_data.instance_id = Some(ID.into());
    }
    seed
}

/// The seed in an environment. Its id may be missing.
pub(super) fn from_environment(xml: &[u8], place: &str, report: &mut Report) -> Result<Seed> {
    let xml = std::str::from_utf8(xml).with_context(|| format!("{place}: it is no UTF-8"))?;
    let mut problems = Vec::new();
    let properties = ovf_environment::properties(xml, &mut problems).with_context(|| place.to_owned())?;
    for problem in problems {
        report.warn(format!("{place}: {problem} (going on without it)"));
    }
    let mut seed = Seed { source: "ovf".into(), place: place.to_owned(), ..Seed::default() };
    let (mut all, mut beneath) = (Mapping::default(), Mapping::default());
    for (key, value) in properties.iter().filter(|(_, value)| !value.is_empty()) {
        match key.as_str() {
            "user-data" => seed.user_data = decoded(value).into(),
            "meta-data" => match meta_data::parse(&decoded(value)) {
                Ok(parsed) => beneath = parsed.all,
                Err(error) => report.warn(format!("{place}: meta-data: {error:#} (going on without it)")),
            },
            "network-config" => match network_config(value) {
                Ok(config) => all.set(key, config),
                Err(error) => report.warn(format!("{place}: {key}: {error:#}")),
            },
            _ => {}
        }
        if let Some((_, name)) = META_DATA.iter().find(|(property, _)| property == key) {
            all.set(name, value.as_str());
        }
        if let Some((_, remedy)) = NOT_CARRIED_OUT.iter().find(|(property, _)| property == key) {
            report.warn(format!("{place}: the property `{key}` is not carried out yet ({remedy})"));
        }
    }
    // A property of its own is meant for the one machine.
    seed.meta_data = MetaData::from(system_config::over(all, &beneath));
    Ok(seed)
}

/// Some tools encode a file that is a property, some do not.
fn decoded(value: &str) -> Vec<u8> {
    codec::base64_or_text(value.into()).unwrap_or_else(|_| value.into())
}

/// The network's configuration, as cloud-init keeps it: version 1 or 2, in base64.
fn network_config(value: &str) -> Result<Value> {
    let text = String::from_utf8(decoded(value)).context("it is no UTF-8")?;
    let config = yaml::load(&text)?;
    config.as_map().and_then(|config| config.get("network")).cloned().context("it has no `network`")
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
        let seed = identified(seed);
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

    /// The expected values follow cloud-init 26.2's `read_ovf_environment`. The differences are `meta-data`, which it
    /// does not know, and plain texts whose letters are as many as base64 has.
    #[test]
    fn each_property_has_its_effect() {
        let read = |properties: &[(&str, &str)]| {
            let mut xml = String::from("<Environment><PropertySection>");
            for (key, value) in properties {
                let value = value.replace('&', "&amp;").replace('"', "&quot;").replace('\n', "&#10;");
                xml.extend(["<Property oe:key=\"", key, "\" oe:value=\"", &value, "\"/>"]);
            }
            xml += "</PropertySection></Environment>";
            let mut report = Report::default();
            let seed = identified(from_environment(xml.as_bytes(), "here", &mut report).unwrap());
            (seed, report.warnings)
        };
        let base64 = |text: &str| codec::to_base64(text.as_bytes());
        for (properties, id, name, keys) in [
            (&[("instance-id", "i-1")][..], "i-1", None, &[][..]),
            (&[("instance-id", "")], "iid-dsovf", None, &[]),
            (&[("hostname", "a"), ("local-hostname", "b")], "iid-dsovf", Some("b"), &[]),
            (&[("local-hostname", "b"), ("hostname", "a")], "iid-dsovf", Some("a"), &[]),
            (&[("public-keys", "ssh-rsa A\nssh-rsa B")], "iid-dsovf", None, &["ssh-rsa A", "ssh-rsa B"]),
            (
                &[("meta-data", "instance-id: i-2\nlocal-hostname: m\npublic-keys: [ssh-rsa M]\n")],
                "i-2",
                Some("m"),
                &["ssh-rsa M"],
            ),
            (&[("meta-data", &base64("{instance-id: i-2, local-hostname: m}"))], "i-2", Some("m"), &[]),
            // The single one wins, wherever it stands.
            (&[("instance-id", "i-1"), ("meta-data", "instance-id: i-2\n")], "i-1", None, &[]),
            (&[("meta-data", "instance-id: i-2\n"), ("instance-id", "i-1")], "i-1", None, &[]),
            (&[("Hostname", "a"), ("host", "b")], "iid-dsovf", None, &[]),
        ] {
            let (seed, warnings) = read(properties);
            let meta_data = &seed.meta_data;
            assert_eq!(meta_data.instance_id.as_deref(), Some(id), "{properties:?}");
            assert_eq!(meta_data.hostname.as_deref(), name, "{properties:?}");
            assert_eq!(meta_data.public_keys, keys, "{properties:?}");
            assert_eq!(warnings, [""; 0], "{properties:?}");
        }
        let (seed, _) = read(&[("user-data", "#!/bin/sh\necho a\n")]);
        assert_eq!(seed.user_data.bytes(), b"#!/bin/sh\necho a\n", "12 letters are no base64");
        let network = base64("network: {version: 2, ethernets: {}}");
        let (seed, warnings) =
            read(&[("network-config", &network), ("password", "geheim"), ("hostname", "h")]);
        assert_eq!(seed.meta_data.hostname.as_deref(), Some("h"));
        assert!(seed.meta_data.all.get("network-config").unwrap().as_map().is_some());
        assert!(warnings[0].contains("the property `network-config` is not carried out yet"), "{warnings:?}");
        assert!(warnings[1].contains("the property `password` is not carried out yet"), "{warnings:?}");
        assert!(!warnings.concat().contains("geheim"), "{warnings:?}");
        for (key, value, told) in [
            ("meta-data", "- a", "meta-data: read meta-data: it is a list"),
            ("network-config", "version: 2", "network-config: it has no `network`"),
        ] {
            let (seed, warnings) = read(&[(key, value), ("hostname", "h")]);
            assert_eq!(seed.meta_data.hostname.as_deref(), Some("h"));
            assert!(warnings[0].contains(told), "{warnings:?}");
        }
    }
}

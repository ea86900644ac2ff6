//! `VMware`'s guestinfo: `guestinfo.metadata`, `userdata` and `vendordata`, each with its `.encoding`, or an OVF
//! environment in `guestinfo.ovfEnv`; asked through `VMware`'s tools where they are.

use super::{Signal, SourceFacts, ovf};
use crate::apply::{self, Ended};
use crate::codec;
use crate::fetch;
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::seed::{self, Seed, VendorData};
use anyhow::{Context, Result, bail};

/// The tools that speak to the hypervisor, and what stands before the question.
const TOOLS: &[(&str, &[&str])] = &[
    ("usr/bin/vmware-rpctool", &[]),
    ("usr/bin/vmtoolsd", &["--cmd"]),
    ("usr/local/bin/vmtoolsd", &["--cmd"]),
];

/// A tool that hangs must not hold up the boot.
const TIMEOUT: [&str; 2] = ["timeout", "10"];

/// Where the values are, for people; a template knows the first of their names.
const PLACE: &str = "guestinfo.metadata";

/// The instance-id where neither the meta-data nor the firmware gives one.
const ID: &str = "iid-vmware";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let product = facts.dmi("product_name");
    if !product.starts_with("VMware") || tool(facts)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Signal::in_machine(format!("the firmware's product_name is {product}"))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let Some((program, words)) = tool(facts)? else { return Ok(None) };
    if !facts.root.is_live() {
        report.info(&format!("not on this root: ask /{program} for guestinfo"));
        return Ok(None);
    }
    let ask = |key: &str| -> Result<Option<String>> {
        let mut argv: Vec<String> = TIMEOUT.map(str::to_owned).to_vec();
        argv.push(format!("/{program}"));
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        argv.push(format!("info-get guestinfo.{key}"));
        match apply::ask(&argv, None, "coreutils") {
            Ok(value) => Ok(Some(value.trim_end_matches('\n').to_owned())),
            // So the tools say that there is no value; anything else says nothing of it.
            Err(error) if error.downcast_ref().is_some_and(|ended: &Ended| ended.with(1)) => Ok(None),
            Err(error) => Err(error.context(format!("guestinfo.{key}"))),
        }
    };
    let uuid = facts.dmi("product_uuid").to_lowercase();
    match seed_of(ask, &uuid, facts.kept.as_deref(), report)? {
        Some(seed) => seed::completed(seed, facts, report).map(Some),
        None => Ok(None),
    }
}

fn tool(facts: &SourceFacts<'_>) -> Result<Option<&'static (&'static str, &'static [&'static str])>> {
    for tool in TOOLS {
        if facts.root.holds(tool.0)? {
            return Ok(Some(tool));
        }
    }
    Ok(None)
}

/// A value of guestinfo.
enum GuestValue {
    Missing,
    /// It was there, and whoever set the machine up has taken it back.
    UsedUp,
    Given(Result<Vec<u8>>),
}

/// What a deployment sets when a value has been used up.
const USED_UP: &str = "---";

fn value(key: &str, ask: impl Fn(&str) -> Result<Option<String>>) -> Result<GuestValue> {
    let Some(value) = ask(key)?.filter(|value| !value.is_empty()) else { return Ok(GuestValue::Missing) };
    if value == USED_UP {
        return Ok(GuestValue::UsedUp);
    }
    let encoding = ask(&format!("{key}.encoding"))?.unwrap_or_default();
    Ok(GuestValue::Given(decoded(value, &encoding).with_context(|| format!("guestinfo.{key}"))))
}

impl GuestValue {
    fn into_given(self) -> Option<Result<Vec<u8>>> {
        match self {
            Self::Given(given) => Some(given),
            Self::Missing | Self::UsedUp => None,
        }
    }
}

/// `kept` is the instance that the machine was last.
fn seed_of(
    ask: impl Fn(&str) -> Result<Option<String>>,
    uuid: &str,
    kept: Option<&str>,
    report: &mut Report,
) -> Result<Option<Seed>> {
    let (meta_data, user_data) = (value("metadata", &ask)?, value("userdata", &ask)?);
    let is_used_up = matches!(meta_data, GuestValue::UsedUp);
    let (meta_data, user_data) = (meta_data.into_given(), user_data.into_given());
    let vendor_data = value("vendordata", &ask).and_then(|value| value.into_given().transpose());
    if meta_data.is_none() && user_data.is_none() && matches!(vendor_data, Ok(None)) {
        return match ask("ovfEnv")?.filter(|xml| !xml.is_empty() && xml != USED_UP) {
            // It was no news of the machine when there was more.
            _ if is_used_up && kept.is_some() => Ok(None),
            Some(xml) => ovf::from_environment(xml.as_bytes(), "guestinfo.ovfEnv").map(Some),
            None => Ok(None),
        };
    }
    let mut is_news = !is_used_up;
    let parsed = meta_data.unwrap_or_else(|| Ok(Vec::new())).and_then(|data| meta_data::parse(&data));
    let mut meta_data = parsed.unwrap_or_else(|error| {
        report.warn(format!("{error:#}"));
        is_news = false;
        MetaData::default()
    });
    let own = if uuid.is_empty() { ID } else { uuid };
    // Nobody says that this is another machine than it was.
    let id = kept.filter(|_| !is_news).unwrap_or(own);
    meta_data.instance_id.get_or_insert_with(|| id.to_owned());
    Ok(Some(Seed {
        source: "vmware".into(),
        place: PLACE.into(),
        user_data: user_data
            .transpose()
            .unwrap_or_else(|error| {
                report.warn(format!("{error:#}"));
                None
            })
            .unwrap_or_default(),
        vendor_data: VendorData::of("vendor-data", vendor_data, report),
        meta_data,
        ..Seed::default()
    }))
}

fn decoded(value: String, encoding: &str) -> Result<Vec<u8>> {
    match encoding.trim() {
        "" => Ok(value.into_bytes()),
        "base64" | "b64" => codec::base64(value.as_bytes()),
        "gzip+base64" | "gz+b64" => codec::gunzip(&codec::base64(value.as_bytes())?, fetch::LARGEST),
        other => bail!("the encoding `{}` is unknown (known: base64, gzip+base64)", other.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(values: &[(&str, &str)]) -> (Option<Seed>, Vec<String>) {
        let (seed, warnings) = seed_on(None, values);
        (seed.unwrap(), warnings)
    }

    /// A value `hangs` is one of which the tools say nothing.
    fn seed_on(kept: Option<&str>, values: &[(&str, &str)]) -> (Result<Option<Seed>>, Vec<String>) {
        let ask = |key: &str| match values.iter().find(|(name, _)| *name == key) {
            Some((_, "hangs")) => bail!("guestinfo.{key}: the tool hangs"),
            found => Ok(found.map(|(_, value)| (*value).to_owned())),
        };
        let mut report = Report::default();
        let seed = seed_of(ask, "uuid-1", kept, &mut report);
        (seed, report.warnings)
    }

    #[test]
    fn meta_data_that_fails_for_a_while_makes_no_other_instance() {
        let script = ("userdata", "#!/bin/sh\n");
        let id =
            |kept, values: &[_]| seed_on(kept, values).0.unwrap().unwrap().meta_data.instance_id.unwrap();
        for broken in ["{instance-id: [", "- a", "---"] {
            assert_eq!(id(Some("i-1"), &[script, ("metadata", broken)]), "i-1", "{broken}");
            assert_eq!(id(None, &[script, ("metadata", broken)]), "uuid-1", "{broken}");
        }
        assert_eq!(id(Some("i-1"), &[script, ("metadata", "x"), ("metadata.encoding", "rot13")]), "i-1");
        // What the tools do not answer is no answer.
        for silent in [("metadata", "hangs"), ("userdata", "hangs"), ("userdata.encoding", "hangs")] {
            let all = [silent, ("metadata", "{instance-id: i-2}"), script];
            assert!(seed_on(Some("i-1"), &all).0.unwrap_err().to_string().contains("hangs"), "{silent:?}");
        }
        // One that answers is another instance, and a machine that never had any has the firmware's.
        assert_eq!(id(Some("i-1"), &[script, ("metadata", "{instance-id: i-2}")]), "i-2");
        assert_eq!(id(Some("i-1"), &[script]), "uuid-1");
        let env = ("ovfEnv", "<Environment><Property key='hostname' value='h'/></Environment>");
        assert!(seed_on(Some("i-1"), &[env, ("metadata", "---")]).0.unwrap().is_none());
    }

    #[test]
    fn vendor_data_that_fails_is_told_and_what_was_kept_counts() {
        let (found, warnings) = seed_on(None, &[("metadata", "{}"), ("vendordata", "hangs")]);
        assert_eq!(found.unwrap().unwrap().vendor_data, VendorData::Silent);
        assert!(warnings[0].contains("the tool hangs"), "{warnings:?}");
        let (found, _) = seed(&[("metadata", "{}")]);
        assert_eq!(found.unwrap().vendor_data, VendorData::default());
    }

    #[test]
    fn values_are_decoded_as_they_say() {
        let (found, warnings) = seed(&[
            ("metadata", "eyJpbnN0YW5jZS1pZCI6ICJpLTEifQ=="),
            ("metadata.encoding", "base64"),
            ("userdata", "#!/bin/sh\n"),
            ("vendordata", "H4sIAAAAAAACA1NW1E/KzNMvzuACAB2d+wQKAAAA"),
            ("vendordata.encoding", "gz+b64"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.meta_data.instance_id.as_deref(), Some("i-1"));
        assert_eq!(found.user_data, b"#!/bin/sh\n");
        assert_eq!(found.vendor_data, VendorData::Given(b"#!/bin/sh\n".to_vec()));
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn a_bad_value_is_told_and_the_firmware_gives_the_id() {
        let (found, warnings) =
            seed(&[("userdata", "x"), ("userdata.encoding", "rot13"), ("metadata", "{}")]);
        let found = found.unwrap();
        assert_eq!(found.meta_data.instance_id.as_deref(), Some("uuid-1"));
        assert!(warnings[0].contains("the encoding `rot13` is unknown"), "{warnings:?}");
        assert!(found.user_data.is_empty());
    }

    #[test]
    fn an_ovf_environment_counts_where_there_is_nothing_else() {
        let xml = "<Environment><Property key='hostname' value='h'/></Environment>";
        let (found, _) = seed(&[("ovfEnv", xml), ("metadata", "---")]);
        assert_eq!(found.unwrap().meta_data.hostname.as_deref(), Some("h"));
        assert!(seed(&[("metadata", ""), ("userdata", "---")]).0.is_none());
    }
}

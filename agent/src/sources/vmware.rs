//! `VMware`'s guestinfo: `guestinfo.metadata`, `userdata` and `vendordata`, each with its `.encoding`, or an OVF
//! environment in `guestinfo.ovfEnv`; asked through `VMware`'s tools where they are.

use super::{Facts, Signal, ovf};
use crate::apply;
use crate::codec;
use crate::fetch;
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::seed::{self, Seed};
use anyhow::{Result, bail};

/// The tools that speak to the hypervisor, and what stands before the question.
const TOOLS: &[(&str, &[&str])] = &[
    ("usr/bin/vmware-rpctool", &[]),
    ("usr/bin/vmtoolsd", &["--cmd"]),
    ("usr/local/bin/vmtoolsd", &["--cmd"]),
];

/// A tool that hangs must not hold up the boot.
const TIMEOUT: [&str; 2] = ["timeout", "10"];

/// The instance-id where neither the meta-data nor the firmware gives one.
const ID: &str = "iid-vmware";

pub(super) fn detect(facts: &Facts<'_>) -> Result<Option<Signal>> {
    let product = facts.dmi("product_name");
    if !product.starts_with("VMware") || tool(facts)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Signal::in_machine(format!("the firmware's product_name is {product}"))))
}

pub(super) fn read(facts: &Facts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let Some((program, words)) = tool(facts)? else { return Ok(None) };
    if !facts.root.is_live() {
        report.info(&format!("not on this root: ask /{program} for guestinfo"));
        return Ok(None);
    }
    let ask = |key: &str| {
        let mut argv: Vec<String> = TIMEOUT.map(str::to_owned).to_vec();
        argv.push(format!("/{program}"));
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        argv.push(format!("info-get guestinfo.{key}"));
        // The tools fail where there is no value.
        apply::ask(&argv, None, "coreutils").ok().map(|value| value.trim_end_matches('\n').to_owned())
    };
    match seed_of(ask, &facts.dmi("product_uuid").to_lowercase(), report)? {
        Some(seed) => seed::completed(seed, facts, report).map(Some),
        None => Ok(None),
    }
}

fn tool(facts: &Facts<'_>) -> Result<Option<&'static (&'static str, &'static [&'static str])>> {
    for tool in TOOLS {
        if facts.root.holds(tool.0)? {
            return Ok(Some(tool));
        }
    }
    Ok(None)
}

fn seed_of(ask: impl Fn(&str) -> Option<String>, uuid: &str, report: &mut Report) -> Result<Option<Seed>> {
    // What a deployment sets when a value has been used up.
    let value = |key: &str| ask(key).filter(|value| !value.is_empty() && value != "---");
    let mut data = |key: &str| {
        let value = value(key)?;
        let encoding = ask(&format!("{key}.encoding")).unwrap_or_default();
        decoded(value, &encoding).map_err(|error| report.warn(format!("guestinfo.{key}: {error:#}"))).ok()
    };
    let (meta_data, user_data, vendor_data) = (data("metadata"), data("userdata"), data("vendordata"));
    if meta_data.is_none() && user_data.is_none() && vendor_data.is_none() {
        return match value("ovfEnv") {
            Some(xml) => ovf::from_environment(xml.as_bytes(), "guestinfo.ovfEnv").map(Some),
            None => Ok(None),
        };
    }
    let mut meta_data = meta_data::parse(&meta_data.unwrap_or_default()).unwrap_or_else(|error| {
        report.warn(format!("guestinfo.metadata: {error:#}"));
        MetaData::default()
    });
    let id = if uuid.is_empty() { ID } else { uuid };
    meta_data.instance_id.get_or_insert_with(|| id.to_owned());
    Ok(Some(Seed {
        source: "vmware".into(),
        place: "guestinfo".into(),
        user_data: user_data.unwrap_or_default(),
        vendor_data: vendor_data.unwrap_or_default(),
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
        let ask = |key: &str| {
            let found = values.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut report = Report::default();
        let seed = seed_of(ask, "uuid-1", &mut report).unwrap();
        (seed, report.warnings)
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
        assert_eq!(found.vendor_data, b"#!/bin/sh\n");
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

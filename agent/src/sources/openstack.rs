//! `OpenStack`'s metadata service. Its files are also those of a config drive.

use super::{Signal, SourceFacts};
use crate::fetch::{Answered, Question, Verb};
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::seed::{Seed, VendorData};
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result, bail};

const CLOUD: &str = "OpenStack";
const ADDRESS: &str = "http://169.254.169.254";

/// What firmware says on clouds that are `OpenStack`.
const PRODUCTS: [&str; 2] = ["OpenStack Nova", "OpenStack Compute"];
const ASSET_TAGS: [&str; 6] = [
    "OpenStack Nova",
    "OpenStack Compute",
    "HUAWEICLOUD",
    "OpenTelekomCloud",
    "SAP CCloud VM",
    "Samsung Cloud Platform",
];

/// The versions of the format that are understood, newest first.
const VERSIONS: [&str; 7] =
    ["2018-08-27", "2017-02-22", "2016-10-06", "2016-06-30", "2015-10-15", "2013-10-17", "2012-08-10"];
const LATEST: &str = "latest";

#[expect(clippy::unnecessary_wraps, reason = "looking for a source may fail; for this one it cannot")]
pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let seen = [("product_name", &PRODUCTS[..]), ("chassis_asset_tag", &ASSET_TAGS)];
    for (file, known) in seen {
        let value = facts.dmi(file);
        if known.contains(&value.as_str()) {
            return Ok(Some(Signal::on_network(format!("the firmware's {file} is {value}"))));
        }
    }
    Ok(facts.told(CLOUD))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let client = facts.metadata_client(CLOUD)?;
    let question = Question { verb: Verb::Get, headers: &[], patience: facts.patience(CLOUD) };
    let addresses = facts.metadata_urls(CLOUD).unwrap_or_else(|| vec![ADDRESS.to_owned()]);
    let places: Vec<String> = addresses.iter().map(|address| format!("{address}/openstack")).collect();
    let urls: Vec<&str> = places.iter().map(String::as_str).collect();
    let (place, answer) = client.ask_any(&urls, &question)?;
    let place = places.get(place).context("an address that was not asked has answered")?;
    let listed = match answer {
        Answered::Body(body) => String::from_utf8_lossy(&body).into_owned(),
        Answered::Refused(status) => bail!("{place} answers {status}"),
    };
    let place = format!(
        "{place}/{}",
        version(|version| listed.lines().any(|line| line.trim().trim_end_matches('/') == version))
    );
    let read = |name: &str| match client.ask_any(&[&format!("{place}/{name}")], &question)?.1 {
        Answered::Body(body) => Ok(Some(body)),
        Answered::Refused(404 | 410) => Ok(None),
        Answered::Refused(status) => bail!("{place}/{name} answers {status}"),
    };
    seed_of("openstack", &place, read, report).map(Some)
}

/// The newest version that both sides know.
pub(super) fn version(is_there: impl Fn(&str) -> bool) -> &'static str {
    VERSIONS.into_iter().find(|version| is_there(version)).unwrap_or(LATEST)
}

/// A seed from the files of one version.
pub(super) fn seed_of(
    source: &str,
    place: &str,
    read: impl Fn(&str) -> Result<Option<Vec<u8>>>,
    report: &mut Report,
) -> Result<Seed> {
    let meta_data =
        read("meta_data.json")?.with_context(|| format!("{place}: there is no meta_data.json"))?;
    let meta_data = meta_data_of(&meta_data).with_context(|| format!("{place}: meta_data.json"))?;
    let vendor = ["vendor_data.json", "vendor_data2.json"].map(|name| (name, read(name)));
    let user_data = read("user_data")?.unwrap_or_default();
    let [vendor_data, vendor_data2] = vendor.map(|(name, data)| {
        let parsed = |data: Vec<u8>| vendor_data_of(&data).with_context(|| format!("{place}: {name}"));
        VendorData::of(name, data.and_then(|data| data.map(parsed).transpose()), report)
    });
    Ok(Seed { source: source.into(), place: place.into(), user_data, vendor_data, vendor_data2, meta_data })
}

/// `OpenStack`'s names become those of all sources; its own stay beside them.
fn meta_data_of(json: &[u8]) -> Result<MetaData> {
    let Value::Map(mut all) = load(json)? else { bail!("it is no mapping") };
    for (own, common) in
        [("uuid", "instance-id"), ("hostname", "local-hostname"), ("public_keys", "public-keys")]
    {
        if let (Some(value), None) = (all.get(own).cloned(), all.get(common)) {
            all.set(common, value);
        }
    }
    let meta_data = MetaData::from(all);
    if meta_data.instance_id.is_none() {
        bail!("it has no uuid");
    }
    Ok(meta_data)
}

/// JSON is YAML but for one thing: a character may be two halves, `\uD83D\uDE00`.
fn load(json: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(json).context("it is no UTF-8")?;
    Ok(yaml::load(&with_whole_characters(text))?)
}

fn with_whole_characters(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        whole.push_str(before);
        let joined = after.strip_prefix('u').and_then(half).and_then(|(high, behind)| {
            let (low, behind) = behind?.strip_prefix("\\u").and_then(half)?;
            let character = char::decode_utf16([high, low]).next()?.ok().filter(|it| it.len_utf16() == 2)?;
            Some((character, behind?))
        });
        if let Some((character, behind)) = joined {
            whole.push(character);
            rest = behind;
            continue;
        }
        // Together with what it escapes, which may be another of its kind.
        let escaped = after.chars().next();
        whole.push('\\');
        whole.extend(escaped);
        rest = escaped.and_then(|escaped| after.strip_prefix(escaped)).unwrap_or_default();
    }
    whole + rest
}

/// One half, and what is behind it.
fn half(text: &str) -> Option<(u16, Option<&str>)> {
    let half = u16::from_str_radix(text.get(..4)?, 16).ok()?;
    Some((half, text.get(4..)))
}

/// A text, a list of texts, or either under `cloud-init`: as user-data has it.
fn vendor_data_of(json: &[u8]) -> Result<Vec<u8>> {
    if json.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let value = load(json)?;
    let own = |mapping: &Mapping| mapping.get("cloud-init").cloned().unwrap_or(Value::Null);
    let value = match &value {
        Value::Map(mapping) => own(mapping),
        _ => value,
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Str(text) => Ok(text.into_bytes()),
        list @ Value::Seq(_) => Ok(format!("#cloud-config-archive\n{}\n", yaml::to_json(&list)).into_bytes()),
        other => bail!("it is {} and no text", other.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_those_of_all_sources() {
        let json = br#"{"uuid": "u-1", "hostname": "h.example", "public_keys": {"k": "ssh-rsa A"}, "meta": {"a": 1}}"#;
        let meta_data = meta_data_of(json).unwrap();
        assert_eq!(meta_data.instance_id.as_deref(), Some("u-1"));
        assert_eq!(meta_data.hostname.as_deref(), Some("h.example"));
        assert_eq!(meta_data.public_keys, ["ssh-rsa A"]);
        assert!(meta_data.all.get("meta").is_some());
        assert!(meta_data_of(b"{}").is_err());
        assert!(meta_data_of(b"[]").is_err());
    }

    #[test]
    fn vendor_data_is_for_us_only_where_it_says_so() {
        for (json, data) in [
            ("", ""),
            ("{}", ""),
            ("\"#!/bin/sh\\n\"", "#!/bin/sh\n"),
            (r##"{"cloud-init": "#cloud-config\n"}"##, "#cloud-config\n"),
            (r#"{"cloud-init": ["a"], "other": 1}"#, "#cloud-config-archive\n[\"a\"]\n"),
        ] {
            assert_eq!(String::from_utf8(vendor_data_of(json.as_bytes()).unwrap()).unwrap(), data, "{json}");
        }
        assert!(vendor_data_of(b"{\"cloud-init\": 5}").is_err());
    }

    #[test]
    fn characters_in_two_halves_are_made_whole() {
        for (text, whole) in [
            (r#""\ud83d\ude00 \u00e9""#, r#""😀 \u00e9""#),
            (r#""\\ud83d\\ude00""#, r#""\\ud83d\\ude00""#),
            (r#""\ud83d""#, r#""\ud83d""#),
            (r#""\ud83d\u00e9""#, r#""\ud83d\u00e9""#),
            ("\\", "\\"),
        ] {
            assert_eq!(with_whole_characters(text), whole);
        }
        let meta_data = meta_data_of(br#"{"uuid": "\ud83d\ude00", "hostname": null, "x": "a\/b"}"#).unwrap();
        assert_eq!(meta_data.instance_id.as_deref(), Some("😀"));
    }

    #[test]
    fn the_newest_known_version_is_taken() {
        assert_eq!(
            version(|version| ["2012-08-10", "2015-10-15", "2099-01-01"].contains(&version)),
            "2015-10-15"
        );
        assert_eq!(version(|_| false), "latest");
    }
}

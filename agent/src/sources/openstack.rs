//! `OpenStack`'s metadata service. Its files are also those of a config drive.

pub(crate) mod files;
mod vendor_data;

use super::ec2::{self, Tree};
use super::{Signal, SourceFacts};
use crate::fetch::{Answered, Question, Verb};
use crate::instance::Instance;
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::seed::{Seed, UserData, VendorData};
use crate::user_data::parse_json;
use crate::yaml::{self, BYTE_ORDER_MARK, Value};
use anyhow::{Context, Result, bail};

const CLOUD: &str = "OpenStack";
const ADDRESS: &str = "http://169.254.169.254";

/// The product names in the firmware of clouds that are `OpenStack`.
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
    // A service that does not list its versions may have the latest.
    let asked = |address: &String| {
        [format!("{address}/{DIRECTORY}"), format!("{address}/{DIRECTORY}/{LATEST}/{META_DATA}")]
    };
    let urls: Vec<String> = addresses.iter().flat_map(asked).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let (place, answer) = client.ask_any(&urls, &question)?;
    let address = addresses.get(place / 2).context("an address that was not asked has answered")?;
    let listed = match answer {
        Answered::Body(body) if place % 2 == 0 => String::from_utf8_lossy(&body).into_owned(),
        _ => String::new(),
    };
    let version = version(|version| listed.lines().any(|line| line.trim().trim_end_matches('/') == version));
    let place = format!("{address}/{DIRECTORY}");
    let taken = |url: &str, answer: Answered| match answer {
        Answered::Body(body) => Ok(Some(body)),
        Answered::Refused(404 | 410) => Ok(None),
        Answered::Refused(status) => bail!("{url} answers {status}"),
    };
    let optional = |url: &str| taken(url, client.ask_optional(url, &question)?);
    let tree = Tree::new(address, |path| optional(&format!("{address}/{path}")));
    let files = Files {
        source: "openstack",
        place: &place,
        version,
        essential: &|name| {
            let url = format!("{place}/{name}");
            taken(&url, client.ask_any(&[&url], &question)?.1)
        },
        optional: &|name| {
            let name = ec2::in_url(name).with_context(|| format!("`{}` is no path", name.escape_debug()))?;
            optional(&format!("{place}/{name}"))
        },
    };
    files.seed(facts, report, |report| tree.below(EC2_DIRECTORY, report).into()).map(Some)
}

/// The directory of a service and of a drive.
pub(super) const DIRECTORY: &str = "openstack";
/// In a version's directory.
pub(super) const META_DATA: &str = "meta_data.json";
/// The same service's other tree.
const EC2_DIRECTORY: &str = "latest/meta-data/";

/// The newest version that both sides know.
pub(super) fn version(is_there: impl Fn(&str) -> bool) -> &'static str {
    VERSIONS.into_iter().find(|version| is_there(version)).unwrap_or(LATEST)
}

/// Reads a file below the directory; `None` where there is none.
type Read<'a> = &'a dyn Fn(&str) -> Result<Option<Vec<u8>>>;

/// The files of a service or a drive.
pub(super) struct Files<'a> {
    /// The kind of source.
    pub(super) source: &'static str,
    /// The directory, for people.
    pub(super) place: &'a str,
    /// The version that is read.
    pub(super) version: &'static str,
    /// Reads what must be had.
    pub(super) essential: Read<'a>,
    /// Reads what need not be there.
    pub(super) optional: Read<'a>,
}

impl Files<'_> {
    /// A seed from them. Without the meta-data there is none; any other file that cannot be read costs only itself.
    pub(super) fn seed(
        &self,
        facts: &SourceFacts<'_>,
        report: &mut Report,
        ec2_metadata: impl FnOnce(&mut Report) -> Value,
    ) -> Result<Seed> {
        let Self { version, .. } = self;
        let place = format!("{}/{version}", self.place);
        let meta_data = (self.essential)(&format!("{version}/{META_DATA}"))?;
        let meta_data = meta_data.with_context(|| format!("{place}: there is no {META_DATA}"))?;
        let mut meta_data = meta_data_of(&meta_data).with_context(|| format!("{place}: {META_DATA}"))?;
        let json = |name: &str, report: &mut Report| {
            let read = (self.optional)(&format!("{version}/{name}"));
            let loaded = read.and_then(|data| {
                data.filter(|data| !data.trim_ascii().is_empty()).map(|data| load(&data)).transpose()
            });
            loaded
                .with_context(|| format!("{place}: {name}"))
                .map_err(|error| report.warn(format!("{error:#} (going on without it)")))
        };
        let network = json("network_data.json", report).ok().flatten();
        let [vendor_data, vendor_data2] =
            ["vendor_data.json", "vendor_data2.json"].map(|name| match json(name, report) {
                Ok(data) => vendor_data::of(data.unwrap_or(Value::Null)).unwrap_or_else(|error| {
                    report.warn(format!("{place}: {name}: {error:#} (going on without it)"));
                    VendorData::default()
                }),
                Err(()) => VendorData::Silent,
            });
        meta_data.beside.set("ec2_metadata", ec2_metadata(report));
        meta_data.beside.set("network_json", network.unwrap_or(Value::Null));
        let id = meta_data.instance_id.as_deref().unwrap_or_default();
        let are_there = files::are_written(&Instance::new(id), facts.root);
        let files = (!are_there).then(|| files::of(meta_data.all.get("files"), self.optional, report));
        let user_data = (self.essential)(&format!("{version}/user_data"));
        Ok(Seed {
            source: self.source.into(),
            place,
            user_data: UserData::of(user_data, report),
            vendor_data,
            vendor_data2,
            meta_data,
            files,
        })
    }
}

/// `OpenStack`'s names become those of all sources; its own stay beside them.
fn meta_data_of(json: &[u8]) -> Result<MetaData> {
    let Value::Map(mut all) = load(json)? else { bail!("it is no mapping") };
    for (own, common) in [("uuid", "instance-id"), ("hostname", "local-hostname")] {
        if let Some(value) = all.get(own).cloned() {
            all.set(common, value);
        }
    }
    let keys = all.get("public_keys").map(meta_data::keys);
    let mut meta_data = MetaData::from(all);
    meta_data.public_keys = keys.unwrap_or(meta_data.public_keys);
    if meta_data.instance_id.is_none() {
        bail!("it has no uuid");
    }
    Ok(meta_data)
}

/// Reads JSON, and YAML where it is none: tools write that, too.
pub(super) fn load(json: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(json).context("it is no UTF-8")?;
    let text = text.trim_start_matches(BYTE_ORDER_MARK);
    parse_json(text).or_else(|error| yaml::load(text).map_err(|_| error))
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

    /// JSON by Python's `json.loads`, which cloud-init 26.2 reads the files with; the rows of YAML are our own.
    #[test]
    fn json_is_read_in_each_of_its_spellings() {
        let long = "k".repeat(2000);
        for (json, uuid) in [
            (String::from("{\n\t\"uuid\":\t\"u-1\"\n}\n"), "u-1"),
            ("{\"uuid\"\n:\n\"u-1\"}".into(), "u-1"),
            ("\u{feff}{\"uuid\": \"u-1\"}".into(), "u-1"),
            (format!("{{\"{long}\": 1, \"uuid\": \"u-1\"}}"), "u-1"),
            (r#"{"uuid": "\ud83d\ude00", "hostname": null, "x": "a\/b"}"#.into(), "😀"),
            (r#"{"uuid": "\\ud83d\\ude00"}"#.into(), "\\ud83d\\ude00"),
            (r#"{"uuid": "u-0", "uuid": "u-1"}"#.into(), "u-1"),
            (r#"{"<<": "x", "uuid": "*u", "=": "="}"#.into(), "*u"),
            (r#"{"uuid":"u-1","n":-1.5e3,"t":true,"l":[1,[]]}"#.into(), "u-1"),
            ("\r\n{\"uuid\": \"u-1\"}\r\n".into(), "u-1"),
            ("uuid: u-1\n".into(), "u-1"),
            ("{uuid: u-1}".into(), "u-1"),
        ] {
            let meta_data = meta_data_of(json.as_bytes()).unwrap();
            assert_eq!(meta_data.instance_id.as_deref(), Some(uuid), "{json}");
        }
        let float = meta_data_of(br#"{"uuid": "u", "f": 1.5e3}"#).unwrap();
        assert!(matches!(float.all.get("f"), Some(Value::Float(_))));
        let error = load(b"{\n\t\"a\": 1,\n}").unwrap_err().to_string();
        assert!(error.starts_with("line 3, column 1: "), "{error}");
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

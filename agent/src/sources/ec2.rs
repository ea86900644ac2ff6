//! EC2's metadata service, and those that speak like it.

use super::{Signal, SourceFacts};
use crate::fetch::{Answered, Client, Question, Verb};
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::seed::Seed;
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result, bail};

const CLOUD: &str = "Ec2";
const ADDRESSES: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// The versions of the tree that are asked for, and the oldest, which all that speak like EC2 have.
const VERSIONS: [&str; 3] = ["2021-03-23", "2016-09-02", "2009-04-04"];

/// Meta-data of that name says which cloud it is, whatever the source.
const CLOUD_NAME: &str = "cloud-name";

const TOKEN_LIFE: (&str, &str) = ("X-aws-ec2-metadata-token-ttl-seconds", "21600");
const TOKEN: &str = "X-aws-ec2-metadata-token";

/// A tree that never ends must have an end.
const MOST_VALUES: usize = 2_000;
const DEEPEST: usize = 10;

/// What firmware says on clouds that speak like EC2 and know no tokens: the file, how its value ends, and
/// cloud-init's name of the cloud.
const OTHERS: &[(&str, &str, &str)] = &[
    ("product_serial", ".brightbox.com", "brightbox"),
    ("chassis_asset_tag", ".zstack.io", "zstack"),
    ("sys_vendor", "e24cloud", "e24cloud"),
];

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let seen = amazon(facts)?.or_else(|| {
        let (file, ..) = other(facts)?;
        Some(format!("the firmware's {file} is {}", facts.dmi(file)))
    });
    Ok(seen.map(Signal::on_network).or_else(|| facts.told(CLOUD)))
}

fn other(facts: &SourceFacts<'_>) -> Option<&'static (&'static str, &'static str, &'static str)> {
    OTHERS.iter().find(|(file, end, _)| facts.dmi(file).ends_with(end))
}

/// What shows that the machine is Amazon's.
fn amazon(facts: &SourceFacts<'_>) -> Result<Option<String>> {
    for file in ["sys_vendor", "bios_vendor", "board_vendor"] {
        let value = facts.dmi(file);
        if value == "Amazon EC2" {
            return Ok(Some(format!("the firmware's {file} is {value}")));
        }
    }
    let is_ec2 = |uuid: &str| uuid.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("ec2"));
    // Xen's own, before there was Nitro.
    let xen = facts.root.read_text("sys/hypervisor/uuid")?.unwrap_or_default();
    if is_ec2(&xen) {
        return Ok(Some(format!("the hypervisor's uuid is {}", xen.trim())));
    }
    // Anybody's uuid may begin so; that the serial number is the same is Amazon's alone.
    let (uuid, serial) = (facts.dmi("product_uuid"), facts.dmi("product_serial"));
    Ok((is_ec2(&uuid) && uuid.eq_ignore_ascii_case(&serial))
        .then(|| format!("the firmware's product_uuid is {uuid}")))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let client = facts.metadata_client(CLOUD)?;
    let addresses = facts.metadata_urls(CLOUD).unwrap_or_else(|| ADDRESSES.map(str::to_owned).to_vec());
    let service = Service::open(&addresses, &client, facts)?;
    let mut version = None;
    for candidate in VERSIONS {
        if let Some(id) = service.get(&format!("{candidate}/meta-data/instance-id"))? {
            version = Some((candidate, id));
            break;
        }
    }
    let (version, id) = version
        .with_context(|| format!("{}: no version of the meta-data has an instance-id", service.address))?;
    let mut all = service.tree(&format!("{version}/meta-data/"), report)?;
    all.set("instance-id", String::from_utf8_lossy(&id).trim());
    let cloud = if amazon(facts)?.is_some() { Some("aws") } else { other(facts).map(|(.., name)| *name) };
    if let (Some(cloud), None) = (cloud, all.get(CLOUD_NAME)) {
        all.set(CLOUD_NAME, cloud);
    }
    let user_data = service.get(&format!("{version}/user-data"))?.unwrap_or_default();
    let place = service.address.clone();
    Ok(Some(Seed {
        source: "ec2".into(),
        place,
        user_data,
        meta_data: MetaData::from(all),
        ..Seed::default()
    }))
}

/// A service that has answered.
struct Service<'a> {
    client: &'a Client,
    address: String,
    /// `None` where version 1 is spoken.
    token: Option<String>,
    facts: &'a SourceFacts<'a>,
}

impl<'a> Service<'a> {
    fn open(addresses: &[String], client: &'a Client, facts: &'a SourceFacts<'a>) -> Result<Self> {
        let urls: Vec<String> =
            addresses.iter().map(|address| format!("{address}/latest/api/token")).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let question = Question { verb: Verb::Put, headers: &[TOKEN_LIFE], patience: facts.patience(CLOUD) };
        let (place, answer) = client.ask_any(&urls, &question)?;
        let address = addresses.get(place).context("an address that was not asked has answered")?.clone();
        let token = match answer {
            Answered::Body(token) => Some(
                String::from_utf8(token)
                    .ok()
                    .filter(|token| is_token(token))
                    .with_context(|| format!("{address}: its token is none"))?,
            ),
            Answered::Refused(403) => bail!("{address}: it is switched off (403)"),
            Answered::Refused(_) if version_1_is_allowed(facts)? => None,
            Answered::Refused(status) => bail!(
                "{address}: it gives no token ({status}); `datasource: {{Ec2: {{allow_imds_v1: true}}}}` lets it do without"
            ),
        };
        Ok(Self { client, address, token, facts })
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let url = format!("{}/{path}", self.address);
        let headers: Vec<(&str, &str)> = self.token.iter().map(|token| (TOKEN, token.as_str())).collect();
        let question = Question { verb: Verb::Get, headers: &headers, patience: self.facts.patience(CLOUD) };
        match self.client.ask_any(&[&url], &question)?.1 {
            Answered::Body(body) => Ok(Some(body)),
            Answered::Refused(404 | 410) => Ok(None),
            Answered::Refused(status) => bail!("{url} answers {status}"),
        }
    }

    /// Everything below a directory, whose answer is a list of names.
    fn tree(&self, path: &str, report: &mut Report) -> Result<Mapping> {
        let mut left = MOST_VALUES;
        let tree = self.directory(path, DEEPEST, &mut left)?;
        if left == 0 {
            report.warn(format!("{}: meta-data beyond {MOST_VALUES} values is left out", self.address));
        }
        Ok(tree)
    }

    fn directory(&self, path: &str, depth: usize, left: &mut usize) -> Result<Mapping> {
        let mut tree = Mapping::default();
        let list = self.get(path)?.unwrap_or_default();
        if depth == 0 {
            return Ok(tree);
        }
        for line in String::from_utf8_lossy(&list).lines().map(str::trim) {
            let Some(still) = left.checked_sub(1) else { break };
            *left = still;
            match ListingEntry::of(line) {
                // Credentials change, and are nobody's business but their program's.
                ListingEntry::None | ListingEntry::Directory("security-credentials") => {}
                ListingEntry::Directory(name) => {
                    tree.set(name, self.directory(&format!("{path}{name}/"), depth - 1, left)?);
                }
                ListingEntry::Value { name, below } => {
                    if let Some(body) = self.get(&format!("{path}{below}"))? {
                        tree.set(name, value_of(&body));
                    }
                }
            }
        }
        Ok(tree)
    }
}

/// A line of a list.
#[derive(PartialEq, Eq, Debug)]
enum ListingEntry<'a> {
    /// Nothing that could be asked for.
    None,
    Directory(&'a str),
    Value {
        name: &'a str,
        below: String,
    },
}

impl<'a> ListingEntry<'a> {
    fn of(line: &'a str) -> Self {
        // What comes from the network becomes part of a URL: nothing that would make it another.
        let plain = |name: &str| {
            !name.is_empty() && !name.contains(['/', '?', '#', '%']) && name != "." && name != ".."
        };
        match (line.strip_suffix('/'), line.split_once('=')) {
            (Some(name), _) if plain(name) => Self::Directory(name),
            // `0=name` is a public key.
            (None, Some((number, name)))
                if !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()) =>
            {
                Self::Value { name, below: format!("{number}/openssh-key") }
            }
            (None, _) if plain(line) => Self::Value { name: line, below: line.to_owned() },
            _ => Self::None,
        }
    }
}

/// JSON becomes what it says, several lines a list, anything else a text.
fn value_of(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body).into_owned();
    let trimmed = text.trim();
    if trimmed.starts_with('{')
        && trimmed.ends_with('}')
        && let Ok(value) = yaml::load(trimmed)
    {
        return value;
    }
    if text.contains('\n') { Value::Seq(text.lines().map(Value::from).collect()) } else { Value::Str(text) }
}

/// Amazon's machines are never spoken to without a token, unless their owner wants that.
fn version_1_is_allowed(facts: &SourceFacts<'_>) -> Result<bool> {
    match facts.settings(CLOUD).and_then(|settings| settings.get("allow_imds_v1")) {
        Some(allowed) => Ok(allowed.is_on()),
        None => Ok(amazon(facts)?.is_none()),
    }
}

/// It becomes part of a header.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::to_json;

    #[test]
    fn a_list_has_values_directories_and_keys() {
        let value = |name, below: &str| ListingEntry::Value { name, below: below.into() };
        assert_eq!(ListingEntry::of("ami-id"), value("ami-id", "ami-id"));
        assert_eq!(ListingEntry::of("iam/"), ListingEntry::Directory("iam"));
        assert_eq!(ListingEntry::of("0=my key"), value("my key", "0/openssh-key"));
        for line in ["", "/", "../", "..", "a/b", "x?y", "a/../b/"] {
            assert_eq!(ListingEntry::of(line), ListingEntry::None, "{line}");
        }
    }

    #[test]
    fn values_are_texts_lists_or_what_json_says() {
        for (body, json) in [
            ("ami-1", r#""ami-1""#),
            ("ami-1\nami-2", r#"["ami-1","ami-2"]"#),
            (r#"{"Code": "Success"}"#, r#"{"Code":"Success"}"#),
            ("{not json", r#""{not json""#),
            ("0755", r#""0755""#),
            ("", r#""""#),
        ] {
            assert_eq!(to_json(&value_of(body.as_bytes())), json, "{body}");
        }
    }
}

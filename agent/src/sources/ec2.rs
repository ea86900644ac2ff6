//! EC2's metadata service, and those that speak like it.

mod tree;

pub(super) use tree::{Tree, in_url};

use super::{Signal, SourceFacts};
use crate::codec;
use crate::fetch::{Answered, Client, Question, Verb};
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::seed::{Seed, UserData};
use crate::yaml::Mapping;
use anyhow::{Context, Result, bail};
use std::cell::{Cell, RefCell};

const CLOUD: &str = "Ec2";
const ADDRESSES: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// The versions of the tree that are asked for, and the oldest, which all that speak like EC2 have.
const VERSIONS: [&str; 4] = ["2021-03-23", "2018-09-24", "2016-09-02", "2009-04-04"];

/// Meta-data of that name says which cloud it is, whatever the source.
const CLOUD_NAME: &str = "cloud-name";

const TOKEN_LIFE: (&str, &str) = ("X-aws-ec2-metadata-token-ttl-seconds", "21600");
const TOKEN_PLACE: &str = "latest/api/token";
const TOKEN: &str = "X-aws-ec2-metadata-token";

/// The marks in the firmware of clouds that speak like EC2 and need no tokens. Each has the file, the end of its value,
/// and cloud-init's name of the cloud.
const OTHERS: &[(&str, &str, &str)] = &[
    ("product_serial", ".brightbox.com", "brightbox"),
    ("chassis_asset_tag", ".zstack.io", "zstack"),
    ("sys_vendor", "e24cloud", "e24cloud"),
    ("sys_vendor", "3DS Outscale", "outscale"),
    ("sys_vendor", "Tilaa", "tilaa"),
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

/// The mark that shows that the machine is Amazon's.
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
    let (version, id) = service.version()?;
    let cloud = if amazon(facts)?.is_some() { Some("aws") } else { other(facts).map(|(.., name)| *name) };
    let tree = Tree::new(&service.address, |path| service.ask_optional(path));
    let mut all = tree.below(&format!("{version}/meta-data/"), report);
    all.set("instance-id", id.as_str());
    if let (Some(cloud), None) = (cloud, all.get(CLOUD_NAME)) {
        all.set(CLOUD_NAME, cloud);
    }
    let mut meta_data = MetaData::from(all);
    meta_data.beside.set("_metadata_api_version", version);
    if cloud == Some("aws") {
        let mut identity = tree.below(&format!("{version}/{IDENTITY}"), report);
        if identity.is_empty() {
            // A service need not list what it has.
            let document = tree.value(&format!("{version}/{IDENTITY}/document"), report);
            if let Some(document) = document {
                identity.set("document", document);
            }
        }
        let mut dynamic = Mapping::default();
        dynamic.set("instance-identity", identity);
        meta_data.beside.set("dynamic", dynamic);
    }
    // The last, because it is asked for as long as there is time.
    let user_data = service.get(&format!("{version}/user-data"));
    // As cloud-init does: some tools encode it twice.
    let user_data = user_data.map(|data| data.map(codec::perhaps_base64));
    Ok(Some(Seed {
        source: "ec2".into(),
        place: service.address.clone(),
        user_data: UserData::of(user_data, report),
        meta_data,
        ..Seed::default()
    }))
}

/// The path of further data that templates know of Amazon's machines.
const IDENTITY: &str = "dynamic/instance-identity";

/// A service that has answered.
struct Service<'a> {
    client: &'a Client,
    address: String,
    /// `None` where version 1 is spoken.
    token: RefCell<Option<String>>,
    /// True while a new token is worth asking for: the last one was of use.
    renews: Cell<bool>,
    facts: &'a SourceFacts<'a>,
}

impl<'a> Service<'a> {
    fn open(addresses: &[String], client: &'a Client, facts: &'a SourceFacts<'a>) -> Result<Self> {
        let urls: Vec<String> = addresses.iter().map(|address| format!("{address}/{TOKEN_PLACE}")).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let question = Question { verb: Verb::Put, headers: &[TOKEN_LIFE], patience: facts.patience(CLOUD) };
        let (place, answer) = client.ask_any(&urls, &question)?;
        let address = addresses.get(place).context("an address that was not asked has answered")?.clone();
        let token = match answer {
            Answered::Body(token) => {
                Some(parsed_token(token).with_context(|| format!("{address}: its token is none"))?)
            }
            Answered::Refused(403) => bail!("{address}: it is switched off (403)"),
            Answered::Refused(_) if version_1_is_allowed(facts)? => None,
            Answered::Refused(status) => bail!(
                "{address}: it gives no token ({status}); `datasource: {{Ec2: {{allow_imds_v1: true}}}}` lets it do without"
            ),
        };
        Ok(Self { client, address, token: RefCell::new(token), renews: Cell::new(true), facts })
    }

    /// The newest version of the tree that has an instance-id, and that.
    fn version(&self) -> Result<(&'static str, String)> {
        let mut silent = None;
        for version in VERSIONS {
            match self.ask_optional(&format!("{version}/{ID}")) {
                Ok(Some(id)) if !id.trim_ascii().is_empty() => return Ok((version, text(&id))),
                Ok(_) => {}
                Err(error) => silent = Some(error),
            }
        }
        let Some(error) = silent else {
            bail!("{}: no version of the meta-data has an instance-id", self.address)
        };
        // One of them is there, and will perhaps answer.
        let [.., oldest] = VERSIONS;
        match self.get(&format!("{oldest}/{ID}"))? {
            Some(id) if !id.trim_ascii().is_empty() => Ok((oldest, text(&id))),
            _ => {
                Err(error
                    .context(format!("{}: no version of the meta-data has an instance-id", self.address)))
            }
        }
    }

    /// Asks for another token in the place of one that counts no longer. False if there is none.
    fn takes_another_token(&self) -> bool {
        if self.token.borrow().is_none() {
            return false;
        }
        let question =
            Question { verb: Verb::Put, headers: &[TOKEN_LIFE], patience: self.facts.patience(CLOUD) };
        let answer = self.client.ask_optional(&format!("{}/{TOKEN_PLACE}", self.address), &question);
        let Ok(Answered::Body(body)) = answer else { return false };
        let Some(token) = parsed_token(body) else { return false };
        self.token.replace(Some(token));
        true
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.ask(path, |url, question| Ok(self.client.ask_any(&[url], question)?.1))
    }

    fn ask_optional(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.ask(path, |url, question| self.client.ask_optional(url, question))
    }

    fn ask(
        &self,
        path: &str,
        ask: impl Fn(&str, &Question<'_>) -> Result<Answered>,
    ) -> Result<Option<Vec<u8>>> {
        let url = format!("{}/{path}", self.address);
        let patience = self.facts.patience(CLOUD);
        let send = || {
            let token = self.token.borrow();
            let headers: Vec<(&str, &str)> = token.iter().map(|token| (TOKEN, token.as_str())).collect();
            ask(&url, &Question { verb: Verb::Get, headers: &headers, patience })
        };
        let mut answer = send()?;
        if matches!(answer, Answered::Refused(UNAUTHORIZED)) && self.renews.get() {
            self.renews.set(self.takes_another_token());
            if self.renews.get() {
                answer = send()?;
                self.renews.set(!matches!(answer, Answered::Refused(UNAUTHORIZED)));
            }
        }
        match answer {
            Answered::Body(body) => Ok(Some(body)),
            Answered::Refused(404 | 410) => Ok(None),
            Answered::Refused(status) => bail!("{url} answers {status}"),
        }
    }
}

/// The token is too old, or the service has forgotten it.
const UNAUTHORIZED: u16 = 401;

/// Below a version.
const ID: &str = "meta-data/instance-id";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Amazon's machines are never spoken to without a token, unless their owner wants that.
fn version_1_is_allowed(facts: &SourceFacts<'_>) -> Result<bool> {
    match facts.settings(CLOUD).and_then(|settings| settings.get("allow_imds_v1")) {
        Some(allowed) => Ok(allowed.is_on()),
        None => Ok(amazon(facts)?.is_none()),
    }
}

/// It becomes part of a header.
fn parsed_token(body: Vec<u8>) -> Option<String> {
    let token = String::from_utf8(body).ok()?;
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(token)
}

//! What the kernel command line says about a seed: as the initramfs hands it over, or else read from it by the
//! same rules.

use super::{Signal, SourceFacts, nocloud_directory, nocloud_volume};
use crate::command_line;
use crate::fetch;
use crate::layout::HAND_OFF;
use crate::report::Report;
use crate::root::Root;
use crate::seed::{self, Seed};
use anyhow::{Context, Result, bail};
use lifeboat_common::command_line::CommandLine;
use lifeboat_common::environment_file::lookup;

/// What is said.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct HandOff {
    source: String,
    seed_from: Option<String>,
    /// The host name.
    pub(crate) local_hostname: Option<String>,
    /// The instance-id.
    pub(crate) instance_id: Option<String>,
    /// Where configuration below the user's is.
    pub(crate) cloud_config_url: Option<String>,
}

/// The hand-off of a machine; `None` when no seed is on its command line.
pub(crate) fn of(facts: &SourceFacts<'_>) -> Result<Option<HandOff>> {
    read_below(facts.root)
}

/// The same, where nothing else is known yet.
pub(crate) fn read_below(root: &Root) -> Result<Option<HandOff>> {
    match root.read_text(HAND_OFF)? {
        Some(text) => Ok(Some(parse(&text))),
        None => from_line(&command_line::read(root)?),
    }
}

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let Some(hand_off) = of(facts)?.filter(HandOff::names_a_seed) else { return Ok(None) };
    let seen = format!("the kernel command line says {}", hand_off.source);
    Ok(Some(Signal::at(hand_off.seed_from.as_deref(), seen)))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    match of(facts)? {
        Some(hand_off) => fetch_seed(hand_off, facts, report).map(Some),
        None => Ok(None),
    }
}

/// Fetches what a hand-off names. One that names no place is about the seed in a directory or on a volume.
pub(super) fn fetch_seed(hand_off: HandOff, facts: &SourceFacts<'_>, report: &mut Report) -> Result<Seed> {
    let mut seed = match &hand_off.seed_from {
        Some(from) => {
            let from = facts.substituted(from);
            seed::from_url(&from, &facts.client()?, facts, report)?.with_context(|| {
                format!("{}: neither user-data nor meta-data is there", fetch::shown(&from))
            })?
        }
        None => match nocloud_directory::read(facts, report)? {
            Some(seed) => seed,
            None => match nocloud_volume::read(facts, report)? {
                Some(seed) => seed,
                None if facts.goes_on_as(hand_off.instance_id.as_deref())? => {
                    bail!("{}: it names no place, and no directory or volume has the seed", hand_off.source)
                }
                None => {
                    report.warn(format!("{}: it names no place to fetch from", hand_off.source));
                    Seed { place: "the kernel command line".into(), ..Seed::default() }
                }
            },
        },
    };
    seed.source = hand_off.source;
    let meta_data = &mut seed.meta_data;
    meta_data.instance_id = hand_off.instance_id.or(meta_data.instance_id.take());
    meta_data.hostname = hand_off.local_hostname.or(meta_data.hostname.take());
    Ok(seed)
}

impl HandOff {
    /// Whether it is about more than configuration.
    fn names_a_seed(&self) -> bool {
        self.source != ONLY_CONFIG
    }

    /// Where the seed's files are, when it says so.
    pub(super) fn place(&self) -> Option<&str> {
        self.seed_from.as_deref()
    }
}

/// The source of a hand-off that holds nothing but `cloud-config-url=`.
const ONLY_CONFIG: &str = "cloud-config-url";

fn parse(text: &str) -> HandOff {
    let get = |key: &str| lookup(text, key);
    HandOff {
        source: get("SOURCE").unwrap_or_default(),
        seed_from: get("SEED_FROM"),
        local_hostname: get("LOCAL_HOSTNAME"),
        instance_id: get("INSTANCE_ID"),
        cloud_config_url: get("CLOUD_CONFIG_URL"),
    }
}

/// By the rules of the initramfs.
fn from_line(line: &CommandLine) -> Result<Option<HandOff>> {
    if line.switched_off("seed").is_some() {
        return Ok(None);
    }
    let cloud_config_url = line.value(ONLY_CONFIG).map(str::to_owned);
    if let Some(url) = &cloud_config_url {
        check_place(url).with_context(|| format!("{ONLY_CONFIG}={url}"))?;
    }
    let mut hand_off = match line.value("ds") {
        Some(value) => parse_ds(value).with_context(|| format!("ds={value}"))?,
        None => None,
    };
    if let Some(from) = line.value("lifeboat.seed") {
        check_place(from).with_context(|| format!("lifeboat.seed={from}"))?;
        let kept = hand_off.take().unwrap_or_default();
        hand_off = Some(HandOff { source: "lifeboat.seed".into(), seed_from: Some(from.to_owned()), ..kept });
    }
    if hand_off.is_none() && cloud_config_url.is_some() {
        hand_off = Some(HandOff { source: ONLY_CONFIG.into(), ..HandOff::default() });
    }
    Ok(hand_off.map(|hand_off| HandOff { cloud_config_url, ..hand_off }))
}

/// Reads `nocloud;KEY=VALUE;…`, which also firmware may hold; `None` for any other source.
pub(super) fn parse_ds(value: &str) -> Result<Option<HandOff>> {
    let mut words = value.split(';');
    let source = words.next().unwrap_or_default().to_ascii_lowercase();
    if source != "nocloud" && source != "nocloud-net" {
        return Ok(None);
    }
    let mut hand_off = HandOff { source, ..HandOff::default() };
    for word in words.filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').with_context(|| format!("`{word}` is not KEY=VALUE"))?;
        if value.is_empty() {
            bail!("`{word}`: empty value");
        }
        let place = match name {
            "s" | "seedfrom" => {
                check_place(value).with_context(|| format!("`{word}`"))?;
                &mut hand_off.seed_from
            }
            "h" | "local-hostname" => &mut hand_off.local_hostname,
            "i" | "instance-id" => &mut hand_off.instance_id,
            _ => {
                bail!("unknown field `{name}` (known: s or seedfrom, h or local-hostname, i or instance-id)")
            }
        };
        *place = Some(value.to_owned());
    }
    Ok(Some(hand_off))
}

/// A URL or directory to which file names are appended, or with a `%s` that stands for them.
fn check_place(place: &str) -> Result<()> {
    if place.chars().any(|character| character.is_control() || character.is_whitespace()) {
        bail!("white space and control characters are not allowed");
    }
    if place.matches("%s").count() > 1 {
        bail!("`%s` stands for the file's name and may appear once");
    }
    match place.split_once("://") {
        Some(("http" | "https", rest)) if rest.starts_with('/') || rest.is_empty() => {
            bail!("no host in the URL")
        }
        Some(("http" | "https" | "file", _)) => Ok(()),
        Some((scheme, _)) => bail!("{scheme}: is not supported (use http, https, file or an absolute path)"),
        None if place.starts_with('/') => Ok(()),
        None => bail!("neither a URL nor an absolute path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_initramfs_hands_over_is_read() {
        let text = "SOURCE=nocloud\nSEED_FROM=\"http://x/?a=\\\"b\\\\&%s\"\nINSTANCE_ID=i-1\nLATER=x\nodd\n";
        let hand_off = parse(text);
        assert_eq!(hand_off.source, "nocloud");
        assert_eq!(hand_off.seed_from.unwrap(), "http://x/?a=\"b\\&%s");
        assert_eq!(hand_off.instance_id.unwrap(), "i-1");
        assert_eq!(hand_off.local_hostname, None);
    }

    fn line(text: &str) -> Option<HandOff> {
        from_line(&CommandLine::parse(text)).unwrap()
    }

    fn said(source: &str, [from, name, id, config]: [&str; 4]) -> HandOff {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        HandOff {
            source: source.into(),
            seed_from: given(from),
            local_hostname: given(name),
            instance_id: given(id),
            cloud_config_url: given(config),
        }
    }

    #[test]
    fn the_command_line_is_read_by_the_same_rules() {
        assert_eq!(
            line("ro ds=nocloud;s=http://x/;h=web;i=i-1").unwrap(),
            said("nocloud", ["http://x/", "web", "i-1", ""])
        );
        assert_eq!(
            line("ds=NoCloud-Net;seedfrom=/s;local-hostname=a;instance-id=b cloud-config-url=http://c")
                .unwrap(),
            said("nocloud-net", ["/s", "a", "b", "http://c"])
        );
        assert_eq!(
            line("ds=nocloud;s=http://old/;i=i-3 lifeboat.seed=http://new/").unwrap(),
            said("lifeboat.seed", ["http://new/", "", "i-3", ""])
        );
        assert_eq!(
            line("cloud-config-url=http://c").unwrap(),
            said("cloud-config-url", ["", "", "", "http://c"])
        );
        for nothing in ["ro quiet", "ds=ec2", "ds=nocloud lifeboat=off", "ds=nocloud lifeboat.seed=off"] {
            assert_eq!(line(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_bad_value_is_told_with_its_parameter() {
        for text in
            ["ds=nocloud;s=ftp://x/", "ds=nocloud;q=1", "ds=nocloud;x", "ds=nocloud;i=", "lifeboat.seed=x"]
        {
            let error = from_line(&CommandLine::parse(text)).unwrap_err();
            assert!(format!("{error:#}").starts_with(text), "{error:#}");
        }
    }
}

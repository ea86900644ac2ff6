//! The hand-off of the initramfs: what the kernel command line said about a seed.

use super::Seed;
use crate::fetch::{self, Client, Fetched};
use crate::layout::HAND_OFF;
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result, bail};
use lifeboat_environment_file::lookup;

/// What `cloud-config-url=` leads to has to begin with this.
const CLOUD_CONFIG: &[u8] = b"#cloud-config";

/// The file's values.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct HandOff {
    source: String,
    seed_from: Option<String>,
    /// The host name that the kernel command line gives.
    pub(crate) local_hostname: Option<String>,
    /// The instance-id that the kernel command line gives.
    pub(crate) instance_id: Option<String>,
    cloud_config_url: Option<String>,
}

/// Reads it; `None` when there was no seed on the command line.
pub(crate) fn read(root: &Root) -> Result<Option<HandOff>> {
    Ok(root.read_text(HAND_OFF)?.map(|text| parse(&text)))
}

/// Fetches the seed.
pub(crate) fn find(root: &Root, client: &Client, report: &mut Report) -> Result<Option<Seed>> {
    let Some(hand_off) = read(root)? else { return Ok(None) };
    let mut seed = Seed { source: hand_off.source.clone(), ..Seed::default() };
    if let Some(url) = &hand_off.cloud_config_url {
        // It is configuration, and the user's data is not lost with it.
        match system_config(url, root, client) {
            Ok(config) => seed.system_config = Some(config),
            Err(error) => report.warn(format!("cloud-config-url: {error:#}")),
        }
    }
    match &hand_off.seed_from {
        Some(from) => fetch_seed(from, &mut seed, root, client, report)?,
        None if hand_off.cloud_config_url.is_none() => {
            report.warn(format!("{}: the kernel command line names no place to fetch from", hand_off.source));
        }
        None => {}
    }
    let MetaData { instance_id, hostname, .. } = &mut seed.meta_data;
    *instance_id = hand_off.instance_id.or(instance_id.take());
    *hostname = hand_off.local_hostname.or(hostname.take());
    Ok(Some(seed))
}

fn fetch_seed(from: &str, seed: &mut Seed, root: &Root, client: &Client, report: &mut Report) -> Result<()> {
    let user_data = client.get(&fetch::place(from, "user-data"), root)?;
    let meta_data = client.get(&fetch::place(from, "meta-data"), root)?;
    if matches!((&user_data, &meta_data), (Fetched::Absent, Fetched::Absent)) {
        bail!("{}: neither user-data nor meta-data is there", fetch::shown(from));
    }
    match user_data {
        Fetched::Body(body) => seed.user_data = body,
        Fetched::Absent => report.warn(format!("{}: there is no user-data", fetch::shown(from))),
    }
    match meta_data {
        Fetched::Body(body) => match meta_data::parse(&body) {
            Ok(parsed) => seed.meta_data = parsed,
            Err(error) => report.warn(format!("{}: {error:#}", fetch::shown(from))),
        },
        Fetched::Absent => report.warn(format!("{}: there is no meta-data", fetch::shown(from))),
    }
    Ok(())
}

fn system_config(url: &str, root: &Root, client: &Client) -> Result<Vec<u8>> {
    let Fetched::Body(body) = client.get(url, root)? else {
        bail!("{}: there is nothing", fetch::shown(url))
    };
    if !body.starts_with(CLOUD_CONFIG) {
        bail!("{}: it does not begin with `#cloud-config`, so it is not used", fetch::shown(url));
    }
    std::str::from_utf8(&body).with_context(|| format!("{}: it is no UTF-8", fetch::shown(url)))?;
    Ok(body)
}

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
}

//! A seed, and the form that most sources have: files named user-data, meta-data and vendor-data.

use crate::fetch::{self, Client, Fetched, Refused};
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::root::Root;
use crate::sources::SourceFacts;
use crate::system_config;
use crate::yaml::Value;
use anyhow::{Context, Result};

/// A machine's seed.
#[derive(Default, Debug)]
pub(crate) struct Seed {
    /// The kind of source, for people.
    pub(crate) source: String,
    /// The place where it was found, for people.
    pub(crate) place: String,
    /// The user-data as it arrived.
    pub(crate) user_data: Vec<u8>,
    /// The vendor-data.
    pub(crate) vendor_data: VendorData,
    /// The vendor-data of the platform's own customer.
    pub(crate) vendor_data2: VendorData,
    /// The machine's identity.
    pub(crate) meta_data: MetaData,
}

/// Vendor-data: it has the form of user-data, and comes from the platform.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum VendorData {
    /// The content, which may be empty.
    Given(Vec<u8>),
    /// It cannot be fetched now, so the kept one still counts.
    Silent,
}

impl Default for VendorData {
    fn default() -> Self {
        Self::Given(Vec::new())
    }
}

impl VendorData {
    /// Takes what was read, and reports an error.
    pub(crate) fn of(name: &str, read: Result<Option<Vec<u8>>>, report: &mut Report) -> Self {
        match read {
            Ok(data) => Self::Given(data.unwrap_or_default()),
            // Object stores refuse to say whether there is what is not there.
            Err(error) if matches!(error.downcast_ref(), Some(Refused(403))) => Self::default(),
            Err(error) => {
                report.warn(format!("{error:#} (going on without {name}, or with the kept one)"));
                Self::Silent
            }
        }
    }
}

/// Takes a seed from files. `None` when there is neither user-data nor meta-data.
pub(crate) fn from_files(
    place: &str,
    read: impl Fn(&str) -> Result<Option<Vec<u8>>>,
    facts: &SourceFacts<'_>,
    report: &mut Report,
) -> Result<Option<Seed>> {
    let (user_data, meta_data) = (read("user-data")?, read("meta-data")?);
    if user_data.is_none() && meta_data.is_none() {
        return Ok(None);
    }
    let mut seed = Seed {
        source: "nocloud".into(),
        place: place.to_owned(),
        vendor_data: VendorData::of("vendor-data", read("vendor-data"), report),
        ..Seed::default()
    };
    match user_data {
        Some(user_data) => seed.user_data = user_data,
        None => report.warn(format!("{place}: there is no user-data")),
    }
    let parsed = meta_data.as_deref().context("there is no meta-data").and_then(meta_data::parse);
    match parsed {
        Ok(parsed) if parsed.all.is_empty() && facts.kept_has_id_of_meta_data() => {
            report.warn(format!("{place}: the meta-data is empty, and was not before"));
            seed.meta_data.instance_id.clone_from(&facts.kept);
        }
        Ok(parsed) => seed.meta_data = parsed,
        Err(error) => {
            report.warn(format!("{place}: {error:#}"));
            // Nobody says that this is another machine than it was.
            seed.meta_data.instance_id.clone_from(&facts.kept);
        }
    }
    Ok(Some(seed))
}

/// Takes a seed from below a URL or an absolute path.
pub(crate) fn from_url(
    from: &str,
    client: &Client,
    facts: &SourceFacts<'_>,
    report: &mut Report,
) -> Result<Option<Seed>> {
    let read = |name: &str| {
        Ok(match client.get(&fetch::place(from, name), facts.root)? {
            Fetched::Body(body) => Some(body),
            Fetched::Absent => None,
        })
    };
    from_files(&fetch::shown(from), read, facts, report)
}

/// Takes a seed from a directory.
pub(crate) fn from_directory(
    path: &str,
    files: &Root,
    facts: &SourceFacts<'_>,
    report: &mut Report,
) -> Result<Option<Seed>> {
    let read = |name: &str| files.read_at_most(&format!("{path}/{name}"), fetch::LARGEST);
    from_files(files.show(path).trim_end_matches('/'), read, facts, report)
}

/// Fetches what the meta-data's `seedfrom` names, where it names something. What the meta-data says beside it
/// wins.
pub(crate) fn completed(mut seed: Seed, facts: &SourceFacts<'_>, report: &mut Report) -> Result<Seed> {
    let Some(from) = seed.meta_data.all.get("seedfrom").and_then(Value::as_str) else { return Ok(seed) };
    let from = facts.substituted(from);
    let fetched = from_url(&from, &facts.client()?, facts, report)?
        .with_context(|| format!("{}: neither user-data nor meta-data is there", fetch::shown(&from)))?;
    let own = std::mem::take(&mut seed.meta_data.all);
    let mut meta_data = MetaData::from(system_config::over(own, &fetched.meta_data.all));
    meta_data.instance_id = meta_data.instance_id.or(fetched.meta_data.instance_id);
    Ok(Seed {
        source: seed.source,
        place: format!("{}, {}", seed.place, fetched.place),
        meta_data,
        ..fetched
    })
}

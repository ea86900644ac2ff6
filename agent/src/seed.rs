//! A seed, and the form that most sources have: files named user-data, meta-data and vendor-data.

use crate::fetch::{self, Client, Fetched, Refused};
use crate::meta_data::{self, MetaData};
use crate::plan::File;
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
    pub(crate) user_data: UserData,
    /// The vendor-data.
    pub(crate) vendor_data: VendorData,
    /// The vendor-data of the platform's own customer.
    pub(crate) vendor_data2: VendorData,
    /// The machine's identity.
    pub(crate) meta_data: MetaData,
    /// Files that the platform puts on the machine once per instance; `None` where a source has none or they are there.
    pub(crate) files: Option<Vec<File>>,
}

/// User-data, as it arrived.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum UserData {
    /// The content, which may be empty.
    Given(Vec<u8>),
    /// It cannot be had now.
    Silent,
    /// It was given, and has been taken back. The kept one counts.
    UsedUp,
}

impl Default for UserData {
    fn default() -> Self {
        Self::Given(Vec::new())
    }
}

impl From<Vec<u8>> for UserData {
    fn from(data: Vec<u8>) -> Self {
        Self::Given(data)
    }
}

impl UserData {
    /// Takes what was read, and reports an error: names and keys are there without it.
    pub(crate) fn of(read: Result<Option<Vec<u8>>>, report: &mut Report) -> Self {
        match read {
            Ok(data) => Self::Given(data.unwrap_or_default()),
            Err(error) => {
                report.warn(format!("user-data: {error:#}"));
                Self::Silent
            }
        }
    }

    /// The content; empty where it cannot be had.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Given(data) => data,
            Self::Silent | Self::UsedUp => b"",
        }
    }
}

/// Vendor-data: it has the form of user-data, and comes from the platform.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum VendorData {
    /// The content, which may be empty.
    Given(Vec<u8>),
    /// Several contents, beside what they came as.
    Several {
        /// The data as it came.
        raw: Vec<u8>,
        /// Each of them.
        blobs: Vec<Vec<u8>>,
    },
    /// It cannot be fetched now, so the kept one still counts.
    Silent,
}

impl Default for VendorData {
    fn default() -> Self {
        Self::Given(Vec::new())
    }
}

impl VendorData {
    /// The raw data, and its contents; `None` where it cannot be fetched.
    pub(crate) fn content(&self) -> Option<(&Vec<u8>, &[Vec<u8>])> {
        match self {
            Self::Given(raw) => Some((raw, std::slice::from_ref(raw))),
            Self::Several { raw, blobs } => Some((raw, blobs)),
            Self::Silent => None,
        }
    }

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

/// The files of a seed in one place, as they arrived.
#[derive(Debug)]
pub(crate) struct Files {
    /// The place, for people.
    pub(crate) place: String,
    /// The user-data, when it is there.
    pub(crate) user_data: Option<UserData>,
    /// The meta-data, when it is there.
    pub(crate) meta_data: Option<Vec<u8>>,
    /// The vendor-data.
    pub(crate) vendor_data: VendorData,
}

impl Files {
    /// Reads them. `None` when there is neither user-data nor meta-data.
    pub(crate) fn read(
        place: &str,
        read: impl Fn(&str) -> Result<Option<Vec<u8>>>,
        report: &mut Report,
    ) -> Result<Option<Self>> {
        Self::read_each(place, &read, &read, report)
    }

    /// The same, where what need not be there is read in a way of its own.
    fn read_each(
        place: &str,
        read: impl Fn(&str) -> Result<Option<Vec<u8>>>,
        optional: impl Fn(&str) -> Result<Option<Vec<u8>>>,
        report: &mut Report,
    ) -> Result<Option<Self>> {
        // Who the machine is decides. Faults of the other files cost only themselves.
        let meta_data = read("meta-data")?;
        let user_data = match (read("user-data"), &meta_data) {
            (Ok(None), None) => return Ok(None),
            (Err(error), None) => return Err(error),
            (Ok(None), Some(_)) => None,
            (read, _) => Some(UserData::of(read, report)),
        };
        let vendor_data = VendorData::of("vendor-data", optional("vendor-data"), report);
        Ok(Some(Self { place: place.to_owned(), user_data, meta_data, vendor_data }))
    }

    /// Fetches them from below a URL or an absolute path.
    pub(crate) fn fetch(
        from: &str,
        client: &Client,
        facts: &SourceFacts<'_>,
        report: &mut Report,
    ) -> Result<Option<Self>> {
        let body = |fetched| match fetched {
            Fetched::Body(body) => Some(body),
            Fetched::Absent => None,
        };
        let read = |name: &str| client.get(&fetch::place(from, name), facts.root).map(body);
        let optional = |name: &str| client.get_optional(&fetch::place(from, name), facts.root).map(body);
        Self::read_each(&fetch::shown(from), read, optional, report)
    }

    /// Reads them in a directory.
    pub(crate) fn in_directory(path: &str, files: &Root, report: &mut Report) -> Result<Option<Self>> {
        let read = |name: &str| files.read_at_most(&format!("{path}/{name}"), fetch::LARGEST);
        Self::read(files.show(path).trim_end_matches('/'), read, report)
    }

    /// Builds the seed that they give.
    fn seed(self, facts: &SourceFacts<'_>, report: &mut Report) -> Seed {
        let Self { place, user_data, meta_data, vendor_data } = self;
        let mut seed = Seed { source: "nocloud".into(), place, vendor_data, ..Seed::default() };
        let place = &seed.place;
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
        seed
    }
}

/// Says that a place holds no seed, and what the person can look at.
pub(crate) fn nothing_at(from: &str) -> String {
    format!(
        "{}: neither user-data nor meta-data is there (the names of both are put behind it: is it their directory?)",
        fetch::shown(from)
    )
}

/// Takes a seed from files. `None` when there is neither user-data nor meta-data.
pub(crate) fn from_files(
    place: &str,
    read: impl Fn(&str) -> Result<Option<Vec<u8>>>,
    facts: &SourceFacts<'_>,
    report: &mut Report,
) -> Result<Option<Seed>> {
    Ok(Files::read(place, read, report)?.map(|files| files.seed(facts, report)))
}

/// Fetches what the meta-data's `seedfrom` names, where it names something. The meta-data's own values win over it.
pub(crate) fn completed(mut seed: Seed, facts: &SourceFacts<'_>, report: &mut Report) -> Result<Seed> {
    let Some(from) = seed.meta_data.all.get("seedfrom").and_then(Value::as_str) else { return Ok(seed) };
    let from = facts.substituted(from);
    let fetched = Files::fetch(&from, &facts.client()?, facts, report)?
        .with_context(|| nothing_at(&from))?
        .seed(facts, report);
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

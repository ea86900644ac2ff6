//! `NoCloud`'s seed in the system's configuration: `datasource: {NoCloud: {seedfrom: …}}`, or the data itself.

use super::{NOCLOUD, Signal, SourceFacts};
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::seed::{self, Seed, VendorData};
use crate::yaml::Value;
use anyhow::{Context, Result, bail};

#[expect(clippy::unnecessary_wraps, reason = "looking for a source may fail; for this one it cannot")]
pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let Some(settings) = facts.settings(NOCLOUD) else { return Ok(None) };
    let from = settings.get("seedfrom").and_then(Value::as_str);
    let data = settings.get("user-data").is_some() && settings.get("meta-data").is_some();
    Ok((from.is_some() || data).then(|| Signal::at(from, "datasource.NoCloud has a seed")))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let Some(settings) = facts.settings(NOCLOUD) else { return Ok(None) };
    let text = |name: &str| settings.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut meta_data = match settings.get("meta-data") {
        Some(Value::Map(all)) => all.clone().into(),
        Some(Value::Str(text)) => meta_data::parse(text.as_bytes())?,
        None => MetaData::default(),
        Some(other) => bail!("datasource.NoCloud: meta-data is {} and no mapping", other.kind()),
    };
    if let Some(from) = settings.get("seedfrom") {
        meta_data.all.set("seedfrom", from.as_str().context("datasource.NoCloud: seedfrom is no text")?);
    }
    let seed = Seed {
        source: "nocloud".into(),
        place: "the system's configuration".into(),
        user_data: text("user-data").into(),
        vendor_data: VendorData::Given(text("vendor-data").into()),
        meta_data,
        ..Seed::default()
    };
    seed::completed(seed, facts, report).map(Some)
}

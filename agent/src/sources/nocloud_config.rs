//! `NoCloud`'s seed in the system's configuration: `datasource: {NoCloud: {seedfrom: …}}`, or the data itself.

use super::{NOCLOUD, Signal, SourceFacts, nocloud};
use crate::meta_data;
use crate::nocloud::{self as places, Kind, Said};
use crate::report::Report;
use crate::seed::{Seed, UserData, VendorData};
use crate::yaml::{Mapping, Value};
use anyhow::{Result, anyhow};
use lifeboat_common::hand_off::Place;

#[expect(clippy::unnecessary_wraps, reason = "looking for a source may fail; for this one it cannot")]
pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let Some(settings) = facts.settings(NOCLOUD) else { return Ok(None) };
    let from = settings.get("seedfrom").and_then(Value::as_str).filter(|from| !from.is_empty());
    Ok(has_a_seed(settings).then(|| Signal::at(from, "datasource.NoCloud has a seed")))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    nocloud("nocloud_config", facts, report)
}

/// The seed in the configuration, to be joined with other places.
#[expect(clippy::unnecessary_wraps, reason = "reading a place may fail; this one's cannot")]
pub(super) fn said(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Said>> {
    let Some(settings) = facts.settings(NOCLOUD).filter(|settings| has_a_seed(settings)) else {
        return Ok(None);
    };
    let text = |name: &str| settings.get(name).and_then(Value::as_str).map(|text| text.as_bytes().to_vec());
    let meta_data = match settings.get("meta-data") {
        Some(Value::Map(all)) => Ok(all.clone()),
        Some(Value::Str(text)) => meta_data::parse(text.as_bytes()).map(|parsed| parsed.all),
        None | Some(Value::Null) => Ok(Mapping::default()),
        Some(other) => Err(anyhow!("meta-data is {} and no mapping", other.kind())),
    };
    let seed_from = match settings.get("seedfrom").filter(|from| is_given(from)) {
        None => places::seed_from(meta_data.as_ref().ok()),
        Some(Value::Str(from)) => Place::At(from.clone()),
        Some(other) => {
            report.warn(format!("datasource.NoCloud: seedfrom is {} and no text", other.kind()));
            Place::Unnamed
        }
    };
    for name in ["user-data", "vendor-data"] {
        if let Some(other) = settings.get(name).filter(|value| is_given(value) && value.as_str().is_none()) {
            report.warn(format!(
                "datasource.NoCloud: {name} is {} and no text (write `{name}: |`, and `#cloud-config` below it)",
                other.kind()
            ));
        }
    }
    Ok(Some(Said {
        place: "ds_config".into(),
        kind: Kind::Configuration,
        meta_data: Some(meta_data),
        user_data: text("user-data").map(UserData::Given),
        vendor_data: VendorData::Given(text("vendor-data").unwrap_or_default()),
        seed_from,
    }))
}

/// Templates of such files leave an empty value where nobody gave one.
fn is_given(value: &Value) -> bool {
    !matches!(value, Value::Null) && value.as_str() != Some("")
}

fn has_a_seed(settings: &Mapping) -> bool {
    ["seedfrom", "user-data", "meta-data"].iter().any(|name| settings.get(name).is_some_and(is_given))
}

//! No source at all, on a machine whose configuration stands alone. It has `cloud-config-url=`, or `datasource: {None:
//! {userdata_raw: …, metadata: …}}`, or a list of nothing but `None`, or of it and one other.

use super::{NONE, Signal, SourceFacts, hand_off};
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::seed::Seed;
use crate::yaml::Value;
use anyhow::Result;

/// The instance-id where the configuration gives none.
const ID: &str = "iid-datasource-none";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    // A machine that has been another instance goes on as that.
    if facts.kept.as_ref().is_some_and(|kept| Some(kept) != meta_data(facts).instance_id.as_ref()) {
        return Ok(None);
    }
    if facts.settings(NONE).is_some() {
        return Ok(Some(Signal::in_machine("datasource.None is there")));
    }
    if let Some(Signal { seen, .. }) = facts.told(NONE) {
        return Ok(Some(Signal::in_machine(seen)));
    }
    let url = hand_off::of(facts)?.and_then(|hand_off| hand_off.cloud_config_url);
    Ok(url.map(|_| Signal::on_network("the kernel command line has cloud-config-url")))
}

#[expect(clippy::unnecessary_wraps, reason = "a source's read may fail; this one's cannot")]
pub(super) fn read(facts: &SourceFacts<'_>, _: &mut Report) -> Result<Option<Seed>> {
    let user_data = facts.settings(NONE).and_then(|settings| settings.get("userdata_raw")?.as_str());
    Ok(Some(Seed {
        source: "none".into(),
        place: "the system's configuration".into(),
        user_data: user_data.unwrap_or_default().as_bytes().to_vec().into(),
        meta_data: meta_data(facts),
        ..Seed::default()
    }))
}

fn meta_data(facts: &SourceFacts<'_>) -> MetaData {
    let own = facts.settings(NONE).and_then(|settings| settings.get("metadata")).and_then(Value::as_map);
    let mut meta_data = MetaData::from(own.cloned().unwrap_or_default());
    meta_data.instance_id.get_or_insert_with(|| ID.to_owned());
    meta_data
}

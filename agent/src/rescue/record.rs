//! The record that lifeboat keeps of this boot: from a rescue volume or not, and why.

use crate::root::Root;
use anyhow::Result;
pub(crate) use lifeboat_common::hand_off::{Boot, Original, Record, Volume};
use lifeboat_common::hand_off::{HandOff, Rescue};

/// Reads it.
pub(crate) fn booted(root: &Root) -> Result<Boot> {
    Ok(root.read_text(Rescue::PATH)?.map(|text| Rescue::parse(&text).boot).unwrap_or_default())
}

//! User-data: a blob -> parts (`expand`) -> files, configuration and work (`sort`), in one `pipeline`.
//!
//! To add a kind of part: a line in `kinds::ALL` for how it begins, and one in `sort::ALL` for what becomes
//! of it.

mod archive;
mod cloud_config;
mod compression;
mod damage;
mod digest;
mod effect;
mod expand;
#[cfg(any(test, feature = "hostile"))]
pub(crate) mod hostile;
mod include;
mod jsonp;
mod kinds;
mod launch_index;
mod limits;
mod merge;
mod mime;
mod names;
mod part;
mod pipeline;
mod python;
mod sort;
mod startable;
mod stored;
mod text;
mod unknown;

pub(crate) use cloud_config::{check_merging, parse as parse_config, read as read_config};
pub(crate) use damage::damage;
pub(crate) use digest::digest;
pub(crate) use effect::{Effect, effect};
pub(crate) use expand::{Parts, expand};
pub(crate) use include::{IncludeReach, Includes, NOT_FETCHED};
pub(crate) use jsonp::parse_json;
pub(crate) use merge::KEYS as MERGE_KEYS;
pub(crate) use names::Twins;
pub(crate) use part::{Dropped, Part};
pub(crate) use pipeline::{Destination, Pipeline};
pub(crate) use sort::{HandlerFile, Language, Sorted, Upstart, Work, types};
pub(crate) use startable::{cannot_start, not_startable};
pub(crate) use stored::{from_mime, to_mime};
pub(crate) use unknown::unknown;

/// A part as tests have it.
#[cfg(any(test, feature = "hostile"))]
pub(crate) fn part_for_tests(name: &str, headers: &[(&str, &str)], content: &str) -> Part {
    let mut own = mime::Headers::default();
    for (name, value) in headers {
        own.add(name, value);
    }
    Part {
        name: name.into(),
        number: 1,
        content_type: kinds::CLOUD_CONFIG.into(),
        headers: own,
        payload: content.into(),
        place: "user-data".into(),
    }
}

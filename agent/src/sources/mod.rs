//! Where a seed can come from, a file each.
//!
//! To add one: a file here with a `find` function, and a line in `ALL`. `Ok(None)`: the source has nothing,
//! and the next one is asked. An error: it is there and broken, which is told.

pub(crate) mod hand_off;

use crate::fetch::Client;
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result};

/// What a source gives.
#[derive(Default, Debug)]
pub(crate) struct Seed {
    /// The source's name, for people.
    pub(crate) source: String,
    /// The user's data as it came.
    pub(crate) user_data: Vec<u8>,
    /// Who the machine is.
    pub(crate) meta_data: MetaData,
    /// Configuration below the user's; `None` when the source names none or it could not be had.
    pub(crate) system_config: Option<Vec<u8>>,
}

/// A source.
pub(crate) struct Source {
    /// Its name, which is its file's.
    pub(crate) name: &'static str,
    /// Asks it.
    pub(crate) find: fn(&Root, &Client, &mut Report) -> Result<Option<Seed>>,
}

/// The sources in the order in which they are asked.
pub(crate) const ALL: &[Source] = &[Source { name: "hand_off", find: hand_off::find }];

/// The first seed that a source has.
pub(crate) fn find(root: &Root, client: &Client, report: &mut Report) -> Result<Option<Seed>> {
    for source in ALL {
        let found = (source.find)(root, client, report).with_context(|| format!("source {}", source.name))?;
        if let Some(seed) = found {
            return Ok(Some(seed));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_the_table() {
        crate::table::check("sources", ALL.iter().map(|source| source.name));
    }
}

//! A part of user-data, and a part that was dropped.

use super::mime::Headers;
use std::fmt;

/// A part: one script, one configuration, or whatever else its type says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// Its file name as it was given, or `part-` and its number.
    pub(crate) name: String,
    /// Its number among all parts, from 1.
    pub(crate) number: usize,
    /// Its type in lower case.
    pub(crate) content_type: String,
    /// Its headers, such as `Launch-Index` and `Merge-Type`.
    pub(crate) headers: Headers,
    /// Its content.
    pub(crate) payload: Vec<u8>,
    /// Where it stands, in words.
    pub(crate) place: String,
}

/// A part that nothing is done with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dropped {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands, in words.
    pub(crate) place: String,
    /// The reason why it was dropped.
    pub(crate) reason: String,
    /// The part's name in the list of rejected configurations, for an include that cannot be read as one.
    pub(crate) rejected: Option<String>,
}

/// The beginning of a dropped include's name.
pub(super) const INCLUDE: &str = "include ";

impl Dropped {
    /// True if it is an include, which may be had another time.
    pub(crate) fn is_include(&self) -> bool {
        self.name.starts_with(INCLUDE)
    }
}

impl Part {
    /// Its text; what is no UTF-8 is shown as such.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }

    /// The part as one that is dropped.
    pub(crate) fn dropped(&self, reason: impl fmt::Display) -> Dropped {
        Dropped {
            name: self.name.clone(),
            place: self.place.clone(),
            reason: reason.to_string(),
            rejected: None,
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, reason, .. } = self;
        write!(out, "{place}: {} is dropped: {reason}", name.escape_debug())
    }
}

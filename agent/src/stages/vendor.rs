//! The platform's data in the user's form: the parts that are taken of it, and those that were kept where it cannot be
//! had.

use crate::instance::Instance;
use crate::root::Root;
use crate::seed::VendorData;
use crate::user_data::{self, IncludeReach, Includes, Part, Parts};
use crate::yaml::Value;
use anyhow::Result;

/// The settings for a vendor's data.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct VendorSettings {
    /// True if any of it is wanted.
    pub(super) wanted: bool,
    /// The types of which nothing is.
    pub(super) unwanted: Vec<String>,
}

/// The first one counts that says something of it; nothing said is yes, and a text in their place says nothing.
pub(super) fn settings(layers: &[Option<&Value>]) -> VendorSettings {
    let said: Vec<&Value> =
        layers.iter().flatten().copied().filter(|layer| layer.as_str().is_none()).collect();
    let mappings: Vec<_> = said.iter().map_while(|layer| layer.as_map()).collect();
    let first = |key: &str| mappings.iter().find_map(|mapping| mapping.get(key));
    let wanted = match first("enabled") {
        Some(value) => value.is_on(),
        // Something else in the place of the settings is no.
        None => mappings.len() == said.len(),
    };
    let unwanted = match first("disabled_handlers") {
        Some(Value::Seq(types) | Value::Set(types)) => types.iter().filter_map(Value::scalar_text).collect(),
        // In Python what is in a text is a part of it.
        Some(Value::Str(text)) => {
            user_data::types().filter(|name| text.contains(name)).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    VendorSettings { wanted, unwanted }
}

/// Where it is kept as it came.
pub(super) fn path(name: &str, instance: &Instance) -> String {
    instance.path(&format!("{name}.txt"))
}

/// The data that an earlier boot kept: as it came, and taken apart.
#[derive(Default)]
pub(super) struct Before {
    raw: Option<Vec<u8>>,
    parts: Option<Vec<Part>>,
}

impl Before {
    /// Reads it.
    pub(super) fn read(name: &str, instance: &Instance, root: &Root) -> Result<Self> {
        let path = path(name, instance);
        let parts = root.read(&format!("{path}.i"))?.map(|stored| user_data::from_mime(&stored, name));
        Ok(Self { raw: root.read(&path)?, parts })
    }
}

/// The data that counts: the given one, or nothing new where it arrived damaged and an earlier boot kept some. `told`
/// gets the reason.
pub(super) fn undamaged<'a>(
    name: &str,
    given: &'a VendorData,
    before: &Before,
    root: &Root,
    told: &mut Vec<String>,
) -> &'a VendorData {
    let Some((raw, blobs)) = given.content() else { return given };
    if before.parts.is_none() || before.raw.as_ref() == Some(raw) {
        return given;
    }
    let parts = expand(name, blobs, &Includes::new(root, None, IncludeReach::Nothing));
    match user_data::damage(&parts, |_| false, |_| false).first() {
        None => given,
        Some(damage) => {
            told.push(format!("{name} arrived damaged (going on with what was kept of it): {damage}"));
            &VendorData::Silent
        }
    }
}

/// The raw data to keep beside what is kept: of the first kind there is always a file.
pub(super) fn raw<'a>(name: &str, given: &'a VendorData, before: &Before) -> Option<&'a [u8]> {
    let raw = match given.content() {
        Some((raw, _)) => raw.as_slice(),
        None if before.raw.is_some() => return None,
        None => b"",
    };
    (!raw.is_empty() || name == "vendor-data").then_some(raw)
}

/// The number of parts that an earlier boot had of the same data; `None` if it was other data.
pub(super) fn parts_before(given: &VendorData, before: &Before) -> Option<usize> {
    let (raw, _) = given.content()?;
    before.parts.as_ref().filter(|_| before.raw.as_ref() == Some(raw)).map(Vec::len)
}

/// The parts of the data; `None` when there is nothing.
pub(super) fn parts(
    name: &str,
    given: &VendorData,
    before: Before,
    includes: &Includes<'_>,
) -> Option<Parts> {
    let Some((raw, blobs)) = given.content() else { return before.parts.map(Parts::from) };
    if blobs.iter().all(Vec::is_empty) {
        return None;
    }
    let mut parts = expand(name, blobs, includes);
    // An include that cannot be had now was perhaps had when it was new.
    let is_same = parts.is_lacking() && before.raw.as_ref() == Some(raw);
    if let Some(kept) = before.parts.filter(|kept| is_same && kept.len() > parts.all.len()) {
        parts.all = kept;
    }
    Some(parts)
}

/// Vendor-data is for every machine.
fn expand(name: &str, blobs: &[Vec<u8>], includes: &Includes<'_>) -> Parts {
    user_data::expand(blobs.iter().map(|blob| (name, blob.as_slice())), includes).for_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn check(user: &str, system: &str, wanted: bool, unwanted: &[&str]) {
        let layers = [user, system].map(|text| yaml::load(text).unwrap());
        let layers: Vec<_> = layers.iter().map(|layer| layer.as_map().and_then(|map| map.get("v"))).collect();
        let unwanted = unwanted.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(settings(&layers), VendorSettings { wanted, unwanted }, "{user} over {system}");
    }

    #[test]
    fn the_users_word_on_vendors_counts_before_the_systems() {
        check("", "", true, &[]);
        check("v: {enabled: false}", "v: {enabled: true}", false, &[]);
        check("v: {enabled: true}", "v: {enabled: false}", true, &[]);
        check("v: {prefix: x}", "v: {enabled: 'no', disabled_handlers: [a]}", false, &["a"]);
        check("v: {disabled_handlers: [b]}", "v: {disabled_handlers: [a]}", true, &["b"]);
        check("v: {enabled: 'on'}", "", true, &[]);
        check("v: {disabled_handlers: text/jinja2}", "", true, &["text/jinja2"]);
        check("v: 'no'", "", true, &[]);
        check("v: 'yes'", "v: {enabled: false}", false, &[]);
        check("v: {disabled_handlers: !!set {a}}", "", true, &["a"]);
        for odd in ["v: null", "v: yes", "v: {enabled: 2}", "v: {enabled: maybe}", "v: {enabled: }"] {
            check(odd, "v: {enabled: true}", false, &[]);
        }
    }
}

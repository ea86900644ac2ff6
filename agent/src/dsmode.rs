//! `dsmode`: a seed may say that it is not to be taken.

use crate::seed::Seed;
use crate::sources::SourceFacts;
use crate::yaml::{Mapping, Value};

/// The key for the data that the owner of a config drive of version 1 gives, in its meta-data.
pub(crate) const META_JS: &str = "meta_js";

const KEY: &str = "dsmode";

/// The values it may have. Anything else counts as `net`.
const MODES: [&str; 4] = ["local", "net", "pass", "disabled"];

/// The reason why a seed is not taken; `None` if it is.
pub(crate) fn refused(seed: &Seed, facts: &SourceFacts<'_>) -> Option<String> {
    let all = &seed.meta_data.all;
    let within = |name: &str| mode(all.get(name)?.as_map()?);
    let (mode, left_alone): (_, &[&str]) = match seed.source.as_str() {
        "nocloud" | "nocloud-net" => (mode(all), &["disabled"]),
        "openstack" => (within("meta"), &["disabled"]),
        "configdrive" => {
            let own = within("meta").or_else(|| within(META_JS));
            let told = own.or_else(|| mode(facts.settings("ConfigDrive")?));
            let usual = all.get(META_JS).is_some().then_some("pass");
            (told.or(usual), &["disabled", "pass"])
        }
        _ => return None,
    };
    let mode = mode.filter(|mode| left_alone.contains(mode))?;
    let remedy = if mode == "pass" { " (dsmode local or net has it taken)" } else { "" };
    Some(format!("{}: it is not taken, because its dsmode is {mode}{remedy}", seed.place))
}

fn mode(mapping: &Mapping) -> Option<&str> {
    match mapping.get(KEY)? {
        Value::Null => None,
        value => value.as_str().filter(|mode| MODES.contains(mode)).or(Some("net")),
    }
}

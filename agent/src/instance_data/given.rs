//! `ds`: what the source gives, by the names that cloud-init's source of that kind has for it.

use super::{ABOUT, ABOUT_SOURCE, InstanceFacts, host, platform};
use crate::instance::NO_ID;
use crate::jinja;
use crate::yaml::{Mapping, Value};

/// The mapping under `ds`.
pub(super) fn of(facts: &InstanceFacts<'_>) -> Mapping {
    let platform = platform(facts.source);
    let meta_data = facts.meta_data;
    let mut all = meta_data.all.clone();
    // Another place than the meta-data may have named the machine.
    let names = [("instance-id", &meta_data.instance_id), ("local-hostname", &meta_data.hostname)];
    for (key, value) in names.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))) {
        if all.get(key).is_none_or(|own| jinja::text(own).trim() != value)
            && !OWN_KEYS.contains(&(platform, key))
        {
            all.set(key, value);
        }
    }
    if platform == "nocloud" {
        for (key, value) in [("instance-id", NO_ID), ("dsmode", "net")] {
            if all.get(key).is_none() {
                all.set(key, value);
            }
        }
    }
    if platform == "vmware" {
        host::complete(&mut all, meta_data, facts.info);
    }
    let mut ds = Mapping::default();
    ds.set(ABOUT, ABOUT_SOURCE);
    // This one has its tree by its own name, which is a second one of the same.
    ds.set(if platform == "ec2" { "meta-data" } else { "meta_data" }, Value::from(all));
    for (name, value) in meta_data.beside.iter() {
        ds.insert(name.clone(), value.clone());
    }
    ds
}

/// Keys that a platform's meta-data has only where it gives them.
const OWN_KEYS: &[(&str, &str)] = &[("none", "instance-id")];

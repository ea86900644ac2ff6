//! `wait-on-network`: what is to be there before anything is made of the user-data.

use crate::interfaces::{Family, Interfaces, is_global};
use crate::report::Report;
use crate::yaml::{Mapping, Value};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

const KEY: &str = "wait-on-network";
const FAMILIES: [(&str, Family); 2] = [("ipv4", IpAddr::is_ipv4), ("ipv6", IpAddr::is_ipv6)];

/// The pause between two questions to the kernel.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until an interface has an address of each family that the meta-data names, but not for ever.
pub(super) fn wait(all: &Mapping, limit: Duration, interfaces: impl Fn() -> Interfaces, report: &mut Report) {
    let mut wanted = match all.get(KEY) {
        None | Some(Value::Null) => return,
        Some(Value::Map(families)) => {
            let is_wanted = |name: &str| families.get(name).is_some_and(Value::is_on);
            FAMILIES.into_iter().filter(|(name, _)| is_wanted(name)).collect::<Vec<_>>()
        }
        Some(other) => {
            report.warn(format!("{KEY} is {} and no mapping (write `{KEY}: {{ipv4: true}}`)", other.kind()));
            return;
        }
    };
    let start = Instant::now();
    while !wanted.is_empty() {
        let there = interfaces();
        let mut addresses = there.all.iter().flat_map(|one| &one.addresses).map(|address| address.ip);
        wanted.retain(|(_, is_of)| !addresses.any(|ip| is_of(&ip) && is_global(ip)));
        if wanted.is_empty() {
            return;
        }
        if start.elapsed() >= limit {
            let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
            report.warn(format!(
                "{KEY}: no interface has an address of {} after {} s (going on without)",
                names.join(" and "),
                limit.as_secs()
            ));
            return;
        }
        thread::sleep(PAUSE);
    }
}

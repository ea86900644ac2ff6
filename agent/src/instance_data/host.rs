//! The data that `VMware`'s source adds to its meta-data: the machine's own names, addresses and interfaces.

use crate::interfaces::{Address, Family, Interface, is_global};
use crate::meta_data::{self, MetaData};
use crate::system_info::SystemInfo;
use crate::yaml::{Mapping, Value};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Adds it. The meta-data's own values win.
pub(super) fn complete(all: &mut Mapping, meta_data: &MetaData, info: &SystemInfo) {
    let name = meta_data.host_name();
    let name = name.as_deref().and_then(|name| name.split('.').next());
    let name = info.canonical_name(name.unwrap_or(&info.host_name));
    let mut own = Mapping::default();
    for key in ["hostname", "local-hostname", "local_hostname"] {
        own.set(key, name.as_str());
    }
    let families: [(&str, Family); 2] = [("local-ipv4", IpAddr::is_ipv4), ("local-ipv6", IpAddr::is_ipv6)];
    for (key, is_wanted) in families {
        if let Some(ip) = info.interfaces.default_address(is_wanted) {
            own.set(key, ip.to_string().as_str());
        }
    }
    let mut network = Mapping::default();
    network.set("interfaces", by_address(&info.interfaces.all));
    own.set("network", network);
    if let Some(config) = network_config(all) {
        all.set("network", config);
    }
    all.remove(&ENCODING.into());
    fill(all, own);
}

/// The key for the encoding of the text under `network`.
const ENCODING: &str = "network.encoding";

/// The network's configuration, which may be encoded, under a key of its own.
fn network_config(all: &Mapping) -> Option<Mapping> {
    let config = match all.get("network")? {
        Value::Map(config) => Value::Map(config.clone()),
        Value::Str(text) => {
            let encoding = all.get(ENCODING).and_then(Value::as_str).unwrap_or_default();
            meta_data::decoded(text.clone(), encoding)
                .ok()
                .and_then(|text| crate::yaml::load(&String::from_utf8_lossy(&text)).ok())?
        }
        _ => return None,
    };
    let mut network = Mapping::default();
    network.set("config", config);
    Some(network)
}

/// Sets what is not there, in mappings within mappings too.
fn fill(all: &mut Mapping, own: Mapping) {
    for (key, value) in own.iter() {
        match (all.get_mut(key), value) {
            (None, value) => all.insert(key.clone(), value.clone()),
            (Some(Value::Map(inner)), Value::Map(own)) => fill(inner, own.clone()),
            _ => {}
        }
    }
}

fn by_address(interfaces: &[Interface]) -> Mapping {
    let (mut by_mac, mut by_ipv4, mut by_ipv6) = (Mapping::default(), Mapping::default(), Mapping::default());
    for interface in interfaces {
        // The loop is nobody's business.
        if interface.addresses.is_empty()
            || interface.addresses.iter().all(|address| address.ip.is_loopback())
        {
            continue;
        }
        let mut of_mac = Mapping::default();
        for (key, is_wanted, by_ip) in
            [("ipv4", IpAddr::is_ipv4 as Family, &mut by_ipv4), ("ipv6", IpAddr::is_ipv6, &mut by_ipv6)]
        {
            let all: Vec<&Address> =
                interface.addresses.iter().filter(|address| is_wanted(&address.ip)).collect();
            if all.is_empty() {
                continue;
            }
            let mut list = Vec::new();
            for address in all.into_iter().filter(|address| is_global(address.ip)) {
                let mut described = described(address);
                if let Some(mac) = &interface.mac {
                    let mut with_mac = described.clone();
                    with_mac.set("mac", mac.as_str());
                    by_ip.set(&address.ip.to_string(), with_mac);
                } else {
                    by_ip.set(&address.ip.to_string(), described.clone());
                }
                described.set("addr", address.ip.to_string().as_str());
                list.push(described.into());
            }
            of_mac.set(key, Value::Seq(list));
        }
        if let Some(mac) = &interface.mac {
            by_mac.set(mac, of_mac);
        }
    }
    let mut all = Mapping::default();
    all.set("by-ipv4", by_ipv4);
    all.set("by-ipv6", by_ipv6);
    all.set("by-mac", by_mac);
    all
}

fn described(address: &Address) -> Mapping {
    let mut described = Mapping::default();
    match address.ip {
        IpAddr::V4(_) => {
            let broadcast = address.broadcast.map(|ip| ip.to_string()).unwrap_or_default();
            described.set("broadcast", broadcast.as_str());
            let mask = u32::MAX.checked_shl(32 - u32::from(address.prefix.min(32))).unwrap_or_default();
            described.set("netmask", Ipv4Addr::from(mask).to_string().as_str());
        }
        IpAddr::V6(_) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(address.prefix.min(128))).unwrap_or_default();
            described.set("netmask", format!("{}/{}", Ipv6Addr::from(mask), address.prefix).as_str());
        }
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::tests::a_machines;
    use crate::meta_data;
    use crate::yaml::to_json;

    fn completed(meta_data: &str) -> Mapping {
        let meta_data = meta_data::parse(meta_data.as_bytes()).unwrap();
        let info =
            SystemInfo { host_name: "node-1".into(), interfaces: a_machines(), ..SystemInfo::default() };
        let mut all = meta_data.all.clone();
        complete(&mut all, &meta_data, &info);
        all
    }

    fn at(all: &Mapping, path: &str) -> String {
        let found =
            path.split('/').try_fold(Value::Map(all.clone()), |value, key| value.as_map()?.get(key).cloned());
        to_json(&found.unwrap_or(Value::Null))
    }

    /// The expected values are by cloud-init 26.2's source, `get_host_info` and `process_metadata`.
    #[test]
    fn the_machines_own_names_and_addresses_are_added() {
        for (meta_data, path, json) in [
            ("{}", "hostname", r#""node-1""#),
            ("{}", "local-hostname", r#""node-1""#),
            ("{}", "local_hostname", r#""node-1""#),
            ("{local-hostname: cp-0.example}", "hostname", r#""cp-0""#),
            ("{local-hostname: cp-0.example}", "local-hostname", r#""cp-0.example""#),
            ("{hostname: own}", "hostname", r#""own""#),
            ("{}", "local-ipv4", r#""10.6.0.11""#),
            ("{local-ipv4: 1.2.3.4}", "local-ipv4", r#""1.2.3.4""#),
            ("{}", "local-ipv6", r#""fd00::11""#),
            (
                "{}",
                "network/interfaces/by-ipv4/10.6.0.11",
                r#"{"broadcast":"10.6.15.255","netmask":"255.255.240.0","mac":"00:50:56:00:00:01"}"#,
            ),
            ("{}", "network/interfaces/by-ipv4/127.0.0.1", "null"),
            (
                "{}",
                "network/interfaces/by-ipv6",
                r#"{"fd00::11":{"netmask":"ffff:ffff:ffff:ffff::/64","mac":"00:50:56:00:00:01"}}"#,
            ),
            (
                "{}",
                "network/interfaces/by-mac/00:50:56:00:00:02/ipv4",
                r#"[{"broadcast":"","netmask":"255.255.255.0","addr":"10.7.0.11"}]"#,
            ),
            ("{network: {version: 2}}", "network/config", r#"{"version":2}"#),
            ("{network: dmVyc2lvbjogMg==, network.encoding: base64}", "network/config", r#"{"version":2}"#),
            ("{network: dmVyc2lvbjogMg==, network.encoding: base64}", "network.encoding", "null"),
            ("{network: {version: 2}}", "network/interfaces/by-ipv4/10.7.0.11/netmask", r#""255.255.255.0""#),
        ] {
            assert_eq!(at(&completed(meta_data), path), json, "{meta_data} {path}");
        }
    }
}

//! The instance's data: cloud-init's `instance-data.json`, and the variables of templates.

mod given;
mod host;

use crate::instance::NO_ID;
use crate::layout;
use crate::meta_data::MetaData;
use crate::plan::File;
use crate::system_info::SystemInfo;
use crate::yaml::{self, Mapping, Value};

/// Regions that are clouds of their own: the region's prefix, its cloud, and the id of the own cloud.
const REGIONS: [(&str, &str, &str); 3] =
    [("cn-", "aws", "aws-china"), ("us-gov-", "aws", "aws-gov"), ("china", "azure", "azure-china")];

/// Operators of templates. A name that holds one has a second form with `_`. Longer operators come first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", "<", ">",
    "=", ".", ":", "|", ",", ";",
];

/// The facts that instance-data is made from.
pub(crate) struct InstanceFacts<'a> {
    /// The identity of the machine.
    pub(crate) meta_data: &'a MetaData,
    /// The kind of source.
    pub(crate) source: &'a str,
    /// The seed's place; empty if unknown.
    pub(crate) place: &'a str,
    /// The system's configuration.
    pub(crate) system: &'a Mapping,
    /// The machine's system.
    pub(crate) info: &'a SystemInfo,
}

/// Keys that only root may read.
const SENSITIVE: [&str; 2] = ["merged_cfg", "merged_system_cfg"];
const REDACTED: &str = "redacted for non-root user";

/// A mapping's description of itself, under cloud-init's key.
const ABOUT: &str = "_doc";
const ABOUT_SOURCE: &str = "as the source gave it; the source decides what is in it";
const ABOUT_SYSTEM: &str = "the system's configuration: the kernel command line and /etc/cloud";

/// Builds instance-data as cloud-init writes it.
pub(crate) fn of(facts: &InstanceFacts<'_>) -> Value {
    let ds = given::of(facts);
    let parts = ds.iter().filter_map(|(key, _)| key.as_str()).filter(|key| *key != ABOUT);
    let sensitive: Vec<Value> = parts.map(|key| format!("ds/{key}").as_str().into()).collect();
    let mut data = Mapping::default();
    data.set("base64_encoded_keys", Value::Seq(Vec::new()));
    data.set("ds", as_json(&ds.into()));
    let system = as_json(&Value::Map(facts.system.clone()));
    for name in SENSITIVE {
        let mut system = system.as_map().cloned().unwrap_or_default();
        system.set(ABOUT, ABOUT_SYSTEM);
        data.set(name, system);
    }
    data.set("sensitive_keys", Value::Seq(sensitive.into_iter().chain(SENSITIVE.map(Value::from)).collect()));
    data.set("sys_info", facts.info.to_value());
    data.set("v1", standard(facts));
    data.into()
}

/// The standard keys that every source has.
fn standard(facts: &InstanceFacts<'_>) -> Mapping {
    let InstanceFacts { meta_data, info, .. } = facts;
    let platform = platform(facts.source);
    let get = |key: &str| meta_data.all.get(key).filter(|value| **value != Value::Null);
    let in_placement = |key: &str| get("placement")?.as_map()?.get(key);
    // Amazon's own document is the better witness.
    let identity = |key: &str| {
        let document = ["dynamic", "instance-identity", "document"];
        let beside = Value::Map(meta_data.beside.clone());
        let document = document.iter().try_fold(beside, |value, key| value.as_map()?.get(key).cloned())?;
        document.as_map()?.get(key).filter(|value| value.as_str().is_some()).cloned()
    };
    let (own_zone, own_region) = (identity("availabilityZone"), identity("region"));
    let zone = own_zone
        .as_ref()
        .or_else(|| get("availability-zone"))
        .or_else(|| get("availability_zone"))
        .or_else(|| in_placement("availability-zone"));
    let zone = zone.map_or(Value::Null, as_json);
    let region =
        own_region.as_ref().or_else(|| get("region")).or_else(|| in_placement("region")).map(as_json);
    let region = region.or_else(|| region_of(zone.as_str()?, platform)).unwrap_or(Value::Null);
    let named = get("cloud-name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let cloud = named.map(str::to_lowercase);
    // A source that many clouds have says nothing of the cloud.
    let unnamed = if ["nocloud", "ec2"].contains(&platform) { UNKNOWN } else { platform };
    let cloud = cloud.unwrap_or_else(|| unnamed.into());
    let own = |(prefix, name, _): &&(&str, &str, &str)| {
        cloud == *name && region.as_str().is_some_and(|region| region.starts_with(prefix))
    };
    let cloud_id = match REGIONS.iter().find(own) {
        Some((_, _, id)) => id,
        None if cloud == UNKNOWN => platform,
        None => cloud.as_str(),
    };
    let mut v1 = Mapping::default();
    v1.set("_beta_keys", Value::Seq(vec!["subplatform".into()]));
    v1.set("cloud_id", cloud_id);
    for (name, value) in [
        ("availability-zone", zone),
        ("cloud-name", cloud.as_str().into()),
        ("instance-id", meta_data.instance_id.as_deref().unwrap_or(NO_ID).into()),
        // Whom nobody gives a name goes by the one that it has.
        ("local-hostname", first_label(meta_data.host_name().as_deref().unwrap_or(&info.host_name)).into()),
    ] {
        v1.set(&name.replace('-', "_"), value.clone());
        v1.set(name, value);
    }
    let [distribution, version, release] = &info.distribution;
    v1.set("distro", distribution.as_str());
    v1.set("distro_release", release.as_str());
    v1.set("distro_version", version.as_str());
    let [_, _, kernel, _, machine] = &info.kernel;
    v1.set("kernel_release", kernel.as_str());
    v1.set("machine", machine.as_str());
    v1.set("platform", platform);
    let keys = meta_data.public_keys.iter().map(|key| Value::from(key.as_str())).collect();
    v1.set("public_ssh_keys", Value::Seq(keys));
    v1.set("python_version", info.python());
    v1.set("region", region);
    v1.set("subplatform", subplatform(platform, facts.place).as_str());
    v1.set("system_platform", info.platform().as_str());
    v1.set("variant", info.variant());
    v1
}

const UNKNOWN: &str = "unknown";

/// cloud-init's name of a source. A seed on the kernel command line is always `NoCloud`.
fn platform(source: &str) -> &str {
    match source {
        "nocloud-net" | "lifeboat.seed" => "nocloud",
        other => other,
    }
}

/// Amazon's zones are their region and a letter.
fn region_of(zone: &str, platform: &str) -> Option<Value> {
    let mut letters = zone.chars();
    letters.next_back().filter(|_| platform == "ec2")?;
    Some(letters.as_str().into())
}

/// The kind of the data's source, with its place in brackets.
fn subplatform(platform: &str, place: &str) -> String {
    // A file on a volume.
    let place = place.split("/./").next().unwrap_or_default();
    match platform {
        "none" => "config".into(),
        _ if place.is_empty() => UNKNOWN.into(),
        "ec2" => format!("metadata ({place})"),
        "openstack" => format!("metadata ({})", place.split("/openstack").next().unwrap_or_default()),
        "ovf" => format!("ovf ({place})"),
        "vmware" => format!("guestinfo ({place})"),
        _ if place.starts_with("/dev/") => format!("config-disk ({place})"),
        _ => format!("seed-dir ({place})"),
    }
}

/// A host name without its domain.
fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The value after a round trip through JSON with sorted keys.
fn as_json(value: &Value) -> Value {
    let lost = |kind: &str| format!("Warning: redacted unserializable type <class '{kind}'>").into();
    match value {
        Value::Seq(items) => Value::Seq(items.iter().map(as_json).collect()),
        Value::Set(_) => lost("set"),
        Value::Time(text) if text.contains(':') => lost("datetime.datetime"),
        Value::Time(_) => lost("datetime.date"),
        Value::Binary(bytes) => crate::codec::to_base64(bytes).into(),
        Value::Map(mapping) => {
            let name = |key: &Value| match key {
                Value::Null => "null".to_owned(),
                Value::Bool(on) => on.to_string(),
                other => other.scalar_text().unwrap_or_default(),
            };
            let mut pairs: Vec<_> = mapping.iter().map(|(key, value)| (name(key), as_json(value))).collect();
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
        }
        other => other.clone(),
    }
}

/// The variables: the standard ones stand at the top too, and a key with an operator has a second name.
pub(crate) fn variables(data: &Value) -> Value {
    match data {
        Value::Map(mapping) => Value::Map(with_aliases(mapping)),
        other => other.clone(),
    }
}

/// `instance-data.json`, which anybody may read, and the one with everything.
pub(crate) fn files(data: &Value) -> Vec<File> {
    let mut public = data.as_map().cloned().unwrap_or_default();
    let mut ds = Mapping::default();
    for (key, value) in public.get("ds").and_then(Value::as_map).into_iter().flat_map(Mapping::iter) {
        let is_about = key.as_str() == Some(ABOUT);
        ds.insert(key.clone(), if is_about { value.clone() } else { REDACTED.into() });
    }
    public.set("ds", ds);
    for name in SENSITIVE {
        public.set(name, REDACTED);
    }
    let text = |value: &Value| yaml::to_json(value) + "\n";
    vec![
        File::new(layout::INSTANCE_DATA, text(&public.into()), 0o644),
        File::new(layout::SENSITIVE_INSTANCE_DATA, text(data), 0o600),
    ]
}

/// The data with the standard variables at the top too, under their own names alone.
pub(crate) fn promoted(data: &Mapping) -> Mapping {
    let mut result = data.clone();
    for (name, value) in data.get("v1").and_then(Value::as_map).into_iter().flat_map(Mapping::iter) {
        result.set(name.as_str().unwrap_or_default(), value.clone());
    }
    result
}

/// The value of a key, by its first or second name.
pub(crate) fn get<'a>(mapping: &'a Mapping, name: &str) -> Option<&'a Value> {
    let is_second = |key: &Value| key.scalar_text().is_some_and(|key| second_name(&key) == name);
    mapping.get(name).or_else(|| mapping.iter().find(|(key, _)| is_second(key)).map(|(_, value)| value))
}

fn second_name(key: &str) -> String {
    OPERATORS.iter().fold(key.to_owned(), |key, operator| key.replace(operator, "_"))
}

fn with_aliases(mapping: &Mapping) -> Mapping {
    let mut result = Mapping::default();
    let mut sorted: Vec<_> =
        mapping.iter().filter_map(|(key, value)| Some((key.scalar_text()?, value))).collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (key, value) in sorted {
        let value = match value {
            Value::Map(inner) => Value::Map(with_aliases(inner)),
            other => other.clone(),
        };
        let alias = second_name(&key);
        result.set(&key, value.clone());
        if key == "v1"
            && let Value::Map(standard) = &value
        {
            for (name, value) in standard.iter() {
                result.insert(name.clone(), value.clone());
            }
        }
        if alias != key {
            result.set(&alias, value);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::Interfaces;
    use crate::meta_data;

    fn known(meta_data: &str, source: &str, place: &str) -> Value {
        let meta_data = meta_data::parse(meta_data.as_bytes()).unwrap();
        let system = yaml::load("{password: secret, system_info: {distro: own}}").unwrap();
        let text = |text: &str| text.to_owned();
        let info = SystemInfo {
            distribution: ["debian", "12", "bookworm"].map(text),
            host_name: "own.example".into(),
            interfaces: Interfaces::default(),
            canonical_names: Vec::new(),
            kernel: ["Linux", "node", "6.1.0-18-amd64", "#1 SMP", "x86_64"].map(text),
            python: Some("3.11".into()),
        };
        of(&InstanceFacts {
            meta_data: &meta_data,
            source,
            place,
            system: system.as_map().unwrap(),
            info: &info,
        })
    }

    fn get<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
        path.split('/').try_fold(value, |value, key| value.as_map()?.get(key))
    }

    #[test]
    fn variables_have_their_names_and_second_names() {
        let meta = "{instance-id: i, local-hostname: a.b, x.y: {c-d: 1}, l: [{e-f: 2}], 'a//b: c': 3}";
        let variables = variables(&known(meta, "nocloud", ""));
        let is = |path: &str, value: Value| assert_eq!(get(&variables, path), Some(&value), "{path}");
        is("v1/local_hostname", "a".into());
        is("local_hostname", "a".into());
        is("instance_id", "i".into());
        is("region", Value::Null);
        is("ds/meta_data/local_hostname", "a.b".into());
        is("ds/meta_data/x_y/c_d", Value::Int(1));
        is("ds/meta_data/x.y/c-d", Value::Int(1));
        assert_eq!(get(&variables, "meta_data"), None);
        let list = get(&variables, "ds/meta_data/l").unwrap().as_seq().unwrap();
        // Not inside lists.
        assert_eq!(get(&list[0], "e_f"), None);
        assert_eq!(get(&list[0], "e-f"), Some(&Value::Int(2)));
        is("ds/meta_data/a_b_ c", Value::Int(3));
    }

    fn text(meta_data: &str, path: &str) -> String {
        let data = known(meta_data, "nocloud", "");
        yaml::to_json(get(&data, path).unwrap_or(&Value::Null))
    }

    #[test]
    fn the_machine_is_known_by_cloud_inits_names() {
        let variables = variables(&known("{}", "nocloud", "/var/lib/cloud/seed/nocloud"));
        for (name, value) in [
            ("distro", "debian"),
            ("distro_version", "12"),
            ("distro_release", "bookworm"),
            ("variant", "debian"),
            ("kernel_release", "6.1.0-18-amd64"),
            ("machine", "x86_64"),
            ("python_version", "3.11"),
            ("system_platform", "Linux-6.1.0-18-amd64-x86_64"),
            ("platform", "nocloud"),
            ("cloud_name", "unknown"),
            ("subplatform", "seed-dir (/var/lib/cloud/seed/nocloud)"),
        ] {
            assert_eq!(get(&variables, name), Some(&value.into()), "{name}");
            assert_eq!(get(&variables, &format!("v1/{name}")), Some(&value.into()), "{name}");
        }
        assert_eq!(get(&variables, "local_hostname"), Some(&"own".into()));
        for name in ["region", "availability_zone"] {
            assert_eq!(get(&variables, name), Some(&Value::Null), "{name}");
        }
        assert_eq!(get(&variables, "merged_cfg/system_info/distro"), Some(&"own".into()));
        assert_eq!(get(&variables, "merged_system_cfg/password"), Some(&"secret".into()));
        assert_eq!(
            yaml::to_json(get(&variables, "sys_info").unwrap()),
            r##"{"dist":["debian","12","bookworm"],"platform":"Linux-6.1.0-18-amd64-x86_64","python":"3.11","release":"6.1.0-18-amd64","system":"Linux","uname":["Linux","node","6.1.0-18-amd64","#1 SMP","x86_64",""],"variant":"debian"}"##
        );
        // The user-data's text is no variable of its templates.
        assert_eq!(get(&variables, "userdata"), None);
    }

    #[test]
    fn a_source_is_named_with_its_place() {
        for (source, place, named) in [
            ("nocloud", "/dev/sr0", ["nocloud", "unknown", "config-disk (/dev/sr0)"]),
            ("lifeboat.seed", "http://x/", ["nocloud", "unknown", "seed-dir (http://x/)"]),
            (
                "configdrive",
                "/dev/vdb/./openstack/latest",
                ["configdrive", "configdrive", "config-disk (/dev/vdb)"],
            ),
            ("ec2", "http://1.2.3.4", ["ec2", "unknown", "metadata (http://1.2.3.4)"]),
            (
                "openstack",
                "http://1.2.3.4/openstack/latest",
                ["openstack", "openstack", "metadata (http://1.2.3.4)"],
            ),
            ("ovf", "/x/ovf-env.xml", ["ovf", "ovf", "ovf (/x/ovf-env.xml)"]),
            ("vmware", "guestinfo", ["vmware", "vmware", "guestinfo (guestinfo)"]),
            ("none", "x", ["none", "none", "config"]),
            ("nocloud", "", ["nocloud", "unknown", "unknown"]),
        ] {
            let data = known("{}", source, place);
            let found = ["platform", "cloud_name", "subplatform"]
                .map(|name| get(&data, &format!("v1/{name}")).cloned());
            assert_eq!(found, named.map(|name| Some(name.into())), "{source} {place}");
        }
        let zone = "{placement: {availability-zone: eu-1a}}";
        assert_eq!(get(&known(zone, "ec2", ""), "v1/region"), Some(&"eu-1".into()));
        assert_eq!(get(&known(zone, "nocloud", ""), "v1/region"), Some(&Value::Null));
        let region = "{placement: {availability-zone: eu-1a, region: eu-one}}";
        assert_eq!(get(&known(region, "ec2", ""), "v1/region"), Some(&"eu-one".into()));
    }

    #[test]
    fn a_region_of_its_own_is_a_cloud_of_its_own() {
        assert_eq!(text("{cloud-name: AWS, region: cn-north-1}", "v1/cloud_id"), "\"aws-china\"");
        assert_eq!(text("{cloud-name: AWS, region: eu-west-1}", "v1/cloud_id"), "\"aws\"");
        assert_eq!(text("{region: cn-north-1}", "v1/cloud_id"), "\"nocloud\"");
        assert_eq!(text("{placement: {availability-zone: a}}", "v1/availability_zone"), "\"a\"");
    }

    #[test]
    fn meta_data_that_json_cannot_hold_is_told_as_such() {
        let meta = "{d: 2001-01-01, 1: yes, b: !!binary aGk=, local-hostname: 10.0.0.1, instance-id: 0755}";
        assert_eq!(text(meta, "v1/local_hostname"), "\"ip-10-0-0-1\"");
        assert_eq!(text(meta, "v1/instance_id"), "\"493\"");
        let lost = "Warning: redacted unserializable type <class 'datetime.date'>";
        assert_eq!(
            text(meta, "ds/meta_data"),
            format!(
                r#"{{"1":true,"b":"aGk=","d":"{lost}","dsmode":"net","instance-id":493,"local-hostname":"10.0.0.1"}}"#
            )
        );
    }

    #[test]
    fn not_everybody_may_read_everything() {
        let files = files(&known("{instance-id: i, password: secret}", "nocloud", ""));
        let texts: Vec<_> =
            files.iter().map(|file| String::from_utf8_lossy(&file.content).into_owned()).collect();
        assert!(files[0].mode == 0o644 && !texts[0].contains("secret") && texts[0].contains("\"i\""));
        assert!(files[1].mode == 0o600 && texts[1].contains("secret"));
    }
}

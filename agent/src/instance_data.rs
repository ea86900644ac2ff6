//! What is known of the instance: cloud-init's `instance-data.json`, and the variables of templates.

use crate::instance::NO_ID;
use crate::layout;
use crate::meta_data::MetaData;
use crate::plan::File;
use crate::yaml::{self, Mapping, Value};

/// What begins a region that is a cloud of its own, of which cloud, and that cloud's id.
const REGIONS: [(&str, &str, &str); 3] =
    [("cn-", "aws", "aws-china"), ("us-gov-", "aws", "aws-gov"), ("china", "azure", "azure-china")];

/// What templates can compute with: a name that holds one of these has another one with `_`. The longer come
/// first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", "<", ">",
    "=", ".", ":", "|", ",", ";",
];

/// What is known, as cloud-init writes it.
pub(crate) fn of(meta_data: &MetaData, source: &str) -> Value {
    let mut ds = Mapping::default();
    let mut all = meta_data.all.clone();
    for (key, value) in [("instance-id", NO_ID), ("dsmode", "net")] {
        if all.get(key).is_none() {
            all.set(key, value);
        }
    }
    ds.set("meta_data", as_json(&all.into()));
    let mut data = Mapping::default();
    data.set("base64_encoded_keys", Value::Seq(Vec::new()));
    data.set("ds", ds);
    data.set("sensitive_keys", Value::Seq(vec!["ds/meta_data".into()]));
    data.set("v1", standard(meta_data, source));
    data.into()
}

/// What every source has.
fn standard(meta_data: &MetaData, source: &str) -> Mapping {
    let get = |key: &str| meta_data.all.get(key).filter(|value| **value != Value::Null);
    let in_placement = || get("placement")?.as_map()?.get("availability-zone");
    let zone = get("availability-zone").or_else(|| get("availability_zone")).or_else(in_placement);
    let region = get("region").map_or(Value::Null, as_json);
    let cloud = get("cloud-name").and_then(Value::as_str).map(str::to_lowercase);
    let cloud = cloud.unwrap_or_else(|| "unknown".into());
    let own = |(prefix, name, _): &&(&str, &str, &str)| {
        cloud == *name && region.as_str().is_some_and(|region| region.starts_with(prefix))
    };
    let cloud_id = match REGIONS.iter().find(own) {
        Some((_, _, id)) => id,
        None if cloud == "unknown" => source,
        None => cloud.as_str(),
    };
    let mut v1 = Mapping::default();
    v1.set("_beta_keys", Value::Seq(vec!["subplatform".into()]));
    v1.set("cloud_id", cloud_id);
    for (name, value) in [
        ("availability-zone", zone.map_or(Value::Null, as_json)),
        ("cloud-name", cloud.as_str().into()),
        ("instance-id", meta_data.instance_id.as_deref().unwrap_or(NO_ID).into()),
        (
            "local-hostname",
            meta_data.hostname.as_deref().map_or(Value::Null, |name| first_label(name).into()),
        ),
    ] {
        v1.set(&name.replace('-', "_"), value.clone());
        v1.set(name, value);
    }
    v1.set("platform", source);
    let keys = meta_data.public_keys.iter().map(|key| Value::from(key.as_str())).collect();
    v1.set("public_ssh_keys", Value::Seq(keys));
    v1.set("region", region);
    v1.set("subplatform", source);
    v1
}

/// A host name without its domain; of an address a name is made.
fn first_label(name: &str) -> String {
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return format!("ip-{}", name.replace('.', "-"));
    }
    name.split('.').next().unwrap_or(name).to_owned()
}

/// A value as it is when it has been written as JSON with sorted keys, and read again.
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
    ds.set("meta_data", "redacted for non-root user");
    public.set("ds", ds);
    let text = |value: &Value| yaml::to_json(value) + "\n";
    vec![
        File::new(layout::INSTANCE_DATA, text(&public.into()), 0o644),
        File::new(layout::SENSITIVE_INSTANCE_DATA, text(data), 0o600),
    ]
}

/// What is known with the standard variables at the top too, under their own names alone.
pub(crate) fn promoted(data: &Mapping) -> Mapping {
    let mut result = data.clone();
    for (name, value) in data.get("v1").and_then(Value::as_map).into_iter().flat_map(Mapping::iter) {
        result.set(name.as_str().unwrap_or_default(), value.clone());
    }
    result
}

/// The value of a key, or of the one that this is the second name of.
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
    use crate::meta_data;

    fn get<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
        path.split('/').try_fold(value, |value, key| value.as_map()?.get(key))
    }

    #[test]
    fn variables_have_their_names_and_second_names() {
        let meta = meta_data::parse(
            b"{instance-id: i, local-hostname: a.b, x.y: {c-d: 1}, l: [{e-f: 2}], 'a//b: c': 3}",
        )
        .unwrap();
        let variables = variables(&of(&meta, "nocloud"));
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
        let data = of(&meta_data::parse(meta_data.as_bytes()).unwrap(), "nocloud");
        yaml::to_json(get(&data, path).unwrap_or(&Value::Null))
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
        let meta = meta_data::parse(b"{instance-id: i, password: secret}").unwrap();
        let files = files(&of(&meta, "nocloud"));
        let texts: Vec<_> =
            files.iter().map(|file| String::from_utf8_lossy(&file.content).into_owned()).collect();
        assert!(files[0].mode == 0o644 && !texts[0].contains("secret") && texts[0].contains("\"i\""));
        assert!(files[1].mode == 0o600 && texts[1].contains("secret"));
    }
}

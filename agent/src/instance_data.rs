//! What is known of the instance: cloud-init's `instance-data.json`, and the variables of templates.

use crate::instance::NO_ID;
use crate::layout;
use crate::meta_data::MetaData;
use crate::plan::File;
use crate::yaml::{self, Mapping, Value};

/// Keys that stand for nothing where nobody knows.
const UNKNOWN: &[&str] = &["availability-zone", "availability_zone", "region"];

/// What is known, as cloud-init writes it.
pub(crate) fn of(meta_data: &MetaData, source: &str) -> Value {
    let id = meta_data.instance_id.as_deref().unwrap_or(NO_ID);
    let name = meta_data.hostname.as_deref().map(|name| name.split('.').next().unwrap_or(name));
    let name = name.map_or(Value::Null, Value::from);
    let keys = Value::Seq(meta_data.public_keys.iter().map(|key| Value::from(key.as_str())).collect());
    let mut v1 = Mapping::default();
    v1.set("_beta_keys", Value::Seq(vec!["subplatform".into()]));
    for key in UNKNOWN {
        v1.set(key, Value::Null);
    }
    for (key, value) in [
        ("cloud-name", "unknown"),
        ("cloud_name", "unknown"),
        ("cloud_id", source),
        ("instance-id", id),
        ("instance_id", id),
        ("platform", source),
        ("subplatform", source),
    ] {
        v1.set(key, value);
    }
    v1.set("local-hostname", name.clone());
    v1.set("local_hostname", name);
    v1.set("public_ssh_keys", keys);
    let mut all = meta_data.all.clone();
    if all.get("instance-id").is_none() {
        all.set("instance-id", NO_ID);
    }
    if all.get("dsmode").is_none() {
        all.set("dsmode", "net");
    }
    let mut ds = Mapping::default();
    ds.set("meta_data", all);
    let mut data = Mapping::default();
    data.set("base64_encoded_keys", Value::Seq(Vec::new()));
    data.set("ds", ds);
    data.set("sensitive_keys", Value::Seq(vec!["ds/meta_data".into()]));
    data.set("v1", v1);
    data.into()
}

/// The variables: the standard ones stand at the top too, and a key with `-`, `.`, `:` or `/` has a second name.
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

fn with_aliases(mapping: &Mapping) -> Mapping {
    let mut result = Mapping::default();
    for (key, value) in mapping.iter() {
        let Some(key) = key.scalar_text() else { continue };
        let value = match value {
            Value::Map(inner) => Value::Map(with_aliases(inner)),
            Value::Seq(items) => Value::Seq(items.iter().map(variables).collect()),
            other => other.clone(),
        };
        if key == "v1"
            && let Value::Map(standard) = &value
        {
            for (name, value) in standard.iter() {
                result.set(name.as_str().unwrap_or_default(), value.clone());
            }
        }
        result.set(&key.replace(['-', '.', ':', '/'], "_"), value.clone());
        result.set(&key, value);
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
        let meta =
            meta_data::parse(b"{instance-id: i, local-hostname: a.b, x.y: {c-d: 1}, l: [{e-f: 2}]}").unwrap();
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
        assert_eq!(get(&list[0], "e_f"), Some(&Value::Int(2)));
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

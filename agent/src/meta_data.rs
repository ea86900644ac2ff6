//! Meta-data: who the machine is.

use crate::codec;
use crate::fetch;
use crate::instance::Instance;
use crate::root::Root;
use crate::user_data::parse_json;
use crate::yaml::{self, Allowance, BYTE_ORDER_MARK, Mapping, Value};
use crate::{jinja, texts};
use anyhow::{Context, Result, bail};
use std::net::Ipv4Addr;

/// The most values it may hold, which is little: it is kept in several forms.
const MOST_VALUES: usize = 30_000;
const MOST_MEBIBYTES: usize = 1;

/// The contents of meta-data.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct MetaData {
    /// `instance-id`
    pub(crate) instance_id: Option<String>,
    /// `local-hostname`
    pub(crate) hostname: Option<String>,
    /// `public-keys`, in order.
    pub(crate) public_keys: Vec<String>,
    /// All of it, as it came.
    pub(crate) all: Mapping,
    /// The data that the source gives beside it, by the names that instance-data's `ds` has for it.
    pub(crate) beside: Mapping,
}

impl From<Mapping> for MetaData {
    fn from(all: Mapping) -> Self {
        let text =
            |key: &str| all.get(key).and_then(Value::scalar_text).filter(|text| !text.trim().is_empty());
        Self {
            instance_id: all.get("instance-id").map(id).filter(|id| !id.is_empty()),
            hostname: text("local-hostname"),
            public_keys: all.get("public-keys").map(keys).unwrap_or_default(),
            all,
            beside: Mapping::default(),
        }
    }
}

impl MetaData {
    /// The machine's name. Where that is an address, as on clouds that speak like EC2, it is `ip-10-0-0-1`.
    pub(crate) fn host_name(&self) -> Option<String> {
        let name = self.hostname.as_deref()?;
        Some(match name.trim().parse::<Ipv4Addr>() {
            Ok(address) => format!("ip-{}", address.to_string().replace('.', "-")),
            Err(_) => name.to_owned(),
        })
    }
}

/// A file in an instance's directory: what the source gave beside the meta-data.
pub(crate) const BESIDE: &str = "source-data.json";

/// Reads what was kept of it.
pub(crate) fn read_beside(instance: &Instance, root: &Root) -> Result<Mapping> {
    let Some(text) = root.read_text(&instance.path(BESIDE))? else { return Ok(Mapping::default()) };
    let value = yaml::load(&text).with_context(|| format!("read {BESIDE}"))?;
    Ok(value.as_map().cloned().unwrap_or_default())
}

/// Reads a mapping in YAML or JSON.
pub(crate) fn parse(data: &[u8]) -> Result<MetaData> {
    let text = std::str::from_utf8(data).context("read meta-data: it is no UTF-8")?;
    let text = text.trim_start_matches(BYTE_ORDER_MARK);
    // JSON may have tabs where YAML may not.
    let value = yaml::load_with(text, &texts::META_DATA).or_else(|error| parse_json(text).map_err(|_| error));
    let value = value.context("read meta-data")?;
    let taken = Allowance::new(MOST_VALUES, MOST_MEBIBYTES).take(&value, 0);
    taken.map_err(anyhow::Error::msg).context("read meta-data")?;
    match value {
        Value::Null => Ok(MetaData::default()),
        Value::Map(mapping) => Ok(mapping.into()),
        other => bail!("read meta-data: it is {} and no mapping of keys like instance-id", other.kind()),
    }
}

/// The meta-data as it is kept, in the form in which it is read.
pub(crate) fn to_json(meta_data: &MetaData) -> String {
    let mut mapping = meta_data.all.clone();
    if let Some(id) = &meta_data.instance_id {
        mapping.set("instance-id", id.as_str());
    }
    if let Some(name) = &meta_data.hostname {
        mapping.set("local-hostname", name.as_str());
    }
    let keys = meta_data.public_keys.iter().map(|key| Value::from(key.as_str())).collect();
    mapping.set("public-keys", Value::Seq(keys));
    yaml::to_json(&Value::Map(mapping)) + "\n"
}

/// A text of `VMware`'s that says how it is encoded.
pub(crate) fn decoded(value: String, encoding: &str) -> Result<Vec<u8>> {
    match encoding.trim() {
        "" => Ok(value.into_bytes()),
        "base64" | "b64" => codec::whole_base64(value.as_bytes()),
        "gzip+base64" | "gz+b64" => codec::gunzip(&codec::whole_base64(value.as_bytes())?, fetch::LARGEST),
        other => bail!("the encoding `{}` is unknown (known: base64, gzip+base64)", other.escape_debug()),
    }
}

/// A value counts by the text that Python writes for it. It stands on a line of a file and in the environment. So it
/// has no line's end, and no NUL, which neither a name nor the environment can have.
fn id(value: &Value) -> String {
    jinja::text(value).trim().replace('\0', "_")
}

/// Keys come as one text, as a list, or by name.
pub(crate) fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Str(text) => {
            text.lines().map(|line| line.trim().to_owned()).filter(|key| !key.is_empty()).collect()
        }
        Value::Seq(items) => items.iter().flat_map(keys).collect(),
        Value::Map(mapping) => mapping.iter().flat_map(|(_, value)| keys(value)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(data: &str, expected: Expect) {
        expected.assert_eq(&match parse(data.as_bytes()) {
            Ok(meta) => format!("{:?} {:?} {:?}", meta.instance_id, meta.hostname, meta.public_keys),
            Err(error) => format!("{error:#}"),
        });
    }

    #[test]
    fn yaml_and_json_are_read_and_numbers_are_texts() {
        check(
            "instance-id: 0755\nlocal-hostname: h\npublic-keys: |\n  a b\n  c d\n",
            expect![[r#"Some("493") Some("h") ["a b", "c d"]"#]],
        );
        check(
            r#"{"instance-id": "i", "public-keys": {"0": {"openssh-key": "k"}, "me": ["l"]}}"#,
            expect![[r#"Some("i") None ["k", "l"]"#]],
        );
        check("local-hostname: 0123\n", expect![[r#"None Some("0123") []"#]]);
        for (id, text) in [
            ("~", "None"),
            ("[x, 1]", "['x', 1]"),
            ("1.0e+16", "1e+16"),
            ("yes", "True"),
            ("{a: b}", "{'a': 'b'}"),
            (r#"" a b \n""#, "a b"),
            (r#""a\0b""#, "a_b"),
        ] {
            let meta = parse(format!("instance-id: {id}\n").as_bytes()).unwrap();
            assert_eq!(meta.instance_id.as_deref(), Some(text));
        }
        // By cloud-init 26.2's `get_hostname`, which asks for the address's own name first.
        for (name, host) in [
            ("10.0.0.1", "ip-10-0-0-1"),
            ("10.0.0.1.example.test", "10.0.0.1.example.test"),
            ("10.0.1", "10.0.1"),
            ("fd00::1", "fd00::1"),
            ("256.0.0.1", "256.0.0.1"),
        ] {
            let meta = parse(format!("local-hostname: {name}\n").as_bytes()).unwrap();
            assert_eq!(meta.host_name().as_deref(), Some(host));
        }
        // Our own: it is no YAML.
        check(
            "{\n\t\"instance-id\": \"i\",\n\t\"local-hostname\": \"h\"\n}\n",
            expect![[r#"Some("i") Some("h") []"#]],
        );
        // By cloud-init 26.2's `load_yaml`.
        check("\u{feff}instance-id: i\r\nlocal-hostname: h\r\n", expect![[r#"Some("i") Some("h") []"#]]);
        for nothing in ["''", "' '"] {
            assert_eq!(parse(format!("{{instance-id: {nothing}}}").as_bytes()).unwrap().instance_id, None);
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let meta = parse(b"{instance-id: '1', local-hostname: \"a b\", public-keys: [k, l]}").unwrap();
        assert_eq!(parse(to_json(&meta).as_bytes()).unwrap(), meta);
    }

    #[test]
    fn nothing_and_nonsense_are_told_apart() {
        check("", expect!["None None []"]);
        check("instance-id:\n", expect![[r#"Some("None") None []"#]]);
        check("- a\n", expect!["read meta-data: it is a list and no mapping of keys like instance-id"]);
    }
}

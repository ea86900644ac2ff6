//! Vendor-data in JSON: a text, a list of texts, or either under `cloud-init`, each as user-data has it.

use crate::seed::VendorData;
use crate::yaml::{self, Mapping, Value};
use anyhow::{Result, bail};

/// The vendor-data in what was read.
pub(super) fn of(value: Value) -> Result<VendorData> {
    let own = |mapping: &Mapping| mapping.get("cloud-init").cloned().unwrap_or(Value::Null);
    let value = match &value {
        Value::Map(mapping) => own(mapping),
        _ => value,
    };
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => Ok(VendorData::default()),
        Value::Map(mapping) if mapping.is_empty() => Ok(VendorData::default()),
        Value::Str(text) => Ok(VendorData::Given(text.into_bytes())),
        Value::Seq(items) => Ok(VendorData::Several {
            blobs: items.iter().map(blob).collect(),
            raw: if items.is_empty() { Vec::new() } else { yaml::to_json(&Value::Seq(items)).into_bytes() },
        }),
        other => bail!("it is {} and no text", other.kind()),
    }
}

/// A text is what it is; anything else is an entry of an archive.
fn blob(item: &Value) -> Vec<u8> {
    match item {
        Value::Str(text) => text.clone().into_bytes(),
        other => format!("#cloud-config-archive\n{}\n", yaml::to_json(&Value::Seq(vec![other.clone()])))
            .into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values follow cloud-init 26.2's `convert_vendordata` and `UserDataProcessor.process`, but for
    /// mappings in a list, which fail there.
    #[test]
    fn vendor_data_is_for_us_only_where_it_says_so() {
        let list = |raw: &str, blobs: &[&str]| VendorData::Several {
            raw: raw.into(),
            blobs: blobs.iter().map(|blob| blob.as_bytes().to_vec()).collect(),
        };
        let text = |text: &str| VendorData::Given(text.into());
        for (json, data) in [
            ("null", text("")),
            ("{}", text("")),
            ("''", text("")),
            ("[]", list("", &[])),
            ("false", text("")),
            ("\"#!/bin/sh\\n\"", text("#!/bin/sh\n")),
            (
                r##"["#!/bin/sh", "#cloud-config\n{}"]"##,
                list(r##"["#!/bin/sh","#cloud-config\n{}"]"##, &["#!/bin/sh", "#cloud-config\n{}"]),
            ),
            (r##"{"cloud-init": "#cloud-config\n"}"##, text("#cloud-config\n")),
            (r#"{"cloud-init": ["a"], "other": 1}"#, list(r#"["a"]"#, &["a"])),
            (r#"{"cloud-init": ""}"#, text("")),
            (r#"{"cloud-init": {}}"#, text("")),
            (r#"{"other": "x"}"#, text("")),
            (
                r#"[{"content": "a"}]"#,
                list(r#"[{"content":"a"}]"#, &["#cloud-config-archive\n[{\"content\":\"a\"}]\n"]),
            ),
        ] {
            assert_eq!(of(yaml::load(json).unwrap()).unwrap(), data, "{json}");
        }
        for json in ["5", "{\"cloud-init\": 5}", r#"{"cloud-init": {"cloud-init": "x"}}"#, "true"] {
            assert!(of(yaml::load(json).unwrap()).is_err(), "{json}");
        }
    }
}

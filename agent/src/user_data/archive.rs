//! `#cloud-config-archive`: a list of parts in YAML.

use super::kinds;
use super::mime::{Headers, decode_payload};
use crate::jinja;
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result, bail};

/// Keys with a meaning of their own. The others are headers.
const KEYS: &[&str] = &[
    "content",
    "filename",
    "type",
    "launch-index",
    "content-disposition",
    "number-attachments",
    "content-type",
];

/// The type of an entry of bytes that names none.
const BINARY: &str = "application/octet-stream";

/// A part that an entry makes.
#[derive(Debug)]
pub(super) struct ArchiveEntry {
    /// Its headers, with its type.
    pub(super) headers: Headers,
    /// Its content.
    pub(super) payload: Vec<u8>,
}

/// The entries; one that is faulty is an error of its own. `None` is something to pass over.
pub(super) fn entries(text: &[u8]) -> Result<impl Iterator<Item = Option<Result<ArchiveEntry>>>> {
    let text = std::str::from_utf8(text).context("read the archive: it is no UTF-8")?;
    let list = match yaml::load(text).context("read the archive")? {
        Value::Seq(items) | Value::Set(items) => items,
        Value::Null => Vec::new(),
        other => bail!("read the archive: it is {} and no list of parts", other.kind()),
    };
    Ok(list.into_iter().map(|item| match item {
        Value::Str(text) => Some(entry(&[("content".into(), Value::Str(text))].into_iter().collect())),
        Value::Map(mapping) => Some(entry(&mapping)),
        _ => None,
    }))
}

fn entry(mapping: &Mapping) -> Result<ArchiveEntry> {
    let (content, default) = match mapping.get("content") {
        None => (Vec::new(), kinds::CLOUD_CONFIG),
        Some(Value::Str(text)) => (text.clone().into_bytes(), kinds::CLOUD_CONFIG),
        Some(Value::Binary(bytes)) => (bytes.clone(), BINARY),
        Some(other) => bail!("its content is {} and no text", other.kind()),
    };
    let content_type = match mapping.get("type") {
        Some(Value::Str(text)) if !text.is_empty() => text.as_str(),
        None | Some(Value::Null | Value::Str(_)) => kinds::of(&content).unwrap_or(default),
        Some(other) => bail!("its type is {} and no text", other.kind()),
    };
    let main = match content_type.split_once('/') {
        Some((main, _)) => main,
        None if content_type == kinds::EC2_CONFIG => "text",
        None => bail!("its type `{}` is none (such as text/cloud-config)", content_type.escape_debug()),
    };
    let mut headers = Headers::default();
    headers.add("Content-Type", content_type);
    if let Some(name) = mapping.get("filename") {
        headers.set_file_name(&jinja::text(name));
    }
    if let Some(index) = mapping.get("launch-index") {
        headers.add("Launch-Index", &jinja::text(index));
    }
    for (key, value) in mapping.iter() {
        let (Some(key), Some(value)) = (word(key), header(value)) else { continue };
        if !KEYS.contains(&key.to_lowercase().as_str()) {
            headers.add(&key, &value);
        }
    }
    // A text is encoded on its way, and its entry has no say in that.
    let payload = if main == "text" { content } else { decode_payload(&content, &headers) };
    Ok(ArchiveEntry { headers, payload })
}

fn header(value: &Value) -> Option<String> {
    if *value == Value::Null { Some(String::new()) } else { word(value) }
}

/// Writes a value as Python's `str()` does.
fn word(value: &Value) -> Option<String> {
    if *value == Value::Null { Some("None".into()) } else { value.scalar_text() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    fn check(text: &str, expected: Expect) {
        let mut shown = String::new();
        match entries(text.as_bytes()) {
            Err(error) => writeln!(shown, "{error:#}").unwrap(),
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        None => writeln!(shown, "-").unwrap(),
                        Some(Err(error)) => writeln!(shown, "error: {error:#}").unwrap(),
                        Some(Ok(entry)) => {
                            let headers = entry.headers.iter();
                            let headers: Vec<_> =
                                headers.map(|(name, value)| format!("{name}: {value}")).collect();
                            let text = String::from_utf8_lossy(&entry.payload).into_owned();
                            writeln!(shown, "{} {text:?}", headers.join(", ")).unwrap();
                        }
                    }
                }
            }
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn texts_and_mappings_are_parts() {
        check(
            "#cloud-config-archive\n- 'a: 1'\n- '#!/bin/sh'\n- {type: text/x-y, filename: 42, content: c}\n- 5\n- {}\n",
            expect![[r##"
                Content-Type: text/cloud-config "a: 1"
                Content-Type: text/x-shellscript "#!/bin/sh"
                Content-Type: text/x-y, Content-Disposition: attachment; filename="42" "c"
                -
                Content-Type: text/cloud-config ""
            "##]],
        );
    }

    #[test]
    fn a_name_is_whatever_python_writes_for_it() {
        check(
            "- {content: a, filename: [a, b]}\n- {content: a, filename: {a: 1}}\n- {content: a, filename: }\n\
             - {content: a, filename: 1.0e+16, launch-index: [1]}\n- {content: a, filename: yes}\n",
            expect![[r#"
                Content-Type: text/cloud-config, Content-Disposition: attachment; filename="['a', 'b']" "a"
                Content-Type: text/cloud-config, Content-Disposition: attachment; filename="{'a': 1}" "a"
                Content-Type: text/cloud-config, Content-Disposition: attachment; filename="None" "a"
                Content-Type: text/cloud-config, Content-Disposition: attachment; filename="1e+16", Launch-Index: [1] "a"
                Content-Type: text/cloud-config, Content-Disposition: attachment; filename="True" "a"
            "#]],
        );
    }

    #[test]
    fn other_keys_are_headers_whatever_they_hold() {
        check(
            "- {content: a, Merge-Type: list(append), b: 2, 3: c, launch-index: 1, n: , l: [1], Content-Type: x}\n",
            expect![[r#"
                Content-Type: text/cloud-config, Launch-Index: 1, Merge-Type: list(append), b: 2, 3: c, n:  "a"
            "#]],
        );
    }

    #[test]
    fn what_is_faulty_is_told_and_costs_only_itself() {
        check(
            "- {content: 5}\n- {type: cloud, content: a}\n- {type: 5}\n- 'b: 1'\n",
            expect![[r#"
                error: its content is a number and no text
                error: its type `cloud` is none (such as text/cloud-config)
                error: its type is a number and no text
                Content-Type: text/cloud-config "b: 1"
            "#]],
        );
        check(
            "a: b\n",
            expect![[r"
            read the archive: it is a mapping and no list of parts
        "]],
        );
        check("#cloud-config-archive\n", expect![[""]]);
    }

    #[test]
    fn binary_content_has_its_own_type_and_may_be_encoded() {
        check(
            "- !!binary aGk=\n- {content: !!binary aGk=}\n- {type: a/b, content: aGk=, Content-Transfer-Encoding: base64}\n",
            expect![[r#"
                -
                Content-Type: application/octet-stream "hi"
                Content-Type: a/b, Content-Transfer-Encoding: base64 "hi"
            "#]],
        );
    }
}

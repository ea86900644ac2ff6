//! The rules for any data that is taken for user-data: `fuzz/` tries them on all bytes it comes upon.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails is a finding")]

use super::cloud_config::CloudConfig;
use super::limits::{MOST_BYTES, MOST_PARTS};
use super::{
    IncludeReach, Includes, compression, expand, from_mime, mime as email, parse_config, part_for_tests,
};
use super::{Part, to_mime};
use crate::root::Root;
use crate::yaml::{Allowance, Value};
use std::path::Path;

/// Takes bytes as user-data that includes nothing.
pub(crate) fn mime(data: &[u8]) {
    let (message, _) = email::parse(data);
    // A part that holds a message is one more.
    assert!(message.leaves().len() <= 2 * MOST_PARTS);
    let root = Root::open(Path::new("/")).unwrap();
    let expanded = expand([("user-data", data)], &Includes::new(&root, None, IncludeReach::Nothing));
    let parts = expanded.for_all().all;
    assert!(parts.len() <= MOST_PARTS);
    let bytes: usize = parts.iter().map(|part| part.payload.len()).sum();
    assert!(bytes as u64 <= MOST_BYTES, "{bytes}");
    kept(parts);
}

/// Checks that parts which were kept come back unchanged. A part that holds others is left out: it consists of them.
fn kept(mut parts: Vec<Part>) {
    let holds =
        |part: &Part| ["multipart/", "message/"].iter().any(|kind| part.content_type.starts_with(kind));
    parts.retain(|part| !holds(part));
    let written = to_mime(&parts);
    let again = from_mime(&written, "user-data");
    assert_eq!(again.len(), parts.len(), "{}", String::from_utf8_lossy(&written));
    for (part, again) in parts.iter().zip(&again) {
        assert_eq!(
            (&again.name, again.content_type.clone(), &again.payload),
            (&part.name, part.content_type.replace(['\r', '\n'], " "), &part.payload)
        );
    }
    // A header that begins on the line below it is on one line now, and stays there.
    let written = to_mime(&again);
    assert_eq!(to_mime(&from_mime(&written, "user-data")), written);
}

/// Takes bytes as something compressed.
pub(crate) fn unpack(data: &[u8]) {
    const LIMIT: u64 = 1 << 20;
    let Ok(Some(unpacked)) = compression::unpack(data, LIMIT) else { return };
    let length = unpacked.len() as u64;
    assert!(length <= LIMIT, "{length} bytes");
    assert_eq!(compression::unpack(data, length).unwrap().unwrap(), unpacked);
    if let Some(less) = length.checked_sub(1) {
        compression::unpack(data, less).unwrap_err();
    }
}

/// Takes bytes as cloud-configs and JSON patches with a NUL between, each behind a line `NAME|Merge-Type`.
pub(crate) fn merge(data: &[u8]) {
    let mut config = CloudConfig::default();
    for text in data.split(|byte| *byte == 0) {
        let text = String::from_utf8_lossy(text);
        let (head, body) = text.split_once('\n').unwrap_or(("", &text));
        let (name, how) = head.split_once('|').unwrap_or((head, ""));
        let part = part_for_tests(name, &[("Merge-Type", how)], body);
        let before = config.value().clone();
        let is_patch = body.starts_with("#cloud-config-jsonp");
        if (if is_patch { config.patch(&part) } else { config.add(&part) }).is_err() {
            assert!(
                before == *config.value() || config.text().contains(".nan"),
                "{body:?} is refused and changed it"
            );
        }
        assert_eq!(Allowance::default().take(config.value(), 0), Ok(()), "{body:?}");
    }
    let text = config.text();
    if let Value::Map(mapping) = config.value()
        && !mapping.is_empty()
    {
        let again = parse_config(text.as_bytes()).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
        let mut mapping = mapping.clone();
        for key in super::merge::KEYS {
            mapping.remove(&key.into());
        }
        assert!(again == mapping || text.contains(".nan"), "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(name: &str, check: fn(&[u8])) {
        let corpus = format!("{}/../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut found = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let data = std::fs::read(entry.unwrap().path()).unwrap();
            check(&data);
            // Each byte damaged, and the data cut there.
            for at in 0..data.len() {
                let mut damaged = data.clone();
                damaged[at] ^= 1 << (at % 8);
                check(&damaged);
                check(&data[..at]);
            }
            found += 1;
        }
        assert!(found >= 4, "{found}");
    }

    #[test]
    fn the_corpus_of_messages_holds() {
        each("mime", mime);
    }

    #[test]
    fn the_corpus_of_what_is_compressed_holds() {
        each("unpack", unpack);
    }

    #[test]
    fn the_corpus_of_merges_holds() {
        each("merge", merge);
    }
}

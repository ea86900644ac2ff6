//! User-data: bytes -> parts -> scripts and configuration.
//!
//! To add a kind of part: a line in `kinds::ALL`, and a file here when it needs more than a function.

mod cloud_config;
mod jsonp;
mod kinds;
mod merge;

pub(crate) use cloud_config::{CloudConfig, parse as parse_config};

use crate::codec;

/// What a compressed blob may come to.
const LARGEST: u64 = 10 * 1024 * 1024;

/// User-data taken apart.
#[derive(Default, Debug)]
pub(crate) struct TakenApart {
    /// The data uncompressed.
    pub(crate) expanded: Vec<u8>,
    /// Scripts in their order.
    pub(crate) scripts: Vec<Script>,
    /// The configuration.
    pub(crate) config: CloudConfig,
    /// What was dropped and why.
    pub(crate) problems: Vec<String>,
}

/// A script to run once per instance.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Script {
    /// Its file's name.
    pub(crate) name: String,
    /// Its text, which need not be UTF-8.
    pub(crate) content: Vec<u8>,
}

/// A part and its name.
struct Part {
    name: String,
    headers: Headers,
    payload: Vec<u8>,
}

/// Its headers.
struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value under a name, in whatever case it is written.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
fn part_for_tests(name: &str, headers: &[(&str, &str)], content: &str) -> Part {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Part { name: name.into(), headers: Headers(headers), payload: content.as_bytes().to_vec() }
}

/// Takes user-data apart. What cannot be used is told, and never lost: the data itself is kept.
pub(crate) fn take_apart(raw: &[u8]) -> TakenApart {
    let mut apart = TakenApart { expanded: raw.to_vec(), ..TakenApart::default() };
    if codec::is_gzip(raw) {
        match codec::gunzip(raw, LARGEST) {
            Ok(unpacked) => apart.expanded = unpacked,
            Err(error) => {
                apart.problems.push(format!("user-data: {error:#} (it is kept as it came and not acted on)"));
                return apart;
            }
        }
    }
    let content = std::mem::take(&mut apart.expanded);
    if !content.is_empty() {
        let headers = Headers(Vec::new());
        let part = Part { name: "part-001".into(), headers, payload: content.clone() };
        (kinds::of(&content).take)(&part, &mut apart);
    }
    apart.expanded = content;
    apart
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn a_script_is_a_script_packed_or_not() {
        for data in [b"#!/bin/sh\n".to_vec(), gzip(b"#!/bin/sh\n")] {
            let apart = take_apart(&data);
            let script = Script { name: "part-001".into(), content: b"#!/bin/sh\n".to_vec() };
            assert_eq!(apart.scripts, [script]);
            assert_eq!(apart.expanded, b"#!/bin/sh\n");
            assert!(apart.problems.is_empty() && apart.config.text().is_empty());
        }
    }

    #[test]
    fn broken_gzip_is_told_and_kept() {
        let mut data = gzip(b"#!/bin/sh\n");
        data.truncate(12);
        let apart = take_apart(&data);
        assert_eq!(apart.expanded, data);
        assert_eq!(apart.problems.len(), 1);
        assert!(apart.scripts.is_empty());
    }

    #[test]
    fn a_script_keeps_bytes_that_are_no_text_and_loses_dos_line_ends() {
        let apart = take_apart(b"#!/bin/sh\r\necho \xff\r\n");
        assert_eq!(apart.scripts[0].content, b"#!/bin/sh\necho \xff\n");
        let unix = take_apart(b"#!/bin/sh\necho a\r\n");
        assert_eq!(unix.scripts[0].content, b"#!/bin/sh\necho a\r\n");
    }

    #[test]
    fn a_kind_that_nobody_knows_is_told_with_its_first_line() {
        let apart = take_apart(b"hello there\nsecond\n");
        assert_eq!(apart.problems.len(), 1);
        assert!(apart.problems[0].starts_with("user-data part-001 begins with `hello there`"));
        assert!(take_apart(b"#include\nhttp://x/\n").problems[0].contains("#include"));
        assert!(take_apart(b"").problems.is_empty());
    }
}

//! A tree of values, as EC2's service and `OpenStack`'s have it: the answer for a directory is a list of names.

use crate::report::Report;
use crate::yaml::{self, Mapping, Value};
use anyhow::{Result, anyhow};
use std::cell::Cell;
use std::fmt::Write as _;

/// A tree that never ends must have an end.
const MOST_VALUES: usize = 2_000;
const DEEPEST: usize = 10;

/// The most missing values that are reported one by one.
const MOST_TOLD: usize = 8;

/// A service with a tree. A value that cannot be had costs only itself.
pub(in crate::sources) struct Tree<'a, Ask> {
    address: &'a str,
    ask: Ask,
    left: Cell<usize>,
}

impl<'a, Ask: Fn(&str) -> Result<Option<Vec<u8>>>> Tree<'a, Ask> {
    /// `ask` fetches a path below the address; `None` where there is nothing.
    pub(in crate::sources) fn new(address: &'a str, ask: Ask) -> Self {
        Self { address, ask, left: Cell::new(MOST_VALUES) }
    }

    /// One value.
    pub(in crate::sources) fn value(&self, path: &str, report: &mut Report) -> Option<Value> {
        let mut lost = Vec::new();
        let body = self.get(path, &mut lost);
        self.tell(&lost, report);
        body.map(|body| value_of(&body))
    }

    /// Everything below a directory.
    pub(in crate::sources) fn below(&self, path: &str, report: &mut Report) -> Mapping {
        let mut lost = Vec::new();
        let tree = self.directory(path, DEEPEST, &mut lost);
        self.tell(&lost, report);
        if self.left.get() == 0 {
            report.warn(format!("{}: meta-data beyond {MOST_VALUES} values is left out", self.address));
        }
        tree
    }

    fn tell(&self, lost: &[anyhow::Error], report: &mut Report) {
        let more = lost.len().saturating_sub(MOST_TOLD);
        for error in lost.iter().take(MOST_TOLD) {
            report.warn(format!("{error:#} (going on without it)"));
        }
        if more > 0 {
            report.warn(format!("{}: {more} more values could not be had", self.address));
        }
    }

    fn directory(&self, path: &str, depth: usize, lost: &mut Vec<anyhow::Error>) -> Mapping {
        let mut tree = Mapping::default();
        if depth == 0 {
            return tree;
        }
        let names = if depth == DEEPEST { self.get(path, lost) } else { self.get_listed(path, lost) };
        let names = names.unwrap_or_default();
        let path = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
        for line in String::from_utf8_lossy(&names).lines().map(str::trim) {
            let Some(still) = self.left.get().checked_sub(1) else { break };
            match ListingEntry::of(line) {
                // Credentials change, and are nobody's business but their program's.
                ListingEntry::None | ListingEntry::Directory { name: "security-credentials", .. } => {}
                ListingEntry::Directory { name, below } => {
                    self.left.set(still);
                    tree.set(name, self.directory(&format!("{path}{below}/"), depth - 1, lost));
                }
                // A name that is a directory too has been read.
                ListingEntry::Value { name, .. } if tree.get(name).is_some() => {}
                ListingEntry::Value { name, below } => {
                    self.left.set(still);
                    if let Some(body) = self.get_listed(&format!("{path}{below}"), lost) {
                        tree.set(name, value_of(&body));
                    }
                }
            }
        }
        tree
    }

    fn get_listed(&self, path: &str, lost: &mut Vec<anyhow::Error>) -> Option<Vec<u8>> {
        let before = lost.len();
        let body = self.get(path, lost);
        if body.is_none() && lost.len() == before {
            lost.push(anyhow!("{}: {path} is listed, and there is nothing", self.address));
        }
        body
    }

    fn get(&self, path: &str, lost: &mut Vec<anyhow::Error>) -> Option<Vec<u8>> {
        (self.ask)(path).unwrap_or_else(|error| {
            lost.push(error);
            None
        })
    }
}

/// A line of a list.
#[derive(PartialEq, Eq, Debug)]
enum ListingEntry<'a> {
    /// Nothing that could be asked for.
    None,
    Directory {
        name: &'a str,
        below: String,
    },
    Value {
        name: &'a str,
        below: String,
    },
}

impl<'a> ListingEntry<'a> {
    fn of(line: &'a str) -> Self {
        match (line.strip_suffix('/'), line.split_once('=')) {
            (Some(name), _) => {
                let name = name.trim_end_matches('/');
                in_url(name).map_or(Self::None, |below| Self::Directory { name, below })
            }
            // `0=name` is a public key.
            (None, Some((number, name)))
                if !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()) =>
            {
                Self::Value { name, below: format!("{number}/openssh-key") }
            }
            _ => in_url(line).map_or(Self::None, |below| Self::Value { name: line, below }),
        }
    }
}

/// A name that came from the network, as a part of a URL: nothing of it may make it another one.
pub(in crate::sources) fn in_url(name: &str) -> Option<String> {
    let is_step = |step: &str| !step.is_empty() && step != "." && step != "..";
    let mut url = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(url, "%{byte:02X}").unwrap_or_default();
        }
    }
    name.split('/').all(is_step).then_some(url)
}

/// JSON becomes what it says, several lines a list, anything else a text.
fn value_of(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body).into_owned();
    let trimmed = text.trim();
    if trimmed.starts_with('{')
        && trimmed.ends_with('}')
        && let Ok(value) = yaml::load(trimmed)
    {
        return value;
    }
    if text.contains('\n') { Value::Seq(text.lines().map(Value::from).collect()) } else { Value::Str(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::to_json;
    use std::cell::RefCell;

    #[test]
    fn a_list_has_values_directories_and_keys() {
        let value = |name, below: &str| ListingEntry::Value { name, below: below.into() };
        let directory = |name, below: &str| ListingEntry::Directory { name, below: below.into() };
        for (line, entry) in [
            ("ami-id", value("ami-id", "ami-id")),
            ("iam/", directory("iam", "iam")),
            ("iam//", directory("iam", "iam")),
            ("0=my key", value("my key", "0/openssh-key")),
            ("a=b", value("a=b", "a%3Db")),
            ("my tag", value("my tag", "my%20tag")),
            ("100%", value("100%", "100%25")),
            ("a%2Fb/", directory("a%2Fb", "a%252Fb")),
            ("x?y#z", value("x?y#z", "x%3Fy%23z")),
            ("0e:8b/", directory("0e:8b", "0e:8b")),
            ("a/b", value("a/b", "a/b")),
            ("größe", value("größe", "gr%C3%B6%C3%9Fe")),
        ] {
            assert_eq!(ListingEntry::of(line), entry, "{line}");
        }
        for line in ["", "/", "../", "..", ".", "/a", "a/../b/", "a//b"] {
            assert_eq!(ListingEntry::of(line), ListingEntry::None, "{line}");
        }
    }

    #[test]
    fn values_are_texts_lists_or_what_json_says() {
        for (body, json) in [
            ("ami-1", r#""ami-1""#),
            ("ami-1\nami-2", r#"["ami-1","ami-2"]"#),
            (r#"{"Code": "Success"}"#, r#"{"Code":"Success"}"#),
            ("{not json", r#""{not json""#),
            ("0755", r#""0755""#),
            ("", r#""""#),
        ] {
            assert_eq!(to_json(&value_of(body.as_bytes())), json, "{body}");
        }
    }

    /// A service of these paths; the content `!` is refused.
    fn tree(paths: &[(&str, &str)]) -> (String, Vec<String>, Vec<String>) {
        let asked = RefCell::new(Vec::new());
        let ask = |path: &str| {
            asked.borrow_mut().push(path.to_owned());
            match paths.iter().find(|(own, _)| *own == path) {
                Some((_, "!")) => anyhow::bail!("{path} answers 403"),
                found => Ok(found.map(|(_, content)| content.as_bytes().to_vec())),
            }
        };
        let mut report = Report::default();
        let all = Tree::new("http://x", ask).below("m/", &mut report);
        (to_json(&all.into()), report.warnings, asked.into_inner())
    }

    /// The first column of results is by cloud-init 26.2's source (`MetadataMaterializer`), but for what is refused:
    /// there all is lost with it.
    #[test]
    fn a_value_that_is_refused_costs_only_itself() {
        for (paths, json, lost) in [
            (&[("m/", "a\nb"), ("m/a", "1"), ("m/b", "2")][..], r#"{"a":"1","b":"2"}"#, &[][..]),
            (&[("m/", "a\nb"), ("m/a", "!"), ("m/b", "2")], r#"{"b":"2"}"#, &["m/a"]),
            (&[("m/", "a/\nb"), ("m/a/", "!"), ("m/b", "2")], r#"{"a":{},"b":"2"}"#, &["m/a/"]),
            (
                &[("m/", "a/\nb"), ("m/a/", "c\nd"), ("m/a/c", "!"), ("m/a/d", "3"), ("m/b", "2")],
                r#"{"a":{"d":"3"},"b":"2"}"#,
                &["m/a/c"],
            ),
            (&[("m/", "!")], "{}", &["m/"]),
            (
                &[("m/", "my tag\n50%"), ("m/my%20tag", "1"), ("m/50%25", "2")],
                r#"{"my tag":"1","50%":"2"}"#,
                &[],
            ),
            (&[("m/", "a/\na"), ("m/a/", "b"), ("m/a/b", "1"), ("m/a", "b")], r#"{"a":{"b":"1"}}"#, &[]),
            (
                &[
                    ("m/", "k/"),
                    ("m/k/", "0=me\n1=you"),
                    ("m/k/0/openssh-key", "!"),
                    ("m/k/1/openssh-key", "ssh"),
                ],
                r#"{"k":{"you":"ssh"}}"#,
                &["m/k/0/openssh-key"],
            ),
            (&[("m/", "..\n../x/\na"), ("m/a", "1")], r#"{"a":"1"}"#, &[]),
            (
                &[("m/", "iam/"), ("m/iam/", "security-credentials/\ninfo"), ("m/iam/info", "{\"a\": 1}")],
                r#"{"iam":{"info":{"a":1}}}"#,
                &[],
            ),
        ] {
            let (all, warnings, asked) = tree(paths);
            assert_eq!(all, json, "{paths:?}");
            assert_eq!(warnings.len(), lost.len(), "{warnings:?}");
            for (warning, path) in warnings.iter().zip(lost) {
                assert_eq!(warning, &format!("{path} answers 403 (going on without it)"));
            }
            assert!(
                !asked.iter().any(|path| path.contains("..") || path.contains("credentials")),
                "{asked:?}"
            );
        }
    }

    /// In cloud-init, a value that is listed and not there costs all meta-data.
    #[test]
    fn what_is_listed_and_not_there_is_told() {
        for (paths, json, missing) in [
            (&[("m/", "a\nb"), ("m/b", "2")][..], r#"{"b":"2"}"#, &["m/a"][..]),
            (&[("m/", "a/\nb"), ("m/b", "2")], r#"{"a":{},"b":"2"}"#, &["m/a/"]),
            (&[("m/", "k/"), ("m/k/", "0=me")], r#"{"k":{}}"#, &["m/k/0/openssh-key"]),
            (&[("m/", "a/\nb"), ("m/a/", ""), ("m/b", "")], r#"{"a":{},"b":""}"#, &[]),
            // The top stands in no list.
            (&[], "{}", &[]),
        ] {
            let (all, warnings, _) = tree(paths);
            assert_eq!(all, json, "{paths:?}");
            let expected: Vec<_> = missing
                .iter()
                .map(|path| format!("http://x: {path} is listed, and there is nothing (going on without it)"))
                .collect();
            assert_eq!(warnings, expected, "{paths:?}");
        }
    }

    #[test]
    fn a_tree_has_an_end() {
        let report = &mut Report::default();
        let endless = |_: &str| Ok(Some(b"a/\nb/\nc".to_vec()));
        let all = to_json(&Tree::new("http://x", endless).below("", report).into());
        assert!(
            all.len() < 40_000 && report.warnings[0].contains("beyond 2000 values"),
            "{:?}",
            report.warnings
        );
    }
}

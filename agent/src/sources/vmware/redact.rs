//! `redact`: guestinfo that is taken back once it is kept, because others on the machine could read it.

use super::{Turns, USED_UP, tell_tool, tools};
use crate::meta_data::MetaData;
use crate::report::Report;
use crate::root::Root;
use crate::yaml::Value;

/// The second is its old name.
const KEYS: [&str; 2] = ["redact", "cleanup-guestinfo"];

/// Takes back what the meta-data names. The instance must be kept by now.
pub(crate) fn redact(meta_data: &MetaData, root: &Root, report: &mut Report) {
    let (names, problems) = names(meta_data);
    for problem in problems {
        report.warn(problem);
    }
    if names.is_empty() {
        return;
    }
    let Some(tools) = report.take(tools(root)) else { return };
    if !root.is_live() {
        report.info(&format!("not on this root: take back guestinfo's {}", names.join(", ")));
        return;
    }
    let turns = Turns::new(&tools);
    for name in names {
        // An empty value cannot be set.
        for (key, value) in [(name.clone(), USED_UP), (format!("{name}.encoding"), " ")] {
            let set = turns.ask(|tool| tell_tool(tool, &format!("info-set guestinfo.{key} {value}")));
            if let Err(error) = set {
                report.warn(format!("take guestinfo.{key} back: {error:#}"));
            }
        }
    }
    turns.tell(report);
}

/// The names, and what is wrong with others. A name becomes a word of what the tool is told.
fn names(meta_data: &MetaData) -> (Vec<String>, Vec<String>) {
    let Some((key, value)) = KEYS.iter().find_map(|key| Some((key, meta_data.all.get(key)?))) else {
        return Default::default();
    };
    let items = match value {
        Value::Null => return Default::default(),
        Value::Seq(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let (mut names, mut problems) = (Vec::new(), Vec::new());
    let is_plain = |name: &str| {
        !name.is_empty()
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    for item in items {
        match item.as_str() {
            Some(name) if is_plain(name) => names.push(name.to_owned()),
            Some("") => {}
            Some(name) => problems.push(format!("{key}: `{}` is no name in guestinfo", name.escape_debug())),
            None => problems.push(format!("{key}: {} is no name in guestinfo", item.kind())),
        }
    }
    (names, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta_data::parse;

    /// The expected values follow cloud-init 26.2's `redact_keys` and `guestinfo_redact_keys`, which take any text for
    /// a name.
    #[test]
    fn names_come_alone_or_in_a_list() {
        for (text, expected, problem) in [
            ("redact: [userdata, vendordata]", &["userdata", "vendordata"][..], ""),
            ("redact: userdata", &["userdata"], ""),
            ("cleanup-guestinfo: [metadata]", &["metadata"], ""),
            ("{redact: [], cleanup-guestinfo: [metadata]}", &[], ""),
            ("{redact: [userdata], cleanup-guestinfo: [metadata]}", &["userdata"], ""),
            ("redact:", &[], ""),
            ("redact: ''", &[], ""),
            ("redact: [own.key_1]", &["own.key_1"], ""),
            ("redact: ['a b', userdata]", &["userdata"], "redact: `a b` is no name in guestinfo"),
            ("redact: [{a: b}]", &[], "redact: a mapping is no name in guestinfo"),
            ("local-hostname: redact", &[], ""),
        ] {
            let (names, problems) = names(&parse(text.as_bytes()).unwrap());
            assert_eq!(
                (names.as_slice(), problems.concat().as_str()),
                (&expected.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..], problem),
                "{text}"
            );
        }
    }
}

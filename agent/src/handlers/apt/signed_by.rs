//! Sources that are there, for apt 2 takes no two with one URI and suite and different keys: it stops at both.

use super::one_source::is_deb822;
use crate::machine::Machine;
use anyhow::{Result, bail};

/// A line or a stanza.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) uris: Vec<String>,
    pub(super) suites: Vec<String>,
    pub(super) signed_by: Option<String>,
}

/// Sources by their files.
pub(super) struct Known(Vec<(String, Entry)>);

const DIRECTORY: &str = "etc/apt/sources.list.d";

/// The library of the first apt that takes different keys.
const OF_APT_3: &str = "libapt-pkg7";
const PACKAGES: &str = "var/lib/dpkg/info";

/// The words that switch a stanza off. Any other leaves it on.
const OFF: [&str; 6] = ["no", "false", "0", "off", "without", "disable"];

impl Known {
    /// Reads those of a machine that apt reads too.
    pub(super) fn read(machine: &dyn Machine) -> Result<Self> {
        if machine.names(PACKAGES)?.iter().any(|name| name.starts_with(OF_APT_3)) {
            return Ok(Self(Vec::new()));
        }
        let names = machine.names(DIRECTORY)?;
        let is_read =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        let names = names
            .iter()
            .filter(|name| is_read(name) && [".list", ".sources"].iter().any(|end| name.ends_with(end)));
        let paths = names.map(|name| format!("{DIRECTORY}/{name}"));
        let mut known = Vec::new();
        for path in paths.chain(["etc/apt/sources.list".to_owned()]) {
            let text = machine.text(&path)?.unwrap_or_default();
            known.extend(entries(&text).into_iter().map(|entry| (path.clone(), entry)));
        }
        Ok(Self(known))
    }

    /// Gives a source the key that others of the same place have. One with another key is refused.
    pub(super) fn fit(&mut self, path: &str, source: String) -> Result<String> {
        let mut source = source;
        for entry in entries(&source) {
            let same = self.0.iter().find(|(other, there)| {
                other != path
                    && there.uris.iter().any(|uri| entry.uris.contains(uri))
                    && there.suites.iter().any(|suite| entry.suites.contains(suite))
                    && there.signed_by != entry.signed_by
            });
            match same {
                None => {}
                Some((_, Entry { signed_by: Some(key), .. }))
                    if entry.signed_by.is_none()
                        && key.starts_with('/')
                        && source.trim().lines().count() == 1 =>
                {
                    source = with_key(&source, key);
                }
                Some((other, there)) => bail!(
                    "apt would read no sources at all: in /{other} the same one has Signed-By {}",
                    there.signed_by.as_deref().unwrap_or("of nothing")
                ),
            }
        }
        self.0.extend(entries(&source).into_iter().map(|entry| (path.to_owned(), entry)));
        Ok(source)
    }
}

/// A line with a key.
fn with_key(line: &str, key: &str) -> String {
    match line.split_once('[') {
        Some((before, after)) => format!("{before}[signed-by={key} {}", after.trim_start()),
        None => match line.split_once(char::is_whitespace) {
            Some((kind, rest)) => format!("{kind} [signed-by={key}] {}", rest.trim_start()),
            None => line.to_owned(),
        },
    }
}

fn entries(text: &str) -> Vec<Entry> {
    if is_deb822(text) {
        return text.split("\n\n").filter_map(stanza).collect();
    }
    text.lines().filter_map(one_line).collect()
}

/// `deb [options] URI suite components`.
pub(super) fn one_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb-src").or_else(|| line.strip_prefix("deb"))?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    let mut words = rest.split_whitespace();
    Some(Entry {
        uris: vec![plain(words.next()?)],
        suites: vec![words.next()?.to_owned()],
        signed_by: signed_by.map(str::to_owned),
    })
}

fn stanza(text: &str) -> Option<Entry> {
    let field = |name: &str| {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let first = lines.by_ref().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })?;
        let more = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
        Some(more.fold(first, |all, line| all + "\n" + line).trim().to_owned())
    };
    if field("Enabled").is_some_and(|word| OFF.contains(&word.to_lowercase().as_str())) {
        return None;
    }
    let words = |name: &str| {
        field(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let uris: Vec<_> = words("URIs").iter().map(|uri| plain(uri)).collect();
    (!uris.is_empty()).then(|| Entry { uris, suites: words("Suites"), signed_by: field("Signed-By") })
}

/// apt takes a URI with and without a slash at its end for the same.
fn plain(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

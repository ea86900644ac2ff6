//! A blob -> parts: unpacked, taken out of MIME and archives, with what it includes in its place.

use super::include::{self, Includes};
use super::limits::{Bytes, DEEPEST_INCLUDE, MOST_HEADERS, MOST_INCLUDES, MOST_PARTS};
use super::mime::{self, Headers, Message};
use super::part::{Dropped, INCLUDE, Part};
use super::{archive, compression, kinds, launch_index, names, to_mime, unknown};
use crate::fetch;
use crate::meta_data::MetaData;
use anyhow::Result;

/// Types whose content's first bytes say more than the type. A so-called script may be anything.
const TOLD_BY_CONTENT: &[&str] = &[mime::PLAIN, kinds::UNKNOWN, kinds::SCRIPT];

/// The parts of the blobs, whichever machine each part is for.
#[derive(Default, Debug)]
pub(crate) struct Expanded {
    parts: Vec<Part>,
    dropped: Vec<Dropped>,
    has_empty_include: bool,
}

/// The parts that are sorted.
#[derive(Default, Debug)]
pub(crate) struct Parts {
    /// The parts in their order.
    pub(crate) all: Vec<Part>,
    /// The parts that could not be had.
    pub(crate) dropped: Vec<Dropped>,
    /// True if an include holds nothing: it may be there and not be written yet.
    has_empty_include: bool,
}

impl Parts {
    /// True if some part could not be had.
    pub(crate) fn is_lacking(&self) -> bool {
        !self.dropped.is_empty() || self.has_empty_include
    }
}

/// Expands blobs, each with its name in messages. Several are like the parts of one.
pub(crate) fn expand<'b>(
    blobs: impl IntoIterator<Item = (&'b str, &'b [u8])>,
    includes: &Includes<'_>,
) -> Expanded {
    let mut all = Expanded::default();
    for (what, data) in blobs {
        let Expanded { parts, dropped, has_empty_include } = one(data, what, includes);
        all.parts.extend(parts);
        all.dropped.extend(dropped);
        all.has_empty_include |= has_empty_include;
    }
    all
}

impl Expanded {
    /// The data with everything that it includes: one part that is the whole blob as it is, anything else as MIME.
    pub(crate) fn plain(&self, whole: &str) -> Vec<u8> {
        match self.parts.as_slice() {
            [part] if part.place == whole => part.payload.clone(),
            parts => to_mime(parts),
        }
    }

    /// The parts for the machine with this meta-data, without those of another launch index.
    pub(crate) fn for_machine(mut self, meta_data: &MetaData) -> Parts {
        if let Some(index) = meta_data.all.get("launch-index").and_then(launch_index::number) {
            self.parts.retain(|part| launch_index::is_for(part, index));
        }
        self.for_all()
    }

    /// All parts: vendor-data is for every machine.
    pub(crate) fn for_all(self) -> Parts {
        Parts { all: self.parts, dropped: self.dropped, has_empty_include: self.has_empty_include }
    }
}

impl From<Vec<Part>> for Parts {
    /// Parts that an earlier boot kept.
    fn from(all: Vec<Part>) -> Self {
        Self { all, ..Self::default() }
    }
}

fn one(data: &[u8], what: &str, includes: &Includes<'_>) -> Expanded {
    let mut expander = Expander {
        includes,
        brought: Bytes::new("unpacked and included content"),
        kept: Bytes::new("the content of all parts"),
        count: 0,
        headers: 0,
        included: 0,
        full: false,
        found: Expanded::default(),
    };
    expander.blob(data, what, 0);
    expander.found
}

struct Expander<'a, 'i> {
    includes: &'a Includes<'i>,
    brought: Bytes,
    kept: Bytes,
    count: usize,
    headers: usize,
    included: usize,
    full: bool,
    found: Expanded,
}

impl Expander<'_, '_> {
    fn blob(&mut self, data: &[u8], place: &str, depth: usize) {
        match self.unpack(data) {
            Err(error) => {
                self.count += 1;
                self.drop(names::default(self.count), place, &error);
            }
            Ok(unpacked) => self.message(unpacked.as_deref().unwrap_or(data), place, depth),
        }
    }

    fn unpack(&mut self, data: &[u8]) -> Result<Option<Vec<u8>>> {
        let unpacked = compression::unpack(data, self.brought.left())?;
        self.brought.take(unpacked.as_ref().map_or(0, Vec::len))?;
        Ok(unpacked)
    }

    fn message(&mut self, data: &[u8], place: &str, depth: usize) {
        if !mime::is_mime(data) {
            let whole = Message::plain(data, kinds::UNKNOWN);
            return self.leaf(&whole, &whole, place.to_owned(), depth);
        }
        let (whole, left_out) = mime::parse(data);
        for (index, leaf) in whole.leaves().into_iter().enumerate() {
            if self.full {
                return;
            }
            let place = if std::ptr::eq(leaf, &raw const whole) {
                place.to_owned()
            } else {
                format!("{place}, MIME part {}", index + 1)
            };
            self.leaf(leaf, &whole, place, depth);
        }
        for reason in whole.hollow(data) {
            self.drop("the message".into(), place, &anyhow::Error::msg(reason));
        }
        if let Some(limit) = left_out {
            self.drop("the rest".into(), place, &anyhow::Error::msg(limit));
        }
    }

    fn leaf(&mut self, leaf: &Message<'_>, whole: &Message<'_>, place: String, depth: usize) {
        let mut headers = leaf.headers.clone();
        let declared = leaf.content_type();
        let mut content_type = declared.clone();
        let mut payload = leaf.payload();
        if compression::is_compressed(&content_type) {
            match self.unpack(&payload) {
                Ok(Some(unpacked)) => payload = unpacked,
                Ok(None) if payload.is_empty() => {}
                Ok(None) => {
                    let error =
                        anyhow::anyhow!("its type {declared} says that it is compressed, and it is not");
                    return self.faulty(&headers, &place, &error);
                }
                Err(error) => return self.faulty(&headers, &place, &error),
            }
            headers = of_unpacked(&headers);
            mime::PLAIN.clone_into(&mut content_type);
        }
        if TOLD_BY_CONTENT.contains(&content_type.as_str())
            && let Some(kind) = kinds::of(&payload)
        {
            kind.clone_into(&mut content_type);
        }
        // Parameters, and a name among them, go with a type that is not kept.
        if content_type != declared || std::ptr::eq(leaf, whole) {
            headers.set("Content-Type", &content_type);
        }
        match content_type.as_str() {
            kinds::INCLUDE | kinds::INCLUDE_ONCE => self.include(&payload, &place, depth),
            kinds::ARCHIVE => self.archive(&payload, &place),
            _ => self.attach(headers, content_type, payload, place),
        }
    }

    fn include(&mut self, text: &[u8], place: &str, depth: usize) {
        for line in include::lines(&String::from_utf8_lossy(text)) {
            if self.full {
                return;
            }
            if self.included >= MOST_INCLUDES {
                let error = anyhow::anyhow!("there are more than {MOST_INCLUDES} includes");
                return self.drop("the rest".into(), place, &error);
            }
            let shown = fetch::shown(line.url.split('#').next().unwrap_or_default());
            match self.included(&line, depth) {
                // It has a number, as any other part.
                Ok(content) if content.trim_ascii().is_empty() => {
                    self.count += 1;
                    self.found.has_empty_include = true;
                }
                Ok(content) => match unknown::check_included(&content) {
                    Ok(()) => self.blob(&content, &format!("{place}, include {shown}"), depth + 1),
                    Err(error) => self.useless(&content, &shown, place, &error),
                },
                Err(error) => self.drop(format!("{INCLUDE}{shown}"), place, &error),
            }
        }
    }

    /// Included content that comes to nothing has a number. Another time it may be what is meant, so the include is
    /// dropped and not a part of it.
    fn useless(&mut self, content: &[u8], shown: &str, place: &str, error: &anyhow::Error) {
        self.count += 1;
        self.drop(format!("{INCLUDE}{shown}"), place, error);
        if kinds::of(content) == Some(kinds::CLOUD_CONFIG)
            && let Some(dropped) = self.found.dropped.last_mut()
        {
            dropped.rejected = Some(names::default(self.count));
        }
    }

    fn included(&mut self, line: &include::Line, depth: usize) -> Result<Vec<u8>> {
        if depth >= DEEPEST_INCLUDE {
            anyhow::bail!("includes include each other more than {DEEPEST_INCLUDE} deep");
        }
        self.included += 1;
        let content = self.includes.get(line)?;
        self.brought.take(content.len())?;
        Ok(content)
    }

    fn archive(&mut self, text: &[u8], place: &str) {
        let entries = match archive::entries(text) {
            Ok(entries) => entries,
            Err(error) => return self.drop("the archive".into(), place, &error),
        };
        for (index, entry) in entries.enumerate() {
            if self.full {
                return;
            }
            let place = format!("{place}, entry {} of the archive", index + 1);
            match entry {
                None => {
                    let error = anyhow::anyhow!("it is neither a text nor a mapping");
                    self.drop("the entry".into(), &place, &error);
                }
                Some(Err(error)) => self.faulty(&Headers::default(), &place, &error),
                Some(Ok(archive::ArchiveEntry { headers, payload })) => {
                    let content_type = headers.content_type(mime::PLAIN);
                    self.attach(headers, content_type, payload, place);
                }
            }
        }
    }

    fn attach(&mut self, mut headers: Headers, content_type: String, payload: Vec<u8>, place: String) {
        if self.count >= MOST_PARTS {
            self.full = true;
            let error = anyhow::anyhow!("there are more than {MOST_PARTS} parts");
            return self.drop("the rest".into(), &place, &error);
        }
        self.headers += headers.len();
        if self.headers > MOST_HEADERS {
            self.full = true;
            let error = anyhow::anyhow!("all parts have more than {MOST_HEADERS} headers");
            return self.drop("the rest".into(), &place, &error);
        }
        self.count += 1;
        let name = named(&headers, self.count);
        headers.set_file_name(&name);
        let part = Part { name, number: self.count, content_type, headers, payload, place };
        match self.kept.take(part.payload.len()) {
            Ok(()) => self.found.parts.push(part),
            Err(error) => self.found.dropped.push(part.dropped(error)),
        }
    }

    /// A part with its number and no content.
    fn faulty(&mut self, headers: &Headers, place: &str, error: &anyhow::Error) {
        self.count += 1;
        self.drop(named(headers, self.count), place, error);
    }

    fn drop(&mut self, name: String, place: &str, error: &anyhow::Error) {
        let (name, reason) = match self.found.dropped.len() {
            ..MOST_PARTS => (name, format!("{error:#}")),
            MOST_PARTS => ("the rest".into(), format!("more than {MOST_PARTS} are dropped")),
            _ => return,
        };
        self.full |= self.found.dropped.len() == MOST_PARTS;
        self.found.dropped.push(Dropped { name, place: place.to_owned(), reason, rejected: None });
    }
}

fn named(headers: &Headers, number: usize) -> String {
    headers.file_name().filter(|name| !name.is_empty()).unwrap_or_else(|| names::default(number))
}

/// The headers that still hold for unpacked content.
fn of_unpacked(headers: &Headers) -> Headers {
    let mut kept = Headers::default();
    if let Some(name) = headers.file_name() {
        kept.set_file_name(&name);
    }
    if let Some(index) = headers.get("Launch-Index") {
        kept.add("Launch-Index", index);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::include::IncludeReach;
    use super::*;
    use crate::root::Root;

    #[test]
    fn one_part_is_expanded_to_itself() {
        let root = Root::open(std::path::Path::new("/")).unwrap();
        let plain = |text: &str| {
            let includes = Includes::new(&root, None, IncludeReach::Nothing);
            expand([("user-data", text.as_bytes())], &includes).plain("user-data")
        };
        assert_eq!(plain("#!/bin/sh\n"), b"#!/bin/sh\n");
        assert!(plain("#cloud-config-archive\n- 'a: 1'\n").starts_with(b"Content-Type: multipart/mixed"));
    }
}

//! `#include` and `#include-once`: parts that are somewhere else.

use super::limits::{MOST_BYTES, MOST_INCLUDES};
use super::python;
use crate::fetch::{self, Client, Fetched, Over};
use crate::root::Root;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The time that all includes together may take, and the time for one of them.
const ALL_TOGETHER: Duration = Duration::from_mins(1);
const ONE: Duration = Duration::from_secs(10);

const ONCE: &str = "#include-once";
const EVERY_TIME: &str = "#include";

/// A line that names a URL.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// The URL.
    pub(super) url: String,
    /// The life of the fetched content.
    pub(super) keep: Keep,
}

/// The time for which fetched content is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keep {
    /// Until the next boot, which fetches it again.
    No,
    /// For as long as the instance is.
    Once,
}

/// The URLs of an include, in their order.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut keep = Keep::No;
    let mut found = Vec::new();
    for line in python::lines(text) {
        // One more than there may be, so that it is told.
        if found.len() > MOST_INCLUDES {
            break;
        }
        let rest = if let Some(rest) = without(line, ONCE) {
            keep = Keep::Once;
            rest
        } else if let Some(rest) = without(line, EVERY_TIME) {
            keep = Keep::No;
            rest
        } else {
            line
        };
        let url = python::strip(rest);
        if !rest.starts_with('#') && !url.is_empty() {
            found.push(Line { url: url.to_owned(), keep });
        }
    }
    found
}

/// The text that follows a marker, however it is written.
fn without<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let (start, rest) = line.split_at_checked(marker.len())?;
    start.eq_ignore_ascii_case(marker).then(|| rest.trim_start_matches(python::is_space))
}

/// Fetches what includes name.
pub(crate) struct Includes<'a> {
    /// Where files and the authorities of https are.
    files: &'a Root,
    /// Where what is fetched once is kept.
    cache: Option<(&'a Root, String)>,
    since: Instant,
    reach: IncludeReach,
    /// The problems that cost no include.
    problems: RefCell<Vec<String>>,
}

/// The reason for an include that is only told.
pub(crate) const NOT_FETCHED: &str = "it is not fetched here";

/// The places from which includes may be fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IncludeReach {
    /// All places that are named.
    All,
    /// Files, and nothing from a network.
    #[cfg(any(test, feature = "hostile"))]
    Files,
    /// Nothing: it is only told.
    Nothing,
}

impl<'a> Includes<'a> {
    /// Fetches, and keeps in a directory what is fetched once.
    pub(crate) fn new(files: &'a Root, cache: Option<(&'a Root, String)>, reach: IncludeReach) -> Self {
        Self { files, cache, since: Instant::now(), reach, problems: RefCell::default() }
    }

    /// Takes the problems of includes that were had all the same.
    pub(crate) fn take_problems(&self) -> Vec<String> {
        self.problems.take()
    }

    pub(super) fn get(&self, line: &Line) -> Result<Vec<u8>> {
        let (url, fragment) = line.url.split_once('#').unwrap_or((&line.url, ""));
        if file(url).is_none() && !is_on_the_web(url) {
            bail!("only http, https, file and absolute paths can be included, and not {}", fetch::shown(url));
        }
        let pin = Pin::parse(fragment)?;
        if let Pin::Misspelt = pin {
            let shown = fetch::shown(url);
            self.problems.borrow_mut().push(format!(
                "include {shown}: `#{fragment}` pins nothing (write #sha256= and the 64 digits)"
            ));
        }
        if self.reach == IncludeReach::Nothing {
            bail!(NOT_FETCHED);
        }
        let cache = match (&self.cache, line.keep) {
            (Some((root, directory)), Keep::Once) => {
                Some((*root, format!("{directory}/{}", sha256(line.url.as_bytes()))))
            }
            _ => None,
        };
        if let Some((root, path)) = &cache
            // One that cannot be read is fetched, and told when it cannot be written either.
            && let Ok(Some(kept)) = root.read(path)
            // The kept content may be damaged, as the fetched one may.
            && check(&kept, &pin).is_ok()
        {
            return Ok(kept);
        }
        let content = self.fetch(url)?;
        check(&content, &pin)?;
        if let Some((root, path)) = &cache
            && let Err(error) = root.write(path, &content, 0o600)
        {
            let shown = fetch::shown(url);
            self.problems.borrow_mut().push(format!("include {shown} is fetched again next time: {error:#}"));
        }
        Ok(content)
    }

    fn fetch(&self, url: &str) -> Result<Vec<u8>> {
        if let Some(path) = file(url) {
            let content = self.files.read_at_most(path, MOST_BYTES)?;
            return content.with_context(|| format!("read {path}: there is no such file"));
        }
        #[cfg(any(test, feature = "hostile"))]
        if self.reach == IncludeReach::Files {
            bail!(NOT_FETCHED);
        }
        let left = ALL_TOGETHER.saturating_sub(self.since.elapsed());
        if left.is_zero() {
            bail!("the {} seconds for all includes are over", ALL_TOGETHER.as_secs());
        }
        let client = Client::new(left.min(ONE), Over::Either, self.files)?;
        match client.get(url, self.files)? {
            Fetched::Body(body) => Ok(body),
            Fetched::Absent => bail!("fetch {}: there is nothing under that name", fetch::shown(url)),
        }
    }
}

/// The path of a `file:` URL, or what is a path already.
fn file(url: &str) -> Option<&str> {
    let path = if url.starts_with('/') {
        url
    } else {
        let (scheme, path) = url.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("file") {
            return None;
        }
        path
    };
    let path = match path.strip_prefix("//") {
        // A host has no meaning here.
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => path,
    };
    Some(path.split_once('?').map_or(path, |(path, _)| path))
}

fn is_on_the_web(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The pin on the content in a URL's fragment.
#[derive(PartialEq, Eq, Debug)]
enum Pin<'a> {
    /// Nothing.
    None,
    /// Its SHA-256.
    Sha256(&'a str),
    /// Nothing, though it looks as if it did.
    Misspelt,
}

/// Names of digests, in small letters and without a hyphen.
const DIGESTS: [&str; 9] =
    ["sha256", "sha256sum", "sha512", "sha384", "sha224", "sha1", "md5", "digest", "checksum"];

impl<'a> Pin<'a> {
    /// Reads a fragment. A text that can be no digest is refused before anything is fetched for it.
    fn parse(fragment: &'a str) -> Result<Self> {
        if let Some(digest) = fragment.strip_prefix("sha256=") {
            if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                bail!("`#{}` is no pin: a SHA-256 has 64 hexadecimal digits", fragment.escape_debug());
            }
            return Ok(Self::Sha256(digest));
        }
        let name = fragment.split(['=', ':']).next().unwrap_or_default();
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let has_value = fragment.contains(['=', ':']);
        let is_digest = DIGESTS.contains(&name.to_ascii_lowercase().as_str());
        Ok(if has_value && is_digest { Self::Misspelt } else { Self::None })
    }
}

/// Compares with the digest that the URL's fragment gives.
fn check(content: &[u8], pin: &Pin<'_>) -> Result<()> {
    let Pin::Sha256(expected) = pin else { return Ok(()) };
    let found = sha256(content);
    if !found.eq_ignore_ascii_case(expected) {
        bail!("its SHA-256 is {found}, and the URL says {expected}");
    }
    Ok(())
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lines(text: &str, expected: &[(&str, Keep)]) {
        let found = lines(text);
        let found: Vec<_> = found.iter().map(|line| (line.url.as_str(), line.keep)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn urls_stand_on_the_first_line_and_below_it() {
        check_lines(
            "#include http://a\n# a comment\n\n  http://b \r\n#Include-Once\nhttp://c\n#includehttp://d",
            &[
                ("http://a", Keep::No),
                ("http://b", Keep::No),
                ("http://c", Keep::Once),
                ("http://d", Keep::No),
            ],
        );
        check_lines("#include # no\n #not\n", &[(" #not".trim(), Keep::No)]);
        check_lines("#include\n", &[]);
    }

    #[test]
    fn a_file_is_named_in_three_ways() {
        for (url, path) in [
            ("/a/b", Some("/a/b")),
            ("file:/a", Some("/a")),
            ("FILE://host/a?b", Some("/a")),
            ("file:///a", Some("/a")),
            ("http://x/a", None),
            ("ftp://x/a", None),
            ("a", None),
        ] {
            assert_eq!(file(url), path, "{url}");
        }
    }

    fn include(url: &str, keep: Keep, root: &Root) -> Result<Vec<u8>> {
        let includes = Includes::new(root, Some((root, "cache".into())), IncludeReach::All);
        includes.get(&Line { url: url.into(), keep })
    }

    #[test]
    fn what_is_fetched_once_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("a", b"1", 0o600).unwrap();
        for keep in [Keep::No, Keep::Once] {
            assert_eq!(include("/a", keep, &root).unwrap(), b"1");
        }
        root.write("a", b"2", 0o600).unwrap();
        assert_eq!(include("/a", Keep::Once, &root).unwrap(), b"1");
        assert_eq!(include("/a", Keep::No, &root).unwrap(), b"2");
        let error = include("/missing", Keep::Once, &root).unwrap_err().to_string();
        assert!(error.contains("no such file"), "{error}");
        let nothing = Includes::new(&root, None, IncludeReach::Nothing);
        let line = Line { url: "/a".into(), keep: Keep::No };
        assert!(nothing.get(&line).unwrap_err().to_string().contains("not fetched"));
    }

    #[test]
    fn all_includes_together_have_their_time_and_files_need_none() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("a", b"1", 0o600).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = format!("http://{}/", listener.local_addr().unwrap());
        let after = |spent: Duration| {
            let since = Instant::now().checked_sub(spent).unwrap();
            Includes { since, ..Includes::new(&root, None, IncludeReach::All) }
        };
        let get =
            |includes: &Includes<'_>, url: &str| includes.get(&Line { url: url.into(), keep: Keep::No });
        // A second is left: the first has it, and nobody is asked for the second.
        let start = Instant::now();
        let includes = after(ALL_TOGETHER.checked_sub(Duration::from_secs(1)).unwrap());
        let error = format!("{:#}", get(&includes, &silent).unwrap_err());
        assert!(error.contains("until the time for it ran out"), "{error}");
        listener.set_nonblocking(true).unwrap();
        while listener.accept().is_ok() {}
        let error = format!("{:#}", get(&includes, &silent).unwrap_err());
        assert_eq!(error, "the 60 seconds for all includes are over");
        assert!(listener.accept().is_err(), "it was asked");
        assert!(start.elapsed() < ONE, "{:?}", start.elapsed());
        assert_eq!(get(&includes, "/a").unwrap(), b"1");
        // Before that it is asked.
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            listener.set_nonblocking(false).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            assert_ne!(stream.read(&mut [0; 1000]).unwrap(), 0);
            stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\n2").unwrap();
        });
        assert_eq!(get(&after(Duration::ZERO), &silent).unwrap(), b"2");
    }

    #[test]
    fn a_pin_has_to_fit() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("a", b"1", 0o600).unwrap();
        let good = format!("/a#sha256={}", sha256(b"1").to_uppercase());
        assert_eq!(include(&good, Keep::No, &root).unwrap(), b"1");
        assert_eq!(include("/a#top", Keep::No, &root).unwrap(), b"1");
        // The kept content has to fit each time it is used.
        let cached = format!("cache/{}", sha256(good.as_bytes()));
        assert_eq!(include(&good, Keep::Once, &root).unwrap(), b"1");
        root.write(&cached, b"other", 0o600).unwrap();
        assert_eq!(include(&good, Keep::Once, &root).unwrap(), b"1");
        assert_eq!(root.read(&cached).unwrap().unwrap(), b"1");
        root.write(&cached, b"other", 0o600).unwrap();
        root.write("a", b"2", 0o600).unwrap();
        assert!(include(&good, Keep::Once, &root).is_err());
        root.write("a", b"1", 0o600).unwrap();
        // Without a pin nobody can say.
        assert_eq!(include("/a", Keep::Once, &root).unwrap(), b"1");
        root.write(&format!("cache/{}", sha256(b"/a")), b"other", 0o600).unwrap();
        assert_eq!(include("/a", Keep::Once, &root).unwrap(), b"other");
        let bad = format!("/a#sha256={}", sha256(b"2"));
        let error = include(&bad, Keep::Once, &root).unwrap_err().to_string();
        assert!(error.starts_with("its SHA-256 is 6b86"), "{error}");
    }

    #[test]
    fn what_only_looks_like_a_pin_is_told_and_what_can_be_none_is_refused_before_it_is_fetched() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("a", b"1", 0o600).unwrap();
        let digest = sha256(b"2");
        for reach in [IncludeReach::All, IncludeReach::Nothing] {
            for fragment in [
                format!("SHA256={digest}"),
                format!("sha-256={digest}"),
                format!("sha256:{digest}"),
                format!("Sha256={digest}"),
                "sha512=ab".into(),
                "md5=ab".into(),
                "SHA_256=".into(),
            ] {
                let includes = Includes::new(&root, None, reach);
                let got = includes.get(&Line { url: format!("/a#{fragment}"), keep: Keep::No });
                assert_eq!(got.is_ok(), reach == IncludeReach::All, "{fragment}");
                let told = includes.take_problems();
                assert!(
                    matches!(told.as_slice(), [one] if one.contains("pins nothing")),
                    "{fragment}: {told:?}"
                );
            }
            for fragment in ["top", "", "sha256", "section=2", "key:sha256"] {
                let includes = Includes::new(&root, None, reach);
                let got = includes.get(&Line { url: format!("/a#{fragment}"), keep: Keep::No });
                assert_eq!((got.is_ok(), includes.take_problems().len()), (reach == IncludeReach::All, 0));
            }
            for fragment in
                ["sha256=", "sha256=abc", &format!("sha256={digest}0"), &format!("sha256={digest}&x")]
            {
                // Nobody listens there.
                let includes = Includes::new(&root, None, reach);
                let line = Line { url: format!("http://127.0.0.1:9/#{fragment}"), keep: Keep::No };
                let error = includes.get(&line).unwrap_err().to_string();
                assert!(error.contains("a SHA-256 has 64 hexadecimal digits"), "{fragment}: {error}");
            }
        }
    }

    #[test]
    fn other_schemes_devices_and_directories_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.make_directory("d").unwrap();
        for url in ["ftp://x/a", "gopher://x", "a", "/d", "file:a"] {
            assert!(include(url, Keep::No, &root).is_err(), "{url}");
        }
        // Also where nothing is fetched.
        let nothing = Includes::new(&root, None, IncludeReach::Nothing);
        for (url, told) in
            [("ftp://x/a", "only http"), ("httpx://x", "only http"), ("HTTP://x/a", NOT_FETCHED)]
        {
            let error = nothing.get(&Line { url: url.into(), keep: Keep::No }).unwrap_err().to_string();
            assert!(error.starts_with(told), "{url}: {error}");
        }
        let host = Root::open(std::path::Path::new("/")).unwrap();
        assert!(include("/dev/zero", Keep::No, &host).is_err());
    }
}

//! Fetching over http and https, from a `file://` URL or a directory, within limits.

mod encoding;
mod optional;
mod post;
mod tls;
mod token;

use crate::root::Root;
use anyhow::{Result, anyhow, bail};
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::thread;
use std::time::{Duration, Instant};
use token::Origin;
use ureq::ResponseExt as _;

/// The largest file that is taken.
pub(crate) const LARGEST: u64 = 10 * 1024 * 1024;
const TOO_LARGE: &str = "it is larger than 10 MiB, the most that is taken";

/// The time that a connection may take to come up, and that one request may take in all.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(30);

/// The pauses between attempts grow from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The result of a request.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// The content.
    Body(Vec<u8>),
    /// There is nothing under that name (404, no such file).
    Absent,
}

/// The answer of a metadata service.
#[derive(Debug)]
pub(crate) enum Answered {
    /// The content.
    Body(Vec<u8>),
    /// It answers, but with this status.
    Refused(u16),
}

/// A request to a metadata service.
pub(crate) struct Question<'a> {
    /// Reading, or the making of a token.
    pub(crate) verb: Verb,
    /// The headers that go with it, which may hold a secret.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// The time that one attempt may take.
    pub(crate) patience: Duration,
}

/// The verb of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    /// It reads.
    Get,
    /// It makes something.
    Put,
}

/// The result of saving a large file.
#[derive(Debug)]
pub(crate) enum Saved {
    /// It is on the disk.
    Whole {
        /// The file's size.
        bytes: u64,
        /// Its SHA-256, in lower case.
        sha256: String,
    },
    /// There is nothing under that name.
    Absent,
}

/// Fetches everything of one stage within one budget of time.
pub(crate) struct Client {
    agent: ureq::Agent,
    over: Over,
    deadline: Instant,
    /// The server that gave a token, and the token.
    token: RefCell<Option<(Origin, String)>>,
    /// The time that went into what need not be there and could not be had.
    lost: Cell<Duration>,
}

/// The transports that a request, and each redirect of it, may go over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// http or https.
    Either,
    /// https, and never anything else.
    HttpsAlone,
}

impl Over {
    fn allows(self, url: &str) -> bool {
        let is = |scheme| after_scheme(url, scheme).is_some();
        is("https://") || (self == Self::Either && is("http://"))
    }
}

/// A server's answer that is neither the content nor its absence.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) u16);

impl std::error::Error for Refused {}

/// The hints at what is missing where a server refuses.
const HINTS: [(u16, &str); 3] = [
    (
        401,
        " (it wants a user and a password, as in http://USER:PASSWORD@HOST/, or a token, and has given none for the asking)",
    ),
    (
        403,
        " (it keeps this from the machine: may everybody read it there, and has a signed address run out?)",
    ),
    (407, " (a proxy on the way wants a user and a password, and the agent can give it none)"),
];

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hint = HINTS.iter().find(|(status, _)| *status == self.0).map_or("", |(_, hint)| hint);
        write!(out, "the server answers {}{hint}", self.0)
    }
}

/// An attempt that came to nothing.
enum Failure {
    /// Another attempt may do better.
    Passing(anyhow::Error),
    /// Nothing will change.
    Lasting(anyhow::Error),
}

impl Client {
    /// A client whose time runs from now. It trusts the authorities that the root does.
    pub(crate) fn new(budget: Duration, over: Over, root: &Root) -> Result<Self> {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST))
            .max_redirects(5)
            .http_status_as_error(false)
            .https_only(over == Over::HttpsAlone)
            .tls_config(tls::config(root)?)
            // A seed is fetched before anything on the machine could have set a proxy up.
            .proxy(None)
            .user_agent(concat!("lifeboat-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.into(),
            over,
            deadline: Instant::now() + budget,
            token: RefCell::default(),
            lost: Cell::default(),
        })
    }

    /// Fetches one file; what may pass is tried again while there is time.
    pub(crate) fn get(&self, url: &str, root: &Root) -> Result<Fetched> {
        if let Some(path) = local_path(url) {
            return Ok(root.read_at_most(path, LARGEST)?.map_or(Fetched::Absent, Fetched::Body));
        }
        self.repeat(&[url], |url| self.attempt(url, REQUEST)).map(|(_, fetched)| fetched)
    }

    /// Fetches a file that may be large into `file`, whose content is replaced.
    pub(crate) fn save(&self, url: &str, file: &mut File, limit: u64) -> Result<Saved> {
        self.repeat(&[url], |url| self.attempt_to_save(url, file, limit)).map(|(_, saved)| saved)
    }

    /// Asks the first of several addresses that answers; what it said, and the address's place among them.
    pub(crate) fn ask_any(&self, urls: &[&str], question: &Question<'_>) -> Result<(usize, Answered)> {
        self.repeat(urls, |url| self.attempt_to_ask(url, question))
    }

    /// Tries each address in turn, and again while there is time and another attempt may do better.
    fn repeat<T>(
        &self,
        urls: &[&str],
        mut attempt: impl FnMut(&str) -> Result<T, Failure>,
    ) -> Result<(usize, T)> {
        if let Some(url) = urls.iter().find(|url| !self.over.allows(url)) {
            bail!("fetch {}: only {} are supported", shown(url), self.over);
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let (mut passing, mut lasting) = (None, None);
            for (place, url) in urls.iter().enumerate() {
                match attempt(url) {
                    Ok(value) => return Ok((place, value)),
                    Err(Failure::Lasting(error)) => {
                        lasting = Some(error.context(format!("fetch {}", shown(url))));
                    }
                    Err(Failure::Passing(error)) => passing = Some((url, error)),
                }
            }
            let Some((url, error)) = passing else {
                return Err(lasting.unwrap_or_else(|| anyhow!("there is no address to ask")));
            };
            if Instant::now() + pause >= self.deadline {
                return Err(error.context(format!("fetch {} until the time for it ran out", shown(url))));
            }
            thread::sleep(pause);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    fn attempt(&self, url: &str, limit: Duration) -> Result<Fetched, Failure> {
        match self.ask(url, limit)? {
            Some(response) => read_body(response).map(Fetched::Body),
            None => Ok(Fetched::Absent),
        }
    }

    fn attempt_to_ask(&self, url: &str, question: &Question<'_>) -> Result<Answered, Failure> {
        let left = self.left(question.patience);
        // A redirect would take a token to another server.
        let response = match question.verb {
            Verb::Get => {
                let request =
                    self.agent.get(url).config().max_redirects(0).timeout_global(Some(left)).build();
                with_headers(request, question.headers).call()
            }
            Verb::Put => {
                let request =
                    self.agent.put(url).config().max_redirects(0).timeout_global(Some(left)).build();
                with_headers(request, question.headers).send_empty()
            }
        };
        let response = response.map_err(passing)?;
        match response.status().as_u16() {
            200 | NO_CONTENT => read_body(response).map(Answered::Body),
            status if may_pass(status) => Err(Failure::Passing(Refused(status).into())),
            status => Ok(Answered::Refused(status)),
        }
    }

    fn attempt_to_save(&self, url: &str, file: &mut File, limit: u64) -> Result<Saved, Failure> {
        let Some(response) = self.ask(url, Duration::MAX)? else { return Ok(Saved::Absent) };
        let too_large = || Failure::Lasting(anyhow!("it is larger than the {limit} bytes there is room for"));
        if response.body().content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let lasting = |error: std::io::Error| Failure::Lasting(anyhow::Error::from(error).context("keep it"));
        // An earlier attempt may have left a part.
        file.set_len(0).and_then(|()| file.rewind()).map_err(lasting)?;
        // As it comes, and as its digest says: what is packed is not unpacked for a Content-Encoding, as curl does not.
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(passing(error.into())),
            };
            bytes += read as u64;
            if bytes > limit {
                return Err(too_large());
            }
            let block = buffer.get(..read).unwrap_or_default();
            hash.update(block);
            file.write_all(block).map_err(lasting)?;
        }
        Ok(Saved::Whole { bytes, sha256: hexadecimal(&hash.finalize()) })
    }

    /// The response of a request that went well; `None` when there is nothing under that name.
    fn ask(&self, url: &str, limit: Duration) -> Result<Option<Response>, Failure> {
        let mut response = self.send(url, limit)?;
        if response.status().as_u16() == UNAUTHORIZED && self.takes_token(url, &response)? {
            response = self.send(url, limit)?;
        }
        match response.status().as_u16() {
            200 | NO_CONTENT => Ok(Some(response)),
            404 | 410 => Ok(None),
            status if may_pass(status) => Err(Failure::Passing(Refused(status).into())),
            status => Err(Failure::Lasting(Refused(status).into())),
        }
    }

    /// Sends one request. A token goes with it to the server that gave it, and to none that it points to.
    fn send(&self, url: &str, limit: Duration) -> Result<Response, Failure> {
        let config = self.agent.get(url).config().timeout_global(Some(self.left(limit)));
        let token = self.token.borrow();
        let token = token.as_ref().filter(|(origin, _)| Origin::of(url).as_ref() == Some(origin));
        let response = match token {
            Some((_, token)) => with_headers(config.max_redirects(0).build(), &token::headers(token)).call(),
            None => config.build().call(),
        };
        response.map_err(passing)
    }

    /// Asks a server for a token that refused without one, or no longer takes the one it gave. False if it wants a
    /// password, or gives no token.
    fn takes_token(&self, url: &str, refusal: &Response) -> Result<bool, Failure> {
        let origin = Origin::of(url).filter(|origin| {
            Origin::of(&refusal.get_uri().to_string()).as_ref() == Some(origin)
                && !refusal.headers().contains_key("www-authenticate")
        });
        let Some(origin) = origin else { return Ok(false) };
        let question = Question { verb: Verb::Put, headers: &token::LIFE, patience: CONNECT };
        let Answered::Body(body) = self.attempt_to_ask(&origin.at(token::PLACE), &question)? else {
            return Ok(false);
        };
        let token = token::parse(body);
        let is_one = token.is_some();
        self.token.replace(token.map(|token| (origin, token)));
        Ok(is_one)
    }

    /// The part of the time left that one attempt may take.
    fn left(&self, limit: Duration) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now()).min(limit);
        // A limit of nothing would count as no limit.
        left.max(Duration::from_millis(100))
    }
}

type Response = ureq::http::Response<ureq::Body>;

/// Whoever asks has to say first who it is.
const UNAUTHORIZED: u16 = 401;

/// It went well, and what is there is empty.
const NO_CONTENT: u16 = 204;

fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

fn with_headers<B>(request: ureq::RequestBuilder<B>, headers: &[(&str, &str)]) -> ureq::RequestBuilder<B> {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

fn read_body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let encodings = response.headers().get_all("content-encoding").iter();
    let encodings: Vec<_> = encodings.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let encodings = encodings.join(",");
    // The limit counts as exceeded once it is reached.
    let body = response.body_mut().with_config().limit(LARGEST + 1).read_to_vec();
    let body = body.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => Failure::Lasting(anyhow!(TOO_LARGE)),
        other => passing(other),
    })?;
    encoding::unpacked(body, &encodings).map_err(Failure::Lasting)
}

impl std::fmt::Display for Over {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Either => "http, https, file and absolute paths",
            Self::HttpsAlone => "URLs that begin with https",
        })
    }
}

/// The path that a URL names on this machine; `None` for a URL of another.
pub(crate) fn local_path(url: &str) -> Option<&str> {
    after_scheme(url, "file://").or_else(|| url.starts_with('/').then_some(url))
}

/// A URL behind its scheme, which may be in capitals.
fn after_scheme<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (own, rest) = url.split_at_checked(scheme.len())?;
    own.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Bytes as digits, in lower case.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The hints at what the person can look at where no connection comes up.
const UNREACHABLE: [(ErrorKind, &str); 3] = [
    (ErrorKind::ConnectionRefused, "is the server running, and is the port right?"),
    (ErrorKind::NetworkUnreachable, "does the machine have an address and a route?"),
    (ErrorKind::HostUnreachable, "is the address right, and the server up?"),
];

const NO_SUCH_NAME: &str = "is the name right, and does the machine have a DNS server?";

fn with_remedy(error: ureq::Error, remedy: Option<&str>) -> anyhow::Error {
    match remedy {
        Some(remedy) => anyhow!("{error} ({remedy})"),
        None => error.into(),
    }
}

fn passing(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::BadUri(_)
        | ureq::Error::TooManyRedirects
        | ureq::Error::RedirectFailed
        | ureq::Error::RequireHttpsOnly(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::TlsRequired => Failure::Lasting(error.into()),
        ureq::Error::Io(ref cause) if tls::is_lasting(cause) => Failure::Lasting(error.into()),
        ureq::Error::Io(ref cause) if cause.to_string().contains("lookup address") => {
            Failure::Passing(with_remedy(error, Some(NO_SUCH_NAME)))
        }
        ureq::Error::Io(ref cause) => {
            let remedy =
                UNREACHABLE.iter().find(|(kind, _)| *kind == cause.kind()).map(|(_, remedy)| *remedy);
            Failure::Passing(with_remedy(error, remedy))
        }
        ureq::Error::HostNotFound => Failure::Passing(with_remedy(error, Some(NO_SUCH_NAME))),
        _ => Failure::Passing(error.into()),
    }
}

/// The URL of a file: in the place of `%s`, or after the seed's own, with a `/` between where one is missing.
pub(crate) fn place(from: &str, name: &str) -> String {
    if from.contains("%s") {
        from.replacen("%s", name, 1)
    } else if from.ends_with('/') || from.contains('?') {
        format!("{from}{name}")
    } else {
        format!("{from}/{name}")
    }
}

/// A URL without what may be secret in it: a password and a query.
pub(crate) fn shown(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(before, _)| before);
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_place_under_the_seed() {
        for (from, url) in [
            ("http://x/", "http://x/user-data"),
            ("http://x/a", "http://x/a/user-data"),
            ("http://x/%s/now", "http://x/user-data/now"),
            ("http://x/?file=", "http://x/?file=user-data"),
            ("/seed", "/seed/user-data"),
        ] {
            assert_eq!(place(from, "user-data"), url);
        }
    }

    #[test]
    fn a_scheme_counts_in_capitals_too() {
        let (either, alone) = (Over::Either, Over::HttpsAlone);
        for (url, allowed) in [
            ("HTTP://x/", [true, false]),
            ("Https://x/", [true, true]),
            ("http://x/", [true, false]),
            ("ftp://x/", [false, false]),
            ("HTTP:/x", [false, false]),
            ("é", [false, false]),
        ] {
            assert_eq!([either.allows(url), alone.allows(url)], allowed, "{url}");
        }
        assert_eq!(local_path("FILE:///x"), Some("/x"));
        assert_eq!(local_path("FILE:/x"), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("http://me:pw@x:80/a@b?token=1"), "http://x:80/a@b");
        assert_eq!(shown("http://x?token=1"), "http://x");
        assert_eq!(shown("/seed"), "/seed");
    }
}

//! Fetching over http and https, from a `file://` URL or a directory, within limits.

mod tls;

use crate::root::Root;
use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::thread;
use std::time::{Duration, Instant};

/// The largest file that is taken.
const LARGEST: u64 = 10 * 1024 * 1024;
const TOO_LARGE: &str = "it is larger than 10 MiB, the most that is taken";

/// How long a connection may take to come up, and one request in all.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(30);

/// The pauses between attempts grow from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What a request came to.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// The content.
    Body(Vec<u8>),
    /// There is nothing under that name (404, no such file).
    Absent,
}

/// What the saving of a large file came to.
#[derive(Debug)]
pub(crate) enum Saved {
    /// It is on the disk.
    Whole {
        /// How large it is.
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
}

/// What a request, and each redirect of it, may go over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// http or https.
    Either,
    /// https, and never anything else.
    HttpsAlone,
}

impl Over {
    fn allows(self, url: &str) -> bool {
        url.starts_with("https://") || (self == Self::Either && url.starts_with("http://"))
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
        Ok(Self { agent: config.into(), over, deadline: Instant::now() + budget })
    }

    /// Fetches one file; what may pass is tried again while there is time.
    pub(crate) fn get(&self, url: &str, root: &Root) -> Result<Fetched> {
        if let Some(path) = url.strip_prefix("file://").or_else(|| url.starts_with('/').then_some(url)) {
            return match root.read(path)? {
                Some(body) if body.len() as u64 > LARGEST => bail!("read {path}: {TOO_LARGE}"),
                body => Ok(body.map_or(Fetched::Absent, Fetched::Body)),
            };
        }
        self.repeat(url, || self.attempt(url))
    }

    /// Fetches a file that may be large into `file`, whose content is replaced.
    pub(crate) fn save(&self, url: &str, file: &mut File, limit: u64) -> Result<Saved> {
        self.repeat(url, || self.attempt_to_save(url, file, limit))
    }

    fn repeat<T>(&self, url: &str, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T> {
        if !self.over.allows(url) {
            bail!("fetch {}: only {} are supported", shown(url), self.over);
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match attempt() {
                Ok(fetched) => return Ok(fetched),
                Err(Failure::Lasting(error)) => return Err(error).context(format!("fetch {}", shown(url))),
                Err(Failure::Passing(error)) => error,
            };
            if Instant::now() + pause >= self.deadline {
                let context = format!("fetch {} until the time for it ran out", shown(url));
                return Err(error).context(context);
            }
            thread::sleep(pause);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    fn attempt(&self, url: &str) -> Result<Fetched, Failure> {
        let Some(mut response) = self.ask(url, REQUEST)? else { return Ok(Fetched::Absent) };
        // The limit counts as exceeded once it is reached.
        let body = response.body_mut().with_config().limit(LARGEST + 1).read_to_vec();
        body.map(Fetched::Body).map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => Failure::Lasting(anyhow!(TOO_LARGE)),
            other => passing(other),
        })
    }

    fn attempt_to_save(&self, url: &str, file: &mut File, limit: u64) -> Result<Saved, Failure> {
        let Some(response) = self.ask(url, Duration::MAX)? else { return Ok(Saved::Absent) };
        let too_large = || Failure::Lasting(anyhow!("it is larger than the {limit} bytes there is room for"));
        if response.body().content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let lasting = |error: std::io::Error| Failure::Lasting(anyhow::Error::from(error).context("keep it"));
        // What an earlier attempt brought.
        file.set_len(0).and_then(|()| file.rewind()).map_err(lasting)?;
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
    fn ask(&self, url: &str, limit: Duration) -> Result<Option<ureq::http::Response<ureq::Body>>, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now()).min(limit);
        // A limit of nothing would count as no limit.
        let left = left.max(Duration::from_millis(100));
        let request = self.agent.get(url).config().timeout_global(Some(left)).build();
        let response = request.call().map_err(passing)?;
        match response.status().as_u16() {
            200 => Ok(Some(response)),
            404 | 410 => Ok(None),
            status @ (408 | 429 | 500..=599) => Err(Failure::Passing(anyhow!("the server answers {status}"))),
            status => Err(Failure::Lasting(anyhow!("the server answers {status}"))),
        }
    }
}

impl std::fmt::Display for Over {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Either => "http, https, file and absolute paths",
            Self::HttpsAlone => "URLs that begin with https",
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
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
    fn secrets_are_not_shown() {
        assert_eq!(shown("http://me:pw@x:80/a@b?token=1"), "http://x:80/a@b");
        assert_eq!(shown("http://x?token=1"), "http://x");
        assert_eq!(shown("/seed"), "/seed");
    }
}

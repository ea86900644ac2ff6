//! Fetching over http, from a `file://` URL or a directory, within limits.

use crate::root::Root;
use anyhow::{Context, Result, anyhow, bail};
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

/// Fetches everything of one stage within one budget of time.
pub(crate) struct Client {
    agent: ureq::Agent,
    deadline: Instant,
}

/// An attempt that came to nothing.
enum Failure {
    /// Another attempt may do better.
    Passing(anyhow::Error),
    /// Nothing will change.
    Lasting(anyhow::Error),
}

impl Client {
    /// A client whose time runs from now.
    pub(crate) fn new(budget: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST))
            .max_redirects(5)
            .http_status_as_error(false)
            // A seed is fetched before anything on the machine could have set a proxy up.
            .proxy(None)
            .user_agent(concat!("lifeboat-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), deadline: Instant::now() + budget }
    }

    /// Fetches one file; what may pass is tried again while there is time.
    pub(crate) fn get(&self, url: &str, root: &Root) -> Result<Fetched> {
        if let Some(path) = url.strip_prefix("file://").or_else(|| url.starts_with('/').then_some(url)) {
            return match root.read(path)? {
                Some(body) if body.len() as u64 > LARGEST => bail!("read {path}: {TOO_LARGE}"),
                body => Ok(body.map_or(Fetched::Absent, Fetched::Body)),
            };
        }
        if !url.starts_with("http://") {
            bail!("fetch {}: only http, file and absolute paths are supported", shown(url));
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.attempt(url) {
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
        let left = self.deadline.saturating_duration_since(Instant::now()).min(REQUEST);
        // A limit of nothing would count as no limit.
        let left = left.max(Duration::from_millis(100));
        let request = self.agent.get(url).config().timeout_global(Some(left)).build();
        let mut response = request.call().map_err(passing)?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            404 | 410 => return Ok(Fetched::Absent),
            408 | 429 | 500..=599 => return Err(Failure::Passing(anyhow!("the server answers {status}"))),
            _ => return Err(Failure::Lasting(anyhow!("the server answers {status}"))),
        }
        // The limit counts as exceeded once it is reached.
        let body = response.body_mut().with_config().limit(LARGEST + 1).read_to_vec();
        body.map(Fetched::Body).map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => Failure::Lasting(anyhow!(TOO_LARGE)),
            other => passing(other),
        })
    }
}

fn passing(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::BadUri(_)
        | ureq::Error::TooManyRedirects
        | ureq::Error::RedirectFailed
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

//! Requests of a configuration: posting a form, and fetching with headers.

use super::{
    Answered, Client, Failure, Fetched, Question, Refused, Verb, hexadecimal, local_path, passing, shown,
};
use crate::root::Root;
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// The time that one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// Posts fields once, as a browser does.
    pub(crate) fn post_form(&self, url: &str, fields: &[(String, String)]) -> Result<()> {
        let told = || format!("post to {}", shown(url));
        if !self.over.allows(url) {
            bail!("{}: only http and https are supported", told());
        }
        let request = self
            .agent
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .config()
            .timeout_global(Some(self.left(PATIENCE)))
            .build();
        let response = request.send(form(fields)).map_err(|error| match passing(error) {
            Failure::Passing(error) | Failure::Lasting(error) => error,
        });
        let status = response.with_context(told)?.status();
        if !status.is_success() {
            return Err(anyhow::Error::from(Refused(status.as_u16())).context(told()));
        }
        Ok(())
    }
}

impl Client {
    /// Fetches one file with headers of a person's own; what may pass is tried again while there is time. A redirect is
    /// not followed with them: they may be secrets.
    pub(crate) fn get_with(&self, url: &str, headers: &[(String, String)], root: &Root) -> Result<Fetched> {
        if headers.is_empty() || local_path(url).is_some() {
            return self.get(url, root);
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let question = Question { verb: Verb::Get, headers: &headers, patience: PATIENCE };
        match self.ask_any(&[url], &question)?.1 {
            Answered::Body(body) => Ok(Fetched::Body(body)),
            Answered::Refused(404 | 410) => Ok(Fetched::Absent),
            Answered::Refused(status) => {
                Err(anyhow::Error::from(Refused(status)).context(format!("fetch {}", shown(url))))
            }
        }
    }
}

fn form(fields: &[(String, String)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) => out.push(char::from(byte)),
            _ => out.extend(["%", &hexadecimal(&[byte]).to_uppercase()]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values follow Python's `urllib.parse.urlencode`.
    #[test]
    fn fields_are_a_form() {
        let fields = [("a", "1 2\n"), ("pub key", "ssh-rsa A+/= é~")].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(form(&fields), "a=1+2%0A&pub+key=ssh-rsa+A%2B%2F%3D+%C3%A9~");
    }
}

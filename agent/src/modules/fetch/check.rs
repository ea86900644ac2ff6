//! The proof that a tarball is the right one: chosen before anything is fetched, and checked before anything is
//! unpacked.

use super::settings::{Setting, hexadecimal};
use crate::apply;
use crate::fetch::{Client, Fetched, Over, shown};
use crate::root::Root;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Keys whose signatures count, in the syntax of `allowed_signers`.
const SIGNERS: &str = "etc/lifeboat/modules-signers";

/// The purpose that a signature must have: one that was made for something else does not count.
const NAMESPACE: &str = "lifeboat-modules";

/// The evidence that the tarball is checked against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// The digest that was given with the URL.
    Given(String),
    /// The signature beside the tarball, by a key that is installed.
    Signature,
    /// The digest beside the tarball, for https vouches for it.
    Beside,
}

/// The proof that was fetched beside the tarball.
#[derive(Debug)]
pub(crate) enum Proof {
    /// The digest that it must have.
    Sha256(String),
    /// A signature.
    Signature(Vec<u8>),
}

impl Check {
    /// The strongest that there is. Installed signers are there to be asked: a digest beside the tarball, which
    /// whoever has the server can change, is no substitute.
    pub(crate) fn choose(setting: &Setting, url: &str, root: &Root) -> Result<Self> {
        if let Some(sha256) = &setting.sha256 {
            return Ok(Self::Given(sha256.clone()));
        }
        if root.holds(SIGNERS)? {
            return Ok(Self::Signature);
        }
        if url.starts_with("https://") {
            return Ok(Self::Beside);
        }
        bail!(
            "{} is refused: there is nothing to check it against (add #sha256=…, put its .sha256 beside it over \
             https, or sign it and install the key in /{SIGNERS})",
            shown(url)
        )
    }

    /// The transports over which the tarball may be fetched.
    pub(crate) fn over(&self) -> Over {
        match self {
            Self::Given(_) | Self::Signature => Over::Either,
            Self::Beside => Over::HttpsAlone,
        }
    }

    /// Fetches what stands beside the tarball.
    pub(crate) fn proof(&self, url: &str, client: &Client, root: &Root) -> Result<Proof> {
        match self {
            Self::Given(sha256) => Ok(Proof::Sha256(sha256.clone())),
            Self::Signature => fetch(&beside(url, ".sig"), client, root).map(Proof::Signature),
            Self::Beside => {
                let url = beside(url, ".sha256");
                let text = fetch(&url, client, root)?;
                let text = String::from_utf8_lossy(&text);
                let first = text.split_whitespace().next().unwrap_or_default();
                hexadecimal(first).map(Proof::Sha256).with_context(|| format!("read {}", shown(&url)))
            }
        }
    }
}

impl Proof {
    /// Checks the tarball against the evidence. Temporary files are made in `scratch`.
    pub(crate) fn hold(&self, tarball: &Path, sha256: &str, scratch: &Path, root: &Root) -> Result<()> {
        match self {
            Self::Sha256(expected) if expected == sha256 => Ok(()),
            Self::Sha256(expected) => {
                bail!("the checksum is wrong: its SHA-256 is {sha256}, and should be {expected}")
            }
            Self::Signature(signature) => {
                let path = scratch.join("signature");
                let mut file = File::create_new(&path).with_context(|| format!("make {}", path.display()))?;
                file.write_all(signature).with_context(|| format!("write {}", path.display()))?;
                check_signature(&path, tarball, root).context("the signature does not hold")
            }
        }
    }
}

fn check_signature(signature: &Path, tarball: &Path, root: &Root) -> Result<()> {
    let (signature, signers) = (signature.display().to_string(), root.show(SIGNERS));
    let ask = |words: &[&str], input| {
        let words = ["ssh-keygen", "-Y"].iter().chain(words).map(|word| (*word).to_owned());
        apply::ask(&words.collect::<Vec<_>>(), input, "openssh-client")
    };
    let found = ask(&["find-principals", "-s", &signature, "-f", &signers], None)
        .context("find its key in /etc/lifeboat/modules-signers")?;
    let principal = found.lines().next().unwrap_or_default().trim();
    let tarball = File::open(tarball).with_context(|| format!("open {}", tarball.display()))?;
    let words = ["verify", "-f", &signers, "-I", principal, "-n", NAMESPACE, "-s", &signature];
    ask(&words, Some(tarball)).map(drop)
}

fn fetch(url: &str, client: &Client, root: &Root) -> Result<Vec<u8>> {
    match client.get(url, root)? {
        Fetched::Body(body) => Ok(body),
        Fetched::Absent => {
            bail!("{} is not there, so there is nothing to check the tarball against", shown(url))
        }
    }
}

/// A URL with something at the end of its path.
fn beside(url: &str, suffix: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{path}{suffix}?{query}"),
        None => format!("{url}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_keeps_the_query() {
        assert_eq!(beside("https://x/a.tar", ".sig"), "https://x/a.tar.sig");
        assert_eq!(beside("https://x/a.tar?t=1", ".sig"), "https://x/a.tar.sig?t=1");
    }
}

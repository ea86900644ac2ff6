//! Keys of package sources by their ids.

use super::ask;
use crate::handlers::dearmored;
use crate::root::Root;
use anyhow::{Context, Result};
use std::os::unix::fs::DirBuilderExt;
use std::time::Duration;

/// Keyservers are not reliable.
const TRIES: u32 = 3;

/// Fetches a key and writes it. gpg refuses what a server gives that has another fingerprint.
pub(super) fn fetch(id: &str, server: &str, path: &str, root: &Root) -> Result<()> {
    let home = format!("/run/lifeboat-agent-gpg-{}", std::process::id());
    std::fs::DirBuilder::new().mode(0o700).create(&home).with_context(|| format!("make {home}"))?;
    let armored = fetch_into(&home, id, server);
    let words = ["gpgconf", "--homedir", &home, "--kill", "all"].map(str::to_owned);
    let ended = ask(&words, None, "gnupg");
    std::fs::remove_dir_all(&home).with_context(|| format!("remove {home}"))?;
    let key = dearmored(&armored?)?;
    ended?;
    root.write(path.trim_start_matches('/'), &key, 0o644)
}

fn fetch_into(home: &str, id: &str, server: &str) -> Result<String> {
    let gpg = |words: &[&str]| {
        let always = ["gpg", "--homedir", home, "--batch", "--no-tty"];
        let words: Vec<_> = always.iter().chain(words).map(|word| (*word).to_owned()).collect();
        ask(&words, None, "gnupg")
    };
    let keyserver = format!("--keyserver={server}");
    let mut tries = 1;
    while let Err(error) = gpg(&[&keyserver, "--recv-keys", id]) {
        if tries == TRIES {
            return Err(error.context(format!("fetch the key {id} from {server}")));
        }
        tries += 1;
        std::thread::sleep(Duration::from_secs(1));
    }
    gpg(&["--armor", "--export", id])
}

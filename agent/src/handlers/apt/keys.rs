//! Keys of sources: inline in ASCII armor, or by their id.

use crate::codec;
use crate::plan::{File, Step};
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// apt trusts these for all sources, and others for the source alone that names them.
const FOR_ALL: &str = "/etc/apt/trusted.gpg.d";
const FOR_ONE: &str = "/etc/apt/cloud-init.gpg.d";

const KEYSERVER: &str = "keyserver.ubuntu.com";

/// Whom a key is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    ForAll,
    ForOne,
}

/// The step that makes the key's file, and its path; nothing for an entry without a key.
pub(super) fn plan(entry: &Mapping, name: &str, trust: Trust) -> Result<Option<(Step, String)>> {
    let directory = if trust == Trust::ForOne { FOR_ONE } else { FOR_ALL };
    let own = Path::new(name).file_stem().and_then(|own| own.to_str()).context("its file has no name")?;
    let path = format!("{directory}/{own}.gpg");
    let step = match (entry.get("key"), entry.get("keyid")) {
        (Some(Value::Binary(key)), _) => Step::Write(File::new(&path, key.clone(), 0o644)),
        (Some(Value::Str(key)), _) => Step::Write(File::new(&path, dearmored(key).context("key")?, 0o644)),
        (Some(other), _) if !matches!(other, Value::Null) => bail!("key: it is {} and no text", other.kind()),
        (_, Some(id)) => {
            let id = id.scalar_text().context("keyid: it is no text")?;
            if id.is_empty() || !id.chars().all(|letter| letter.is_ascii_hexdigit() || " x".contains(letter))
            {
                bail!("keyid: `{id}` is no fingerprint");
            }
            let server = entry.get("keyserver").and_then(Value::scalar_text);
            let server = server.unwrap_or_else(|| KEYSERVER.to_owned());
            Step::FetchKey { id, server, path: path.clone() }
        }
        _ => return Ok(None),
    };
    Ok(Some((step, path)))
}

/// The bytes of all blocks of an armored text.
pub(crate) fn dearmored(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while lines.any(|line| line.starts_with("-----BEGIN PGP ")) {
        let mut body = String::new();
        let inside = lines.by_ref().take_while(|line| !line.starts_with("-----END PGP "));
        // Headers have a colon, and the check sum begins with a `=`.
        for line in inside.filter(|line| !line.contains(':') && !line.starts_with('=')) {
            body.push_str(line);
        }
        bytes.extend(codec::whole_base64(body.as_bytes())?);
    }
    if bytes.is_empty() {
        bail!("it holds no key in ASCII armor (it begins with -----BEGIN PGP PUBLIC KEY BLOCK-----)");
    }
    Ok(bytes)
}

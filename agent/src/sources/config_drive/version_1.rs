//! A config drive of version 1, as the first releases of `OpenStack` made it: `meta.js` and two of the machine's files.

use super::openstack;
use crate::dsmode::META_JS;
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::seed::Seed;
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};

/// The file that a machine's owner gives, with user-data and keys in it.
const META: &str = "meta.js";
const KEYS: &str = "root/.ssh/authorized_keys";
const NETWORK: &str = "etc/network/interfaces";

/// One of them makes a drive.
pub(super) const FILES: [&str; 3] = [META, KEYS, NETWORK];

/// The instance-id where the owner gives none.
const ID: &str = "iid-dsconfigdrive";

/// The seed on a drive. `read` reads a file on it.
pub(super) fn seed(
    place: &str,
    read: impl Fn(&str) -> Result<Option<Vec<u8>>>,
    report: &mut Report,
) -> Result<Seed> {
    let meta = match read(META)? {
        Some(json) => openstack::load(&json).with_context(|| format!("{place}: {META}"))?,
        None => Value::Map(Mapping::default()),
    };
    let Value::Map(meta) = meta else { bail!("{place}: {META}: it is {} and no mapping", meta.kind()) };
    // Each of them costs only itself.
    let mut file = |name: &str| {
        let text = read(name).map(|data| String::from_utf8_lossy(&data.unwrap_or_default()).into_owned());
        text.unwrap_or_else(|error| {
            report.warn(format!("{place}: {name}: {error:#} (going on without it)"));
            String::new()
        })
    };
    let mut all = Mapping::default();
    let (keys, network) = (Value::Str(file(KEYS)), Value::Str(file(NETWORK)));
    let id = meta.get("instance-id").cloned().unwrap_or_else(|| ID.into());
    let keys_in_effect = meta_data::keys(meta.get("public-keys").unwrap_or(&keys));
    let keys_in_effect = keys_in_effect.into_iter().filter(|key| !key.starts_with('#'));
    let user_data = match meta.get("user-data") {
        None | Some(Value::Null) => String::new(),
        Some(Value::Str(text)) => text.clone(),
        Some(other) => {
            report.warn(format!("{place}: {META}: user-data is {} and no text", other.kind()));
            String::new()
        }
    };
    all.set("instance-id", id);
    all.set("public-keys", Value::Seq(keys_in_effect.map(Value::Str).collect()));
    for (name, value) in [("authorized_keys", keys), ("network_config", network), (META_JS, Value::Map(meta))]
    {
        all.set(name, value);
    }
    Ok(Seed {
        source: "configdrive".into(),
        place: place.into(),
        user_data: user_data.into_bytes().into(),
        meta_data: MetaData::from(all),
        ..Seed::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Result<Seed> {
        let read = |name: &str| {
            let file = files.iter().find(|(own, _)| *own == name);
            Ok(file.map(|(_, text)| text.as_bytes().to_vec()))
        };
        seed("drive", read, &mut Report::default())
    }

    /// The expected values follow cloud-init 26.2's `read_v1`, which ends where keys are in the file alone: it takes
    /// bytes for a text.
    #[test]
    fn a_drive_of_version_1_is_read() {
        let keys = (KEYS, "# made by nova\nssh-rsa F\n\n");
        for (files, id, user_data, public_keys) in [
            (
                &[(META, r##"{"instance-id": "i-1", "user-data": "#!/bin/sh\n"}"##)][..],
                "i-1",
                "#!/bin/sh\n",
                &[][..],
            ),
            (&[(META, "{}")], ID, "", &[]),
            (&[keys], ID, "", &["ssh-rsa F"]),
            (
                &[keys, (META, r#"{"public-keys": "ssh-rsa M\n#x\nssh-rsa N"}"#)],
                ID,
                "",
                &["ssh-rsa M", "ssh-rsa N"],
            ),
            (&[keys, (META, r#"{"public-keys": ""}"#)], ID, "", &[]),
            (&[(META, r#"{"instance-id": 5}"#)], "5", "", &[]),
            (&[(META, r#"{"user-data": null}"#)], ID, "", &[]),
            (&[(META, r#"{"user-data": {"a": 1}}"#)], ID, "", &[]),
            (&[(META, "\t{\"instance-id\":\t\"i-t\"}")], "i-t", "", &[]),
            (&[(NETWORK, "auto lo\n")], ID, "", &[]),
        ] {
            let seed = of(files).unwrap();
            assert_eq!(seed.meta_data.instance_id.as_deref(), Some(id), "{files:?}");
            assert_eq!(seed.user_data.bytes(), user_data.as_bytes(), "{files:?}");
            assert_eq!(seed.meta_data.public_keys, public_keys, "{files:?}");
            assert_eq!(seed.meta_data.hostname, None, "{files:?}");
        }
        for broken in ["{", "[]", "5"] {
            assert!(of(&[(META, broken)]).is_err(), "{broken}");
        }
    }
}

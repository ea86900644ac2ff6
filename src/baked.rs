//! The settings that the initramfs's owner baked into it.

use crate::{files, state};
use anyhow::Result;

/// The same file's name in the initramfs and in a root.
pub(crate) const PATH: &str = "/etc/default/lifeboat";

/// The value of a key in the initramfs's settings; `None` when the file or the key is not there.
pub(crate) fn value(key: &str) -> Result<Option<String>> {
    Ok(files::read_text(PATH)?.and_then(|text| state::lookup(&text, key)))
}

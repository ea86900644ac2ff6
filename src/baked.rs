//! The settings that the initramfs's owner baked into it.

use crate::state;
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;

/// The same file's name in the initramfs and in a root.
pub(crate) const PATH: &str = "/etc/default/lifeboat";

/// The value of a key in the initramfs's settings; `None` when the file or the key is not there.
pub(crate) fn value(key: &str) -> Result<Option<String>> {
    match fs::read_to_string(PATH) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => Ok(state::lookup(&text.with_context(|| format!("read {PATH}"))?, key)),
    }
}

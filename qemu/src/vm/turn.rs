//! The limit of guests that run at a time, over all processes.

use std::fs::File;

use anyhow::{Context, Result};

use super::BETWEEN_TRIES;
use crate::cache::Cache;

/// The most guests that run at a time, over all processes: more are slower, for each takes a processor.
const GUESTS_AT_A_TIME: u32 = 2;

/// Waits until another guest may run; it may while this is held.
pub(super) fn turn(cache: &Cache) -> Result<File> {
    let folder = cache.folder(".locks")?;
    // The kernel hands a lock on in the order in which it was asked for: who just ended does not come first.
    let queue = folder.join("guest-queue");
    let queue = File::create(&queue).with_context(|| format!("make {}", queue.display()))?;
    queue.lock().context("wait for a turn")?;
    loop {
        for number in 0..GUESTS_AT_A_TIME {
            let path = folder.join(format!("guest-{number}"));
            let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
            if file.try_lock().is_ok() {
                return Ok(file);
            }
        }
        // Whichever ends first: a lock can be waited for, but only one at a time.
        std::thread::sleep(BETWEEN_TRIES);
    }
}

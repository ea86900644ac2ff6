//! Posts to a server that waits for the machine.

use crate::fetch::{Client, Over};
use crate::plan::PhoneCall;
use crate::root::Root;
use anyhow::Result;
use std::time::Duration;

/// The pause before another try.
const PAUSE: Duration = Duration::from_secs(3);

/// The time for one try, and the pause after it.
const EACH: Duration = Duration::from_secs(33);

/// Posts the fields of a form.
pub(super) fn post(call: &PhoneCall, root: &Root) -> Result<()> {
    let client = Client::new(EACH * call.tries, Over::Either, root)?;
    let mut tries = call.tries;
    loop {
        tries = tries.saturating_sub(1);
        match client.post_form(&call.url, &call.fields) {
            Err(_) if tries > 0 => std::thread::sleep(PAUSE),
            ended => return ended,
        }
    }
}

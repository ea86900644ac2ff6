//! Before the network: the host name that the kernel command line gives.

use crate::apply::{Patience, apply};
use crate::handlers::Stage;
use crate::instance::Instance;
use crate::plan::Step;
use crate::report::Report;
use crate::root::Root;
use crate::sources::hand_off;
use anyhow::Result;

/// Sets the name on the running system alone. It is written to /etc/hostname with the network, when it is
/// known whether the user-data has another one.
pub(crate) fn local(root: &Root, report: &mut Report) -> Result<()> {
    let hand_off = match hand_off::read_below(root) {
        Ok(Some(hand_off)) => hand_off,
        Ok(None) => {
            report.info("there is no seed on the kernel command line");
            return Ok(());
        }
        Err(error) => {
            // The next stage tells it as an error, once.
            report.info(&format!("{error:#}"));
            return Ok(());
        }
    };
    // A machine that has been this instance before has its name in /etc/hostname already.
    let known = Instance::current(root)?
        .is_some_and(|instance| hand_off.instance_id.is_none_or(|id| id == instance.id));
    match hand_off.local_hostname {
        Some(name) if !known => {
            let step = Step::HostName(name.split('.').next().unwrap_or_default().to_owned());
            apply(&step, &[], Patience::of(Stage::Init), root, report)?;
            report.info(&step.to_string());
        }
        _ => report.info("the host name stays as it is for now"),
    }
    Ok(())
}

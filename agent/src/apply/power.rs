//! Turns the machine off, or restarts it: the last thing of a stage, after its record.

use super::attended;
use crate::plan::PowerChange;
use crate::report::Report;
use anyhow::{Context, Result};

/// Does what the stage asked for, if its condition is met.
pub(crate) fn change_power(report: &mut Report) {
    let Some(change) = report.power.take() else { return };
    let changed = change_if(&change, report).context("power_state");
    report.take(changed);
}

fn change_if(change: &PowerChange, report: &mut Report) -> Result<()> {
    if let Some(condition) = &change.condition {
        match attended(condition).context("its condition")? {
            0 => {}
            1 => {
                report.info("power_state: its condition is not met");
                return Ok(());
            }
            code => {
                report.warn(format!(
                    "power_state: left out, for its condition ended with {code} (0 is yes, 1 is no)"
                ));
                return Ok(());
            }
        }
    }
    rustix::fs::sync();
    super::succeeded(attended(&change.argv)?)
}

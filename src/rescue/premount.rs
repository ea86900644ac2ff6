//! Before the root is waited for, unlocked or mounted: steers init to a rescue volume.

use super::decision::{self, Decision, How, Original};
use super::{Choice, Scan, notice};
use crate::initramfs_tools;
use crate::kmsg::{self, Level};
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, Volume};
use anyhow::Result;
use std::fmt;

/// Steers, or says why the own root is booted.
pub(crate) fn run(mode: Mode) -> Result<Outcome> {
    let scan = Scan::of(volume::devices()?);
    let plan = plan(scan.choose(), initramfs_tools::own_root().as_deref(), &scan.volumes);
    if mode == Mode::Apply {
        for line in scan.complaints.iter().chain(&plan.remarks) {
            kmsg::log(Level::Info, "rescue", line);
        }
        apply(&plan.decision, &scan.devices)?;
    }
    Ok(match plan.decision {
        Decision::Rescue { .. } => Outcome::Loud(plan.to_string()),
        Decision::OwnRoot { reason } => Outcome::Skipped(reason),
    })
}

#[derive(PartialEq, Eq, Debug)]
struct Plan {
    decision: Decision,
    /// A line on each volume that was passed over for another.
    remarks: Vec<String>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decision {
            Decision::Rescue { volume, original, .. } => {
                write!(f, "booting from {volume} in place of {original}")
            }
            Decision::OwnRoot { reason } => write!(f, "{reason}"),
        }
    }
}

fn plan(choice: Choice, own_root: Option<&str>, volumes: &[Volume]) -> Plan {
    let Some(volume) = choice.chosen else {
        return Plan {
            decision: Decision::OwnRoot { reason: choice.reason_for_none() },
            remarks: Vec::new(),
        };
    };
    if own_root.is_some_and(|own_root| own_root == volume.device.to_string_lossy()) {
        let reason = format!("the root is the rescue volume {volume} already");
        return Plan { decision: Decision::OwnRoot { reason }, remarks: choice.passed_over };
    }
    let original = Original::find(own_root, volumes, &volume);
    Plan { decision: Decision::Rescue { volume, how: How::Steered, original }, remarks: choice.passed_over }
}

/// The decision is on record before init is steered, and is taken back when that does not succeed.
fn apply(decision: &Decision, devices: &[String]) -> Result<()> {
    decision.write(devices)?;
    let Decision::Rescue { volume, original, .. } = decision else { return Ok(()) };
    let steered = notice::write(volume, original).and_then(|()| initramfs_tools::steer(volume));
    if steered.is_err() {
        decision::forget()?;
        notice::forget()?;
    }
    steered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(device: &str, label: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(label.as_bytes().to_vec()),
            uuid: None,
        }
    }

    fn choice(chosen: Option<Volume>) -> Choice {
        Choice { chosen, passed_over: Vec::new() }
    }

    #[test]
    fn init_is_steered_to_the_chosen_volume() {
        let (own, rescue) = (volume("/dev/vda", "own"), volume("/dev/vdb", "RESCUE"));
        let plan = plan(choice(Some(rescue.clone())), Some("LABEL=own"), &[own, rescue]);
        assert_eq!(
            plan.to_string(),
            "booting from /dev/vdb (ext4, label RESCUE) in place of /dev/vda (ext4, label own)"
        );
    }

    #[test]
    fn without_a_volume_the_own_root_is_booted() {
        let plan = plan(choice(None), Some("LABEL=own"), &[]);
        assert_eq!(plan.to_string(), "no volume is labelled RESCUE or UEC-rescue");
        assert!(matches!(plan.decision, Decision::OwnRoot { .. }));
    }

    #[test]
    fn a_root_that_is_the_rescue_volume_needs_no_steering() {
        let rescue = volume("/dev/vda", "RESCUE");
        let plan = plan(choice(Some(rescue.clone())), Some("/dev/vda"), &[rescue]);
        assert_eq!(plan.to_string(), "the root is the rescue volume /dev/vda (ext4, label RESCUE) already");
    }
}

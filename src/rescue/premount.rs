//! Before the root is waited for, unlocked or mounted: steers init to a rescue volume.

use super::decision::{BootSoFar, Decision, DecisionRecord, HowBooted, OriginalRoot};
use super::selector::Selector;
use super::settings::RescueSettings;
use super::{Choice, Scan, carry_out, identity};
use crate::initramfs_tools::{self, Ignored};
use crate::kmsg::{self, LogLevel};
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, Nature, Volume};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::fmt;
use std::path::PathBuf;

/// Steers, or says why the own root is booted.
pub(crate) fn run(line: &CommandLine, mode: Mode) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    if let Some(place) = settings.off {
        return Ok(Outcome::Skipped(format!("`off` is {place}")));
    }
    let own_root = initramfs_tools::own_root();
    let mut so_far = BootSoFar::default();
    let scan = Scan::of_rescue_volumes(&mut so_far, &settings, own_root.as_deref())?;
    let plan = plan(scan.choose(), own_root.as_deref(), &scan.volumes);
    if mode == Mode::Apply {
        for line in settings.complaints.iter().chain(&scan.complaints).chain(&plan.remarks) {
            kmsg::log(LogLevel::Info, "rescue", line);
        }
        let settled = settle_identities(&scan, &so_far, own_root.as_deref(), &plan.decision);
        let ignored = if so_far.ignored.is_empty() { Ignored::None } else { Ignored::Some };
        initramfs_tools::watch(settled.root.as_deref(), settled.resume.as_deref(), ignored)?;
        carry_out(&DecisionRecord { decision: plan.decision.clone(), so_far }, None)?;
    }
    Ok(match &plan.decision {
        Decision::Rescue { .. } => Outcome::Loud(plan.to_string()),
        Decision::OwnRoot { reason } => Outcome::Skipped(reason.clone()),
    })
}

/// The devices that init's own settings are to mean; `None` leaves them as they are.
#[derive(Default)]
struct Settled {
    /// The root's.
    root: Option<PathBuf>,
    /// A hibernated system's.
    resume: Option<PathBuf>,
}

/// Sees to it that what names the own root and disk does not lead to an ignored volume. Whatever fails here
/// fails alone: it is told, and the boot is as it would have been.
fn settle_identities(
    scan: &Scan,
    so_far: &BootSoFar,
    own_root: Option<&str>,
    decision: &Decision,
) -> Settled {
    let Some(selector) = own_root.and_then(Selector::parse) else { return Settled::default() };
    let tell = |error: &anyhow::Error| kmsg::log(LogLevel::Error, "rescue", &format!("{error:#}"));
    let pinned = identity::pin(&selector, &scan.volumes, &scan.candidates);
    let pinned = match decision {
        Decision::OwnRoot { .. } => pinned.inspect_err(tell),
        // init takes neither of those that are named.
        Decision::Rescue { .. } => pinned,
    };
    let pinned = pinned.ok().flatten();
    let named = || scan.volumes.iter().filter(|volume| selector.names(volume));
    let own = named().find(|volume| !so_far.shuns(&volume.device)).cloned();
    if own.is_none()
        && !matches!(selector, Selector::Device(_))
        && let Some(ignored) = named().next()
    {
        let text = format!("root={selector} is missing: only {ignored} has it, and is ignored");
        kmsg::log(LogLevel::Error, "rescue", &text);
    }
    let own_disk = pinned.clone().or(own).map(|volume| volume.disk);
    let disks = identity::ignored_disks(&scan.candidates, own_disk.as_deref());
    // Where several could be the own root, udev knows better.
    let is_known = pinned.is_some() || named().filter(|volume| !so_far.shuns(&volume.device)).count() == 1;
    if let Err(error) = identity::give_way(&disks, own_disk.as_deref().filter(|_| is_known)) {
        tell(&error);
    }
    let resume =
        own_disk.and_then(|own_disk| settle_resume(&own_disk, &disks).inspect_err(tell).ok().flatten());
    let Some(pinned) = pinned else { return Settled { root: None, resume } };
    for other in scan.volumes.iter().filter(|other| pinned.is_taken_for(other)) {
        if let Err(error) = volume::forget_btrfs(&other.device) {
            tell(&error);
        }
    }
    let pinned = pinned.device;
    kmsg::log(
        LogLevel::Info,
        "rescue",
        &format!("root={selector} is {}, not the ignored copy", pinned.display()),
    );
    Settled { root: Some(pinned), resume }
}

/// The memory of a hibernated system that was copied is the own one's of another time.
fn settle_resume(own_disk: &str, ignored_disks: &[String]) -> Result<Option<PathBuf>> {
    let named = initramfs_tools::own_resume().filter(|_| !ignored_disks.is_empty());
    let Some(selector) = named.as_deref().and_then(Selector::parse) else { return Ok(None) };
    let volumes = volume::all_with_partitions(&volume::devices()?);
    let Some(own) = identity::pin_resume(&selector, &volumes, own_disk, ignored_disks) else {
        return Ok(None);
    };
    let text = format!("resume={selector} is {}, not the ignored copy", own.device.display());
    kmsg::log(LogLevel::Info, "rescue", &text);
    Ok(Some(own.device.clone()))
}

#[derive(PartialEq, Eq, Debug)]
struct SteerPlan {
    decision: Decision,
    /// Where a volume is chosen, a line on each candidate.
    remarks: Vec<String>,
}

impl fmt::Display for SteerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decision {
            Decision::Rescue { volume, original, .. } => {
                let access = match volume.nature() {
                    Nature::Writable => "",
                    Nature::ReadOnly => ", which is read-only,",
                };
                write!(f, "booting from {volume}{access} in place of {original}")
            }
            Decision::OwnRoot { reason } => write!(f, "{reason}"),
        }
    }
}

fn plan(choice: Choice, own_root: Option<&str>, volumes: &[Volume]) -> SteerPlan {
    let Some(volume) = choice.chosen else {
        return SteerPlan {
            decision: Decision::OwnRoot { reason: choice.reason_for_none() },
            remarks: Vec::new(),
        };
    };
    if own_root.is_some_and(|own_root| own_root == volume.device.to_string_lossy()) {
        let reason = format!("the root is the rescue volume {volume} already");
        return SteerPlan { decision: Decision::OwnRoot { reason }, remarks: choice.reasons };
    }
    let original = OriginalRoot::find(own_root, volumes, &volume);
    SteerPlan {
        decision: Decision::Rescue { volume, how: HowBooted::Steered, original },
        remarks: choice.reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::for_tests::volume;

    fn choice(chosen: Option<Volume>) -> Choice {
        Choice { chosen, reasons: Vec::new() }
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
        assert_eq!(plan.to_string(), "no volume is labelled RESCUE, UEC-rescue, RESCUE_VOL");
        assert!(matches!(plan.decision, Decision::OwnRoot { .. }));
    }

    #[test]
    fn a_root_that_is_the_rescue_volume_needs_no_steering() {
        let rescue = volume("/dev/vda", "RESCUE");
        let plan = plan(choice(Some(rescue.clone())), Some("/dev/vda"), &[rescue]);
        assert_eq!(plan.to_string(), "the root is the rescue volume /dev/vda (ext4, label RESCUE) already");
    }
}

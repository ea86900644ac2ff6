//! Before the root is waited for, unlocked or mounted: steers init to a rescue volume.

use super::decision::{BootSoFar, Decision, DecisionRecord, HowBooted, OriginalRoot};
use super::selector::Selector;
use super::settings::RescueSettings;
use super::{Scan, carry_out, identity};
use crate::initramfs_tools::{self, Ignored};
use crate::kmsg::{self, LogLevel};
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, Nature, stack};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use lifeboat_common::rescue_volume::LABELS;
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
    let plan = plan(&scan, own_root.as_deref());
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
    let own = pinned.clone().or(own);
    let own_disks = match &own {
        Some(own) => stack::disks_of(&own.device),
        // It may be in something that is still to be assembled.
        None => stack::disks_with_members(&scan.volumes),
    };
    let disks = identity::ignored_disks(&scan.candidates, &own_disks);
    // Where several could be the own root, udev knows better.
    let is_known = pinned.is_some() || named().filter(|volume| !so_far.shuns(&volume.device)).count() == 1;
    // Where nothing is known of it, its own disk may be one of these.
    if !own_disks.is_empty()
        && let Err(error) = identity::give_way(&disks, if is_known { &own_disks } else { &[] })
    {
        tell(&error);
    }
    let resume = own.and_then(|own| settle_resume(&own.disk, &disks).inspect_err(tell).ok().flatten());
    let Some(pinned) = pinned else { return Settled { root: None, resume } };
    for other in scan.volumes.iter().filter(|other| pinned.is_taken_for(other)) {
        if let Err(error) = volume::forget_btrfs(&other.device) {
            tell(&error);
        }
    }
    let pinned = volume::known_as(&pinned.device);
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

fn plan(scan: &Scan, own_root: Option<&str>) -> SteerPlan {
    let choice = scan.choose();
    let Some(volume) = choice.chosen else {
        let (reason, remarks) = match scan.own_root() {
            Some(own) => (format!("the root is the rescue volume {} already", own.volume), choice.reasons),
            None => (choice.reason_for_none(), Vec::new()),
        };
        return SteerPlan { decision: Decision::OwnRoot { reason }, remarks };
    };
    let original = OriginalRoot::find(own_root, &scan.volumes, &volume);
    let mut remarks = choice.reasons;
    remarks.extend(own_root.and_then(Selector::parse).and_then(|root| ambiguity(&root, scan)));
    SteerPlan { decision: Decision::Rescue { volume, how: HowBooted::Steered, original }, remarks }
}

/// The message where `root=` is a rescue volume's label, and several volumes have it.
fn ambiguity(root: &Selector, scan: &Scan) -> Option<String> {
    let named = || scan.volumes.iter().filter(|volume| root.names(volume));
    if !root.is_one_of(&LABELS) || named().nth(1).is_none() {
        return None;
    }
    let devices: Vec<String> = named().map(|volume| volume.device.display().to_string()).collect();
    let devices = devices.join(" and ");
    Some(format!(
        "root={root} names {devices}: which of them is the machine's own root is not known (name it by root=UUID=…)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rescue::Claim;
    use crate::rescue::candidate::{Candidate, Verdict};
    use crate::volume::{PartitionNames, Volume};

    fn volume(device: &str, label: &str, uuid: &str) -> Volume {
        let numbered = |part: &str| Some(format!("{part}{}", device.trim_start_matches("/dev/vd")));
        Volume {
            uuid: Some(uuid.into()),
            partition: PartitionNames { uuid: numbered("p-"), label: numbered("n-") },
            ..crate::volume::for_tests::volume(device, label)
        }
    }

    /// The plan for these volumes; those with a rescue volume's label are candidates.
    fn planned(volumes: &[Volume], own_root: &str) -> String {
        let fit = |volume: &Volume| Candidate {
            volume: volume.clone(),
            claim: Claim::Labelled(0),
            serial: None,
            verdict: Verdict::Fit,
        };
        let labelled = volumes.iter().filter(|volume| volume.label.as_deref() == Some(b"RESCUE"));
        let mut scan =
            Scan { volumes: volumes.to_vec(), candidates: labelled.map(fit).collect(), ..Scan::default() };
        scan.candidates.sort_unstable_by(Candidate::order);
        scan.set_own(Selector::parse(own_root).as_ref());
        plan(&scan, Some(own_root)).to_string()
    }

    #[test]
    fn init_is_steered_to_the_chosen_volume() {
        assert_eq!(
            planned(&[volume("/dev/vda", "own", "u"), volume("/dev/vdb", "RESCUE", "v")], "LABEL=own"),
            "booting from /dev/vdb (ext4, label RESCUE) in place of /dev/vda (ext4, label own)"
        );
    }

    #[test]
    fn without_a_volume_the_own_root_is_booted() {
        let said = "no volume is labelled RESCUE, UEC-rescue, RESCUE_VOL";
        assert_eq!(planned(&[], "LABEL=own"), said);
        assert_eq!(planned(&[volume("/dev/vda", "own", "u")], "LABEL=own"), said);
    }

    #[test]
    fn the_own_root_is_no_rescue_volume_whatever_its_label_is() {
        let own = || volume("/dev/vda", "RESCUE", "own");
        let copy = || volume("/dev/vdb", "data", "own");
        let data = || volume("/dev/vdb", "data", "data");
        let already = "the root is the rescue volume /dev/vda (ext4, label RESCUE) already";
        // How the root is named, whether a copy of it is told from it by that.
        for (named, is_told) in [
            ("/dev/vda", true),
            ("/dev//vda", true),
            ("UUID=own", false),
            ("UUID=OWN", false),
            ("UUID=\"own\"", false),
            ("LABEL=RESCUE", true),
            ("PARTUUID=p-a", true),
            ("PARTLABEL=n-a", true),
            ("/dev/disk/by-uuid/own", false),
            ("/dev/disk/by-label/RESCUE", true),
            ("/dev/disk/by-label/\\x52ESCUE", true),
            ("/dev/disk/by-partuuid/p-a", true),
            ("/dev/disk/by-partlabel/n-a", true),
        ] {
            assert_eq!(planned(&[own(), data()], named), already, "{named}");
            assert_eq!(planned(&[own()], named), already, "{named}");
            let beside = planned(&[own(), copy()], named);
            assert_eq!(beside == already, is_told, "{named}: {beside}");
            assert_eq!(beside.starts_with("booting from /dev/vda "), !is_told, "{named}: {beside}");
        }
        for named in ["UUID=data", "/dev/vdb", "/dev/nfs", "ubi0:root", "UUID=gone", "LABEL=own"] {
            let seen = planned(&[own(), data()], named);
            assert!(
                seen.starts_with("booting from /dev/vda (ext4, label RESCUE) in place of "),
                "{named}: {seen}"
            );
        }
    }

    #[test]
    fn an_own_root_that_is_no_fit_rescue_volume_is_not_called_ignored() {
        let own = volume("/dev/vda", "RESCUE", "own");
        let planned = |verdict| {
            let candidate =
                Candidate { volume: own.clone(), claim: Claim::Labelled(0), serial: None, verdict };
            let mut scan =
                Scan { volumes: vec![own.clone()], candidates: vec![candidate], ..Scan::default() };
            scan.set_own(Selector::parse("UUID=own").as_ref());
            plan(&scan, Some("UUID=own")).to_string()
        };
        let already = "the root is the rescue volume /dev/vda (ext4, label RESCUE) already";
        assert_eq!(planned(Verdict::NoUsr("UUID=usr".into())), already);
        let finished = planned(Verdict::Finished("finished"));
        assert!(finished.contains("is ignored: it holds /finished"), "{finished}");
    }

    #[test]
    fn beside_an_own_root_with_the_label_the_other_volume_is_the_rescue() {
        for (own, other) in [("a", "b"), ("b", "a")] {
            let volumes = [volume("/dev/vda", "RESCUE", own), volume("/dev/vdb", "RESCUE", other)];
            for named in [format!("UUID={own}"), "/dev/vda".into(), format!("/dev/disk/by-uuid/{own}")] {
                assert_eq!(
                    planned(&volumes, &named),
                    "booting from /dev/vdb (ext4, label RESCUE) in place of /dev/vda (ext4, label RESCUE)"
                );
            }
        }
    }

    #[test]
    fn a_root_that_is_named_by_a_rescue_volumes_label_is_one_of_several() {
        let [a, b] = [volume("/dev/vda", "RESCUE", "a"), volume("/dev/vdb", "RESCUE", "b")];
        let both = "root=LABEL=RESCUE names /dev/vda and /dev/vdb: which of them is the machine's own root is not \
                    known (name it by root=UUID=…)";
        for (named, volumes, said) in [
            ("LABEL=RESCUE", vec![a.clone(), b.clone()], Some(both)),
            ("/dev/disk/by-label/RESCUE", vec![a.clone(), b.clone()], Some(both)),
            ("LABEL=RESCUE", vec![a.clone(), volume("/dev/vdb", "data", "b")], None),
            ("UUID=a", vec![a.clone(), b.clone()], None),
            // The recommended case: the rescue volume is a copy of the own root.
            ("UUID=a", vec![volume("/dev/vda", "own", "a"), volume("/dev/vdb", "RESCUE", "a")], None),
        ] {
            let scan = Scan { volumes, ..Scan::default() };
            let seen = ambiguity(&Selector::parse(named).unwrap(), &scan);
            assert_eq!(seen.as_deref(), said, "{named}");
        }
    }

    #[test]
    fn the_devices_of_one_btrfs_are_one_root_and_those_of_a_copy_are_not() {
        let part = |device: &str, part: &str| Volume {
            kind: "btrfs".into(),
            device_uuid: Some(part.into()),
            ..volume(device, "RESCUE", "own")
        };
        let already = "the root is the rescue volume /dev/vda (btrfs, label RESCUE) already";
        assert_eq!(planned(&[part("/dev/vda", "1")], "UUID=own"), already);
        let mut several = [part("/dev/vda", "1"), part("/dev/vdb", "2")];
        several[1].label = None;
        assert_eq!(planned(&several, "UUID=own"), already);
        several[1].device_uuid = Some("1".into());
        assert!(planned(&several, "UUID=own").starts_with("booting from "));
    }
}

//! Boots a rescue volume in place of the machine's own root, unless it is marked as finished
//! (`CloudServerNattyCloudImages`, "rescue boot").

mod adopt;
pub(crate) mod block;
pub(crate) mod bottom;
mod candidate;
mod decision;
mod fstab;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod identity;
pub(crate) mod last;
pub(crate) mod mounted;
mod notice;
mod pivot;
pub(crate) mod premount;
pub(crate) mod resolve;
mod runnable;
pub(crate) mod selector;
mod settings;
pub(crate) mod wait;
mod watch;

use crate::initramfs_tools::{self, Stuck};
use crate::kmsg::{self, LogLevel};
use crate::mounts;
use crate::volume::{self, Volume, glance};
use anyhow::Result;
use candidate::{Candidate, Verdict};
use decision::{BootSoFar, Decision, DecisionRecord};
use lifeboat_common::rescue_volume::{self, LABELS};
use notice::Tenants;
use selector::Selector;
use settings::RescueSettings;
use std::path::PathBuf;

/// The content of the machine's block devices.
#[derive(Default, Debug)]
struct Scan {
    volumes: Vec<Volume>,
    /// The volumes that are labelled or named as rescue volumes, the one to be preferred first.
    candidates: Vec<Candidate>,
    /// One line for each device that could not be read.
    complaints: Vec<String>,
    /// The device of the machine's own root, where `root=` names one volume and no other. It is no rescue volume,
    /// whatever its label is.
    own: Option<PathBuf>,
}

impl Scan {
    /// Scans like [`Self::of_new`], where it only matters if there is a rescue volume: most machines have none.
    fn of_rescue_volumes(
        so_far: &mut BootSoFar,
        settings: &RescueSettings,
        own_root: Option<&str>,
    ) -> Result<Self> {
        if settings.named.is_empty()
            && settings.require.is_none()
            && let Some(devices) = glance::without(&LABELS)?
        {
            so_far.looked(devices, Vec::new());
            return Ok(Self::default());
        }
        Ok(Self::of_new(so_far, settings, own_root)?.unwrap_or_default())
    }

    /// Looks at the devices that were not looked at yet, and takes note of it; `None` when none came or went.
    /// `own_root` is what `root=` says.
    fn of_new(
        so_far: &mut BootSoFar,
        settings: &RescueSettings,
        own_root: Option<&str>,
    ) -> Result<Option<Self>> {
        let devices = volume::devices()?;
        let known = so_far.looked_at.len();
        let new = so_far.new_among(&devices);
        if new.is_empty() && so_far.looked_at.len() == known {
            return Ok(None);
        }
        let mut scan = Self::default();
        let unread = scan.look_at(&new, settings, own_root, &so_far.unread);
        scan.leave_out(so_far, own_root);
        so_far.looked(devices, unread);
        Ok(Some(scan))
    }

    /// A volume that has failed is no candidate any more, and takes note of those that are not to be booted from.
    fn leave_out(&mut self, so_far: &mut BootSoFar, own_root: Option<&str>) {
        self.candidates.retain(|candidate| !so_far.has_failed(&candidate.volume));
        // A root that is named by such a label is meant, whatever else is said of it.
        if !own_root.and_then(Selector::parse).is_some_and(|own_root| own_root.is_one_of(&LABELS)) {
            let shunned = self.candidates.iter().filter(|candidate| candidate.verdict.shuns());
            so_far.ignored.extend(shunned.map(|candidate| volume::name_of(&candidate.volume.device)));
        }
    }

    /// Probes the devices, and looks into those that are labelled or named as rescue volumes. Returns those
    /// that could not be read; of what could not be read before nobody complains again.
    fn look_at(
        &mut self,
        devices: &[String],
        settings: &RescueSettings,
        own_root: Option<&str>,
        unread_before: &[String],
    ) -> Vec<String> {
        let own_root = own_root.and_then(Selector::parse);
        let mut selectors = settings.named.iter().chain(&settings.require).chain(&own_root);
        let need_partitions = selectors.any(Selector::needs_partition);
        let mut unread = Vec::new();
        mounts::clear_stale();
        let _ahead = volume::read_ahead(devices);
        for name in devices {
            let device = volume::node(name);
            let probed = volume::probe(&device).and_then(|found| match found {
                Some(mut found) if need_partitions => {
                    found.partition = volume::partition(&device)?;
                    Ok(Some(found))
                }
                found => Ok(found),
            });
            match probed {
                Ok(Some(volume)) => {
                    if let Some(claim) = claim(&volume, settings) {
                        let serial = volume::serial(name);
                        self.candidates.push(Candidate::judge(volume.clone(), claim, serial, settings));
                    }
                    self.volumes.push(volume);
                }
                Ok(None) => {}
                Err(error) => {
                    if !unread_before.contains(name) {
                        self.complaints.push(format!("{error:#}"));
                    }
                    unread.push(name.clone());
                }
            }
        }
        self.candidates.sort_unstable_by(Candidate::order);
        self.set_own(own_root.as_ref());
        unread
    }

    fn set_own(&mut self, own_root: Option<&Selector>) {
        self.own = own_root.and_then(|own_root| self.only_named(own_root)).map(|own| own.device.clone());
    }

    /// The volume that this names, unless it names another as well. The devices of one btrfs are one.
    fn only_named(&self, root: &Selector) -> Option<&Volume> {
        let mut named =
            self.volumes.iter().filter(|volume| volume.file_system().is_some() && root.names(volume));
        let first = named.next()?;
        let is_of_it = |other: &Volume| {
            (&other.kind, &other.uuid) == (&first.kind, &first.uuid)
                && other.kind == "btrfs"
                && other.device_uuid != first.device_uuid
        };
        named.all(is_of_it).then_some(first)
    }

    /// The candidate that is the machine's own root.
    fn own_root(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| self.is_own_root(candidate))
    }

    /// Where it is not fit as a rescue volume, because its /usr is on another disk, it is the own root all the same.
    fn is_own_root(&self, candidate: &Candidate) -> bool {
        !candidate.verdict.shuns() && self.own.as_ref() == Some(&candidate.volume.device)
    }

    /// The first fit candidate, and of each why it won or lost.
    fn choose(&self) -> Choice {
        let mut fit = self.candidates.iter().filter(|candidate| candidate.verdict == Verdict::Fit);
        let chosen = fit.find(|candidate| !self.is_own_root(candidate));
        let reasons = self
            .candidates
            .iter()
            .map(|candidate| match (&candidate.verdict, chosen) {
                _ if self.is_own_root(candidate) => {
                    format!("{} is not used: it is the machine's own root", candidate.volume)
                }
                (Verdict::Fit, Some(chosen)) if chosen.volume.device == candidate.volume.device => {
                    let why = match chosen.claim {
                        Claim::Named(_) => "it is named in the settings",
                        Claim::Labelled(_) => "its label is that of a rescue volume",
                    };
                    format!("{} is chosen: {why}", candidate.volume)
                }
                (Verdict::Fit, Some(chosen)) => {
                    let reason = candidate.why_after(chosen);
                    format!("{} is not used: {} {reason}", candidate.volume, chosen.volume.device.display())
                }
                (verdict, _) => format!("{} is ignored: {verdict}", candidate.volume),
            })
            .collect();
        Choice { chosen: chosen.map(|candidate| candidate.volume.clone()), reasons }
    }

    /// Chooses, and says what was not read and why which candidate won.
    fn choose_and_tell(&self) -> Choice {
        let choice = self.choose();
        for line in self.complaints.iter().chain(&choice.reasons) {
            kmsg::log(LogLevel::Info, "rescue", line);
        }
        choice
    }
}

/// The decision is on record, and the rescue system's users are told, before init is steered; both are taken
/// back when that does not succeed.
fn carry_out(record: &DecisionRecord, stuck: Option<&Stuck>) -> Result<()> {
    record.write()?;
    let Decision::Rescue { volume, original, .. } = &record.decision else { return Ok(()) };
    let steered = notice::write(volume, original, Tenants::default())
        .and_then(|()| initramfs_tools::steer(volume, stuck));
    if steered.is_err() {
        decision::forget()?;
        notice::forget()?;
    }
    steered
}

/// The volume to boot from, and a line on each candidate: why it won or lost.
#[derive(PartialEq, Eq, Debug)]
struct Choice {
    chosen: Option<Volume>,
    reasons: Vec<String>,
}

impl Choice {
    /// The reason why the machine's own root is booted.
    fn reason_for_none(&self) -> String {
        if self.reasons.is_empty() {
            format!("no volume is labelled {}", LABELS.join(", "))
        } else {
            self.reasons.join("; ")
        }
    }
}

/// The reason why a volume is a candidate; a volume that is named comes before one that is labelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Claim {
    /// It is named in the settings, as the how-manieth.
    Named(usize),
    /// It has the how-manieth of the known labels.
    Labelled(usize),
}

fn claim(volume: &Volume, settings: &RescueSettings) -> Option<Claim> {
    // A volume that cannot be mounted as a file system (a member of an array, a locked volume) is no candidate.
    volume.file_system()?;
    if let Some(position) = settings.named.iter().position(|selector| selector.names(volume)) {
        return Some(Claim::Named(position));
    }
    rescue_volume::label_of(&volume.kind, volume.label.as_deref()?).map(Claim::Labelled)
}

#[cfg(test)]
mod tests {
    use super::candidate::Looked;
    use super::*;

    fn volume(device: &str, label: &str, uuid: &str) -> Volume {
        Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(label.as_bytes().to_vec()),
            uuid: Some(uuid.into()),
            ..Volume::default()
        }
    }

    fn candidate(device: &str, verdict: Verdict) -> Candidate {
        let volume = volume(device, "RESCUE", "u");
        Candidate { volume, claim: Claim::Labelled(0), serial: None, verdict }
    }

    fn scan(mut candidates: Vec<Candidate>) -> Scan {
        candidates.sort_unstable_by(Candidate::order);
        Scan { candidates, ..Scan::default() }
    }

    fn chosen(candidates: Vec<Candidate>) -> String {
        scan(candidates).choose().chosen.unwrap().device.display().to_string()
    }

    #[test]
    fn a_volume_without_a_reason_against_it_is_chosen() {
        assert_eq!(chosen(vec![candidate("/dev/vdb", Verdict::Fit)]), "/dev/vdb");
    }

    #[test]
    fn a_finished_volume_is_ignored_and_said_so() {
        let choice = scan(vec![candidate("/dev/vdb", Verdict::Finished("finished"))]).choose();
        assert_eq!(choice.chosen, None);
        assert_eq!(
            choice.reason_for_none(),
            "/dev/vdb (ext4, label RESCUE) is ignored: it holds /finished (remove that to boot from the volume again)"
        );
    }

    #[test]
    fn the_next_volume_is_taken_when_the_first_is_ignored() {
        let candidates = || {
            vec![candidate("/dev/vdb", Verdict::NoInit(Looked::InAll)), candidate("/dev/vdc", Verdict::Fit)]
        };
        assert_eq!(chosen(candidates()), "/dev/vdc");
        assert_eq!(
            scan(candidates()).choose().reasons,
            [
                "/dev/vdb (ext4, label RESCUE) is ignored: \
                 it holds no init (/sbin/init, /etc/init, /bin/init, /bin/sh)",
                "/dev/vdc (ext4, label RESCUE) is chosen: its label is that of a rescue volume",
            ]
        );
    }

    #[test]
    fn copies_are_told_apart_by_serial_number_and_then_by_device() {
        let copy = |device: &str, serial: Option<&str>| Candidate {
            serial: serial.map(str::to_owned),
            ..candidate(device, Verdict::Fit)
        };
        assert_eq!(chosen(vec![copy("/dev/vdb", Some("z")), copy("/dev/vdc", Some("a"))]), "/dev/vdc");
        assert_eq!(chosen(vec![copy("/dev/vdc", None), copy("/dev/vdb", None)]), "/dev/vdb");
        let choice = scan(vec![copy("/dev/vdb", None), copy("/dev/vdc", None)]).choose();
        assert_eq!(
            choice.reasons,
            [
                "/dev/vdb (ext4, label RESCUE) is chosen: its label is that of a rescue volume",
                "/dev/vdc (ext4, label RESCUE) is not used: /dev/vdb has the same label and UUID and comes first by device"
            ]
        );
    }

    #[test]
    fn the_order_of_the_devices_decides_nothing_else() {
        let make = |device: &str, label: &str, uuid: &str, claim| Candidate {
            volume: volume(device, label, uuid),
            claim,
            serial: None,
            verdict: Verdict::Fit,
        };
        for [a, b] in [["/dev/vdb", "/dev/vdc"], ["/dev/vdc", "/dev/vdb"]] {
            let by_label = vec![
                make(a, "RESCUE", "z", Claim::Labelled(0)),
                make(b, "UEC-rescue", "a", Claim::Labelled(1)),
            ];
            assert_eq!(chosen(by_label), a);
            let by_uuid =
                vec![make(a, "RESCUE", "a", Claim::Labelled(0)), make(b, "RESCUE", "z", Claim::Labelled(0))];
            assert_eq!(chosen(by_uuid), a);
            let named =
                vec![make(a, "fixer", "z", Claim::Named(0)), make(b, "RESCUE", "a", Claim::Labelled(0))];
            let choice = scan(named).choose();
            assert_eq!(
                choice.reasons,
                [
                    format!("{a} (ext4, label fixer) is chosen: it is named in the settings"),
                    format!("{b} (ext4, label RESCUE) is not used: {a} is named in the settings"),
                ]
            );
        }
    }

    #[test]
    fn only_what_can_be_mounted_is_a_candidate_by_its_label() {
        let settings = RescueSettings::from(None, None);
        for (kind, label, expected) in [
            ("ext4", "UEC-rescue", Some(Claim::Labelled(1))),
            ("ext4", "rescue", None),
            ("linux_raid_member", "RESCUE", None),
            ("crypto_LUKS", "RESCUE", None),
        ] {
            let volume = Volume { kind: kind.into(), ..volume("/dev/vdb", label, "u") };
            assert_eq!(claim(&volume, &settings), expected, "{kind} {label}");
        }
    }

    #[test]
    fn what_the_settings_name_is_a_candidate_whatever_its_label() {
        let settings =
            RescueSettings { named: vec![Selector::Uuid("U".into())], ..RescueSettings::from(None, None) };
        assert_eq!(claim(&volume("/dev/vdb", "data", "u"), &settings), Some(Claim::Named(0)));
        assert_eq!(claim(&volume("/dev/vdb", "data", "v"), &settings), None);
    }
}

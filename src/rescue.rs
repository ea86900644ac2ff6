//! Boots a volume labelled RESCUE or UEC-rescue in place of the machine's own root, unless it holds
//! `/finished` (`CloudServerNattyCloudImages`, "rescue boot").

pub(crate) mod bottom;
mod candidate;
mod decision;
mod notice;
pub(crate) mod premount;

use crate::volume::{self, Volume};
use candidate::{Candidate, Verdict};

/// The labels that make a volume a rescue volume.
const LABELS: [&str; 2] = ["RESCUE", "UEC-rescue"];

/// What is on the machine's block devices.
#[derive(Debug)]
struct Scan {
    /// The kernel's names of all devices that were looked at.
    devices: Vec<String>,
    volumes: Vec<Volume>,
    candidates: Vec<Candidate>,
    /// One line for each device that could not be read.
    complaints: Vec<String>,
}

impl Scan {
    /// Probes the devices, and looks into those that are labelled as rescue volumes.
    fn of(devices: Vec<String>) -> Self {
        let mut scan = Self { devices, volumes: Vec::new(), candidates: Vec::new(), complaints: Vec::new() };
        for name in &scan.devices {
            match volume::probe(&volume::node(name)) {
                Ok(Some(volume)) => {
                    if has_rescue_label(&volume) {
                        scan.candidates.push(Candidate::judge(volume.clone()));
                    }
                    scan.volumes.push(volume);
                }
                Ok(None) => {}
                Err(error) => scan.complaints.push(format!("{error:#}")),
            }
        }
        scan
    }

    /// The first fit candidate in the order of the devices' names; the others are told with their reasons.
    fn choose(&self) -> Choice {
        let chosen = self.candidates.iter().find(|candidate| candidate.verdict == Verdict::Fit);
        let chosen = chosen.map(|candidate| candidate.volume.clone());
        let passed_over = self
            .candidates
            .iter()
            .filter(|candidate| Some(&candidate.volume) != chosen.as_ref())
            .map(|candidate| match (&candidate.verdict, &chosen) {
                (Verdict::Fit, Some(chosen)) => {
                    format!("{} is not used: {} comes first", candidate.volume, chosen.device.display())
                }
                (verdict, _) => format!("{} is ignored: {verdict}", candidate.volume),
            })
            .collect();
        Choice { chosen, passed_over }
    }
}

/// The volume to boot from, and a line on each that is not.
#[derive(PartialEq, Eq, Debug)]
struct Choice {
    chosen: Option<Volume>,
    passed_over: Vec<String>,
}

impl Choice {
    /// Why the machine's own root is booted.
    fn reason_for_none(&self) -> String {
        if self.passed_over.is_empty() {
            format!("no volume is labelled {}", LABELS.join(" or "))
        } else {
            self.passed_over.join("; ")
        }
    }
}

fn has_rescue_label(volume: &Volume) -> bool {
    volume.label.as_deref().is_some_and(|label| LABELS.iter().any(|known| known.as_bytes() == label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn candidate(device: &str, verdict: Verdict) -> Candidate {
        let volume = Volume {
            device: device.into(),
            kind: "ext4".into(),
            label: Some(b"RESCUE".to_vec()),
            uuid: None,
        };
        Candidate { volume, verdict }
    }

    fn scan(candidates: Vec<Candidate>) -> Scan {
        Scan { devices: Vec::new(), volumes: Vec::new(), candidates, complaints: Vec::new() }
    }

    #[test]
    fn a_volume_without_a_reason_against_it_is_chosen() {
        let choice = scan(vec![candidate("/dev/vdb", Verdict::Fit)]).choose();
        assert_eq!(choice.chosen.unwrap().device, Path::new("/dev/vdb"));
        assert!(choice.passed_over.is_empty());
    }

    #[test]
    fn a_finished_volume_is_ignored_and_said_so() {
        let choice = scan(vec![candidate("/dev/vdb", Verdict::Finished)]).choose();
        assert_eq!(choice.chosen, None);
        assert_eq!(
            choice.reason_for_none(),
            "/dev/vdb (ext4, label RESCUE) is ignored: it holds /finished (remove it to boot from the volume again)"
        );
    }

    #[test]
    fn the_next_volume_is_taken_when_the_first_is_ignored() {
        let candidates = vec![candidate("/dev/vdb", Verdict::NoInit), candidate("/dev/vdc", Verdict::Fit)];
        let choice = scan(candidates).choose();
        assert_eq!(choice.chosen.unwrap().device, Path::new("/dev/vdc"));
        assert_eq!(choice.passed_over.len(), 1);
    }

    #[test]
    fn of_two_fit_volumes_the_first_is_taken_and_the_other_told() {
        let choice =
            scan(vec![candidate("/dev/vdb", Verdict::Fit), candidate("/dev/vdc", Verdict::Fit)]).choose();
        assert_eq!(choice.chosen.unwrap().device, Path::new("/dev/vdb"));
        assert_eq!(choice.passed_over, ["/dev/vdc (ext4, label RESCUE) is not used: /dev/vdb comes first"]);
    }

    #[test]
    fn only_the_known_labels_count() {
        for (label, counts) in
            [("RESCUE", true), ("UEC-rescue", true), ("rescue", false), ("RESCUE2", false), ("", false)]
        {
            let mut volume = candidate("/dev/vdb", Verdict::Fit).volume;
            volume.label = Some(label.as_bytes().to_vec());
            assert_eq!(has_rescue_label(&volume), counts, "{label}");
        }
    }
}

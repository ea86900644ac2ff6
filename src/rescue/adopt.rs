//! A volume that was ignored or has failed as a rescue volume, where nothing else is the root that `root=` names. It
//! may be the machine's own root, with a rescue volume's label. Without lifeboat it would have been booted at once.

use super::decision::BootSoFar;
use super::selector::Selector;
use super::watch;
use crate::state;
use crate::volume::Volume;
use anyhow::Result;
use lifeboat_common::environment_file::Lines;

/// The time that another disk with the root may take to appear, in seconds. init has waited for udev before.
pub(super) const PATIENCE: u64 = 10;

/// Where it is kept since when the root is missed.
const MISSED: &str = "missed";
const SINCE: &str = "SINCE";

/// Since when the root is missed, in seconds after the kernel's start: since now, unless that was noted before.
pub(super) fn missed_since() -> Result<u64> {
    let noted = state::read(MISSED, SINCE)?.and_then(|since| since.parse().ok());
    Ok(noted.unwrap_or_else(watch::now))
}

/// The same, and takes note of it.
pub(super) fn note_missed() -> Result<u64> {
    let since = missed_since()?;
    let mut lines = Lines::default();
    lines.push(SINCE, &since.to_string());
    state::write(MISSED, lines)?;
    Ok(since)
}

/// Finds the volume to boot where none was taken for the root. One that was only ignored comes before one that failed.
pub(super) fn last_resort<'a>(
    root: &Selector,
    volumes: &'a [Volume],
    so_far: &BootSoFar,
) -> Option<&'a Volume> {
    let named = || volumes.iter().filter(|volume| volume.file_system().is_some() && root.names(volume));
    if !named().all(|volume| so_far.shuns(&volume.device)) {
        return None;
    }
    named().find(|volume| !so_far.has_failed(volume)).or_else(|| named().next())
}

/// The message when it is booted.
pub(super) fn say(root: &str, volume: &Volume) -> String {
    format!(
        "root={} is on ignored volumes alone: {volume} is booted as the machine's own root (give it another label to \
         avoid this wait)",
        crate::kmsg::escape(root.as_bytes())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(device: &str, uuid: &str) -> Volume {
        Volume { uuid: Some(uuid.into()), ..crate::volume::for_tests::volume(device, "RESCUE") }
    }

    #[test]
    fn only_what_is_not_to_be_booted_is_a_last_resort() {
        let (a, b, other) = (volume("/dev/vda", "own"), volume("/dev/vdb", "own"), volume("/dev/vdc", "x"));
        let swap = Volume { kind: "swap".into(), ..volume("/dev/vdd", "own") };
        // The volumes that are ignored, that have failed and that are there, and the one that is booted.
        for (ignored, failed, there, booted) in [
            (&["vda"][..], &[][..], vec![&a, &other], Some(&a)),
            (&["vda"], &[], vec![&swap, &a], Some(&a)),
            (&[], &["/dev/vda"], vec![&a], Some(&a)),
            (&["vdb"], &["/dev/vda"], vec![&a, &b], Some(&b)),
            (&["vda", "vdb"], &[], vec![&a, &b], Some(&a)),
            (&["vda"], &[], vec![&a, &b], None),
            (&["vdc"], &[], vec![&other], None),
            (&[], &[], vec![&a], None),
            (&["vda"], &[], vec![], None),
        ] {
            let so_far = BootSoFar {
                ignored: ignored.iter().map(ToString::to_string).collect(),
                failed: failed.iter().map(ToString::to_string).collect(),
                ..BootSoFar::default()
            };
            let there: Vec<Volume> = there.into_iter().cloned().collect();
            let seen = last_resort(&Selector::Uuid("own".into()), &there, &so_far);
            assert_eq!(seen, booted, "{ignored:?} {failed:?} {there:?}");
        }
    }
}

//! When init gives up on the root: boots from a rescue volume that is there now, or waits, once in a boot, for
//! one to be attached or for the missing root to appear. Then init's own `panic()` runs as it would have.

use super::decision::{Decision, How, Original, Record, SoFar, Waited};
use super::settings::{Selector, Settings};
use super::{LABELS, Scan, carry_out, notice};
use crate::cmdline::Parameters;
use crate::consoles::{Consoles, Woken};
use crate::ffi;
use crate::initramfs_tools::{self, Stuck};
use crate::kmsg::{self, Level};
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, Volume};
use anyhow::Result;
use std::time::{Duration, Instant};

/// How often the devices are looked at while waiting, in milliseconds: a volume is booted within two seconds
/// of its appearance, most of which its own probing by the kernel takes.
const INTERVAL: u32 = 200;

/// What is beyond the wait itself, in seconds: looking into volumes.
const MARGIN: u64 = 30;

/// Returns [`Outcome::GaveUp`] when init is to give up.
pub(crate) fn run(parameters: &Parameters, message: &str, mode: Mode) -> Result<Outcome> {
    let settings = Settings::read(parameters)?;
    let Some(stuck) = Stuck::from_message(message) else {
        return Ok(Outcome::GaveUp(format!("nothing to do about `{message}`")));
    };
    if settings.off.is_some() || mode == Mode::DryRun {
        return Ok(Outcome::GaveUp("switched off".into()));
    }
    let own_root = initramfs_tools::own_root();
    let so_far = SoFar::read()?;
    let mut attempt = Attempt { settings, own_root, stuck, waited_before: so_far.waited, so_far };
    if let Some(failed) = attempt.so_far.rescue.take() {
        return attempt.after_a_failed_volume(failed, message);
    }
    // All devices once more: a volume may have been too slow, or appeared since.
    let devices = volume::devices()?;
    if let Some(outcome) = attempt.look_at(devices.clone(), &devices)? {
        return Ok(outcome);
    }
    if attempt.so_far.waited == Waited::Once || attempt.settings.wait == 0 {
        return Ok(Outcome::GaveUp("no rescue volume is attached".into()));
    }
    attempt.wait(message)
}

/// How a wait ended.
pub(super) enum Ended<T> {
    /// What was waited for is there.
    Found(T),
    /// Somebody pressed Enter on a console.
    ByEnter,
    /// The time was over.
    ByTime,
}

/// Shows the devices to `look` again and again until it finds something. Where `panic=` allows a shell, Enter
/// on any console ends the wait.
pub(super) fn for_new_devices<T>(
    seconds: u64,
    mut look: impl FnMut(&[String]) -> Result<Option<T>>,
) -> Result<Ended<T>> {
    ffi::end_after(u32::try_from(seconds.saturating_add(MARGIN)).unwrap_or(u32::MAX));
    let mut consoles = if initramfs_tools::forbids_a_shell() { Consoles::none() } else { Consoles::open()? };
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if consoles.wait(INTERVAL)? == Woken::ByEnter {
            return Ok(Ended::ByEnter);
        }
        if let Some(found) = look(&volume::devices()?)? {
            return Ok(Ended::Found(found));
        }
    }
    Ok(Ended::ByTime)
}

struct Attempt {
    settings: Settings,
    own_root: Option<String>,
    stuck: Stuck,
    /// In an earlier call: what was tried then is not tried again, or init and we would go round for ever.
    waited_before: Waited,
    so_far: SoFar,
}

impl Attempt {
    /// The own root is given its chance again, without the volume that could not be booted from.
    fn after_a_failed_volume(mut self, failed: String, message: &str) -> Result<Outcome> {
        kmsg::log(Level::Error, "rescue", &format!("{failed} could not be booted from: {message}"));
        self.so_far.failed.push(failed);
        notice::forget()?;
        let devices = volume::devices()?;
        self.own_root = initramfs_tools::kept_root()?;
        if let Some(outcome) = self.look_at(devices.clone(), &devices)? {
            return Ok(outcome);
        }
        let reason = format!("{} could not be booted from", self.so_far.failed.join(", "));
        let decision = Decision::OwnRoot { reason };
        Record { decision, so_far: self.so_far }.write()?;
        initramfs_tools::restore(&self.stuck)?;
        Ok(Outcome::Loud("going on with the machine's own root".into()))
    }

    /// Boots from a volume among these devices, or from the root that was missing.
    fn look_at(&mut self, names: Vec<String>, devices: &[String]) -> Result<Option<Outcome>> {
        let mut scan = Scan::of(names, &self.settings, self.own_root.as_deref());
        devices.clone_into(&mut self.so_far.looked_at);
        scan.leave_out(&self.so_far.failed);
        let choice = scan.choose();
        for line in scan.complaints.iter().chain(&choice.passed_over) {
            kmsg::log(Level::Info, "rescue", line);
        }
        if let Some(volume) = choice.chosen {
            let text = format!("booting from {volume} in place of the root that cannot be");
            let original = Original::find(self.own_root.as_deref(), &scan.volumes, &volume);
            let decision = Decision::Rescue { volume, how: How::Saved, original };
            let record = Record { decision, so_far: self.so_far.clone() };
            carry_out(&record, Some(&self.stuck))?;
            return Ok(Some(Outcome::Loud(text)));
        }
        match self.missing_root(&scan.volumes) {
            Some((root, volume)) if self.waited_before == Waited::NotYet => {
                let text = format!("{volume} is the root that was missing; going on with it");
                let decision = Decision::OwnRoot { reason: text.clone() };
                let so_far = SoFar { waited: Waited::Once, ..self.so_far.clone() };
                Record { decision, so_far }.write()?;
                initramfs_tools::found(root, &volume.device)?;
                Ok(Some(Outcome::Loud(text)))
            }
            _ => Ok(None),
        }
    }

    fn missing_root<'a>(&'a self, volumes: &'a [Volume]) -> Option<(&'a str, &'a Volume)> {
        let Stuck::Missing(root) = &self.stuck else { return None };
        let selector = Selector::parse(root)?;
        let volume =
            volumes.iter().find(|volume| volume.file_system().is_some() && selector.names(volume))?;
        Some((root, volume))
    }

    fn wait(&mut self, message: &str) -> Result<Outcome> {
        let seconds = self.settings.wait;
        let decision = Decision::OwnRoot { reason: format!("waited {seconds} s: {message}") };
        self.so_far.waited = Waited::Once;
        Record { decision, so_far: self.so_far.clone() }.write()?;
        kmsg::log(Level::Error, "rescue", &self.announcement(message));
        let ended = for_new_devices(seconds, |devices| {
            let new = self.so_far.new_among(devices);
            if new.is_empty() { Ok(None) } else { self.look_at(new, devices) }
        })?;
        Ok(match ended {
            Ended::Found(outcome) => outcome,
            Ended::ByEnter => Outcome::GaveUp("Enter was pressed".into()),
            Ended::ByTime => Outcome::GaveUp(format!("no rescue volume was attached within {seconds} s")),
        })
    }

    fn announcement(&self, message: &str) -> String {
        let missing = if let Stuck::Missing(root) = &self.stuck { Some(root.as_str()) } else { None };
        announcement(message, missing, self.settings.wait)
    }
}

/// What is wrong, what to do, and what comes after.
pub(super) fn announcement(message: &str, missing: Option<&str>, seconds: u64) -> String {
    let labels = LABELS.join(", ");
    let missing = missing.map(|root| format!(", or the disk with {root}")).unwrap_or_default();
    let (then, key) = if initramfs_tools::forbids_a_shell() {
        ("what panic= says", "")
    } else {
        ("a shell", " (now: press Enter)")
    };
    format!(
        "this machine's root cannot be used: {message}\n\
         attach a volume labelled {labels}{missing}: it is booted at once\n\
         waiting {seconds} s, after that {then}{key}"
    )
}

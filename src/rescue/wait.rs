//! When init gives up on the root: boots from a rescue volume that is there now, or waits, once in a boot, for
//! one to be attached or for the missing root to appear. Then init's own `panic()` runs as it would have.

use super::decision::{Decision, How, Original, Record, SoFar, Waited};
use super::settings::{Selector, Settings};
use super::{Scan, carry_out, identity, notice};
use crate::consoles::{Consoles, Woken};
use crate::ffi;
use crate::initramfs_tools::{self, Stuck};
use crate::kmsg::{self, Level};
use crate::outcome::{Mode, Outcome};
use crate::volume::Volume;
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use lifeboat_common::rescue_volume::LABELS;

/// How often the devices are looked at while waiting, in milliseconds: a volume is booted within two seconds
/// of its appearance, most of which its own probing by the kernel takes.
const INTERVAL: u32 = 200;

/// What is beyond the wait itself, in seconds: looking into volumes.
const MARGIN: u64 = 30;

/// Returns [`Outcome::GaveUp`] when init is to give up.
pub(crate) fn run(line: &CommandLine, message: &str, mode: Mode) -> Result<Outcome> {
    let settings = Settings::read(line)?;
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
    if attempt.waited_before == Waited::NotYet {
        // All devices once more: a volume may have been too slow.
        attempt.so_far.looked_at.clear();
    }
    if let Some(outcome) = attempt.look()? {
        return Ok(outcome);
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

/// Seconds since the kernel's start.
pub(super) fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or_default()
}

/// The consoles on which Enter ends a wait: none where `panic=` forbids a shell. To be had before anything is
/// announced there: what is typed afterwards is an answer.
pub(super) fn consoles() -> Consoles {
    if initramfs_tools::forbids_a_shell() { Consoles::none() } else { Consoles::open() }
}

/// Lets `look` look at the devices again and again until it finds something, or until that many seconds after
/// the kernel's start.
pub(super) fn for_new_devices<T>(
    until: u64,
    mut consoles: Consoles,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<Ended<T>> {
    let longest = until.saturating_sub(now()).saturating_add(MARGIN);
    ffi::end_after(u32::try_from(longest).unwrap_or(u32::MAX));
    while now() < until {
        if consoles.wait(INTERVAL)? == Woken::ByEnter {
            return Ok(Ended::ByEnter);
        }
        if let Some(found) = look()? {
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
        self.so_far.looked_at.clear();
        self.own_root = initramfs_tools::kept_root()?;
        let mut scan = self.scan()?.unwrap_or_default();
        if let Some(outcome) = self.boot_from(&scan)? {
            return Ok(outcome);
        }
        let reason = format!("{} could not be booted from", self.so_far.failed.join(", "));
        scan.volumes.retain(|volume| !self.so_far.has_failed(volume));
        let own = self.own_root.as_deref().and_then(Selector::parse).and_then(|own_root| {
            let pinned = identity::pin(&own_root, &scan.volumes, &scan.candidates).unwrap_or_default();
            pinned.or_else(|| self.find_root(&own_root, &scan.volumes).cloned())
        });
        let decision = Decision::OwnRoot { reason };
        Record { decision, so_far: self.so_far }.write()?;
        initramfs_tools::restore(&self.stuck, own.as_ref().map(|volume| volume.device.as_path()))?;
        Ok(Outcome::Loud("going on with the machine's own root".into()))
    }

    /// Boots from a volume among the new devices, or from the root that was missing.
    fn look(&mut self) -> Result<Option<Outcome>> {
        match self.scan()? {
            Some(scan) => self.boot_from(&scan),
            None => Ok(None),
        }
    }

    fn scan(&mut self) -> Result<Option<Scan>> {
        Scan::of_new(&mut self.so_far, &self.settings, self.own_root.as_deref())
    }

    fn boot_from(&mut self, scan: &Scan) -> Result<Option<Outcome>> {
        if let Some(volume) = scan.choose_and_tell().chosen {
            let text = format!("booting from {volume} in place of the root that cannot be booted");
            let original = Original::find(self.own_root.as_deref(), &scan.volumes, &volume);
            let decision = Decision::Rescue { volume, how: How::Saved(self.stuck.to_string()), original };
            let record = Record { decision, so_far: self.so_far.clone() };
            carry_out(&record, Some(&self.stuck))?;
            return Ok(Some(Outcome::Loud(text)));
        }
        match self.missing_root(&scan.volumes) {
            Some((root, volume)) if self.waited_before != Waited::ENOUGH => {
                initramfs_tools::found(root, &volume.device)?;
                self.go_on(format!("{volume} is the root that was missing; going on with it"), Waited::ENOUGH)
            }
            _ => Ok(None),
        }
    }

    /// init goes on with its own root.
    fn go_on(&self, text: String, waited: Waited) -> Result<Option<Outcome>> {
        let so_far = SoFar { waited, ..self.so_far.clone() };
        Record { decision: Decision::OwnRoot { reason: text.clone() }, so_far }.write()?;
        Ok(Some(Outcome::Loud(text)))
    }

    fn missing_root<'a>(&'a self, volumes: &'a [Volume]) -> Option<(&'a str, &'a Volume)> {
        let Stuck::Missing(root) = &self.stuck else { return None };
        Some((root, self.find_root(&Selector::parse(root)?, volumes)?))
    }

    /// The first volume with a file system that this names and that is not ignored, unless it is named by its device.
    fn find_root<'a>(&self, root: &Selector, volumes: &'a [Volume]) -> Option<&'a Volume> {
        volumes.iter().find(|volume| {
            let by_device = matches!(root, Selector::Device(_)) && !self.so_far.has_failed(volume);
            let is_meant = by_device || !self.so_far.shuns(&volume.device);
            volume.file_system().is_some() && root.names(volume) && is_meant
        })
    }

    fn wait(&mut self, message: &str) -> Result<Outcome> {
        let seconds = self.settings.wait;
        let consoles = consoles();
        let until = match self.so_far.waited {
            Waited::NotYet if seconds > 0 => {
                kmsg::log(Level::Error, "rescue", &self.announcement(message));
                now().saturating_add(seconds)
            }
            Waited::NotYet => 0,
            Waited::Until(until) => until,
        };
        if until <= now() {
            let outcome = self.last_resort()?;
            return Ok(outcome.unwrap_or_else(|| Outcome::GaveUp("no rescue volume is attached".into())));
        }
        self.so_far.waited = Waited::Until(until);
        let decision = Decision::OwnRoot { reason: format!("waited {seconds} s: {message}") };
        Record { decision, so_far: self.so_far.clone() }.write()?;
        let ended = for_new_devices(until, consoles, || {
            let Some(scan) = self.scan()? else { return Ok(None) };
            match self.boot_from(&scan)? {
                None => self.look_again(&scan),
                booted => Ok(booted),
            }
        })?;
        if let Ended::ByTime = ended
            && let Some(outcome) = self.last_resort()?
        {
            return Ok(outcome);
        }
        // Whoever leaves init's shell makes it look for the root again. After a failed volume it is so already.
        if !matches!(ended, Ended::Found(_))
            && self.so_far.failed.is_empty()
            && !self.so_far.ignored.is_empty()
        {
            initramfs_tools::pass_over_ignored()?;
        }
        Ok(match ended {
            Ended::Found(outcome) => outcome,
            Ended::ByEnter => Outcome::GaveUp("Enter was pressed".into()),
            Ended::ByTime => Outcome::GaveUp(format!("no rescue volume was attached within {seconds} s")),
        })
    }

    /// A volume that was ignored or has failed as a rescue volume, where it is all that `root=` names, and that nobody
    /// took for the root as long as the own disk could appear: it may be the machine's only one. Without lifeboat it
    /// would have been booted at once.
    fn last_resort(&mut self) -> Result<Option<Outcome>> {
        let Stuck::Missing(root) = &self.stuck else { return Ok(None) };
        let Some(selector) = Selector::parse(root).filter(|_| self.waited_before != Waited::ENOUGH) else {
            return Ok(None);
        };
        let root = root.clone();
        self.so_far.looked_at.clear();
        let scan = self.scan()?.unwrap_or_default();
        if let Some(outcome) = self.boot_from(&scan)? {
            return Ok(Some(outcome));
        }
        let is_meant = |volume: &&Volume| {
            volume.file_system().is_some() && selector.names(volume) && self.so_far.shuns(&volume.device)
        };
        let meant = || scan.volumes.iter().filter(is_meant);
        let ignored = meant().find(|volume| !self.so_far.has_failed(volume));
        let Some(volume) = ignored.or_else(|| meant().next()) else { return Ok(None) };
        self.so_far.shun_no_more(&volume.device);
        initramfs_tools::found(&root, &volume.device)?;
        let text = format!(
            "only volumes that are not booted from have root={root}: {volume} is booted as the machine's own root (give \
             it another label to avoid this wait)"
        );
        self.go_on(text, Waited::ENOUGH)
    }

    /// A missing root may be inside what appeared: init's own scripts assemble, unlock and look. Then the wait
    /// goes on.
    fn look_again(&self, scan: &Scan) -> Result<Option<Outcome>> {
        let Stuck::Missing(root) = &self.stuck else { return Ok(None) };
        let candidate = |volume: &&Volume| volume.file_system().is_none();
        let Some(volume) = scan.volumes.iter().find(candidate) else { return Ok(None) };
        initramfs_tools::look_again()?;
        self.go_on(format!("{volume} appeared; looking for root={root} again"), self.so_far.waited)
    }

    fn announcement(&self, message: &str) -> String {
        let missing = if let Stuck::Missing(root) = &self.stuck { Some(root.as_str()) } else { None };
        announcement(message, missing, &self.settings)
    }
}

/// What is wrong, what to do, and what comes after.
pub(super) fn announcement(message: &str, missing: Option<&str>, settings: &Settings) -> String {
    let labels = LABELS.join(", ");
    let required = match &settings.require {
        Some(required) => format!(" (only {required} is accepted)"),
        None => String::new(),
    };
    let seconds = settings.wait;
    let missing = missing.map(|root| format!(", or the disk with {root}")).unwrap_or_default();
    let (then, key) = if initramfs_tools::forbids_a_shell() {
        ("what panic= says", "")
    } else {
        ("a shell", " (now: press Enter)")
    };
    format!(
        "this machine's root cannot be used: {message}\n\
         attach a volume labelled {labels}{required}{missing}: it is booted at once\n\
         waiting {seconds} s, after that {then}{key}"
    )
}

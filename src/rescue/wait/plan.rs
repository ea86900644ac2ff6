//! The decision when init gave up on its root, from the state of the boot and from what happened just now.

use crate::initramfs_tools::{Booting, Ignored, PanicShell, Stuck};
use crate::outcome::Mode;
use crate::rescue::candidate::{Candidate, Verdict};
use crate::rescue::decision::{BootSoFar, OriginalRoot, Waited};
use crate::rescue::selector::Selector;
use crate::rescue::settings::RescueSettings;
use crate::rescue::{Scan, adopt, identity};
use crate::volume::Volume;
use std::fmt;
use std::path::PathBuf;

/// The state when something happens.
pub(super) struct WaitState {
    /// Where init cannot go on.
    pub(super) stuck: Stuck,
    /// The value of `root=`.
    pub(super) own_root: Option<String>,
    /// The time to wait, in seconds.
    pub(super) wait: u64,
    /// The permission for a shell after the wait.
    pub(super) shell: PanicShell,
    /// In seconds since the kernel's start.
    pub(super) now: u64,
    /// Since when the root is missed, counted likewise.
    pub(super) missed_since: u64,
    /// The events so far in this boot.
    pub(super) so_far: BootSoFar,
}

/// An event.
#[derive(Debug)]
pub(super) enum WaitEvent {
    /// init gave up on its root, or on the rescue volume to which it was steered.
    GaveUp,
    /// Devices were looked at. Nothing is found where none came.
    Looked(LookTime, Scan),
    /// Somebody pressed Enter on a console.
    Enter,
    /// The time is over.
    TimeOver(Tried),
}

/// The time when devices are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LookTime {
    /// After a rescue volume could not be booted from.
    AfterFailure,
    /// At once, when init gave up.
    First,
    /// While it is waited.
    Waiting,
    /// When the time is over.
    Last(Tried),
}

/// The state of the wait in this call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tried {
    Waited,
    DidNotWait,
}

/// The devices that are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Devices {
    /// The devices that came since the last look.
    New,
    /// All: a volume may have been too slow.
    All,
}

/// The time to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Span {
    /// A wait of so many seconds from now on, which is announced.
    For(u64),
    /// Until so many seconds after the kernel's start, as an earlier call announced.
    Until(u64),
}

/// An action of the plan. All but the first five end the call.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum WaitAction {
    /// Takes note that the volume could not be booted from, and looks at all devices.
    Disown(String),
    /// Looks at devices.
    Look(LookTime, Devices),
    /// Begins to wait.
    Wait(Span),
    /// Goes on with the wait.
    KeepWaiting,
    /// There is nothing to wait for.
    DoNotWait,
    /// init mounts a rescue volume.
    Boot { volume: Volume, original: OriginalRoot },
    /// init mounts its own root after all, by its device where that is known.
    Restore { reason: String, device: Option<PathBuf> },
    /// init finds the root that it missed.
    Find { root: String, volume: Volume },
    /// init takes an ignored or failed rescue volume for its own root.
    Adopt { root: String, volume: Volume },
    /// init runs its own scripts, which assemble and unlock, for what appeared. Then the wait goes on.
    LookAgain { root: String, volume: Volume },
    /// init gives up; with [`Ignored::Some`] it finds no ignored volume when it is made to look again.
    GiveUp { reason: String, ignored: Ignored },
}

impl fmt::Display for WaitAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disown(device) => write!(f, "look at all devices but {device}, which failed"),
            Self::Look(_, Devices::New) => write!(f, "look at new devices"),
            Self::Look(_, Devices::All) => write!(f, "look at all devices"),
            Self::Wait(Span::For(seconds)) => write!(f, "wait {seconds} s"),
            Self::Wait(Span::Until(until)) => write!(f, "wait until second {until}"),
            Self::KeepWaiting => write!(f, "keep waiting"),
            Self::DoNotWait => write!(f, "do not wait"),
            Self::Boot { volume, .. } => {
                write!(f, "booting from {volume} in place of the root, which cannot be booted")
            }
            Self::Restore { .. } => write!(f, "going on with the machine's own root"),
            Self::Find { volume, .. } => {
                write!(f, "{volume} is the root that was missing; going on with it")
            }
            Self::Adopt { root, volume } => f.write_str(&adopt::say(root, volume)),
            Self::LookAgain { root, volume } => {
                write!(f, "{volume} appeared; looking for root={root} again")
            }
            Self::GiveUp { reason, .. } => write!(f, "{reason}"),
        }
    }
}

/// Where init is stuck, or why there is nothing to do about it.
pub(super) fn trouble(
    message: &str,
    own_root: Option<&str>,
    booting: Booting,
    settings: &RescueSettings,
    mode: Mode,
) -> Result<Stuck, String> {
    let stuck = Stuck::from_message(message, own_root, booting);
    let stuck = stuck.ok_or_else(|| format!("nothing to do about `{message}`"))?;
    if settings.off.is_some() || mode == Mode::DryRun {
        return Err("switched off".into());
    }
    Ok(stuck)
}

impl WaitState {
    /// Plans the action for an event.
    pub(super) fn plan(&self, event: &WaitEvent) -> WaitAction {
        match event {
            WaitEvent::GaveUp => match &self.so_far.rescue {
                Some(failed) => WaitAction::Disown(failed.clone()),
                // Where init looked meanwhile, `rescue block` has seen what appeared, and knows only rescue volumes.
                None => WaitAction::Look(LookTime::First, Devices::All),
            },
            WaitEvent::Looked(moment, scan) => {
                self.boot_from(*moment, scan).unwrap_or_else(|| self.without_a_root(*moment, scan))
            }
            WaitEvent::Enter => match self.shell {
                PanicShell::Allowed => self.give_up_waiting("Enter was pressed".into()),
                PanicShell::Forbidden => WaitAction::KeepWaiting,
            },
            WaitEvent::TimeOver(tried) => match self.missing() {
                Some(_) => WaitAction::Look(LookTime::Last(*tried), Devices::All),
                None => self.out_of_time(*tried),
            },
        }
    }

    /// Boots from a volume among the devices, or from the root that was missing.
    fn boot_from(&self, moment: LookTime, scan: &Scan) -> Option<WaitAction> {
        // Who attaches a volume while it is waited wants to be rescued. A root that cannot be mounted as it is may be
        // as a rescue volume.
        let rescues = match moment {
            LookTime::Waiting => true,
            LookTime::AfterFailure => false,
            LookTime::First | LookTime::Last(_) => !matches!(self.stuck, Stuck::Missing(_)),
        };
        let is_fit = |own: &&Candidate| rescues && own.verdict == Verdict::Fit;
        let own = || scan.own_root().filter(is_fit).map(|own| own.volume.clone());
        if let Some(volume) = scan.choose().chosen.or_else(own) {
            let original = OriginalRoot::find(self.own_root.as_deref(), &scan.volumes, &volume);
            return Some(WaitAction::Boot { volume, original });
        }
        let (root, selector) = self.missing()?;
        let volume = self.find_root(&selector, scan.volumes.iter())?.clone();
        Some(WaitAction::Find { root: root.to_owned(), volume })
    }

    /// Nothing among the devices can be booted from.
    fn without_a_root(&self, moment: LookTime, scan: &Scan) -> WaitAction {
        match moment {
            LookTime::AfterFailure => self.restore(scan),
            LookTime::First => match self.so_far.waited {
                Waited::NotYet if let Some(adopted) = self.adopt(scan) => {
                    let until = self.missed_since.saturating_add(adopt::PATIENCE);
                    if self.wait > 0 && until > self.now {
                        WaitAction::Wait(Span::Until(until))
                    } else {
                        adopted
                    }
                }
                Waited::NotYet if self.wait > 0 => WaitAction::Wait(Span::For(self.wait)),
                Waited::Until(until) if until > self.now => WaitAction::Wait(Span::Until(until)),
                Waited::NotYet | Waited::Until(_) => WaitAction::DoNotWait,
            },
            LookTime::Waiting => self.look_again(scan).unwrap_or(WaitAction::KeepWaiting),
            LookTime::Last(tried) => self.adopt(scan).unwrap_or_else(|| self.out_of_time(tried)),
        }
    }

    /// The own root is given its chance again, without the volumes that could not be booted from.
    fn restore(&self, scan: &Scan) -> WaitAction {
        let reason = format!("{} could not be booted from", self.so_far.failed.join(", "));
        let others: Vec<Volume> =
            scan.volumes.iter().filter(|volume| !self.so_far.has_failed(volume)).cloned().collect();
        let own = self.own_root.as_deref().and_then(Selector::parse).and_then(|own_root| {
            let pinned = identity::pin(&own_root, &others, &scan.candidates).unwrap_or_default();
            pinned.or_else(|| self.find_root(&own_root, others.iter()).cloned())
        });
        WaitAction::Restore { reason, device: own.map(|volume| volume.device) }
    }

    /// The value of `root=`, where init misses it and was not sent to it yet. A second time would go round for ever.
    fn missing(&self) -> Option<(&str, Selector)> {
        match &self.stuck {
            Stuck::Missing(root) if self.so_far.waited != Waited::ENOUGH => {
                Some((root, Selector::parse(root)?))
            }
            _ => None,
        }
    }

    /// The first volume with a file system that this names and that is not ignored, unless it is named by its device.
    fn find_root<'a>(
        &self,
        root: &Selector,
        mut volumes: impl Iterator<Item = &'a Volume>,
    ) -> Option<&'a Volume> {
        volumes.find(|volume| {
            let by_device = matches!(root, Selector::Device(_)) && !self.so_far.has_failed(volume);
            let is_meant = by_device || !self.so_far.shuns(&volume.device);
            volume.file_system().is_some() && root.names(volume) && is_meant
        })
    }

    /// A missing root may be inside what appeared.
    fn look_again(&self, scan: &Scan) -> Option<WaitAction> {
        let Stuck::Missing(root) = &self.stuck else { return None };
        let volume = scan.volumes.iter().find(|volume| volume.file_system().is_none())?;
        Some(WaitAction::LookAgain { root: root.clone(), volume: volume.clone() })
    }

    /// A volume that is not to be booted from, where it is all that `root=` names.
    fn adopt(&self, scan: &Scan) -> Option<WaitAction> {
        let (root, selector) = self.missing()?;
        let volume = adopt::last_resort(&selector, &scan.volumes, &self.so_far)?;
        Some(WaitAction::Adopt { root: root.to_owned(), volume: volume.clone() })
    }

    fn out_of_time(&self, tried: Tried) -> WaitAction {
        match tried {
            Tried::Waited => {
                self.give_up_waiting(format!("no rescue volume was attached within {} s", self.wait))
            }
            Tried::DidNotWait => {
                WaitAction::GiveUp { reason: "no rescue volume is attached".into(), ignored: Ignored::None }
            }
        }
    }

    /// Whoever leaves init's shell makes it look for the root again. After a failed volume it passes over ignored
    /// ones already.
    fn give_up_waiting(&self, reason: String) -> WaitAction {
        let pass_over = self.so_far.failed.is_empty() && !self.so_far.ignored.is_empty();
        WaitAction::GiveUp { reason, ignored: if pass_over { Ignored::Some } else { Ignored::None } }
    }
}

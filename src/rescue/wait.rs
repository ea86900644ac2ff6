//! When init gives up on the root: boots from a rescue volume that is there now. Else it waits, once in a boot, for one
//! to be attached or for the missing root to appear. Then init's own `panic()` runs as it would have.

mod plan;
#[cfg(test)]
mod tests;

use super::decision::{BootSoFar, Decision, DecisionRecord, HowBooted, Waited};
use super::settings::RescueSettings;
use super::watch::{self, Tick, Watch};
use super::{Scan, adopt, carry_out, identity, notice};
use crate::initramfs_tools::{self, Booting, Ignored, PanicShell, Stuck};
use crate::kmsg::{self, LogLevel};
use crate::mounts;
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, stack};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use plan::{Devices, LookTime, Span, Tried, WaitAction, WaitEvent, WaitState};
use std::ops::ControlFlow;
use std::path::Path;

/// Returns [`Outcome::GaveUp`] when init is to give up.
pub(crate) fn run(line: &CommandLine, message: &str, mode: Mode) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    let own_root = initramfs_tools::own_root();
    let so_far = BootSoFar::read()?;
    let booting = if so_far.rescue.is_some() { Booting::Rescue } else { Booting::Own };
    let stuck = match plan::trouble(message, own_root.as_deref(), booting, &settings, mode) {
        Ok(stuck) => stuck,
        Err(reason) => return Ok(Outcome::GaveUp(reason)),
    };
    let (wait, shell, now) = (settings.wait, PanicShell::read(), watch::now());
    let missed_since = adopt::missed_since()?;
    let state = WaitState { stuck, own_root, wait, shell, now, missed_since, so_far };
    let mut call = InitCall { message, settings, state, watch: Watch::none() };
    let mut event = WaitEvent::GaveUp;
    loop {
        call.state.now = watch::now();
        let action = call.state.plan(&event);
        match call.apply(action)? {
            ControlFlow::Continue(next) => event = next,
            ControlFlow::Break(outcome) => return Ok(outcome),
        }
    }
}

/// One call of init's.
struct InitCall<'a> {
    /// The message of init.
    message: &'a str,
    settings: RescueSettings,
    state: WaitState,
    watch: Watch,
}

impl InitCall<'_> {
    /// Carries an action out; what happens then is the next event, unless the call ends.
    fn apply(&mut self, action: WaitAction) -> Result<ControlFlow<Outcome, WaitEvent>> {
        let text = action.to_string();
        let next = match action {
            WaitAction::Disown(failed) => self.disown(failed)?,
            WaitAction::Look(moment, devices) => self.look(moment, devices)?,
            WaitAction::Wait(span) => self.wait(span)?,
            WaitAction::KeepWaiting => self.keep_waiting()?,
            WaitAction::DoNotWait => {
                // Keys that were typed before must not reach the shell.
                drop(watch::consoles(self.state.shell));
                WaitEvent::TimeOver(Tried::DidNotWait)
            }
            WaitAction::Boot { volume, original } => {
                let how = HowBooted::Saved(self.state.stuck.to_string());
                let record = self.record(Decision::Rescue { volume, how, original });
                carry_out(&record, Some(&self.state.stuck))?;
                return Ok(ControlFlow::Break(Outcome::Loud(text)));
            }
            WaitAction::Restore { reason, device } => {
                self.record(Decision::OwnRoot { reason }).write()?;
                self.give_links_away(device.as_deref());
                let device = device.as_deref().map(volume::known_as);
                initramfs_tools::restore(&self.state.stuck, device.as_deref())?;
                return Ok(ControlFlow::Break(Outcome::Loud(text)));
            }
            WaitAction::Find { root, volume } => {
                initramfs_tools::found(&root, &volume.device)?;
                self.state.so_far.waited = Waited::ENOUGH;
                return self.go_on(text);
            }
            WaitAction::Adopt { root, volume } => {
                self.state.so_far.shun_no_more(&volume.device);
                initramfs_tools::found(&root, &volume.device)?;
                self.state.so_far.waited = Waited::ENOUGH;
                return self.go_on(text);
            }
            WaitAction::LookAgain { .. } => {
                initramfs_tools::look_again()?;
                return self.go_on(text);
            }
            WaitAction::GiveUp { ignored, .. } => {
                if ignored == Ignored::Some {
                    initramfs_tools::pass_over_ignored()?;
                }
                return Ok(ControlFlow::Break(Outcome::GaveUp(text)));
            }
        };
        Ok(ControlFlow::Continue(next))
    }

    fn disown(&mut self, failed: String) -> Result<WaitEvent> {
        let text = format!("{failed} could not be booted from: {}", self.message);
        kmsg::log(LogLevel::Error, "rescue", &text);
        if self.state.stuck.is_past_the_root() {
            mounts::unmount_all(&initramfs_tools::root_mount_point())?;
        }
        self.state.so_far.rescue = None;
        self.state.so_far.failed.push(failed);
        notice::forget()?;
        self.state.own_root = initramfs_tools::kept_root()?;
        self.look(LookTime::AfterFailure, Devices::All)
    }

    /// The own root's fstab may name its /usr by a link. A step that fails here is reported, and the boot goes on.
    fn give_links_away(&self, own: Option<&Path>) {
        let own_disks = own.map(stack::disks_of).unwrap_or_default();
        if let Err(error) = identity::give_way_to(&own_disks, &self.state.so_far) {
            kmsg::log(LogLevel::Error, "rescue", &format!("{error:#}"));
        }
    }

    /// Looks at devices, and says what is found on them.
    fn look(&mut self, moment: LookTime, devices: Devices) -> Result<WaitEvent> {
        let state = &mut self.state;
        if devices == Devices::All {
            state.so_far.looked_at.clear();
        }
        let scan = Scan::of_new(&mut state.so_far, &self.settings, state.own_root.as_deref())?;
        let scan = scan.unwrap_or_default();
        scan.choose_and_tell();
        Ok(WaitEvent::Looked(moment, scan))
    }

    fn wait(&mut self, span: Span) -> Result<WaitEvent> {
        let consoles = watch::consoles(self.state.shell);
        let until = match span {
            Span::For(seconds) => {
                kmsg::log(LogLevel::Error, "rescue", &self.announcement());
                watch::now().saturating_add(seconds)
            }
            Span::Until(until) => until,
        };
        self.state.so_far.waited = Waited::Until(until);
        let reason = format!("waited {} s: {}", self.state.wait, self.message);
        self.record(Decision::OwnRoot { reason }).write()?;
        self.watch = Watch::begin(until, consoles);
        self.keep_waiting()
    }

    fn keep_waiting(&mut self) -> Result<WaitEvent> {
        match self.watch.next()? {
            Tick::Look => self.look(LookTime::Waiting, Devices::New),
            Tick::Enter => Ok(WaitEvent::Enter),
            Tick::TimeOver => Ok(WaitEvent::TimeOver(Tried::Waited)),
        }
    }

    /// init goes on with its own root.
    fn go_on(&self, text: String) -> Result<ControlFlow<Outcome, WaitEvent>> {
        self.record(Decision::OwnRoot { reason: text.clone() }).write()?;
        Ok(ControlFlow::Break(Outcome::Loud(text)))
    }

    fn record(&self, decision: Decision) -> DecisionRecord {
        DecisionRecord { decision, so_far: self.state.so_far.clone() }
    }

    fn announcement(&self) -> String {
        let missing = match &self.state.stuck {
            Stuck::Missing(root) => Some(root.as_str()),
            _ => None,
        };
        watch::announcement(self.message, missing, &self.settings, self.state.shell)
    }
}

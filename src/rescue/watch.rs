//! A wait for new devices: how long it lasts, which consoles can end it, and what is said when it begins.

use super::settings::RescueSettings;
use crate::consoles::{KernelConsoles, Woken};
use crate::ffi;
use crate::initramfs_tools::PanicShell;
use anyhow::Result;
use lifeboat_common::rescue_volume::LABELS;

/// The time between two looks at the devices, in milliseconds. A volume is booted within two seconds of its appearance;
/// its probing by the kernel takes most of them.
const INTERVAL: u32 = 200;

/// The time beyond the wait itself, in seconds: looking into volumes.
const MARGIN: u64 = 30;

/// A wait that was begun.
pub(super) struct Watch {
    /// In seconds since the kernel's start.
    until: u64,
    consoles: KernelConsoles,
    /// In milliseconds.
    interval: u32,
}

/// The next step in a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tick {
    /// The devices are to be looked at.
    Look,
    /// Somebody pressed Enter on a console.
    Enter,
    /// The time is over.
    TimeOver,
}

impl Watch {
    /// No wait: its time is over.
    pub(super) fn none() -> Self {
        Self { until: 0, consoles: KernelConsoles::none(), interval: INTERVAL }
    }

    /// Begins a wait that lasts until that many seconds after the kernel's start.
    pub(super) fn begin(until: u64, consoles: KernelConsoles) -> Self {
        let longest = until.saturating_sub(now()).saturating_add(MARGIN);
        ffi::end_after(u32::try_from(longest).unwrap_or(u32::MAX));
        Self { until, consoles, interval: INTERVAL }
    }

    /// Waits for the next look.
    pub(super) fn next(&mut self) -> Result<Tick> {
        if now() >= self.until {
            return Ok(Tick::TimeOver);
        }
        Ok(match self.consoles.wait(self.interval)? {
            Woken::ByEnter => Tick::Enter,
            Woken::ByTime => Tick::Look,
        })
    }
}

/// Seconds since the kernel's start.
pub(super) fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or_default()
}

/// The consoles on which Enter ends a wait. To be opened before anything is announced there: what is typed
/// afterwards is an answer.
pub(super) fn consoles(shell: PanicShell) -> KernelConsoles {
    match shell {
        PanicShell::Allowed => KernelConsoles::open(),
        PanicShell::Forbidden => KernelConsoles::none(),
    }
}

/// The announcement of the fault, of the remedy, and of what comes after. `missing`: what `root=` says, where nothing
/// is found for it.
pub(super) fn announcement(
    message: &str,
    missing: Option<&str>,
    settings: &RescueSettings,
    shell: PanicShell,
) -> String {
    let labels = LABELS.join(", ");
    let required = match &settings.require {
        Some(required) => format!(" (only {required} is accepted)"),
        None => String::new(),
    };
    let seconds = settings.wait;
    let missing = missing.map(|root| format!(", or the disk with {root}")).unwrap_or_default();
    let (then, key) = match shell {
        PanicShell::Forbidden => ("what panic= says", ""),
        PanicShell::Allowed => ("a shell", " (now: press Enter)"),
    };
    format!(
        "this machine's root cannot be used: {message}\n\
         attach a volume labelled {labels}{required}{missing}: it is booted at once\n\
         waiting {seconds} s, after that {then}{key}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn it_is_said_what_to_attach_and_that_enter_ends_the_wait() {
        let settings = RescueSettings::from(None, None);
        expect![[r"
            this machine's root cannot be used: it is broken
            attach a volume labelled RESCUE, UEC-rescue, RESCUE_VOL, or the disk with LABEL=own: it is booted at once
            waiting 300 s, after that a shell (now: press Enter)"]]
        .assert_eq(&announcement("it is broken", Some("LABEL=own"), &settings, PanicShell::Allowed));
    }

    #[test]
    fn a_required_volume_is_named_and_no_key_where_a_shell_is_forbidden() {
        let settings = RescueSettings::from(Some("wait:20"), Some("require=UUID=a"));
        expect![[r"
            this machine's root cannot be used: it is broken
            attach a volume labelled RESCUE, UEC-rescue, RESCUE_VOL (only UUID=a is accepted): it is booted at once
            waiting 20 s, after that what panic= says"]]
        .assert_eq(&announcement("it is broken", None, &settings, PanicShell::Forbidden));
    }

    #[test]
    fn a_wait_whose_time_is_over_looks_at_nothing() {
        assert_eq!(Watch::none().next().unwrap(), Tick::TimeOver);
        let mut begun = Watch { until: now() + 60, consoles: KernelConsoles::none(), interval: 1 };
        assert_eq!(begun.next().unwrap(), Tick::Look);
    }
}

//! While init waits for a missing root, once a second: boots from a rescue volume that appeared.

use super::decision::{BootSoFar, Decision, DecisionRecord, HowBooted, OriginalRoot, Waited};
use super::selector::Selector;
use super::settings::{RescueSettingPlace, RescueSettings};
use super::{Choice, Scan, adopt, carry_out, watch};
use crate::initramfs_tools::{self, Ignored, Stuck};
use crate::kmsg::{self, LogLevel};
use crate::outcome::{Mode, Outcome};
use crate::volume::{self, Volume};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::fmt;

/// Steers init to a volume that was not there at the first look. `missing`: what init waits for, which may
/// also be the device of /usr or of a hibernated system.
pub(crate) fn run(line: &CommandLine, missing: &str, mode: Mode) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    let so_far = BootSoFar::read()?;
    let passed_over = if so_far.shunned().next().is_none() { Ignored::None } else { Ignored::Some };
    let own_root = initramfs_tools::own_root();
    let now = watch::now();
    let mut state = BlockState { missing, own_root, off: settings.off, passed_over, now, so_far };
    let mut action = state.plan(&BlockEvent::Called);
    if action == BlockAction::Look {
        let event = match Scan::of_new(&mut state.so_far, &settings, Some(missing))? {
            Some(scan) => BlockEvent::Looked(scan),
            None => BlockEvent::NothingChanged,
        };
        action = state.plan(&event);
        if let (BlockEvent::Looked(scan), Mode::Apply) = (&event, mode) {
            tell(scan, &scan.choose());
        }
        if state.may_adopt(&action, adopt::note_missed()?) {
            let volumes = volume::all_with_partitions(&volume::devices()?);
            if let adopted @ BlockAction::Adopt { .. } = state.plan(&BlockEvent::MissedForLong(volumes)) {
                action = adopted;
            }
        }
    }
    let outcome = match &action {
        BlockAction::Leave | BlockAction::Look | BlockAction::Note(_) => Outcome::Quiet,
        BlockAction::Boot { .. } | BlockAction::Adopt { .. } => Outcome::Loud(action.to_string()),
        BlockAction::Refuse { .. } => Outcome::Skipped(action.to_string()),
    };
    if mode == Mode::Apply {
        apply(action, state)?;
    }
    Ok(outcome)
}

/// Where none is chosen, the outcome says why.
fn tell(scan: &Scan, choice: &Choice) {
    let reasons = choice.reasons.iter().filter(|_| choice.chosen.is_some());
    for line in scan.complaints.iter().chain(reasons) {
        kmsg::log(LogLevel::Info, "rescue", line);
    }
}

/// The state when something happens.
struct BlockState<'a> {
    /// The device that init waits for.
    missing: &'a str,
    /// The value of `root=`.
    own_root: Option<String>,
    /// Where the journey is switched off.
    off: Option<RescueSettingPlace>,
    /// The volumes that init passes over already: some once a volume was ignored or failed.
    passed_over: Ignored,
    /// In seconds since the kernel's start.
    now: u64,
    /// The events so far in this boot.
    so_far: BootSoFar,
}

/// An event.
#[derive(Debug)]
enum BlockEvent {
    /// init still waits.
    Called,
    /// No device came or went since the last look.
    NothingChanged,
    /// The new devices were looked at.
    Looked(Scan),
    /// No other disk appeared in time; what is on all devices.
    MissedForLong(Vec<Volume>),
}

/// An action of the plan.
#[derive(PartialEq, Eq, Debug)]
enum BlockAction {
    /// Nothing.
    Leave,
    /// Looks at the devices that came.
    Look,
    /// init finds a rescue volume in place of what it waits for.
    Boot { root: String, volume: Volume, original: OriginalRoot, ignored: Ignored },
    /// init takes an ignored or failed rescue volume for its own root.
    Adopt { root: String, volume: Volume },
    /// Takes note that there is no rescue volume.
    Note(String),
    /// Takes note of it, and says why none of those that came is booted from.
    Refuse { reason: String, ignored: Ignored },
}

impl fmt::Display for BlockAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leave => write!(f, "nothing to do"),
            Self::Look => write!(f, "look at new devices"),
            Self::Boot { root, volume, .. } => {
                write!(f, "booting from {volume}, which appeared, in place of root={root}")
            }
            Self::Adopt { root, volume } => f.write_str(&adopt::say(root, volume)),
            Self::Note(reason) | Self::Refuse { reason, .. } => write!(f, "{reason}"),
        }
    }
}

impl BlockState<'_> {
    /// Plans the action for an event.
    fn plan(&self, event: &BlockEvent) -> BlockAction {
        match event {
            BlockEvent::Called => {
                let is_the_root = self.own_root.as_deref() == Some(self.missing);
                let may = is_the_root && self.off.is_none() && self.so_far.rescue.is_none();
                if may { BlockAction::Look } else { BlockAction::Leave }
            }
            BlockEvent::NothingChanged => BlockAction::Leave,
            BlockEvent::Looked(scan) => self.choose(scan),
            BlockEvent::MissedForLong(volumes) => self.adopt(volumes),
        }
    }

    /// True if it is time to take what is not to be booted from for the root.
    fn may_adopt(&self, action: &BlockAction, missed_since: u64) -> bool {
        let is_late = self.now >= missed_since.saturating_add(adopt::PATIENCE);
        is_late && self.so_far.shunned().next().is_some() && !matches!(action, BlockAction::Boot { .. })
    }

    fn adopt(&self, volumes: &[Volume]) -> BlockAction {
        let root = Selector::parse(self.missing);
        let volume = root.and_then(|root| adopt::last_resort(&root, volumes, &self.so_far));
        match volume {
            Some(volume) => BlockAction::Adopt { root: self.missing.to_owned(), volume: volume.clone() },
            None => BlockAction::Leave,
        }
    }

    fn choose(&self, scan: &Scan) -> BlockAction {
        let choice = scan.choose();
        let is_first = self.passed_over == Ignored::None && !self.so_far.ignored.is_empty();
        let ignored = if is_first { Ignored::Some } else { Ignored::None };
        let reason = choice.reason_for_none();
        match choice.chosen {
            Some(volume) => {
                let original = OriginalRoot::find(Some(self.missing), &scan.volumes, &volume);
                BlockAction::Boot { root: self.missing.to_owned(), volume, original, ignored }
            }
            None if choice.reasons.is_empty() => BlockAction::Note(reason),
            None => BlockAction::Refuse { reason, ignored },
        }
    }
}

fn apply(action: BlockAction, mut state: BlockState) -> Result<()> {
    let stuck = Stuck::Missing(state.missing.to_owned());
    let reason = action.to_string();
    let (decision, ignored) = match action {
        BlockAction::Leave | BlockAction::Look => return Ok(()),
        BlockAction::Adopt { root, volume } => {
            state.so_far.shun_no_more(&volume.device);
            state.so_far.waited = Waited::ENOUGH;
            DecisionRecord { decision: Decision::OwnRoot { reason }, so_far: state.so_far }.write()?;
            return initramfs_tools::found(&root, &volume.device);
        }
        BlockAction::Boot { volume, original, ignored, .. } => {
            (Decision::Rescue { volume, how: HowBooted::Saved(stuck.to_string()), original }, ignored)
        }
        BlockAction::Note(reason) => (Decision::OwnRoot { reason }, Ignored::None),
        BlockAction::Refuse { reason, ignored } => (Decision::OwnRoot { reason }, ignored),
    };
    if ignored == Ignored::Some {
        initramfs_tools::pass_over_ignored()?;
    }
    carry_out(&DecisionRecord { decision, so_far: state.so_far }, Some(&stuck))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rescue::Claim;
    use crate::rescue::candidate::{Candidate, Looked, Verdict};
    use crate::volume::for_tests::volume;

    const MISSING: &str = "UUID=gone";

    fn state() -> BlockState<'static> {
        BlockState {
            missing: MISSING,
            own_root: Some(MISSING.into()),
            off: None,
            passed_over: Ignored::None,
            now: 20,
            so_far: BootSoFar::default(),
        }
    }

    fn states() -> [(&'static str, BlockState<'static>); 7] {
        let steered = BootSoFar { rescue: Some("/dev/vdb".into()), ..BootSoFar::default() };
        let ignoring = || BootSoFar { ignored: vec!["vdb".into()], ..BootSoFar::default() };
        [
            ("the root is missing", state()),
            ("something else is", BlockState { own_root: Some("UUID=own".into()), ..state() }),
            ("there is no root=", BlockState { own_root: None, ..state() }),
            ("switched off", BlockState { off: Some(RescueSettingPlace::Baked), ..state() }),
            ("init was steered", BlockState { so_far: steered, ..state() }),
            ("a volume is ignored", BlockState { so_far: ignoring(), ..state() }),
            ("and was before", BlockState { so_far: ignoring(), passed_over: Ignored::Some, ..state() }),
        ]
    }

    /// A look at a volume that is a candidate.
    fn looked(verdict: Verdict) -> BlockEvent {
        let volume = volume("/dev/vdb", "RESCUE");
        let candidate =
            Candidate { volume: volume.clone(), claim: Claim::Labelled(0), serial: None, verdict };
        BlockEvent::Looked(Scan { volumes: vec![volume], candidates: vec![candidate], ..Scan::default() })
    }

    #[test]
    fn init_is_helped_only_where_its_own_root_is_missing() {
        let looks = states().map(|(name, state)| (name, state.plan(&BlockEvent::Called).to_string()));
        let (look, leave) = ("look at new devices".to_owned(), "nothing to do".to_owned());
        let expected = [
            ("the root is missing", look.clone()),
            ("something else is", leave.clone()),
            ("there is no root=", leave.clone()),
            ("switched off", leave.clone()),
            ("init was steered", leave),
            ("a volume is ignored", look.clone()),
            ("and was before", look),
        ];
        assert_eq!(looks, expected);
    }

    #[test]
    fn where_no_device_came_nothing_is_done() {
        for (name, state) in states() {
            assert_eq!(state.plan(&BlockEvent::NothingChanged), BlockAction::Leave, "{name}");
        }
    }

    #[test]
    fn a_rescue_volume_that_appears_is_booted() {
        let action = state().plan(&looked(Verdict::Fit));
        let booted = BlockAction::Boot {
            root: MISSING.into(),
            volume: volume("/dev/vdb", "RESCUE"),
            original: OriginalRoot::Named(MISSING.into()),
            ignored: Ignored::None,
        };
        assert_eq!(action, booted);
        let said = "booting from /dev/vdb (ext4, label RESCUE), which appeared, in place of root=UUID=gone";
        assert_eq!(action.to_string(), said);
    }

    #[test]
    fn what_appears_and_is_no_rescue_volume_is_noted_without_a_word() {
        let other = Scan { volumes: vec![volume("/dev/vdd", "data")], ..Scan::default() };
        for scan in [Scan::default(), other] {
            let noted = BlockAction::Note("no volume is labelled RESCUE, UEC-rescue, RESCUE_VOL".into());
            assert_eq!(state().plan(&BlockEvent::Looked(scan)), noted);
        }
    }

    #[test]
    fn what_is_ignored_is_the_root_after_ten_seconds_where_nothing_else_is() {
        let ignoring = || BlockState {
            so_far: BootSoFar { ignored: vec!["vdb".into()], ..BootSoFar::default() },
            ..state()
        };
        let boots = state().plan(&looked(Verdict::Fit));
        // Each row: the state, the action, the time when the root was first missed, and the expected answer.
        for (state, action, missed_since, may) in [
            (ignoring(), &BlockAction::Leave, 10, true),
            (ignoring(), &BlockAction::Leave, 11, false),
            (ignoring(), &BlockAction::Note(String::new()), 0, true),
            (ignoring(), &boots, 0, false),
            (state(), &BlockAction::Leave, 0, false),
        ] {
            assert_eq!(state.may_adopt(action, missed_since), may, "{action:?} {missed_since}");
        }
        let root = |device: &str| Volume { uuid: Some("gone".into()), ..volume(device, "RESCUE") };
        let adopt = |volumes: &[Volume]| ignoring().plan(&BlockEvent::MissedForLong(volumes.to_vec()));
        let adopted = BlockAction::Adopt { root: MISSING.into(), volume: root("/dev/vdb") };
        assert_eq!(adopt(&[volume("/dev/vda", "data"), root("/dev/vdb")]), adopted);
        assert_eq!(adopt(&[root("/dev/vda"), root("/dev/vdb")]), BlockAction::Leave);
        assert_eq!(adopt(&[volume("/dev/vdb", "RESCUE")]), BlockAction::Leave);
    }

    #[test]
    fn an_own_root_that_appears_with_a_rescue_volumes_label_is_left_to_init() {
        let BlockEvent::Looked(mut scan) = looked(Verdict::Fit) else { panic!("looked") };
        scan.own = Some("/dev/vdb".into());
        let action = state().plan(&BlockEvent::Looked(scan));
        let reason = "/dev/vdb (ext4, label RESCUE) is not used: it is the machine's own root".to_owned();
        assert_eq!(action, BlockAction::Refuse { reason, ignored: Ignored::None });
    }

    #[test]
    fn a_volume_that_is_not_booted_from_is_said_and_passed_over_once() {
        let finished = || looked(Verdict::Finished("finished"));
        for ((name, state), ignored) in
            states().into_iter().skip(4).zip([Ignored::None, Ignored::Some, Ignored::None])
        {
            let BlockAction::Refuse { reason, ignored: passed_over } = state.plan(&finished()) else {
                panic!("{name}")
            };
            assert!(
                reason.starts_with("/dev/vdb (ext4, label RESCUE) is ignored: it holds /finished"),
                "{reason}"
            );
            assert_eq!(passed_over, ignored, "{name}");
        }
        let BlockAction::Refuse { ignored, .. } = state().plan(&looked(Verdict::NoInit(Looked::InAll)))
        else {
            panic!("refused")
        };
        assert_eq!(ignored, Ignored::None);
    }
}

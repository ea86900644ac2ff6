//! With the root mounted: makes sure that init went where it was steered. Pivots to a rescue volume that appeared since
//! the first look, or when the root holds no init.

use super::candidate::INITS;
use super::decision::{BootSoFar, Decision, DecisionRecord, HowBooted, OriginalRoot, Waited};
use super::settings::RescueSettings;
use super::watch::{self, Tick, Watch};
use super::{Choice, Scan, identity, mounted, notice, pivot};
use crate::initramfs_tools::{self, PanicShell};
use crate::kmsg::{self, LogLevel};
use crate::mounts::{self, Mount};
use crate::outcome::{Mode, Outcome};
use crate::root::Root;
use crate::volume::{self, Volume, stack};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::path::Path;

/// Pivots, or says why there is nothing to do.
pub(crate) fn run(line: &CommandLine, mode: Mode) -> Result<Outcome> {
    let settings = RescueSettings::read(line)?;
    if let Some(place) = settings.off {
        return Ok(Outcome::Skipped(format!("`off` is {place}")));
    }
    switch(&settings, Moment::Bottom, mode)
}

/// The moment at which the root is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// With the root mounted, before udev has ended.
    Bottom,
    /// After all other scripts.
    Last,
}

/// Pivots, or says why there is nothing to do.
pub(super) fn switch(settings: &RescueSettings, moment: Moment, mode: Mode) -> Result<Outcome> {
    let root = initramfs_tools::root_mount_point();
    let mut facts = PivotFacts::gather(&root, settings, moment)?;
    if mode == Mode::Apply {
        // Where none is chosen, and none waited for, the outcome says why.
        let told = facts.choice.chosen.is_some() || facts.needs_a_volume();
        for line in facts.complaints.iter().chain(facts.choice.reasons.iter().filter(|_| told)) {
            kmsg::log(LogLevel::Info, "rescue", line);
        }
        if facts.needs_a_volume() {
            facts.wait(settings)?;
        }
    }
    let plan = plan(&facts);
    if mode == Mode::Apply {
        if let PivotPlan::Stay(_) = plan {
            facts.give_links_away();
        }
        apply(&plan, facts, &root, moment)?;
    }
    Ok(match plan {
        PivotPlan::Stay(reason) => Outcome::Skipped(reason),
        PivotPlan::TakeBack { steered_to } => {
            Outcome::Loud(format!("the root is not {steered_to}, to which init was steered"))
        }
        PivotPlan::Pivot { volume, original } => {
            Outcome::Loud(format!("{volume} takes the place of {original}"))
        }
    })
}

struct PivotFacts {
    so_far: BootSoFar,
    /// The device that is mounted as the root.
    mounted: Option<Mount>,
    /// The superblock of that, where it is a device.
    own_root: Option<Volume>,
    init: Init,
    /// The device to which init was steered, if that was the root when it was mounted.
    arrived_at: Option<String>,
    /// The value of `root=`.
    named: Option<String>,
    choice: Choice,
    complaints: Vec<String>,
}

/// The mounted root's init, there or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Init {
    Present,
    Absent,
    /// It is known only after a script that is still to come.
    NotYet,
}

impl PivotFacts {
    fn gather(root: &Path, settings: &RescueSettings, moment: Moment) -> Result<Self> {
        mounts::clear_stale();
        let mut so_far = BootSoFar::read()?;
        let mounted = mounts::at(root)?;
        let init = match mounted {
            _ if moment == Moment::Bottom && initramfs_tools::root_is_made_later() => Init::NotYet,
            Some(_) => look_for_init(root)?,
            None => Init::Absent,
        };
        let scan = if so_far.rescue.is_some() {
            None
        } else {
            if init == Init::Absent {
                so_far.looked_at.clear();
            }
            Scan::of_new(&mut so_far, settings, None)?
        };
        let scan = scan.unwrap_or_default();
        let choice = scan.choose();
        let own_root = match (&choice.chosen, &mounted) {
            // A root that cannot be read is named by its device: it is the rescue volume that matters now.
            (Some(_), Some(mount)) => volume::probe(&mount.source).unwrap_or_default(),
            _ => None,
        };
        let named = initramfs_tools::own_root();
        let arrived_at = mounted::arrived_at()?;
        let complaints = scan.complaints;
        Ok(Self { so_far, mounted, own_root, init, arrived_at, named, choice, complaints })
    }
}

impl PivotFacts {
    /// The own root is booted: what names its disk leads to no ignored volume, also of those that were not there at the
    /// first look. A step that fails here is reported, and the boot goes on.
    fn give_links_away(&self) {
        let Some(mount) = self.mounted.as_ref().filter(|mount| mount.source.starts_with("/dev")) else {
            return;
        };
        if self.so_far.rescue.is_none()
            && let Err(error) = identity::give_way_to(&stack::disks_of(&mount.source), &self.so_far)
        {
            kmsg::log(LogLevel::Error, "rescue", &format!("{error:#}"));
        }
    }

    fn needs_a_volume(&self) -> bool {
        self.init == Init::Absent && self.so_far.waited == Waited::NotYet && self.choice.chosen.is_none()
    }

    /// Waits for a volume to be attached.
    fn wait(&mut self, settings: &RescueSettings) -> Result<()> {
        let source = self.mounted.as_ref().map(|mount| mount.source.clone());
        let message = match &source {
            Some(source) => format!("{} holds no init", source.display()),
            None => "nothing is mounted".to_owned(),
        };
        let shell = PanicShell::read();
        let consoles = watch::consoles(shell);
        let until = watch::now().saturating_add(settings.wait);
        self.so_far.waited = Waited::Until(until);
        let decision = Decision::OwnRoot { reason: message.clone() };
        DecisionRecord { decision, so_far: self.so_far.clone() }.write()?;
        if settings.wait > 0 {
            kmsg::log(LogLevel::Error, "rescue", &watch::announcement(&message, None, settings, shell));
        }
        let mut watch = Watch::begin(until, consoles);
        while watch.next()? == Tick::Look {
            let Some(scan) = Scan::of_new(&mut self.so_far, settings, None)? else { continue };
            let choice = scan.choose_and_tell();
            if choice.chosen.is_some() {
                self.own_root = source.and_then(|source| volume::probe(&source).unwrap_or_default());
                self.choice = choice;
                break;
            }
        }
        Ok(())
    }
}

/// Looks for init as init does later, when it is too late: udev has ended and /dev has moved.
pub(super) fn look_for_init(root: &Path) -> Result<Init> {
    let root = Root::open(root)?;
    let named = initramfs_tools::own_init().unwrap_or_default();
    for init in std::iter::once(named.trim_start_matches('/')).chain(INITS) {
        if !init.is_empty() && root.holds(init)? {
            return Ok(Init::Present);
        }
    }
    Ok(Init::Absent)
}

#[derive(PartialEq, Eq, Debug)]
enum PivotPlan {
    Stay(String),
    /// init went elsewhere: what the rescue system was told must not be believed.
    TakeBack {
        steered_to: String,
    },
    Pivot {
        volume: Volume,
        original: OriginalRoot,
    },
}

fn plan(facts: &PivotFacts) -> PivotPlan {
    let source = facts.mounted.as_ref().map(|mount| mount.source.display().to_string());
    if let Some(steered_to) = &facts.so_far.rescue {
        // Another script may have made another root of the volume since.
        let hidden = facts.mounted.as_ref().is_some_and(|mount| !mount.source.starts_with("/dev"));
        let arrived = facts.arrived_at.as_ref() == Some(steered_to) || source.as_ref() == Some(steered_to);
        return if hidden || arrived {
            PivotPlan::Stay(format!("the root is {steered_to}, as decided before it was mounted"))
        } else {
            PivotPlan::TakeBack { steered_to: steered_to.clone() }
        };
    }
    match (&facts.choice.chosen, source) {
        (None, Some(source)) if facts.init == Init::Absent => {
            PivotPlan::Stay(format!("{source} holds no init, and no rescue volume is attached; init goes on"))
        }
        (None, _) if facts.choice.reasons.is_empty() => {
            PivotPlan::Stay("no rescue volume appeared since the first look".into())
        }
        (None, _) => PivotPlan::Stay(facts.choice.reason_for_none()),
        (Some(volume), source) => {
            let named = source.or_else(|| facts.named.clone());
            let unread = named.map_or(OriginalRoot::Unknown, OriginalRoot::Named);
            let original = facts.own_root.clone().map_or(unread, OriginalRoot::Volume);
            PivotPlan::Pivot { volume: volume.clone(), original }
        }
    }
}

fn apply(plan: &PivotPlan, facts: PivotFacts, root: &Path, moment: Moment) -> Result<()> {
    match plan {
        PivotPlan::Stay(_) => Ok(()),
        PivotPlan::TakeBack { .. } => {
            let reason = "init mounted another root than it was told to".into();
            let so_far = BootSoFar { rescue: None, ..facts.so_far };
            DecisionRecord { decision: Decision::OwnRoot { reason }, so_far }.write()?;
            initramfs_tools::use_init(&initramfs_tools::kept_init()?)?;
            notice::forget()
        }
        PivotPlan::Pivot { volume, original } => {
            pivot::pivot(volume, root, facts.mounted.as_ref(), moment)?;
            let how = match facts.init {
                Init::Absent | Init::NotYet if facts.mounted.is_none() => {
                    HowBooted::Saved("no root was mounted".into())
                }
                Init::Present | Init::NotYet => HowBooted::Pivoted,
                Init::Absent => HowBooted::Saved("the root holds no init".into()),
            };
            let decision = Decision::Rescue { volume: volume.clone(), how, original: original.clone() };
            DecisionRecord { decision, so_far: facts.so_far }.write()?;
            mounted::has_arrived(volume, None)?;
            initramfs_tools::use_init("/sbin/init")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::for_tests::volume;
    use lifeboat_common::mounts::Access;

    #[test]
    fn where_nothing_is_mounted_the_volume_is() {
        let plan = plan(&PivotFacts { init: Init::Absent, ..facts(None, None, Some("/dev/vdb")) });
        assert_eq!(
            plan,
            PivotPlan::Pivot { volume: volume("/dev/vdb", "RESCUE"), original: OriginalRoot::Unknown }
        );
    }

    #[test]
    fn a_root_that_is_not_mounted_is_named_as_the_command_line_does() {
        let named = Some("UUID=gone".to_owned());
        let plan = plan(&PivotFacts { init: Init::Absent, named, ..facts(None, None, Some("/dev/vdb")) });
        let original = OriginalRoot::Named("UUID=gone".into());
        assert_eq!(plan, PivotPlan::Pivot { volume: volume("/dev/vdb", "RESCUE"), original });
    }

    #[test]
    fn a_volume_below_an_overlay_is_where_init_was_steered() {
        let plan = plan(&facts(Some("/dev/vdb"), Some("overlayroot"), None));
        assert!(matches!(plan, PivotPlan::Stay(_)), "{plan:?}");
    }

    fn facts(steered_to: Option<&str>, mounted: Option<&str>, chosen: Option<&str>) -> PivotFacts {
        PivotFacts {
            so_far: BootSoFar { rescue: steered_to.map(str::to_owned), ..BootSoFar::default() },
            init: Init::Present,
            mounted: mounted.map(|source| Mount {
                point: "/root".into(),
                number: "254:0".into(),
                kind: "ext4".into(),
                source: source.into(),
                access: Access::Writable,
            }),
            own_root: mounted.map(|source| volume(source, "own")),
            arrived_at: None,
            named: None,
            choice: Choice { chosen: chosen.map(|device| volume(device, "RESCUE")), reasons: Vec::new() },
            complaints: Vec::new(),
        }
    }

    #[test]
    fn a_root_to_which_init_was_steered_is_left_alone() {
        let plan = plan(&facts(Some("/dev/vdb"), Some("/dev/vdb"), None));
        assert_eq!(plan, PivotPlan::Stay("the root is /dev/vdb, as decided before it was mounted".into()));
    }

    #[test]
    fn what_was_told_is_taken_back_when_init_went_elsewhere() {
        let plan = plan(&facts(Some("/dev/vdb"), Some("/dev/vda"), None));
        assert_eq!(plan, PivotPlan::TakeBack { steered_to: "/dev/vdb".into() });
    }

    #[test]
    fn a_volume_of_which_another_root_was_made_is_where_init_was_steered() {
        for root in ["/dev/loop0", "tmpfs"] {
            let arrived_at = Some("/dev/vdb".to_owned());
            let plan = plan(&PivotFacts { arrived_at, ..facts(Some("/dev/vdb"), Some(root), None) });
            assert!(matches!(plan, PivotPlan::Stay(_)), "{root}: {plan:?}");
        }
        let arrived_at = Some("/dev/vdc".to_owned());
        let plan = plan(&PivotFacts { arrived_at, ..facts(Some("/dev/vdb"), Some("/dev/loop0"), None) });
        assert_eq!(plan, PivotPlan::TakeBack { steered_to: "/dev/vdb".into() });
    }

    #[test]
    fn for_an_init_that_may_still_come_nobody_waits() {
        for (init, waits) in [(Init::Present, false), (Init::NotYet, false), (Init::Absent, true)] {
            for mounted in [Some("/dev/vda"), None] {
                assert_eq!(PivotFacts { init, ..facts(None, mounted, None) }.needs_a_volume(), waits);
            }
        }
    }

    #[test]
    fn a_volume_that_appeared_takes_the_roots_place() {
        let plan = plan(&facts(None, Some("/dev/vda"), Some("/dev/vdb")));
        let (volume, original) = (volume("/dev/vdb", "RESCUE"), volume("/dev/vda", "own"));
        assert_eq!(plan, PivotPlan::Pivot { volume, original: OriginalRoot::Volume(original) });
    }

    #[test]
    fn a_root_without_an_init_is_said_to_have_none() {
        let facts = PivotFacts { init: Init::Absent, ..facts(None, Some("/dev/vda"), None) };
        assert_eq!(
            plan(&facts),
            PivotPlan::Stay("/dev/vda holds no init, and no rescue volume is attached; init goes on".into())
        );
    }

    #[test]
    fn without_a_new_volume_nothing_moves() {
        let plan = plan(&facts(None, Some("/dev/vda"), None));
        assert_eq!(plan, PivotPlan::Stay("no rescue volume appeared since the first look".into()));
    }
}

//! The action for each event in each state: all of it in table.txt, and in words what matters most.

use super::plan::{Devices, LookTime, Span, Tried, WaitAction, WaitEvent, WaitState, trouble};
use crate::initramfs_tools::{Booting, Ignored, PanicShell, Stuck};
use crate::outcome::Mode;
use crate::rescue::candidate::{Candidate, Verdict};
use crate::rescue::decision::{BootSoFar, OriginalRoot, Waited};
use crate::rescue::settings::RescueSettings;
use crate::rescue::{Claim, Scan};
use crate::volume::Volume;
use expect_test::expect_file;
use std::fmt::Write as _;

/// A root that is missing, and nothing was done about it yet.
fn missing(root: &str) -> WaitState {
    WaitState {
        stuck: Stuck::Missing(root.into()),
        own_root: Some(root.into()),
        wait: 300,
        shell: PanicShell::Allowed,
        now: 10,
        missed_since: 0,
        so_far: BootSoFar::default(),
    }
}

fn own() -> WaitState {
    missing("UUID=own")
}

fn unmountable() -> WaitState {
    WaitState { stuck: Stuck::Unmountable, ..own() }
}

fn with(so_far: BootSoFar) -> WaitState {
    WaitState { so_far, ..own() }
}

fn waited(waited: Waited) -> BootSoFar {
    BootSoFar { waited, ..BootSoFar::default() }
}

/// The copy is among what was looked at, and is not to be booted from.
fn ignoring() -> BootSoFar {
    BootSoFar { ignored: vec!["vde".into()], ..BootSoFar::default() }
}

fn failed(device: &str) -> BootSoFar {
    BootSoFar { failed: vec![device.into()], ..BootSoFar::default() }
}

fn volume(device: &str, kind: &str, label: &str, uuid: &str) -> Volume {
    Volume {
        device: device.into(),
        kind: kind.into(),
        label: Some(label.as_bytes().to_vec()),
        uuid: Some(uuid.into()),
        disk: device.trim_start_matches("/dev/").into(),
        ..Volume::default()
    }
}

fn root() -> Volume {
    volume("/dev/vda", "ext4", "own", "own")
}

fn rescue() -> Volume {
    volume("/dev/vdb", "ext4", "RESCUE", "other")
}

/// A copy of the root.
fn copy() -> Volume {
    volume("/dev/vde", "ext4", "RESCUE", "own")
}

fn locked() -> Volume {
    volume("/dev/vdl", "crypto_LUKS", "", "locked")
}

fn data() -> Volume {
    volume("/dev/vdd", "ext4", "data", "data")
}

fn scan(volumes: &[Volume]) -> Scan {
    Scan { volumes: volumes.to_vec(), ..Scan::default() }
}

/// The same, where the last of them is a candidate.
fn judged(volumes: &[Volume], verdict: Verdict) -> Scan {
    let volume = volumes.last().unwrap().clone();
    let candidate = Candidate { volume, claim: Claim::Labelled(0), serial: None, verdict };
    Scan { candidates: vec![candidate], ..scan(volumes) }
}

fn fit(volumes: &[Volume]) -> Scan {
    judged(volumes, Verdict::Fit)
}

fn finished(volumes: &[Volume]) -> Scan {
    judged(volumes, Verdict::Finished("finished"))
}

fn states() -> Vec<(&'static str, WaitState)> {
    vec![
        ("the root is missing", own()),
        ("the root is missing, and a finished copy of it is there", with(ignoring())),
        (
            "the root is missing for five seconds, and a finished copy of it is there",
            WaitState { missed_since: 5, ..with(ignoring()) },
        ),
        ("the root is missing, and init was sent to look again meanwhile", with(waited(Waited::Until(60)))),
        ("the root is missing, and it was waited for", with(waited(Waited::Until(5)))),
        ("the root is missing, and init was sent to it before", with(waited(Waited::ENOUGH))),
        ("the root is missing, and `wait:0` is set", WaitState { wait: 0, ..own() }),
        ("the root is missing, and no shell is allowed", WaitState { shell: PanicShell::Forbidden, ..own() }),
        (
            "the root is named by the device of an ignored copy",
            WaitState { so_far: ignoring(), ..missing("/dev/vde") },
        ),
        ("the root is named by what nobody understands", missing("ZFS=pool")),
        ("the root cannot be mounted", unmountable()),
        (
            "the root cannot be mounted, and an ignored volume is there",
            WaitState { so_far: ignoring(), ..unmountable() },
        ),
        (
            "a rescue volume cannot be mounted",
            WaitState {
                so_far: BootSoFar { rescue: Some("/dev/vdb".into()), ..BootSoFar::default() },
                ..unmountable()
            },
        ),
        (
            "the /usr of a rescue volume is missing",
            WaitState {
                stuck: Stuck::UsrMissing,
                so_far: BootSoFar { rescue: Some("/dev/vdb".into()), ..BootSoFar::default() },
                ..own()
            },
        ),
        ("a rescue volume could not be mounted", WaitState { so_far: failed("/dev/vdb"), ..unmountable() }),
        ("a rescue volume could not be mounted, and the root is missing", with(failed("/dev/vdb"))),
        ("a copy of the root could not be mounted, and the root is missing", with(failed("/dev/vde"))),
    ]
}

/// The results that a look at devices can have.
fn scans() -> [(&'static str, Scan); 9] {
    [
        ("nothing", Scan::default()),
        ("a rescue volume", fit(&[rescue()])),
        ("a volume that was finished", finished(&[rescue()])),
        ("the root", scan(&[root()])),
        ("the root and a rescue volume", fit(&[root(), rescue()])),
        ("a finished copy of the root", finished(&[copy()])),
        ("the root and a finished copy", finished(&[root(), copy()])),
        ("another file system", scan(&[data()])),
        ("a locked volume", scan(&[locked()])),
    ]
}

fn events() -> impl Iterator<Item = (String, WaitEvent)> {
    let moments = [
        ("at once", LookTime::First),
        ("while waiting", LookTime::Waiting),
        ("in the end", LookTime::Last(Tried::Waited)),
        ("without a wait", LookTime::Last(Tried::DidNotWait)),
        ("after a failure", LookTime::AfterFailure),
    ];
    let looks = moments.into_iter().flat_map(|(when, moment)| {
        scans().map(|(what, scan)| (format!("{when}, {what}"), WaitEvent::Looked(moment, scan)))
    });
    let others = [
        ("Enter", WaitEvent::Enter),
        ("the time is over", WaitEvent::TimeOver(Tried::Waited)),
        ("there is no wait", WaitEvent::TimeOver(Tried::DidNotWait)),
    ];
    std::iter::once(("init gave up".to_owned(), WaitEvent::GaveUp))
        .chain(looks)
        .chain(others.map(|(name, event)| (name.to_owned(), event)))
}

/// The action for the event. A look at devices takes note of what is not to be booted from.
fn after(state: &WaitState, event: WaitEvent) -> WaitAction {
    let mut so_far = state.so_far.clone();
    let event = match event {
        WaitEvent::Looked(moment, mut scan) => {
            scan.leave_out(&mut so_far, state.own_root.as_deref());
            WaitEvent::Looked(moment, scan)
        }
        other => other,
    };
    let (stuck, own_root) = (state.stuck.clone(), state.own_root.clone());
    WaitState { stuck, own_root, so_far, ..*state }.plan(&event)
}

const HEAD: &str = "\
What `lifeboat rescue wait` does about each event in each state; written by UPDATE_EXPECT=1.
Under each state but the first only what is done otherwise than in the first.
";

/// With what is not in the sentence that is said.
fn show(action: &WaitAction) -> String {
    match action {
        WaitAction::Boot { volume, original } => {
            format!("boot {} in place of {original}", volume.device.display())
        }
        WaitAction::Restore { device, .. } => match device {
            Some(device) => format!("go back to the own root at {}", device.display()),
            None => "go back to the own root".into(),
        },
        WaitAction::Find { root, volume } => format!("find {root} at {}", volume.device.display()),
        WaitAction::Adopt { root, volume } => {
            format!("take {} for {root} after all", volume.device.display())
        }
        WaitAction::LookAgain { root, volume } => {
            format!("have init look for {root} again, for {} appeared", volume.device.display())
        }
        WaitAction::GiveUp { reason, ignored: Ignored::None } => format!("give up: {reason}"),
        WaitAction::GiveUp { reason, ignored: Ignored::Some } => {
            format!("give up: {reason}; init passes over ignored volumes")
        }
        other => other.to_string(),
    }
}

#[test]
fn each_event_in_each_state_is_in_the_table() {
    let mut table = String::from(HEAD);
    let mut first = Vec::new();
    for (name, state) in states() {
        writeln!(table, "\n# {name}").unwrap();
        let rows: Vec<String> =
            events().map(|(event, happens)| format!("{event}: {}", show(&after(&state, happens)))).collect();
        for row in rows.iter().filter(|row| !first.contains(*row)) {
            writeln!(table, "{row}").unwrap();
        }
        if first.is_empty() {
            first = rows;
        }
    }
    expect_file!["table.txt"].assert_eq(&table);
}

/// A call that looked for the last time, or gave the own root back, does nothing more.
#[test]
fn no_call_goes_round_for_ever() {
    for (name, state) in states() {
        for (event, happens) in events() {
            let action = state.plan(&happens);
            if let WaitEvent::Looked(LookTime::Last(_) | LookTime::AfterFailure, _) = happens {
                assert!(ends(&action), "{name}, {event}: {action:?}");
            }
            if let WaitEvent::TimeOver(tried) = happens {
                let last = WaitAction::Look(LookTime::Last(tried), Devices::All);
                assert!(ends(&action) || action == last, "{name}, {event}: {action:?}");
            }
        }
    }
}

fn ends(action: &WaitAction) -> bool {
    use WaitAction::{Adopt, Boot, Find, GiveUp, LookAgain, Restore};
    matches!(
        action,
        Boot { .. } | Restore { .. } | Find { .. } | Adopt { .. } | LookAgain { .. } | GiveUp { .. }
    )
}

#[test]
fn a_rescue_volume_is_booted_whenever_it_is_seen() {
    for (name, state) in states() {
        for moment in
            [LookTime::First, LookTime::Waiting, LookTime::Last(Tried::Waited), LookTime::AfterFailure]
        {
            let booted = |scan| match state.plan(&WaitEvent::Looked(moment, scan)) {
                WaitAction::Boot { volume, .. } => Some(volume),
                _ => None,
            };
            assert_eq!(booted(fit(&[data(), rescue()])), Some(rescue()), "{name}");
            assert_eq!(booted(finished(&[data(), rescue()])), None, "{name}");
        }
    }
}

#[test]
fn an_own_root_with_a_rescue_volumes_label_is_a_rescue_only_to_who_attaches_it_or_if_it_cannot_be_mounted() {
    use LookTime::{AfterFailure, First, Last, Waiting};
    let find = || Some(WaitAction::Find { root: "UUID=own".into(), volume: copy() });
    let boot = || Some(WaitAction::Boot { volume: copy(), original: OriginalRoot::Named("UUID=own".into()) });
    for (state, moment, expected) in [
        (own(), First, find()),
        (own(), Last(Tried::Waited), find()),
        (own(), Waiting, boot()),
        (unmountable(), First, boot()),
        (unmountable(), Last(Tried::Waited), boot()),
        (unmountable(), AfterFailure, None),
    ] {
        let scan = Scan { own: Some("/dev/vde".into()), ..fit(&[data(), copy()]) };
        let action = state.plan(&WaitEvent::Looked(moment, scan));
        let ends = matches!(action, WaitAction::Find { .. } | WaitAction::Boot { .. });
        assert_eq!(Some(action).filter(|_| ends), expected, "{moment:?}");
    }
    // Another rescue volume comes first.
    let mut scan = fit(&[copy(), rescue()]);
    scan.candidates.extend(fit(&[copy()]).candidates);
    scan.own = Some("/dev/vde".into());
    let action = own().plan(&WaitEvent::Looked(First, scan));
    assert_eq!(action, WaitAction::Boot { volume: rescue(), original: OriginalRoot::Volume(copy()) });
}

#[test]
fn a_missing_root_is_found_once_and_never_in_an_ignored_copy() {
    let looked = || WaitEvent::Looked(LookTime::Waiting, finished(&[copy(), root()]));
    let find = WaitAction::Find { root: "UUID=own".into(), volume: root() };
    assert_eq!(
        with(BootSoFar { ignored: vec!["vde".into()], ..waited(Waited::Until(60)) }).plan(&looked()),
        find
    );
    assert_eq!(with(waited(Waited::ENOUGH)).plan(&looked()), WaitAction::KeepWaiting);
    let copy_alone = WaitEvent::Looked(LookTime::Waiting, finished(&[copy()]));
    assert_eq!(with(ignoring()).plan(&copy_alone), WaitAction::KeepWaiting);
}

#[test]
fn an_ignored_copy_is_the_root_in_the_end_where_nothing_else_is() {
    let last = |volumes: &[Volume]| WaitEvent::Looked(LookTime::Last(Tried::Waited), finished(volumes));
    let adopt = WaitAction::Adopt { root: "UUID=own".into(), volume: copy() };
    assert_eq!(with(ignoring()).plan(&last(&[copy()])), adopt);
    let find = WaitAction::Find { root: "UUID=own".into(), volume: root() };
    assert_eq!(with(ignoring()).plan(&last(&[root(), copy()])), find);
    // A copy that failed comes after one that was only ignored.
    let second = volume("/dev/vdf", "ext4", "RESCUE", "own");
    let state = with(BootSoFar { failed: vec!["/dev/vdf".into()], ..ignoring() });
    assert_eq!(state.plan(&last(&[second.clone(), copy()])), adopt);
    let adopted = WaitAction::Adopt { root: "UUID=own".into(), volume: second.clone() };
    assert_eq!(state.plan(&last(&[second])), adopted);
}

#[test]
fn enter_ends_the_wait_only_where_a_shell_is_allowed() {
    let by_enter = |ignored| WaitAction::GiveUp { reason: "Enter was pressed".into(), ignored };
    assert_eq!(own().plan(&WaitEvent::Enter), by_enter(Ignored::None));
    assert_eq!(with(ignoring()).plan(&WaitEvent::Enter), by_enter(Ignored::Some));
    let forbidden = WaitState { shell: PanicShell::Forbidden, ..own() };
    assert_eq!(forbidden.plan(&WaitEvent::Enter), WaitAction::KeepWaiting);
}

#[test]
fn it_is_waited_once_in_a_boot() {
    let first = |state: WaitState| state.plan(&WaitEvent::Looked(LookTime::First, Scan::default()));
    assert_eq!(first(own()), WaitAction::Wait(Span::For(300)));
    assert_eq!(first(with(waited(Waited::Until(11)))), WaitAction::Wait(Span::Until(11)));
    for so_far in [waited(Waited::Until(10)), waited(Waited::ENOUGH)] {
        assert_eq!(first(with(so_far)), WaitAction::DoNotWait);
    }
    assert_eq!(first(WaitState { wait: 0, ..own() }), WaitAction::DoNotWait);
}

#[test]
fn init_looks_inside_what_appears_only_where_the_root_is_missing() {
    let locked_appears = WaitEvent::Looked(LookTime::Waiting, scan(&[data(), locked()]));
    let again = WaitAction::LookAgain { root: "UUID=own".into(), volume: locked() };
    assert_eq!(own().plan(&locked_appears), again);
    assert_eq!(unmountable().plan(&locked_appears), WaitAction::KeepWaiting);
    assert_eq!(own().plan(&WaitEvent::Looked(LookTime::Waiting, scan(&[data()]))), WaitAction::KeepWaiting);
}

#[test]
fn after_a_failed_volume_the_own_root_is_named_by_its_device() {
    let device = |so_far, volumes: &[Volume]| {
        let state = WaitState { so_far, ..unmountable() };
        match state.plan(&WaitEvent::Looked(LookTime::AfterFailure, scan(volumes))) {
            WaitAction::Restore { device, reason } => (device, reason),
            other => panic!("{other:?}"),
        }
    };
    let reason = "/dev/vde could not be booted from".to_owned();
    for volumes in [[copy(), root()], [root(), copy()]] {
        assert_eq!(device(failed("/dev/vde"), &volumes), (Some("/dev/vda".into()), reason.clone()));
    }
    assert_eq!(device(failed("/dev/vde"), &[copy()]), (None, reason));
}

#[test]
fn what_is_no_trouble_of_the_root_is_left_to_init() {
    let ask = |message: &str, line: &str, mode| {
        trouble(message, Some("UUID=own"), Booting::Own, &RescueSettings::from(Some(line), None), mode)
    };
    let unmountable = "Failed to mount /dev/vda as root file system.";
    assert_eq!(ask(unmountable, "wait:0", Mode::Apply), Ok(Stuck::Unmountable));
    assert_eq!(ask(unmountable, "off", Mode::Apply), Err("switched off".into()));
    assert_eq!(ask(unmountable, "", Mode::DryRun), Err("switched off".into()));
    let missing = "ALERT!  UUID=own does not exist.  Dropping to a shell!";
    assert_eq!(ask(missing, "", Mode::Apply), Ok(Stuck::Missing("UUID=own".into())));
    for message in ["ALERT!  UUID=usr does not exist.  Dropping to a shell!", "Spawning shell"] {
        assert_eq!(ask(message, "", Mode::Apply), Err(format!("nothing to do about `{message}`")));
    }
}

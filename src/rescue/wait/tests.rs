//! What is done about each event in each state: all of it in table.txt, and in words what matters most.

use super::plan::{Action, Devices, Event, Moment, Span, State, Tried, trouble};
use crate::initramfs_tools::{Ignored, Shell, Stuck};
use crate::outcome::Mode;
use crate::rescue::candidate::{Candidate, Verdict};
use crate::rescue::decision::{SoFar, Waited};
use crate::rescue::settings::Settings;
use crate::rescue::{Claim, Scan};
use crate::volume::Volume;
use expect_test::expect_file;
use std::fmt::Write as _;

/// A root that is missing, and nothing was done about it yet.
fn missing(root: &str) -> State {
    State {
        stuck: Stuck::Missing(root.into()),
        own_root: Some(root.into()),
        wait: 300,
        shell: Shell::Allowed,
        now: 10,
        so_far: SoFar::default(),
    }
}

fn own() -> State {
    missing("UUID=own")
}

fn unmountable() -> State {
    State { stuck: Stuck::Unmountable, ..own() }
}

fn with(so_far: SoFar) -> State {
    State { so_far, ..own() }
}

fn waited(waited: Waited) -> SoFar {
    SoFar { waited, ..SoFar::default() }
}

/// The copy is among what was looked at, and is not to be booted from.
fn ignoring() -> SoFar {
    SoFar { ignored: vec!["vde".into()], ..SoFar::default() }
}

fn failed(device: &str) -> SoFar {
    SoFar { failed: vec![device.into()], ..SoFar::default() }
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

fn states() -> Vec<(&'static str, State)> {
    vec![
        ("the root is missing", own()),
        ("the root is missing, and a finished copy of it is there", with(ignoring())),
        ("the root is missing, and init was sent to look again meanwhile", with(waited(Waited::Until(60)))),
        ("the root is missing, and it was waited for", with(waited(Waited::Until(5)))),
        ("the root is missing, and init was sent to it before", with(waited(Waited::ENOUGH))),
        ("the root is missing, and `wait:0` is set", State { wait: 0, ..own() }),
        ("the root is missing, and no shell is allowed", State { shell: Shell::Forbidden, ..own() }),
        (
            "the root is named by the device of an ignored copy",
            State { so_far: ignoring(), ..missing("/dev/vde") },
        ),
        ("the root is named by what nobody understands", missing("ZFS=pool")),
        ("the root cannot be mounted", unmountable()),
        (
            "the root cannot be mounted, and an ignored volume is there",
            State { so_far: ignoring(), ..unmountable() },
        ),
        (
            "a rescue volume cannot be mounted",
            State { so_far: SoFar { rescue: Some("/dev/vdb".into()), ..SoFar::default() }, ..unmountable() },
        ),
        ("a rescue volume could not be mounted", State { so_far: failed("/dev/vdb"), ..unmountable() }),
        ("a rescue volume could not be mounted, and the root is missing", with(failed("/dev/vdb"))),
        ("a copy of the root could not be mounted, and the root is missing", with(failed("/dev/vde"))),
    ]
}

/// What a look at devices can find.
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

fn events() -> impl Iterator<Item = (String, Event)> {
    let moments = [
        ("at once", Moment::First),
        ("while waiting", Moment::Waiting),
        ("in the end", Moment::Last(Tried::Waited)),
        ("without a wait", Moment::Last(Tried::DidNotWait)),
        ("after a failure", Moment::AfterFailure),
    ];
    let looks = moments.into_iter().flat_map(|(when, moment)| {
        scans().map(|(what, scan)| (format!("{when}, {what}"), Event::Looked(moment, scan)))
    });
    let others = [
        ("Enter", Event::Enter),
        ("the time is over", Event::TimeOver(Tried::Waited)),
        ("there is no wait", Event::TimeOver(Tried::DidNotWait)),
    ];
    std::iter::once(("init gave up".to_owned(), Event::GaveUp))
        .chain(looks)
        .chain(others.map(|(name, event)| (name.to_owned(), event)))
}

/// What is done about it; a look at devices takes note of what is not to be booted from.
fn after(state: &State, event: Event) -> Action {
    let mut so_far = state.so_far.clone();
    let event = match event {
        Event::Looked(moment, mut scan) => {
            scan.leave_out(&mut so_far, state.own_root.as_deref());
            Event::Looked(moment, scan)
        }
        other => other,
    };
    let (stuck, own_root) = (state.stuck.clone(), state.own_root.clone());
    State { stuck, own_root, so_far, ..*state }.plan(&event)
}

const HEAD: &str = "\
What `lifeboat rescue wait` does about each event in each state; written by UPDATE_EXPECT=1.
Under each state but the first only what is done otherwise than in the first.
";

/// With what is not in the sentence that is said.
fn show(action: &Action) -> String {
    match action {
        Action::Boot { volume, original } => {
            format!("boot {} in place of {original}", volume.device.display())
        }
        Action::Restore { device, .. } => match device {
            Some(device) => format!("go back to the own root at {}", device.display()),
            None => "go back to the own root".into(),
        },
        Action::Find { root, volume } => format!("find {root} at {}", volume.device.display()),
        Action::Adopt { root, volume } => format!("take {} for {root} after all", volume.device.display()),
        Action::LookAgain { root, volume } => {
            format!("have init look for {root} again, for {} appeared", volume.device.display())
        }
        Action::GiveUp { reason, ignored: Ignored::None } => format!("give up: {reason}"),
        Action::GiveUp { reason, ignored: Ignored::Some } => {
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
            if let Event::Looked(Moment::Last(_) | Moment::AfterFailure, _) = happens {
                assert!(ends(&action), "{name}, {event}: {action:?}");
            }
            if let Event::TimeOver(tried) = happens {
                let last = Action::Look(Moment::Last(tried), Devices::All);
                assert!(ends(&action) || action == last, "{name}, {event}: {action:?}");
            }
        }
    }
}

fn ends(action: &Action) -> bool {
    use Action::{Adopt, Boot, Find, GiveUp, LookAgain, Restore};
    matches!(
        action,
        Boot { .. } | Restore { .. } | Find { .. } | Adopt { .. } | LookAgain { .. } | GiveUp { .. }
    )
}

#[test]
fn a_rescue_volume_is_booted_whenever_it_is_seen() {
    for (name, state) in states() {
        for moment in [Moment::First, Moment::Waiting, Moment::Last(Tried::Waited), Moment::AfterFailure] {
            let booted = |scan| match state.plan(&Event::Looked(moment, scan)) {
                Action::Boot { volume, .. } => Some(volume),
                _ => None,
            };
            assert_eq!(booted(fit(&[data(), rescue()])), Some(rescue()), "{name}");
            assert_eq!(booted(finished(&[data(), rescue()])), None, "{name}");
        }
    }
}

#[test]
fn a_missing_root_is_found_once_and_never_in_an_ignored_copy() {
    let looked = || Event::Looked(Moment::Waiting, finished(&[copy(), root()]));
    let find = Action::Find { root: "UUID=own".into(), volume: root() };
    assert_eq!(
        with(SoFar { ignored: vec!["vde".into()], ..waited(Waited::Until(60)) }).plan(&looked()),
        find
    );
    assert_eq!(with(waited(Waited::ENOUGH)).plan(&looked()), Action::KeepWaiting);
    let copy_alone = Event::Looked(Moment::Waiting, finished(&[copy()]));
    assert_eq!(with(ignoring()).plan(&copy_alone), Action::KeepWaiting);
}

#[test]
fn an_ignored_copy_is_the_root_in_the_end_where_nothing_else_is() {
    let last = |volumes: &[Volume]| Event::Looked(Moment::Last(Tried::Waited), finished(volumes));
    let adopt = Action::Adopt { root: "UUID=own".into(), volume: copy() };
    assert_eq!(with(ignoring()).plan(&last(&[copy()])), adopt);
    let find = Action::Find { root: "UUID=own".into(), volume: root() };
    assert_eq!(with(ignoring()).plan(&last(&[root(), copy()])), find);
    // A copy that failed comes after one that was only ignored.
    let second = volume("/dev/vdf", "ext4", "RESCUE", "own");
    let state = with(SoFar { failed: vec!["/dev/vdf".into()], ..ignoring() });
    assert_eq!(state.plan(&last(&[second.clone(), copy()])), adopt);
    let adopted = Action::Adopt { root: "UUID=own".into(), volume: second.clone() };
    assert_eq!(state.plan(&last(&[second])), adopted);
}

#[test]
fn enter_ends_the_wait_only_where_a_shell_is_allowed() {
    let by_enter = |ignored| Action::GiveUp { reason: "Enter was pressed".into(), ignored };
    assert_eq!(own().plan(&Event::Enter), by_enter(Ignored::None));
    assert_eq!(with(ignoring()).plan(&Event::Enter), by_enter(Ignored::Some));
    let forbidden = State { shell: Shell::Forbidden, ..own() };
    assert_eq!(forbidden.plan(&Event::Enter), Action::KeepWaiting);
}

#[test]
fn it_is_waited_once_in_a_boot() {
    let first = |state: State| state.plan(&Event::Looked(Moment::First, Scan::default()));
    assert_eq!(first(own()), Action::Wait(Span::For(300)));
    assert_eq!(first(with(waited(Waited::Until(11)))), Action::Wait(Span::Until(11)));
    for so_far in [waited(Waited::Until(10)), waited(Waited::ENOUGH)] {
        assert_eq!(first(with(so_far)), Action::DoNotWait);
    }
    assert_eq!(first(State { wait: 0, ..own() }), Action::DoNotWait);
}

#[test]
fn init_looks_inside_what_appears_only_where_the_root_is_missing() {
    let locked_appears = Event::Looked(Moment::Waiting, scan(&[data(), locked()]));
    let again = Action::LookAgain { root: "UUID=own".into(), volume: locked() };
    assert_eq!(own().plan(&locked_appears), again);
    assert_eq!(unmountable().plan(&locked_appears), Action::KeepWaiting);
    assert_eq!(own().plan(&Event::Looked(Moment::Waiting, scan(&[data()]))), Action::KeepWaiting);
}

#[test]
fn after_a_failed_volume_the_own_root_is_named_by_its_device() {
    let device = |so_far, volumes: &[Volume]| {
        let state = State { so_far, ..unmountable() };
        match state.plan(&Event::Looked(Moment::AfterFailure, scan(volumes))) {
            Action::Restore { device, reason } => (device, reason),
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
        trouble(message, Some("UUID=own"), &Settings::from(Some(line), None), mode)
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

//! A call that fails, or is the last that is made, anywhere in `modules settle`.

use super::{BIND, LOOK, SETTLED, Scratch};

/// The fate of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Error,
    Kill,
}

/// The calls that change something, or that may fail for want of memory or room.
const CALLS: [&str; 6] = ["open_tree", "move_mount", "umount2", "mkdir", "openat", "write"];

/// More than a run makes of any of them.
const MOST: usize = 200;

#[test]
fn whatever_fails_the_export_stays_visible_and_the_next_call_settles_it() {
    for call in CALLS {
        each_fault(call, Fault::Error);
    }
}

#[test]
fn wherever_it_is_killed_the_next_call_settles_it() {
    for call in ["open_tree", "move_mount", "umount2", "mkdir"] {
        each_fault(call, Fault::Kill);
    }
}

/// Makes the first of these calls go wrong, then the second, until a run makes no more of them.
fn each_fault(call: &str, fault: Fault) {
    let clean = (1..=MOST).find(|count| !goes_wrong(call, *count, fault));
    assert!(clean.is_some_and(|count| count > 1), "{call}: no fault, or more than {MOST}: {clean:?}");
}

/// True if there was such a call to go wrong.
fn goes_wrong(call: &str, count: usize, fault: Fault) -> bool {
    let what = match fault {
        Fault::Error => "error=ENOMEM",
        Fault::Kill => "signal=KILL",
    };
    let inject = format!("/usr/bin/strace -f -o /run/trace -e inject={call}:{what}:when={count}");
    let ran = Scratch::covered(BIND)
        .within(&inject, "settle")
        .look("cat /lib/modules/6.1/a.ko /lib/modules/7.0/kernel/x.ko")
        .look("echo injected $(grep -c -e INJECTED -e KILL /run/trace)")
        .agent("settle")
        .look(LOOK)
        .run();
    let (first, rest) = ran.seen.split_once("injected ").unwrap();
    let (injected, last) = rest.split_once('\n').unwrap();
    // Killed where the cover has gone, it leaves the export aside.
    if fault == Fault::Error {
        assert_eq!(first, "the export\nseven\n", "{call} {count}: {}", ran.said);
    }
    assert_eq!(last, SETTLED, "{call} {count}: {}", ran.said);
    injected != "0"
}

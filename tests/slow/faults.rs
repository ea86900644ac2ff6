//! Faults at each system call that an export makes.

use crate::scratch::{Ran, Scratch, release};
use crate::trees::{LAYOUTS, Layout, TREES, Trees};
use std::fs;

/// Calls by which an export changes something.
const CALLS: [&str; 13] = [
    "mount",
    "move_mount",
    "open_tree",
    "rename",
    "renameat",
    "mkdir",
    "mkdirat",
    "unlinkat",
    "symlink",
    "fchmod",
    "copy_file_range",
    "sendfile",
    "write",
];

/// A system call that an export makes, refused or the last that is made, the first time, the second time …
fn inject(layout: &Layout, way: &str, call: &str, what: &str, nth: usize) -> (Ran, bool) {
    let trace = format!("strace -f -o /trace -e trace={call} -e inject={call}:{what}:when={nth}");
    let scratch = (layout.root)(Scratch::new().tree("", &release()))
        .sparing()
        .cmdline(&format!("lifeboat.modules={way}"))
        .through(&trace);
    let ran = scratch.run("modules", TREES);
    let trace = fs::read_to_string(scratch.path("trace")).unwrap();
    let hit = trace.contains("(INJECTED)") || trace.contains("killed by SIGKILL");
    (ran, hit)
}

#[test]
fn after_a_fault_at_any_system_call_the_root_is_as_before_or_whole() {
    let mut hits = [0; CALLS.len()];
    for layout in &LAYOUTS {
        for way in ["bind", "copy"] {
            for (call, hits) in CALLS.iter().zip(&mut hits) {
                for what in ["error=ENOMEM", "signal=SIGKILL"] {
                    let mut faults = 0;
                    loop {
                        let (ran, hit) = inject(layout, way, call, what, faults + 1);
                        let trees = Trees::of(&ran);
                        let at = format!(
                            "{}, {way}, {call} {what} {}: status {}, {}\n{}",
                            layout.name,
                            faults + 1,
                            ran.status,
                            ran.said,
                            ran.seen
                        );
                        assert!(trees.exported || trees.untouched, "{at}");
                        // Whoever was killed gives nothing back.
                        assert!(trees.exported || trees.own || what.starts_with("signal"), "{at}");
                        if !hit {
                            assert!(trees.exported && trees.own && ran.status == 0, "{at}");
                            break;
                        }
                        faults += 1;
                        assert!(faults < 64, "it never ends: {at}");
                    }
                    *hits += faults;
                }
            }
        }
    }
    println!("{hits:?} faults");
    assert!(hits.iter().all(|hits| *hits > 0), "{hits:?} faults of {CALLS:?}");
}

//! A tree from the network beside an export.

use super::{BIND, COPY, LOOK, NULL, Scratch, exported_over};
use crate::server::{Reply, Server};
use crate::tarball::{file, sha256, tar};

/// Puts the tree of the running kernel on the network, in a namespace where that kernel is 6.1.
fn on_the_network(scratch: Scratch) -> Scratch {
    let content = tar(&[file("lib/modules/6.1/a.ko", "the network\n")]);
    let digest = sha256(&content);
    let server = Server::new(move |_, _| Reply::Ok(content.clone()));
    let line = format!("lifeboat.modules-url={}#sha256={digest}", server.url("/"));
    scratch
        .then(NULL)
        .then("echo 6.1 >run/release && mount --bind run/release proc/sys/kernel/osrelease")
        .then(&format!("echo '{line}' >run/line && mount --bind run/line proc/cmdline"))
}

/// In use, with nothing mounted on it.
const FETCHED: &str = "the network\n5.0 6.1 7.0 current\n";

#[test]
fn what_is_fetched_takes_the_exports_place_on_the_disk() {
    for export in [BIND, COPY] {
        for before in ["settle", "aside 7.1"] {
            let scratch = on_the_network(Scratch::covered(export)).agent(before).agent("fetch").look(LOOK);
            let ran = scratch.run();
            assert_eq!(ran.seen, FETCHED, "{}", ran.said);
            assert!(ran.said.ends_with("are there for 6.1\nstatus 0\n"), "{}", ran.said);
            assert_eq!(scratch.on_disk("6.1/a.ko").as_deref(), Some("the network\n"));
        }
    }
    let scratch = on_the_network(Scratch::covered(BIND)).agent("fetch").look(LOOK);
    let ran = scratch.run();
    assert_eq!(ran.seen, FETCHED, "not uncovered before: {}", ran.said);
}

#[test]
fn the_export_comes_back_when_what_is_fetched_cannot_take_its_place() {
    let scratch =
        exported_over(Some("broken\n")).agent("settle").look("mkdir /lib/modules/6.1.lifeboat-moved");
    let ran = on_the_network(scratch).agent("fetch").look(LOOK).run();
    assert_eq!(
        ran.seen, "/lib/modules/6.1\nthe export\n5.0 6.1 6.1.lifeboat-moved current\n",
        "{}",
        ran.said
    );
    assert!(ran.said.contains("6.1.lifeboat-moved is there from an earlier time"), "{}", ran.said);
    assert!(ran.said.ends_with("status 1\n"), "{}", ran.said);
}

#[test]
fn on_a_disk_that_cannot_be_written_to_nothing_is_fetched_and_the_export_stays() {
    let scratch = on_the_network(Scratch::covered(BIND)).then("mount -o remount,bind,ro .");
    let ran = scratch.agent("fetch").look("cat /lib/modules/6.1/a.ko").run();
    assert_eq!(ran.seen, "the export\n", "{}", ran.said);
    assert!(ran.said.contains("Read-only file system") && ran.said.ends_with("status 1\n"), "{}", ran.said);
}

#[test]
fn on_a_file_system_of_its_owners_the_tree_goes_there() {
    let scratch = on_the_network(Scratch::new("").then("rm run/lifeboat/modules"))
        .then("mount -t tmpfs none lib/modules && touch lib/modules/marker")
        .agent("fetch")
        .look(LOOK);
    let ran = scratch.run();
    assert_eq!(ran.seen, "/lib/modules\nthe network\n6.1 marker\n", "{}", ran.said);
    assert_eq!(scratch.on_disk("6.1/a.ko"), None);
}

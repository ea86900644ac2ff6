//! `analyze` on a boot, and without one.

use crate::machine::Machine;
use crate::server::Server;

#[test]
fn a_boot_is_traced_from_its_sources_to_its_scripts() {
    let server =
        Server::with_seed("#cloud-config\nhostname: web\nruncmd: [ls]\nmounts: x\n", "instance-id: i-1\n");
    let machine = Machine::with_seed(&server.hand_off());
    machine.boot();
    for (name, what) in [
        ("lifeboat-agent", "show"),
        ("cloud-init", "show"),
        ("lifeboat-agent", "blame"),
        ("cloud-init", "blame"),
        ("lifeboat-agent", "plot"),
    ] {
        let (code, text, _) = machine.called(name, &["analyze", what]);
        assert_eq!(code, 0, "{text}");
        for work in ["config-hostname", "config-mounts", "config-scripts_user", "search-hand_off"] {
            assert!(text.contains(work), "{name} {what}: {work}: {text}");
        }
        // What is not asked has taken no time.
        assert!(!text.contains("search-none"), "{text}");
    }
    let (_, json) = machine.agent(&["status", "--json"]);
    assert!(json.contains("\"trace\"") && json.contains("\"kind\": \"source\""), "{json}");
    let (_, foreign, _) = machine.called("cloud-init", &["status", "--format", "json"]);
    assert!(!foreign.contains("\"trace\""), "{foreign}");
}

#[test]
fn without_a_trace_there_is_nothing_to_show() {
    let machine = Machine::new();
    for what in ["blame", "show", "plot"] {
        let (code, out, wrong) = machine.called("lifeboat-agent", &["analyze", what]);
        assert_eq!((code, out.as_str()), (1, ""), "{wrong}");
        assert!(wrong.contains("nothing was traced in this boot"), "{wrong}");
    }
}

//! Vendor-data over several boots: what was kept of it counts while it cannot be had.

use crate::machine::Machine;
use crate::server::{Reply, Server};

const INSTANCE: &str = "var/lib/cloud/instances/i-1";
const VENDOR: &str =
    "#cloud-config-archive\n- 'v: 1'\n- {type: text/x-shellscript, filename: s, content: '#!/bin/sh'}\n";

/// A server whose vendor-data is what the answers say in their order.
fn server(answers: &'static [fn() -> Reply]) -> Server {
    Server::new(move |path, count| match path {
        "/user-data" => Reply::Ok(b"#!/bin/sh\n".to_vec()),
        "/meta-data" => Reply::Ok(b"instance-id: i-1\n".to_vec()),
        "/vendor-data" => answers.get(count - 1).map_or(Reply::Status(404), |answer| answer()),
        _ => Reply::Status(404),
    })
}

/// What is there of the vendor's.
fn kept(machine: &Machine) -> [bool; 4] {
    let config = machine.read(&format!("{INSTANCE}/vendor-cloud-config.txt"));
    let there = |name: &str| machine.mode(&format!("{INSTANCE}/{name}")) != 0;
    let raw = machine.read(&format!("{INSTANCE}/vendor-data.txt"));
    [config.contains("v: 1"), there("scripts/vendor/s"), there("vendor-data.txt.i"), raw == VENDOR]
}

#[test]
fn vendor_data_that_fails_for_a_boot_stays_as_it_was_kept() {
    let server = server(&[
        || Reply::Ok(VENDOR.into()),
        || Reply::Status(401),
        || Reply::Status(401),
        || Reply::Status(404),
    ]);
    let machine = Machine::with_seed(&server.hand_off());
    assert!(machine.boot().0);
    assert_eq!(kept(&machine), [true; 4]);
    for _ in 0..2 {
        let (well, said) = machine.boot();
        assert!(well && said.contains("with what was kept of it"), "{said}");
        assert_eq!(kept(&machine), [true; 4], "{said}");
        assert_eq!(machine.agent(&["status"]).0, 2);
    }
    // That there is none any more is an answer.
    assert!(machine.boot().0);
    assert_eq!(kept(&machine), [false; 4]);
    assert_eq!(machine.agent(&["status"]).0, 0);
}

#[test]
fn vendor_data_that_has_never_been_had_is_not_there() {
    let server = server(&[|| Reply::Status(401), || Reply::Ok(VENDOR.into())]);
    let machine = Machine::with_seed(&server.hand_off());
    assert!(machine.boot().0);
    assert_eq!(kept(&machine), [false; 4]);
    assert_eq!(machine.mode(&format!("{INSTANCE}/vendor-data.txt")), 0o600);
    assert!(machine.boot().0);
    assert_eq!(kept(&machine), [true; 4]);
}

#[test]
fn what_is_not_wanted_goes_although_it_fails() {
    let server = server(&[|| Reply::Ok(VENDOR.into()), || Reply::Status(401)]);
    let machine = Machine::with_seed(&server.hand_off());
    assert!(machine.boot().0);
    machine.write("etc/cloud/cloud.cfg", "vendor_data: {enabled: false}\n");
    assert!(machine.boot().0);
    assert_eq!(kept(&machine), [false, false, false, true]);
}

#[test]
fn an_include_of_a_vendors_that_is_away_takes_nothing_with_it() {
    for (second, stays) in [("", true), ("# other vendor-data\n", false)] {
        let part = Server::new(|_, count| match count {
            1 => Reply::Ok(b"#cloud-config\nv: 1\n".to_vec()),
            _ => Reply::Status(404),
        });
        let include = format!("#include\n{}\n", part.url("/part"));
        let server = Server::new(move |path, count| match path {
            "/meta-data" => Reply::Ok(b"instance-id: i-1\n".to_vec()),
            "/vendor-data" if count == 1 => Reply::Ok(include.clone().into()),
            "/vendor-data" => Reply::Ok(format!("{include}{second}").into()),
            _ => Reply::Status(404),
        });
        let machine = Machine::with_seed(&server.hand_off());
        assert!(machine.boot().0);
        assert!(kept(&machine)[0]);
        let (well, said) = machine.boot();
        assert!(well && said.contains("there is nothing under that name"), "{said}");
        assert_eq!(kept(&machine)[0], stays, "{said}");
    }
}

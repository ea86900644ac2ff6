//! Vendor-data: what is taken of it, beside what the user says; and over several boots, what was kept of it.

use crate::machine::Machine;
use crate::parts::{mime, process, script};
use crate::server::{Reply, Server};
use expect_test::expect;

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

/// The vendor's files that are there.
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
        assert!(well && said.contains("with the kept one"), "{said}");
        assert_eq!(kept(&machine), [true; 4], "{said}");
        assert_eq!(machine.agent(&["status"]).0, 2);
    }
    // That there is none any more is an answer.
    assert!(machine.boot().0);
    assert_eq!(kept(&machine), [false; 4]);
    assert_eq!(machine.agent(&["status"]).0, 0);
}

#[test]
fn vendor_data_that_arrives_damaged_stays_as_it_was_kept() {
    let server = server(&[
        || Reply::Ok(VENDOR.into()),
        || Reply::Ok(b"<html>502 Bad Gateway</html>".to_vec()),
        || Reply::Ok(b"#cloud-config\nhostname: [a\n".to_vec()),
        || Reply::Ok(VENDOR.into()),
    ]);
    let machine = Machine::with_seed(&server.hand_off());
    assert!(machine.boot().0);
    let config = || machine.read(&format!("{INSTANCE}/vendor-cloud-config.txt"));
    let first = config();
    for is_damaged in [true, true, false] {
        let (well, said) = machine.boot();
        assert!(well && config() == first, "{said}");
        let (_, text) = machine.agent(&["status"]);
        assert_eq!(text.contains("arrived damaged"), is_damaged, "{text}");
    }
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

#[test]
fn vendor_data_is_taken_unless_somebody_says_no() {
    let vendor = mime(&[
        "Content-Type: text/cloud-config\n\nhostname: vendor\nv: 1",
        "Content-Type: text/x-shellscript\n\n#!/bin/sh\necho vendor",
        "Content-Type: text/x-shellscript-per-boot\n\n#!/bin/sh\necho each",
    ]);
    let (machine, said) =
        process(&[("user-data", b"#!/bin/sh\necho user\n"), ("vendor-data", vendor.as_bytes())]);
    assert_eq!(said, "");
    assert_eq!(script(&machine, "vendor/part-002"), "#!/bin/sh\necho vendor");
    let (_, said) = machine.agent(&["final"]);
    let (vendors, users) = (said.find("scripts/vendor/part-002"), said.find("scripts/part-001"));
    assert!(vendors.is_some() && vendors < users, "{said}");
    assert_eq!(machine.read("var/lib/cloud/scripts/per-boot/part-003"), "#!/bin/sh\necho each");
    expect![[r"
        #cloud-config

        # from 1 files
        # part-001

        ---
        hostname: vendor
        v: 1
        ...
    "]]
    .assert_eq(&machine.read(&format!("{INSTANCE}/vendor-cloud-config.txt")));
    // Somebody says no, on the same instance.
    let config: &[u8] = b"#cloud-config\nvendor_data: {enabled: false}\n";
    machine.write("in/user-data", config);
    let seed = machine.path("in");
    assert_eq!(machine.process(&seed).0, 0);
    assert_eq!(machine.mode(&format!("{INSTANCE}/vendor-cloud-config.txt")), 0);
    let (machine, _) = process(&[("user-data", config), ("vendor-data", vendor.as_bytes())]);
    assert_eq!(machine.read(&format!("{INSTANCE}/vendor-data.txt")), vendor);
    for path in ["vendor-cloud-config.txt", "scripts/vendor", "vendor-data.txt.i"] {
        assert_eq!(machine.mode(&format!("{INSTANCE}/{path}")), 0, "{path}");
    }
    // Or of a type alone.
    let config: &[u8] = b"#cloud-config\nvendor_data: {disabled_handlers: [text/x-shellscript]}\n";
    let (machine, _) = process(&[("user-data", config), ("vendor-data", vendor.as_bytes())]);
    assert_eq!(machine.mode(&format!("{INSTANCE}/scripts/vendor")), 0);
    assert_eq!(machine.mode(&format!("{INSTANCE}/vendor-cloud-config.txt")), 0o600);
}

#[test]
fn vendor_data2_wins_over_vendor_data_and_the_user_over_both() {
    let of = |user: &str, vendor2: &str| {
        let vendor = "#cloud-config\nhostname: vendor\nbootcmd: [echo vendor]\n";
        let (machine, said) = process(&[
            ("user-data", user.as_bytes()),
            ("vendor-data", vendor.as_bytes()),
            ("vendor-data2", vendor2.as_bytes()),
        ]);
        assert_eq!(said, "");
        // What is kept is carried out by the stage.
        let (code, said) = machine.agent(&["network"]);
        assert_eq!(code, 0, "{said}");
        let bootcmd = machine.read("run/cloud-init/bootcmd");
        (machine.read("etc/hostname"), bootcmd.lines().last().unwrap_or_default().to_owned())
    };
    let vendor2 = "#cloud-config\nhostname: vendor2\n";
    let names = |host: &str, command: &str| (format!("{host}\n"), format!("echo {command}"));
    assert_eq!(of("", vendor2), names("vendor2", "vendor"));
    assert_eq!(of("", ""), names("vendor", "vendor"));
    assert_eq!(of("#cloud-config\nhostname: user\n", vendor2), names("user", "vendor"));
    let off = "#cloud-config\nvendor_data2: {enabled: false}\n";
    assert_eq!(of(off, vendor2), names("vendor", "vendor"));
    let off = "#cloud-config\nvendor_data: {enabled: false}\n";
    assert_eq!(of(off, vendor2), ("vendor2\n".into(), String::new()));
}

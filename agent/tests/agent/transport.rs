//! Seeds that come packed for their transport, and services that give nothing without a token or a password.

use crate::machine::Machine;
use crate::server::{Reply, Request, Server};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write;
use std::sync::{Arc, Mutex};

const SCRIPT: &str = "#!/bin/sh\necho hello\n";
const META: &str = "instance-id: i-1\nlocal-hostname: web\n";
const KEPT: &str = "var/lib/cloud/instances/i-1/scripts/part-001";

fn gzip(content: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn zlib(content: &str) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn what_is_packed_for_its_transport_is_unpacked() {
    for (encoding, pack) in
        [("gzip", gzip as fn(&str) -> Vec<u8>), ("x-gzip", gzip), ("deflate", zlib), ("identity, gzip", gzip)]
    {
        let server = Server::new(move |path, _| match path {
            "/seed/user-data" => Reply::Encoded(encoding, pack(SCRIPT)),
            "/seed/meta-data" => Reply::Encoded(encoding, pack(META)),
            "/seed/vendor-data" => Reply::Encoded(encoding, pack("#!/bin/sh\necho vendor\n")),
            _ => Reply::Status(404),
        });
        let machine = Machine::new();
        machine.write("proc/cmdline", format!("ds=nocloud;s={}\n", server.url("/seed/")));
        let (code, said) = machine.agent(&["network", "--budget", "3"]);
        assert_eq!((code, machine.read(KEPT).as_str()), (0, SCRIPT), "{encoding}: {said}");
        assert_eq!(machine.read("etc/hostname"), "web\n");
        assert_eq!(machine.list("var/lib/cloud/instances/i-1/scripts/vendor").len(), 1);
        assert!(!said.contains("warning: "), "{encoding}: {said}");
    }
}

#[test]
fn an_encoding_that_nobody_understands_is_told_and_costs_an_optional_file_alone() {
    for (broken, code, kept) in [("/user-data", 1, ""), ("/meta-data", 1, ""), ("/vendor-data", 0, SCRIPT)] {
        let server = Server::new(move |path, _| match path {
            path if path == broken => Reply::Encoded("br", b"\x8b\x00\x80\x03".to_vec()),
            "/user-data" => Reply::Ok(SCRIPT.into()),
            "/meta-data" => Reply::Ok(META.into()),
            _ => Reply::Status(404),
        });
        let machine = Machine::with_seed(&server.hand_off());
        let (status, said) = machine.agent(&["network", "--budget", "3"]);
        assert_eq!((status, machine.read(KEPT).as_str()), (code, kept), "{broken}: {said}");
        assert!(said.contains("its Content-Encoding is br, which is not understood"), "{said}");
        assert_eq!(server.asked(broken), 1, "{said}");
    }
}

#[test]
fn configuration_and_includes_come_packed_too() {
    let server = Server::new(|path, _| match path {
        "/config" => Reply::Encoded("gzip", gzip("#cloud-config\nhostname: packed\n")),
        "/part" => Reply::Encoded("deflate", zlib(SCRIPT)),
        _ => Reply::Status(404),
    });
    let machine = Machine::new();
    machine.write("proc/cmdline", format!("cloud-config-url={} ds=nocloud\n", server.url("/config")));
    machine.write("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\n");
    machine.write("var/lib/cloud/seed/nocloud/user-data", format!("#include\n{}\n", server.url("/part")));
    let (code, said) = machine.agent(&["network", "--budget", "3"]);
    assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "packed\n"), "{said}");
    assert_eq!(machine.read(KEPT), SCRIPT, "{said}");
}

/// A metadata service that gives a token under one of its names, and nothing without it.
fn service(life: &'static str, name: &'static str) -> impl Fn(&Request) -> Reply + Send + 'static {
    move |request| match (request.verb.as_str(), request.path.as_str()) {
        ("PUT", "/latest/api/token") if request.header(life).is_some() => Reply::Ok("T0ken==".into()),
        ("GET", _) if request.header(name) != Some("T0ken==") => Reply::Status(401),
        (_, "/latest/user-data") => Reply::Ok(SCRIPT.into()),
        (_, "/latest/meta-data") => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    }
}

#[test]
fn a_service_that_wants_a_token_is_asked_for_one() {
    for (life, name) in [
        ("X-metadata-token-ttl-seconds", "X-metadata-token"),
        ("X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"),
    ] {
        let server = Server::of_requests(service(life, name));
        let machine = Machine::new();
        machine.write("proc/cmdline", format!("ds=nocloud-net;s={}\n", server.url("/latest/")));
        let (code, said) = machine.agent(&["network", "--budget", "3"]);
        assert_eq!((code, machine.read(KEPT).as_str()), (0, SCRIPT), "{said}");
        assert_eq!(server.asked("/latest/api/token"), 1, "one token does for all files: {said}");
        assert!(!said.contains("T0ken"), "{said}");
    }
}

/// A service may forget its tokens in between, as one does that was started anew.
#[test]
fn a_token_that_counts_no_longer_is_asked_for_again() {
    for (lasts, code, tokens) in [(1, 0, 3), (2, 0, 2), (0, 1, 1)] {
        let state = Mutex::new((0, 0));
        let server = Server::of_requests(move |request| {
            let (made, used) = &mut *state.lock().unwrap();
            if request.verb == "PUT" {
                (*made, *used) = (*made + 1, 0);
                return Reply::Ok(format!("T{made}").into());
            }
            let is_good = request.header("X-metadata-token") == Some(&format!("T{made}")) && *used < lasts;
            *used += 1;
            match request.path.as_str() {
                _ if !is_good => Reply::Status(401),
                "/meta-data" => Reply::Ok(META.into()),
                "/user-data" => Reply::Ok(SCRIPT.into()),
                _ => Reply::Status(404),
            }
        });
        let machine = Machine::with_seed(&server.hand_off());
        let (status, said) = machine.agent(&["network", "--budget", "3"]);
        assert_eq!((status, server.asked("/latest/api/token")), (code, tokens), "{lasts}: {said}");
        assert_eq!(machine.read(KEPT) == SCRIPT, code == 0, "{lasts}: {said}");
    }
}

#[test]
fn a_scheme_may_be_in_capitals() {
    let server = Server::with_seed(SCRIPT, META);
    let url = server.url("/").replace("http", "HTTP");
    let machine = Machine::new();
    machine.write("proc/cmdline", format!("ds=nocloud;s={url}\n"));
    let (code, said) = machine.agent(&["network", "--budget", "3"]);
    assert_eq!((code, machine.read(KEPT).as_str()), (0, SCRIPT), "{said}");
}

#[test]
fn a_server_that_asks_for_nothing_is_not_asked_for_a_token() {
    let server = Server::with_seed(SCRIPT, META);
    let machine = Machine::with_seed(&server.hand_off());
    let (code, said) = machine.agent(&["network", "--budget", "3"]);
    assert_eq!((code, server.asked("/latest/api/token")), (0, 0), "{said}");
}

#[test]
fn a_refusal_says_what_is_missing() {
    for (status, lines, tokens, told) in [
        (401, "X: y", 1, "wants a user and a password, as in http://USER:PASSWORD@HOST/, or a token"),
        (401, "WWW-Authenticate: Basic realm=\"seeds\"", 0, "wants a user and a password"),
        (407, "X: y", 0, "a proxy on the way wants a user and a password"),
        (
            403,
            "X: y",
            0,
            "the server answers 403 (it keeps this from the machine: may everybody read it there",
        ),
        (404, "X: y", 0, "neither user-data nor meta-data is there (the names of both are put behind it"),
    ] {
        let server = Server::new(move |_, _| Reply::Refusal(status, lines));
        let machine = Machine::with_seed(&server.hand_off());
        let (code, said) = machine.agent(&["network", "--budget", "3"]);
        assert!(code == 1 && said.contains(told), "{status}: {said}");
        assert_eq!(server.asked("/latest/api/token"), tokens, "{status} {lines}: {said}");
    }
}

#[test]
fn a_password_goes_with_the_url_and_no_token_is_asked_for_beside_it() {
    let server = Server::of_requests(|request| {
        // me:pw
        match (request.header("Authorization"), request.path.as_str()) {
            (Some("Basic bWU6cHc="), "/user-data") => Reply::Ok(SCRIPT.into()),
            (Some("Basic bWU6cHc="), "/meta-data") => Reply::Ok(META.into()),
            (Some("Basic bWU6cHc="), _) => Reply::Status(404),
            _ => Reply::Status(401),
        }
    });
    for (user, code) in [("me:pw@", 0), ("me:other@", 1)] {
        let url = server.url("/").replace("://", &format!("://{user}"));
        let machine = Machine::with_seed(&format!("SOURCE=nocloud\nSEED_FROM=\"{url}\"\n"));
        let (status, said) = machine.agent(&["network", "--budget", "3"]);
        assert_eq!(status, code, "{said}");
        assert!(!said.contains("other") && !said.contains("me:pw"), "{said}");
    }
    assert_eq!(server.asked("/latest/api/token"), 0);
}

#[test]
fn a_token_goes_to_no_other_server() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let other = Server::of_requests(move |request| {
        log.lock().unwrap().extend(request.header("X-metadata-token").map(str::to_owned));
        Reply::Ok(SCRIPT.into())
    });
    let url = other.url("/user-data");
    let server = Server::of_requests(move |request| match request.path.as_str() {
        "/latest/api/token" => Reply::Ok("T0ken".into()),
        _ if request.header("X-metadata-token").is_none() => Reply::Status(401),
        "/user-data" => Reply::Redirect(url.clone()),
        "/meta-data" => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    });
    let machine = Machine::with_seed(&server.hand_off());
    let (code, said) = machine.agent(&["network", "--budget", "3"]);
    assert!(code == 1 && said.contains("the server answers 302"), "{said}");
    assert_eq!(*seen.lock().unwrap(), [""; 0]);
    // A server that points to one that refuses is asked for no token of its own.
    let refuses = Server::new(|_, _| Reply::Status(401));
    let url = refuses.url("/x");
    let server = Server::new(move |_, _| Reply::Redirect(url.clone()));
    let (code, said) = Machine::with_seed(&server.hand_off()).agent(&["network", "--budget", "3"]);
    assert_eq!(
        (code, server.asked("/latest/api/token"), refuses.asked("/latest/api/token")),
        (1, 0, 0),
        "{said}"
    );
}

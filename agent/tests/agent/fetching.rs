//! The agent against servers, good and bad.

use crate::machine::Machine;
use crate::server::{Authority, Reply, Server};
use std::time::{Duration, Instant};

const SCRIPT: &str = "#!/bin/sh\necho hello\n";
const META: &str = "instance-id: i-1\nlocal-hostname: web\n";
const KEPT: &str = "var/lib/cloud/instances/i-1/scripts/part-001";

/// Runs the network stage against a server: exit status, what was said, and the script that was kept.
fn fetch(server: &Server) -> (i32, String, String) {
    let machine = Machine::with_seed(&server.hand_off());
    let (code, said) = machine.agent(&["network", "--budget", "3"]);
    (code, said, machine.read(KEPT))
}

/// Serves meta-data well and user-data in some other way.
fn user_data(answer: impl Fn(usize) -> Reply + Send + 'static) -> Server {
    Server::new(move |path, count| match path {
        "/user-data" => answer(count),
        "/meta-data" => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    })
}

#[test]
fn a_good_server_is_asked_once() {
    let server = Server::with_seed(SCRIPT, META);
    let (code, said, kept) = fetch(&server);
    assert_eq!((code, kept.as_str()), (0, SCRIPT), "{said}");
    assert_eq!((server.asked("/user-data"), server.asked("/meta-data")), (1, 1));
}

#[test]
fn a_missing_user_data_is_told_and_not_asked_for_again() {
    let server = user_data(|_| Reply::Status(404));
    let (code, said, kept) = fetch(&server);
    assert_eq!((code, kept.as_str()), (0, ""), "{said}");
    assert!(said.contains("there is no user-data"), "{said}");
    assert_eq!(server.asked("/user-data"), 1);
}

#[test]
fn a_server_with_nothing_is_an_error() {
    let (code, said, _) = fetch(&Server::new(|_, _| Reply::Status(404)));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("neither user-data nor meta-data"), "{said}");
}

#[test]
fn a_server_that_is_busy_for_a_while_is_asked_again() {
    let server = user_data(|count| if count < 3 { Reply::Status(503) } else { Reply::Ok(SCRIPT.into()) });
    let (code, said, kept) = fetch(&server);
    assert_eq!((code, kept.as_str()), (0, SCRIPT), "{said}");
    assert_eq!(server.asked("/user-data"), 3);
}

#[test]
fn a_server_that_is_busy_for_ever_is_given_up() {
    let server = user_data(|_| Reply::Status(503));
    let (code, said, kept) = fetch(&server);
    assert_eq!((code, kept.as_str()), (1, ""), "{said}");
    assert!(said.contains("until the time for it ran out: the server answers 503"), "{said}");
}

#[test]
fn no_content_is_an_empty_file_and_other_answers_without_one_are_none() {
    let server = user_data(|_| Reply::Status(204));
    let machine = Machine::with_seed(&server.hand_off());
    let (code, said) = machine.agent(&["network", "--budget", "3"]);
    assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "web\n"), "{said}");
    assert_eq!(machine.mode("var/lib/cloud/instances/i-1/user-data.txt"), 0o600);
    assert!(!said.contains("there is no user-data"), "{said}");
    for status in [206, 304] {
        let (code, said, _) = fetch(&user_data(move |_| Reply::Status(status)));
        assert!(code == 1 && said.contains(&format!("the server answers {status}")), "{said}");
    }
}

#[test]
fn a_refusal_is_final() {
    let server = user_data(|_| Reply::Status(403));
    let (code, said, _) = fetch(&server);
    assert_eq!((code, server.asked("/user-data")), (1, 1), "{said}");
    assert!(said.contains("the server answers 403"), "{said}");
}

#[test]
fn no_server_is_given_up_in_time() {
    // Nobody listens there, and no server of another test can be given that port.
    let machine = Machine::with_seed("SOURCE=nocloud\nSEED_FROM=http://127.0.0.1:9/\n");
    let (code, said) = machine.agent(&["network", "--budget", "1"]);
    assert_eq!(code, 1);
    assert!(
        said.contains("refused (os error 111) (is the server running, and is the port right?)"),
        "{said}"
    );
    let machine = Machine::with_seed("SOURCE=nocloud\nSEED_FROM=http://nowhere.invalid/\n");
    let (code, said) = machine.agent(&["network", "--budget", "1"]);
    assert!(
        code == 1 && said.contains("(is the name right, and does the machine have a DNS server?)"),
        "{said}"
    );
}

#[test]
fn half_a_body_is_not_taken_for_the_whole() {
    let server =
        user_data(|count| if count < 2 { Reply::Half(SCRIPT.into()) } else { Reply::Ok(SCRIPT.into()) });
    assert_eq!(fetch(&server).2, SCRIPT);
    let (code, said, kept) = fetch(&user_data(|_| Reply::Half(SCRIPT.into())));
    assert_eq!((code, kept.as_str()), (1, ""), "{said}");
}

#[test]
fn too_much_is_refused_at_once_and_just_enough_is_taken() {
    const LIMIT: u64 = 10 * 1024 * 1024;
    let server = user_data(|_| Reply::Many(LIMIT * 2));
    let (code, said, _) = fetch(&server);
    assert_eq!((code, server.asked("/user-data")), (1, 1), "{said}");
    assert!(said.contains("larger than 10 MiB"), "{said}");
    let (code, said, _) = fetch(&user_data(|_| Reply::Many(LIMIT)));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_body_of_5_gb_or_without_an_end_is_given_up_at_the_limit() {
    for answer in [|_| Reply::Many(5_000_000_000), |_| Reply::Endless] {
        let server = user_data(answer);
        let (code, said, kept) = fetch(&server);
        assert_eq!((code, kept.as_str(), server.asked("/user-data")), (1, "", 1), "{said}");
        assert!(said.contains("larger than 10 MiB"), "{said}");
    }
}

#[test]
fn a_server_that_drips_or_says_nothing_is_given_up_in_time() {
    for answer in [|_| Reply::Drip(SCRIPT.into()), |_| Reply::Silence] {
        let start = Instant::now();
        let (code, said, kept) = fetch(&user_data(answer));
        assert_eq!((code, kept.as_str()), (1, ""), "{said}");
        assert!(said.contains("until the time for it ran out"), "{said}");
        assert!(start.elapsed() < Duration::from_secs(20), "{said}");
    }
    // One that is slow, and still done in time.
    let server = user_data(|_| Reply::Drip(b"#!".to_vec()));
    let machine = Machine::with_seed(&server.hand_off());
    let (code, said) = machine.agent(&["network", "--budget", "30"]);
    assert_eq!((code, machine.read(KEPT).as_str()), (0, "#!"), "{said}");
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let target = Server::new(|_, _| Reply::Ok(SCRIPT.into()));
    let url = target.url("/elsewhere");
    assert_eq!(fetch(&user_data(move |_| Reply::Redirect(url.clone()))).2, SCRIPT);
    let server = user_data(|_| Reply::Redirect("/user-data".into()));
    let (code, said, kept) = fetch(&server);
    assert_eq!((code, kept.as_str()), (1, ""), "{said}");
    assert!(said.contains("too many redirects"), "{said}");
    // Nor is it tried again.
    assert_eq!(server.asked("/user-data"), 6, "{said}");
}

#[test]
fn a_placeholder_stands_for_the_name() {
    let server = Server::new(|path, _| match path {
        "/a/user-data?x=1" => Reply::Ok(SCRIPT.into()),
        "/a/meta-data?x=1" => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    });
    let url = server.url("/a/%s?x=1");
    let machine = Machine::with_seed(&format!("SOURCE=lifeboat.seed\nSEED_FROM=\"{url}\"\n"));
    let (code, said) = machine.agent(&["network"]);
    assert_eq!((code, machine.read(KEPT).as_str()), (0, SCRIPT), "{said}");
}

#[test]
fn a_directory_serves_as_well() {
    for from in ["/srv/seed", "file:///srv/seed/"] {
        let machine = Machine::with_seed(&format!("SOURCE=nocloud\nSEED_FROM={from}\n"));
        machine.write("srv/seed/user-data", SCRIPT);
        machine.write("srv/seed/meta-data", META);
        let (code, said) = machine.agent(&["network"]);
        assert_eq!((code, machine.read(KEPT).as_str()), (0, SCRIPT), "{said}");
    }
    let machine = Machine::with_seed("SOURCE=nocloud\nSEED_FROM=/srv/none\n");
    assert_eq!(machine.agent(&["network"]).0, 1);
}

#[test]
fn a_seed_over_https_is_fetched_from_a_server_that_the_machine_trusts() {
    let authority = Authority::new();
    let server = Server::over_https(&authority, |path, _| match path {
        "/user-data" => Reply::Ok(SCRIPT.into()),
        "/meta-data" => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    });
    let machine = Machine::with_seed(&server.hand_off());
    let start = Instant::now();
    let (code, said) = machine.agent(&["network", "--budget", "30"]);
    assert_eq!((code, machine.read(KEPT).as_str()), (1, ""), "{said}");
    assert!(said.contains("invalid peer certificate"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(15), "it was tried again: {said}");
    machine.write("etc/ssl/certs/ca-certificates.crt", authority.pem());
    let (code, said) = machine.agent(&["network", "--budget", "30"]);
    assert_eq!((code, machine.read(KEPT).as_str()), (0, SCRIPT), "{said}");
}

#[test]
fn secrets_of_the_url_are_not_told() {
    let server = Server::new(|_, _| Reply::Status(403));
    let url = server.url("/%s?token=hush");
    let machine = Machine::with_seed(&format!("SOURCE=nocloud\nSEED_FROM=\"{url}\"\n"));
    let (_, said) = machine.agent(&["network"]);
    assert!(said.contains("403") && !said.contains("hush"), "{said}");
}

//! `modules fetch`: what a tarball is checked against when the URL does not say it, over https and by signatures.

use crate::machine::Machine;
use crate::modules_url::{good, machine, must_be_there, must_leave_nothing, serve};
use crate::server::{Authority, Reply, Server};
use crate::tarball::{sha256, tar, through};

/// A server with the tarball and its digest beside it, over https.
fn https(authority: &Authority, digest: &str) -> Server {
    let (content, digest) = (tar(&good()), format!("{digest}  6.1.0-test.tar\n"));
    Server::over_https(authority, move |path, _| match path {
        "/6.1.0-test.tar" => Reply::Ok(content.clone()),
        "/6.1.0-test.tar.sha256" => Reply::Ok(digest.clone().into()),
        _ => Reply::Status(404),
    })
}

/// With time for handshakes on a busy machine.
fn fetch(machine: &Machine) -> (i32, String) {
    machine.agent(&["modules", "fetch", "--budget", "30"])
}

fn machine_with(authority: &Authority, url: &str) -> Machine {
    let machine = machine(&format!("lifeboat.modules-url={url}"));
    machine.write("etc/ssl/certs/ca-certificates.crt", authority.pem());
    machine
}

#[test]
fn over_https_the_digest_beside_the_tarball_serves() {
    let authority = Authority::new();
    let server = https(&authority, &sha256(&tar(&good())));
    let machine = machine_with(&authority, &server.url("/{release}.tar"));
    let (code, said) = fetch(&machine);
    assert_eq!(code, 0, "{said}");
    must_be_there(&machine, &said);

    let server = https(&authority, &sha256(b"something else"));
    let machine = machine_with(&authority, &server.url("/{release}.tar"));
    let (code, said) = fetch(&machine);
    must_leave_nothing(&machine, code, &said, "the checksum is wrong");
}

#[test]
fn a_server_of_another_authority_is_not_believed() {
    let server = https(&Authority::new(), &sha256(&tar(&good())));
    let machine = machine_with(&Authority::new(), &server.url("/{release}.tar"));
    let (code, said) = fetch(&machine);
    must_leave_nothing(&machine, code, &said, "invalid peer certificate");
    machine.write("etc/ssl/certs/ca-certificates.crt", "");
    let (code, said) = fetch(&machine);
    must_leave_nothing(&machine, code, &said, "invalid peer certificate");
}

#[test]
fn no_redirect_may_leave_https() {
    let authority = Authority::new();
    let content = tar(&good());
    let plain = serve(content.clone());
    let (target, digest) = (plain.url("/6.1.0-test.tar"), sha256(&content));
    for leaving in ["/x", "/x.sha256"] {
        let (target, digest) = (target.clone(), digest.clone());
        let server = Server::over_https(&authority, move |path, _| match path {
            path if path == leaving => Reply::Redirect(target.clone()),
            "/x.sha256" => Reply::Ok(digest.clone().into()),
            _ => Reply::Status(404),
        });
        let machine = machine_with(&authority, &server.url("/x"));
        let (code, said) = fetch(&machine);
        must_leave_nothing(&machine, code, &said, "https only");
        assert_eq!(plain.asked("/6.1.0-test.tar"), 0, "it was asked for all the same");
    }
    // With a digest of its own it may.
    let server = Server::over_https(&authority, move |_, _| Reply::Redirect(target.clone()));
    let machine = machine_with(&authority, &format!("{}#sha256={digest}", server.url("/x")));
    let (code, said) = fetch(&machine);
    assert_eq!(code, 0, "{said}");
    must_be_there(&machine, &said);
}

#[test]
fn a_digest_that_is_missing_beside_the_tarball_is_told() {
    let authority = Authority::new();
    let server = Server::over_https(&authority, |path, _| match path {
        "/y.sha256" => Reply::Ok("<html>no digest</html>".into()),
        _ => Reply::Status(404),
    });
    for (name, reason) in [("/x", "/x.sha256 is not there"), ("/y", "is no SHA-256")] {
        let machine = machine_with(&authority, &server.url(name));
        let (code, said) = fetch(&machine);
        must_leave_nothing(&machine, code, &said, reason);
    }
}

/// Signs as a publisher does: the public key, and the signature.
fn sign(content: &[u8], namespace: &str) -> (String, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    through(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", &path("key")], b"");
    let signature =
        through(&["ssh-keygen", "-q", "-Y", "sign", "-f", &path("key"), "-n", namespace], content);
    (std::fs::read_to_string(path("key.pub")).unwrap(), signature)
}

/// Serves a tarball and a signature to a machine on which a key is installed.
fn fetch_signed(content: Vec<u8>, signature: Option<Vec<u8>>, signers: &str) -> (i32, String, Machine) {
    let server = Server::new(move |path, _| match (path, &signature) {
        ("/x.tar", _) => Reply::Ok(content.clone()),
        ("/x.tar.sig", Some(signature)) => Reply::Ok(signature.clone()),
        _ => Reply::Status(404),
    });
    let machine = machine(&format!("lifeboat.modules-url={}", server.url("/x.tar")));
    machine.write("etc/lifeboat/modules-signers", signers);
    let (code, said) = fetch(&machine);
    (code, said, machine)
}

#[test]
fn a_signature_by_an_installed_key_serves_over_http() {
    let content = tar(&good());
    let (key, signature) = sign(&content, "lifeboat-modules");
    let signers = format!("# who may\npublisher@example.com namespaces=\"lifeboat-modules\" {key}");
    let (code, said, machine) = fetch_signed(content, Some(signature), &signers);
    assert_eq!(code, 0, "{said}");
    must_be_there(&machine, &said);
}

#[test]
fn any_other_signature_leaves_nothing() {
    let content = tar(&good());
    let (key, signature) = sign(&content, "lifeboat-modules");
    let (stranger, strangers) = sign(&content, "lifeboat-modules");
    let mut altered = content.clone();
    *altered.last_mut().unwrap() = 1;
    let (key_for_files, for_files) = sign(&content, "file");
    let none = String::from("the signature does not hold");
    for (content, signature, key, reason) in [
        (altered, Some(signature.clone()), &key, &none),
        (content.clone(), Some(strangers), &key, &none),
        (content.clone(), Some(signature), &stranger, &none),
        (content.clone(), Some(for_files), &key_for_files, &none),
        (content.clone(), Some(b"no signature".to_vec()), &key, &none),
        (content, None, &key, &String::from("/x.tar.sig is not there")),
    ] {
        let (code, said, machine) = fetch_signed(content, signature, &format!("me {key}"));
        must_leave_nothing(&machine, code, &said, reason);
    }
}

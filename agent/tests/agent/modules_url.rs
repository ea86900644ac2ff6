//! `modules fetch`: modules from the network, and everything that must not come from there.

use crate::machine::Machine;
use crate::server::{Reply, Server};
use crate::tarball::{Entry, directory, file, sha256, symlink, tar, through};
use std::process::{Command, Stdio};

const RELEASE: &str = "6.1.0-test";
const TREE: &str = "lib/modules/6.1.0-test";

/// A machine that runs a kernel without modules, with a kernel command line.
pub(crate) fn machine(line: &str) -> Machine {
    let machine = Machine::new();
    machine.write("proc/sys/kernel/osrelease", format!("{RELEASE}\n"));
    machine.write("proc/cmdline", format!("root=/dev/vda ro {line}\n"));
    machine
}

pub(crate) fn fetch(machine: &Machine) -> (i32, String) {
    machine.agent(&["modules", "fetch", "--budget", "1"])
}

/// A tree as it should be, in an archive as tar makes it of a whole system.
pub(crate) fn good() -> Vec<Entry> {
    vec![
        directory("./lib/modules/6.1.0-test/"),
        file("./lib/modules/6.1.0-test/kernel/fs/a.ko", "module a"),
        file("./lib/modules/6.1.0-test/kernel/b.ko", vec![7; 100_000]),
        symlink("./lib/modules/6.1.0-test/kernel/fs/c.ko", "../b.ko"),
        file("./boot/vmlinuz-6.1.0-test", "not of the tree"),
    ]
}

pub(crate) fn serve(content: Vec<u8>) -> Server {
    Server::new(move |path, _| match path {
        "/6.1.0-test.tar" => Reply::Ok(content.clone()),
        _ => Reply::Status(404),
    })
}

/// Serves a tarball with its digest on the kernel command line: exit status, what was said, and the machine.
fn fetch_tarball(content: &[u8]) -> (i32, String, Machine) {
    let server = serve(content.to_vec());
    let url = server.url("/{release}.tar");
    let machine = machine(&format!("lifeboat.modules-url={url}#sha256={}", sha256(content)));
    let (code, said) = fetch(&machine);
    (code, said, machine)
}

#[track_caller]
pub(crate) fn must_be_there(machine: &Machine, said: &str) {
    assert_eq!(machine.read(&format!("{TREE}/kernel/fs/a.ko")), "module a", "{said}");
    assert_eq!(machine.read(&format!("{TREE}/kernel/fs/c.ko")).len(), 100_000, "{said}");
    assert!(machine.read(&format!("{TREE}/modules.dep")).contains("kernel/fs/a.ko:"), "{said}");
    assert_eq!(machine.list("lib/modules"), [RELEASE], "{said}");
    assert_eq!(machine.mode("boot"), 0, "what is not of the tree was unpacked");
}

#[track_caller]
pub(crate) fn must_leave_nothing(machine: &Machine, code: i32, said: &str, reason: &str) {
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(reason), "`{reason}` is not in: {said}");
    assert!(machine.list("lib/modules").is_empty(), "{:?} is left", machine.list("lib/modules"));
}

#[test]
fn a_tarball_is_unpacked_whatever_packs_it() {
    let plain = tar(&good());
    for packer in [&["cat"][..], &["gzip", "-9"], &["xz", "-9"], &["zstd", "-19", "--long=27"]] {
        let (code, said, machine) = fetch_tarball(&through(packer, &plain));
        assert_eq!(code, 0, "{packer:?}: {said}");
        must_be_there(&machine, &said);
    }
    let (code, said, machine) = fetch_tarball(b"no archive");
    must_leave_nothing(&machine, code, &said, "it is no tar archive");
}

#[test]
fn several_streams_in_one_file_are_read_to_the_end() {
    let plain = tar(&good());
    for packer in [&["gzip"][..], &["xz"], &["zstd"]] {
        let (head, tail) = plain.split_at(plain.len() / 2);
        let both = [through(packer, head), through(packer, tail)].concat();
        let (code, said, machine) = fetch_tarball(&both);
        assert_eq!(code, 0, "{packer:?}: {said}");
        must_be_there(&machine, &said);
    }
}

#[test]
fn an_archive_that_ends_early_leaves_nothing() {
    let plain = tar(&good());
    for packer in [&["cat"][..], &["gzip"], &["xz"], &["zstd"]] {
        let packed = through(packer, &plain);
        let (code, said, machine) = fetch_tarball(&packed[..packed.len() / 2]);
        must_leave_nothing(&machine, code, &said, "modules: http://");
    }
}

#[test]
fn a_second_call_fetches_nothing() {
    let content = tar(&good());
    let server = serve(content.clone());
    let url = server.url("/{release}.tar");
    let machine = machine(&format!("lifeboat.modules-url={url}#sha256={}", sha256(&content)));
    assert_eq!(fetch(&machine).0, 0);
    let (code, said) = fetch(&machine);
    assert_eq!((code, server.asked("/6.1.0-test.tar")), (0, 1), "{said}");
    assert!(said.contains("those of 6.1.0-test are there"), "{said}");
}

#[test]
fn nothing_is_fetched_when_nothing_asks_for_it() {
    for line in ["", "lifeboat.modules-url=http://127.0.0.1:9/ lifeboat.modules=off"] {
        let machine = machine(line);
        let (code, said) = fetch(&machine);
        assert_eq!(code, 0, "{said}");
        assert_eq!(machine.mode("lib/modules"), 0, "{line}");
    }
}

#[test]
fn the_configuration_serves_as_well() {
    let content = tar(&good());
    let server = serve(content.clone());
    let machine = machine("");
    let url = server.url("/{release}.tar");
    let configuration =
        format!("LIFEBOAT_MODULES_URL=\"{url}\"\nLIFEBOAT_MODULES_SHA256={}\n", sha256(&content));
    machine.write("etc/default/lifeboat-agent", configuration);
    let (code, said) = fetch(&machine);
    assert_eq!(code, 0, "{said}");
    must_be_there(&machine, &said);
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let server = serve(tar(&good()));
    let machine = machine(&format!(
        "lifeboat.modules-url={}#sha256={}",
        server.url("/{release}.tar"),
        sha256(b"something else")
    ));
    let (code, said) = fetch(&machine);
    must_leave_nothing(&machine, code, &said, "the checksum is wrong");
}

#[test]
fn without_anything_to_check_it_against_it_is_not_even_asked_for() {
    let server = serve(tar(&good()));
    let machine = machine(&format!("lifeboat.modules-url={}", server.url("/{release}.tar")));
    let (code, said) = fetch(&machine);
    must_leave_nothing(&machine, code, &said, "is refused: there is nothing to check it against");
    assert_eq!(server.asked("/6.1.0-test.tar"), 0);
}

#[test]
fn what_is_not_there_or_too_large_leaves_nothing() {
    let digest = sha256(b"");
    for (reply, reason) in [
        (Reply::Status(404), "is not there"),
        (Reply::Many(1 << 40), "larger than"),
        (Reply::Half(vec![0; 1000]), "until the time for it ran out"),
    ] {
        let reply = std::sync::Mutex::new(reply);
        let server = Server::new(move |_, _| match &*reply.lock().unwrap() {
            Reply::Status(status) => Reply::Status(*status),
            Reply::Many(count) => Reply::Many(*count),
            Reply::Half(body) => Reply::Half(body.clone()),
            _ => unreachable!(),
        });
        let machine = machine(&format!("lifeboat.modules-url={}#sha256={digest}", server.url("/x")));
        let (code, said) = fetch(&machine);
        must_leave_nothing(&machine, code, &said, reason);
    }
}

#[test]
fn a_transfer_that_breaks_off_once_is_begun_anew() {
    let content = tar(&good());
    let body = content.clone();
    let server = Server::new(move |_, count| match count {
        1 => Reply::Half(body.clone()),
        _ => Reply::Ok(body.clone()),
    });
    let machine = machine(&format!("lifeboat.modules-url={}#sha256={}", server.url("/x"), sha256(&content)));
    let (code, said) = machine.agent(&["modules", "fetch", "--budget", "5"]);
    assert_eq!(code, 0, "{said}");
    must_be_there(&machine, &said);
}

#[test]
fn an_archive_that_leads_out_leaves_nothing() {
    let at = |rest: &str| format!("{TREE}/{rest}");
    let hard_link = Entry(b'1', at("x"), b"/etc/passwd".to_vec());
    let device = Entry(b'3', at("x"), Vec::new());
    let fifo = Entry(b'6', at("x"), Vec::new());
    for (entry, reason) in [
        (file("/etc/absolute", "x"), "/etc/absolute: its name is absolute"),
        (file(&at("../../../etc/up"), "x"), "its name has `..` in it"),
        (file("../up", "x"), "../up: its name has `..` in it"),
        (symlink(&at("x"), "/etc/passwd"), "it is a link that leads out, to /etc/passwd"),
        (symlink(&at("x"), "../../../etc"), "it is a link that leads out"),
        (symlink(&at("x"), "kernel/../../y"), "it is a link that leads out"),
        (hard_link, "it is a hard link"),
        (device, "it is no file, directory or symbolic link"),
        (fifo, "it is no file, directory or symbolic link"),
        (file(&at("kernel/b.ko"), "again"), "File exists"),
    ] {
        let mut entries = good();
        entries.push(entry);
        let (code, said, machine) = fetch_tarball(&tar(&entries));
        must_leave_nothing(&machine, code, &said, reason);
        assert_eq!((machine.mode("etc/absolute"), machine.mode("etc/up")), (0, 0));
    }
}

#[test]
fn nothing_is_written_through_a_link_of_the_archive() {
    let mut entries = good();
    entries.push(symlink(&format!("{TREE}/d"), "kernel"));
    entries.push(file(&format!("{TREE}/d/b2.ko"), "x"));
    let (code, said, machine) = fetch_tarball(&tar(&entries));
    must_leave_nothing(&machine, code, &said, "open its directory d");
}

#[test]
fn another_kernels_archive_leaves_nothing() {
    let (code, said, machine) = fetch_tarball(&tar(&[file("lib/modules/5.0/kernel/a.ko", "x")]));
    must_leave_nothing(&machine, code, &said, "the archive holds no files below 6.1.0-test/");
    let (code, said, machine) = fetch_tarball(&tar(&[file("6.1.0-test/README", "x")]));
    must_leave_nothing(&machine, code, &said, "it holds no modules that depmod knows");
}

#[test]
fn what_an_interrupted_run_left_is_removed() {
    let (server, reached) = {
        let (send, reached) = std::sync::mpsc::channel();
        let server = Server::new(move |_, _| {
            send.send(()).unwrap();
            std::thread::park();
            Reply::Status(404)
        });
        (server, reached)
    };
    let machine = machine(&format!("lifeboat.modules-url={}#sha256={}", server.url("/x"), sha256(b"")));
    let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboat-agent"))
        .args(["modules", "fetch", "--root"])
        .arg(machine.path(""))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    reached.recv().unwrap();
    // One at a time: what the first has is not taken from it.
    let (code, said) = fetch(&machine);
    assert!(code == 1 && said.contains("being fetched already"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(machine.list("lib/modules"), [".lifeboat-new-6.1.0-test"]);
    machine.write("lib/modules/.lifeboat-new-5.0/lib/x", "of an older kernel's run");
    machine.write("proc/cmdline", "lifeboat.modules-url=http://127.0.0.1:9/");
    let (code, said) = fetch(&machine);
    must_leave_nothing(&machine, code, &said, "is refused");
}

#[test]
fn an_unusable_tree_makes_room_and_is_kept() {
    let content = tar(&good());
    let server = serve(content.clone());
    let machine = machine(&format!(
        "lifeboat.modules-url={}#sha256={}",
        server.url("/{release}.tar"),
        sha256(&content)
    ));
    machine.write(&format!("{TREE}/kernel/mine.ko"), "mine");
    let (code, said) = fetch(&machine);
    assert_eq!(code, 0, "{said}");
    assert_eq!(machine.list("lib/modules"), [RELEASE, "6.1.0-test.lifeboat-moved"]);
    assert_eq!(machine.read("lib/modules/6.1.0-test.lifeboat-moved/kernel/mine.ko"), "mine");
    assert_eq!(machine.mode(&format!("{TREE}/kernel/mine.ko")), 0);
}

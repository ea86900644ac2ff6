//! User-data of many parts: what becomes of each, and that none costs another.

use crate::machine::Machine;
use crate::memory::within_memory;
use crate::server::{Reply, Server};
use crate::tarball::through;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

const META: &str = "instance-id: i-1\n";
const INSTANCE: &str = "var/lib/cloud/instances/i-1";

/// MIME of parts, each with its own headers.
pub(crate) fn mime(parts: &[&str]) -> String {
    let mut text = String::from("Content-Type: multipart/mixed; boundary=\"=B=\"\nMIME-Version: 1.0\n\n");
    for part in parts {
        text.extend(["--=B=\n", part, "\n"]);
    }
    text + "--=B=--\n"
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

/// A machine whose seed was processed, and what was said.
pub(crate) fn process(files: &[(&str, &[u8])]) -> (Machine, String) {
    let machine = Machine::new();
    machine.write("in/meta-data", META);
    for (name, content) in files {
        machine.write(&format!("in/{name}"), content);
    }
    let seed = machine.path("in");
    let (code, said) = machine.process(&seed);
    assert_eq!(code, 0, "{said}");
    (machine, said)
}

pub(crate) fn script(machine: &Machine, name: &str) -> String {
    machine.read(&format!("{INSTANCE}/scripts/{name}"))
}

#[test]
fn a_bad_part_costs_only_itself_and_is_told() {
    let server = Server::new(|path, _| match path {
        "/user-data" => Reply::Ok(
            mime(&[
                "Content-Type: text/cloud-config\n\na: [",
                "Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\nH4sIAAAAAAAA",
                "Content-Type: text/x-include-url\n\n#include\nhttp://127.0.0.1:9/gone#x",
                "Content-Type: text/html\n\n<p>",
                "Content-Type: text/x-shellscript; name=\"../../etc/evil\"\n\n#!/bin/sh\necho evil",
                "Content-Type: text/upstart-job\n\nstart on x",
                "Content-Type: text/cloud-config-archive\n\n- 5\n- {type: x, content: y}\n- '#!/bin/sh'",
                "Content-Type: text/cloud-config\n\n#cloud-config\nhostname: good",
                "Content-Type: text/x-shellscript\n\n#!/bin/sh\necho last",
            ])
            .into(),
        ),
        "/meta-data" => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    });
    let machine = Machine::with_seed(&server.hand_off());
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    assert_eq!(machine.read("etc/hostname"), "good\n");
    assert_eq!(machine.list(&format!("{INSTANCE}/scripts")), [".._.._etc_evil", "part-007", "part-009"]);
    assert_eq!(script(&machine, "part-009"), "#!/bin/sh\necho last");
    let (code, text) = machine.agent(&["status"]);
    assert_eq!(code, 2, "{text}");
    for line in [
        "warning: user-data, MIME part 1: part-001 is dropped: read the cloud-config: line 2, column 1",
        "warning: user-data, MIME part 2: part-002 is dropped: unpack gzip: ",
        "warning: user-data, MIME part 3: include http://127.0.0.1:9/gone is dropped: fetch http://127.0.0.1:9/gone",
        "warning: user-data, MIME part 4: part-003 is dropped: nothing handles the type text/html\n",
        "warning: user-data, MIME part 6: part-005 is dropped: an upstart job, and this system has no upstart",
        "warning: user-data, MIME part 7, entry 1 of the archive: the entry is dropped: it is neither",
        "warning: user-data, MIME part 7, entry 2 of the archive: part-006 is dropped: its type `x` is none",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(text.matches("\nwarning: user-data").count(), 7, "{text}");
}

#[test]
fn files_are_where_the_specification_and_cloud_init_have_them() {
    let (machine, _) = process(&[("user-data", b"#include\n/nowhere\n/dev/../proc/self/status\n")]);
    let raw = machine.read("var/lib/cloud/data/user-data.raw");
    assert_eq!(raw, "#include\n/nowhere\n/dev/../proc/self/status\n");
    let expanded = machine.read("var/lib/cloud/data/user-data.txt");
    assert!(expanded.contains("multipart/mixed") && expanded.contains("Name:"), "{expanded}");
    let config =
        mime(&["Content-Type: text/cloud-config\n\na: 1", "Content-Type: text/cloud-boothook\n\n#!/bin/sh"]);
    let (machine, _) =
        process(&[("user-data", config.as_bytes()), ("vendor-data", b"#cloud-config\nv: 1\n")]);
    for (path, mode) in [
        ("data/user-data.raw", 0o600),
        ("data/user-data.txt", 0o600),
        ("data/user-config.txt", 0o600),
        ("data/nocloud/meta-data.json", 0o600),
        ("data/instance-id", 0o644),
        ("instances/i-1/user-data.txt", 0o600),
        ("instances/i-1/user-data.txt.i", 0o600),
        ("instances/i-1/vendor-data.txt", 0o600),
        ("instances/i-1/vendor-data.txt.i", 0o600),
        ("instances/i-1/cloud-config.txt", 0o600),
        ("instances/i-1/vendor-cloud-config.txt", 0o600),
        ("instances/i-1/boothooks/part-002", 0o700),
        ("instances/i-1/datasource", 0o644),
    ] {
        assert_eq!(machine.mode(&format!("var/lib/cloud/{path}")), mode, "{path}");
    }
    for (name, mode) in
        [("instance-data.json", 0o644), ("instance-data-sensitive.json", 0o600), ("cloud-id-nocloud", 0o644)]
    {
        assert_eq!(machine.mode(&format!("run/cloud-init/{name}")), mode, "{name}");
    }
    let id = std::fs::read_link(machine.path("run/cloud-init/cloud-id")).unwrap();
    assert_eq!(id.to_str().unwrap(), "/run/cloud-init/cloud-id-nocloud");
    assert_eq!(
        machine.read("var/lib/cloud/data/user-config.txt"),
        machine.read(&format!("{INSTANCE}/cloud-config.txt"))
    );
    // Without data there is nothing of it.
    let (machine, said) = process(&[]);
    assert_eq!(said, "");
    for path in ["cloud-config.txt", "user-data.txt", "vendor-data.txt"] {
        assert_eq!(machine.mode(&format!("{INSTANCE}/{path}")), 0o600, "{path}");
        assert_eq!(machine.read(&format!("{INSTANCE}/{path}")), "");
    }
    for path in ["vendor-cloud-config.txt", "vendor-data2.txt", "boothooks", "scripts/vendor"] {
        assert_eq!(machine.mode(&format!("{INSTANCE}/{path}")), 0, "{path}");
    }
}

#[test]
fn bytes_that_are_no_text_stay_in_a_script() {
    let (machine, said) = process(&[("user-data", b"#!/bin/sh\necho \xff\n")]);
    assert_eq!(said, "");
    let written = std::fs::read(machine.path(&format!("{INSTANCE}/scripts/part-001"))).unwrap();
    assert_eq!(written, b"#!/bin/sh\necho \xff\n");
}

#[test]
fn a_compressed_part_keeps_its_text() {
    let packed = gzip("#!/bin/sh\necho Gr\u{fc}\u{df}e\n".as_bytes());
    let mut data =
        b"MIME-Version: 1.0\nContent-Type: application/x-gzip; name=g.sh\nMerge-Type: x\n\n".to_vec();
    // The bytes of gzip in the middle of a MIME are taken as they are.
    data.extend(&packed);
    let (machine, said) = process(&[("user-data", &data)]);
    assert_eq!(said, "");
    assert_eq!(script(&machine, "g.sh"), "#!/bin/sh\necho Gr\u{fc}\u{df}e\n");
}

#[test]
fn a_message_in_a_message_is_handled_once() {
    let inner = "Content-Type: message/rfc822\n\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho once";
    let (machine, said) = process(&[("user-data", mime(&[inner]).as_bytes())]);
    assert_eq!(said, "");
    assert_eq!(machine.list(&format!("{INSTANCE}/scripts")), ["part-002"]);
}

#[test]
fn what_is_compressed_is_unpacked_in_every_format() {
    let config = b"#cloud-config\nhostname: a\nbootcmd: [echo]\n";
    for packer in ["gzip", "bzip2", "xz", "zstd"] {
        let packed = through(&[packer, "-c"], config);
        let (machine, said) = process(&[("user-data", &packed)]);
        assert_eq!(said, "");
        assert!(machine.read(&format!("{INSTANCE}/cloud-config.txt")).contains("hostname: a\n"));
        assert_eq!(machine.read("var/lib/cloud/data/user-data.txt").as_bytes(), config);
        let (machine, said) = process(&[("user-data", &packed[..packed.len() - 4])]);
        assert!(said.contains("user-data: part-001 is dropped: unpack "), "{said}");
        assert_eq!(machine.read(&format!("{INSTANCE}/cloud-config.txt")), "");
        // As a part, and as what is included.
        let part = format!(
            "Content-Type: application/{packer}\nContent-Transfer-Encoding: base64\n\n{}",
            String::from_utf8(through(&["base64"], &through(&[packer, "-c"], b"#!/bin/sh\n"))).unwrap()
        );
        let (machine, said) = process(&[("user-data", mime(&[&part]).as_bytes())]);
        assert_eq!((said.as_str(), script(&machine, "part-001").as_str()), ("", "#!/bin/sh\n"), "{packer}");
        let server = Server::new(move |path, _| match path {
            "/user-data" => Reply::Ok(packed.clone()),
            "/meta-data" => Reply::Ok(META.into()),
            _ => Reply::Status(404),
        });
        let machine = Machine::with_seed(&server.hand_off());
        let (well, said) = machine.boot();
        assert!(well && machine.read("run/cloud-init/bootcmd").contains("echo"), "{packer}: {said}");
        assert_eq!(machine.agent(&["status"]).0, 0, "{packer}");
    }
}

#[test]
fn a_bomb_is_stopped_and_what_is_beside_it_stays() {
    // 2 GB of zeros, as 32 members.
    let bomb = gzip(&vec![0; 64 << 20]).repeat(32);
    let data = "#include\n/SEED/bomb\n/SEED/good\n";
    let machine = Machine::new();
    let seed = machine.path("in");
    machine.write("in/bomb", &bomb);
    machine.write("in/good", "#!/bin/sh\n");
    machine.write("in/meta-data", META);
    machine.write("in/user-data", data.replace("/SEED", seed.to_str().unwrap()));
    let said = within_memory(&machine);
    assert!(said.contains("of 10 MiB come out"), "{said}");
    assert_eq!(machine.list(&format!("{INSTANCE}/scripts")), ["part-002"]);
    machine.write("in/user-data", &bomb);
    assert!(
        within_memory(&machine)
            .contains("user-data: part-001 is dropped: unpack gzip: more than the 10485760")
    );
}

#[test]
fn a_hundred_thousand_parts_come_to_an_end() {
    let machine = Machine::new();
    machine.write("in/meta-data", META);
    let part = "--B\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n";
    let data =
        format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n{}", part.repeat(100_000));
    machine.write("in/user-data", data);
    let said = within_memory(&machine);
    assert!(said.contains("user-data: the rest is dropped: there are more than 10000 parts"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let written = machine.list(&format!("{INSTANCE}/scripts")).len();
    assert!((9_990..=10_000).contains(&written), "{written}");
    // All of one name.
    machine.write("in/meta-data", "instance-id: i-3\n");
    let part = "--B\nContent-Type: text/x-shellscript; name=a\n\n#!/bin/sh\n";
    let data =
        format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n{}", part.repeat(9_000));
    machine.write("in/user-data", data);
    assert_eq!(within_memory(&machine), "");
    assert_eq!(machine.list("var/lib/cloud/instances/i-3/scripts").len(), 9_000);
    machine.write("in/meta-data", "instance-id: i-2\n");
    machine.write("in/user-data", format!("#cloud-config-archive\n{}", "- '#!/bin/sh'\n".repeat(100_000)));
    let said = within_memory(&machine);
    assert!(said.contains("the rest is dropped: there are more than 10000 parts"), "{said}");
    assert_eq!(machine.list("var/lib/cloud/instances/i-2/scripts").len(), 10_000);
}

#[test]
fn an_include_that_includes_itself_comes_to_an_end() {
    let server = Server::new(|_, _| Reply::Status(503));
    let machine = Machine::new();
    machine.write("in/meta-data", META);
    let path = machine.path("in/loop");
    let path = path.to_str().unwrap();
    machine.write("in/loop", format!("#include\n{path}\n{path}\n/nowhere\n"));
    let busy = server.url("/busy");
    machine.write("in/user-data", format!("#include {busy}\n#include {path}\n"));
    let seed = machine.path("in");
    let (code, said) = machine.process(&seed);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("includes include each other more than 16 deep"), "{said}");
    assert!(said.contains("there are more than 100 includes"), "{said}");
    assert!(said.lines().count() < 200, "{said}");
    assert!(said.contains("the server answers 503") && server.asked("/busy") > 1, "{said}");
}

#[test]
fn an_include_is_fetched_each_time_or_once() {
    let server = Server::new(|path, count| match path {
        "/each" | "/once" => Reply::Ok(format!("#!/bin/sh\necho {count}\n").into()),
        _ => Reply::Status(404),
    });
    let (each, once) = (server.url("/each"), server.url("/once"));
    let front = Server::new(move |path, _| match path {
        "/user-data" => Reply::Ok(format!("#include {each}\n#include-once\n{once}\n").into()),
        "/meta-data" => Reply::Ok(META.into()),
        _ => Reply::Status(404),
    });
    let machine = Machine::with_seed(&front.hand_off());
    for boot in 1..=2 {
        let (well, said) = machine.boot();
        assert!(well, "{said}");
        assert_eq!((server.asked("/each"), server.asked("/once")), (boot, 1));
        assert_eq!(script(&machine, "part-001"), format!("#!/bin/sh\necho {boot}\n"));
        assert_eq!(script(&machine, "part-002"), "#!/bin/sh\necho 1\n");
    }
    let kept = machine.list(&format!("{INSTANCE}/data/urlcache"));
    assert_eq!(kept.len(), 1);
    assert_eq!(machine.mode(&format!("{INSTANCE}/data/urlcache/{}", kept[0])), 0o600);
}

#[test]
fn a_pin_that_does_not_fit_refuses_the_include() {
    let machine = Machine::new();
    machine.write("in/meta-data", META);
    machine.write("in/a", "#!/bin/sh\necho\n");
    machine.write("in/b", "#!/bin/true\n");
    let seed = machine.path("in");
    let seed = seed.to_str().unwrap();
    let digest = Command::new("sha256sum").arg(machine.path("in/a")).output().unwrap();
    let digest = String::from_utf8_lossy(&digest.stdout).split(' ').next().unwrap().to_owned();
    machine.write(
        "in/user-data",
        format!("#include\nfile://{seed}/a#sha256={digest}\n{seed}/b#sha256={digest}\n"),
    );
    let (code, said) = machine.process(Path::new(seed));
    assert_eq!(code, 0);
    assert!(said.contains("/in/b is dropped: its SHA-256 is "), "{said}");
    assert_eq!(machine.list(&format!("{INSTANCE}/scripts")), ["part-001"]);
}

#[test]
fn parts_are_for_the_machine_with_their_launch_index() {
    let data = mime(&[
        "Content-Type: text/cloud-config\nLaunch-Index: 0\n\na: 0",
        "Content-Type: text/cloud-config\n\nlaunch-index: 1\na: 1",
        "Content-Type: text/x-shellscript\n\n#!/bin/sh",
    ]);
    for (meta, config) in [("launch-index: 0", "a: 0"), ("launch-index: '1'", "a: 1"), ("other: 1", "a: 1")] {
        let machine = Machine::new();
        machine.write("in/meta-data", format!("{META}{meta}\n"));
        machine.write("in/user-data", &data);
        let seed = machine.path("in");
        assert_eq!(machine.process(&seed).0, 0);
        let text = machine.read(&format!("{INSTANCE}/cloud-config.txt"));
        assert!(text.contains(&format!("{config}\n")), "{meta}: {text}");
        assert_eq!(text.contains("# from 2 files"), meta == "other: 1", "{text}");
        assert_eq!(machine.list(&format!("{INSTANCE}/scripts")), ["part-003"]);
    }
}

#[test]
fn process_runs_nothing_of_it() {
    let machine = Machine::new();
    machine.write("in/meta-data", META);
    let marker = machine.path("ran");
    let marker = marker.to_str().unwrap();
    let touch = format!("#!/bin/sh\ntouch {marker}");
    machine.write(
        "in/user-data",
        mime(&[
            &format!("Content-Type: text/cloud-boothook\n\n#cloud-boothook\n{touch}"),
            &format!("Content-Type: text/part-handler\n\n#part-handler\n{touch}"),
            &format!("Content-Type: text/part-handler\n\n#part-handler\nopen('{marker}', 'w')\n"),
            "Content-Type: package/x\n\nfor it",
        ]),
    );
    let seed = machine.path("in");
    let (code, said) = machine.process(&seed);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("part-004 is left for a part handler"), "{said}");
    assert_eq!(machine.mode("ran"), 0);
    assert_eq!(machine.list(&format!("{INSTANCE}/handlers")), ["part-handler-000", "part-handler-001.py"]);
    assert_eq!(machine.mode(&format!("{INSTANCE}/handlers/part-handler-000")), 0o700);
}

#[test]
fn a_root_that_cannot_be_written_is_an_error() {
    let machine = Machine::new();
    machine.write("in/meta-data", META);
    machine.write("in/user-data", "#!/bin/sh\n");
    machine.write("var/lib/cloud", "a file in the way");
    let seed = machine.path("in");
    let (code, said) = machine.process(&seed);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn upstarts_jobs_go_where_upstart_is_and_are_refused_elsewhere() {
    let data = mime(&[
        "Content-Type: text/upstart-job; name=one\n\nstart on x\n",
        "Content-Type: text/x-upstart; name=two.conf\n\nstart on y\n",
        "Content-Type: text/plain\n\n#upstart-job\nstart on z\n",
    ]);
    let process = |files: &[&str]| {
        let machine = Machine::new();
        machine.write("in/meta-data", META);
        machine.write("in/user-data", &data);
        machine.make("etc");
        for file in files {
            machine.write(file, "");
        }
        let seed = machine.path("in");
        let (code, said) = machine.process(&seed);
        assert_eq!(code, 0, "{said}");
        (machine, said)
    };
    for program in ["sbin/initctl", "usr/bin/initctl"] {
        let (machine, said) = process(&[program, "etc/init/rc.conf"]);
        assert_eq!(said, "");
        assert_eq!(machine.list("etc/init"), ["one.conf", "part-003.conf", "rc.conf", "two.conf"]);
        assert_eq!(
            (machine.read("etc/init/one.conf"), machine.mode("etc/init/one.conf")),
            ("start on x\n".into(), 0o644)
        );
    }
    for files in [&["sbin/initctl"][..], &["etc/init/rc.conf"], &[]] {
        let (machine, said) = process(files);
        let reason = "is dropped: an upstart job, and this system has no upstart (/etc/init and initctl)";
        assert_eq!(said.matches(reason).count(), 3, "{said}");
        assert!(machine.list("etc/init").iter().all(|name| name == "rc.conf"), "{files:?}");
    }
}

#[test]
fn mime_of_which_no_part_comes_is_told() {
    let status = |boundary: &str| {
        let machine = Machine::new();
        machine.write("var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\n");
        let head = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary={boundary}\n\n");
        let body = "--X\nContent-Type: text/cloud-config\n\nhostname: web\n--X--\n";
        machine.write("var/lib/cloud/seed/nocloud/user-data", head + body);
        let (well, said) = machine.boot();
        assert!(well, "{said}");
        machine.agent(&["status"])
    };
    let (code, told) = status("Y");
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("the message is dropped: no line `--Y` begins a part in it"), "{told}");
    let (code, told) = status("X");
    assert_eq!(code, 0, "{told}");
}

//! A value, file or property that cannot be had costs only itself, and soon.

use super::services::{OPENSTACK, amazon, imds, network_of};
use super::*;

const SOON: Duration = Duration::from_secs(15);

fn amazons(other: impl Fn(&str) -> Option<Reply> + Send + 'static) -> (Machine, i32, String) {
    let server = Server::of_requests(move |request| {
        let is_allowed = request.header("X-aws-ec2-metadata-token") == Some("token-1");
        let path = request.path.strip_prefix("/2021-03-23/").filter(|_| is_allowed);
        path.and_then(&other).unwrap_or_else(|| imds(request))
    });
    network_of(&amazon(&server.url(""), ", max_wait: 20"))
}

/// cloud-init 26.2 loses all of it in each of these but the last (`_get_instance_metadata` returns nothing).
#[test]
fn a_leaf_that_ec2_refuses_costs_only_itself() {
    const LIST: &str = "ami-id\ninstance-id\nlocal-hostname\npublic-keys/\nplacement/\nodd";
    for (refused, status) in [
        ("meta-data/odd", 501),
        ("meta-data/odd", 403),
        ("meta-data/odd", 500),
        ("meta-data/odd", 503),
        ("meta-data/odd", 429),
        ("meta-data/odd", 400),
        ("meta-data/ami-id", 403),
        ("meta-data/placement/", 500),
        ("meta-data/placement/region", 403),
        ("dynamic/instance-identity", 500),
    ] {
        let start = Instant::now();
        let (machine, code, said) = amazons(move |path| match path {
            "meta-data/" => Some(Reply::Ok(LIST.into())),
            path if path == refused => Some(Reply::Status(status)),
            "dynamic/instance-identity" => Some(Reply::Status(404)),
            _ => None,
        });
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{refused} {status}: {said}");
        assert_eq!(
            machine.read("root/.ssh/authorized_keys"),
            "ssh-ed25519 AAAAec2 me\n",
            "{refused}: {said}"
        );
        assert_eq!(machine.read("etc/hostname"), "ip-10-0-0-1\n", "{refused}: {said}");
        assert!(said.contains(&status.to_string()) && said.contains(refused), "{said}");
        assert_eq!(machine.agent(&["status"]).0, 2);
        assert!(start.elapsed() < SOON, "{refused}: {said}");
    }
    // What is listed and not there costs only itself, too, and is told.
    let (machine, code, said) = amazons(|path| match path {
        "meta-data/" => Some(Reply::Ok(LIST.into())),
        _ => None,
    });
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    assert!(said.contains("meta-data/odd is listed, and there is nothing"), "{said}");
    assert_eq!(machine.agent(&["status"]).0, 2, "{said}");
}

#[test]
fn names_that_are_no_urls_are_asked_for_all_the_same() {
    let (machine, code, said) = amazons(|path| match path {
        "meta-data/" => Some(Reply::Ok("instance-id\ntags/\npublic-keys/".into())),
        "meta-data/tags/" => Some(Reply::Ok("my tag\n100%\na?b\n..".into())),
        "meta-data/tags/my%20tag" => Some(Reply::Ok("one".into())),
        "meta-data/tags/100%25" => Some(Reply::Ok("two".into())),
        "meta-data/tags/a%3Fb" => Some(Reply::Ok("three".into())),
        _ => None,
    });
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    let kept = machine.read("var/lib/cloud/instances/i-0abc/meta-data.json");
    assert!(kept.contains(r#""tags":{"my tag":"one","100%":"two","a?b":"three"}"#), "{kept}");
}

#[test]
fn a_service_that_hangs_on_values_is_not_waited_for_again_and_again() {
    let start = Instant::now();
    let (machine, code, said) = amazons(|path| match path {
        "meta-data/" => Some(Reply::Ok("a\nb\nc\nd\ninstance-id\nlocal-hostname\npublic-keys/".into())),
        "meta-data/a" | "meta-data/b" | "meta-data/c" | "meta-data/d" => Some(Reply::Silence),
        _ => None,
    });
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAec2 me\n", "{said}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?} {said}", start.elapsed());
}

#[test]
fn a_version_that_is_refused_is_not_the_last_one() {
    for status in [403, 500] {
        let server = Server::of_requests(move |request| match request.path.strip_prefix("/2016-09-02/") {
            _ if request.path.starts_with("/2021") || request.path.starts_with("/2018") => {
                Reply::Status(status)
            }
            Some("meta-data/") => Reply::Ok(b"instance-id".to_vec()),
            Some("meta-data/instance-id") => Reply::Ok(b"i-old".to_vec()),
            Some("user-data") => Reply::Ok(SCRIPT.into()),
            _ if request.verb == "PUT" => Reply::Ok(b"token-1".to_vec()),
            _ => Reply::Status(404),
        });
        let (machine, code, said) = network_of(&amazon(&server.url(""), ", max_wait: 20"));
        assert_eq!((code, instance(&machine).as_str()), (0, "i-old"), "{said}");
        assert_eq!(script(&machine), SCRIPT, "{said}");
    }
    // Without any instance-id there is no instance.
    let (machine, code, said) =
        amazons(|path| path.starts_with("meta-data/instance-id").then_some(Reply::Status(403)));
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (1, 0), "{said}");
}

#[test]
fn user_data_that_is_refused_is_carried_out_once_it_can_be_had() {
    let server = Server::new(|path, count| match path {
        "/meta-data" => Reply::Ok(META.into()),
        "/user-data" if count > 2 => Reply::Ok(SCRIPT.into()),
        "/user-data" => Reply::Status(403),
        _ => Reply::Status(404),
    });
    let machine = Machine::with_seed(&server.hand_off());
    let (code, said) = machine.agent(&["network", "--budget", "5"]);
    assert_eq!((code, machine.read("etc/hostname").as_str()), (1, "web\n"), "{said}");
    assert!(said.contains("user-data: fetch ") && said.contains("the server answers 403"), "{said}");
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAA\n");
    machine.agent(&["final"]);
    assert_eq!(machine.agent(&["status"]).0, 1);
    machine.boot();
    assert_eq!(script(&machine), "");
    let (well, said) = machine.boot();
    assert!(well && script(&machine) == SCRIPT, "{said}");
    assert_eq!(machine.agent(&["status"]).0, 0, "{said}");
    assert_eq!(
        machine.list("var/lib/cloud/instances/i-1").iter().filter(|name| name.contains("missing")).count(),
        0
    );
    // The other way round nobody knows who the machine is.
    let server = Server::new(|path, _| match path {
        "/user-data" => Reply::Ok(SCRIPT.into()),
        _ => Reply::Status(403),
    });
    let machine = Machine::with_seed(&server.hand_off());
    assert_eq!(machine.agent(&["network", "--budget", "5"]).0, 1);
}

#[test]
fn vendor_data_that_fails_does_not_use_the_time_up() {
    let server = Server::new(|path, _| match path {
        "/meta-data" => Reply::Ok(META.into()),
        "/user-data" => Reply::Ok(SCRIPT.into()),
        _ => Reply::Status(503),
    });
    let machine = Machine::with_seed(&server.hand_off());
    let start = Instant::now();
    let (code, said) = machine.agent(&["network", "--budget", "60"]);
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    assert!(said.contains("vendor-data") && said.contains("503"), "{said}");
    assert!(start.elapsed() < SOON, "{said}");
}

/// In cloud-init 26.2 the first four cost everything (`BrokenMetadata`), and user-data that is refused is left out.
#[test]
fn a_file_of_openstacks_service_that_fails_costs_only_itself() {
    let good = |path: &str| match path {
        "/openstack" => Reply::Ok(b"latest\n".to_vec()),
        "/openstack/latest/meta_data.json" => Reply::Ok(OPENSTACK.into()),
        "/openstack/latest/user_data" => Reply::Ok(SCRIPT.into()),
        _ => Reply::Status(404),
    };
    let broken = || Reply::Ok(b"{broken".to_vec());
    let cases = [
        ("latest/vendor_data.json", broken as fn() -> Reply),
        ("latest/vendor_data2.json", broken),
        ("latest/network_data.json", broken),
        ("latest/vendor_data.json", || Reply::Ok(b"5".to_vec())),
        ("latest/vendor_data.json", || Reply::Status(503)),
        ("latest/vendor_data2.json", || Reply::Status(403)),
        ("latest/network_data.json", || Reply::Status(500)),
        ("latest/network_data.json", || Reply::Status(403)),
    ];
    for (refused, reply) in cases {
        let start = Instant::now();
        let server = Server::new(move |path, _| if path.ends_with(refused) { reply() } else { good(path) });
        let config = format!("datasource: {{OpenStack: {{metadata_urls: ['{}']}}}}\n", server.url(""));
        let (machine, code, said) =
            network(&[(&format!("{DMI}/product_name"), "OpenStack Nova"), ("etc/cloud/cloud.cfg", &config)]);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{refused}: {said}");
        assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAnova\n");
        assert!(said.contains(refused.rsplit('/').next().unwrap()), "{said}");
        assert_eq!(machine.agent(&["status"]).0, 2, "{said}");
        assert!(start.elapsed() < SOON, "{refused}: {said}");
    }
    // The list of versions, and the tree of EC2's names, are needed by nobody else.
    for refused in ["/openstack", "/latest/meta-data/"] {
        for status in [403, 500] {
            let server =
                Server::new(move |path, _| if path == refused { Reply::Status(status) } else { good(path) });
            let config = format!("datasource: {{OpenStack: {{metadata_urls: ['{}']}}}}\n", server.url(""));
            let (machine, code, said) = network(&[
                (&format!("{DMI}/product_name"), "OpenStack Nova"),
                ("etc/cloud/cloud.cfg", &config),
            ]);
            assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{refused} {status}: {said}");
        }
    }
}

#[test]
fn a_file_of_a_config_drive_that_fails_costs_only_itself() {
    let drive = "var/lib/cloud/seed/config_drive";
    for (file, content) in [
        ("openstack/latest/vendor_data.json", "{broken"),
        ("openstack/latest/vendor_data2.json", "5"),
        ("openstack/latest/network_data.json", "\u{1}"),
        ("ec2/latest/meta-data.json", "{broken"),
        ("openstack/latest/vendor_data.json/directory", ""),
        ("ec2/latest/meta-data.json/directory", ""),
    ] {
        let files = [
            (format!("{drive}/openstack/latest/meta_data.json"), OPENSTACK),
            (format!("{drive}/openstack/latest/user_data"), SCRIPT),
            // A version without the meta-data is none.
            (format!("{drive}/openstack/2018-08-27/vendor_data.json"), "{}"),
            (format!("{drive}/{file}"), content),
        ];
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let (machine, code, said) = network(&files);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{file}: {said}");
        assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAnova\n", "{file}: {said}");
        assert_eq!(machine.agent(&["status"]).0, 2, "{file}: {said}");
    }
}

#[test]
fn a_property_or_credential_that_is_broken_costs_only_itself() {
    let xml = "<Environment><PropertySection><Property key='seedname' value='&nbsp;'/><Property/>
        <Property key='hostname' value='web'/><Property key='password' value='x'/></PropertySection></Environment>";
    let (machine, code, said) = network(&[("var/lib/cloud/seed/ovf-env.xml", xml)]);
    assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "web\n"), "{said}");
    for told in [
        "seedname: its value cannot be read: unknown entity `&nbsp;`",
        "property 2: it has no key",
        "`password`",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let text = |name: &str, text: &str| format!("io.systemd.credential:cloud-init.{name}={text}");
    let binary = |name: &str, text: &str| format!("io.systemd.credential.binary:cloud-init.{name}={text}");
    let all = smbios(&[&binary("user-data", "a"), &text("meta-data", META), &binary("vendor-data", "b")]);
    let (machine, code, said) = network(&[("sys/firmware/dmi/entries/11-0/raw", &all)]);
    assert_eq!((code, machine.read("etc/hostname").as_str()), (1, "web\n"), "{said}");
    assert!(said.contains("user-data: the SMBIOS string for user-data: decode base64"), "{said}");
    assert!(said.contains("the SMBIOS string for vendor-data: decode base64"), "{said}");
}

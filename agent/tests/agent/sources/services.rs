//! Metadata services, and the same files on volumes and in directories.

use super::*;

/// A metadata service as Amazon has it.
pub(super) fn imds(request: &Request) -> Reply {
    const TREE: &[(&str, &str)] = &[
        ("", "ami-id\nancestor-ami-ids\ninstance-id\nlocal-hostname\npublic-keys/\niam/\nplacement/"),
        ("ami-id", "ami-3"),
        ("ancestor-ami-ids", "ami-1\nami-2"),
        ("instance-id", "i-0abc"),
        ("local-hostname", "ip-10-0-0-1.ec2.internal"),
        ("public-keys/", "0=me"),
        ("public-keys/0/openssh-key", "ssh-ed25519 AAAAec2 me\n"),
        ("iam/", "security-credentials/\ninfo"),
        ("iam/info", "{\"Code\": \"Success\"}"),
        ("placement/", "region\nmissing"),
        ("placement/region", "eu-north-1"),
    ];
    let Request { verb, path, .. } = request;
    if path == "/latest/api/token" {
        let timed = request.header("X-aws-ec2-metadata-token-ttl-seconds") == Some("21600");
        return if verb == "PUT" && timed { Reply::Ok(b"token-1".to_vec()) } else { Reply::Status(400) };
    }
    if request.header("X-aws-ec2-metadata-token") != Some("token-1") {
        return Reply::Status(401);
    }
    if path == "/2021-03-23/user-data" {
        return Reply::Ok(SCRIPT.into());
    }
    let Some(name) = path.strip_prefix("/2021-03-23/meta-data/") else { return Reply::Status(404) };
    match TREE.iter().find(|(known, _)| *known == name) {
        Some((_, content)) => Reply::Ok(content.as_bytes().to_vec()),
        None => Reply::Status(404),
    }
}

/// The files of a machine of Amazon's whose service is at a URL.
pub(super) fn amazon(url: &str, more: &str) -> Vec<(String, String)> {
    let config = format!("datasource: {{Ec2: {{metadata_urls: [{url}/]{more}}}}}\n");
    vec![(format!("{DMI}/sys_vendor"), "Amazon EC2\n".into()), ("etc/cloud/cloud.cfg".into(), config)]
}

pub(super) fn network_of(files: &[(String, String)]) -> (Machine, i32, String) {
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    network(&files)
}

#[test]
fn ec2_is_asked_with_a_token_for_everything_but_credentials() {
    let server = Server::of_requests(imds);
    let (machine, code, said) = network_of(&amazon(&server.url(""), ""));
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
    assert_eq!(
        (instance(&machine).as_str(), machine.read("etc/hostname").as_str()),
        ("i-0abc", "ip-10-0-0-1\n")
    );
    assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAec2 me\n");
    let kept = machine.read("var/lib/cloud/instances/i-0abc/meta-data.json");
    for part in [r#""ancestor-ami-ids":["ami-1","ami-2"]"#, r#""region":"eu-north-1""#, r#""Code":"Success""#]
    {
        assert!(kept.contains(part), "{kept}");
    }
    assert_eq!(server.asked("/latest/api/token"), 1);
    assert_eq!(server.asked("/2021-03-23/meta-data/iam/security-credentials/"), 0);
}

#[test]
fn ec2_is_not_asked_where_the_firmware_does_not_name_it() {
    let server = Server::of_requests(imds);
    let mut files = amazon(&server.url(""), "");
    for uuid in ["", "ec2a0000-0000-0000-0000-000000000000"] {
        files[0] = (format!("{DMI}/product_uuid"), uuid.into());
        let (machine, code, said) = network_of(&files);
        assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (0, 0), "{said}");
    }
    assert_eq!(server.asked("/latest/api/token"), 0);
    // A serial number that is the same is Amazon's, and so is Xen's uuid.
    files.push((format!("{DMI}/product_serial"), "ec2a0000-0000-0000-0000-000000000000".into()));
    assert_eq!(script(&network_of(&files).0), SCRIPT);
    files.truncate(2);
    files[0] = ("sys/hypervisor/uuid".into(), "ec2b0000-0000-0000-0000-000000000000\n".into());
    assert_eq!(script(&network_of(&files).0), SCRIPT);
}

#[test]
fn ec2_is_asked_where_the_owner_says_so() {
    let server = Server::of_requests(imds);
    let [_, config] = &amazon(&server.url(""), "")[..] else { return };
    let alone = format!("datasource_list: [Ec2, None]\n{}", config.1);
    assert_eq!(script(&network(&[("etc/cloud/cloud.cfg", &alone)]).0), SCRIPT);
    let (machine, _, said) = network(&[(&config.0, &config.1), ("proc/cmdline", "ro ds=ec2\n")]);
    assert_eq!(script(&machine), SCRIPT, "{said}");
    let before = server.asked("/latest/api/token");
    let two = format!("datasource_list: [NoCloud, Ec2]\n{}", config.1);
    assert_eq!(script(&network(&[("etc/cloud/cloud.cfg", &two)]).0), "");
    assert_eq!(server.asked("/latest/api/token"), before);
}

#[test]
fn a_service_gets_no_more_time_than_its_settings_say() {
    let server = Server::of_requests(|_| Reply::Status(503));
    let machine = Machine::new();
    for (path, content) in amazon(&server.url(""), ", max_wait: 1") {
        machine.write(&path, content);
    }
    let start = Instant::now();
    let (code, said) = machine.agent(&["network"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("until the time for it ran out: the server answers 503"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(10), "{said}");
}

#[test]
fn ec2_is_spoken_to_without_a_token_only_when_that_is_allowed() {
    let old = |request: &Request| match request.path.strip_prefix("/2009-04-04/") {
        Some("meta-data/") => Reply::Ok(b"instance-id".to_vec()),
        Some("meta-data/instance-id") => Reply::Ok(b"i-old".to_vec()),
        Some("user-data") => Reply::Ok(SCRIPT.into()),
        _ => Reply::Status(404),
    };
    let server = Server::of_requests(old);
    let (machine, code, said) = network_of(&amazon(&server.url(""), ""));
    assert_eq!((code, script(&machine).as_str()), (1, ""), "{said}");
    assert!(said.contains("it gives no token (404)") && said.contains("allow_imds_v1: true"), "{said}");
    let (machine, code, said) = network_of(&amazon(&server.url(""), ", allow_imds_v1: true"));
    assert_eq!(
        (code, script(&machine).as_str(), instance(&machine).as_str()),
        (0, SCRIPT, "i-old"),
        "{said}"
    );
    // A cloud that only speaks like it never had tokens. By cloud-init 26.2's `identify_platform` and ds-identify.
    let mut files = amazon(&server.url(""), "");
    for (file, value) in [
        ("product_serial", "srv.brightbox.com"),
        ("chassis_asset_tag", "1.zstack.io"),
        ("sys_vendor", "e24cloud"),
        ("sys_vendor", "3DS Outscale"),
        ("sys_vendor", "Tilaa"),
    ] {
        files[0] = (format!("{DMI}/{file}"), value.into());
        let (machine, code, said) = network_of(&files);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{value}: {said}");
    }
}

/// cloud-init 26.2 asks for another, too: `_refresh_stale_aws_token_cb`.
#[test]
fn a_token_of_ec2s_that_counts_no_longer_is_asked_for_again() {
    for lasts in [0_usize, 1, 4, 7, 100] {
        let state = std::sync::Mutex::new((0, 0));
        let server = Server::of_requests(move |request| {
            let (made, used) = &mut *state.lock().unwrap();
            if request.verb == "PUT" {
                (*made, *used) = (*made + 1, 0);
                return Reply::Ok(format!("t{made}").into());
            }
            *used += 1;
            if request.header("X-aws-ec2-metadata-token") != Some(&format!("t{made}")) || *used > lasts {
                return Reply::Status(401);
            }
            let good = "X-aws-ec2-metadata-token: token-1".to_owned();
            imds(&Request {
                verb: "GET".into(),
                path: request.path.clone(),
                headers: vec![good],
                body: String::new(),
            })
        });
        let (machine, code, said) = network_of(&amazon(&server.url(""), ", max_wait: 5"));
        assert_eq!(code == 0, lasts > 0, "{lasts}: {said}");
        assert_eq!(script(&machine) == SCRIPT, lasts > 0, "{lasts}: {said}");
        // One that is of no use at all is not asked for again and again.
        assert!(lasts > 0 || server.asked("/latest/api/token") == 2, "{lasts}: {said}");
    }
}

#[test]
fn ec2s_token_is_taken_to_no_other_server() {
    let other = Server::new(|_, _| Reply::Ok(b"i-evil".to_vec()));
    let url = other.url("/");
    let server = Server::of_requests(move |request| match request.verb.as_str() {
        "PUT" => imds(request),
        _ => Reply::Redirect(url.clone()),
    });
    let (machine, code, said) = network_of(&amazon(&server.url(""), ""));
    assert_eq!((code, machine.list("var/lib/cloud/instances").len(), other.asked("/")), (1, 0, 0), "{said}");
}

#[test]
fn the_next_address_is_asked_when_one_is_silent() {
    let server = Server::of_requests(imds);
    let config =
        format!("datasource: {{Ec2: {{metadata_urls: ['http://127.0.0.1:9', '{}']}}}}\n", server.url(""));
    let (machine, code, said) =
        network(&[(&format!("{DMI}/sys_vendor"), "Amazon EC2\n"), ("etc/cloud/cloud.cfg", &config)]);
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
}

pub(super) const OPENSTACK: &str =
    r#"{"uuid": "u-1", "hostname": "nova.local", "public_keys": {"k": "ssh-ed25519 AAAAnova"}}"#;

#[test]
fn openstack_is_asked_where_the_firmware_names_it() {
    let server = Server::new(|path, _| match path {
        "/openstack" => Reply::Ok(b"2012-08-10\n2015-10-15\n2018-08-27\nlatest\n".to_vec()),
        "/openstack/2018-08-27/meta_data.json" => Reply::Ok(OPENSTACK.into()),
        "/openstack/2018-08-27/user_data" => Reply::Ok(SCRIPT.into()),
        "/openstack/2018-08-27/vendor_data.json" => {
            Reply::Ok(br##"{"cloud-init": "#cloud-config\n{}"}"##.to_vec())
        }
        _ => Reply::Status(404),
    });
    let config = format!("datasource: {{OpenStack: {{metadata_urls: ['{}']}}}}\n", server.url(""));
    let config = ("etc/cloud/cloud.cfg", config.as_str());
    for (file, value) in [("product_name", "OpenStack Nova"), ("chassis_asset_tag", "HUAWEICLOUD")] {
        let (machine, code, said) = network(&[(&format!("{DMI}/{file}"), value), config]);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
        assert_eq!((instance(&machine).as_str(), machine.read("etc/hostname").as_str()), ("u-1", "nova\n"));
        assert_eq!(machine.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAnova\n");
        assert_eq!(machine.read("var/lib/cloud/instances/u-1/vendor-data.txt"), "#cloud-config\n{}");
    }
    let before = server.asked("/openstack");
    let (machine, code, said) = network(&[(&format!("{DMI}/product_name"), "KVM"), config]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (0, 0), "{said}");
    assert_eq!(server.asked("/openstack"), before);
}

#[test]
fn a_config_drives_files_are_read_from_the_seed_directory_too() {
    let directory = "var/lib/cloud/seed/config_drive/openstack/latest";
    let meta = format!("{directory}/meta_data.json");
    let (machine, code, said) = network(&[(&meta, OPENSTACK), (&format!("{directory}/user_data"), SCRIPT)]);
    assert_eq!((code, script(&machine).as_str(), instance(&machine).as_str()), (0, SCRIPT, "u-1"), "{said}");
    let (machine, code, said) = network(&[(&meta, "{}"), (&format!("{directory}/user_data"), SCRIPT)]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (1, 0), "{said}");
    assert!(said.contains("it has no uuid"), "{said}");
}

#[test]
fn an_ovf_environment_is_read_from_the_seed_directory_too() {
    let environment = |properties: &str| {
        format!(
            "<?xml version='1.0'?><Environment xmlns:oe='x'><PropertySection>{properties}</PropertySection></Environment>"
        )
    };
    let good = environment(
        "<Property oe:key='instance-id' oe:value='ovf-1'/><Property oe:key='hostname' oe:value='web'/>
         <Property oe:key='user-data' oe:value='IyEvYmluL3NoCmVjaG8gaGVsbG8K'/>",
    );
    let file = "var/lib/cloud/seed/ovf/ovf-env.xml";
    let (machine, code, said) = network(&[(file, &good)]);
    assert_eq!(
        (code, script(&machine).as_str(), instance(&machine).as_str()),
        (0, SCRIPT, "ovf-1"),
        "{said}"
    );
    let (machine, code, said) = network(&[(file, "<html>")]);
    assert_eq!((code, machine.list("var/lib/cloud/instances").len()), (1, 0), "{said}");
    assert!(said.contains("it is no OVF environment"), "{said}");
}

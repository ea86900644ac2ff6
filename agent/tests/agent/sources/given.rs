//! The things that a source gives beside user-data and meta-data: templates know them, and files are where they are
//! meant.

use super::services::{amazon, imds, network_of};
use super::*;

/// User-data that writes a template's text into a script.
fn template(text: &str) -> String {
    format!("## template: jinja\n#!/bin/sh\necho '{text}'\n")
}

/// Amazon's service with an identity document. `listing` answers for the directory.
fn with_identity(listing: &'static str, user_data: String) -> Server {
    Server::of_requests(move |request| {
        let path = request.path.as_str();
        if request.header("X-aws-ec2-metadata-token") != Some("token-1") {
            return imds(request);
        }
        match path.strip_prefix("/2021-03-23/") {
            Some("user-data") => Reply::Ok(user_data.clone().into()),
            Some("dynamic/instance-identity") if !listing.is_empty() => Reply::Ok(listing.into()),
            Some("dynamic/instance-identity/document") => {
                Reply::Ok(br#"{"accountId": "111122223333", "region": "eu-own-1"}"#.to_vec())
            }
            Some("dynamic/instance-identity/pkcs7") => Reply::Ok(b"one\ntwo".to_vec()),
            _ => imds(request),
        }
    })
}

/// Recorded by reading `DataSourceEc2.crawl_metadata` of cloud-init 26.2.
#[test]
fn ds_holds_what_ec2_gives() {
    for (text, expected) in [
        ("{{ ds.dynamic.instance_identity.document.accountId }}", "111122223333"),
        ("{{ ds['dynamic']['instance-identity']['document']['accountId'] }}", "111122223333"),
        ("{{ ds.dynamic.instance_identity.pkcs7 }}", "[\\'one\\', \\'two\\']"),
        ("{{ ds.meta_data.ami_id }}", "ami-3"),
        ("{{ ds[\"meta-data\"].placement.region }}", "eu-north-1"),
        ("{{ ds._metadata_api_version }}", "2021-03-23"),
        ("{{ v1.region }}", "eu-own-1"),
    ] {
        let server = with_identity("document\npkcs7\nrsa2048", template(text));
        let (machine, code, said) = network_of(&amazon(&server.url(""), ""));
        let expected = format!("#!/bin/sh\necho '{}'\n", expected.replace('\\', ""));
        assert_eq!((code, script(&machine)), (0, expected), "{text}: {said}");
        // It is known on later boots too, and not to everybody.
        let kept = machine.read("run/cloud-init/instance-data.json");
        assert!(kept.contains("redacted for non-root user") && !kept.contains("111122223333"), "{kept}");
    }
    // A service without the list of names.
    let server = with_identity("", template("{{ ds.dynamic.instance_identity.document.accountId }}"));
    let (machine, _, said) = network_of(&amazon(&server.url(""), ""));
    assert!(script(&machine).contains("111122223333"), "{said}");
}

#[test]
fn ds_is_kept_for_boots_in_which_the_source_is_silent() {
    let server = with_identity("document", template("{{ ds.dynamic.instance_identity.document.accountId }}"));
    let machine = Machine::new();
    for (path, content) in amazon(&server.url(""), "") {
        machine.write(&path, content);
    }
    assert!(machine.boot().0);
    for (path, content) in amazon("http://127.0.0.1:9", "") {
        machine.write(&path, content);
    }
    let (well, said) = machine.boot();
    assert!(well && script(&machine).contains("111122223333"), "{said}");
    let data = machine.read("run/cloud-init/instance-data-sensitive.json");
    assert!(data.contains("111122223333"), "{data}");
}

const DRIVE: &str = "var/lib/cloud/seed/config_drive";

fn drive(files: &[(&str, &str)]) -> (Machine, i32, String) {
    let files: Vec<(String, &str)> =
        files.iter().map(|(path, content)| (format!("{DRIVE}/{path}"), *content)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    network(&files)
}

const META_DATA: &str = r#"{"uuid": "u-1", "hostname": "cp-0.local", "meta": {"role": "cp"}}"#;

/// Recorded by reading `DataSourceConfigDrive`, `BaseReader.read_v2` and `persist_instance_data` of cloud-init 26.2.
#[test]
fn ds_holds_what_a_config_drive_gives() {
    for (text, expected) in [
        ("{{ ds.ec2_metadata.local_ipv4 }}", "10.6.0.11"),
        ("{{ ds.ec2_metadata[\"instance-id\"] }}", "i-00000001"),
        ("{{ ds.network_json.links[0].id }}", "eth0"),
        ("{{ ds.meta_data.uuid }} {{ ds.meta_data.instance_id }}", "u-1 u-1"),
        ("{{ ds.meta_data.hostname }} {{ ds.meta_data.local_hostname }}", "cp-0.local cp-0.local"),
        ("{{ ds.meta_data.meta.role }}", "cp"),
        ("{{ ds.meta_data.dsmode is defined }}", "False"),
        ("{{ v1.local_hostname }}", "cp-0"),
    ] {
        let (machine, code, said) = drive(&[
            ("openstack/latest/meta_data.json", META_DATA),
            ("openstack/latest/network_data.json", r#"{"links": [{"id": "eth0"}]}"#),
            ("ec2/latest/meta-data.json", r#"{"instance-id": "i-00000001", "local-ipv4": "10.6.0.11"}"#),
            ("openstack/latest/user_data", &template(text)),
        ]);
        let expected = format!("#!/bin/sh\necho '{expected}'\n");
        assert_eq!((code, script(&machine)), (0, expected), "{text}: {said}");
    }
    // Without them the names are there, and empty.
    let (machine, _, said) = drive(&[
        ("openstack/latest/meta_data.json", META_DATA),
        ("openstack/latest/user_data", &template("{{ ds.ec2_metadata }} {{ ds.network_json }}")),
    ]);
    assert!(script(&machine).contains("'{} None'"), "{said}");
}

#[test]
fn ds_holds_what_openstacks_service_gives() {
    let user_data = template("{{ ds.ec2_metadata.local_ipv4 }} {{ ds.network_json.services }}");
    let server = Server::new(move |path, _| match path {
        "/openstack" => Reply::Ok(b"latest\n".to_vec()),
        "/openstack/latest/meta_data.json" => Reply::Ok(META_DATA.into()),
        "/openstack/latest/network_data.json" => Reply::Ok(br#"{"services": []}"#.to_vec()),
        "/openstack/latest/user_data" => Reply::Ok(user_data.clone().into()),
        "/latest/meta-data/" => Reply::Ok(b"local-ipv4\ninstance-id".to_vec()),
        "/latest/meta-data/local-ipv4" => Reply::Ok(b"10.6.0.11".to_vec()),
        _ => Reply::Status(404),
    });
    let config = format!("datasource: {{OpenStack: {{metadata_urls: ['{}']}}}}\n", server.url(""));
    let (machine, code, said) =
        network(&[(&format!("{DMI}/product_name"), "OpenStack Nova"), ("etc/cloud/cloud.cfg", &config)]);
    assert_eq!(code, 0, "{said}");
    assert!(script(&machine).contains("'10.6.0.11 []'"), "{said}");
}

const FILES: &str = r#"{"uuid": "u-1", "hostname": "vm-a.novalocal",
   "files": [{"content_path": "/content/0000", "path": "/etc/site/banner"},
             {"content_path": "/content/0009", "path": "/etc/gone"},
             {"content_path": "/content/0001", "path": "/etc/../../x"},
             {"content_path": "/content/0001", "path": "root/tool.conf"}]}"#;

#[test]
fn files_given_with_the_machine_are_written_once_per_instance() {
    let files = [
        ("openstack/latest/meta_data.json", FILES),
        ("openstack/content/0000", "hello from nova\n"),
        ("openstack/content/0001", "k=v\n"),
    ];
    let (machine, code, said) = drive(&files);
    assert_eq!(code, 0, "{said}");
    assert_eq!(machine.read("etc/site/banner"), "hello from nova\n");
    assert_eq!(machine.read("root/tool.conf"), "k=v\n");
    assert_eq!((machine.mode("etc/site/banner"), machine.mode("etc/site")), (0o660, 0o755));
    assert!(said.contains("files: entry 2: /etc/gone: there is no /content/0009"), "{said}");
    assert!(said.contains("files: entry 3: the path `/etc/../../x` names no file"), "{said}");
    assert_eq!(machine.agent(&["status"]).0, 2);
    // What the owner changed since stays, until it is another machine.
    machine.write("etc/site/banner", "own\n");
    assert!(machine.boot().0);
    assert_eq!(machine.read("etc/site/banner"), "own\n");
    machine.write(&format!("{DRIVE}/openstack/latest/meta_data.json"), FILES.replace("u-1", "u-2"));
    machine.boot();
    assert_eq!(
        (instance(&machine).as_str(), machine.read("etc/site/banner").as_str()),
        ("u-2", "hello from nova\n")
    );
}

#[test]
fn openstacks_service_gives_files_too() {
    let server = Server::new(move |path, _| match path {
        "/openstack" => Reply::Ok(b"latest\n".to_vec()),
        "/openstack/latest/meta_data.json" => Reply::Ok(FILES.into()),
        "/openstack/content/0000" => Reply::Ok(b"hello from nova\n".to_vec()),
        _ => Reply::Status(404),
    });
    let config = format!("datasource: {{OpenStack: {{metadata_urls: ['{}']}}}}\n", server.url(""));
    let (machine, code, said) =
        network(&[(&format!("{DMI}/product_name"), "OpenStack Nova"), ("etc/cloud/cloud.cfg", &config)]);
    assert_eq!((code, machine.read("etc/site/banner").as_str()), (0, "hello from nova\n"), "{said}");
    assert_eq!(machine.agent(&["network", "--budget", "5"]).0, 0);
    assert_eq!(server.asked("/openstack/content/0000"), 1);
}

#[test]
fn vendor_data_in_a_list_is_as_many_data() {
    let list = r##"["#!/bin/sh\necho one\n", "#cloud-config\nhostname: of-vendor\n",
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho two\n--X--\n"]"##;
    for vendor_data in [list.to_owned(), format!("{{\"cloud-init\": {list}}}")] {
        let (machine, code, said) = drive(&[
            ("openstack/latest/meta_data.json", r#"{"uuid": "u-1"}"#),
            ("openstack/latest/vendor_data.json", &vendor_data),
            ("openstack/latest/vendor_data2.json", r##"{"cloud-init": "#!/bin/sh\necho three\n"}"##),
        ]);
        assert_eq!((code, machine.read("etc/hostname").as_str()), (0, "of-vendor\n"), "{said}");
        let scripts = "var/lib/cloud/instances/u-1/scripts/vendor";
        let all: String =
            machine.list(scripts).iter().map(|name| machine.read(&format!("{scripts}/{name}"))).collect();
        for word in ["one", "two", "three"] {
            assert!(all.contains(&format!("echo {word}")), "{all}: {said}");
        }
    }
}

/// By cloud-init 26.2's `_get_data`, but for what is no text, which ends it with a traceback.
#[test]
fn an_empty_value_in_the_configuration_is_no_seed() {
    for settings in ["seedfrom: \"\"", "seedfrom:", "{seedfrom: null, user-data: \"\"}", "meta-data:"] {
        let config = format!("datasource:\n  NoCloud:\n    {settings}\n");
        let (machine, code, said) = network(&[("etc/cloud/cloud.cfg.d/1.cfg", &config)]);
        assert_eq!((code, instance(&machine).as_str()), (0, ""), "{settings}: {said}");
        assert!(said.contains("there is no seed"), "{settings}: {said}");
        // Another place counts as if it were not there.
        let meta_data = ("var/lib/cloud/seed/nocloud/meta-data", META);
        let user_data = ("var/lib/cloud/seed/nocloud/user-data", SCRIPT);
        let (machine, code, said) =
            network(&[("etc/cloud/cloud.cfg.d/1.cfg", &config), meta_data, user_data]);
        assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{settings}: {said}");
    }
    let config = "datasource: {NoCloud: {user-data: {runcmd: [ls]}, meta-data: {instance-id: i-1}}}\n";
    let (machine, code, said) = network(&[("etc/cloud/cloud.cfg.d/1.cfg", config)]);
    assert_eq!((code, instance(&machine).as_str()), (0, "i-1"), "{said}");
    assert!(said.contains("user-data is a mapping and no text (write `user-data: |`"), "{said}");
}

/// By cloud-init 26.2's `DataSourceOVF._get_data`: what a property says wins, and its own id is the last of all.
#[test]
fn a_property_of_ovf_leads_to_a_seed() {
    for (property, id, name) in [
        ("", "i-1", "web"),
        ("<Property oe:key='instance-id' oe:value='i-own'/>", "i-own", "web"),
        ("<Property oe:key='hostname' oe:value='own'/>", "i-1", "own"),
        ("<Property oe:key='meta-data' oe:value='{instance-id: i-2}'/>", "i-2", "web"),
    ] {
        let xml = format!(
            "<Environment xmlns:oe='http://schemas.dmtf.org/ovf/environment/1'><PropertySection>
             <Property oe:key='seedfrom' oe:value='file:///seed/'/>{property}</PropertySection></Environment>"
        );
        let (machine, code, said) = network(&[
            ("var/lib/cloud/seed/ovf/ovf-env.xml", &xml),
            ("seed/meta-data", META),
            ("seed/user-data", SCRIPT),
        ]);
        assert_eq!((code, instance(&machine).as_str(), script(&machine).as_str()), (0, id, SCRIPT), "{said}");
        assert_eq!(machine.read("etc/hostname"), format!("{name}\n"), "{said}");
    }
}

/// By cloud-init 26.2's `_determine_dsmode` and what each source does with it.
#[test]
fn a_seed_may_say_that_it_is_not_to_be_taken() {
    let (drive, nocloud) = ("var/lib/cloud/seed/config_drive", "var/lib/cloud/seed/nocloud");
    let first =
        |more: &str| format!(r##"{{"instance-id": "i-1", "user-data": "#!/bin/sh\necho hello\n"{more}}}"##);
    let second = |meta: &str| format!(r#"{{"uuid": "i-1", "meta": {meta}}}"#);
    let settings = |mode: &str| format!("datasource: {{ConfigDrive: {{dsmode: {mode}}}}}");
    for (file, content, config, refused) in [
        ("1", first(r#", "dsmode": "local""#), String::new(), None),
        ("1", first(r#", "dsmode": "net""#), String::new(), None),
        ("1", first(r#", "dsmode": "odd""#), String::new(), None),
        ("1", first(""), settings("local"), None),
        ("1", first(""), String::new(), Some("its dsmode is pass (dsmode local or net has it taken)")),
        ("1", first(r#", "dsmode": "disabled""#), settings("net"), Some("its dsmode is disabled")),
        ("2", second("{}"), String::new(), None),
        ("2", second(r#"{"dsmode": "local"}"#), String::new(), None),
        ("2", second(r#"{"dsmode": null}"#), String::new(), None),
        ("2", second(r#"{"dsmode": "disabled"}"#), String::new(), Some("its dsmode is disabled")),
        ("2", second(r#"{"dsmode": "pass"}"#), String::new(), Some("its dsmode is pass")),
        ("2", second("{}"), settings("disabled"), Some("its dsmode is disabled")),
        ("n", format!("{META}dsmode: local\n"), String::new(), None),
        ("n", format!("{META}dsmode: pass\n"), String::new(), None),
        ("n", format!("{META}dsmode: disabled\n"), String::new(), Some("its dsmode is disabled")),
    ] {
        let (data, user_data) = match file {
            "1" => (format!("{drive}/meta.js"), "unused".into()),
            "2" => (
                format!("{drive}/openstack/latest/meta_data.json"),
                format!("{drive}/openstack/latest/user_data"),
            ),
            _ => (format!("{nocloud}/meta-data"), format!("{nocloud}/user-data")),
        };
        let config = ("etc/cloud/cloud.cfg.d/1.cfg", config.as_str());
        let (machine, code, said) = network(&[(&data, &content), (&user_data, SCRIPT), config]);
        assert_eq!(code, 0, "{content}: {said}");
        assert_eq!(script(&machine) == SCRIPT, refused.is_none(), "{content}: {said}");
        assert!(said.contains(refused.unwrap_or_default()), "{content}: {said}");
        assert_eq!(machine.agent(&["status"]).1.contains("it is not taken"), refused.is_some(), "{content}");
    }
}

#[test]
fn a_config_drive_that_is_mounted_is_read_there() {
    let files = [
        ("config-drive/openstack/2018-08-27/meta_data.json", r#"{"uuid": "i-1"}"#),
        ("config-drive/openstack/2018-08-27/user_data", SCRIPT),
    ];
    let (machine, code, said) = network(&files);
    assert_eq!((code, script(&machine).as_str()), (0, SCRIPT), "{said}");
}

//! The places that name a source, and those that do not. "2" in a comment: cloud-init 26.2 ends with the fallback
//! source None, and so with status 2. "0" is a machine on which its ds-identify switches it off. Both as read in its
//! source.

use super::When::{Always, NothingFound};
use super::*;
use crate::root::Root;
use std::time::Duration;

const LINE: &str = "proc/cmdline";
const SERIAL: &str = "sys/class/dmi/id/product_serial";
const CONFIG: &str = "etc/cloud/cloud.cfg";
const KNOWN: &str = "names are NoCloud, QemuFwCfg, ConfigDrive, OVF, VMware, OpenStack, Ec2, None)";

/// A file of a machine, who of it names a source (the beginning of what is told), the end, and when it is told.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str, When)]);

const TABLE: &[Row] = &[
    // 0
    (LINE, "ro quiet", &[]),
    (LINE, "ro ds= root=/dev/vda", &[]),
    (LINE, "ro adds=nocloud pads=x", &[]),
    (SERIAL, "VM-1234", &[]),
    (CONFIG, "datasource_list: [NoCloud, ConfigDrive, Azure, None]", &[]),
    (CONFIG, "datasource_list: []", &[]),
    (CONFIG, "datasource: {NoCloud: {fs_label: seed}}", &[]),
    ("var/lib/cloud/seed/nocloud/user-data", "", &[]),
    // 2, as somebody wants it
    (LINE, "ds=None", &[]),
    (CONFIG, "datasource_list: [None]", &[]),
    // 2
    (
        LINE,
        "ds=nocloud;i=x",
        &[("ds= on the kernel command line names nocloud, and", "was found", NothingFound)],
    ),
    (
        LINE,
        "ds=ConfigDrive",
        &[("ds= on the kernel command line names ConfigDrive, and", "was found", NothingFound)],
    ),
    (
        LINE,
        "ci.ds=OVF",
        &[("ci.ds= on the kernel command line names OVF, and nothing", "was found", NothingFound)],
    ),
    (
        LINE,
        "ci.datasource=VMware",
        &[("ci.datasource= on the kernel command line names VMware", "", NothingFound)],
    ),
    (
        LINE,
        "ds=nocluod;s=http://x/",
        &[("ds= on the kernel command line names the source `nocluod`, and", KNOWN, Always)],
    ),
    (
        LINE,
        "ds=nocloud,s=/s",
        &[("ds= on the kernel command line names the source `nocloud,s=/s`", KNOWN, Always)],
    ),
    (
        LINE,
        r"ds=nocloud\x3bs=/s",
        &[("ds= on the kernel command line names the source `nocloud\\x3bs=/s`", KNOWN, Always)],
    ),
    (
        LINE,
        "ds='nocloud;s=/s'",
        &[("ds= on the kernel command line names the source `'nocloud`", KNOWN, Always)],
    ),
    (LINE, "ds=Azure", &[("ds= on the kernel command line names the source `Azure`", KNOWN, Always)]),
    (LINE, "'ds=nocloud;s=/s'", &[("`'ds` on the kernel command line is no parameter", "", Always)]),
    (LINE, "DS=nocloud;s=/s", &[("`DS` on the kernel command line is no parameter", "", Always)]),
    (
        SERIAL,
        "ds=other;s=/s",
        &[("the firmware's serial number `ds=other;s=/s` names the source `other`", KNOWN, Always)],
    ),
    (
        CONFIG,
        "datasource_list: [NoCloud, None]",
        &[("datasource_list names NoCloud, and", "found", NothingFound)],
    ),
    (
        CONFIG,
        "datasource_list: [ConfigDrive]",
        &[("datasource_list names ConfigDrive, and", "found", NothingFound)],
    ),
    (
        CONFIG,
        "datasource_list: [GCE, None]",
        &[("datasource_list names the source `GCE`", KNOWN, NothingFound)],
    ),
    (
        CONFIG,
        "datasource_list: NoClod",
        &[("datasource_list names the source `NoClod`", KNOWN, NothingFound)],
    ),
    // 0, but a name is misspelt, or a directory was made for nothing
    (
        CONFIG,
        "datasource_list: [NoClod, Ec2, None]",
        &[("datasource_list names the source `NoClod`", KNOWN, NothingFound)],
    ),
    (
        "var/lib/cloud/seed/nocloud/userdata",
        "",
        &[("", "holds neither user-data nor meta-data", NothingFound)],
    ),
];

#[test]
fn who_names_a_source_is_told_and_nobody_else() {
    for (path, content, expected) in TABLE {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write(path, content.as_bytes(), 0o600).unwrap();
        let facts = SourceFacts::read(&root, None, Duration::ZERO).unwrap();
        let found = of(&facts);
        assert_eq!(found.len(), expected.len(), "{path} {content}: {found:?}");
        for (naming, (start, end, when)) in found.iter().zip(*expected) {
            let Naming { told, .. } = naming;
            assert!(told.starts_with(start) && told.ends_with(end), "{content}: {told}");
            assert_eq!(naming.when, *when, "{content}");
        }
    }
}

/// The firmware of clouds that cloud-init has a source for. Read in its ds-identify, which finds each source
/// without a list, and with one that has it; it finds none where the list leaves it out, and none by the rows of others.
#[test]
fn firmware_names_a_cloud_that_the_agent_has_no_source_for() {
    for (file, value, cloud) in [
        ("sys_vendor", "Hetzner", "Hetzner"),
        ("sys_vendor", "DigitalOcean", "DigitalOcean"),
        ("sys_vendor", "Linode", "Akamai"),
        ("sys_vendor", "Akamai", "Akamai"),
        ("sys_vendor", "UpCloud", "UpCloud"),
        ("sys_vendor", "NWCS", "NWCS"),
        ("sys_vendor", "Scaleway", "Scaleway"),
        ("sys_vendor", "Vultr", "Vultr"),
        ("product_name", "Google Compute Engine", "GCE"),
        ("product_serial", "GoogleCloud-0123456789ABCDEF", "GCE"),
        ("product_name", "Alibaba Cloud ECS", "AliYun"),
        ("product_name", "CloudStack KVM Hypervisor", "CloudStack"),
        ("product_name", "CloudCIX", "CloudCIX"),
        ("product_name", "Exoscale Compute Platform", "Exoscale"),
        ("product_name", "CloudSigma", "CloudSigma"),
        ("product_name", "SmartDC HVM", "SmartOS"),
        ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "Azure"),
        ("chassis_asset_tag", "OracleCloud.com", "Oracle"),
    ] {
        for (list, is_told) in [
            ("{}".to_owned(), true),
            (format!("datasource_list: [NoCloud, {cloud}, None]"), true),
            ("datasource_list: [NoCloud, ConfigDrive, None]".into(), false),
        ] {
            let found = on_machine(file, value, &list);
            let expected = format!("the firmware's {file} `{value}` names the source `{cloud}`, and");
            assert_eq!(found.len(), usize::from(is_told), "{value} {list}: {found:?}");
            for naming in found {
                assert!(naming.told.starts_with(&expected) && naming.told.ends_with(KNOWN), "{naming:?}");
                assert_eq!(naming.when, NothingFound, "{value}");
            }
        }
    }
    for (file, value) in [
        ("sys_vendor", "QEMU"),
        ("sys_vendor", "Hetzner Online"),
        ("product_name", "My CloudStack"),
        ("product_name", "CloudSigma 2"),
        ("product_serial", "GoogleCloud"),
        ("chassis_asset_tag", "7783"),
        ("product_name", ""),
        ("product_name", "VMware Virtual Platform"),
    ] {
        assert_eq!(on_machine(file, value, "{}"), [], "{value}");
    }
}

fn on_machine(file: &str, value: &str, config: &str) -> Vec<Naming> {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    root.write(&format!("sys/class/dmi/id/{file}"), value.as_bytes(), 0o600).unwrap();
    root.write(CONFIG, config.as_bytes(), 0o600).unwrap();
    of(&SourceFacts::read(&root, None, Duration::ZERO).unwrap())
}

#[test]
fn each_name_is_told_with_what_to_do() {
    for (name, remedy) in [
        ("azure", "the agent does not have it"),
        ("'nocloud", "take quotes and backslashes out"),
        ("nocloud:s=/s", "fields follow a `;`, as in ds=nocloud;s=URL"),
        ("xyz", "none of that name (the names are"),
    ] {
        assert!(unknown("x", name).contains(remedy), "{name}");
    }
}

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

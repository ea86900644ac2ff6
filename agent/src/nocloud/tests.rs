//! The results of cloud-init 26.2 for the same places. Each row was recorded from a run of its `NoCloud`, with a
//! directory in the place of a mounted volume.

use super::*;
use crate::root::Root;
use crate::sources::nocloud_places;
use crate::yaml::Value;
use std::time::Duration;

const SERIAL: &str = "sys/class/dmi/id/product_serial";
const LINE: &str = "proc/cmdline";
const DIRECTORY: &str = "var/lib/cloud/seed/nocloud";
const CONFIG: &str = "etc/cloud/cloud.cfg.d/9.cfg";
const FAR: &str = "far";
const VOLUME: &str = "volume";

/// Places that name a place themselves in their meta-data.
const OWN: &str = "{instance-id: own, seedfrom: /far}";
const NOWHERE: &str = "{instance-id: own, seedfrom: /none}";

/// A place, and its content: words, configuration, or the meta-data of files whose user-data is the place's name.
type Place = (&'static str, &'static str);

/// The places of a machine, and what they come to: instance-id, host name, user-data, vendor-data and a key of theirs.
const TABLE: &[(&[Place], &str)] = &[
    (&[(LINE, "ds=nocloud;i=line"), (CONFIG, "seedfrom: /far"), (FAR, "")], "line farname far - farzone"),
    (&[(LINE, "ds=nocloud;h=line"), (DIRECTORY, "")], "dir line dir - dirzone"),
    (&[(LINE, "ds=nocloud;i=line"), (VOLUME, "")], "line volname vol - volzone"),
    (&[(DIRECTORY, ""), (VOLUME, "")], "dir dirname vol - dirzone"),
    (&[(CONFIG, ""), (VOLUME, "")], "cfg cfgname vol - cfgzone"),
    (&[(DIRECTORY, ""), (CONFIG, "")], "dir dirname cfg - dirzone"),
    (&[(DIRECTORY, ""), (CONFIG, ""), (VOLUME, "")], "dir dirname vol - dirzone"),
    (
        &[(SERIAL, "ds=nocloud;h=dmi"), (LINE, "ds=nocloud;h=line;i=line"), (DIRECTORY, "")],
        "line dmi dir - dirzone",
    ),
    (&[(LINE, "ds=nocloud;s=/far"), (VOLUME, ""), (FAR, "")], "vol volname far - volzone"),
    (&[(LINE, "ds=nocloud;s=/far"), (DIRECTORY, ""), (FAR, "")], "dir dirname far - dirzone"),
    (&[(LINE, "ds=nocloud;s=/none"), (CONFIG, "seedfrom: /far"), (FAR, "")], "far farname far - farzone"),
    (&[(DIRECTORY, OWN), (FAR, "")], "own farname far - farzone"),
    (&[(DIRECTORY, NOWHERE), (CONFIG, "seedfrom: /far"), (FAR, "")], "own farname far - farzone"),
    (&[(VOLUME, OWN), (DIRECTORY, ""), (FAR, "")], "dir dirname far - dirzone"),
    (&[(SERIAL, "ds=nocloud;s=/far"), (LINE, "ds=nocloud;i=line"), (FAR, "")], "line farname far - farzone"),
    (&[(SERIAL, "serial 1 ds=nocloud;i=dmi"), (VOLUME, "")], "dmi volname vol - volzone"),
    (&[(DIRECTORY, "vendor"), (VOLUME, "")], "dir dirname vol vendor dirzone"),
    (&[(LINE, "ds=nocloud;s=/far"), (DIRECTORY, "vendor"), (FAR, "")], "dir dirname far - dirzone"),
    (&[(DIRECTORY, ""), (CONFIG, "fs_label: null")], "dir dirname dir - dirzone"),
    (&[(DIRECTORY, "{zone: z}"), (VOLUME, "{instance-id: i}")], "i - vol - z"),
    (&[(LINE, "ds=nocloud")], "- - - - -"),
    (&[(SERIAL, "ds=nocloud;i=dmi")], "dmi - - - -"),
];

fn full(name: &str) -> String {
    format!("{{instance-id: {name}, local-hostname: {name}name, zone: {name}zone}}")
}

fn files(name: &str, meta_data: &str) -> [(&'static str, String); 3] {
    let (meta_data, vendor_data) = match meta_data {
        "" => (full(name), ""),
        "vendor" => (full(name), "vendor"),
        own => (own.to_owned(), ""),
    };
    [("meta-data", meta_data), ("user-data", name.to_owned()), ("vendor-data", vendor_data.to_owned())]
}

fn machine(places: &[Place], root: &Root) {
    let write = |path: &str, text: &str| root.write(path, text.as_bytes(), 0o600).unwrap();
    for (place, content) in places {
        let name = match *place {
            DIRECTORY => "dir",
            VOLUME => "vol",
            FAR => "far",
            CONFIG => {
                let own = format!("meta-data: {}, user-data: cfg", full("cfg"));
                let content = if content.is_empty() { &own } else { *content };
                write(place, &format!("datasource: {{NoCloud: {{{content}}}}}\n"));
                continue;
            }
            _ => {
                write(place, content);
                continue;
            }
        };
        for (file, text) in files(name, content).iter().filter(|(_, text)| !text.is_empty()) {
            write(&format!("{place}/{file}"), text);
        }
    }
}

fn joined(places: &[Place]) -> (String, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    machine(places, &root);
    let facts = SourceFacts::read(&root, None, Duration::from_secs(1)).unwrap();
    let mut report = Report::default();
    let mut said = nocloud_places("hand_off", &facts, &mut report).unwrap();
    said.extend(Files::in_directory(VOLUME, &root, &mut report).unwrap().map(Said::of_files));
    let seed = join(said, &facts, &mut report).unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let VendorData::Given(vendor) = &seed.vendor_data else { panic!("{places:?}") };
    let zone = seed.meta_data.all.get("zone").and_then(Value::scalar_text);
    let words = [
        seed.meta_data.instance_id.unwrap_or_default(),
        seed.meta_data.hostname.unwrap_or_default(),
        text(seed.user_data.bytes()),
        text(vendor),
        zone.unwrap_or_default(),
    ];
    let words = words.map(|word| if word.is_empty() { "-".to_owned() } else { word });
    (words.join(" "), report.warnings)
}

#[test]
fn the_places_count_together_as_in_cloud_init() {
    for (places, expected) in TABLE {
        let (found, warnings) = joined(places);
        assert_eq!(found, *expected, "{places:?}");
        // Nothing is missing where somebody has user-data.
        assert_eq!(warnings.is_empty(), !expected.contains(" - - -"), "{places:?}: {warnings:?}");
    }
}

#[test]
fn the_agents_own_parameter_says_which_place_is_meant() {
    let line = (LINE, "lifeboat.seed=/far ds=nocloud;i=line");
    let other = (CONFIG, "seedfrom: /none");
    assert_eq!(joined(&[line, other, (FAR, "")]).0, "line farname far - farzone");
}

#[test]
fn a_place_that_was_refused_is_left_out_where_another_has_the_seed() {
    let line = (LINE, "ds=nocloud;s=gopher://x;i=line");
    for (other, expected) in [
        ((DIRECTORY, ""), "line dirname dir - dirzone"),
        ((VOLUME, ""), "line volname vol - volzone"),
        ((CONFIG, "seedfrom: /far"), "line farname far - farzone"),
    ] {
        let (found, warnings) = joined(&[line, other, (FAR, "")]);
        assert_eq!(found, expected);
        assert!(
            matches!(warnings.as_slice(), [one] if one.contains("gopher: is not supported")),
            "{warnings:?}"
        );
    }
}

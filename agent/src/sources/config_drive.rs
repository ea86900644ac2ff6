//! `OpenStack`'s config drive: a volume labelled `config-2` with the files that the metadata service has.

mod version_1;

use super::openstack::{self, Files};
use super::{Signal, SourceFacts};
use crate::fetch;
use crate::report::Report;
use crate::root::Root;
use crate::seed::Seed;
use crate::volume;
use crate::yaml::Mapping;
use anyhow::Result;

const LABEL: &str = "config-2";
/// The second is a drive that somebody has mounted.
const DIRECTORIES: [&str; 2] = ["var/lib/cloud/seed/config_drive", "config-drive"];

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    if let Some(directory) = directory(facts.root)? {
        return Ok(Some(Signal::in_machine(format!("{} is there", facts.root.show(directory)))));
    }
    let volumes = facts.volumes(&[LABEL])?;
    Ok(volumes.first().map(|path| Signal::in_machine(format!("{} is there", facts.root.show(path)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    if let Some(directory) = directory(facts.root)? {
        return from_directory(directory, facts.root, facts, report).map(Some);
    }
    let mut broken = None;
    for path in facts.volumes(&[LABEL])? {
        match volume::open(&path, facts.root).and_then(|files| from_directory(".", &files, facts, report)) {
            Ok(seed) => {
                if let Some(error) = broken {
                    report.warn(format!("{error:#}"));
                }
                return Ok(Some(seed));
            }
            // Another one may be the machine's.
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    broken.map_or(Ok(None), Err)
}

/// The directory that is a drive.
fn directory(root: &Root) -> Result<Option<&'static str>> {
    for directory in DIRECTORIES {
        if is_second(directory, root)? || is_first(directory, root)? {
            return Ok(Some(directory));
        }
    }
    Ok(None)
}

/// True for a drive of version 2.
fn is_second(directory: &str, files: &Root) -> Result<bool> {
    files.holds(&format!("{directory}/{}", openstack::DIRECTORY))
}

/// True for a drive of version 1.
fn is_first(directory: &str, files: &Root) -> Result<bool> {
    for name in version_1::FILES {
        if files.holds(&format!("{directory}/{name}"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn from_directory(
    directory: &str,
    files: &Root,
    facts: &SourceFacts<'_>,
    report: &mut Report,
) -> Result<Seed> {
    let read = |path: &str| files.read_at_most(&format!("{directory}/{path}"), fetch::LARGEST);
    if !is_second(directory, files)? && is_first(directory, files)? {
        return version_1::seed(files.show(directory).trim_end_matches("/."), read, report);
    }
    let below = |path: &str| read(&format!("{}/{path}", openstack::DIRECTORY));
    let place = files.show(&format!("{directory}/{}", openstack::DIRECTORY));
    let drive = Files {
        source: "configdrive",
        place: &place,
        version: openstack::version(|version| {
            let meta_data =
                format!("{directory}/{}/{version}/{}", openstack::DIRECTORY, openstack::META_DATA);
            files.holds(&meta_data).unwrap_or_default()
        }),
        essential: &below,
        optional: &below,
    };
    drive.seed(facts, report, |report| {
        let loaded = read(EC2_META_DATA).and_then(|data| data.map(|data| openstack::load(&data)).transpose());
        let loaded =
            loaded.map_err(|error| report.warn(format!("{EC2_META_DATA}: {error:#} (going on without it)")));
        loaded.ok().flatten().unwrap_or_else(|| Mapping::default().into())
    })
}

/// The file with the answers that EC2's service would give.
const EC2_META_DATA: &str = "ec2/latest/meta-data.json";

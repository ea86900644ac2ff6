//! `OpenStack`'s config drive: a volume labelled `config-2` with the files that the metadata service has.

use super::{Signal, SourceFacts, openstack};
use crate::fetch;
use crate::report::Report;
use crate::root::Root;
use crate::seed::Seed;
use crate::volume;
use anyhow::Result;

const LABEL: &str = "config-2";
const DIRECTORY: &str = "var/lib/cloud/seed/config_drive";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    if facts.root.holds(&format!("{DIRECTORY}/openstack"))? {
        return Ok(Some(Signal::in_machine(format!("{} is there", facts.root.show(DIRECTORY)))));
    }
    let volumes = facts.volumes(&[LABEL])?;
    Ok(volumes.first().map(|path| Signal::in_machine(format!("{} is there", facts.root.show(path)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    if facts.root.holds(&format!("{DIRECTORY}/openstack"))? {
        return from_directory(DIRECTORY, facts.root, report).map(Some);
    }
    match facts.volumes(&[LABEL])?.first() {
        Some(path) => from_directory(".", &volume::open(path, facts.root)?, report).map(Some),
        None => Ok(None),
    }
}

fn from_directory(directory: &str, files: &Root, report: &mut Report) -> Result<Seed> {
    let names = files.names(&format!("{directory}/openstack"))?;
    let version = openstack::version(|version| names.iter().any(|name| name == version));
    let directory = format!("{directory}/openstack/{version}");
    let read = |name: &str| files.read_at_most(&format!("{directory}/{name}"), fetch::LARGEST);
    openstack::seed_of("configdrive", &files.show(&directory), read, report)
}

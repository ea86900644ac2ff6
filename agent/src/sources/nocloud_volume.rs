//! `NoCloud`'s seed on a volume labelled `cidata`.

use super::{NOCLOUD, Signal, SourceFacts, nocloud};
use crate::nocloud::Said;
use crate::report::Report;
use crate::seed::{Files, Seed};
use crate::volume;
use crate::yaml::Value;
use anyhow::Result;

const LABEL: &str = "cidata";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let volumes = labelled(facts)?;
    Ok(volumes.first().map(|path| Signal::in_machine(format!("{} is there", facts.root.show(path)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    nocloud("nocloud_volume", facts, report)
}

/// The seed on the first volume that holds one, to be joined with other places.
pub(super) fn said(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Said>> {
    for path in labelled(facts)? {
        let files = volume::open(&path, facts.root)?;
        if let Some(files) = Files::in_directory("", &files, report)? {
            return Ok(Some(Said::of_files(files)));
        }
        report.warn(format!("{}: neither user-data nor meta-data is there", facts.root.show(&path)));
    }
    Ok(None)
}

fn labelled(facts: &SourceFacts<'_>) -> Result<Vec<String>> {
    let own = facts.settings(NOCLOUD).and_then(|settings| settings.get("fs_label")?.scalar_text());
    let off = facts.settings(NOCLOUD).is_some_and(|settings| settings.get("fs_label") == Some(&Value::Null));
    if off { Ok(Vec::new()) } else { facts.volumes(&[own.as_deref().unwrap_or(LABEL)]) }
}

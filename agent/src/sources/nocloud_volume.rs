//! `NoCloud`'s seed on a volume labelled `cidata`.

use super::{NOCLOUD, Signal, SourceFacts};
use crate::report::Report;
use crate::seed::{self, Seed};
use crate::volume;
use crate::yaml::Value;
use anyhow::Result;

const LABEL: &str = "cidata";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let volumes = labelled(facts)?;
    Ok(volumes.first().map(|path| Signal::in_machine(format!("{} is there", facts.root.show(path)))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    for path in labelled(facts)? {
        let files = volume::open(&path, facts.root)?;
        if let Some(seed) = seed::from_directory("", &files, facts, report)? {
            return seed::completed(seed, facts, report).map(Some);
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

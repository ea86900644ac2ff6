//! One entry of `sources`.

use super::keys::{self, Trust};
use super::settings::is_for_add_apt_repository;
use super::signed_by::Known;
use crate::handlers::HandlerFacts;
use crate::plan::{File, HandlerPlan, Placing, Step};
use crate::template;
use crate::yaml::{Mapping, Value};
use anyhow::{Result, bail};

const DIRECTORY: &str = "/etc/apt/sources.list.d";

/// Installs its key and writes its file.
pub(super) fn plan(
    name: &str,
    entry: &Mapping,
    names: &Mapping,
    known: &mut Known,
    facts: &HandlerFacts<'_>,
    plan: &mut HandlerPlan,
) -> Result<()> {
    let text = |key: &str| entry.get(key).and_then(Value::scalar_text).filter(|text| !text.is_empty());
    let file = text("filename").unwrap_or_else(|| name.to_owned());
    let source = text("source");
    let own_key = source.as_ref().is_some_and(|source| source.contains("$KEY_FILE"));
    let trust = if own_key { Trust::ForOne } else { Trust::ForAll };
    let key = keys::plan(entry, &file, trust)?;
    let mut names = names.clone();
    match &key {
        Some((_, path)) => names.set("KEY_FILE", path.as_str()),
        None if own_key => bail!("$KEY_FILE: it has neither key nor keyid"),
        None if source.is_none() => bail!("it has neither source nor key"),
        None => {}
    }
    let source = source.map(|source| template::render(&source, &names)).transpose()?;
    let mut steps: Vec<Step> = key.into_iter().map(|(step, _)| step).collect();
    if let Some(source) = source {
        if is_for_add_apt_repository(&source) {
            if !facts.machine.has_program("add-apt-repository")? {
                bail!("`{source}` needs add-apt-repository (of the package software-properties-common)");
            }
            steps.push(Step::run(&["add-apt-repository", "--no-update", &source]));
        } else {
            steps.push(write(&file, source, entry, known, plan)?);
        }
    }
    plan.steps.extend(steps);
    Ok(())
}

fn write(
    file: &str,
    source: String,
    entry: &Mapping,
    known: &mut Known,
    plan: &mut HandlerPlan,
) -> Result<Step> {
    let extension = if is_deb822(&source) { "sources" } else { "list" };
    let path = path(file, extension, plan);
    let source = known.fit(path.trim_start_matches('/'), source)?;
    let mut file = File::new(&path, format!("{}\n", source.trim_end_matches('\n')), 0o644);
    // A stanza that follows another without an empty line would be part of it.
    if extension == "list" && entry.get("append").is_none_or(Value::is_on) {
        file.placing = Placing::Append;
    }
    Ok(Step::Write(file))
}

/// The file of a source. apt reads no file with other letters in its name.
fn path(file: &str, extension: &str, plan: &mut HandlerPlan) -> String {
    let (directory, name) = match file.rsplit_once('/') {
        Some((directory, name)) if file.starts_with('/') => (directory.to_owned(), name),
        Some((directory, name)) => (format!("{DIRECTORY}/{directory}"), name),
        None => (DIRECTORY.to_owned(), file),
    };
    let stem = [".list", ".sources"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let is_read = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    let readable: String = stem.chars().map(|letter| if is_read(letter) { letter } else { '_' }).collect();
    if readable != stem {
        plan.idle
            .push(format!("apt: sources: apt reads no file named `{stem}`: it is {readable}.{extension}"));
    }
    format!("{directory}/{readable}.{extension}")
}

/// True for sources in stanzas of fields.
pub(super) fn is_deb822(text: &str) -> bool {
    let begins = |words: &[&str]| text.lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    !begins(&["deb ", "deb-src "]) && begins(&["Types:", "Suites:", "Components:", "URIs:"])
}

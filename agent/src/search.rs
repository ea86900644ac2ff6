//! The search for a seed: each source in its order, until one has it.

use crate::dsmode;
use crate::fetch::{self, Fetched};
use crate::instance::{Instance, NO_ID};
use crate::named::{self, When};
use crate::report::Report;
use crate::root::Root;
use crate::seed::Seed;
use crate::sources::{ALL, Source, SourceFacts, hand_off};
use crate::system_config;
use crate::yaml::Mapping;
use anyhow::{Context, Result, anyhow, bail};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The result of one source.
pub(crate) struct Looked {
    /// The source.
    pub(crate) name: &'static str,
    /// Its answer.
    pub(crate) said: String,
    /// When it was begun with.
    pub(crate) since: Instant,
    /// The time that it took.
    pub(crate) took: Duration,
}

/// The beginning of the words for a source that was not asked.
const NOT_ASKED: &str = "not asked: ";

impl Looked {
    /// True if it was not asked.
    pub(crate) fn was_left_out(&self) -> bool {
        self.said.starts_with(NOT_ASKED)
    }
}

/// Configuration of the system that was fetched.
pub(crate) struct FetchedConfig {
    /// The configuration as it came.
    pub(crate) content: Vec<u8>,
    /// The configuration as a mapping.
    pub(crate) mapping: Mapping,
}

/// The result of the search.
#[derive(Default)]
pub(crate) struct Found {
    /// The first seed that a source had.
    pub(crate) seed: Option<Seed>,
    /// That source's name.
    name: &'static str,
    /// The signs of a source that had nothing.
    empty: Vec<String>,
    /// The names of the sources that are there and gave nothing.
    silent: Vec<(&'static str, anyhow::Error)>,
    /// The messages about places that name a source of which nothing was found.
    pub(crate) named: Vec<String>,
    /// Configuration below the user's, from where `cloud-config-url=` leads.
    pub(crate) system_config: Option<FetchedConfig>,
    /// Each source in its order.
    pub(crate) looked: Vec<Looked>,
}

/// Looks for the first seed that a source has.
pub(crate) fn find(facts: &mut SourceFacts<'_>, report: &mut Report) -> Found {
    let mut found = Found::default();
    match system_config(facts) {
        Ok(None) => {}
        Ok(Some(fetched)) => {
            facts.config.put_above(&fetched.mapping);
            found.system_config = Some(fetched);
        }
        // The user's data is not lost with it.
        Err(error) => report.warn(format!("cloud-config-url: {error:#}")),
    }
    for source in ALL {
        let start = Instant::now();
        let said = look(source, facts, &mut found, report);
        found.looked.push(Looked { name: source.name, said, since: start, took: start.elapsed() });
    }
    if let Some(id) = found.other_than_kept(facts) {
        let reason =
            anyhow!("{} answers with instance {id}, but the machine's own source is silent", found.name);
        found.silent.push((found.name, reason));
        found.seed = None;
    }
    note_namings(&mut found, facts);
    found
}

/// Notes who names a source, where nothing of it was found.
fn note_namings(found: &mut Found, facts: &SourceFacts<'_>) {
    let is_found = found.seed.is_some() && found.name != "none" || !found.silent.is_empty();
    let namings = named::of(facts).into_iter().filter(|naming| naming.when == When::Always || !is_found);
    found.named.extend(namings.map(|naming| naming.told));
    if !is_found {
        let empty = std::mem::take(&mut found.empty);
        found.named.extend(empty);
    }
}

/// A file in an instance's directory: the name of its source in our table.
const SOURCE: &str = "lifeboat-source";

/// Records the instance's source, for boots in which that source is silent.
pub(crate) fn note(found: &Found, root: &Root) -> Result<()> {
    let Some(seed) = &found.seed else { return Ok(()) };
    root.write(&Instance::new(id(seed)).path(SOURCE), format!("{}\n", found.name).as_bytes(), 0o644)
}

fn id(seed: &Seed) -> &str {
    seed.meta_data.instance_id.as_deref().unwrap_or(NO_ID)
}

/// Searches, and reports the result in words. Nothing is kept.
pub(crate) fn describe(root: &Root, budget: Duration, report: &mut Report) -> Result<String> {
    let kept = Instance::current(root)?.map(|kept| kept.id);
    let mut facts = SourceFacts::read(root, kept, budget)?;
    for problem in facts.config.problems() {
        report.warn(problem);
    }
    let found = find(&mut facts, report);
    let mut text = String::new();
    for Looked { name, said, took, .. } in &found.looked {
        // Writing to a String cannot fail.
        writeln!(text, "{name:<18} {:>7.2} s  {said}", took.as_secs_f64()).unwrap_or_default();
    }
    for told in found.named {
        report.warn(told);
    }
    if found.seed.is_none() && !found.silent.is_empty() {
        report.error("a source is there, and none has answered");
    }
    Ok(text)
}

/// The sources that are there because somebody put them there. A hypervisor's tools are on each of its machines.
const MEANT: [&str; 3] = ["NoCloud", "QemuFwCfg", "ConfigDrive"];

fn look(source: &Source, facts: &SourceFacts<'_>, found: &mut Found, report: &mut Report) -> String {
    if found.seed.is_some() {
        return format!("{NOT_ASKED}another has answered");
    }
    if let Some(reason) = facts.left_out(source) {
        return format!("{NOT_ASKED}{reason}");
    }
    if source.name == "none" && !found.silent.is_empty() {
        return format!("{NOT_ASKED}another is there and silent");
    }
    let start = Instant::now();
    let mut read = || -> Result<_> {
        let Some(signal) = (source.detect)(facts)? else { return Ok(None) };
        Ok(Some((signal.seen, (source.read)(facts, report)?)))
    };
    match read() {
        Ok(None) => format!("not found: it needs {}", source.sign),
        Ok(Some((seen, None))) => {
            let said = format!("nothing, although: {seen}");
            if MEANT.contains(&source.cloud) {
                found.empty.push(format!("source {}: {said}", source.name));
            }
            said
        }
        Ok(Some((_, Some(seed)))) if let Some(refused) = dsmode::refused(&seed, facts) => {
            found.empty.push(format!("source {}: {refused}", source.name));
            refused
        }
        Ok(Some((why, Some(seed)))) => {
            let said = format!("instance {} from {} ({why})", id(&seed), seed.place);
            (found.seed, found.name) = (Some(seed), source.name);
            said
        }
        Err(error) => {
            let said = format!("error: {error:#}");
            let took = start.elapsed().as_secs_f64();
            found.silent.push((source.name, error.context(format!("source {} ({took:.1} s)", source.name))));
            said
        }
    }
}

/// Fetches what `cloud-config-url=` leads to.
fn system_config(facts: &SourceFacts<'_>) -> Result<Option<FetchedConfig>> {
    // Faults of the hand-off itself are reported by its source.
    let hand_off = hand_off::of(facts).ok().flatten();
    let Some(url) = hand_off.and_then(|hand_off| hand_off.cloud_config_url) else { return Ok(None) };
    let url = facts.substituted(&url);
    let shown = fetch::shown(&url);
    let Fetched::Body(body) = facts.client()?.get(&url, facts.root)? else {
        bail!("{shown}: there is nothing")
    };
    if !body.starts_with(b"#cloud-config") {
        bail!("{shown}: it does not begin with `#cloud-config`, so it is not used");
    }
    let mapping = system_config::parse(&body).with_context(|| format!("{shown} is not used"))?;
    Ok(Some(FetchedConfig { content: body, mapping }))
}

impl Found {
    /// The instance that a source made of the machine, where it is another than before and the earlier one's source is
    /// there and silent. The data of some other place is then no news of it.
    fn other_than_kept(&self, facts: &SourceFacts<'_>) -> Option<String> {
        let (new, kept) = (id(self.seed.as_ref()?), facts.kept.as_deref()?);
        let source = facts.root.read_text(&Instance::new(kept).path(SOURCE)).ok().flatten()?;
        let is_silent = self.silent.iter().any(|(name, _)| *name == source.trim());
        (new != kept && is_silent).then(|| new.to_owned())
    }

    /// The seed, or the reason why a source that is there gave none.
    pub(crate) fn seed(&mut self, report: &mut Report) -> Result<Option<Seed>> {
        let silent = std::mem::take(&mut self.silent);
        match self.seed.take() {
            Some(seed) => {
                for (_, error) in silent {
                    report.warn(format!("{error:#}"));
                }
                Ok(Some(seed))
            }
            None if silent.is_empty() => Ok(None),
            None => {
                let all: Vec<String> = silent.iter().map(|(_, error)| format!("{error:#}")).collect();
                Err(anyhow!("{}", all.join("; ")))
            }
        }
    }
}

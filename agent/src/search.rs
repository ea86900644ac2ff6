//! The search for a seed: each source in its order, until one has it.

use crate::fetch::{self, Fetched};
use crate::instance::{Instance, NO_ID};
use crate::report::Report;
use crate::root::Root;
use crate::seed::Seed;
use crate::sources::{ALL, Facts, Source, hand_off};
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
    /// The time that it took.
    pub(crate) took: Duration,
}

/// The result of the search.
#[derive(Default)]
pub(crate) struct Found {
    /// The first seed that a source had.
    pub(crate) seed: Option<Seed>,
    /// That source's name.
    name: &'static str,
    /// The names of the sources that are there and gave nothing.
    silent: Vec<(&'static str, anyhow::Error)>,
    /// The configuration that `cloud-config-url=` names. The user's wins over it.
    pub(crate) system_config: Option<Vec<u8>>,
    /// Each source in its order.
    pub(crate) looked: Vec<Looked>,
}

/// Looks for the first seed that a source has.
pub(crate) fn find(facts: &mut Facts<'_>, report: &mut Report) -> Found {
    let mut found = Found::default();
    match system_config(facts) {
        Ok(None) => {}
        Ok(Some((content, mapping))) => {
            facts.config.put_above(&mapping);
            found.system_config = Some(content);
        }
        // The user's data is not lost with it.
        Err(error) => report.warn(format!("cloud-config-url: {error:#}")),
    }
    for source in ALL {
        let start = Instant::now();
        let said = look(source, facts, &mut found, report);
        found.looked.push(Looked { name: source.name, said, took: start.elapsed() });
    }
    if let Some(id) = found.other_than_kept(facts) {
        let reason =
            anyhow!("{} answers with instance {id}, but the machine's own source is silent", found.name);
        found.silent.push((found.name, reason));
        found.seed = None;
    }
    found
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
    let mut facts = Facts::read(root, kept, budget)?;
    for problem in std::mem::take(&mut facts.config.problems) {
        report.warn(problem);
    }
    let found = find(&mut facts, report);
    let mut text = String::new();
    for Looked { name, said, took } in &found.looked {
        // Writing to a String cannot fail.
        writeln!(text, "{name:<18} {:>7.2} s  {said}", took.as_secs_f64()).unwrap_or_default();
    }
    if found.seed.is_none() && !found.silent.is_empty() {
        report.error("a source is there, and none has answered");
    }
    Ok(text)
}

fn look(source: &Source, facts: &Facts<'_>, found: &mut Found, report: &mut Report) -> String {
    if found.seed.is_some() {
        return "not asked: another has answered".into();
    }
    if let Some(reason) = facts.left_out(source) {
        return format!("not asked: {reason}");
    }
    if source.name == "none" && !found.silent.is_empty() {
        return "not asked: another is there and silent".into();
    }
    let start = Instant::now();
    let mut read = || -> Result<_> {
        let Some(signal) = (source.detect)(facts)? else { return Ok(None) };
        Ok(Some((signal.seen, (source.read)(facts, report)?)))
    };
    match read() {
        Ok(None) => format!("not found: it needs {}", source.sign),
        Ok(Some((seen, None))) => format!("nothing, although: {seen}"),
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

/// Fetches the configuration that `cloud-config-url=` names.
fn system_config(facts: &Facts<'_>) -> Result<Option<(Vec<u8>, Mapping)>> {
    // What is wrong with the hand-off itself is told by its source.
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
    Ok(Some((body, mapping)))
}

impl Found {
    /// The id of another instance that a source names while the machine's own source is silent. Such an answer must
    /// not make another machine of it.
    fn other_than_kept(&self, facts: &Facts<'_>) -> Option<String> {
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

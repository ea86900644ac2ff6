//! `NoCloud`'s places count together, by cloud-init's precedence. The first place with a key of meta-data wins, and the
//! last with user-data or vendor-data. The place that a `seedfrom` leads to has the last word on data.

use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::seed::{self, Files, Seed, UserData, VendorData};
use crate::sources::SourceFacts;
use crate::system_config::over;
use crate::yaml::Mapping;
use anyhow::{Context, Result, bail};
use lifeboat_common::hand_off::{Place, Seed as HandOff};

/// The parts of a seed at one place.
#[derive(Debug)]
pub(crate) struct Said {
    /// The place, as cloud-init names it.
    pub(crate) place: String,
    /// The kind of place it is.
    pub(crate) kind: Kind,
    /// The meta-data; `None` where the place has none.
    pub(crate) meta_data: Option<Result<Mapping>>,
    /// The user-data.
    pub(crate) user_data: Option<UserData>,
    /// The vendor-data.
    pub(crate) vendor_data: VendorData,
    /// Where more is.
    pub(crate) seed_from: Place,
}

/// A kind of place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Words like the kernel command line's.
    Line {
        /// Its name of the source.
        source: String,
        /// The setting that was left out of it, and why.
        refused: Option<String>,
    },
    /// The system's configuration.
    Configuration,
    /// A directory or a volume.
    Files,
}

impl Said {
    /// Takes the seed in words like the kernel command line's.
    pub(crate) fn of_line(line: HandOff, place: &str) -> Self {
        let mut meta_data = Mapping::default();
        for (key, value) in [("instance-id", line.instance_id), ("local-hostname", line.local_hostname)] {
            if let Some(value) = value {
                meta_data.set(key, value);
            }
        }
        Self {
            place: place.into(),
            kind: Kind::Line { source: line.source, refused: line.refused },
            meta_data: Some(Ok(meta_data)),
            user_data: None,
            vendor_data: VendorData::default(),
            seed_from: line.seed_from,
        }
    }

    /// Takes the seed in the files of a directory or a volume.
    pub(crate) fn of_files(files: Files) -> Self {
        let meta_data = files.meta_data.map(|data| meta_data::parse(&data).map(|parsed| parsed.all));
        Self {
            place: files.place,
            kind: Kind::Files,
            seed_from: seed_from(meta_data.as_ref().and_then(|parsed| parsed.as_ref().ok())),
            meta_data,
            user_data: files.user_data,
            vendor_data: files.vendor_data,
        }
    }

    fn is_line(&self) -> bool {
        matches!(self.kind, Kind::Line { .. })
    }

    fn refused(&self) -> Option<&str> {
        match &self.kind {
            Kind::Line { refused, .. } => refused.as_deref(),
            Kind::Configuration | Kind::Files => None,
        }
    }

    /// The rank of the place's `seedfrom`; the lowest comes first. The agent's own parameter says nothing else, so it
    /// is meant.
    fn rank(&self) -> u8 {
        match &self.kind {
            Kind::Line { source, .. } if source == "lifeboat.seed" => 0,
            Kind::Configuration => 1,
            Kind::Line { .. } | Kind::Files => 2,
        }
    }
}

/// Where meta-data says that more is.
pub(crate) fn seed_from(meta_data: Option<&Mapping>) -> Place {
    let from = meta_data.and_then(|mapping| mapping.get("seedfrom")?.as_str());
    from.map_or(Place::Unnamed, |from| Place::At(from.to_owned()))
}

/// Joins what the places say, of which each comes before those that it wins over. `None` when none says anything.
pub(crate) fn join(
    mut said: Vec<Said>,
    facts: &SourceFacts<'_>,
    report: &mut Report,
) -> Result<Option<Seed>> {
    if said.is_empty() {
        return Ok(None);
    }
    let source = source(&said);
    let from = from(&said)?;
    let names_a_place = from.is_some() || said.iter().any(|one| !one.is_line());
    for reason in said.iter().filter_map(Said::refused) {
        report.warn(format!("left out: {reason}"));
    }
    let mut joined = Joined::default();
    for one in &mut said {
        joined.add(one, report);
    }
    if let Some(from) = from {
        joined.fetch(&from, facts, report)?;
    }
    let mut meta_data = MetaData::from(std::mem::take(&mut joined.meta_data));
    let places = joined.places.join(",");
    if meta_data.instance_id.is_none() {
        for place in &joined.without {
            report.warn(format!("{place}: there is no meta-data"));
        }
        let is_empty = meta_data.all.is_empty() && !joined.is_uncertain && joined.without.is_empty();
        if is_empty && names_a_place && facts.kept_has_id_of_meta_data() {
            report.warn(format!("{places}: the meta-data is empty, and was not before"));
            joined.is_uncertain = true;
        }
        joined.is_uncertain |= !joined.without.is_empty();
    }
    if joined.is_uncertain && facts.kept.is_some() {
        // Nobody says that this is another machine than it was.
        meta_data.instance_id.clone_from(&facts.kept);
    }
    if joined.user_data.is_none() {
        let id = meta_data.instance_id.as_deref();
        let nobody_says = !names_a_place && id.is_none() && facts.kept.is_some();
        match (names_a_place, nobody_says || facts.goes_on_as(id)?) {
            (true, false) => report.warn(format!("{places}: there is no user-data")),
            (true, true) => bail!("{places}: there is no user-data, and there was before"),
            (false, false) => report.warn(format!("{source}: it names no place to fetch from (in GRUB's configuration a `;` ends the line: has it cut one off?)")),
            (false, true) => bail!("{source}: it names no place, and no directory or volume has the seed"),
        }
    }
    Ok(Some(Seed {
        source,
        place: places,
        user_data: joined.user_data.unwrap_or_default(),
        vendor_data: joined.vendor_data,
        meta_data,
        ..Seed::default()
    }))
}

/// The first name that words give the source.
fn source(said: &[Said]) -> String {
    let mut names = said.iter().filter_map(|one| match &one.kind {
        Kind::Line { source, .. } => Some(source),
        Kind::Configuration | Kind::Files => None,
    });
    names.next().cloned().unwrap_or_else(|| "nocloud".into())
}

/// The `seedfrom` that counts. One that was refused is an error where nobody else has the seed.
fn from(said: &[Said]) -> Result<Option<String>> {
    let mut in_order: Vec<&Said> = said.iter().collect();
    in_order.sort_by_key(|one| one.rank());
    let named = in_order.iter().find_map(|one| match &one.seed_from {
        Place::At(from) => Some(from.clone()),
        Place::Unnamed | Place::Refused => None,
    });
    let refused = in_order.iter().find(|one| one.seed_from == Place::Refused);
    match (named, refused) {
        (None, Some(one)) if said.iter().all(Said::is_line) => {
            bail!("{}", one.refused().unwrap_or("the place of the seed was refused"))
        }
        (named, _) => Ok(named),
    }
}

/// The places joined to one seed.
#[derive(Default)]
struct Joined {
    places: Vec<String>,
    meta_data: Mapping,
    user_data: Option<UserData>,
    vendor_data: VendorData,
    /// The places that have no meta-data.
    without: Vec<String>,
    /// Meta-data is damaged that would have come before the first instance-id.
    is_uncertain: bool,
}

impl Joined {
    fn add(&mut self, one: &mut Said, report: &mut Report) {
        match one.meta_data.take() {
            Some(Ok(mapping)) => self.meta_data = over(std::mem::take(&mut self.meta_data), &mapping),
            Some(Err(error)) => {
                report.warn(format!("{}: {error:#}", one.place));
                self.is_uncertain |= self.meta_data.get("instance-id").is_none();
            }
            None => self.without.push(one.place.clone()),
        }
        self.user_data = one.user_data.take().or(self.user_data.take());
        if one.vendor_data != VendorData::default() {
            self.vendor_data = std::mem::take(&mut one.vendor_data);
        }
        self.places.push(one.place.clone());
    }

    /// Takes what is where a `seedfrom` leads to.
    fn fetch(&mut self, from: &str, facts: &SourceFacts<'_>, report: &mut Report) -> Result<()> {
        let from = facts.substituted(from);
        let files =
            Files::fetch(&from, &facts.client()?, facts, report)?.with_context(|| seed::nothing_at(&from))?;
        // That of other places does not stay beside it.
        self.vendor_data = VendorData::default();
        self.add(&mut Said::of_files(files), report);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

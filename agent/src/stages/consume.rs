//! The consumption of a source's data: it is taken apart and written, and the rest of the work is returned.

use super::kept::KeptConfig;
use super::vendor::{self, Before, VendorSettings, settings};
use crate::changes::{self, Made, Treatment, late, record::Known};
use crate::handlers;
use crate::instance::Instance;
use crate::instance_data::{self, InstanceFacts};
use crate::layout;
use crate::meta_data::{self, MetaData};
use crate::plan::File;
use crate::report::Report;
use crate::root::Root;
use crate::seed::VendorData;
use crate::sources;
use crate::system_config;
use crate::system_info::SystemInfo;
use crate::user_data::{self, Destination, Includes, Parts, Pipeline, Sorted, Upstart, Work};
use crate::yaml::{self, Mapping, Value};
use anyhow::{Result, bail};

/// Where data comes from, and where what it holds goes.
struct Origin {
    /// Its name, and its files' in the instance's directory.
    name: &'static str,
    config: &'static str,
    destination: Destination<'static>,
    whose: Whose,
}

enum Whose {
    User,
    /// Wanted as the configuration says under a key.
    Vendor(&'static str),
}

/// Below the instance's directory: the user-data as it was given.
pub(super) const RAW: &str = "user-data.txt";

/// In the order in which they are taken.
const ORIGINS: [Origin; 3] = [
    Origin {
        name: "user-data",
        config: "cloud-config.txt",
        destination: Destination::USER,
        whose: Whose::User,
    },
    Origin {
        name: "vendor-data",
        config: "vendor-cloud-config.txt",
        destination: Destination::VENDOR,
        whose: Whose::Vendor("vendor_data"),
    },
    Origin {
        name: "vendor-data2",
        config: "vendor2-cloud-config.txt",
        destination: Destination::VENDOR,
        whose: Whose::Vendor("vendor_data2"),
    },
];

/// The data that a source gave.
pub(super) struct Given<'a> {
    /// From whom.
    pub(super) identity: SeedIdentity<'a>,
    /// User-data, taken apart.
    pub(super) user: UserData<'a>,
    /// Vendor-data and vendor-data2.
    pub(super) vendors: [&'a VendorData; 2],
    /// The system's configuration, which may want no vendor's.
    pub(super) system: &'a Mapping,
    /// The treatment of the user-data.
    pub(super) treatment: Treatment,
}

/// User-data, taken apart.
pub(super) struct UserData<'a> {
    raw: &'a [u8],
    plain: Vec<u8>,
    /// The parts that are for this machine.
    pub(super) parts: Parts,
}

impl<'a> UserData<'a> {
    /// Takes it apart.
    pub(super) fn expand(raw: &'a [u8], meta_data: &MetaData, includes: &Includes<'_>) -> Self {
        let name = ORIGINS[0].name;
        let expanded = user_data::expand([(name, raw)], includes);
        Self { raw, plain: expanded.plain(name), parts: expanded.for_machine(meta_data) }
    }
}

/// The result of consuming data.
pub(super) struct Consumed {
    /// The work that is left to do.
    pub(super) work: Vec<Work>,
    /// The configuration before it, if parts of it could not be had on an earlier boot.
    pub(super) before_late: Option<Mapping>,
}

/// Takes it apart and writes it.
pub(super) fn consume(
    given: Given<'_>,
    instance: &Instance,
    includes: &Includes<'_>,
    root: &Root,
    report: &mut Report,
) -> Result<Consumed> {
    let mut all = Consumption::new(&given.identity, given.system, instance, root)?;
    instance.prepare(root)?;
    all.describe(&given.identity);
    let [users, vendors @ ..] = &ORIGINS;
    let UserData { raw, plain, parts } = given.user;
    let known = parts.all.iter().map(Known::of).collect();
    let is_lacking = parts.is_lacking();
    all.file(RAW, raw, 0o600);
    all.again(layout::USER_DATA_RAW);
    all.files.push(File::new(layout::USER_DATA, plain, 0o600));
    all.store(users, parts);
    all.again(layout::USER_CONFIG);
    let mut is_late = given.treatment == Treatment::Complete;
    for (origin, vendor) in vendors.iter().zip(given.vendors) {
        let before = Before::read(origin.name, instance, root)?;
        let vendor = vendor::undamaged(origin.name, vendor, &before, root, &mut all.lines);
        let raw = vendor::raw(origin.name, vendor, &before);
        all.files.extend(raw.map(|raw| File::new(&vendor::path(origin.name, instance), raw, 0o600)));
        let known = vendor::parts_before(vendor, &before);
        let wanted = all.settings(origin).wanted;
        let taken = wanted.then(|| vendor::parts(origin.name, vendor, before, includes)).flatten();
        if let Some(parts) = taken {
            if given.treatment == Treatment::Take && known.is_some_and(|known| known < parts.all.len()) {
                report.info(&late::told(origin.name));
                is_late = true;
            }
            all.store(origin, parts);
        } else {
            // A file that an earlier boot left would still count.
            root.remove(&instance.path(origin.config))?;
            root.remove(&instance.path(&format!("{}.txt.i", origin.name)))?;
        }
    }
    all.make_room_for_runcmd();
    let before_late = is_late.then(|| KeptConfig::read(instance, root).merged());
    let late = if is_late { report.take(late::files(&all.made_files(), instance, root)) } else { None };
    let errors = root.write_together(&all.files, &instance.path("scripts"))?;
    name_cloud(all.pipeline.data(), root)?;
    for line in all.lines.into_iter().chain(includes.take_problems()) {
        report.warn(line);
    }
    let none_is_written = errors.len() == all.files.len();
    for error in errors {
        report.warn(format!("{error:#}"));
    }
    if none_is_written {
        bail!("nothing of the data could be written");
    }
    let made = Made { files: all.made, twins: all.pipeline.into_twins(), is_lacking, late };
    if let Err(error) = changes::taken(known, made, instance, root) {
        report.warn(format!("{error:#}"));
    }
    Ok(Consumed { work: all.work, before_late })
}

/// Where data comes from, and whose it is.
pub(super) struct SeedIdentity<'a> {
    /// The kind of source.
    pub(super) source: &'a str,
    /// Where it was found; empty where nobody knows.
    pub(super) place: &'a str,
    /// The identity of the machine.
    pub(super) meta_data: &'a MetaData,
}

/// Finds the work left to do with the data that an earlier boot kept.
pub(super) fn kept(
    identity: &SeedIdentity<'_>,
    system: &Mapping,
    instance: &Instance,
    root: &Root,
) -> Result<Vec<Work>> {
    let mut all = Consumption::new(identity, system, instance, root)?;
    // A file below /run does not outlive a boot.
    for file in instance_data::files(all.pipeline.data()) {
        root.write(&file.path, &file.content, file.mode)?;
    }
    name_cloud(all.pipeline.data(), root)?;
    let is_allowed = system_config::allows_user_data(system);
    for origin in ORIGINS.iter().filter(|origin| is_allowed || !matches!(origin.whose, Whose::User)) {
        if let Some(stored) = root.read(&instance.path(&format!("{}.txt.i", origin.name)))? {
            all.sort(origin, user_data::from_mime(&stored, origin.name).into());
        }
    }
    Ok(all.work)
}

struct Consumption<'a> {
    instance: &'a Instance,
    system: &'a Mapping,
    pipeline: Pipeline<'a>,
    /// The user's configuration.
    user: Mapping,
    /// True if some configuration has commands, which become a script.
    has_commands: bool,
    files: Vec<File>,
    /// The paths of those that came of parts.
    made: Vec<String>,
    work: Vec<Work>,
    lines: Vec<String>,
}

impl<'a> Consumption<'a> {
    fn new(
        identity: &SeedIdentity<'_>,
        system: &'a Mapping,
        instance: &'a Instance,
        root: &Root,
    ) -> Result<Self> {
        let SeedIdentity { source, place, meta_data } = *identity;
        let info = SystemInfo::read(root);
        let known = InstanceFacts { meta_data, source, place, system, info: &info };
        Ok(Self {
            instance,
            system,
            pipeline: Pipeline::new(&known, instance, Upstart::of(root)?),
            user: Mapping::default(),
            has_commands: handlers::has_commands(system),
            files: Vec::new(),
            made: Vec::new(),
            work: Vec::new(),
            lines: Vec::new(),
        })
    }

    /// The files that came of parts, with their content.
    fn made_files(&self) -> Vec<(&str, &[u8])> {
        let made = self.files.iter().filter(|file| self.made.contains(&file.path));
        made.map(|file| (file.path.as_str(), file.content.as_slice())).collect()
    }

    fn file(&mut self, name: &str, content: impl Into<Vec<u8>>, mode: u32) {
        self.files.push(File::new(&self.instance.path(name), content, mode));
    }

    /// The last file under another path too.
    fn again(&mut self, path: &str) {
        let last = self.files.last().map(|file| file.under(path));
        self.files.extend(last);
    }

    /// The files that say what is known of the instance.
    fn describe(&mut self, identity: &SeedIdentity<'_>) {
        let SeedIdentity { source, place, meta_data } = *identity;
        self.files.extend(instance_data::files(self.pipeline.data()));
        self.file("meta-data.json", meta_data::to_json(meta_data), 0o600);
        self.again(&format!("{}/{source}/meta-data.json", layout::DATA));
        if !meta_data.beside.is_empty() {
            let beside = yaml::to_json(&Value::Map(meta_data.beside.clone())) + "\n";
            self.file(meta_data::BESIDE, beside, 0o600);
        }
        self.file("datasource", sources::to_keep(source, place), 0o644);
    }

    /// The parts as they are, and what comes of them; the text of their configuration is the last file.
    fn store(&mut self, origin: &Origin, parts: Parts) {
        self.file(&format!("{}.txt.i", origin.name), user_data::to_mime(&parts.all), 0o600);
        let config = self.sort(origin, parts);
        self.file(origin.config, config, 0o600);
    }

    /// The text of the parts' configuration.
    fn sort(&mut self, origin: &Origin, parts: Parts) -> String {
        let settings = self.settings(origin);
        let destination = Destination { unwanted: &settings.unwanted, ..origin.destination };
        let Sorted { files, work, config, dropped, told } = self.pipeline.sort(parts, destination);
        self.lines.extend(dropped.iter().map(ToString::to_string).chain(told));
        self.made.extend(files.iter().map(|file| file.path.clone()));
        self.files.extend(files);
        self.work.extend(work);
        let text = config.text();
        let config = config.into_mapping();
        self.has_commands |= handlers::has_commands(&config);
        if matches!(origin.whose, Whose::User) {
            self.user = config;
        }
        text
    }

    /// A script that a part brought under the name that the commands' has.
    fn make_room_for_runcmd(&mut self) {
        let path = self.instance.path(handlers::COMMANDS);
        if self.has_commands
            && let Some(other) = self.pipeline.make_room(&path, &mut self.files)
            && let Some(made) = self.made.iter_mut().find(|made| **made == path)
        {
            *made = other;
        }
    }

    fn settings(&self, origin: &Origin) -> VendorSettings {
        match origin.whose {
            Whose::User => VendorSettings { wanted: true, unwanted: Vec::new() },
            Whose::Vendor(key) => settings(&[self.user.get(key), self.system.get(key)]),
        }
    }
}

/// Longer than any cloud's.
const LONGEST_ID: usize = 64;

/// A file with the cloud's id in its name, and a link to it.
fn name_cloud(data: &Value, root: &Root) -> Result<()> {
    let id = data.as_map().and_then(|data| data.get("v1")?.as_map()?.get("cloud_id")?.as_str());
    // Meta-data may give any text.
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-._".contains(letter) { letter } else { '_' };
    let id: String = id.unwrap_or_default().chars().take(LONGEST_ID).map(plain).collect();
    let path = format!("{}-{id}", layout::CLOUD_ID);
    root.write(&path, format!("{id}\n").as_bytes(), 0o644)?;
    root.link(layout::CLOUD_ID, &format!("/{path}"))
}

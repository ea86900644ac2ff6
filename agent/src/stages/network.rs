//! With the network: the seed is fetched and kept, and what must be there before logins is done.

use super::consume::{self, Consumed, Given, SeedIdentity, UserData, consume};
use super::kept::KeptConfig;
use super::{run, work};
use crate::apply::output::{self, Outputs};
use crate::changes::{self, Blob, Treatment, late};
use crate::handlers::Stage;
use crate::instance::{Instance, NO_ID};
use crate::layout;
use crate::meta_data::{self, MetaData};
use crate::report::{self, Report};
use crate::rescue::record::booted;
use crate::root::Root;
use crate::search;
use crate::seed::{self, Seed, VendorData};
use crate::sources::openstack::files;
use crate::sources::vmware;
use crate::sources::{self, SourceFacts};
use crate::system_config::{self, SystemConfig};
use crate::trace::{Begun, Kind};
use crate::user_data::{IncludeReach, Includes, Work};
use crate::yaml::{self, Mapping};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::Duration;

/// Fetches, keeps and carries out. The name of the source, for `status`.
pub(crate) fn network(root: &Root, budget: Duration, report: &mut Report) -> Result<Option<String>> {
    let kept = Instance::current(root)?;
    let mut facts = SourceFacts::read(root, kept.as_ref().map(|kept| kept.id.clone()), budget)?;
    let mut found = search::find(&mut facts, report);
    for looked in found.looked.iter().filter(|looked| !looked.was_left_out()) {
        let begun = Begun::now(Kind::Source, looked.name, report).ago(looked.since.elapsed());
        begun.end_after(looked.took, &looked.said, report, root);
    }
    report.take(search::note(&found, root));
    for told in std::mem::take(&mut found.named) {
        report.warn(told);
    }
    let mut config = facts.config;
    if let Some(fetched) = found.system_config.take() {
        let written = report.take(root.write(layout::SYSTEM_CONFIG, &fetched.content, 0o600));
        config.settle(layout::SYSTEM_CONFIG, written.map(|()| fetched.mapping));
    }
    let system = config.mapping();
    let (instance, meta_data, source, work) = match (found.seed(report), kept) {
        (Ok(Some(seed)), _) => {
            let instance = Instance::new(seed.meta_data.instance_id.as_deref().unwrap_or(NO_ID));
            let id = &instance.id;
            let told = format!("instance {id} from {}, {}", seed.source, seed.place);
            // Data that could not be had this time must be there the next time.
            let is_whole = seed.user_data != seed::UserData::Silent && seed.vendor_data != VendorData::Silent;
            let may_be_taken_back = seed.source == vmware::SOURCE && is_whole;
            let kept = keep_seed(seed, system, &instance, root, report)?;
            instance.enter(root)?;
            if may_be_taken_back {
                vmware::redact(&kept.0, root, report);
            }
            report.info(&told);
            let (meta_data, source, work) = kept;
            (instance, meta_data, source, work)
        }
        (Ok(None), Some(kept)) => {
            let (source, _) = kept_source(&kept, root)?;
            report.warn(format!(
                "its source ({source}) is not there any more (going on with instance {} as it was kept)",
                kept.id
            ));
            go_on(kept, system, root, report)?
        }
        (Err(error), Some(kept)) => {
            report.warn(format!("{error:#} (going on with instance {} as it was kept)", kept.id));
            go_on(kept, system, root, report)?
        }
        (Ok(None), None) => {
            report.info("there is no seed, and none was kept");
            return Ok(None);
        }
        (Err(error), None) => return Err(error),
    };
    let boot = booted(root)?;
    let context = super::Context { instance: &instance, boot: &boot, root };
    let mut kept = KeptConfig::read(&instance, root);
    for directory in layout::SCRIPT_DIRECTORIES {
        report.take(root.make_directory(&format!("{}/{directory}", layout::SCRIPTS)));
    }
    let are_programs = !work.is_empty();
    if are_programs {
        report.outputs = Outputs::of(&kept.over(&config, &mut Report::default()), output::INIT);
    }
    let done = work::run(work, &context, report);
    report.take(done);
    if are_programs {
        // As in cloud-init, what boothooks and part handlers configure counts for all that comes after them.
        config.read_again(root);
        kept = KeptConfig::read(&instance, root);
    }
    kept.tell_what_is_not_carried_out(&config, report);
    let config = kept.over(&config, report);
    if !are_programs {
        report.outputs = Outputs::of(&config, output::INIT);
    }
    let combined = yaml::to_json(&config.clone().into()) + "\n";
    report.take(root.write(layout::COMBINED_CONFIG, combined.as_bytes(), 0o600));
    let given = run::Given { config: &config, meta_data: &meta_data };
    run::stage(Stage::Init, given, &context, report);
    Ok(Some(source))
}

/// The most bytes of a file that a person may have taken apart. Parts that are not taken may be in it, and make it
/// larger than they all may be.
const LARGEST: u64 = 32 * 1024 * 1024;

/// Below the instance's directory: that the user-data could not be fetched yet.
const MISSING: &str = "user-data.missing";

/// Below the instance's directory: what `#include-once` fetched.
const URL_CACHE: &str = "data/urlcache";

/// The instance as it was kept.
fn go_on(
    kept: Instance,
    system: &Mapping,
    root: &Root,
    report: &mut Report,
) -> Result<(Instance, MetaData, String, Vec<Work>)> {
    let meta_data = kept_meta_data(&kept, root, report);
    let (source, place) = kept_source(&kept, root)?;
    let identity = SeedIdentity { source: &source, place: &place, meta_data: &meta_data };
    let work = consume::kept(&identity, system, &kept, root)?;
    let source = sources::recorded(&source, "");
    Ok((kept, meta_data, source, work))
}

/// The kind of source that an instance came from, and its place.
fn kept_source(kept: &Instance, root: &Root) -> Result<(String, String)> {
    Ok(sources::kept_as(&root.read_text(&kept.path("datasource"))?.unwrap_or_default()))
}

/// Keeps what a source gave, or goes on with what the same instance kept before.
fn keep_seed(
    seed: Seed,
    system: &Mapping,
    instance: &Instance,
    root: &Root,
    report: &mut Report,
) -> Result<(MetaData, String, Vec<Work>)> {
    let missing = instance.path(MISSING);
    let was_missing = report.take(root.holds(&missing)).unwrap_or_default();
    let is_kept = !was_missing && report.take(root.holds(&instance.path(consume::RAW))).unwrap_or_default();
    match seed.user_data {
        seed::UserData::Silent if is_kept => {
            report.warn(format!("going on with instance {} as it was kept", instance.id));
            let (_, meta_data, source, work) = go_on(instance.clone(), system, root, report)?;
            return Ok((meta_data, source, work));
        }
        seed::UserData::UsedUp if is_kept => {
            report.info("the user-data was taken back (going on with what was kept of it)");
            let (_, meta_data, source, work) = go_on(instance.clone(), system, root, report)?;
            return Ok((meta_data, source, work));
        }
        seed::UserData::Silent => {
            report.error(
                "there is no user-data: going on without (it is carried out on the boot that can fetch it)",
            );
            root.write(&missing, b"", 0o600)?;
        }
        // This instance has worked without its user-data so far, so all is done anew.
        seed::UserData::Given(_) if was_missing => {
            report.take(changes::forget(instance, root).and_then(|()| root.remove(&missing)));
        }
        seed::UserData::Given(_) | seed::UserData::UsedUp => {}
    }
    // The files given with the machine are there before anything of its user's runs.
    if let Some(files) = &seed.files {
        files::write(files, instance, root, report);
    }
    let given = seed.user_data.bytes();
    let includes = Includes::new(root, Some((root, instance.path(URL_CACHE))), IncludeReach::All);
    let is_allowed = system_config::allows_user_data(system);
    if !is_allowed && !given.is_empty() {
        report.info(system_config::LEFT_OUT);
    }
    let given = if is_allowed { given } else { b"" };
    let user = UserData::expand(given, &seed.meta_data, &includes);
    // Where the user-data itself was changed, what is missing was perhaps taken out of it.
    let kept = report.take(root.read(&instance.path(consume::RAW))).flatten();
    let blob = match kept {
        Some(kept) if kept == given && !user.parts.is_lacking() => Blob::Same,
        Some(kept) if kept == given => Blob::Lacking,
        _ => Blob::Changed,
    };
    let damage =
        if blob == Blob::Changed { changes::damage(&user.parts, instance, root) } else { Vec::new() };
    let blob = if damage.is_empty() { blob } else { Blob::Damaged };
    let treatment = changes::treat(&user.parts, blob, instance, system, root, report);
    match treatment {
        Treatment::Take | Treatment::Complete | Treatment::Refresh | Treatment::Reapply => {}
        Treatment::Incomplete | Treatment::Keep(_) => {
            let dropped = user.parts.dropped.iter().map(ToString::to_string);
            dropped.chain(damage).for_each(|told| report.warn_once(told));
            let (_, meta_data, source, work) = go_on(instance.clone(), system, root, report)?;
            return Ok((meta_data, source, work));
        }
    }
    let given = Given {
        identity: SeedIdentity { source: &seed.source, place: &seed.place, meta_data: &seed.meta_data },
        user,
        vendors: [&seed.vendor_data, &seed.vendor_data2],
        system,
        treatment,
    };
    let Consumed { work, before_late } =
        consume(given, instance, &includes, root, report).context("keep the data")?;
    if let Some(before) = before_late {
        report.take(late::open_again(&before, &KeptConfig::read(instance, root).merged(), instance, root));
    }
    let source = sources::recorded(&seed.source, &seed.place);
    Ok((seed.meta_data, source, work))
}

pub(super) fn kept_meta_data(instance: &Instance, root: &Root, report: &mut Report) -> MetaData {
    // cloud-init keeps no such file.
    let id_alone = || {
        let mut all = Mapping::default();
        all.set("instance-id", instance.id.as_str());
        MetaData::from(all)
    };
    let read = || match root.read(&instance.path("meta-data.json"))? {
        Some(data) => meta_data::parse(&data),
        None => Ok(id_alone()),
    };
    let mut meta_data = read().unwrap_or_else(|error| {
        report.warn(format!("kept meta-data: {error:#}"));
        id_alone()
    });
    if let Some(beside) = report.take(meta_data::read_beside(instance, root)) {
        meta_data.beside = beside;
    }
    meta_data
}

/// Takes the seed in a directory apart and writes it, as a person asks for it.
pub(crate) fn process(seed: &Path, root: &Root, report: &mut Report) -> Result<()> {
    // The files that a seed names are those of the person who asks, and not below the root.
    let here = Root::open(Path::new("/"))?;
    let instance = process_from(&Root::open(seed)?, (&here, IncludeReach::All), root, report)?;
    let shown = root.show(&instance.path(""));
    report::print(&format!(
        "instance {}: written below {shown} (lifeboat-agent plan says what a boot does)\n",
        instance.id
    ));
    Ok(())
}

/// Takes a seed apart that may include what is in reach of a root. Returns its instance.
pub(super) fn process_from(
    seed: &Root,
    (here, reach): (&Root, IncludeReach),
    root: &Root,
    report: &mut Report,
) -> Result<Instance> {
    let read = |name: &str| seed.read_at_most(name, LARGEST);
    let (user_data, meta_data) = (read("user-data")?, read("meta-data")?);
    if user_data.is_none() && meta_data.is_none() {
        bail!("{}: neither user-data nor meta-data is there", seed.show(""));
    }
    let meta_data = meta_data::parse(&meta_data.unwrap_or_default()).unwrap_or_else(|error| {
        report.warn(format!("{error:#}"));
        MetaData::default()
    });
    let instance = Instance::new(meta_data.instance_id.as_deref().unwrap_or(NO_ID));
    let [vendor_data, vendor_data2] =
        ["vendor-data", "vendor-data2"].map(|name| read(name).map(Option::unwrap_or_default));
    let (vendor_data, vendor_data2) = (VendorData::Given(vendor_data?), VendorData::Given(vendor_data2?));
    let includes = Includes::new(here, Some((root, instance.path(URL_CACHE))), reach);
    let user_data = user_data.unwrap_or_default();
    let place = seed.show("");
    let system = SystemConfig::read(root);
    for problem in system.problems() {
        report.warn(problem);
    }
    let given = Given {
        identity: SeedIdentity {
            source: "nocloud",
            place: place.trim_end_matches('/'),
            meta_data: &meta_data,
        },
        user: UserData::expand(&user_data, &meta_data, &includes),
        vendors: [&vendor_data, &vendor_data2],
        system: system.mapping(),
        treatment: Treatment::Take,
    };
    let Consumed { work, .. } = consume(given, &instance, &includes, root, report)?;
    instance.enter(root)?;
    work::told(work, report);
    Ok(instance)
}

//! With the network: the seed is fetched and kept, and what must be there before logins is done.

use super::{kept_config, run_handlers};
use crate::handlers::Stage;
use crate::instance::{Instance, NO_ID};
use crate::layout;
use crate::meta_data::{self, MetaData};
use crate::report::Report;
use crate::rescue::record::Boot;
use crate::root::Root;
use crate::search;
use crate::seed::Seed;
use crate::sources::Facts;
use crate::user_data::{self, TakenApart};
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// Fetches, keeps and carries out. The name of the source, for `status`.
pub(crate) fn network(root: &Root, budget: Duration, report: &mut Report) -> Result<Option<String>> {
    let kept = Instance::current(root)?;
    let mut facts = Facts::read(root, kept.as_ref().map(|kept| kept.id.clone()), budget)?;
    let mut found = search::find(&mut facts, report);
    report.take(search::note(&found, root));
    if let Some(config) = &found.system_config {
        report.take(root.write(layout::SYSTEM_CONFIG, config, 0o600));
    }
    let (instance, meta_data, source) = match (found.seed(report), kept) {
        (Ok(Some(seed)), _) => {
            let instance = Instance::new(seed.meta_data.instance_id.as_deref().unwrap_or(NO_ID));
            instance.enter(root)?;
            keep_seed(&seed, &instance, root, report)?;
            report.info(&format!("instance {} from {}, {}", instance.id, seed.source, seed.place));
            (instance, seed.meta_data, seed.source)
        }
        (Ok(None), Some(kept)) => {
            let source = root.read_text(&kept.path("datasource"))?.unwrap_or_default();
            report.warn(format!(
                "its source ({}) is not there any more (going on with instance {} as it was kept)",
                source.trim(),
                kept.id
            ));
            (kept.clone(), kept_meta_data(&kept, root, report), KEPT.to_owned())
        }
        (Err(error), Some(kept)) => {
            report.warn(format!("{error:#} (going on with instance {} as it was kept)", kept.id));
            (kept.clone(), kept_meta_data(&kept, root, report), KEPT.to_owned())
        }
        (Ok(None), None) => {
            report.info("there is no seed, and none was kept");
            return Ok(None);
        }
        (Err(error), None) => return Err(error),
    };
    let config = kept_config(&instance, root, report);
    let boot = Boot::read(root)?;
    let context = super::Context { instance: &instance, boot: &boot, root };
    run_handlers(Stage::Network, &config, &meta_data, &context, report);
    Ok(Some(source))
}

/// The source's name where no source has answered.
const KEPT: &str = "kept";

fn keep_seed(seed: &Seed, instance: &Instance, root: &Root, report: &mut Report) -> Result<()> {
    root.write(&instance.path("datasource"), format!("{}\n", seed.source).as_bytes(), 0o644)?;
    root.write(&instance.path("meta-data.json"), meta_data::to_json(&seed.meta_data).as_bytes(), 0o600)?;
    for (name, data) in [("vendor-data.txt", &seed.vendor_data), ("vendor-data2.txt", &seed.vendor_data2)] {
        root.write(&instance.path(name), data, 0o600)?;
        if !data.is_empty() {
            report.warn(format!("{name} is kept and not acted on yet"));
        }
    }
    let apart = user_data::take_apart(&seed.user_data);
    keep(&seed.user_data, &apart, instance, root)?;
    for problem in apart.problems {
        report.warn(problem);
    }
    Ok(())
}

/// Writes user-data and what it was taken apart into.
fn keep(raw: &[u8], apart: &TakenApart, instance: &Instance, root: &Root) -> Result<()> {
    root.write(layout::USER_DATA_RAW, raw, 0o600)?;
    root.write(layout::USER_DATA, &apart.expanded, 0o600)?;
    root.write(&instance.path("user-data.txt"), raw, 0o600)?;
    for script in &apart.scripts {
        root.write(&instance.path(&format!("scripts/{}", script.name)), &script.content, 0o700)?;
    }
    root.write(&instance.path("cloud-config.txt"), apart.config.text().as_bytes(), 0o600)?;
    // Nothing is noted as done before what it is made from is on the disk.
    root.sync(&instance.path("scripts"))
}

fn kept_meta_data(instance: &Instance, root: &Root, report: &mut Report) -> MetaData {
    let read = || match root.read(&instance.path("meta-data.json"))? {
        Some(data) => meta_data::parse(&data),
        None => Ok(MetaData::default()),
    };
    read().unwrap_or_else(|error| {
        report.warn(format!("kept meta-data: {error:#}"));
        MetaData::default()
    })
}

/// Takes the seed in a directory apart and writes it, as a person asks for it.
pub(crate) fn process(seed: &std::path::Path, root: &Root, report: &mut Report) -> Result<()> {
    let seed = Root::open(seed)?;
    let (user_data, meta_data) = (seed.read("user-data")?, seed.read("meta-data")?);
    if user_data.is_none() && meta_data.is_none() {
        bail!("{}: neither user-data nor meta-data is there", seed.show(""));
    }
    let meta_data = meta_data::parse(&meta_data.unwrap_or_default()).unwrap_or_else(|error| {
        report.warn(format!("{error:#}"));
        MetaData::default()
    });
    let instance = Instance::new(meta_data.instance_id.as_deref().unwrap_or(NO_ID));
    instance.enter(root)?;
    let vendor_data = seed.read("vendor-data")?.unwrap_or_default();
    root.write(&instance.path("vendor-data.txt"), &vendor_data, 0o600)?;
    if !vendor_data.is_empty() {
        report.warn("vendor-data is kept and not acted on yet");
    }
    let user_data = user_data.unwrap_or_default();
    let apart = user_data::take_apart(&user_data);
    keep(&user_data, &apart, &instance, root).context("keep the user-data")?;
    for problem in apart.problems {
        report.warn(problem);
    }
    Ok(())
}

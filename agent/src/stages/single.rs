//! One module alone, as a person asks for it.

use super::kept::KeptConfig;
use super::{Context, last, network, run_handler};
use crate::handlers;
use crate::instance::{Frequency, Instance};
use crate::report::Report;
use crate::rescue::record::booted;
use crate::root::Root;
use crate::system_config::SystemConfig;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;

/// Carries out the handlers or runs the scripts that a module of cloud-init's is for. Without a frequency it is
/// done as often as at boot, and so perhaps not at all.
pub(crate) fn single(
    module: &str,
    frequency: Option<Frequency>,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let name = module.strip_prefix("cc_").unwrap_or(module).replace('-', "_");
    let instance = Instance::current(root)?.context("there is no instance: nothing was kept by a boot")?;
    let boot = booted(root)?;
    let context = Context { instance: &instance, boot: &boot, root };
    let mut handlers = handlers::ALL.iter().filter(|handler| handler.module() == name).peekable();
    if handlers.peek().is_none() {
        if !last::scripts(&name, frequency, &context, report) {
            bail!("there is no module {module}");
        }
        return Ok(());
    }
    let config = KeptConfig::read(&instance, root).over(&SystemConfig::read(root), report);
    let meta_data = network::kept_meta_data(&instance, root, report);
    for handler in handlers {
        let frequency = frequency.unwrap_or(handler.frequency);
        let facts = (&config, &meta_data);
        run_handler(handler, frequency, facts, &context, &mut BTreeSet::new(), report)?;
    }
    Ok(())
}

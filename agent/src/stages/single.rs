//! One module alone, as a person asks for it.

use super::kept::Kept;
use super::run;
use crate::apply::{self, output};
use crate::args::SingleOptions;
use crate::handlers;
use crate::instance::Frequency;
use crate::report::Report;
use crate::root::Root;
use crate::schedule::{Entry, plain};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;

/// Carries out the handlers or runs the scripts that a module of cloud-init's is for. Without a frequency it is
/// done as often as at boot, and so perhaps not at all.
pub(crate) fn single(options: &SingleOptions, root: &Root, report: &mut Report) -> Result<()> {
    let (module, frequency) = (options.name.as_str(), options.frequency.map(Frequency::from));
    let kept = Kept::read(root, output::CONFIG, report)?;
    let kept = kept.context("nothing was kept by a boot")?;
    let mut is_known = false;
    for handler in handlers::ALL.iter().filter(|handler| handler.module == plain(module)) {
        is_known = true;
        let frequency = frequency.unwrap_or(handler.frequency);
        let entry = Entry { handler, stage: handler.stage, frequency };
        run::one(entry, kept.given(), &kept.context(root), &mut BTreeSet::new(), report);
    }
    if !is_known {
        bail!("there is no module {module}");
    }
    apply::change_power(report);
    Ok(())
}

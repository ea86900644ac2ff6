//! While services start: what may take its time, and what nothing before logins needs.

use super::kept::Kept;
use crate::apply::output;
use crate::handlers::Stage;
use crate::report::Report;
use crate::root::Root;
use anyhow::Result;

/// Runs the handlers of the config stage.
pub(crate) fn config(root: &Root, report: &mut Report) -> Result<()> {
    if let Some(kept) = Kept::read(root, output::CONFIG, report)? {
        kept.run(Stage::Config, root, report);
    }
    Ok(())
}

//! The message at the end of a boot, on the console and in the log of programs' output.

use super::output;
use crate::date::rfc2822;
use crate::instance::now;
use crate::layout;
use crate::record;
use crate::report::Report;
use crate::root::Root;
use crate::template;
use crate::yaml::{Mapping, Value};
use anyhow::Result;
use std::io::Write;

/// Tells it.
pub(super) fn tell(text: &str, root: &Root, report: &mut Report) -> Result<()> {
    let message = template::render(text, &variables(root)?)?;
    report.info(&message);
    if let Some((mut log, _)) = output::places(root, report) {
        log.write_all(format!("{message}\n").as_bytes())?;
    }
    Ok(())
}

/// The variables that a message may name, in small and in capital letters.
fn variables(root: &Root) -> Result<Mapping> {
    let record = record::read(layout::STATUS, root)?.unwrap_or_default();
    let source = record.get("datasource").and_then(Value::scalar_text).unwrap_or_default();
    let uptime = root.read_text("proc/uptime")?.unwrap_or_default();
    let uptime = uptime.split(' ').next().unwrap_or_default().to_owned();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut variables = Mapping::default();
    for (name, value) in
        [("uptime", uptime), ("timestamp", rfc2822(now())), ("version", version), ("datasource", source)]
    {
        variables.set(&name.to_uppercase(), value.as_str());
        variables.set(name, value.as_str());
    }
    Ok(variables)
}

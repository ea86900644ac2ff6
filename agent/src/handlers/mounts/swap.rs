//! `swap`: a file to swap to.

use super::fstab::escaped;
use super::{FSTAB, size};
use crate::handlers::HandlerFacts;
use crate::plan::{HandlerPlan, Step, SwapFile};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// Where the file is unless the configuration says otherwise.
const FILE: &str = "/swap.img";

pub(super) fn plan(facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<Option<Step>> {
    let asked = match facts.config.get("swap") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Map(asked)) => asked,
        Some(other) => {
            plan.problem(format!("swap: it is {} and no mapping", other.kind()));
            return Ok(None);
        }
    };
    let path = match asked.get("filename") {
        None => FILE.to_owned(),
        Some(name) => name.scalar_text().unwrap_or_default(),
    };
    let is_off = |value: &Value| match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Str(text) => text.is_empty(),
        _ => false,
    };
    if path.is_empty() || asked.get("size").is_none_or(is_off) {
        return Ok(None);
    }
    let is_inside = path.strip_prefix('/').is_some_and(|path| {
        !path.split('/').any(|step| ["", ".", ".."].contains(&step)) && !path.contains(char::is_control)
    });
    if !is_inside {
        plan.problem(format!("swap: `{}` is no path of a file", path.escape_debug()));
        return Ok(None);
    }
    let mebibytes = match mebibytes(asked, &path, facts) {
        Ok(mebibytes) => mebibytes,
        Err(told) => {
            plan.problem(format!("swap: {told:#}"));
            return Ok(None);
        }
    };
    let line = format!("{}\tnone\tswap\tsw\t0\t0", escaped(&path));
    let fstab = facts.machine.text(FSTAB)?.unwrap_or_default();
    let own = fstab.lines().any(|own| own.split_whitespace().eq(line.split_whitespace()));
    let swaps = facts.machine.text("proc/swaps")?.unwrap_or_default();
    let is_used = swaps.lines().any(|used| used.split_whitespace().next() == Some(&escaped(&path)));
    if own && is_used {
        return Ok(None);
    }
    Ok(Some(Step::Swap(SwapFile { path, mebibytes, line: (!own).then_some(line), is_used })))
}

fn mebibytes(asked: &Mapping, path: &str, facts: &HandlerFacts<'_>) -> Result<u64> {
    let most = match asked.get("maxsize") {
        None | Some(Value::Null) => None,
        Some(most) => Some(size::bytes(most).ok_or_else(|| bad("maxsize", most))?),
    };
    let given = asked.get("size").unwrap_or(&Value::Null);
    let is_auto = given.as_str().is_some_and(|word| word.eq_ignore_ascii_case("auto"));
    let bytes = if is_auto {
        let memory = memory(&facts.machine.text("proc/meminfo")?.unwrap_or_default());
        let memory =
            memory.ok_or_else(|| anyhow::anyhow!("size: read the memory's size in /proc/meminfo"))?;
        size::suggested(memory, facts.machine.room(path)?, most)
    } else {
        size::bytes(given).ok_or_else(|| bad("size", given))?
    };
    match size::mebibytes(bytes) {
        0 if is_auto => anyhow::bail!("size: there is no room for a file that is worth it"),
        0 => anyhow::bail!("size: {bytes} bytes are less than one MiB"),
        mebibytes => Ok(mebibytes),
    }
}

fn bad(key: &str, value: &Value) -> anyhow::Error {
    let shown = value.scalar_text().unwrap_or_else(|| value.kind().to_owned());
    anyhow::anyhow!("{key}: `{}` is no size such as 512M or 2G", shown.escape_debug())
}

/// The machine's memory in bytes.
fn memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

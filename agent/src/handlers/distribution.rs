//! The distribution's traits, for whatever differs among distributions.

use crate::machine::Machine;
use anyhow::Result;
use lifeboat_common::environment_file::lookup;

/// Where cloud-init's package keeps the texts that a distribution may change.
const TEMPLATES: &str = "etc/cloud/templates";

/// A value of os-release.
pub(super) fn value(key: &str, machine: &dyn Machine) -> Result<Option<String>> {
    let own = machine.text("etc/os-release")?;
    let text = if own.is_some() { own } else { machine.text("usr/lib/os-release")? };
    Ok(text.and_then(|text| lookup(&text, key)))
}

/// Names of a distribution and of those that it is like, its own first.
pub(super) fn names(machine: &dyn Machine) -> Result<Vec<String>> {
    let mut text = None;
    for path in ["etc/os-release", "usr/lib/os-release"] {
        text = text.or(machine.text(path)?);
    }
    let text = text.unwrap_or_default();
    let value = |key: &str| lookup(&text, key).unwrap_or_default().to_lowercase();
    let own = value("ID");
    let like = value("ID_LIKE");
    Ok(std::iter::once(own.as_str()).chain(like.split_whitespace()).map(str::to_owned).collect())
}

/// True for Debian and what is made from it.
pub(super) fn is_debian(machine: &dyn Machine) -> Result<bool> {
    Ok(names(machine)?.iter().any(|name| name == "debian" || name == "ubuntu"))
}

/// The text of the first template that is there: `NAME` in a pattern stands for the distribution. `None` if there is
/// none.
pub(super) fn template(pattern: &str, machine: &dyn Machine) -> Result<Option<String>> {
    for name in names(machine)? {
        let families = match name.as_str() {
            "rhel" | "fedora" | "centos" => &["redhat"][..],
            "opensuse" | "sles" => &["suse"],
            _ => &[],
        };
        for name in std::iter::once(name.as_str()).chain(families.iter().copied()) {
            let path = format!("{TEMPLATES}/{}.tmpl", pattern.replace("NAME", name));
            if let Some(text) = machine.text(&path)? {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}

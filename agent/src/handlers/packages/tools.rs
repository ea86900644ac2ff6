//! The functions that handlers share which install packages.

use crate::handlers::HandlerFacts;
use crate::plan::{HandlerPlan, PackageWork, Packages, Step};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// The message where it is missing.
pub(in crate::handlers) const NO_APT: &str =
    "there is no apt-get on this machine, and no other manager of packages is used";

/// It asks nothing, and what the person has configured stays. Packages can be fetched again, so their files need not be
/// forced to the disk one by one.
const COMMAND: [&str; 5] = [
    "apt-get",
    "--option=Dpkg::Options::=--force-confold",
    "--option=Dpkg::options::=--force-unsafe-io",
    "--assume-yes",
    "--quiet",
];

const UPGRADE: &str = "dist-upgrade";

/// The way to call apt-get on this machine.
pub(in crate::handlers) struct Apt {
    command: Vec<String>,
    upgrade: String,
}

impl Apt {
    /// A step of its work.
    pub(in crate::handlers) fn step(&self, work: PackageWork) -> Step {
        Step::Packages(Packages { command: self.command.clone(), upgrade: self.upgrade.clone(), work })
    }

    /// Installs packages, with lists of packages that are not older than this boot.
    pub(in crate::handlers) fn install(&self, names: &[&str], plan: &mut HandlerPlan) {
        plan.push(self.step(PackageWork::UpdateOnce));
        plan.push(self.step(PackageWork::Install(names.iter().map(|name| (*name).to_owned()).collect())));
    }
}

/// Finds the way to call apt-get; `None` where there is none. The image may say otherwise in `system_info`.
pub(in crate::handlers) fn apt(facts: &HandlerFacts<'_>) -> Result<Option<Apt>> {
    if !facts.machine.has_program("apt-get")? {
        return Ok(None);
    }
    let info = facts.config.get("system_info").and_then(Value::as_map);
    let setting = |key: &str| info.and_then(|info| info.get(key));
    let mut command = wrapper(setting("apt_get_wrapper").and_then(Value::as_map), facts)?;
    match words(setting("apt_get_command")) {
        own if own.is_empty() => command.extend(COMMAND.map(str::to_owned)),
        own => command.extend(own),
    }
    let upgrade = setting("apt_get_upgrade_subcommand").and_then(Value::scalar_text);
    Ok(Some(Apt { command, upgrade: upgrade.unwrap_or_else(|| UPGRADE.to_owned()) }))
}

/// The command that runs apt-get: eatmydata where it is installed, unless the image says otherwise.
fn wrapper(setting: Option<&Mapping>, facts: &HandlerFacts<'_>) -> Result<Vec<String>> {
    let (enabled, command) = match setting {
        None => (None, vec!["eatmydata".to_owned()]),
        Some(setting) => (setting.get("enabled"), words(setting.get("command"))),
    };
    let is_auto =
        enabled.is_none_or(|enabled| enabled.as_str().is_some_and(|word| word.eq_ignore_ascii_case("auto")));
    let is_used = match command.first() {
        Some(program) if is_auto => facts.machine.has_program(program)?,
        Some(_) => enabled.is_some_and(Value::is_on),
        None => false,
    };
    Ok(if is_used { command } else { Vec::new() })
}

fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Seq(words)) => words.iter().filter_map(Value::scalar_text).collect(),
        Some(text) => text.scalar_text().into_iter().collect(),
        None => Vec::new(),
    }
}

/// True if one of these switches is on.
pub(in crate::handlers) fn is_one_of_on(config: &Mapping, keys: &[&str]) -> bool {
    keys.iter().any(|key| config.get(key).is_some_and(Value::is_on))
}

//! The configuration that an instance keeps: its user's and its vendors', each as it was read.

use crate::instance::Instance;
use crate::not_carried_out;
use crate::report::Report;
use crate::root::Root;
use crate::system_config::{self, SystemConfig};
use crate::user_data;
use crate::yaml::Mapping;
use anyhow::Result;

/// Whose they are, and their files in the instance's directory. The first is above the others.
const LAYERS: [(&str, &str); 3] = [
    (USER, "cloud-config.txt"),
    ("vendor-data2", "vendor2-cloud-config.txt"),
    ("vendor-data", "vendor-cloud-config.txt"),
];

const USER: &str = "user-data";

/// The kept configuration.
pub(super) struct KeptConfig(Vec<Layer>);

struct Layer {
    whose: &'static str,
    /// The configuration, or why it cannot be read.
    read: Result<Mapping, String>,
}

impl KeptConfig {
    /// Reads it.
    pub(super) fn read(instance: &Instance, root: &Root) -> Self {
        let layer = |(whose, name)| {
            let path = instance.path(name);
            let read = mapping(&path, root).map_err(|error| format!("{}: {error:#}", root.show(&path)));
            Layer { whose, read }
        };
        Self(LAYERS.into_iter().map(layer).collect())
    }

    /// All of it.
    pub(super) fn merged(&self) -> Mapping {
        self.0
            .iter()
            .filter_map(|layer| layer.read.as_ref().ok())
            .fold(Mapping::default(), system_config::over)
    }

    /// What counts of it, over the system's configuration. What cannot be read is reported.
    pub(super) fn over(&self, system: &SystemConfig, report: &mut Report) -> Mapping {
        let is_allowed = system_config::allows_user_data(system.mapping());
        let mut config = Mapping::default();
        for layer in self.0.iter().filter(|layer| is_allowed || layer.whose != USER) {
            match &layer.read {
                Ok(below) => config = system_config::over(config, below),
                Err(problem) => report.warn(problem.as_str()),
            }
        }
        for problem in system.problems() {
            report.warn(problem);
        }
        system_config::over(config, system.mapping())
    }

    /// Names the keys that nothing carries out. Without a word, they would look done.
    pub(super) fn tell_what_is_not_carried_out(&self, system: &SystemConfig, report: &mut Report) {
        let layers = self.0.iter().filter_map(|layer| Some((layer.whose, layer.read.as_ref().ok()?)));
        let told = layers.flat_map(|(whose, config)| not_carried_out::messages(whose, config));
        for told in told.chain(system.not_carried_out()) {
            report.warn(told);
        }
    }
}

fn mapping(path: &str, root: &Root) -> Result<Mapping> {
    match root.read(path)?.filter(|content| !content.is_empty()) {
        Some(content) => user_data::parse_config(&content),
        None => Ok(Mapping::default()),
    }
}

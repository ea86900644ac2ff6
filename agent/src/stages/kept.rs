//! The configuration that an instance keeps: its user's and its vendors', each as it was read.

use super::{Context, network, run};
use crate::apply::output::Outputs;
use crate::handlers::Stage;
use crate::instance::Instance;
use crate::meta_data::MetaData;
use crate::not_carried_out;
use crate::report::Report;
use crate::rescue::record::{Boot, booted};
use crate::root::Root;
use crate::system_config::{self, SystemConfig};
use crate::user_data;
use crate::yaml::Mapping;
use anyhow::Result;

/// The owners of the layers, and their files in the instance's directory. The first is above the others.
const LAYERS: [(&str, &str); 3] = [
    (USER, "cloud-config.txt"),
    ("vendor-data2", "vendor2-cloud-config.txt"),
    ("vendor-data", "vendor-cloud-config.txt"),
];

const USER: &str = "user-data";

/// A kept instance, as the stages after the first one find it.
pub(super) struct Kept {
    pub(super) instance: Instance,
    pub(super) config: Mapping,
    meta_data: MetaData,
    boot: Boot,
}

impl Kept {
    /// Reads it, and sends the output of programs where it says for a stage. `None` if there is no instance.
    pub(super) fn read(root: &Root, stage: &str, report: &mut Report) -> Result<Option<Self>> {
        let Some(instance) = Instance::current(root)? else {
            report.info("there is no instance");
            return Ok(None);
        };
        let config = KeptConfig::read(&instance, root).over(&SystemConfig::read(root), report);
        report.outputs = Outputs::of(&config, stage);
        let meta_data = network::kept_meta_data(&instance, root, report);
        Ok(Some(Self { config, meta_data, boot: booted(root)?, instance }))
    }

    /// Runs the handlers of a stage.
    pub(super) fn run(&self, stage: Stage, root: &Root, report: &mut Report) {
        run::stage(stage, self.given(), &self.context(root), report);
    }

    /// The instance and the boot, for whoever works on them.
    pub(super) fn context<'a>(&'a self, root: &'a Root) -> Context<'a> {
        Context { instance: &self.instance, boot: &self.boot, root }
    }

    /// The data for its handlers.
    pub(super) fn given(&self) -> run::Given<'_> {
        run::Given { config: &self.config, meta_data: &self.meta_data }
    }
}

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

    /// Lays the kept configuration that counts over the system's. Configuration that cannot be read is reported.
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
        let is_allowed = system_config::allows_user_data(system.mapping());
        let layers = self.0.iter().filter(|layer| is_allowed || layer.whose != USER);
        let layers = layers.filter_map(|layer| Some((layer.whose, layer.read.as_ref().ok()?)));
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

//! The system's configuration, below the user's. The first place with a key counts: the kernel command line's `cc:`,
//! /run/cloud-init/cloud.cfg, cloud.cfg.d with the later name first, cloud.cfg, and the distribution's built-in
//! defaults.
//!
//! It is read once in a run of the program and passed down; once more after boothooks, which may write there.

mod defaults;

use crate::root::Root;
use crate::yaml::{self, Mapping, Value};
use crate::{command_line, not_carried_out, os_release, texts};
use anyhow::{Context, Result, bail};

const CLOUD_CFG: &str = "etc/cloud/cloud.cfg";
const CLOUD_CFG_D: &str = "etc/cloud/cloud.cfg.d";
const RUN_CLOUD_CFG: &str = "run/cloud-init/cloud.cfg";

/// Files of which one would be rendered by cloud-init before it is read.
const TEMPLATE: &[u8] = b"## template:";

/// All of it as one mapping.
#[derive(Default, Debug)]
pub(crate) struct SystemConfig {
    mapping: Mapping,
    /// The places in their order: the first wins.
    layers: Vec<Layer>,
}

/// The configuration at one place.
#[derive(Debug)]
struct Layer {
    place: String,
    /// Its configuration, or why there is none.
    said: Result<Mapping, String>,
}

impl SystemConfig {
    /// Reads it; a file that is bad costs only itself.
    pub(crate) fn read(root: &Root) -> Self {
        let mut config = Self::default();
        config.take("the kernel command line, cc:", || {
            match command_line::cloud_config(&command_line::read(root)?) {
                Some(text) => mapping(&yaml::load_with(&text, &texts::CONFIG)?),
                None => Ok(Mapping::default()),
            }
        });
        config.take_file(RUN_CLOUD_CFG, root);
        match root.names(CLOUD_CFG_D) {
            Ok(names) => {
                for name in names.iter().rev().filter(|name| name.strip_suffix(".cfg").is_some()) {
                    config.take_file(&format!("{CLOUD_CFG_D}/{name}"), root);
                }
            }
            Err(error) => {
                config.layers.push(Layer { place: CLOUD_CFG_D.into(), said: Err(format!("{error:#}")) });
            }
        }
        config.take_file(CLOUD_CFG, root);
        config.take("os-release", || Ok(defaults::of(&os_release::read(root)?)));
        config.merge();
        config
    }

    /// Reads it once more.
    pub(crate) fn read_again(&mut self, root: &Root) {
        *self = Self::read(root);
    }

    /// One that holds what a text says, for tests.
    #[cfg(test)]
    pub(crate) fn parse(text: &str) -> Self {
        Self { mapping: mapping(&yaml::load(text).unwrap()).unwrap(), layers: Vec::new() }
    }

    /// The mapping.
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The settings that were left out, and why.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().filter_map(|layer| layer.said.as_ref().err().map(String::as_str))
    }

    /// The keys that nothing carries out, for each place that has some.
    pub(crate) fn not_carried_out(&self) -> impl Iterator<Item = String> {
        let said = self.layers.iter().filter_map(|layer| Some((&layer.place, layer.said.as_ref().ok()?)));
        said.filter_map(|(place, mapping)| not_carried_out::message(place, mapping))
    }

    /// Puts a configuration above all that was read, until it is settled.
    pub(crate) fn put_above(&mut self, above: &Mapping) {
        self.mapping = over(above.clone(), &self.mapping);
    }

    /// Moves what was put above to the place of a file in cloud.cfg.d; `None` where the file could not be written.
    pub(crate) fn settle(&mut self, path: &str, above: Option<Mapping>) {
        if let Some(mapping) = above {
            let layer = Layer { place: path.to_owned(), said: Ok(mapping) };
            match self.layers.iter_mut().find(|known| known.place == path) {
                Some(known) => *known = layer,
                None => self.layers.insert(self.place_of(path), layer),
            }
        }
        self.merge();
    }

    /// The place of a file in cloud.cfg.d among the layers: before the earlier names, and before cloud.cfg.
    fn place_of(&self, path: &str) -> usize {
        let is_below = |layer: &Layer| {
            let name = layer.place.strip_prefix(CLOUD_CFG_D).filter(|name| !name.is_empty());
            layer.place == CLOUD_CFG || name.is_some() && *layer.place < *path
        };
        self.layers.iter().position(is_below).unwrap_or(self.layers.len())
    }

    fn merge(&mut self) {
        let said = self.layers.iter().filter_map(|layer| layer.said.as_ref().ok());
        self.mapping = said.fold(Mapping::default(), over);
    }

    /// The names in `datasource_list`; `None` when it is not there.
    pub(crate) fn datasource_list(&self) -> Option<Vec<String>> {
        match self.mapping.get("datasource_list")? {
            Value::Seq(items) => {
                Some(items.iter().map(|item| item.scalar_text().unwrap_or_default()).collect())
            }
            Value::Str(name) => Some(vec![name.clone()]),
            _ => None,
        }
    }

    /// The settings under `datasource` for one source.
    pub(crate) fn datasource(&self, name: &str) -> Option<&Mapping> {
        let all = self.mapping.get("datasource")?.as_map()?;
        let same = |key: &Value| key.as_str().is_some_and(|key| key.eq_ignore_ascii_case(name));
        all.iter().find(|(key, _)| same(key))?.1.as_map()
    }

    fn take_file(&mut self, path: &str, root: &Root) {
        self.take(path, || match root.read(path)?.filter(|content| !content.trim_ascii().is_empty()) {
            Some(content) if content.starts_with(TEMPLATE) => {
                bail!("it is a template, and templates are rendered in user-data alone")
            }
            Some(content) => parse(&content),
            None => Ok(Mapping::default()),
        });
    }

    /// Adds what a place says below those before.
    fn take(&mut self, place: &str, read: impl FnOnce() -> Result<Mapping>) {
        let said = read().map_err(|error| format!("{place}: {error:#} (it is not used)"));
        self.layers.push(Layer { place: place.to_owned(), said });
    }
}

fn mapping(value: &Value) -> Result<Mapping> {
    match value {
        Value::Map(mapping) => Ok(mapping.clone()),
        Value::Null => Ok(Mapping::default()),
        other => bail!("it is {} and no mapping", other.kind()),
    }
}

/// The message where an image takes none.
pub(crate) const LEFT_OUT: &str =
    "the user-data is left out: the system's configuration says allow_userdata: false";

/// True if an image takes user-data at all, as cloud-init reads its switch. Vendor-data is taken in any case.
pub(crate) fn allows_user_data(system: &Mapping) -> bool {
    system.get("allow_userdata").is_none_or(Value::is_on)
}

/// Reads configuration; one of comments alone says nothing.
pub(crate) fn parse(content: &[u8]) -> Result<Mapping> {
    let text = std::str::from_utf8(content).context("it is no UTF-8")?;
    mapping(&yaml::load_with(text, &texts::CONFIG)?)
}

/// The first with what only the second says, in nested mappings too; lists are not joined.
pub(crate) fn over(mut first: Mapping, below: &Mapping) -> Mapping {
    for (key, value) in below.iter() {
        match (first.get_mut(key), value) {
            (None, _) => first.insert(key.clone(), value.clone()),
            // As deep as the reader of YAML lets a document be.
            (Some(Value::Map(own)), Value::Map(value)) => *own = over(std::mem::take(own), value),
            (Some(_), _) => {}
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(files: &[(&str, &str)], expected: Expect) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for (path, content) in files {
            root.write(path, content.as_bytes(), 0o644).unwrap();
        }
        let config = SystemConfig::read(&root);
        let mut text = yaml::to_json(&Value::Map(config.mapping.clone())) + "\n";
        for problem in config.problems() {
            text.push_str(problem);
            text.push('\n');
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn each_place_wins_over_those_below_it() {
        check(
            &[
                ("etc/cloud/cloud.cfg", "{a: 1, b: 1, c: 1, d: 1, e: {x: 1, y: [1]}}"),
                ("etc/cloud/cloud.cfg.d/05_a.cfg", "{b: 2, c: 2, d: 2, e: {y: [2], z: 2}}"),
                ("etc/cloud/cloud.cfg.d/90_b.cfg", "{c: 3, d: 3}"),
                ("run/cloud-init/cloud.cfg", "{d: 4, f: 4}"),
                ("proc/cmdline", "ro cc: {f: 5, e: {z: 5}} end_cc quiet"),
            ],
            expect![[r#"
                {"f":5,"e":{"z":5,"y":[2],"x":1},"d":4,"c":3,"b":2,"a":1}
            "#]],
        );
    }

    #[test]
    fn a_bad_file_costs_only_itself_and_other_names_are_passed_over() {
        check(
            &[
                ("etc/cloud/cloud.cfg", "a: 1"),
                ("etc/cloud/cloud.cfg.d/1.cfg", "a: ["),
                ("etc/cloud/cloud.cfg.d/2.cfg", "- a"),
                ("etc/cloud/cloud.cfg.d/3.cfg", "## template: jinja\na: 3"),
                ("etc/cloud/cloud.cfg.d/4.cfg", "# nothing\n"),
                ("etc/cloud/cloud.cfg.d/5.cfg.old", "a: 5"),
            ],
            expect![[r#"
                {"a":1}
                etc/cloud/cloud.cfg.d/3.cfg: it is a template, and templates are rendered in user-data alone (it is not used)
                etc/cloud/cloud.cfg.d/2.cfg: it is a list and no mapping (it is not used)
                etc/cloud/cloud.cfg.d/1.cfg: line 2, column 1: did not find expected node content (while parsing a flow node) (it is not used)
            "#]],
        );
    }

    #[test]
    fn a_settled_file_is_as_if_it_had_been_read() {
        const OWN: &str = "etc/cloud/cloud.cfg.d/50_own.cfg";
        let files = [
            ("etc/cloud/cloud.cfg", "{a: cfg, b: cfg, c: cfg, m: {z: 1}}"),
            ("etc/cloud/cloud.cfg.d/05_a.cfg", "{a: 05, b: 05, m: 5}"),
            ("etc/cloud/cloud.cfg.d/90_b.cfg", "{a: 90, m: {x: 1}}"),
        ];
        let own = "{a: own, b: own, d: own, m: {y: 1}}";
        for there_before in [None, Some("b: before"), Some("b: [")] {
            let directory = tempfile::tempdir().unwrap();
            let root = Root::open(directory.path()).unwrap();
            for (path, content) in files.into_iter().chain(there_before.map(|content| (OWN, content))) {
                root.write(path, content.as_bytes(), 0o644).unwrap();
            }
            let before = SystemConfig::read(&root).mapping;
            let mut config = SystemConfig::read(&root);
            let above = parse(own.as_bytes()).unwrap();
            config.put_above(&above);
            assert_eq!(config.mapping.get("a"), Some(&"own".into()));
            // It could not be written: nothing of it stays.
            config.settle(OWN, None);
            assert_eq!(config.mapping, before);
            config.settle(OWN, Some(above));
            root.write(OWN, own.as_bytes(), 0o644).unwrap();
            let again = SystemConfig::read(&root);
            assert_eq!(config.mapping, again.mapping, "{there_before:?}");
            assert_eq!(config.mapping.get("b"), Some(&"own".into()));
            assert_eq!(config.problems().count(), 0);
        }
    }

    #[test]
    fn without_files_there_is_nothing() {
        check(
            &[],
            expect![[r"
                {}
            "]],
        );
    }

    #[test]
    fn sources_and_their_settings_are_found_in_any_case() {
        let config =
            SystemConfig::parse("{datasource_list: [NoCloud, Ec2], datasource: {Ec2: {timeout: 1}}}");
        assert_eq!(config.datasource_list().unwrap(), ["NoCloud", "Ec2"]);
        assert!(config.datasource("ec2").unwrap().get("timeout").is_some());
        assert!(config.datasource("OVF").is_none());
        assert_eq!(SystemConfig::parse("{}").datasource_list(), None);
    }

    #[test]
    fn the_first_wins_among_few_keys_and_among_very_many() {
        for count in [2, 149_000] {
            let keys = |from: i128, value: i128| -> Mapping {
                (from..from + count).map(|key| (Value::Int(key), Value::Int(value))).collect()
            };
            let both = over(keys(0, 1), &keys(1, 2));
            assert_eq!(both.len(), usize::try_from(count).unwrap() + 1);
            for (key, value) in [(0, 1), (1, 1), (count, 2)] {
                assert_eq!(both.get_key(&Value::Int(key)), Some(&Value::Int(value)), "{count}: {key}");
            }
        }
    }
}

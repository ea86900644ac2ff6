//! The configuration that cloud-config parts make together.

use super::Part;
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result, bail};

/// How to merge, which is no configuration.
const MERGE_KEYS: [&str; 2] = ["merge_how", "merge_type"];

/// The configuration and where it came from.
#[derive(Default, Debug)]
pub(crate) struct Config {
    /// The configuration itself.
    pub(crate) mapping: Mapping,
    used: Vec<String>,
    ignored: Vec<String>,
}

impl Config {
    /// Adds a part: its keys replace those of earlier parts.
    pub(super) fn take(&mut self, part: &Part<'_>, problems: &mut Vec<String>) {
        match parse(part.content) {
            Ok(mapping) => {
                let below = std::mem::take(&mut self.mapping);
                self.mapping = mapping.over(&below);
                self.used.push(part.name.clone());
            }
            Err(error) => {
                self.ignored.push(part.name.clone());
                problems.push(format!("user-data {} is dropped: {error:#}", part.name));
            }
        }
    }

    /// Whether there was no part of this kind, not even a bad one.
    pub(crate) fn is_empty_file(&self) -> bool {
        self.used.is_empty() && self.ignored.is_empty()
    }

    /// The text of cloud-config.txt.
    pub(crate) fn render(&self) -> String {
        if self.is_empty_file() {
            return String::new();
        }
        let mut text = format!("#cloud-config\n\n# from {} files\n", self.used.len());
        for name in &self.used {
            text.extend(["# ", name, "\n"]);
        }
        text.push('\n');
        for name in &self.ignored {
            text.extend(["# Cloud-config part ignored SCHEMA_ERROR: ", name, "\n"]);
        }
        let mapping = yaml::to_yaml(&Value::Map(self.mapping.clone()));
        let space = if self.mapping.is_empty() { " " } else { "\n" };
        text.extend(["---", space, &mapping, "...\n"]);
        text
    }
}

/// Reads a configuration, which is a mapping.
pub(crate) fn parse(content: &[u8]) -> Result<Mapping> {
    let text = std::str::from_utf8(content).context("read the cloud-config: it is no UTF-8")?;
    match yaml::load(text).context("read the cloud-config")? {
        Value::Map(mapping) => {
            let kept = |key: &Value| !key.as_str().is_some_and(|key| MERGE_KEYS.contains(&key));
            Ok(mapping.iter().filter(|(key, _)| kept(key)).cloned().collect())
        }
        Value::Null => bail!("read the cloud-config: there is nothing below the first line"),
        other => bail!("read the cloud-config: it is {} and no mapping of keys like hostname", other.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(texts: &[&str], expected: Expect) {
        let mut config = Config::default();
        let mut problems = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let part = Part { name: format!("part-{:03}", number + 1), content: text.as_bytes() };
            config.take(&part, &mut problems);
        }
        expected.assert_eq(&(config.render() + &problems.join("\n")));
    }

    #[test]
    fn a_later_part_replaces_keys() {
        check(
            &["#cloud-config\na: [1]\nb: x\nmerge_how: list()\n", "#cloud-config\na: [2]\n"],
            expect![[r"
                #cloud-config

                # from 2 files
                # part-001
                # part-002

                ---
                a:
                    - 2
                b: x
                ...
            "]],
        );
    }

    #[test]
    fn a_bad_part_is_named_with_its_place() {
        check(
            &["#cloud-config\n- a\n", "#cloud-config\na: [\n"],
            expect![[r"
                #cloud-config

                # from 0 files

                # Cloud-config part ignored SCHEMA_ERROR: part-001
                # Cloud-config part ignored SCHEMA_ERROR: part-002
                --- {}
                ...
                user-data part-001 is dropped: read the cloud-config: it is a list and no mapping of keys like hostname
                user-data part-002 is dropped: read the cloud-config: line 3, column 1: did not find expected node content (while parsing a flow node)"]],
        );
        check(&[], expect![[""]]);
    }
}

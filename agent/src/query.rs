//! `query`: what is known of the instance, as cloud-init's `query` prints it.

use crate::args::QueryOptions;
use crate::codec;
use crate::instance::Instance;
use crate::instance_data;
use crate::jinja;
use crate::json;
use crate::layout;
use crate::report;
use crate::root::Root;
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result, anyhow, bail};
use std::path::Path;

/// The indentation that cloud-init has here.
const STEP: usize = 1;

/// The first line of a template, which is not needed here.
const HEAD: &str = "## template: jinja";

/// The mark before a value that is not text.
const BINARY: &str = "ci-b64:";

/// The most bytes that may come out of packed data.
const LARGEST: u64 = 10 << 20;

/// Prints what is asked for.
pub(crate) fn run(options: &QueryOptions, root: &Root) -> Result<()> {
    let data = known(options, root)?;
    let text = match &options.format {
        Some(template) => {
            let template =
                if template.starts_with(HEAD) { template.clone() } else { format!("{HEAD}\n{template}") };
            let rendered = jinja::render(
                &template,
                &instance_data::variables(&data.into()),
                &mut jinja::Allowance::default(),
            );
            let rendered = rendered.map_err(|failure| anyhow!("render the template: {failure}"))?;
            if !rendered.missing.is_empty() {
                report::complain(&format!(
                    "the template names what is not there: {}",
                    rendered.missing.join("; ")
                ));
            }
            rendered.text
        }
        None => {
            answer(&data, options.name.as_deref(), if options.list_keys { Show::Keys } else { Show::Value })?
        }
    };
    report::print(&(text + "\n"));
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Keys,
    Value,
}

/// Everything that is known, with the data itself where the person may see it.
fn known(options: &QueryOptions, root: &Root) -> Result<Mapping> {
    let is_root = rustix::process::geteuid().is_root();
    let own = if is_root && root.holds(layout::SENSITIVE_INSTANCE_DATA)? {
        layout::SENSITIVE_INSTANCE_DATA
    } else {
        layout::INSTANCE_DATA
    };
    let content = given(options.instance_data.as_deref(), || root.read(own))?.with_context(|| {
        format!("read {}: it is not there (was there a boot with a seed?)", root.show(own))
    })?;
    let mut known = parse(&content).context("read the instance's data")?;
    let instance = Instance::current(root)?;
    for (key, name, file) in [
        ("userdata", "user-data.txt", &options.user_data),
        ("vendordata", "vendor-data.txt", &options.vendor_data),
    ] {
        let path = instance.as_ref().map(|instance| instance.path(name));
        let read = || path.as_ref().map_or(Ok(None), |path| root.read(path));
        let value = if is_root || file.is_some() {
            given(file.as_deref(), read)?.map_or(Value::Null, |data| text(&data))
        } else {
            hidden(&path.unwrap_or_default(), root)
        };
        known.set(key, value);
    }
    let combined = if is_root {
        let content = root.read(layout::COMBINED_CONFIG)?;
        content.map_or(Ok(Value::Null), |content| parse(&content).map(Value::Map))?
    } else {
        hidden(layout::COMBINED_CONFIG, root)
    };
    known.set("combined_cloud_config", combined);
    Ok(known)
}

fn given(file: Option<&Path>, own: impl FnOnce() -> Result<Option<Vec<u8>>>) -> Result<Option<Vec<u8>>> {
    match file {
        Some(file) => Ok(Some(std::fs::read(file).with_context(|| format!("read {}", file.display()))?)),
        None => own(),
    }
}

fn parse(content: &[u8]) -> Result<Mapping> {
    match yaml::load(&String::from_utf8_lossy(content))? {
        Value::Map(mapping) => Ok(mapping),
        other => bail!("it is {} and no mapping", other.kind()),
    }
}

fn hidden(path: &str, root: &Root) -> Value {
    format!("<redacted for non-root user> file:{}", root.show(path)).into()
}

/// A text, unpacked where it is packed; anything else in base64.
fn text(data: &[u8]) -> Value {
    let unpacked = codec::gunzip(data, LARGEST);
    let data = unpacked.as_deref().unwrap_or(data);
    match std::str::from_utf8(data) {
        Ok(text) => text.into(),
        Err(_) => format!("{BINARY}{}", codec::to_base64(data)).into(),
    }
}

/// The value under a name, or its keys.
fn answer(data: &Mapping, name: Option<&str>, show: Show) -> Result<String> {
    let mut value = Value::Map(instance_data::promoted(data));
    let mut walked = String::new();
    for part in name.unwrap_or_default().split('.').filter(|_| name.is_some()) {
        let inner = value.as_map().and_then(|mapping| instance_data::get(mapping, part)).cloned();
        value = inner.with_context(|| match walked.as_str() {
            "" => format!("instance-data has no `{part}`"),
            walked => format!("instance-data `{walked}` has no `{part}`"),
        })?;
        walked = if walked.is_empty() { part.to_owned() } else { format!("{walked}.{part}") };
    }
    match (show, value) {
        (Show::Value, Value::Str(text)) => Ok(text),
        (Show::Value, value) => Ok(json::pretty(&value, STEP)),
        (Show::Keys, Value::Map(mapping)) => {
            let mut keys: Vec<_> = mapping.iter().filter_map(|(key, _)| key.scalar_text()).collect();
            keys.sort();
            Ok(keys.join("\n"))
        }
        (Show::Keys, other) => bail!("`{walked}` has no keys: it is {}", other.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(name: Option<&str>, show: Show, expected: Expect) {
        let data = parse(b"{v1: {cloud-name: c, region: r}, ds: {meta_data: {a.b: [1]}}}").unwrap();
        expected.assert_eq(&answer(&data, name, show).unwrap_or_else(|error| format!("{error:#}")));
    }

    #[test]
    fn a_name_leads_to_its_value() {
        check(Some("v1.region"), Show::Value, expect!["r"]);
        check(Some("region"), Show::Value, expect!["r"]);
        check(Some("cloud_name"), Show::Value, expect!["c"]);
        check(
            Some("ds.meta_data.a_b"),
            Show::Value,
            expect![[r"
                [
                 1
                ]"]],
        );
        check(Some("ds.nothing"), Show::Value, expect!["instance-data `ds` has no `nothing`"]);
        check(Some("region.x"), Show::Value, expect!["instance-data `region` has no `x`"]);
    }

    #[test]
    fn keys_are_listed_without_their_second_names() {
        check(
            None,
            Show::Keys,
            expect![[r"
                cloud-name
                ds
                region
                v1"]],
        );
        check(Some("region"), Show::Keys, expect!["`region` has no keys: it is a text"]);
    }

    #[test]
    fn what_is_no_text_is_base64() {
        assert_eq!(text(b"a"), "a".into());
        assert_eq!(text(b"\xff"), "ci-b64:/w==".into());
    }
}

//! Hands the seed on the kernel command line to the booted system: `ds=nocloud…`, `cloud-config-url=` and
//! `lifeboat.seed=` become /run/lifeboat/seed, which the agent reads.

use crate::outcome::{Mode, Outcome};
use crate::state::State;
use anyhow::{Context, Result, bail};
use lifeboat_common::command_line::CommandLine;

/// The data sources that `ds=` may name.
const SOURCES: [&str; 2] = ["nocloud", "nocloud-net"];

/// The fields of `ds=nocloud;KEY=VALUE;…`: their names, short and long, and the key in the hand-off.
const FIELDS: [(&str, &str, &str); 3] =
    [("s", "seedfrom", SEED_FROM), ("h", "local-hostname", HOST_NAME), ("i", "instance-id", INSTANCE_ID)];

const SEED_FROM: &str = "SEED_FROM";
const HOST_NAME: &str = "LOCAL_HOSTNAME";
const INSTANCE_ID: &str = "INSTANCE_ID";

/// Writes the hand-off, or says why there is none.
pub(crate) fn run(line: &CommandLine, mode: Mode) -> Result<Outcome> {
    let Some(seed) = plan(line)? else {
        return Ok(Outcome::Skipped("no seed is on the kernel command line".into()));
    };
    if mode == Mode::Apply {
        // A seed URL may hold a secret.
        seed.state().write("seed", 0o600)?;
    }
    Ok(Outcome::Done(format!("handed over as {} to the booted system", seed.source)))
}

/// What the command line says, checked.
#[derive(PartialEq, Eq, Debug)]
struct Seed {
    source: String,
    fields: Vec<(&'static str, String)>,
    cloud_config_url: Option<String>,
}

impl Seed {
    fn state(&self) -> State {
        let mut state = State::default();
        state.push("SOURCE", &self.source);
        for (key, value) in &self.fields {
            state.push(key, value);
        }
        state.push_some("CLOUD_CONFIG_URL", self.cloud_config_url.as_deref());
        state
    }
}

fn plan(line: &CommandLine) -> Result<Option<Seed>> {
    let cloud_config_url = line.value("cloud-config-url").map(str::to_owned);
    if let Some(url) = &cloud_config_url {
        check_url(url).with_context(|| format!("cloud-config-url={url}"))?;
    }
    let (mut source, mut fields) = match line.value("ds") {
        Some(value) => parse_ds(value).with_context(|| format!("ds={value}"))?.unzip(),
        None => (None, None),
    };
    if let Some(url) = line.value("lifeboat.seed") {
        check_url(url).with_context(|| format!("lifeboat.seed={url}"))?;
        source = Some("lifeboat.seed".to_owned());
        let mut kept: Vec<_> = fields.unwrap_or_default();
        kept.retain(|(key, _)| *key != SEED_FROM);
        kept.insert(0, (SEED_FROM, url.to_owned()));
        fields = Some(kept);
    }
    let source = source.or_else(|| cloud_config_url.as_ref().map(|_| "cloud-config-url".to_owned()));
    Ok(source.map(|source| Seed { source, fields: fields.unwrap_or_default(), cloud_config_url }))
}

type Fields = Vec<(&'static str, String)>;

/// `None`: the value names a data source that is not handed over by the initramfs.
fn parse_ds(value: &str) -> Result<Option<(String, Fields)>> {
    let mut words = value.split(';');
    let source = words.next().unwrap_or_default();
    if !SOURCES.contains(&source.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    let mut fields = Fields::new();
    for word in words.filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').with_context(|| format!("`{word}` is not KEY=VALUE"))?;
        let Some((.., key)) = FIELDS.iter().find(|(short, long, _)| [*short, *long].contains(&name)) else {
            bail!("unknown field `{name}` (known: {})", known_fields());
        };
        check_field(key, value).with_context(|| format!("`{word}`"))?;
        fields.push((key, value.to_owned()));
    }
    Ok(Some((source.to_ascii_lowercase(), fields)))
}

fn known_fields() -> String {
    FIELDS.map(|(short, long, _)| format!("{short} or {long}")).join(", ")
}

fn check_field(key: &str, value: &str) -> Result<()> {
    match key {
        SEED_FROM => check_url(value),
        HOST_NAME => check_host_name(value),
        _ => check_text(value),
    }
}

/// A URL or directory to which file names are appended, or with a `%s` that stands for them.
fn check_url(url: &str) -> Result<()> {
    check_text(url)?;
    if url.matches("%s").count() > 1 {
        bail!("`%s` stands for the file's name and may appear once");
    }
    match url.split_once("://") {
        Some(("http" | "https", rest)) if rest.starts_with('/') || rest.is_empty() => {
            bail!("no host in the URL")
        }
        Some(("http" | "https" | "file", _)) => Ok(()),
        Some((scheme, _)) => bail!("{scheme}: is not supported (use http, https, file or an absolute path)"),
        None if url.starts_with('/') => Ok(()),
        None => bail!("neither a URL nor an absolute path"),
    }
}

fn check_host_name(name: &str) -> Result<()> {
    let good_label = |label: &str| {
        let inner = |character: char| character.is_ascii_alphanumeric() || character == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(good_label) {
        bail!("not a host name (letters, digits and `-`, in labels separated by `.`)");
    }
    Ok(())
}

fn check_text(text: &str) -> Result<()> {
    if text.is_empty() {
        bail!("empty value");
    }
    if text.chars().any(|character| character.is_control() || character.is_whitespace()) {
        bail!("white space and control characters are not allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(line: &str, expected: Expect) {
        let text = match plan(&CommandLine::parse(line)) {
            Ok(Some(seed)) => seed.state().render(),
            Ok(None) => String::from("nothing\n"),
            Err(error) => format!("error: {error:#}\n"),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn a_nocloud_seed_is_handed_over() {
        check(
            "ds=nocloud;s=http://10.0.2.2:8000/;h=web-1;i=i-1",
            expect![[r"
            SOURCE=nocloud
            SEED_FROM=http://10.0.2.2:8000/
            LOCAL_HOSTNAME=web-1
            INSTANCE_ID=i-1
        "]],
        );
    }

    #[test]
    fn long_names_and_a_placeholder_are_taken() {
        let line = "quiet ds=nocloud-net;seedfrom=https://x/%s?a=b;local-hostname=a.b;instance-id=i-2 ro";
        check(
            line,
            expect![[r#"
            SOURCE=nocloud-net
            SEED_FROM="https://x/%s?a=b"
            LOCAL_HOSTNAME=a.b
            INSTANCE_ID=i-2
        "#]],
        );
    }

    #[test]
    fn the_own_parameter_wins_over_the_seed_of_ds() {
        check(
            "ds=nocloud;s=http://old/;i=i-3 lifeboat.seed=http://new/",
            expect![[r"
            SOURCE=lifeboat.seed
            SEED_FROM=http://new/
            INSTANCE_ID=i-3
        "]],
        );
    }

    #[test]
    fn a_cloud_config_url_stands_alone_or_beside() {
        check(
            "cloud-config-url=http://x/config",
            expect![[r"
            SOURCE=cloud-config-url
            CLOUD_CONFIG_URL=http://x/config
        "]],
        );
        check(
            "ds=nocloud;i=a cloud-config-url=http://x/config",
            expect![[r"
            SOURCE=nocloud
            INSTANCE_ID=a
            CLOUD_CONFIG_URL=http://x/config
        "]],
        );
    }

    #[test]
    fn a_source_without_fields_says_that_there_is_one() {
        check(
            "ds=nocloud",
            expect![[r"
            SOURCE=nocloud
        "]],
        );
    }

    #[test]
    fn nothing_is_handed_over_where_no_seed_is_named() {
        check(
            "root=/dev/vda ro quiet",
            expect![[r"
            nothing
        "]],
        );
        check(
            "ds=ec2",
            expect![[r"
            nothing
        "]],
        );
    }

    #[test]
    fn a_bad_value_is_told_with_its_parameter() {
        for line in [
            "ds=nocloud;s=ftp://x/",
            "ds=nocloud;s=http:///x",
            "ds=nocloud;s=x",
            "ds=nocloud;h=a_b",
            "ds=nocloud;q=1",
            "ds=nocloud;x",
            "ds=nocloud;i=",
            "lifeboat.seed=http://x/%s/%s",
        ] {
            let error = plan(&CommandLine::parse(line)).unwrap_err();
            assert!(format!("{error:#}").starts_with(line), "{error:#}");
        }
        check(
            "ds=nocloud;s=ftp://x/",
            expect![[r"
            error: ds=nocloud;s=ftp://x/: `s=ftp://x/`: ftp: is not supported (use http, https, file or an absolute path)
        "]],
        );
    }
}

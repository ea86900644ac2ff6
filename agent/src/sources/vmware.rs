//! `VMware`'s guestinfo: `guestinfo.metadata`, `userdata` and `vendordata`, each with its `.encoding`, or an OVF
//! environment in `guestinfo.ovfEnv`; asked through `VMware`'s tools where they are.

mod redact;
mod wait;

pub(crate) use redact::redact;

use super::{Signal, SourceFacts, ovf};
use crate::apply::{self, Ended};
use crate::interfaces::Interfaces;
use crate::meta_data::{self, MetaData, decoded};
use crate::report::Report;
use crate::root::Root;
use crate::seed::{self, Seed, UserData, VendorData};
use anyhow::{Context, Result};
use std::cell::{Cell, RefCell};

/// The tools that speak to the hypervisor, and what stands before the question.
const TOOLS: &[Tool] = &[
    ("usr/bin/vmware-rpctool", &[]),
    ("usr/bin/vmtoolsd", &["--cmd"]),
    ("usr/local/bin/vmtoolsd", &["--cmd"]),
];

type Tool = (&'static str, &'static [&'static str]);

/// A tool that hangs must not hold up the boot.
const TIMEOUT: [&str; 2] = ["timeout", "10"];

/// The source's own name.
pub(crate) const SOURCE: &str = "vmware";

/// Where the values are, for people; a template knows the first of their names.
const PLACE: &str = "guestinfo.metadata";

/// The instance-id where neither the meta-data nor the firmware gives one.
const ID: &str = "iid-vmware";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let product = facts.dmi("product_name");
    if !product.starts_with("VMware") || tools(facts.root)?.is_empty() {
        return Ok(None);
    }
    Ok(Some(Signal::in_machine(format!("the firmware's product_name is {product}"))))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let tools = tools(facts.root)?;
    let Some(first) = tools.first() else { return Ok(None) };
    if !facts.root.is_live() {
        report.info(&format!("not on this root: ask /{} for guestinfo", first.0));
        return Ok(None);
    }
    let uuid = facts.dmi("product_uuid").to_lowercase();
    let turns = Turns::new(&tools);
    let seed = seed_of(|key| turns.ask(|tool| ask_tool(tool, key)), &uuid, facts.kept.as_deref(), report);
    turns.tell(report);
    let seed = seed?;
    if let Some(seed) = &seed {
        let interfaces = || Interfaces::read().unwrap_or_default();
        wait::wait(&seed.meta_data.all, facts.budget, interfaces, report);
    }
    match seed {
        Some(seed) => seed::completed(seed, facts, report).map(ovf::identified).map(Some),
        None => Ok(None),
    }
}

/// Tools, of which one that is refused, or hangs, is not asked again where there is another.
struct Turns<'a> {
    tools: &'a [&'static Tool],
    turn: Cell<usize>,
    refused: RefCell<Vec<String>>,
}

impl<'a> Turns<'a> {
    fn new(tools: &'a [&'static Tool]) -> Self {
        Self { tools, turn: Cell::default(), refused: RefCell::default() }
    }

    fn ask<T>(&self, ask: impl Fn(&Tool) -> Result<T>) -> Result<T> {
        loop {
            let tool = self.tools.get(self.turn.get()).context("no tool is left")?;
            match ask(tool) {
                Err(error) if self.turn.get() + 1 < self.tools.len() => {
                    self.turn.set(self.turn.get() + 1);
                    self.refused.borrow_mut().push(format!("/{}: {error:#} (asking another tool)", tool.0));
                }
                answer => return answer,
            }
        }
    }

    fn tell(self, report: &mut Report) {
        self.refused.into_inner().into_iter().for_each(|told| report.warn(told));
    }
}

/// Gives a tool an order, and returns its answer.
fn tell_tool((program, words): &Tool, order: &str) -> Result<String> {
    let mut argv: Vec<String> = TIMEOUT.map(str::to_owned).to_vec();
    argv.push(format!("/{program}"));
    argv.extend(words.iter().map(|word| (*word).to_owned()));
    argv.push(order.to_owned());
    apply::ask(&argv, None, "coreutils")
}

/// A value; `None` where there is none.
fn ask_tool(tool: &Tool, key: &str) -> Result<Option<String>> {
    match tell_tool(tool, &format!("info-get guestinfo.{key}")) {
        Ok(value) => Ok(Some(value.trim_end_matches('\n').to_owned())),
        Err(error) if error.downcast_ref().is_some_and(says_no_value) => Ok(None),
        Err(error) => Err(error.context(format!("guestinfo.{key}"))),
    }
}

/// True if the tools' answer is that there is no value; any other failure says nothing of it.
fn says_no_value(ended: &Ended) -> bool {
    ended.with(1) && (ended.said().is_empty() || ended.said().contains("No value found"))
}

/// The tools that are there.
fn tools(root: &Root) -> Result<Vec<&'static Tool>> {
    let mut there = Vec::new();
    for tool in TOOLS {
        if root.holds(tool.0)? {
            there.push(tool);
        }
    }
    Ok(there)
}

/// A value of guestinfo.
enum GuestValue {
    Missing,
    /// It was there, and whoever set the machine up has taken it back.
    UsedUp,
    Given(Result<Vec<u8>>),
}

/// The value that a deployment sets when the original has been used up.
const USED_UP: &str = "---";

fn value(key: &str, ask: impl Fn(&str) -> Result<Option<String>>) -> Result<GuestValue> {
    let Some(value) = ask(key)?.filter(|value| !value.is_empty()) else { return Ok(GuestValue::Missing) };
    if value == USED_UP {
        return Ok(GuestValue::UsedUp);
    }
    let encoding = ask(&format!("{key}.encoding"))?.unwrap_or_default();
    Ok(GuestValue::Given(decoded(value, &encoding).with_context(|| format!("guestinfo.{key}"))))
}

impl GuestValue {
    fn into_given(self) -> Option<Result<Vec<u8>>> {
        match self {
            Self::Given(given) => Some(given),
            Self::Missing | Self::UsedUp => None,
        }
    }
}

/// `kept` is the instance that the machine was last.
fn seed_of(
    ask: impl Fn(&str) -> Result<Option<String>>,
    uuid: &str,
    kept: Option<&str>,
    report: &mut Report,
) -> Result<Option<Seed>> {
    // Who the machine is decides. Anything else that cannot be had costs only itself.
    let meta_data = value("metadata", &ask)?;
    let user_data = value("userdata", &ask);
    let vendor_data = value("vendordata", &ask);
    let is_used_up = matches!(meta_data, GuestValue::UsedUp);
    let is_taken_back =
        |value: &Result<GuestValue>| matches!(value, Ok(GuestValue::UsedUp)) && kept.is_some();
    let are_taken_back = [is_taken_back(&user_data), is_taken_back(&vendor_data)];
    let meta_data = meta_data.into_given();
    let user_data = user_data.and_then(|value| value.into_given().transpose());
    let vendor_data = vendor_data.and_then(|value| value.into_given().transpose());
    match (&meta_data, &user_data, &vendor_data) {
        (None, Ok(None), Ok(None)) => {
            return match ask("ovfEnv")?.filter(|xml| !xml.is_empty() && xml != USED_UP) {
                // It was no news of the machine when there was more.
                _ if is_used_up && kept.is_some() => Ok(None),
                Some(xml) => ovf::from_environment(xml.as_bytes(), "guestinfo.ovfEnv", report).map(Some),
                None => Ok(None),
            };
        }
        (None, Err(_), _) => return user_data.map(|_| None),
        _ => {}
    }
    let mut is_news = !is_used_up;
    let parsed = meta_data.unwrap_or_else(|| Ok(Vec::new())).and_then(|data| meta_data::parse(&data));
    let mut meta_data = parsed.unwrap_or_else(|error| {
        report.warn(format!("{error:#}"));
        is_news = false;
        MetaData::default()
    });
    let own = if uuid.is_empty() { ID } else { uuid };
    // Nobody says that this is another machine than it was.
    let id = kept.filter(|_| !is_news).unwrap_or(own);
    meta_data.instance_id.get_or_insert_with(|| id.to_owned());
    if let Some(keys) = KEYS.iter().find_map(|key| meta_data.all.get(key)) {
        meta_data.public_keys = meta_data::keys(keys);
    }
    let [of_user, of_vendor] = are_taken_back;
    Ok(Some(Seed {
        source: SOURCE.into(),
        place: PLACE.into(),
        user_data: if of_user { UserData::UsedUp } else { UserData::of(user_data, report) },
        vendor_data: if of_vendor {
            VendorData::Silent
        } else {
            VendorData::of("vendor-data", vendor_data, report)
        },
        meta_data,
        ..Seed::default()
    }))
}

/// The meta-data's keys for the keys to log in with: the first that is there counts.
const KEYS: [&str; 4] = ["public-keys-data", "public_keys_data", "public-keys", "public_keys"];

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn seed(values: &[(&str, &str)]) -> (Option<Seed>, Vec<String>) {
        let (seed, warnings) = seed_on(None, values);
        (seed.unwrap(), warnings)
    }

    /// A value `hangs` is one of which the tools say nothing.
    fn seed_on(kept: Option<&str>, values: &[(&str, &str)]) -> (Result<Option<Seed>>, Vec<String>) {
        let ask = |key: &str| match values.iter().find(|(name, _)| *name == key) {
            Some((_, "hangs")) => bail!("guestinfo.{key}: the tool hangs"),
            found => Ok(found.map(|(_, value)| (*value).to_owned())),
        };
        let mut report = Report::default();
        let seed = seed_of(ask, "uuid-1", kept, &mut report);
        (seed, report.warnings)
    }

    #[test]
    fn meta_data_that_fails_for_a_while_makes_no_other_instance() {
        let script = ("userdata", "#!/bin/sh\n");
        let id =
            |kept, values: &[_]| seed_on(kept, values).0.unwrap().unwrap().meta_data.instance_id.unwrap();
        for broken in ["{instance-id: [", "- a", "---"] {
            assert_eq!(id(Some("i-1"), &[script, ("metadata", broken)]), "i-1", "{broken}");
            assert_eq!(id(None, &[script, ("metadata", broken)]), "uuid-1", "{broken}");
        }
        assert_eq!(id(Some("i-1"), &[script, ("metadata", "x"), ("metadata.encoding", "rot13")]), "i-1");
        // A value that the tools do not give is an error, not an empty value.
        for silent in [("metadata", "hangs"), ("metadata.encoding", "hangs")] {
            let all = [silent, ("metadata", "{instance-id: i-2}"), script];
            assert!(seed_on(Some("i-1"), &all).0.unwrap_err().to_string().contains("hangs"), "{silent:?}");
        }
        let alone = seed_on(Some("i-1"), &[("userdata", "hangs")]).0;
        assert!(alone.unwrap_err().to_string().contains("hangs"));
        // Who the machine is was told.
        for silent in [("userdata", "hangs"), ("userdata.encoding", "hangs")] {
            let all = [silent, ("metadata", "{instance-id: i-2}"), script];
            let (found, warnings) = seed_on(Some("i-1"), &all);
            let found = found.unwrap().unwrap();
            assert_eq!(
                (found.meta_data.instance_id.as_deref(), found.user_data),
                (Some("i-2"), UserData::Silent)
            );
            assert!(warnings[0].contains("hangs"), "{warnings:?}");
        }
        // One that answers is another instance, and a machine that never had any has the firmware's.
        assert_eq!(id(Some("i-1"), &[script, ("metadata", "{instance-id: i-2}")]), "i-2");
        assert_eq!(id(Some("i-1"), &[script]), "uuid-1");
        let env = ("ovfEnv", "<Environment><Property key='hostname' value='h'/></Environment>");
        assert!(seed_on(Some("i-1"), &[env, ("metadata", "---")]).0.unwrap().is_none());
    }

    #[test]
    fn vendor_data_that_fails_is_told_and_what_was_kept_counts() {
        let (found, warnings) = seed_on(None, &[("metadata", "{}"), ("vendordata", "hangs")]);
        assert_eq!(found.unwrap().unwrap().vendor_data, VendorData::Silent);
        assert!(warnings[0].contains("the tool hangs"), "{warnings:?}");
        let (found, _) = seed(&[("metadata", "{}")]);
        assert_eq!(found.unwrap().vendor_data, VendorData::default());
    }

    /// The expected values follow cloud-init 26.2's `get_public_ssh_keys` and `normalize_pubkey_data`; keys in a
    /// mapping of mappings are our own.
    #[test]
    fn keys_are_taken_in_each_of_their_forms() {
        for (meta_data, keys) in [
            ("public-keys-data: |\n  ssh-rsa A\n  ssh-rsa B\n", &["ssh-rsa A", "ssh-rsa B"][..]),
            ("public_keys_data: [ssh-rsa A]", &["ssh-rsa A"]),
            ("public-keys: ssh-rsa A", &["ssh-rsa A"]),
            ("public_keys: {me: [ssh-rsa A, '']}", &["ssh-rsa A"]),
            ("public-keys: {0: {openssh-key: ssh-rsa A}}", &["ssh-rsa A"]),
            ("public_keys: {me: ssh-rsa A, you: ssh-rsa B}", &["ssh-rsa A", "ssh-rsa B"]),
            ("{public-keys: ssh-rsa A, public-keys-data: ssh-rsa B}", &["ssh-rsa B"]),
            ("{public_keys: ssh-rsa A, public_keys_data: ssh-rsa B}", &["ssh-rsa B"]),
            ("{public_keys: ssh-rsa A, public-keys: ssh-rsa B}", &["ssh-rsa B"]),
            ("{public-keys: ssh-rsa A, public-keys-data: ''}", &[]),
            ("{public-keys-data: 5}", &[]),
            ("{}", &[]),
        ] {
            let (found, _) = seed(&[("metadata", meta_data)]);
            assert_eq!(found.unwrap().meta_data.public_keys, keys, "{meta_data}");
        }
    }

    #[test]
    fn values_are_decoded_as_they_say() {
        let (found, warnings) = seed(&[
            ("metadata", "eyJpbnN0YW5jZS1pZCI6ICJpLTEifQ=="),
            ("metadata.encoding", "base64"),
            ("userdata", "#!/bin/sh\n"),
            ("vendordata", "H4sIAAAAAAACA1NW1E/KzNMvzuACAB2d+wQKAAAA"),
            ("vendordata.encoding", "gz+b64"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.meta_data.instance_id.as_deref(), Some("i-1"));
        assert_eq!(found.user_data.bytes(), b"#!/bin/sh\n");
        assert_eq!(found.vendor_data, VendorData::Given(b"#!/bin/sh\n".to_vec()));
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn a_bad_value_is_told_and_the_firmware_gives_the_id() {
        let (found, warnings) =
            seed(&[("userdata", "x"), ("userdata.encoding", "rot13"), ("metadata", "{}")]);
        let found = found.unwrap();
        assert_eq!(found.meta_data.instance_id.as_deref(), Some("uuid-1"));
        assert!(warnings[0].contains("the encoding `rot13` is unknown"), "{warnings:?}");
        assert_eq!(found.user_data, UserData::Silent);
    }

    #[test]
    fn an_ovf_environment_counts_where_there_is_nothing_else() {
        let xml = "<Environment><Property key='hostname' value='h'/></Environment>";
        let (found, _) = seed(&[("ovfEnv", xml), ("metadata", "---")]);
        assert_eq!(found.unwrap().meta_data.hostname.as_deref(), Some("h"));
        assert!(seed(&[("metadata", ""), ("userdata", "---")]).0.is_none());
    }
}

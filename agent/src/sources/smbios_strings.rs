//! SMBIOS's strings for the system's vendor (type 11): `ds=nocloud;…` as on the kernel command line, or
//! systemd's `io.systemd.credential:cloud-init.user-data=…` where systemd itself did not take them.

use super::{Signal, SourceFacts, credentials, nocloud};
use crate::codec;
use crate::fetch;
use crate::nocloud::Said;
use crate::report::Report;
use crate::seed::{self, Seed};
use anyhow::{Context, Result};
use lifeboat_common::hand_off::Seed as HandOff;

const ENTRIES: &str = "sys/firmware/dmi/entries";
/// The number of the entries that hold strings.
const STRINGS: &str = "11-";
/// The beginning of a string with a credential that is text, and of one with base64.
const TEXT: &str = "io.systemd.credential:";
const BINARY: &str = "io.systemd.credential.binary:";

pub(super) fn detect(facts: &SourceFacts<'_>) -> Result<Option<Signal>> {
    let strings = strings(facts)?;
    if let Some(hand_off) = line(&strings) {
        return Ok(Some(Signal::at(hand_off.place(), "an SMBIOS string names a seed")));
    }
    // One that cannot be decoded is told when it is read.
    let any = ["user-data", "meta-data"].iter().any(|name| !matches!(credential(name, &strings), Ok(None)));
    Ok(any.then(|| Signal::in_machine("an SMBIOS string holds a credential")))
}

pub(super) fn read(facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    let strings = strings(facts)?;
    if line(&strings).is_some() {
        return nocloud("smbios_strings", facts, report);
    }
    let seed = seed::from_files("SMBIOS", |name| credential(name, &strings), facts, report)?;
    seed.map(|seed| seed::completed(seed, facts, report)).transpose()
}

/// The seed in the string that names one, to be joined with other places.
pub(super) fn said(facts: &SourceFacts<'_>, _: &mut Report) -> Result<Option<Said>> {
    Ok(line(&strings(facts)?).map(|hand_off| Said::of_line(hand_off, "dmi")))
}

fn line(strings: &[Vec<u8>]) -> Option<HandOff> {
    let value = value_in(strings)?;
    HandOff::from_ds(value, &format!("the SMBIOS string `ds={value}`"))
}

fn value_in(strings: &[Vec<u8>]) -> Option<&str> {
    let mut texts = strings.iter().filter_map(|bytes| std::str::from_utf8(bytes).ok());
    texts.find_map(|text| text.trim().strip_prefix("ds="))
}

/// The text behind `ds=` in the string that names a source.
pub(super) fn value(facts: &SourceFacts<'_>) -> Option<String> {
    value_in(&strings(facts).ok()?).map(str::to_owned)
}

fn credential(name: &str, strings: &[Vec<u8>]) -> Result<Option<Vec<u8>>> {
    let mut broken = None;
    for bytes in strings {
        let after = |prefix: &str| {
            bytes
                .strip_prefix(format!("{prefix}{}{name}=", credentials::PREFIX).as_bytes())
                .map(<[u8]>::to_vec)
        };
        if let Some(text) = after(TEXT) {
            return Ok(Some(text));
        }
        if let Some(encoded) = after(BINARY) {
            match codec::base64_or_text(encoded).with_context(|| format!("the SMBIOS string for {name}")) {
                Ok(data) => return Ok(Some(data)),
                Err(error) => broken = Some(error),
            }
        }
    }
    broken.map_or(Ok(None), Err)
}

fn strings(facts: &SourceFacts<'_>) -> Result<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    for name in facts.root.names(ENTRIES)?.iter().filter(|name| name.starts_with(STRINGS)) {
        // Another entry may have what is looked for.
        let entry = facts.root.read_at_most(&format!("{ENTRIES}/{name}/raw"), fetch::LARGEST);
        strings.extend(strings_of(&entry.ok().flatten().unwrap_or_default()));
    }
    Ok(strings)
}

/// The strings stand behind the entry's fixed part, each with a zero at its end; an empty one ends them.
fn strings_of(entry: &[u8]) -> Vec<Vec<u8>> {
    let fixed = entry.get(1).copied().map_or(usize::MAX, usize::from);
    let behind = entry.get(fixed..).unwrap_or_default();
    behind.split(|byte| *byte == 0).take_while(|text| !text.is_empty()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_may_be_plain_text_where_base64_is_expected() {
        let credential = |text: &str| {
            let string = format!("{BINARY}{}user-data={text}", credentials::PREFIX);
            credential("user-data", &[string.into_bytes()]).map_err(|error| format!("{error:#}"))
        };
        for text in ["IyEvYmluL3NoCg==", "IyEvYmlu\nL3NoCg==\n", "#!/bin/sh\n"] {
            assert_eq!(credential(text).unwrap().unwrap(), b"#!/bin/sh\n", "{text}");
        }
        assert!(credential("IyEvYmluL3NoCg=").unwrap_err().contains("decode base64"));
    }

    #[test]
    fn strings_are_found_behind_the_fixed_part() {
        let entry = b"\x0b\x05\x01\x00\x02ds=nocloud\0two\0\0rest\0";
        assert_eq!(strings_of(entry), [b"ds=nocloud".to_vec(), b"two".to_vec()]);
        for broken in [&b""[..], b"\x0b", b"\x0b\xff\x00", b"\x0b\x05\x01\x00\x00\0\0"] {
            assert!(strings_of(broken).is_empty(), "{broken:?}");
        }
    }
}

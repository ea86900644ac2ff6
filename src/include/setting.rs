//! `LIFEBOAT_INCLUDE=` in the /etc/default/lifeboat of the machine that builds.

use crate::kmsg::escape;
use crate::{files, state};
use anyhow::Result;

const FILE: &str = "/etc/default/lifeboat";
const KEY: &str = "LIFEBOAT_INCLUDE";

/// The modules that the initramfs is to hold beside those it has.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum IncludeSetting {
    /// None: what the generator puts in, most of what boots a machine, is enough.
    Most,
    /// All that the kernel has.
    All,
    /// Modules by name, directories below kernel/ with a `/` at the end.
    List(Vec<String>),
}

impl IncludeSetting {
    /// Reads the file; the inner error is a value that is not understood.
    pub(crate) fn read() -> Result<Result<Self, String>> {
        let Some(bytes) = files::read(FILE)? else { return Ok(Ok(Self::Most)) };
        let value = state::lookup(&String::from_utf8_lossy(&bytes), KEY);
        Ok(Self::parse(value.as_deref().unwrap_or_default()))
    }

    fn parse(value: &str) -> Result<Self, String> {
        match value {
            "" | "most" => Ok(Self::Most),
            "all" => Ok(Self::All),
            _ => match value.strip_prefix("list:") {
                Some(words) => Ok(Self::List(
                    words
                        .split(',')
                        .map(str::trim)
                        .filter(|word| !word.is_empty())
                        .map(str::to_owned)
                        .collect(),
                )),
                None => Err(format!(
                    "`{}` in {KEY}= of {FILE} is not understood, no modules are added (known: all, most, list:…)",
                    escape(value.as_bytes())
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_values_are_understood() {
        assert_eq!(IncludeSetting::parse(""), Ok(IncludeSetting::Most));
        assert_eq!(IncludeSetting::parse("most"), Ok(IncludeSetting::Most));
        assert_eq!(IncludeSetting::parse("all"), Ok(IncludeSetting::All));
        let words = ["nfs", "drivers/net/"].map(str::to_owned).to_vec();
        assert_eq!(IncludeSetting::parse("list:nfs,, drivers/net/"), Ok(IncludeSetting::List(words)));
        assert_eq!(IncludeSetting::parse("list:"), Ok(IncludeSetting::List(vec![])));
    }

    #[test]
    fn anything_else_is_told_on_one_line() {
        for value in ["ALL", "nfs", "all\x1b[2J", "all # of them"] {
            let complaint = IncludeSetting::parse(value).unwrap_err();
            assert!(complaint.contains("is not understood") && !complaint.contains('\x1b'), "{complaint}");
        }
    }
}

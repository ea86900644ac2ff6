//! The kernel command line, split as the kernel splits it.

use anyhow::{Context, Result};

const PROC_CMDLINE: &str = "/proc/cmdline";

/// The parameters in their order; a name may appear more than once.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, Option<String>)>);

impl Parameters {
    /// Reads the running kernel's command line.
    pub(crate) fn read() -> Result<Self> {
        let bytes = std::fs::read(PROC_CMDLINE).with_context(|| format!("read {PROC_CMDLINE}"))?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    fn parse(line: &str) -> Self {
        Self(words(line).iter().map(|word| split_word(word)).collect())
    }

    /// The value of the last `name=value`; the last one counts, as with the kernel's own parameters.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref())
    }

    /// The parameter that switches this journey off, if there is one.
    pub(crate) fn switched_off(&self, journey: &str) -> Option<String> {
        [String::from("lifeboat"), format!("lifeboat.{journey}")]
            .into_iter()
            .find(|name| self.value(name) == Some("off"))
            .map(|name| format!("{name}=off"))
    }
}

/// Double quotes keep white space together and are themselves dropped, wherever in the word they stand.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            _ if character.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn split_word(word: &str) -> (String, Option<String>) {
    match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word.to_owned(), None),
    }
}

#[cfg(test)]
impl From<&str> for Parameters {
    fn from(line: &str) -> Self {
        Self::parse(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_white_space_and_are_dropped() {
        let parameters = Parameters::from("a=\"b c\" \"d=e f\" quiet x=\n");
        assert_eq!(parameters.value("a"), Some("b c"));
        assert_eq!(parameters.value("d"), Some("e f"));
        assert_eq!(parameters.value("x"), Some(""));
        assert_eq!(parameters.value("quiet"), None);
    }

    #[test]
    fn the_last_of_several_counts() {
        assert_eq!(Parameters::from("root=/dev/vda root=/dev/vdb").value("root"), Some("/dev/vdb"));
    }

    #[test]
    fn a_value_may_hold_equal_signs() {
        assert_eq!(Parameters::from("ds=nocloud;s=http://x/").value("ds"), Some("nocloud;s=http://x/"));
    }

    #[test]
    fn all_journeys_or_one_can_be_switched_off() {
        assert_eq!(Parameters::from("lifeboat=off").switched_off("seed"), Some("lifeboat=off".into()));
        let one = Parameters::from("lifeboat.seed=off");
        assert_eq!(one.switched_off("seed"), Some("lifeboat.seed=off".into()));
        assert_eq!(one.switched_off("modules"), None);
        assert_eq!(Parameters::from("lifeboat.seed=http://x/").switched_off("seed"), None);
    }
}

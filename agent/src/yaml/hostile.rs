//! The rules for any data that is read as YAML: `fuzz/` tries them on all bytes it comes upon.
#![allow(clippy::panic, reason = "what fails is a finding")]

use super::{Allowance, load, to_json, to_yaml};

/// The longest message: what is wrong and where, and the line that is shown.
const LONGEST_MESSAGE: usize = 2000;

/// Takes bytes as a text in YAML.
pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let value = match load(text) {
        Ok(value) => value,
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() <= LONGEST_MESSAGE, "{} bytes: {message}", message.len());
            return;
        }
    };
    assert_eq!(Allowance::default().take(&value, 0), Ok(()), "{text}");
    let written = to_yaml(&value);
    let again = load(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(to_yaml(&again), written);
    assert!(value == again || written.contains(".nan"), "{value:?}\n{again:?}");
    // A key of more than 1,024 characters has no place in JSON that libyaml reads.
    if text.len() < 1000 {
        let json = to_json(&value);
        load(&json).unwrap_or_else(|error| panic!("{error}\n{json}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/yaml");
        let mut values = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let text = std::fs::read(entry.unwrap().path()).unwrap();
            check(&text);
            values += usize::from(std::str::from_utf8(&text).is_ok_and(|text| load(text).is_ok()));
            // Each byte damaged, and the text cut there.
            for at in 0..text.len() {
                let mut damaged = text.clone();
                damaged[at] ^= 1 << (at % 7);
                check(&damaged);
                check(&text[..at]);
            }
        }
        assert!(values >= 5, "{values}");
    }
}

//! The rules that hold whatever a root has for a module: `fuzz/` tries it on all bytes it comes upon.
#![allow(clippy::panic, reason = "what fails is a finding")]

use super::{decode, vermagic};
use lifeboat_common::text::is_plain;

/// Takes bytes as a module's file.
pub(crate) fn check(data: &[u8]) {
    let Ok(module) = decode::decode(data) else { return };
    assert!(module.len() <= decode::LARGEST_MODULE.max(data.len()), "{} bytes", module.len());
    if let Some(vermagic) = vermagic::find(&module) {
        assert!(
            vermagic.len() < vermagic::LONGEST && vermagic.chars().all(is_plain),
            "{}",
            vermagic.escape_debug()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/module");
        let mut found = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let packed = std::fs::read(entry.unwrap().path()).unwrap();
            check(&packed);
            found += usize::from(vermagic::find(&decode::decode(&packed).unwrap()).is_some());
            // Each byte damaged, and the file cut there.
            for at in 0..packed.len() {
                let mut damaged = packed.clone();
                damaged[at] ^= 1 << (at % 8);
                check(&damaged);
                check(&packed[..at]);
            }
        }
        assert_eq!(found, 4);
    }
}

//! A part's digest: the same for the same content of the same type, whatever its name and its transport.

use super::part::Part;
use sha2::{Digest, Sha256};

/// Headers that a part gets on its way.
const TRANSPORT: &[&str] = &[
    "content-disposition",
    "content-transfer-encoding",
    "content-type",
    "mime-version",
    "number-attachments",
];

/// The digest in hexadecimal digits.
pub(crate) fn digest(part: &Part) -> String {
    let mut hash = Sha256::new();
    hash.update(part.content_type.as_bytes());
    for (name, value) in part.headers.iter() {
        let name = name.to_lowercase();
        if !TRANSPORT.contains(&name.as_str()) {
            // Nothing of what is in a header has a zero in it.
            for text in [name.as_str(), value] {
                hash.update([0]);
                hash.update(text.as_bytes());
            }
        }
    }
    hash.update([0, 0]);
    hash.update(&part.payload);
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
    hash.finalize().into_iter().flat_map(digits).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::{from_mime, part_for_tests, to_mime};
    use super::*;

    #[test]
    fn what_a_part_does_makes_its_digest() {
        let part = part_for_tests("a", &[("Merge-Type", "list(append)")], "a: 1\n");
        let same = part_for_tests("b", &[("MIME-Version", "1.0"), ("merge-type", "list(append)")], "a: 1\n");
        assert_eq!(digest(&part), digest(&same));
        for other in [
            part_for_tests("a", &[("Merge-Type", "list(append)")], "a: 2\n"),
            part_for_tests("a", &[], "a: 1\n"),
            Part { content_type: "text/x-shellscript".into(), ..part.clone() },
        ] {
            assert_ne!(digest(&part), digest(&other));
        }
        assert_eq!(digest(&part).len(), 64);
    }

    #[test]
    fn a_kept_part_has_the_digest_that_it_came_with() {
        for (name, content) in [("a", "x\n"), ("\u{fc} b", "\u{fc}\r\n"), ("c", "")] {
            let part =
                part_for_tests(name, &[("Launch-Index", "1"), ("X-Merge-Type", "str(append)")], content);
            let kept = from_mime(&to_mime(std::slice::from_ref(&part)), "x");
            assert_eq!(kept.iter().map(digest).collect::<Vec<_>>(), [digest(&part)]);
        }
    }
}

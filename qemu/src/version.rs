//! The order of Debian's version numbers (deb-version(7)).

use std::cmp::Ordering;

/// Compares two versions, `epoch:upstream-revision`.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let ((epoch, upstream, revision), (other_epoch, other_upstream, other_revision)) =
        (split(one), split(other));
    epoch
        .cmp(&other_epoch)
        .then_with(|| compare_part(upstream, other_upstream))
        .then_with(|| compare_part(revision, other_revision))
}

fn split(version: &str) -> (u32, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    (epoch.parse().unwrap_or(0), upstream, revision)
}

/// Compares the parts that are no digits and the numbers between them in turn.
fn compare_part(mut one: &str, mut other: &str) -> Ordering {
    while !(one.is_empty() && other.is_empty()) {
        let (text, rest) = cut(one, |letter| !letter.is_ascii_digit());
        let (other_text, other_rest) = cut(other, |letter| !letter.is_ascii_digit());
        let (number, rest) = cut(rest, |letter| letter.is_ascii_digit());
        let (other_number, other_rest) = cut(other_rest, |letter| letter.is_ascii_digit());
        let order = compare_text(text, other_text).then_with(|| {
            let value = |digits: &str| digits.parse::<u64>().unwrap_or(0);
            value(number).cmp(&value(other_number))
        });
        if order.is_ne() {
            return order;
        }
        (one, other) = (rest, other_rest);
    }
    Ordering::Equal
}

/// Letters stand before everything else, the end before letters, and a tilde before the end.
fn compare_text(one: &str, other: &str) -> Ordering {
    let weight = |letter: Option<char>| match letter {
        Some('~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i64::from(u32::from(letter)),
        Some(letter) => i64::from(u32::from(letter)) + 256,
    };
    let (mut one, mut other) = (one.chars(), other.chars());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (letter, other_letter) if weight(letter) != weight(other_letter) => {
                return weight(letter).cmp(&weight(other_letter));
            }
            _ => {}
        }
    }
}

fn cut(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        for (older, newer) in [
            ("6.1.9-1", "6.1.140-1"),
            ("6.1.140-1", "6.1.140-1+b1"),
            ("1:7.2+dfsg-7+deb12u9", "1:7.2+dfsg-7+deb12u18"),
            ("1:7.2+dfsg-7+deb12u18+b3", "1:10.0.2+ds-2~bpo12+1"),
            ("9.9-1", "1:0.1-1"),
            ("1.0~rc1-1", "1.0-1"),
            ("1.0-1", "1.0a-1"),
            ("1.0a-1", "1.0+1-1"),
            ("2.38.1-5", "2.38.1-5+deb12u3"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
        }
        assert_eq!(compare("0:1.0-0", "1.0"), Ordering::Equal);
    }
}

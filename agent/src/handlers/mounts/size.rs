//! Sizes as people write them, and the size of a swap file that nobody gave.

use crate::yaml::Value;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Bytes: a number, or a number with K, M, G or T, each perhaps with B or iB. All are powers of 1024.
pub(super) fn bytes(value: &Value) -> Option<u64> {
    let text = value.scalar_text()?;
    let text = text.strip_suffix("iB").or_else(|| text.strip_suffix('B')).unwrap_or(&text);
    let (number, power) = [('K', 10), ('M', 20), ('G', 30), ('T', 40)]
        .into_iter()
        .find_map(|(unit, power)| Some((text.strip_suffix(unit)?, power)))
        .unwrap_or((text, 0));
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit()) && text.len() <= 18;
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let tenths = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    u64::try_from((whole << power) + ((part << power) / tenths)).ok()
}

/// A swap file's size for a machine with this memory and this room on its file system.
pub(super) fn suggested(memory: u64, room: Option<u64>, most: Option<u64>) -> u64 {
    let limit = match (room, most) {
        (Some(room), None) => (room / 4).min(memory.saturating_mul(2)),
        (Some(room), Some(most)) => most.min(room / 10 * 9),
        (None, most) => most.unwrap_or(memory.saturating_mul(2)),
    };
    let fitting = if memory < 4 * GIB {
        memory
    } else if memory < 16 * GIB {
        4 * GIB
    } else {
        rounded_root(memory) * GIB
    };
    fitting.min(limit)
}

/// The square root of a number of bytes in GiB, as a whole number.
fn rounded_root(memory: u64) -> u64 {
    // Compared in quarters: root >= n - 1/2 is memory >= n² - n + 1/4.
    let quarters = memory / (GIB / 4);
    (1..4096).take_while(|n: &u64| quarters > 4 * n * n - 4 * n).last().unwrap_or(1)
}

/// Whole mebibytes.
pub(super) fn mebibytes(bytes: u64) -> u64 {
    bytes / MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, expected) in [
            ("10M", Some(10 * MIB)),
            ("10MB", Some(10 * MIB)),
            ("10MiB", Some(10 * MIB)),
            ("1.5G", Some(GIB + GIB / 2)),
            (".5K", Some(512)),
            ("512B", Some(512)),
            ("2048", Some(2048)),
            ("1T", Some(1024 * GIB)),
            ("0", Some(0)),
            ("", None),
            ("G", None),
            ("ten", None),
            ("-1M", None),
            ("1.5.2M", None),
            ("99999999999999999T", None),
        ] {
            assert_eq!(bytes(&Value::from(text)), expected, "{text}");
        }
        assert_eq!(bytes(&Value::Seq(vec![])), None);
    }

    /// Computed by cloud-init 26.2's own function.
    #[test]
    fn the_suggestion_depends_on_memory_room_and_limit() {
        for (memory, room, most, expected) in [
            (GIB, Some(100 * GIB), None, GIB),
            (GIB, Some(2 * GIB), None, GIB / 2),
            (8 * GIB, Some(100 * GIB), None, 4 * GIB),
            (8 * GIB, Some(100 * GIB), Some(GIB), GIB),
            (20 * GIB, Some(1000 * GIB), None, 4 * GIB),
            (21 * GIB, Some(1000 * GIB), None, 5 * GIB),
            (64 * GIB, Some(1000 * GIB), None, 8 * GIB),
            (GIB, Some(0), None, 0),
            (8 * GIB, None, None, 4 * GIB),
        ] {
            assert_eq!(suggested(memory, room, most), expected, "{memory} {room:?} {most:?}");
        }
    }
}

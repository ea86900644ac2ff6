//! Numbers as Python reads and rounds them, and lines as it wraps them.

/// Rounds to so many digits behind the point; halves go to the even digit.
pub(super) fn round(number: f64, precision: i32) -> f64 {
    if !number.is_finite() {
        return number;
    }
    if let Ok(digits) = usize::try_from(precision) {
        return format!("{number:.digits$}").parse().unwrap_or(number);
    }
    let factor = 10_f64.powi(-precision);
    (number / factor).round_ties_even() * factor
}

/// The whole part.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is `None`")]
pub(super) fn to_int(number: f64) -> Option<i128> {
    (number.abs() < 1e37).then_some(number as i128)
}

/// `int(text, base)`
pub(super) fn parse_int(text: &str, base: u32) -> Option<i128> {
    if !(2..=36).contains(&base) {
        return None;
    }
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match base {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let lower = digits.to_ascii_lowercase();
    let digits = lower.strip_prefix(prefix).unwrap_or(&lower);
    let plain = without_underscores(digits)?;
    let number = if plain.starts_with(['+', '-']) { None } else { i128::from_str_radix(&plain, base).ok() };
    number.map(|number| if negative { -number } else { number })
}

/// `float(text)`
pub(super) fn parse_float(text: &str) -> Option<f64> {
    without_underscores(text.trim())?.parse().ok()
}

/// An underscore stands between digits.
fn without_underscores(text: &str) -> Option<String> {
    let bad = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (!bad).then(|| text.replace('_', ""))
}

/// Breaks a line at blanks, and where asked behind hyphens and in words that are too long.
pub(super) fn wrap(line: &str, width: usize, breaks: bool, hyphens: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    let mut length = 0;
    for chunk in chunks(line, hyphens) {
        let blank = chunk.trim().is_empty();
        let mut rest: &str = chunk;
        loop {
            let count = rest.chars().count();
            if length + count <= width {
                if !(blank && current.is_empty() && !lines.is_empty()) {
                    current.push_str(rest);
                    length += count;
                }
                break;
            }
            if count > width && breaks && !blank {
                let room = width - length;
                let cut = rest.char_indices().nth(room).map_or(rest.len(), |(place, _)| place);
                let (part, after) = rest.split_at_checked(cut).unwrap_or((rest, ""));
                current.push_str(part);
                rest = after;
            } else if current.is_empty() && !blank {
                // Too long, and not to be broken.
                current.push_str(rest);
                rest = "";
            }
            lines.push(current.trim_end().to_owned());
            current.clear();
            length = 0;
            if rest.is_empty() || blank {
                break;
            }
        }
    }
    if !current.trim_end().is_empty() {
        lines.push(current.trim_end().to_owned());
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Words, or their parts up to a hyphen, and the blanks between them.
fn chunks(line: &str, hyphens: bool) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let blank = first.is_whitespace();
        let end = rest.find(|character: char| character.is_whitespace() != blank).unwrap_or(rest.len());
        let (chunk, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if hyphens && !blank {
            parts(chunk, &mut chunks);
        } else {
            chunks.push(chunk);
        }
        rest = after;
    }
    chunks
}

/// A word's parts: it may be broken behind a hyphen that has two letters on either side.
fn parts<'a>(word: &'a str, chunks: &mut Vec<&'a str>) {
    let mut start = 0;
    for (place, _) in word.match_indices('-') {
        let before = word.get(start..place).unwrap_or_default().chars().rev().take(2);
        let before = before.filter(|character| character.is_alphabetic()).count() == 2;
        let after = word.get(place + 1..).unwrap_or_default().chars().take(2);
        let after = after.filter(|character| character.is_alphabetic()).count() == 2;
        if before && after {
            chunks.extend(word.get(start..=place));
            start = place + 1;
        }
    }
    chunks.extend(word.get(start..));
}

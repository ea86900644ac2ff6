//! Dates and times: `2001-12-14` and `2001-12-14 21:59:43.10 -5`.

/// A timestamp's numbers, unchecked.
struct Fields {
    date: [u32; 3],
    time: Option<[u32; 3]>,
    /// The number of digits in which each of the date's numbers was written.
    date_widths: [usize; 3],
    offset_minutes: Option<u32>,
}

/// True if a plain scalar is a date or a time. A date alone has to be written in full.
pub(super) fn looks_like_one(text: &str) -> bool {
    parse(text).is_some_and(|fields| fields.time.is_some() || fields.date_widths == [4, 2, 2])
}

/// Checks that the calendar and the clock have such a time.
pub(super) fn check(text: &str) -> Result<(), String> {
    let Some(fields) = parse(text) else { return Err(format!("`{text}` is no date or time")) };
    let [year, month, day] = fields.date;
    let [hour, minute, second] = fields.time.unwrap_or_default();
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let good_date = year > 0 && (1..=days).contains(&day);
    let good_offset = fields.offset_minutes.is_none_or(|minutes| minutes < 24 * 60);
    if good_date && hour < 24 && minute < 60 && second < 60 && good_offset {
        Ok(())
    } else {
        Err(format!("there is no date or time `{text}`"))
    }
}

fn parse(text: &str) -> Option<Fields> {
    let mut rest = text;
    let year = digits(&mut rest, 4..=4)?;
    take(&mut rest, '-')?;
    let before = rest.len();
    let month = digits(&mut rest, 1..=2)?;
    let month_width = before - rest.len();
    take(&mut rest, '-')?;
    let before = rest.len();
    let day = digits(&mut rest, 1..=2)?;
    let date_widths = [4, month_width, before - rest.len()];
    let mut fields = Fields { date: [year, month, day], time: None, date_widths, offset_minutes: None };
    if rest.is_empty() {
        return Some(fields);
    }
    if let Some(after) = rest.strip_prefix(['T', 't']) {
        rest = after;
    } else {
        let trimmed = rest.trim_start_matches([' ', '\t']);
        if trimmed.len() == rest.len() {
            return None;
        }
        rest = trimmed;
    }
    let hour = digits(&mut rest, 1..=2)?;
    take(&mut rest, ':')?;
    let minute = digits(&mut rest, 2..=2)?;
    take(&mut rest, ':')?;
    let second = digits(&mut rest, 2..=2)?;
    fields.time = Some([hour, minute, second]);
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
    }
    let zone = rest.trim_start_matches([' ', '\t']);
    if zone.is_empty() {
        // Blanks at the end belong to nothing.
        return rest.is_empty().then_some(fields);
    }
    if zone == "Z" {
        return Some(fields);
    }
    rest = zone.strip_prefix(['+', '-'])?;
    let hours = digits(&mut rest, 1..=2)?;
    let mut minutes = 0;
    if let Some(after) = rest.strip_prefix(':') {
        rest = after;
        minutes = digits(&mut rest, 2..=2)?;
    }
    fields.offset_minutes = Some(hours * 60 + minutes);
    rest.is_empty().then_some(fields)
}

/// Takes as many digits as there are, within what is allowed.
fn digits(rest: &mut &str, count: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let found = rest.bytes().take_while(u8::is_ascii_digit).count().min(*count.end());
    if found < *count.start() {
        return None;
    }
    let (number, after) = rest.split_at_checked(found)?;
    *rest = after;
    number.parse().ok()
}

fn take(rest: &mut &str, character: char) -> Option<()> {
    *rest = rest.strip_prefix(character)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_known() {
        for good in ["2000-02-29", "2001-1-1 0:00:00", "2001-12-14t21:59:43.10-05:00", "0001-01-01"] {
            check(good).unwrap();
        }
        for bad in ["2001-02-29", "2001-13-45", "2001-04-31", "0000-01-01", "2001-01-01 24:00:00"] {
            check(bad).unwrap_err();
        }
    }
}

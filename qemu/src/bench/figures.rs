//! Figures of several boots, as a table shows them.

/// Median, least and most; `None` without any.
pub(super) fn spread(figures: impl IntoIterator<Item = u64>) -> Option<[u64; 3]> {
    let mut figures: Vec<_> = figures.into_iter().collect();
    figures.sort_unstable();
    Some([*figures.get(figures.len() / 2)?, *figures.first()?, *figures.last()?])
}

/// From thousandths of the unit: a microsecond of the clock of instructions is a thousand of them.
pub(super) fn figure(thousandths: u64, unit: &str) -> String {
    format!("{}.{:01} {unit}", thousandths / 1000, thousandths % 1000 / 100)
}

/// The ratio of two figures.
#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
pub(super) fn ratio(peer: u64, own: u64) -> f64 {
    peer as f64 / own.max(1) as f64
}

/// A value as a word of a table.
pub(super) fn name(what: impl std::fmt::Debug) -> String {
    format!("{what:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_of_several_is_the_median() {
        assert_eq!(spread([5, 900, 7]), Some([7, 5, 900]));
        assert_eq!(spread([]), None);
    }

    #[test]
    fn a_figure_has_its_unit() {
        assert_eq!(figure(12_345, "ms"), "12.3 ms");
        assert_eq!(figure(99, "M"), "0.0 M");
    }
}
